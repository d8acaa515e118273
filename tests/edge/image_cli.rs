//! `overfall image`: pictures and their URLs on the command line, by the rules of a node.

use std::{
    path::Path,
    process::{Command, Output},
};

use overfall_test_support::{Origin, Reply, Settings};
use tempfile::TempDir;

use crate::{
    EXE, lone,
    pictures::{assert_alike, decode, encode, fixture, sample, size_and_type},
};

/// How far a mean colour may be off after a lossy format and a palette.
const TOLERANCE: f64 = 12.0;
/// Descriptors that suffice to read and to write a file, but not for the pipes of another process.
const DESCRIPTORS: u32 = 6;

/// In a folder, with words before those of the verb.
fn image(dir: &Path, words: &[&str]) -> Output {
    Command::new(EXE).arg("image").args(words).current_dir(dir).output().expect("the binary runs")
}

#[track_caller]
fn said(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[track_caller]
fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "complaints do not go to standard output");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a photo in it.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("photo.png"), encode(&sample(320, 240), image::ImageFormat::Png)).unwrap();
    std::fs::write(dir.path().join("photo.avif"), fixture("modern/photo-irot1.avif")).unwrap();
    dir
}

#[test]
fn a_picture_is_converted_into_every_format() {
    let dir = folder();
    let small = decode(&encode(&sample(160, 120), image::ImageFormat::Png));
    for (name, media_type) in [
        ("a.jpg", "image/jpeg"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.gif", "image/gif"),
        ("a.avif", "image/avif"),
        ("a.jxl", "image/jxl"),
    ] {
        let line = said(&image(dir.path(), &["convert", "photo.png", name, "-o", "w=160"]));
        let bytes = std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(line, format!("{name}: {media_type} 160x120, {} bytes", bytes.len()));
        // what few programs read is read back by ours, with a decoder of other origin
        let back = format!("{name}.png");
        said(&image(dir.path(), &["convert", name, &back]));
        let back = std::fs::read(dir.path().join(back)).unwrap();
        assert_eq!(size_and_type(&back), (160, 120, "image/png"));
        assert_alike(name, &decode(&back), &small, TOLERANCE);
    }
}

#[test]
fn a_picture_is_described() {
    let dir = folder();
    let said = said(&image(dir.path(), &["info", "photo.png"]));
    let facts: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&facts["width"], &facts["height"]), (&320.into(), &240.into()), "{facts}");
}

#[test]
fn what_is_wrong_is_said() {
    let dir = folder();
    std::fs::write(dir.path().join("half.png"), &encode(&sample(64, 64), image::ImageFormat::Png)[..90])
        .unwrap();
    for (words, expected) in [
        (["convert", "none.png", "a.png", "-o", "w=1"], "none.png"),
        (["convert", "photo.png", "a.png", "-o", "w=many"], "width is \"many\"; it must be a whole number"),
        (["convert", "half.png", "a.png", "-o", "w=1"], "damaged or cut short"),
        (["convert", "photo.png", "none/a.png", "-o", "w=1"], "none/a.png"),
    ] {
        let complaint = complaint(&image(dir.path(), &words));
        assert!(complaint.contains(expected), "{words:?}: {complaint}");
    }
    assert!(!dir.path().join("a.png").exists());
}

/// As a node does it: what no compiler vouches for does not see a stranger's bytes in this process.
#[test]
fn avif_is_decoded_in_another_process() {
    let dir = folder();
    let few = |name: &str| {
        let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" image convert {name} a.png");
        let mut command = Command::new("sh");
        command.args(["-c", &script, EXE]).current_dir(dir.path()).output().expect("a shell runs")
    };
    said(&few("photo.png"));
    assert!(complaint(&few("photo.avif")).contains("image workers"));
    said(&image(dir.path(), &["convert", "photo.avif", "a.png"]));
}

#[tokio::test]
async fn urls_are_made_and_signed_for_a_node() {
    let origin = Origin::start().await;
    origin.on("/photo.png", Reply::ok(encode(&sample(320, 240), image::ImageFormat::Png)));
    let rules = "[site.images]\nsign = { keys = [\"0123456789abcdef\"] }";
    let settings = Settings::new().origin("app", &origin.url()).without_images().site(rules);
    let lone = lone(&settings).await;
    let dir = TempDir::new().unwrap();
    let config = lone.node.config.to_str().unwrap();
    let made = |words: &[&str]| said(&image(dir.path(), &[words, &["--config", config]].concat()));
    let client = lone.node.client();
    let made_url = made(&["url", "w=80,f=png", "/photo.png"]);
    let signed = made(&["sign", "/cdn-cgi/image/width=80,format=png/photo.png"]);
    let expires = made(&["sign", "/cdn-cgi/image/width=100,format=png/photo.png", "--expires", "600"]);
    for (url, width) in [(&made_url, 80), (&signed, 80), (&expires, 100)] {
        let answer = client.get(&lone.node.url(url)).await.expect(200);
        assert_eq!(size_and_type(&answer.body), (width, width * 3 / 4, "image/png"), "{url}");
    }
    assert!(expires.contains("exp="), "{expires}");
    let modern = made(&["sign", "/cdn-cgi/image/width=80,format=jxl/photo.png"]);
    let answer = client.get(&lone.node.url(&modern)).await.expect(200);
    assert_eq!(answer.header("content-type"), "image/jxl", "{answer}");
    assert!(answer.body.starts_with(b"\xFF\x0A"), "{answer}");
    let other = signed.replace("width=80", "width=81");
    assert_eq!(client.get(&lone.node.url(&other)).await.status, 403);
}

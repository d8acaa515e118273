//! Images that can't be had: a clear answer, bounded memory, and the next request is fine.

use image::ImageFormat;
use overfall_test_support::{Origin, Reply, Settings, node::HOST, raw};

use crate::{
    Lone, lone,
    pictures::{encode, fixture, fixtures, png_of_claimed_size, sample},
};

/// A node that refuses all of this may not grow past it, in bytes.
const RESIDENT_BYTES_MAX: u64 = 400 * 1024 * 1024;

async fn studio(origin: &Origin) -> Lone {
    origin.on("/fine.png", Reply::ok(encode(&sample(64, 48), ImageFormat::Png)).cache_control("max-age=600"));
    let settings = Settings::new().origin("app", &origin.url());
    let lone = lone(&settings).await;
    still_fine(&lone).await;
    lone
}

async fn still_fine(lone: &Lone) {
    let url = lone.node.url("/cdn-cgi/image/width=32,format=png/fine.png");
    let answer = lone.node.client().get(&url).await.expect(200);
    assert_eq!(crate::pictures::decode(&answer.body).width(), 32, "{answer}");
}

#[tokio::test]
async fn absurd_options_are_refused_in_words() {
    let origin = Origin::start().await;
    let lone = studio(&origin).await;
    let client = lone.node.client();
    for (options, says) in [
        ("width=0", "width"),
        ("width=-5", "width"),
        ("width=1e3", "width"),
        ("width=99999999999999999999", "width"),
        ("height=16385", "height"),
        ("width=16000,dpr=10", "dpr"),
        ("width=10,width=20", "twice"),
        ("width", "key=value"),
        ("width=10,,height=10", "empty"),
        ("fit=explode,width=10", "fit"),
        ("quality=101,width=10", "quality"),
        ("quality=-1,width=10", "quality"),
        ("format=exe,width=10", "format"),
        ("wobble=3,width=10", "unknown option"),
        ("segment=foreground,width=10", "not available"),
        ("background=zzz,width=10", "background"),
        ("%ff,width=10", "utf-8"),
    ] {
        let url = lone.node.url(&format!("/cdn-cgi/image/{options}/fine.png"));
        let answer = client.get(&url).await.expect(400);
        assert!(answer.text().contains(says), "{answer}\n  speaks of {says:?}");
        assert!(answer.header("content-type").starts_with("text/plain"), "{answer}");
    }
    for path in
        ["/cdn-cgi/image/", "/cdn-cgi/image/width=10", "/cdn-cgi/image/width=10/", "/cdn-cgi/image//fine.png"]
    {
        client.get(&lone.node.url(path)).await.expect(400);
    }
    let long = "w=1,".repeat(1000);
    client.get(&lone.node.url(&format!("/cdn-cgi/image/{long}/fine.png"))).await.expect(400);
    assert_eq!(origin.count_all(), 1, "nothing of this reaches the origin");
    still_fine(&lone).await;
}

#[tokio::test]
async fn sources_that_are_not_pictures_are_refused() {
    let origin = Origin::start().await;
    let lone = studio(&origin).await;
    let client = lone.node.client();
    let half = fixture("broken/truncated-half.jpg");
    let header = fixture("broken/truncated-header.jpg");
    for (name, body, status) in [
        ("html.jpg", b"<!doctype html><title>no</title>".to_vec(), 415),
        ("html-named.jpg", fixture("broken/html-named.jpg"), 415),
        ("half.avif", half_of(fixture("modern/photo-irot1.avif")), 422),
        ("half.jxl", half_of(fixture("modern/jxl-animation_distance_1_0.jxl")), 422),
        ("noise", vec![0xa5; 4096], 415),
        ("half.jpg", half, 422),
        ("header.jpg", header, 422),
        ("truncated.png", fixture("broken/truncated.png"), 422),
        ("truncated.webp", fixture("broken/truncated.webp"), 422),
        ("huge.png", png_of_claimed_size(30_000, 30_000), 422),
        ("wide.png", png_of_claimed_size(2_000_000_000, 1), 422),
        ("bomb.jpg", fixture("bombs/jpeg-65500x65500-no-data.jpg"), 422),
    ] {
        origin.on(&format!("/{name}"), Reply::ok(body).with("content-type", JPEG_CLAIM));
        let url = lone.node.url(&format!("/cdn-cgi/image/width=100,format=jpeg/{name}"));
        let answer = client.get(&url).await.expect(status);
        assert!(answer.header("content-type").starts_with("text/plain"), "{answer}");
        assert!(answer.text().len() > 20, "{answer}\n  says what is wrong");
    }
    origin.on("/empty.jpg", Reply::ok(""));
    let empty = client.get(&lone.node.url("/cdn-cgi/image/width=100/empty.jpg")).await;
    assert!([415, 422].contains(&empty.status), "{empty}");
    still_fine(&lone).await;
    let peak = lone.node.process.resident_bytes_peak();
    assert!(peak < RESIDENT_BYTES_MAX, "grew to {} MiB", peak >> 20);
}

fn half_of(mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(body.len() / 2);
    body
}

/// What a careless origin calls everything.
const JPEG_CLAIM: &str = "image/jpeg";

#[tokio::test]
async fn hostile_files_are_answered_in_bounded_memory() {
    let origin = Origin::start().await;
    let lone = studio(&origin).await;
    let client = lone.node.client();
    for folder in ["bombs", "broken", "anim", "modern"] {
        for name in fixtures(folder) {
            origin.on(&format!("/{name}"), Reply::ok(fixture(&format!("{folder}/{name}"))));
            let answer =
                client.get(&lone.node.url(&format!("/cdn-cgi/image/width=100,format=jpeg/{name}"))).await;
            assert!([200, 415, 422, 503, 504].contains(&answer.status) && answer.cut.is_none(), "{answer}");
            if answer.status == 200 {
                assert_eq!(answer.header("content-type"), "image/jpeg", "{answer}");
                crate::pictures::decode(&answer.body);
            }
        }
    }
    still_fine(&lone).await;
    let peak = lone.node.process.resident_bytes_peak();
    assert!(peak < RESIDENT_BYTES_MAX, "grew to {} MiB", peak >> 20);
}

#[tokio::test]
async fn sources_beyond_the_sites_limits_are_refused() {
    let origin = Origin::start().await;
    let png = encode(&sample(200, 100), ImageFormat::Png);
    origin.on("/p.png", Reply::ok(png));
    origin.on("/big.bin", Reply::ok(vec![0xff; 300_000]));
    let settings = Settings::new().origin("app", &origin.url()).without_images();
    let settings =
        settings.site("[site.images]\nsource_max = \"200 KiB\"\npixels_max = 19999\nside_max = 150");
    let lone = lone(&settings).await;
    let client = lone.node.client();
    let pixels = client.get(&lone.node.url("/cdn-cgi/image/width=10/p.png")).await.expect(422);
    assert!(pixels.text().contains("20000") || pixels.text().contains("200 pixels"), "{pixels}");
    let bytes = client.get(&lone.node.url("/cdn-cgi/image/width=10/big.bin")).await.expect(422);
    assert!(bytes.text().contains("larger than"), "{bytes}");
}

#[tokio::test]
async fn sources_that_are_nowhere_or_elsewhere_are_refused() {
    let origin = Origin::start().await;
    let foreign = Origin::start().await;
    origin.on("/gone.jpg", Reply::status(410));
    origin.on("/secret.jpg", Reply::status(403));
    origin.on("/moved.jpg", Reply::status(302).with("location", "http://169.254.169.254/"));
    let lone = studio(&origin).await;
    let client = lone.node.client();
    let port = lone.node.http.port();
    for (source, status) in [
        ("nothing.jpg".to_owned(), 404),
        ("gone.jpg".to_owned(), 410),
        ("secret.jpg".to_owned(), 403),
        ("moved.jpg".to_owned(), 502),
        (format!("{}/p.jpg", foreign.url()), 403),
        ("http://www.elsewhere.test/p.jpg".to_owned(), 403),
        ("http://169.254.169.254/latest/meta-data".to_owned(), 403),
        ("http://user:word@www.elsewhere.test/p.jpg".to_owned(), 400),
        ("file:///etc/passwd".to_owned(), 400),
        ("data:image/png;base64,AAAA".to_owned(), 400),
        ("cdn-cgi/image/width=5/fine.png".to_owned(), 400),
        (format!("http://{HOST}:{port}/cdn-cgi/image/width=5/fine.png"), 400),
    ] {
        let url = lone.node.url(&format!("/cdn-cgi/image/width=50/{source}"));
        let answer = client.get(&url).await.expect(status);
        assert!(answer.header("content-type").starts_with("text/plain"), "{answer}");
        assert!(!answer.is_hit(), "{answer}");
    }
    assert_eq!(foreign.count_all(), 0, "a host that is not allowed is never asked");
    // byte by byte, because clients resolve dot segments themselves
    let dots =
        format!("GET /cdn-cgi/image/width=50/a/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let dots = raw::exchange(lone.node.http, dots).await;
    assert!(dots.status == 400 && dots.text().contains("segment"), "{dots:?}");
    let own = lone.node.url(&format!("/cdn-cgi/image/width=20,format=png/http://{HOST}:{port}/fine.png"));
    client.get(&own).await.expect(200);
    still_fine(&lone).await;
}

#[tokio::test]
async fn a_site_without_images_has_no_image_urls() {
    let origin = Origin::start().await;
    origin.on("/fine.png", Reply::ok("x"));
    let lone = lone(&Settings::new().origin("app", &origin.url()).without_images()).await;
    lone.node.client().get(&lone.node.url("/cdn-cgi/image/width=32/fine.png")).await.expect(404);
    assert_eq!(origin.count_all(), 0);
}

//! Renderings against references that another program made.
//!
//! `make.py` computes the references with Pillow, lcms and numpy; sources and references are committed beside it. A rendering
//! has exactly the reference's size, and its pixels are as near as the case says. How near is near enough is tested too: what
//! known mistakes would give, and each reference moved by a pixel, must be out of bounds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test that calls them"
)]

mod cases;
mod colour;
mod compare;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use image::RgbaImage;
use overfall_imaging::Deadline;
use overfall_imaging::pipeline::{Settings, render};
use overfall_imaging::transform::{Format, Transform};

use cases::Case;
use compare::{Difference, difference, moved};

/// Options, by name or with their value, that are refused as long as no step does what they ask. An entry goes when its
/// step arrives; then its cases are compared.
const PENDING: [&str; 0] = [];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A file of this test, or, with a folder before its name, of the fixtures that all tests share.
fn source(name: &str) -> Vec<u8> {
    let path = if name.contains('/') {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images").join(name)
    } else {
        folder().join("sources").join(name)
    };
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn picture(kind: &str, name: &str) -> RgbaImage {
    let path = folder().join(kind).join(format!("{name}.png"));
    image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into_rgba8()
}

/// The rendering decoded, or why there is none.
fn rendered(name: &str, options: &str) -> Result<RgbaImage, String> {
    let transform: Transform = options.parse().map_err(|error| format!("{error}"))?;
    let mark = transform.watermark.as_ref().map(|_| source("mark.png").into());
    let settings = Settings { quality: 90, mark, is_careful: false, ..Settings::default() };
    let written = |source: &[u8], transform: &Transform| {
        let rendered = render(source, transform, &settings, &Deadline::never());
        rendered.map_err(|error| error.to_string())
    };
    let mut file = written(&source(name), &transform)?;
    if ["image/avif", "image/jxl"].contains(&file.content_type) {
        // decoders of other origin than the encoders, that are compared with others as well
        file = written(&file.bytes, &Transform { format: Format::Png, ..Transform::default() })?;
    }
    Ok(image::load_from_memory(&file.bytes).map_err(|error| error.to_string())?.into_rgba8())
}

fn pending(options: &str) -> Option<&'static str> {
    let asks =
        |entry: &str| options.split(',').any(|item| item == entry || item.split('=').next() == Some(entry));
    PENDING.into_iter().find(|entry| asks(entry))
}

/// Compares every case of a table that is not pending; fails with all figures if one of them is out of bounds.
fn check(cases: &[Case]) {
    let mut lines = Vec::new();
    let mut is_good = true;
    for case in cases.iter().filter(|case| pending(case.options).is_none()) {
        let expected = picture("references", case.reference);
        let found = rendered(case.source, case.options).and_then(|found| match found.dimensions() {
            size if size == expected.dimensions() => Ok(difference(&found, &expected)),
            size => Err(format!("{size:?}, not {:?}", expected.dimensions())),
        });
        let is_near = found.as_ref().is_ok_and(|found| found.is_within(case.bounds));
        let said = found.map_or_else(|error| error, |found| found.to_string());
        lines.push(format!("{} {case}: {said}", if is_near { "  " } else { "->" }));
        is_good &= is_near;
    }
    assert!(is_good, "\n{}", lines.join("\n"));
}

#[test]
fn pictures_fill_their_boxes() {
    check(&cases::FITS);
}

#[test]
fn light_is_added_as_light() {
    check(&cases::LIGHT);
}

#[test]
fn every_orientation_is_upright() {
    check(&cases::orientations());
}

#[test]
fn every_kind_of_pixels_is_read() {
    check(&cases::LAYOUTS);
}

#[test]
fn codecs_of_the_day_give_what_their_own_decoders_give() {
    check(&cases::MODERN);
}

#[test]
fn looks_are_as_their_formulas_say() {
    check(&cases::LOOKS);
}

#[test]
fn profiles_give_the_colours_that_lcms_gives() {
    for profile in ["p3", "a98", "gbr-swapped"] {
        for kind in ["png", "jpg"] {
            let name = format!("patches-{profile}-{kind}");
            let chart = rendered(&format!("colour/patches-{profile}.{kind}"), "f=png").unwrap();
            let found = compare::middles(&chart);
            let spread = colour::differences(&found, &picture("references", &name));
            assert!(spread.median < 0.5 && spread.most < 1.5, "{name}: {spread:?}");
            let unconverted = colour::differences(&found, &picture("wrong", &format!("{name}--plain")));
            assert!(unconverted.median >= 0.5 || unconverted.most >= 1.5, "{name}: {unconverted:?}");
        }
    }
}

#[test]
fn colours_that_are_named_by_numbers_alone_are_converted_too() {
    let chart = rendered("patches-p3.avif", "f=png").unwrap();
    let spread = colour::differences(&compare::middles(&chart), &picture("references", "patches-p3-png"));
    assert!(spread.median < 0.5 && spread.most < 1.5, "{spread:?}");
}

#[test]
fn what_is_pending_is_refused() {
    let all = cases::all();
    for entry in PENDING {
        let mut asking = all.iter().filter(|case| pending(case.options) == Some(entry)).peekable();
        assert!(asking.peek().is_some(), "{entry} is pending, but no case asks for it");
        for case in asking {
            let outcome = rendered(case.source, case.options).map(|found| found.dimensions());
            assert!(outcome.is_err(), "{case}: not refused any more; take {entry} off the list");
        }
    }
}

/// The rendering, or the reference as long as there is none.
fn standing(case: &Case) -> RgbaImage {
    match pending(case.options) {
        None => rendered(case.source, case.options).unwrap_or_else(|error| panic!("{case}: {error}")),
        Some(_) => picture("references", case.reference),
    }
}

#[test]
fn bounds_tell_mistakes_apart() {
    let mut seen = BTreeSet::new();
    let wrong = names("wrong");
    let mut problems = Vec::new();
    // what a lossy format does to the finest detail hides which filter made it
    for case in cases::all().into_iter().filter(|case| case.options.ends_with("f=png")) {
        let of_case = format!("{}--", case.reference);
        for name in wrong.iter().filter(|name| name.starts_with(&of_case)) {
            seen.insert(name.clone());
            let found = difference(&standing(&case), &picture("wrong", name));
            if found.is_within(case.bounds) {
                problems.push(format!("{case}: {name} passes as well: {found}"));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    let unused: Vec<_> = wrong.difference(&seen).filter(|name| !name.starts_with("patches-")).collect();
    assert!(unused.is_empty(), "of no case: {unused:?}");
}

#[test]
fn bounds_tell_a_pixel_of_offset() {
    let mut problems = Vec::new();
    // every square of the checker becomes the same grey
    for case in cases::all().iter().filter(|case| case.reference != "checker") {
        let (standing, reference) = (standing(case), picture("references", case.reference));
        for (x, y) in [(1, 0), (0, 1), (-1, 0), (0, -1)] {
            let found: Difference = difference(&standing, &moved(&reference, x, y));
            if found.is_within(case.bounds) {
                problems.push(format!("{case}: moved by {x}, {y} it passes as well: {found}"));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_file_belongs_to_a_case() {
    let all = cases::all();
    let used: BTreeSet<String> = all.iter().map(|case| case.reference.to_owned()).collect();
    let unused: Vec<_> = names("references")
        .into_iter()
        .filter(|name| !used.contains(name) && !name.starts_with("patches-"))
        .collect();
    assert!(unused.is_empty(), "references without a case: {unused:?}");
}

/// Names of the pictures of a folder, without extension.
fn names(kind: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder().join(kind)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

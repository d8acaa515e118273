//! Fixtures and comparisons for the tests of this crate.

use crate::pipeline::{Rendered, Settings, render};
use crate::{Deadline, Error};

/// The bytes of a file below `tests/fixtures/images`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap()
}

/// A source of the golden tests.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/sources/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap()
}

/// Renders with default limits, for a client without WebP, at quality 90.
pub(crate) fn rendered(source: &[u8], options: &str) -> Result<Rendered, Error> {
    let transform = options.parse().unwrap();
    let settings = Settings { quality: 90, ..Settings::default() };
    render(source, &transform, &settings, &Deadline::never())
}

/// Renders a fixture to PNG and decodes the result.
pub(crate) fn pixels(name: &str, options: &str) -> image::RgbaImage {
    decoded(&rendered(&fixture(name), &format!("{options},f=png")).unwrap())
}

/// Decodes a rendering.
pub(crate) fn decoded(rendered: &Rendered) -> image::RgbaImage {
    let image = image::load_from_memory(&rendered.bytes).unwrap().into_rgba8();
    assert_eq!(image.dimensions(), (rendered.width, rendered.height));
    image
}

/// Mean absolute difference of the colour channels, 0 to 255.
pub(crate) fn difference(one: &image::RgbaImage, other: &image::RgbaImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.pixels().zip(other.pixels());
    // what nobody can see has no colour to compare
    let sum: u64 = pairs
        .filter(|(a, b)| a.0[3] > 0 || b.0[3] > 0)
        .flat_map(|(a, b)| (0..3).map(move |i| u64::from(a.0[i].abs_diff(b.0[i]))))
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "small sums")]
    let mean = sum as f64 / (f64::from(one.width()) * f64::from(one.height()) * 3.0);
    mean
}

/// A PNG header of any claim, with nothing behind it.
pub(crate) fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

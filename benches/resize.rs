//! Renderings of a 12 megapixel photograph, one thread, no pool.
//!
//! The source is made at the start, the same in every run: smooth colour with fine grain, so that the entropy coder and
//! the decoder have as much to do as with a camera's picture. Run with `cargo bench --bench resize`.

use std::sync::LazyLock;

use overfall_imaging::Deadline;
use overfall_imaging::pipeline::{Settings, render};
use overfall_imaging::transform::Transform;

const WIDTH: u32 = 4_000;
const HEIGHT: u32 = 3_000;

/// The source as JPEG of quality 90.
static PHOTO: LazyLock<Vec<u8>> = LazyLock::new(photo);

fn main() {
    LazyLock::force(&PHOTO);
    divan::main();
}

#[divan::bench(args = [
    "w=800,f=jpeg",
    "w=800,f=webp",
    "w=800,f=png",
    "w=200,h=200,fit=cover,f=webp",
    "w=1600,f=jpeg",
    "w=1600,f=webp",
], sample_count = 10)]
fn jpeg_12mp(bencher: divan::Bencher<'_, '_>, options: &str) {
    let transform: Transform = options.parse().unwrap_or_default();
    let (settings, deadline) = (Settings::default(), Deadline::never());
    bencher
        .counter(divan::counter::ItemsCount::new(1_usize))
        .bench(|| render(divan::black_box(&PHOTO), &transform, &settings, &deadline));
}

#[divan::bench]
fn header_only(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| overfall_imaging::sniff::header(divan::black_box(&PHOTO)));
}

fn photo() -> Vec<u8> {
    let mut grain = 0x9e37_79b9_u32;
    let image = image::RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        // xorshift32
        grain ^= grain << 13;
        grain ^= grain >> 17;
        grain ^= grain << 5;
        let noise = grain % 12;
        let wave = |x: u32, period: u32| {
            let phase = x % period;
            phase.min(period - phase) * 200 / period
        };
        let channel = |value: u32| u8::try_from(value.min(255)).unwrap_or(u8::MAX);
        image::Rgb([
            channel(wave(x, 900) + wave(y, 170) + noise),
            channel(wave(x + y, 450) + wave(y, 90) + noise),
            channel(wave(x, 60) + wave(y, 1_300) + noise),
        ])
    });
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
    match image.write_with_encoder(encoder) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

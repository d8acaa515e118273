//! SSIMULACRA2 of reduced pictures to a reduction of their source in floating point and linear light.
//!
//! That reduction is what a lens would have drawn on fewer, larger pixels: nothing is rounded to eight bits, and light is
//! added as light. Pictures come as binary PPM, read by one decoder whoever wrote them.

use std::fs;

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference};

use crate::Failure;

/// Bytes of a pixel of three floats.
const PIXEL: usize = 12;

/// Eight-bit pixels, red, green and blue.
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// The score of each picture, separated by spaces. All have one size, to which the source is reduced.
pub(crate) fn scores(source: &str, pictures: &[&str]) -> Result<String, Failure> {
    let source = linear(&read(source)?)?;
    let mut reference = None;
    let mut found = Vec::new();
    for name in pictures {
        let picture = read(name)?;
        let reference = match &reference {
            Some(reference) => reference,
            None => {
                let reduced = reduced(&source, picture.width, picture.height)?;
                reference.insert(Ssimulacra2Reference::new(&slice(&reduced)?)?)
            }
        };
        let linear = linear(&picture)?;
        let score = reference.compare(&slice(&linear)?).map_err(|error| format!("{name}: {error}"))?;
        found.push(format!("{score:.4}"));
    }
    Ok(found.join(" "))
}

/// A binary PPM as sharp's side writes it: three lines of header, no comments.
fn read(name: &str) -> Result<Picture, Failure> {
    let bytes = fs::read(name).map_err(|error| format!("{name}: {error}"))?;
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let (Some(b"P6"), Some(size), Some(b"255"), Some(pixels)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(format!("{name}: not a binary PPM").into());
    };
    let (width, height) = std::str::from_utf8(size)?.split_once(' ').ok_or("no size")?;
    let picture = Picture { width: width.parse()?, height: height.parse()?, pixels: pixels.to_vec() };
    let expected = u64::from(picture.width) * u64::from(picture.height) * 3;
    if u64::try_from(picture.pixels.len())? != expected {
        return Err(format!("{name}: cut short").into());
    }
    Ok(picture)
}

/// The same in linear light, 0 to 1.
fn linear(picture: &Picture) -> Result<Image<'static>, Failure> {
    let light: Vec<[u8; 4]> =
        (0..=u8::MAX).map(|value| light(f32::from(value) / 255.0).to_ne_bytes()).collect();
    let mut image = Image::new(picture.width, picture.height, PixelType::F32x3);
    for (to, from) in image.buffer_mut().chunks_exact_mut(4).zip(&picture.pixels) {
        to.copy_from_slice(light.get(usize::from(*from)).ok_or("a byte is below 256")?);
    }
    Ok(image)
}

/// IEC 61966-2-1, from what is stored to light.
fn light(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Writes the reduction itself, rounded to eight bits, so that an encoder can be measured with no reduction before it.
pub(crate) fn reduce(source: &str, width: &str, height: &str, out: &str) -> Result<String, Failure> {
    let reduced = reduced(&linear(&read(source)?)?, width.parse()?, height.parse()?)?;
    let values =
        reduced.buffer().chunks_exact(4).map(|bytes| Ok(stored(f32::from_ne_bytes(bytes.try_into()?))));
    let pixels: Vec<u8> = values.collect::<Result<_, Failure>>()?;
    image::save_buffer(out, &pixels, reduced.width(), reduced.height(), image::ExtendedColorType::Rgb8)?;
    Ok(pixels.len().to_string())
}

/// IEC 61966-2-1, from light to what is stored.
fn stored(light: f32) -> u8 {
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let byte = (value * 255.0).round().clamp(0.0, 255.0) as u8;
    byte
}

fn reduced(source: &Image<'_>, width: u32, height: u32) -> Result<Image<'static>, Failure> {
    let mut result = Image::new(width, height, PixelType::F32x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(source, &mut result, &options)?;
    // a screen shows no more than white and no less than black
    for bytes in result.buffer_mut().chunks_exact_mut(4) {
        let value = f32::from_ne_bytes(<[u8; 4]>::try_from(&*bytes)?);
        bytes.copy_from_slice(&value.clamp(0.0, 1.0).to_ne_bytes());
    }
    Ok(result)
}

fn slice<'i>(image: &'i Image<'_>) -> Result<PixelSlice<'i>, Failure> {
    let stride = usize::try_from(image.width())? * PIXEL;
    PixelSlice::new(image.buffer(), image.width(), image.height(), stride, PixelDescriptor::RGBF32_LINEAR)
        .map_err(|error| error.to_string().into())
}

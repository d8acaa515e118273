//! Converts to sRGB by the embedded ICC profile.
//!
//! Browsers take untagged pictures for sRGB, and renderings are sent untagged. Runs on the small result. A profile that
//! cannot be read, or is for another kind of pixels, is ignored; CMYK without a usable profile is converted by formula.

use moxcms::{ColorProfile, DataColorSpace, TransformOptions};

use crate::frame::{Frame, Layout};

/// The picture in sRGB, or grey with sRGB's curve; never CMYK.
pub(crate) fn to_srgb(frame: Frame, profile: Option<&[u8]>) -> Frame {
    let profile = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
    let converted = profile.and_then(|profile| convert(&frame, &profile));
    match converted {
        Some(converted) => converted,
        None if frame.layout == Layout::Cmyk => frame.mapped(Layout::Rgb, by_formula),
        None => frame,
    }
}

fn convert(frame: &Frame, profile: &ColorProfile) -> Option<Frame> {
    use moxcms::Layout as Channels;
    let (space, from, to, layout) = match frame.layout {
        Layout::Grey => (DataColorSpace::Gray, Channels::Gray, Channels::Rgb, Layout::Rgb),
        Layout::GreyAlpha => (DataColorSpace::Gray, Channels::GrayAlpha, Channels::Rgba, Layout::Rgba),
        Layout::Rgb => (DataColorSpace::Rgb, Channels::Rgb, Channels::Rgb, Layout::Rgb),
        Layout::Rgba => (DataColorSpace::Rgb, Channels::Rgba, Channels::Rgba, Layout::Rgba),
        Layout::Cmyk => (DataColorSpace::Cmyk, Channels::Rgba, Channels::Rgb, Layout::Rgb),
    };
    if profile.color_space != space {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(from, &srgb, to, TransformOptions::default()).ok()?;
    let mut pixels = vec![0; frame.pixels.len() / frame.layout.channels() * layout.channels()];
    transform.transform(&frame.pixels, &mut pixels).ok()?;
    let converted = Frame { width: frame.width, height: frame.height, layout, pixels };
    Some(match frame.layout {
        // grey stays grey: all three are the same
        Layout::Grey => converted.mapped(Layout::Grey, |pixel, out| out.extend(pixel.first())),
        Layout::GreyAlpha => converted.mapped(Layout::GreyAlpha, |pixel, out| {
            out.extend(pixel.first());
            out.extend(pixel.last());
        }),
        Layout::Rgb | Layout::Rgba | Layout::Cmyk => converted,
    })
}

fn by_formula(pixel: &[u8], out: &mut Vec<u8>) {
    if let &[cyan, magenta, yellow, black] = pixel {
        let light = |ink: u8| {
            let product = u32::from(255 - ink) * u32::from(255 - black);
            u8::try_from((product + 127) / 255).unwrap_or(u8::MAX)
        };
        out.extend([light(cyan), light(magenta), light(yellow)]);
    }
}

//! Converts to sRGB by the embedded ICC profile.
//!
//! Browsers take untagged pictures for sRGB, and renderings are sent untagged. Runs on the small result. A profile that
//! cannot be read, or is for another kind of pixels, is ignored; CMYK without a usable profile is converted by formula.

use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, DataColorSpace, MatrixCoefficients,
    TransferCharacteristics, TransformOptions,
};

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

/// Whether pixels with this profile are those of sRGB, as nearly as eight bits tell: most photos carry one that says so.
pub(crate) fn is_srgb(profile: &[u8]) -> bool {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return true };
    if profile.color_space != DataColorSpace::Rgb {
        return false;
    }
    // the corners of the cube and some greys and mixtures say enough
    let probes: Vec<u8> = [0, 64, 128, 192, 255]
        .into_iter()
        .flat_map(|a| [0, 96, 255].into_iter().flat_map(move |b| [0, 160, 255].map(|c| [a, b, c])))
        .flatten()
        .collect();
    let probe = Frame { width: 45, height: 1, layout: Layout::Rgb, pixels: probes };
    convert(&probe, &profile).is_some_and(|converted| {
        converted.pixels.iter().zip(&probe.pixels).all(|(one, other)| one.abs_diff(*other) <= 1)
    })
}

/// Whether a profile is for pixels of red, green and blue.
pub(crate) fn is_rgb(profile: Option<&[u8]>) -> bool {
    let profile = profile.and_then(|profile| ColorProfile::new_from_slice(profile).ok());
    profile.is_some_and(|profile| profile.color_space == DataColorSpace::Rgb)
}

/// A profile for pixels whose colour space is named by code points (ITU-T H.273 sections 8.1 and 8.2).
pub(crate) fn of_code_points(primaries: u16, transfer: u16) -> Option<Vec<u8>> {
    let primaries = CicpColorPrimaries::try_from(u8::try_from(primaries).ok()?).ok()?;
    let transfer = TransferCharacteristics::try_from(u8::try_from(transfer).ok()?).ok()?;
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: primaries,
        transfer_characteristics: transfer,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    profile.encode().ok()
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

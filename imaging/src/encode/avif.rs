//! AVIF (AV1 Image File Format 1.1): still, with alpha, lossy or lossless.
//!
//! libaom compresses colour and alpha as a picture each; the file around them is ours (see [`container`]). Planes are written
//! as they are, since AV1 can hold JPEG's YCbCr. libaom cannot be interrupted, so a picture that can't be ready in time is not
//! begun. It refuses CMYK, and sides beyond 16 384 pixels.

mod container;
#[expect(unsafe_code, reason = "libaom is C; see the module")]
mod ffi;

use std::borrow::Cow;

use libaom_sys::{
    AOM_SUPERBLOCK_SIZE_64X64, AOM_TUNE_SSIM, AOME_SET_CPUUSED, AOME_SET_CQ_LEVEL, AOME_SET_TUNING,
    AV1E_SET_COLOR_PRIMARIES, AV1E_SET_COLOR_RANGE, AV1E_SET_ENABLE_QM, AV1E_SET_LOSSLESS,
    AV1E_SET_MATRIX_COEFFICIENTS, AV1E_SET_QM_MAX, AV1E_SET_QM_MIN, AV1E_SET_SUPERBLOCK_SIZE,
    AV1E_SET_TRANSFER_CHARACTERISTICS,
};

use crate::Error;
use crate::encode::ycc::{self, Range};
use crate::encode::{Effort, Format, Picture, Settings, Subsampling, estimate};
use crate::frame::{Frame, Layout};
use crate::planes::{Plane, Planes};

use container::{Coded, Contents, Meaning};
use ffi::{Control, Job};

/// Longest side: what levels up to 6.3 can hold (AV1 specification annex A.3).
const SIDE_MAX: u32 = 16_384;

/// sRGB as BT.601 YCbCr.
const SRGB: Meaning = Meaning { primaries: 1, transfer: 13, matrix: 6 };
/// sRGB as green, blue and red.
const SRGB_UNMIXED: Meaning = Meaning { primaries: 1, transfer: 13, matrix: 0 };
/// Said by a profile.
const UNSPECIFIED: u8 = 2;

/// Luma and chroma, or green, blue and red.
struct Samples<'p> {
    planes: [Cow<'p, [u8]>; 3],
    is_grey: bool,
    is_halved: bool,
}

/// Writes an AVIF.
///
/// # Errors
/// `SideTooLong`; `Unencodable` for CMYK, chroma of an odd size, or when the codec fails; `Deadline`, before it begins, also
/// when it can't end in time.
pub(crate) fn encode(picture: Picture<'_>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let (width, height) = picture.size();
    let side = width.max(height);
    if side > SIDE_MAX {
        return Err(Error::SideTooLong { side: side.into(), max: SIDE_MAX });
    }
    settings.deadline.check()?;
    // flat pictures take half of what is estimated; whatever is begun is the same each time
    let least = estimate(Format::Avif, u64::from(width) * u64::from(height), settings) / 2;
    if settings.deadline.left().is_some_and(|left| left < least) {
        return Err(Error::Deadline);
    }
    let (samples, alpha) = match picture {
        Picture::Frame(frame) => (samples(frame, settings)?, ycc::alpha(frame)),
        Picture::Planes(planes) => (planar(planes, settings), None),
    };
    let is_unmixed = settings.lossless && !samples.is_grey && matches!(picture, Picture::Frame(_));
    let mut meaning = if is_unmixed { SRGB_UNMIXED } else { SRGB };
    if settings.icc.is_some() {
        meaning = Meaning { primaries: UNSPECIFIED, transfer: UNSPECIFIED, ..meaning };
    }
    let [luma, blue, red] = &samples.planes;
    let job = Job {
        width,
        height,
        planes: [luma, blue, red],
        is_grey: samples.is_grey,
        is_halved: samples.is_halved,
        quantizer: quantizer(settings),
    };
    let colour = coded(&job, false, meaning, settings)?;
    settings.deadline.check()?;
    let alpha = alpha.map(|alpha| {
        let job = Job { planes: [&alpha, &[], &[]], is_grey: true, is_halved: true, ..job };
        coded(&job, true, meaning, settings)
    });
    let alpha = alpha.transpose()?;
    let (icc, exif) = (settings.icc, settings.exif);
    Ok(container::file(&Contents {
        width,
        height,
        colour: &colour,
        alpha: alpha.as_ref(),
        meaning,
        icc,
        exif,
    }))
}

fn coded(job: &Job<'_>, is_alpha: bool, meaning: Meaning, settings: &Settings<'_>) -> Result<Coded, Error> {
    let units = ffi::compress(job, &controls(job, is_alpha, meaning, settings))?;
    let failed = Error::Unencodable { reason: "the encoder failed" };
    container::coded(&units, job.is_grey, job.is_halved).ok_or(failed)
}

fn controls(job: &Job<'_>, is_alpha: bool, meaning: Meaning, settings: &Settings<'_>) -> Vec<Control> {
    let speed = match settings.effort {
        Effort::Fast => 9,
        Effort::Normal => 7,
        Effort::Best => 5,
    };
    let number = |number: u32| i32::try_from(number).unwrap_or(0);
    let mut controls = vec![
        (AOME_SET_CPUUSED, speed),
        (AOME_SET_CQ_LEVEL, number(job.quantizer)),
        (AV1E_SET_LOSSLESS, i32::from(settings.lossless)),
        // larger ones gain nothing in pictures of web sizes, and take more time
        (AV1E_SET_SUPERBLOCK_SIZE, number(AOM_SUPERBLOCK_SIZE_64X64)),
        (AV1E_SET_COLOR_RANGE, 1),
        (AV1E_SET_COLOR_PRIMARIES, meaning.primaries.into()),
        (AV1E_SET_TRANSFER_CHARACTERISTICS, meaning.transfer.into()),
        (AV1E_SET_MATRIX_COEFFICIENTS, if job.is_grey { SRGB.matrix } else { meaning.matrix }.into()),
    ];
    if !settings.lossless && !is_alpha {
        // likeness as it is seen: at equal bytes one to three points of SSIMULACRA2
        controls.extend([
            (AOME_SET_TUNING, number(AOM_TUNE_SSIM)),
            (AV1E_SET_ENABLE_QM, 1),
            (AV1E_SET_QM_MIN, 2),
            (AV1E_SET_QM_MAX, 10),
        ]);
    }
    controls
}

/// 0 at quality 100, 62 at 1, as other encoders around libaom count.
fn quantizer(settings: &Settings<'_>) -> u32 {
    if settings.lossless {
        return 0;
    }
    let quality = u32::from(settings.quality.clamp(1, 100));
    ((100 - quality) * 63 + 50) / 100
}

fn samples(frame: &Frame, settings: &Settings<'_>) -> Result<Samples<'static>, Error> {
    if frame.layout == Layout::Cmyk {
        return Err(Error::Unencodable { reason: "it is still in CMYK" });
    }
    let is_grey = matches!(frame.layout, Layout::Grey | Layout::GreyAlpha);
    if settings.lossless && !is_grey {
        let channel = |n: usize| {
            frame
                .pixels
                .chunks_exact(frame.layout.channels())
                .map(|pixel| pixel.get(n).copied().unwrap_or(0))
                .collect()
        };
        let planes = [channel(1), channel(2), channel(0)].map(Cow::Owned);
        return Ok(Samples { planes, is_grey, is_halved: false });
    }
    let is_halved = is_grey || settings.chroma == Subsampling::Quarter;
    let planes = if is_halved { ycc::halved_planes(frame, Range::Full) } else { ycc::full_planes(frame) };
    Ok(Samples { planes: planes.map(Cow::Owned), is_grey, is_halved })
}

fn planar<'p>(planes: &'p Planes, settings: &Settings<'_>) -> Samples<'p> {
    let is_whole = |both: &[Plane; 2]| {
        both.iter().all(|plane| (plane.width, plane.height) == (planes.luma.width, planes.luma.height))
    };
    let is_full = planes.chroma.as_ref().is_some_and(is_whole) && settings.chroma == Subsampling::Full;
    let luma = Cow::Borrowed(&planes.luma.samples[..]);
    let reduced = if is_full { None } else { ycc::halved(planes) };
    let planes = match (reduced, &planes.chroma) {
        (Some([blue, red]), _) => [luma, Cow::Owned(blue.samples), Cow::Owned(red.samples)],
        (None, Some([blue, red])) => {
            [luma, Cow::Borrowed(&blue.samples[..]), Cow::Borrowed(&red.samples[..])]
        }
        (None, None) => {
            let planes = [luma, Cow::default(), Cow::default()];
            return Samples { planes, is_grey: true, is_halved: true };
        }
    };
    Samples { planes, is_grey: false, is_halved: !is_full }
}

#[cfg(test)]
mod tests;

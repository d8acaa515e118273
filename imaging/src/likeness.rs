//! How much a picture looks like another one, in points of SSIMULACRA2 2.1 (Jon Sneyers, Cloudinary).
//!
//! 100 is the same picture, about 90 can't be told apart side by side, 70 not at a glance, 50 is a poor copy; it may fall
//! below 0. Both pictures are turned into XYB, opposed colours as the eye sees them, and compared at six sizes, each half
//! the one before: structure, edges that were added and edges that were lost. Fitting to human judgement gave 108 weights.
//! Of those 25 decide; what the others would add is not computed (see [`weights`]), which leaves little but lightness to be
//! compared at full size, and makes the measure quick enough to be taken of every try of a search.
//!
//! The reference implementation gives the same within 0.1 points up to 70. Above, the rounding of its recursive filter
//! counts as harm, which it does not here: its points are 0.1 to 0.3 lower at 75 to 80, and 0.2 to 1.1 from 85 to 92.

mod blur;
mod light;
mod scale;
mod weights;

use crate::Error;
use crate::frame::{Frame, Layout};

use light::{Backdrop, Light};
use scale::Original;
use weights::SCALES_MAX;

/// Shortest side that can be compared, in pixels; a shorter one is drawn out.
const SIDE_MIN: usize = 8;

/// A picture prepared to be compared with others of its size. It holds about 20 bytes a pixel.
#[derive(Debug)]
pub(crate) struct Reference {
    width: u32,
    height: u32,
    /// As seen on a dark and on a light page, or once when it is opaque.
    seen: Vec<Vec<Original>>,
}

impl Reference {
    /// Prepares a picture of any layout but CMYK.
    ///
    /// # Errors
    /// `Unencodable` for CMYK and for a picture without pixels.
    pub(crate) fn new(frame: &Frame) -> Result<Self, Error> {
        let backdrops = if frame.layout.has_alpha() { &Backdrop::ALL[..] } else { &Backdrop::ALL[..1] };
        let seen = backdrops.iter().map(|&backdrop| Ok(originals(light(frame, backdrop)?)));
        Ok(Self { width: frame.width, height: frame.height, seen: seen.collect::<Result<_, Error>>()? })
    }

    /// Points of SSIMULACRA2 for `other`, at most 100. Where one of them is transparent it is looked at on a dark and on a
    /// light page, and the worse counts.
    ///
    /// # Errors
    /// `Unencodable` for CMYK and for a picture of another size.
    pub(crate) fn likeness(&self, other: &Frame) -> Result<f64, Error> {
        if (other.width, other.height) != (self.width, self.height) {
            return Err(Error::Unencodable { reason: "its size changed on the way" });
        }
        let is_opaque = self.seen.len() == 1 && !other.layout.has_alpha();
        let backdrops = if is_opaque { &Backdrop::ALL[..1] } else { &Backdrop::ALL[..] };
        let mut worst = 100.0_f64;
        for (index, &backdrop) in backdrops.iter().enumerate() {
            let original = self.seen.get(index).or_else(|| self.seen.first());
            let difference = difference(original.map_or(&[], Vec::as_slice), light(other, backdrop)?);
            worst = worst.min(weights::points(difference));
        }
        Ok(worst)
    }
}

/// Compares two pictures of one size.
///
/// # Errors
/// As [`Reference::new`] and [`Reference::likeness`].
#[cfg_attr(not(test), expect(dead_code, reason = "tests compare with it"))]
pub(crate) fn likeness(original: &Frame, other: &Frame) -> Result<f64, Error> {
    Reference::new(original)?.likeness(other)
}

fn light(frame: &Frame, backdrop: Backdrop) -> Result<Light, Error> {
    if frame.layout == Layout::Cmyk || frame.pixels.is_empty() {
        return Err(Error::Unencodable { reason: "pixels of this kind cannot be compared" });
    }
    Ok(Light::of(frame, backdrop, SIDE_MIN))
}

/// The sizes of a picture that are compared, prepared.
fn originals(light: Light) -> Vec<Original> {
    let sizes = sizes(&light);
    let mut light = Some(light);
    let prepared = (0..sizes).map_while(|size| {
        let this = light.take()?;
        light = (size + 1 < sizes).then(|| this.halved());
        Some(Original::new(&this, weights::of_size(size, sizes)))
    });
    prepared.collect()
}

/// The weighted sum of all differences, 0 for the same picture.
fn difference(originals: &[Original], light: Light) -> f64 {
    let sizes = originals.len();
    let mut light = Some(light);
    let mut sum = 0.0;
    for (size, original) in originals.iter().enumerate() {
        let Some(this) = light.take() else { break };
        sum += original.difference(&this, weights::of_size(size, sizes));
        light = (size + 1 < sizes).then(|| this.halved());
    }
    sum
}

/// At how many sizes a picture is compared; the last may have sides shorter than [`SIDE_MIN`].
fn sizes(light: &Light) -> usize {
    let (mut width, mut height) = (light.width(), light.height());
    let mut sizes = 1;
    while sizes < SCALES_MAX && width >= SIDE_MIN && height >= SIDE_MIN {
        sizes += 1;
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
    }
    sizes
}

#[cfg(test)]
mod tests;

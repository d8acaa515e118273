//! The steps of a rendering, one file each, in the order [`crate::pipeline`] takes them.

pub(crate) mod blur;
pub(crate) mod canvas;
pub(crate) mod colour;
pub(crate) mod corners;
pub(crate) mod crop;
pub(crate) mod decode;
pub(crate) mod flatten;
pub mod geometry;
pub(crate) mod gravity;
pub(crate) mod grayscale;
pub(crate) mod light;
pub(crate) mod orient;
pub(crate) mod paint;
pub(crate) mod pixelate;
pub(crate) mod plan;
pub(crate) mod resample;
pub(crate) mod rotate;
pub(crate) mod sample;
pub(crate) mod scale;
pub(crate) mod sharpen;
pub(crate) mod smart;
pub(crate) mod smooth;
pub mod sniff;
#[cfg(test)]
pub(crate) mod specimen;
pub(crate) mod text;
pub(crate) mod tone;
pub(crate) mod trim;
pub(crate) mod turn;
pub(crate) mod watermark;

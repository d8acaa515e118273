//! The steps of a rendering, one file each, in the order [`crate::pipeline`] takes them.

pub(crate) mod colour;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod flatten;
pub mod geometry;
pub(crate) mod orient;
pub(crate) mod pad;
pub(crate) mod resize;
pub mod sniff;

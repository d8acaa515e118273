//! Images on demand: from an image URL to an encoded rendering.
//!
//! [`dialect`] reads the image URLs of other services, and [`path`] our own spelling, into a canonical
//! [`transform::Transform`] and a source; [`negotiate`] chooses the output format; [`pipeline`] turns source bytes into a
//! rendering by named [`steps`]; [`pool`] runs the pipeline on threads of its own, bounded by pixels. The crate knows
//! nothing of HTTP servers, caches or configuration files: whoever calls it fetches the source and stores the result.

pub mod client_hints;
mod deadline;
mod describe;
pub mod dialect;
mod encode;
mod error;
mod exif;
mod frame;
mod jpeg;
mod likeness;
pub mod limits;
pub mod metrics;
pub mod negotiate;
mod palette;
pub mod path;
pub mod pipeline;
mod planes;
pub mod pool;
mod sanitise;
mod search;
mod share;
mod simd;
pub mod steps;
#[cfg(test)]
mod testing;
pub mod transform;
mod vp8;
pub mod worker;
mod xml;

pub use deadline::Deadline;
pub use error::Error;
pub use share::Sibling;
pub use steps::sniff;

//! Images on demand: from an image URL to an encoded rendering.
//!
//! [`path`] reads an image URL into a canonical [`transform::Transform`] and a source; [`negotiate`] chooses the output
//! format; [`pipeline`] turns source bytes into a rendering by named [`steps`]; [`pool`] runs the pipeline on threads of its
//! own, bounded by pixels. The crate knows nothing of HTTP servers, caches or configuration files: whoever calls it fetches
//! the source and stores the result.

mod deadline;
mod error;
mod frame;
pub mod limits;
pub mod metrics;
pub mod negotiate;
pub mod path;
pub mod pipeline;
pub mod pool;
pub mod steps;
#[cfg(test)]
mod testing;
pub mod transform;

pub use deadline::Deadline;
pub use error::Error;
pub use steps::sniff;

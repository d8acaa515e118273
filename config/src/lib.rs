//! Configuration of overfall: one TOML file for a fleet, checked whole before anything uses it.
//!
//! [`load`] reads a file, [`parse`] reads text. Both give a [`Config`] in which every value has been checked, or
//! a [`Report`] that names every mistake at once, each with its place in the file and a way out. Every key, its
//! unit, default and range stand in the reference page, `config/docs/reference.md`.

mod admin;
mod bounds;
mod cache;
mod diff;
mod document;
mod geo;
mod imaging;
mod keys;
mod limits;
mod listen;
mod load;
mod model;
mod names;
mod node;
mod origins;
mod raw;
mod report;
mod routes;
mod s3;
mod secret;
mod tailoring;
#[cfg(test)]
mod tests;
mod tls;
mod units;
mod validate;
mod values;

pub use diff::restart_needed;
pub use imaging::{
    ImageDialect, ImageFailure, ImageFormat, ImageRules, ImgproxyRules, OtherWidths, SignRules,
};
pub use load::{FILE_BYTES_MAX, LoadError, load, parse};
pub use model::*;
pub use report::{Problem, Report};
pub use secret::Secret;
pub use tailoring::{
    Classes, CountryClass, DictionaryFile, DictionaryFormat, FieldAction, FieldRule, Geo, Part, Place,
    Redirect, SiteTailoring, Template,
};

//! The cache engine of overfall: RFC 9111 decisions, tiers, single flight and the waterfall of origins.

pub mod body;
pub mod bus;
pub mod cache_control;
pub mod clock;
pub mod encoding;
pub mod engine;
pub mod fields;
pub mod flight;
pub mod freshness;
pub mod key;
pub mod origin;
pub mod policy;
pub mod purge;
pub mod range;
pub mod record;
pub mod slices;
pub mod status;
pub mod storability;
pub mod stored;
pub mod surrogate;
pub mod target;
pub mod tier;
pub mod validation;
pub mod vary;
pub mod waterfall;

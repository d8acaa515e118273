//! overfall.

//! Steered, authoritative DNS: from a client's network and the regions' health to an address.
//!
//! A query passes [`server`] → [`answer`] → [`zone`] → [`locate`] → [`health::Snapshot`] → [`steering`] and back
//! through [`answer`]. Snapshots are fed by [`probe`] → [`health::Board`]. Everything but sockets and the probe
//! timer is a pure function; nothing here reads files or resolves names.

pub mod answer;
#[cfg(test)]
mod fixture;
pub mod health;
pub mod locate;
pub mod metrics;
pub mod probe;
pub mod server;
pub mod steering;
pub mod zone;

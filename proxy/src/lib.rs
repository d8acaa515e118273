//! The proxy of overfall: listeners, TLS, the request path, origins, admin API, command line and demo.

pub mod access_log;
pub mod admin;
pub mod admission;
pub mod ca;
pub mod cache_status;
pub mod cli;
pub mod collectors;
pub mod ctx;
mod demo;
pub mod dns;
pub mod error;
pub mod fleet;
pub mod imager;
pub mod key;
pub mod listen;
pub mod node;
pub mod origin;
pub mod prober;
pub mod reload;
pub mod response;
pub mod route;
pub mod server;
pub mod service;
pub mod shutdown;
pub mod tailoring;
pub mod telemetry;
pub mod tls;

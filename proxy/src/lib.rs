//! The proxy of overfall: listeners, TLS, the request path, origins, admin API, command line and demo.

pub mod access_log;
pub mod admin;
pub mod admission;
mod blocking;
pub mod ca;
pub mod cache_status;
pub mod cli;
pub mod collectors;
pub mod ctx;
mod dated;
mod demo;
pub mod dns;
pub mod error;
pub mod fleet;
pub mod front;
pub mod imager;
mod invalidate;
pub mod key;
pub mod listen;
#[expect(unsafe_code, reason = "allocators are C; see the module")]
mod memory;
pub mod node;
pub mod origin;
pub mod prober;
mod proxy_status;
pub mod reload;
pub mod response;
pub mod route;
pub mod server;
pub mod service;
pub mod shadow;
pub mod shutdown;
pub mod studio;
pub mod tailoring;
pub mod telemetry;
mod text;
pub mod tls;

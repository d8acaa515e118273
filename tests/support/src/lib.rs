//! What tests at the wire are made of: the real binary as a process, scripted origins, clients that show their dialogue,
//! raw connections, DNS questions, an S3 server.
//!
//! Nothing here decides whether the product is right; it says what was sent and what came back. A function that can't do
//! its work fails the test that called it, with the dialogue. There are no sleeps: [`wait::wait_until`] is the only place
//! that looks again.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that can't do its work fails the test that called it"
)]

pub mod admin;
pub mod browser;
pub mod client;
pub mod demo;
pub mod dice;
pub mod dns;
pub mod faulty_origin;
pub mod faulty_s3;
pub mod mmdb;
pub mod node;
pub mod origin;
pub mod process;
pub mod raw;
pub mod s3;
pub mod spki;
pub mod tls;
pub mod wait;

pub use admin::Admin;
pub use client::{Answer, Client};
pub use demo::Demo;
pub use dice::Dice;
pub use node::{Node, Settings};
pub use origin::{Drip, Origin, Reply};
pub use process::Process;
pub use wait::{DEADLINE, wait_until};

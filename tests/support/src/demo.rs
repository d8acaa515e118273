//! `overfall demo --json` as a child, and what its first line says.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    admin::Admin,
    client::{Client, Protocol},
    process::Process,
};

/// The demo's steered name.
pub const HOST: &str = "www.demo.test";
/// A start on a loaded machine may take this long; how long it took is in the ready line.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running demo.
pub struct Demo {
    /// The process.
    pub process: Process,
    /// The line that it printed when ready.
    pub ready: Value,
    /// Its regions, in its order.
    pub regions: Vec<Region>,
    /// Its admin API.
    pub admin: Admin,
    /// Where its DNS server listens.
    pub dns: SocketAddr,
    /// Its authority.
    pub ca: PathBuf,
}

/// One region of the demo.
#[derive(Debug, Clone)]
pub struct Region {
    /// Name.
    pub name: String,
    /// Node name.
    pub node: String,
    /// TLS address.
    pub https: SocketAddr,
    /// Plain address.
    pub http: SocketAddr,
}

impl Demo {
    /// Starts a demo with a temporary folder and free ports.
    pub async fn start(exe: &str) -> Self {
        Self::start_with(exe, &[]).await
    }

    /// Starts a demo that keeps its state in `dir`.
    pub async fn start_in(exe: &str, dir: &Path) -> Self {
        Self::start_with(exe, &["--dir", dir.to_str().expect("a folder with a plain name")]).await
    }

    /// Starts a demo with further arguments. Ports that they do not name are free ones.
    pub async fn start_with(exe: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(exe);
        command.args(["demo", "--json"]).args(arguments);
        for port in ["--https-port", "--http-port", "--dns-port", "--admin-port"] {
            if !arguments.contains(&port) {
                command.args([port, "0"]);
            }
        }
        let mut process = Process::spawn(&mut command);
        let line =
            process.stdout_line("the demo is ready", START_DEADLINE, |line| Some(line.to_owned())).await;
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}\n  is not JSON: {error}"));
        let regions = ready.get("regions").and_then(Value::as_array).cloned().unwrap_or_default();
        let admin = ready.get("admin").cloned().unwrap_or_default();
        Self {
            regions: regions.iter().map(region).collect(),
            admin: Admin::new(&text(&admin, "url"), &text(&admin, "token")),
            dns: address(&ready, "dns"),
            ca: PathBuf::from(text(&ready, "ca")),
            process,
            ready,
        }
    }

    /// The region of this name.
    #[must_use]
    pub fn region(&self, name: &str) -> &Region {
        let found = self.regions.iter().find(|region| region.name == name);
        found.unwrap_or_else(|| panic!("no region {name} in {}", self.ready))
    }

    /// A client that trusts the demo's authority and believes that the page's host is in this region.
    #[must_use]
    pub fn client(&self, region: &str, protocol: Protocol) -> Client {
        let region = self.region(region);
        Client::new(Some(&self.ca), &[(HOST, region.https)], protocol)
    }

    /// `https://www.demo.test:PORT` followed by `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let port = self.regions.first().map_or(0, |region| region.https.port());
        format!("https://{HOST}:{port}{path}")
    }
}

fn region(value: &Value) -> Region {
    Region {
        name: text(value, "name"),
        node: text(value, "node"),
        https: address(value, "https"),
        http: address(value, "http"),
    }
}

fn text(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text {name:?} in {value}")).to_owned()
}

fn address(value: &Value, name: &str) -> SocketAddr {
    let found = text(value, name);
    found.parse().unwrap_or_else(|error| panic!("{name} {found:?}: {error}"))
}

//! `overfall run` as a child over a generated configuration, on ports that the system chooses.

use std::{
    fmt::Write as _,
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

/// Host of the generated site.
pub const HOST: &str = "www.site.test";
/// Token with every scope.
pub const TOKEN: &str = "token-of-the-operators";
/// Token that may only read.
pub const READER_TOKEN: &str = "token-of-the-readers";
/// A start on a loaded machine may take this long.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A configuration with one site, `site`, and whatever a test needs besides.
#[derive(Debug, Clone)]
pub struct Settings {
    name: String,
    origins: Vec<(String, String)>,
    site: String,
    cache: String,
    more: String,
    has_images: bool,
}

/// A running node.
pub struct Node {
    /// The process.
    pub process: Process,
    /// Plain address.
    pub http: SocketAddr,
    /// TLS address.
    pub https: SocketAddr,
    /// Admin API, with every scope.
    pub admin: Admin,
    /// Authority of the node.
    pub ca: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
}

impl Settings {
    /// A site without origins yet; memory and a small disk tier.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: "edge-1".to_owned(),
            origins: Vec::new(),
            site: String::new(),
            cache: "memory = \"64 MiB\"\ndisk = { path = \"cache\", size = \"64 MiB\" }\n".to_owned(),
            more: String::new(),
            has_images: true,
        }
    }

    /// Sets the node's name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds an origin to the end of the waterfall; its timeouts are short enough for a test.
    #[must_use]
    pub fn origin(self, name: &str, url: &str) -> Self {
        let lines = format!(
            "url = \"{url}\"\nconnect_timeout = \"5s\"\nhead_timeout = \"5s\"\nread_timeout = \"5s\""
        );
        self.origin_with(name, &lines)
    }

    /// Adds an origin with these lines of TOML.
    #[must_use]
    pub fn origin_with(mut self, name: &str, lines: &str) -> Self {
        self.origins.push((name.to_owned(), lines.to_owned()));
        self
    }

    /// Adds a line to the site.
    #[must_use]
    pub fn site(mut self, line: &str) -> Self {
        self.site.push_str(line);
        self.site.push('\n');
        self
    }

    /// Leaves `images = true` out, so that a test can say otherwise.
    #[must_use]
    pub const fn without_images(mut self) -> Self {
        self.has_images = false;
        self
    }

    /// Replaces the lines of `[cache]`.
    #[must_use]
    pub fn cache(mut self, lines: &str) -> Self {
        self.cache = format!("{lines}\n");
        self
    }

    /// Adds tables before the site.
    #[must_use]
    pub fn tables(mut self, lines: &str) -> Self {
        self.more.push_str(lines);
        self.more.push('\n');
        self
    }

    /// The file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let Self { name, origins, site, cache, more, has_images } = self;
        let images = if *has_images { "images = true\n" } else { "" };
        let mut text = format!(
            r#"[node]
name = "{name}"
state = "state"

[listen]
http = "127.0.0.1:0"
https = "127.0.0.1:0"

[cache]
{cache}
[admin]
listen = "127.0.0.1:0"
tokens = [
  {{ name = "ops", token = "{TOKEN}", scopes = ["read", "purge", "operate"] }},
  {{ name = "reader", token = "{READER_TOKEN}", scopes = ["read"] }},
]

{more}
"#
        );
        let mut names = Vec::new();
        for (name, lines) in origins {
            names.push(format!("\"{name}\""));
            write!(text, "[origins.{name}]\n{lines}\n\n").expect("a string takes everything");
        }
        let names = names.join(", ");
        write!(
            text,
            "[[site]]\nname = \"site\"\nhosts = [\"{HOST}\", \"localhost\"]\norigins = [{names}]\n{images}{site}"
        )
        .expect("a string takes everything");
        text
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    /// Writes the configuration into `dir`, starts a node there and waits until it is ready. A second start in the same
    /// folder finds the caches and the purge log of the first.
    pub async fn start(exe: &str, dir: &Path, settings: &Settings) -> Self {
        let config = dir.join("overfall.toml");
        std::fs::write(&config, settings.to_toml()).expect("a writable folder");
        let mut command = Command::new(exe);
        command.arg("run").arg("--config").arg(&config).current_dir(dir);
        let mut process = Process::spawn(&mut command);
        let ready = process.stderr_line("the node is ready", START_DEADLINE, ready).await;
        let admin = format!("http://{}", address(&ready, "admin"));
        Self {
            http: address(&ready, "http"),
            https: address(&ready, "https"),
            admin: Admin::new(&admin, TOKEN),
            ca: dir.join("state/ca/ca.pem"),
            process,
            config,
        }
    }

    /// A client for plain HTTP/1.1 that knows the site's host.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::plain(&[(HOST, self.http)])
    }

    /// A client for TLS that trusts the node's authority.
    #[must_use]
    pub fn tls_client(&self, protocol: Protocol) -> Client {
        Client::new(Some(&self.ca), &[(HOST, self.https)], protocol)
    }

    /// `http://www.site.test:PORT` followed by `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{HOST}:{}{path}", self.http.port())
    }

    /// `https://www.site.test:PORT` followed by `path`.
    #[must_use]
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.https.port())
    }
}

/// The line that says where everything listens.
fn ready(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    let message = line.get("message").or_else(|| line.get("fields")?.get("message"))?;
    (message == "ready").then_some(line)
}

fn address(ready: &Value, name: &str) -> SocketAddr {
    let value =
        ready.get(name).or_else(|| ready.get("fields")?.get(name)).map(Value::to_string).unwrap_or_default();
    let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
    let found = value.split(|c| !is_part(c)).find_map(|part| part.parse().ok());
    found.unwrap_or_else(|| panic!("no address {name:?} in {ready}"))
}

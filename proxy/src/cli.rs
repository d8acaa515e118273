//! The command line: what was said, handed to the verb that means it.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

mod client;
mod image;
mod verbs;

pub(crate) use client::AdminTarget;

use crate::{memory, studio::WORKER_VERB};

/// Exit code for an invalid configuration (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Self-hosted edge CDN and image proxy: TLS, tiered cache, origin waterfall, images, steered DNS.
#[derive(Debug, Parser)]
#[command(name = "overfall", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a node in the foreground; SIGTERM drains, SIGHUP reloads.
    Run(RunArgs),
    /// Check a configuration file and report every problem; exit 0 or 78.
    Validate {
        /// Configuration file (TOML).
        file: PathBuf,
    },
    /// Run three regions, origins, S3 and DNS in one process, with data to play with.
    Demo(DemoArgs),
    /// Purge by URL, tag, prefix, host or everything.
    Purge(PurgeArgs),
    /// Say why a URL is answered as it is.
    Explain(ExplainArgs),
    /// Show nodes, origins, the purge log and DNS.
    Status {
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Switch an origin off or on.
    Origin {
        /// `down` or `up`.
        #[arg(value_parser = ["down", "up"])]
        action: String,
        /// Origin name.
        name: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Drain, resume, drop or restore a node.
    Node {
        /// `drain` keeps answering but fails health checks; `drop` closes the listeners.
        #[arg(value_parser = ["drain", "resume", "drop", "restore"])]
        action: String,
        /// Node name.
        name: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Questions about DNS.
    Dns {
        #[command(subcommand)]
        verb: DnsVerb,
    },
    /// Make, sign and read image URLs, render and describe pictures; needs no node.
    Image {
        #[command(subcommand)]
        verb: image::ImageVerb,
    },
    /// Read the configuration file of a running node again.
    Reload {
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Decode what standard input asks for; started by nodes only.
    #[command(name = WORKER_VERB, hide = true)]
    ImageWorker,
    /// Print the version.
    Version,
}

#[derive(Debug, Subcommand)]
enum DnsVerb {
    /// Say which region a client address is sent to, and why.
    Explain {
        /// Client address.
        #[arg(long)]
        from: std::net::IpAddr,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Configuration file (TOML).
    #[arg(long, short)]
    config: PathBuf,
}

/// Options of `overfall demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print one JSON object on one line when ready, and nothing else on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep caches, purge log and CA in this folder instead of a temporary one.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// HTTPS port of the three regions; 0 or a taken one: a free port.
    #[arg(long, default_value_t = 8443)]
    pub(crate) https_port: u16,
    /// HTTP port of the three regions; 0 or a taken one: a free port.
    #[arg(long, default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// DNS port; 0 or a taken one: a free port.
    #[arg(long, default_value_t = 8053)]
    pub(crate) dns_port: u16,
    /// Admin port; 0 or a taken one: a free port.
    #[arg(long, default_value_t = 8090)]
    pub(crate) admin_port: u16,
}

/// Where the admin API is.
#[derive(Debug, Args)]
struct AdminArgs {
    /// Admin URL; may be repeated, and the call then goes to each.
    #[arg(long, env = "OVERFALL_ADMIN", value_delimiter = ',')]
    admin: Vec<String>,
    /// Bearer token.
    #[arg(long, env = "OVERFALL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Take admin URL and token from this configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PurgeArgs {
    /// URLs to purge.
    urls: Vec<String>,
    /// Site that tags and `--all` belong to.
    #[arg(long)]
    site: Option<String>,
    /// Surrogate key; may be repeated.
    #[arg(long)]
    tag: Vec<String>,
    /// `host/path` prefix; may be repeated.
    #[arg(long)]
    prefix: Vec<String>,
    /// Host; may be repeated.
    #[arg(long)]
    host: Vec<String>,
    /// Everything of the site.
    #[arg(long)]
    all: bool,
    /// Mark stale instead of removing.
    #[arg(long)]
    soft: bool,
    /// Return when the purge is durable, without waiting for the nodes.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// URL to explain.
    url: String,
    /// `Accept` that the explained request would send.
    #[arg(long)]
    accept: Option<String>,
    /// `Accept-Encoding` that the explained request would send.
    #[arg(long)]
    accept_encoding: Option<String>,
    /// `Accept-Language` that the explained request would send.
    #[arg(long)]
    accept_language: Option<String>,
    /// `User-Agent` that the explained request would send.
    #[arg(long)]
    user_agent: Option<String>,
    /// Address that the explained request would come from.
    #[arg(long)]
    from: Option<std::net::IpAddr>,
    /// Print the raw JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Runs the command line and gives the process's exit code: 0, 1 (the verb failed), 2 (the words are off) or 78
/// (invalid configuration).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // nothing is left to do when the terminal is gone
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    memory::keep_little();
    verbs::dispatch(cli.verb)
}

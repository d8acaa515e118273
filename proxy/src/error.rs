//! Why a process could not start, in words that say what to change.

use overfall_cache::{bus::BusError, tier::TierError};

use crate::{origin::OriginSetupError, tailoring::TailoringError};

/// A start that failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A tier could not be opened.
    #[error("cache tier: {0}")]
    Tier(TierError),
    /// The S3 client could not be set up.
    #[error("s3 tier: {0}")]
    S3(String),
    /// The purge log or journal could not be opened.
    #[error("purge log: {0}")]
    Bus(BusError),
    /// The purge log gave nothing in time, so the node can't know what was purged.
    #[error("purge log: not read to its end within 10 s")]
    PurgeLogSilent,
    /// An origin could not be set up.
    #[error("{0}")]
    Origin(#[from] OriginSetupError),
    /// A dictionary or the data base of countries could not be read.
    #[error("{0}")]
    Tailoring(#[from] TailoringError),
    /// A site's rules for images can't be honoured.
    #[error("site {site:?}: images: {problem}")]
    Images {
        /// Name of the site.
        site: String,
        /// What is wrong, in words.
        problem: String,
    },
    /// An address could not be listened on.
    #[error("{0}")]
    Listen(String),
    /// Certificates could not be loaded or issued.
    #[error("tls: {0}")]
    Tls(String),
    /// DNS could not be started.
    #[error("dns: {0}")]
    Dns(String),
    /// A metric's name is taken.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A file or folder could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its path.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

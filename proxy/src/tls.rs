//! TLS for clients: the crypto provider, the certificates by host name, and the server configuration.
//!
//! TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only; X25519MLKEM768 is preferred. A name that
//! we do not serve ends in `unrecognized_name` (RFC 6066 section 3) before any certificate is shown. It does not
//! fetch certificates, and it never falls back to another site's certificate unless a default was set.

pub(crate) mod hello;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use overfall_config::{CertificateFiles, Site, Tls};
use rustls::{
    ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::ca::InternalCa;

/// What keeps TLS from being set up. Always names the file or the hosts.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no usable PEM of the wanted kind.
    #[error("{} holds no usable {what}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        reason: String,
    },
    /// Key and certificate are not a pair.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The internal CA cannot issue.
    #[error("cannot issue a certificate for {names}: {reason}")]
    Issue {
        /// The names asked for.
        names: String,
        /// Why not.
        reason: String,
    },
    /// The TLS library refused.
    #[error("tls cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Makes aws-lc-rs the provider of this process. Call it before anything else touches TLS: pingora would install
/// another one. Later calls do nothing.
pub fn install_provider() {
    // an error means that a provider is already there: ours, on a second call
    aws_lc_rs::default_provider().install_default().ok();
}

/// Certificates by host name; immutable once built, replaced whole.
#[derive(Debug, Default, Clone)]
pub struct Table {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// Keyed by what follows `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl Table {
    /// An empty table: every handshake fails.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds the table that the configuration asks for. With operator's files, a host that no certificate covers
    /// stays without one, and is logged. With the internal CA each site gets a certificate of 30 days.
    ///
    /// # Errors
    /// [`TlsError`], naming the file that is unreadable, wrong, or not a pair with its key.
    pub fn from_config(tls: &Tls, sites: &[Arc<Site>]) -> Result<Self, TlsError> {
        match tls {
            Tls::Internal { path } => Self::issued(&InternalCa::open_or_create(path)?, sites),
            Tls::Certificates(files) => Self::loaded(files, sites),
        }
    }

    /// Puts `certified` under `host`, lower case; `*.` in front stands for exactly one label.
    pub fn insert(&mut self, host: &str, certified: Arc<CertifiedKey>) {
        match host.strip_prefix("*.") {
            Some(parent) => self.wildcard.insert(parent.to_owned(), certified),
            None => self.exact.insert(host.to_owned(), certified),
        };
    }

    /// Serves `certified` to clients that name no host or an unknown one.
    pub fn set_default(&mut self, certified: Arc<CertifiedKey>) {
        self.default = Some(certified);
    }

    /// The certificate for a client that named `server_name`, if any.
    #[must_use]
    pub fn find(&self, server_name: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        server_name.and_then(|name| self.named(name)).or(self.default.as_ref())
    }

    fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if let Some(found) = self.exact.get(name) {
            return Some(found);
        }
        let (label, parent) = name.split_once('.')?;
        if label.is_empty() { None } else { self.wildcard.get(parent) }
    }

    fn issued(ca: &InternalCa, sites: &[Arc<Site>]) -> Result<Self, TlsError> {
        let mut table = Self::new();
        for hosts in sites.iter().flat_map(|site| site.hosts.chunks(crate::ca::NAMES_MAX)) {
            let certified = Arc::new(ca.issue(hosts)?);
            for host in hosts {
                table.insert(host, Arc::clone(&certified));
            }
        }
        Ok(table)
    }

    fn loaded(files: &[CertificateFiles], sites: &[Arc<Site>]) -> Result<Self, TlsError> {
        let chains = files.iter().map(|pair| load(pair).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let mut table = Self::new();
        for host in sites.iter().flat_map(|site| &site.hosts) {
            match chains.iter().find(|certified| covers(certified, host)) {
                Some(certified) => table.insert(host, Arc::clone(certified)),
                None => tracing::warn!(host, "no certificate covers this host; https to it fails"),
            }
        }
        Ok(table)
    }
}

/// The live [`Table`], as rustls asks for it.
#[derive(Debug)]
pub struct Certificates(ArcSwap<Table>);

impl Certificates {
    /// Starts with `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(ArcSwap::from_pointee(table))
    }

    /// [`Table::from_config`], live.
    ///
    /// # Errors
    /// As [`Table::from_config`].
    pub fn from_config(tls: &Tls, sites: &[Arc<Site>]) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self::new(Table::from_config(tls, sites)?)))
    }

    /// Every handshake from here on sees `table`; running connections keep theirs.
    pub fn replace(&self, table: Table) {
        self.0.store(Arc::new(table));
    }

    /// Whether a client that named `server_name` gets a certificate.
    #[must_use]
    pub fn knows(&self, server_name: Option<&str>) -> bool {
        self.0.load().find(server_name).is_some()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().find(hello.server_name()).cloned()
    }
}

/// What every client connection is served with: ALPN `h2` and `http/1.1`, tickets under rotating keys, no early data.
///
/// # Errors
/// [`TlsError::Setup`] when the provider has no randomness or no protocol version in common with us.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, TlsError> {
    // named, not the process default: a process that installed another provider still gets these suites and groups
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Reads one chain and its key.
fn load(files: &CertificateFiles) -> Result<CertifiedKey, TlsError> {
    let refused = |path: &Path, what, reason: String| TlsError::Pem { path: path.into(), what, reason };
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| refused(&files.certificate, "certificate", e.to_string()))?;
    let leaf =
        chain.first().ok_or_else(|| refused(&files.certificate, "certificate", "there is none".into()))?;
    ParsedCertificate::try_from(leaf)
        .map_err(|e| refused(&files.certificate, "certificate", e.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|e| refused(&files.key, "private key", e.to_string()))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|e| refused(&files.key, "private key", e.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    if certified.keys_match().is_err() {
        return Err(TlsError::Mismatch { key: files.key.clone(), certificate: files.certificate.clone() });
    }
    Ok(certified)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source })
}

fn covers(certified: &CertifiedKey, host: &str) -> bool {
    let parsed = certified.cert.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
    let name = ServerName::try_from(host).ok();
    parsed.zip(name).is_some_and(|(parsed, name)| verify_server_name(&parsed, &name).is_ok())
}

#[cfg(test)]
mod tests;

//! A certificate authority of our own, for the demo and for closed networks.
//!
//! Two files make it: `ca.key` (mode 0600) and `ca.pem`. The key is written first and never replaced, so a crash
//! between the two, or two processes at once, still end with one authority. It issues short-lived leaf certificates
//! that live in memory only. It refuses to overwrite, to revoke, and to work with a certificate that is not its own.

use std::{
    fs, io,
    io::Write as _,
    net::IpAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use overfall_cache::clock::{Clock, SystemClock};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use time::{Duration, OffsetDateTime};

use crate::tls::TlsError;

/// An authority that signs with ECDSA P-256.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let ca = overfall_proxy::ca::InternalCa::open_or_create(folder.path())?;
/// let leaf = ca.issue(&["www.example.net".into(), "127.0.0.1".into()])?;
/// assert_eq!(leaf.cert.len(), 2); // the leaf, then the authority
/// # Ok(())
/// # }
/// ```
pub struct InternalCa {
    pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    clock: Arc<dyn Clock>,
}

impl InternalCa {
    /// Opens the authority in `dir`, creating the folder, `ca.key` and `ca.pem` where absent.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or written, is not what its name says, or when the two do not belong
    /// together. A `ca.pem` without its `ca.key` is an error, not a reason to make another key.
    pub fn open_or_create(dir: &Path) -> Result<Self, TlsError> {
        Self::open_or_create_at(dir, Arc::new(SystemClock))
    }

    /// As [`Self::open_or_create`], with validity counted from `clock`.
    ///
    /// # Errors
    /// As [`Self::open_or_create`].
    pub fn open_or_create_at(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        fs::create_dir_all(dir).map_err(|source| TlsError::Write { path: dir.into(), source })?;
        let (key_path, pem_path) = (dir.join("ca.key"), dir.join("ca.pem"));
        let key = open_key(&key_path, &pem_path)?;
        let params = authority(&key, now(clock.as_ref()));
        let pem = open_certificate(&pem_path, &params, &key)?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| TlsError::Pem {
            path: pem_path.clone(),
            what: "certificate",
            reason: e.to_string(),
        })?;
        if certified(vec![certificate.clone()], &key)?.keys_match().is_err() {
            return Err(TlsError::Mismatch { key: key_path, certificate: pem_path });
        }
        Ok(Self { pem, certificate, issuer: Issuer::new(params, key), clock })
    }

    /// The authority's certificate, for clients to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.pem
    }

    /// A fresh certificate, valid 30 days, for 1 to [`NAMES_MAX`] host names (`*.` for one label) and IP addresses.
    /// The chain is the leaf and the authority.
    ///
    /// # Errors
    /// [`TlsError::Issue`] when there are no names, too many, or one that is neither a host name nor an address.
    pub fn issue(&self, names: &[String]) -> Result<CertifiedKey, TlsError> {
        let refused = |reason: String| TlsError::Issue { names: names.join(", "), reason };
        if names.is_empty() || names.len() > NAMES_MAX {
            return Err(refused(format!("a certificate takes 1 to {NAMES_MAX} names")));
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| refused(e.to_string()))?;
        let params = leaf(names, now(self.clock.as_ref())).map_err(refused)?;
        let signed = params.signed_by(&key, &self.issuer).map_err(|e| refused(e.to_string()))?;
        certified(vec![signed.der().clone(), self.certificate.clone()], &key)
    }
}

impl std::fmt::Debug for InternalCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InternalCa").finish_non_exhaustive()
    }
}

fn now(clock: &dyn Clock) -> OffsetDateTime {
    let seconds = i64::try_from(clock.now().0 / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// What the authority is, but for its dates a function of its key: so that `ca.pem` can be made again.
fn authority(key: &KeyPair, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id: String = params.key_identifier(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut name = DistinguishedName::new();
    // browsers that meet two authorities of one name pick either; the key's mark keeps them apart
    name.push(DnType::CommonName, format!("overfall internal CA {id}"));
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now.saturating_sub(CLOCK_SKEW);
    params.not_after = now.saturating_add(CA_VALID);
    params
}

fn leaf(names: &[String], now: OffsetDateTime) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = names.iter().map(|name| subject(name)).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = now.saturating_sub(CLOCK_SKEW);
    params.not_after = now.saturating_add(LEAF_VALID);
    Ok(params)
}

fn subject(name: &str) -> Result<SanType, String> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let host = name.strip_prefix("*.").unwrap_or(name);
    rustls::pki_types::DnsName::try_from(host).map_err(|_| format!("\"{name}\" is not a host name"))?;
    Ok(SanType::DnsName(name.try_into().map_err(|e: rcgen::Error| e.to_string())?))
}

fn open_key(path: &Path, certificate: &Path) -> Result<KeyPair, TlsError> {
    if !path.exists() {
        if certificate.exists() {
            let source = io::Error::new(io::ErrorKind::NotFound, "its certificate is there, the key is not");
            return Err(TlsError::Read { path: path.into(), source });
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|e| TlsError::Issue { names: "the internal CA".into(), reason: e.to_string() })?;
        create(path, &key.serialize_pem(), 0o600)?;
    }
    // read back even what was just written: another process may have been first
    KeyPair::from_pkcs8_pem_and_sign_algo(&read(path)?, &PKCS_ECDSA_P256_SHA256).map_err(|e| TlsError::Pem {
        path: path.into(),
        what: "ECDSA P-256 key",
        reason: e.to_string(),
    })
}

fn open_certificate(path: &Path, params: &CertificateParams, key: &KeyPair) -> Result<String, TlsError> {
    if !path.exists() {
        let made = params
            .self_signed(key)
            .map_err(|e| TlsError::Issue { names: "the internal CA".into(), reason: e.to_string() })?;
        create(path, &made.pem(), 0o644)?;
    }
    read(path)
}

fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|source| TlsError::Read { path: path.into(), source })
}

/// Writes a whole file or none; leaves one that is already there.
fn create(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let failed = |source: io::Error| TlsError::Write { path: path.into(), source };
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(failed(e.error)),
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<CertifiedKey, TlsError> {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(CertifiedKey::new(chain, aws_lc_rs::sign::any_supported_type(&der)?))
}

/// Most names in one certificate.
pub const NAMES_MAX: usize = 256;
const CA_VALID: Duration = Duration::days(3650);
const LEAF_VALID: Duration = Duration::days(30);
/// Clients whose clocks are behind by less still accept a new certificate.
const CLOCK_SKEW: Duration = Duration::hours(1);

#[cfg(test)]
mod tests;

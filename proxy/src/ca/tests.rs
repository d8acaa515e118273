use std::os::unix::fs::MetadataExt as _;

use overfall_cache::clock::{ManualClock, Millis};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{ServerName, UnixTime},
};

use super::*;

fn verified(ca: &InternalCa, leaf: &CertifiedKey, name: &str, at_s: u64) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.ca_pem().as_bytes()).unwrap())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let (first, rest) = leaf.cert.split_first().unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at_s));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(first, rest, &name, &[], at).map(drop)
}

const NOW_S: u64 = 1_900_000_000;
const DAY_S: u64 = 86_400;

fn open(dir: &Path) -> Result<InternalCa, TlsError> {
    InternalCa::open_or_create_at(dir, Arc::new(ManualClock::new(Millis(NOW_S * 1000))))
}

#[test]
fn issues_what_clients_accept() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path()).unwrap();
    let names = ["www.example.net".to_owned(), "*.img.example.net".into(), "127.0.0.1".into(), "::1".into()];
    let leaf = ca.issue(&names).unwrap();
    for name in ["www.example.net", "a.img.example.net", "127.0.0.1", "::1"] {
        verified(&ca, &leaf, name, NOW_S).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for name in ["example.net", "a.b.img.example.net", "127.0.0.2"] {
        assert!(verified(&ca, &leaf, name, NOW_S).is_err(), "{name}");
    }
}

#[test]
fn a_leaf_lives_thirty_days() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path()).unwrap();
    let leaf = ca.issue(&["a.example".into()]).unwrap();
    assert!(verified(&ca, &leaf, "a.example", NOW_S + 30 * DAY_S - 60).is_ok());
    assert!(verified(&ca, &leaf, "a.example", NOW_S + 30 * DAY_S + 60).is_err());
    assert!(verified(&ca, &leaf, "a.example", NOW_S - 3700).is_err());
}

#[test]
fn only_the_owner_may_read_the_key() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    assert_eq!(fs::metadata(dir.path().join("ca.key")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.path().join("ca.pem")).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn opening_again_is_the_same_authority() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let second = open(dir.path()).unwrap();
    assert_eq!(first.ca_pem(), second.ca_pem());
    let leaf = second.issue(&["a.example".into()]).unwrap();
    verified(&first, &leaf, "a.example", NOW_S).unwrap();
}

#[test]
fn opening_at_once_ends_with_one_authority() {
    let dir = tempfile::tempdir().unwrap();
    let pems: Vec<String> = std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| open(dir.path()).map(|ca| ca.pem))).collect();
        opened.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    assert!(pems.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_lost_certificate_is_made_again_from_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let before = open(dir.path()).unwrap();
    fs::remove_file(dir.path().join("ca.pem")).unwrap();
    let after = open(dir.path()).unwrap();
    let leaf = after.issue(&["a.example".into()]).unwrap();
    verified(&before, &leaf, "a.example", NOW_S).unwrap();
}

#[test]
fn a_lost_key_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    fs::remove_file(dir.path().join("ca.key")).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("ca.key"), "{error}");
    assert!(!dir.path().join("ca.key").exists());
}

#[test]
fn a_foreign_certificate_is_refused() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(ours.path()).unwrap();
    open(theirs.path()).unwrap();
    fs::copy(theirs.path().join("ca.pem"), ours.path().join("ca.pem")).unwrap();
    assert!(matches!(open(ours.path()).unwrap_err(), TlsError::Mismatch { .. }));
}

#[test]
fn files_that_are_not_pem_are_named() {
    for broken in ["ca.key", "ca.pem"] {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        fs::write(dir.path().join(broken), "nonsense").unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(broken), "{error}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = open(&dir.path().join("file/ca")).unwrap_err().to_string();
    assert!(error.contains("file/ca"), "{error}");
}

#[test]
fn names_that_are_no_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path()).unwrap();
    for name in [
        "",
        "*",
        "*.",
        "a..b",
        "spa ce.example",
        "exämple.net",
        "https://a.example",
        "a.example:443",
        "*.*.a.b",
    ] {
        assert!(matches!(ca.issue(&[name.to_owned()]), Err(TlsError::Issue { .. })), "{name:?}");
    }
    assert!(ca.issue(&[]).is_err());
    let many: Vec<String> = (0..=NAMES_MAX).map(|n| format!("h{n}.example")).collect();
    assert!(ca.issue(&many).is_err());
}

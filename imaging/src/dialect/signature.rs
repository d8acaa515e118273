//! Signatures: our own, imgproxy's and imgix's.
//!
//! Our own is HMAC-SHA256 over the path with its query up to the signature itself, which is the last parameter: `sig=`, in
//! hexadecimal digits or base64url, whole or cut to no less than 16 bytes. An `exp=` right before it is signed with the rest
//! and says, in seconds since 1970, when the URL stops being good. All comparisons take the same time whatever they find.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::rules::{ImgproxyRules, Pair};
use super::{Dialect, Fault, Refusal, Rules, refuse};

/// Fewest bytes that may be left of one of our own signatures.
const OWN_BYTES_MIN: usize = 16;

/// What may stand in place of imgproxy's signature where none is needed.
const UNSIGNED: [&str; 3] = ["unsafe", "insecure", "_"];

/// A URL whose signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The target without signature and expiry.
    pub target: &'a str,
    /// When the URL stops being good, in seconds since 1970.
    pub expires_s: Option<u64>,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the url has to be signed: sig= as its last parameter")]
    Missing,
    /// It is not of the right form.
    #[error("sig= is not of 16 to 32 bytes in hexadecimal digits or base64url")]
    Malformed,
    /// It is another URL's, or another key's.
    #[error("the signature does not fit the url")]
    Wrong,
}

/// Signs a target: its path with its query, as it will be requested.
///
/// ```
/// use overfall_imaging::dialect::{sign, verify};
///
/// let signed = sign("/a.jpg?w=300", b"secret", Some(1_800_000_000));
/// assert!(signed.starts_with("/a.jpg?w=300&exp=1800000000&sig="));
/// let verified = verify(&signed, &[b"other".as_slice(), b"secret"])?;
/// assert_eq!((verified.target, verified.expires_s), ("/a.jpg?w=300", Some(1_800_000_000)));
/// # Ok::<(), overfall_imaging::dialect::SignatureError>(())
/// ```
#[must_use]
pub fn sign(target: &str, key: &[u8], expires_s: Option<u64>) -> String {
    let mut signed = target.to_owned();
    if let Some(expires_s) = expires_s {
        signed = format!("{signed}{}exp={expires_s}", joint(&signed));
    }
    let mac = authenticated(key, &[signed.as_bytes()]).finalize().into_bytes();
    format!("{signed}{}sig={}", joint(&signed), BASE64URL_NOPAD.encode(&mac))
}

fn joint(target: &str) -> char {
    if target.contains('?') { '&' } else { '?' }
}

/// Checks a target that [`sign`] may have made with any of the keys.
///
/// # Errors
/// [`SignatureError`].
pub fn verify<'a>(target: &'a str, keys: &[impl AsRef<[u8]>]) -> Result<Verified<'a>, SignatureError> {
    let (signed, last) = target.rsplit_once(['?', '&']).ok_or(SignatureError::Missing)?;
    let given = last.strip_prefix("sig=").ok_or(SignatureError::Missing)?;
    let readings = readings(given);
    if readings.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let mut is_right = false;
    for key in keys {
        for tag in &readings {
            let mac = authenticated(key.as_ref(), &[signed.as_bytes()]);
            is_right |= mac.verify_truncated_left(tag).is_ok();
        }
    }
    if !is_right {
        return Err(SignatureError::Wrong);
    }
    let expiry = signed.rsplit_once(['?', '&']).and_then(|(before, last)| {
        let seconds = last.strip_prefix("exp=")?.parse::<u64>().ok()?;
        Some(Verified { target: before, expires_s: Some(seconds) })
    });
    Ok(expiry.unwrap_or(Verified { target: signed, expires_s: None }))
}

/// Whether the last parameter says that it is a signature of our own.
fn is_signed(target: &str) -> bool {
    target.rsplit_once(['?', '&']).is_some_and(|(_, last)| last.starts_with("sig="))
}

/// The bytes that a text may mean: hexadecimal digits may be base64url as well.
fn readings(text: &str) -> Vec<Vec<u8>> {
    if text.len() > 64 {
        return Vec::new();
    }
    let hexadecimal = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let base64url = BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok();
    let is_long_enough = |tag: &Vec<u8>| (OWN_BYTES_MIN..=32).contains(&tag.len());
    [hexadecimal, base64url].into_iter().flatten().filter(is_long_enough).collect()
}

fn authenticated(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "RFC 2104: keys of any length are accepted")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// The target without its signature, once that is checked as the rules demand, and its expiry.
pub(super) fn checked<'a>(
    dialect: Dialect,
    target: &'a str,
    rules: &Rules,
) -> Result<(&'a str, Option<u64>), Refusal> {
    if dialect == Dialect::Imgproxy {
        return Ok((target, None));
    }
    let refused = |error: SignatureError| refuse(dialect, Fault::Signature, error.to_string());
    let token = rules.imgix.token.as_ref().filter(|_| dialect == Dialect::Query);
    if !rules.own.keys.is_empty() && is_signed(target) {
        let verified = verify(target, &rules.own.keys).map_err(refused)?;
        return Ok((verified.target, verified.expires_s));
    }
    if let Some(token) = token {
        return match imgix_signature(target) {
            Some((signed, given)) => {
                let is_right = is_same(imgix(token.as_ref(), signed).as_bytes(), given.as_bytes());
                if is_right { Ok((signed, None)) } else { Err(refused(SignatureError::Wrong)) }
            }
            None if rules.imgix.unsigned => Ok((target, None)),
            None => {
                Err(refuse(dialect, Fault::Signature, "the url has to be signed: s= as its last parameter"))
            }
        };
    }
    if rules.own.keys.is_empty() || rules.own.unsigned {
        return Ok((target, None));
    }
    Err(refused(SignatureError::Missing))
}

/// What the rules sign themselves: imgix's URLs where there is a token, else with our own first key. A target of
/// imgproxy's is signed by its printer.
pub(super) fn signed(dialect: Dialect, target: String, rules: &Rules, expires_s: Option<u64>) -> String {
    match (dialect, &rules.imgix.token, rules.own.keys.first()) {
        (Dialect::Imgproxy, _, _) => target,
        (Dialect::Query, Some(token), _) => {
            format!("{target}{}s={}", joint(&target), imgix(token.as_ref(), &target))
        }
        (_, _, Some(key)) => sign(&target, key.as_ref(), expires_s),
        (_, _, None) => target,
    }
}

/// What is signed of an imgix URL, and the signature.
fn imgix_signature(target: &str) -> Option<(&str, &str)> {
    let (signed, last) = target.rsplit_once(['?', '&'])?;
    Some((signed, last.strip_prefix("s=")?))
}

/// MD5 is what imgix has; whoever can choose sends [`sign`]'s.
fn imgix(token: &[u8], signed: &str) -> String {
    let mut hash = Md5::new();
    hash.update(token);
    hash.update(signed.as_bytes());
    HEXLOWER.encode(&hash.finalize())
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differing) == 0
}

/// imgproxy's signature of a path that begins with the slash after the signature.
pub(super) fn imgproxy(pair: &Pair, path: &str, bytes: usize) -> String {
    let mac = authenticated(pair.key.as_ref(), &[pair.salt.as_ref(), path.as_bytes()]);
    let mac = mac.finalize().into_bytes();
    BASE64URL_NOPAD.encode(mac.get(..bytes.clamp(1, 32)).unwrap_or(&mac))
}

/// Judges what stands in place of imgproxy's signature.
///
/// # Errors
/// 403 `Forbidden`, or 403 with a sentence where an option stands there.
pub(super) fn check_imgproxy(given: &str, path: &str, rules: &ImgproxyRules) -> Result<(), Refusal> {
    let forbidden = |reason: &str| refuse(Dialect::Imgproxy, Fault::Signature, reason);
    if given.contains(':') {
        let sentence = "The signature is missing: an option stands in its place. Write the signature, or unsafe where \
                        none is needed, before the options.";
        return Err(Refusal { body: sentence.into(), ..forbidden(sentence) });
    }
    let is_waived = rules.unsigned && (rules.pairs.is_empty() || UNSIGNED.contains(&given));
    if is_waived {
        return Ok(());
    }
    if rules.pairs.is_empty() {
        return Err(forbidden("no keys are configured, and paths without a signature are not allowed"));
    }
    let tag = BASE64URL_NOPAD
        .decode(given.as_bytes())
        .map_err(|_| forbidden("the signature is not base64url without padding"))?;
    if tag.len() != rules.signature_bytes.clamp(1, 32) {
        return Err(forbidden("the signature is of another length than the configured one"));
    }
    let mut is_right = false;
    for Pair { key, salt } in &rules.pairs {
        let mac = authenticated(key.as_ref(), &[salt.as_ref(), path.as_bytes()]);
        is_right |= mac.verify_truncated_left(&tag).is_ok();
    }
    if is_right { Ok(()) } else { Err(forbidden("the signature does not fit the path")) }
}

#[cfg(test)]
mod tests;

//! Bearer tokens and their scopes.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use overfall_config::{AdminToken, Config, Scope, Secret};

use super::problem::Problem;
use crate::fleet::Fleet;

/// Name of the token that a node makes for itself.
const OWN_TOKEN: &str = "admin-token";

/// Who asks, and what the token allows.
pub(super) struct Caller {
    name: String,
    scopes: Vec<Scope>,
}

impl Caller {
    /// The token's name, when it has the scope.
    pub(super) fn require(&self, scope: Scope) -> Result<&str, Problem> {
        if self.scopes.contains(&scope) {
            return Ok(&self.name);
        }
        let needed = match scope {
            Scope::Read => "read",
            Scope::Purge => "purge",
            Scope::Operate => "operate",
        };
        Err(Problem::new(StatusCode::FORBIDDEN, format!("this token lacks the scope {needed:?}")))
    }
}

impl FromRequestParts<Arc<Fleet>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, fleet: &Arc<Fleet>) -> Result<Self, Problem> {
        let sent = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = sent.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        let refused = |detail| Problem::new(StatusCode::UNAUTHORIZED, detail);
        let bearer = bearer.ok_or_else(|| refused("send the header `Authorization: Bearer <token>`"))?;
        let tokens = fleet.tokens();
        // every token is compared, so that the time says nothing about which one is near
        let found = tokens.into_iter().fold(None, |found, token| {
            if is_same(token.token.reveal().as_bytes(), bearer.as_bytes()) { Some(token) } else { found }
        });
        let token = found.ok_or_else(|| refused("this token is not known here"))?;
        Ok(Self { name: token.name, scopes: token.scopes })
    }
}

/// Compares in time that depends on the lengths alone.
fn is_same(expected: &[u8], sent: &[u8]) -> bool {
    let differing = expected.iter().zip(sent).fold(0_u8, |bits, (a, b)| bits | (a ^ b));
    expected.len() == sent.len() && differing == 0
}

/// Where a node keeps the token that it made for itself.
fn own_token_path(state: &Path) -> PathBuf {
    state.join(OWN_TOKEN)
}

/// Makes sure that the admin API has a token: without one in the configuration, a random one is kept in the state
/// folder, readable by its owner only.
///
/// # Errors
/// When the file can't be read or written.
pub fn ensure_token(config: &mut Config) -> io::Result<Option<PathBuf>> {
    if config.admin.listen.is_none() || !config.admin.tokens.is_empty() {
        return Ok(None);
    }
    let path = own_token_path(&config.node.state);
    let token = match fs::read_to_string(&path) {
        Ok(token) if !token.trim().is_empty() => token.trim().to_owned(),
        _ => create(&path)?,
    };
    config.admin.tokens.push(AdminToken {
        name: "local".to_owned(),
        token: Secret::new(token),
        scopes: vec![Scope::Read, Scope::Purge, Scope::Operate],
    });
    Ok(Some(path))
}

fn create(path: &Path) -> io::Result<String> {
    let token = random_token()?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

/// 128 random bits in hexadecimal.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_token() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_whole_token_is_the_same() {
        assert!(is_same(b"secret", b"secret"));
        for other in [&b"secre"[..], b"secret1", b"", b"Secret"] {
            assert!(!is_same(b"secret", other), "{other:?}");
        }
    }
}

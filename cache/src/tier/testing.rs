//! Responses for the tests of tiers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{
    clock::Millis,
    key::Key,
    stored::{Kind, Lifetime, Position, ResponseHead, Scopes, Stored, StoredRef},
};

/// The key of a target.
pub(super) fn key(target: &str) -> Key {
    Key {
        site: "demo".to_owned(),
        host: "demo.example".to_owned(),
        target: target.to_owned(),
        variant: String::new(),
    }
}

/// A response for a target.
pub(super) fn stored(target: &str, body: impl Into<Bytes>) -> StoredRef {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Arc::new(Stored {
        key: key(target),
        head: ResponseHead { status: StatusCode::OK, headers },
        body: body.into(),
        lifetime: Lifetime {
            received: Millis(1_700_000_000_000),
            initial_age_ms: 0,
            fresh_ms: 60_000,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            always_validate: false,
            never_stale: false,
        },
        position: Position { epoch: 1, seq: 2 },
        scopes: Scopes { tags: vec!["loader".to_owned()], sources: Vec::new() },
        vary: Vec::new(),
        codings: Vec::new(),
        kind: Kind::Response,
    })
}

/// A body of this length that no other seed has.
pub(super) fn body(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    bytes.flatten().take(length).collect()
}

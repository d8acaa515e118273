//! Fresh responses from memory, at once: no waiting, no copy, no allocation.
//!
//! The rules are those of the ordinary way ([`Engine::serve`]), and whatever they leave to do (validate, fetch, choose a
//! part of the body) is left to it. The caller vouches for the request: a GET or HEAD without conditions, ranges,
//! credentials and cache directives, whose answer no field but `Accept-Encoding` selects.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::{Engine, LAST_GOOD, lookup::MEMORY, vary_variant};
use crate::{
    cache_control::RequestDirectives,
    clock::Millis,
    encoding::{self, Accepted, Choice},
    freshness::{self, Use},
    key::KeyRef,
    policy::Policy,
    stored::{Kind, Stored},
    tier::hybrid::Resident,
    vary,
};

/// An answer from memory, ready to be sent.
pub struct MemoryHit {
    resident: Resident,
    head: Bytes,
    body: Bytes,
    age_ms: u64,
}

impl MemoryHit {
    /// Name of the tier, for `Cache-Status`, logs and metrics.
    pub const TIER: &'static str = MEMORY;

    /// The stored response.
    #[must_use]
    pub fn stored(&self) -> &Stored {
        self.resident.stored()
    }

    /// Status line and fields as HTTP/1.1 text; see [`crate::wire::head`] for what is missing.
    #[must_use]
    pub const fn head(&self) -> &Bytes {
        &self.head
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// `Age` (RFC 9111 section 5.1), in seconds.
    #[must_use]
    pub const fn age_s(&self) -> u64 {
        self.age_ms / 1000
    }

    /// Freshness left, in seconds.
    #[must_use]
    pub fn ttl_s(&self) -> u64 {
        self.stored().lifetime.fresh_ms.saturating_sub(self.age_ms) / 1000
    }
}

impl Engine {
    /// The fresh response that memory holds for a key, which must have no variant. `None`: ask [`Self::serve`].
    #[must_use]
    pub fn memory_hit(
        &self,
        key: KeyRef<'_>,
        accept_encoding: Option<&[u8]>,
        policy: &Policy,
    ) -> Option<MemoryHit> {
        // a site that makes the codings asks its origins for the plain body, whatever the client takes
        let asked = if policy.compress.is_some() { Some(&b"identity"[..]) } else { accept_encoding };
        let now = self.clock.now();
        let plain = self.fresh(key, now)?;
        let resident = match plain.stored().kind {
            Kind::Response => plain,
            Kind::VaryMarker => self.selected(key, &plain.stored().vary, asked, now)?,
            Kind::Sliced { .. } | Kind::Slice | Kind::Part => return None,
        };
        if resident.stored().head.headers.contains_key(LAST_GOOD) {
            // the answer has to say what it is
            return None;
        }
        let choice = match policy.compress {
            Some(_) => encoding::choose(Accepted::parse(accept_encoding.into_iter()), resident.stored()),
            None => Choice::Stored,
        };
        let head = resident.wire_head(choice)?.clone();
        let body = match choice {
            Choice::Coded(coded) => coded.body.clone(),
            Choice::Stored | Choice::Undone(_) => resident.stored().body.clone(),
        };
        let age_ms = freshness::age_ms(&resident.stored().lifetime, now);
        self.hybrid.count_hit();
        Some(MemoryHit { resident, head, body, age_ms })
    }

    /// The variant for this `Accept-Encoding`, when nothing else selects it.
    fn selected(
        &self,
        key: KeyRef<'_>,
        names: &[String],
        accept_encoding: Option<&[u8]>,
        now: Millis,
    ) -> Option<Resident> {
        let [name] = names else { return None };
        if name != header::ACCEPT_ENCODING.as_str() {
            return None;
        }
        let mut fields = HeaderMap::new();
        if let Some(value) = accept_encoding {
            fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_bytes(value).ok()?);
        }
        let variant = vary_variant(key.variant, &vary::variant(names, &fields));
        let resident = self.fresh(KeyRef { variant: &variant, ..key }, now)?;
        (resident.stored().kind == Kind::Response).then_some(resident)
    }

    fn fresh(&self, key: KeyRef<'_>, now: Millis) -> Option<Resident> {
        let resident = self.hybrid.resident(key, key.hash())?;
        let coverage = self.purges.coverage(resident.stored());
        let usage =
            freshness::judge(&resident.stored().lifetime, coverage, &RequestDirectives::default(), now);
        (usage == Use::Fresh).then_some(resident)
    }
}

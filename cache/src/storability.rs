//! May a response be stored by a shared cache? RFC 9111 section 3.
//!
//! It judges heads only: whether there is room, and whether the body fits, is the engine's business. In doubt a response
//! is not stored: a miss costs time, another reader's page costs trust.

use http::{HeaderMap, StatusCode, header};

use crate::{
    cache_control::{self, Directives},
    freshness::{self, Basis},
    policy::Policy,
    stored::ResponseHead,
    vary::{self, Vary},
};

#[cfg(test)]
mod tests;

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStored {
    /// The request or the response says `no-store` (RFC 9111 sections 5.2.1.5 and 5.2.2.5).
    NoStore,
    /// `private` (RFC 9111 section 5.2.2.7).
    Private,
    /// The request had credentials and the response does not allow sharing (RFC 9111 section 3.5).
    Authorization,
    /// `Vary: *`, or more names than are told apart (RFC 9111 section 4.1).
    VaryStar,
    /// It sets a cookie, which is meant for one client, and does not say that it may be shared.
    SetCookie,
    /// 206: partial content is not stored.
    Partial,
    /// The status is not final, or is not stored without explicit freshness.
    Status(u16),
    /// Nothing says how long it may be used.
    NoFreshness,
}

impl NotStored {
    /// A token for `Cache-Status` and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::VaryStar => "vary-star",
            Self::SetCookie => "set-cookie",
            Self::Partial => "partial",
            Self::Status(_) => "status",
            Self::NoFreshness => "no-freshness",
        }
    }
}

/// Judges a response to a GET; `head` still has its targeted fields.
///
/// # Errors
/// The reason not to store it.
pub fn judge(request: &HeaderMap, head: &ResponseHead, policy: &Policy) -> Result<(), NotStored> {
    let directives = cache_control::response(&head.headers);
    judge_status(head.status)?;
    // must-understand lets a cache that knows the status look past no-store, and forbids it to others (section 5.2.2.3)
    let forbids = if directives.must_understand { !is_understood(head.status) } else { directives.no_store };
    if forbids || cache_control::request(request).no_store {
        return Err(NotStored::NoStore);
    }
    if directives.private {
        return Err(NotStored::Private);
    }
    if request.contains_key(header::AUTHORIZATION) && !allows_sharing(&directives) {
        return Err(NotStored::Authorization);
    }
    if vary::names(&head.headers) == Vary::Star {
        return Err(NotStored::VaryStar);
    }
    // RFC 9111 section 7.3 leaves it to the origin, but one that forgot `private` would hand a session to all readers
    let is_shared = policy.stores_cookies || directives.public || directives.s_maxage_s.is_some();
    if head.headers.contains_key(header::SET_COOKIE) && !is_shared {
        return Err(NotStored::SetCookie);
    }
    judge_freshness(head, &directives, policy)
}

/// RFC 9111 section 3: final, and neither partial nor an answer to a condition.
fn judge_status(status: StatusCode) -> Result<(), NotStored> {
    match status {
        StatusCode::PARTIAL_CONTENT => Err(NotStored::Partial),
        StatusCode::NOT_MODIFIED => Err(NotStored::Status(status.as_u16())),
        _ if status.is_informational() => Err(NotStored::Status(status.as_u16())),
        _ => Ok(()),
    }
}

/// Without a basis nothing is stored: such pages are as a rule made for one reader, and who stores them also shares them
/// among readers that ask at once. Only a response that says `no-cache`, and so is used for nobody unless its origin
/// confirms it, is kept for that if it can be asked after.
fn judge_freshness(head: &ResponseHead, directives: &Directives, policy: &Policy) -> Result<(), NotStored> {
    match freshness::basis(head, directives, policy) {
        Basis::Explicit | Basis::Site | Basis::Heuristic => Ok(()),
        Basis::Unknown
            if directives.no_cache && is_heuristic(head.status) && has_validator(&head.headers) =>
        {
            Ok(())
        }
        Basis::Unknown if directives.public || is_heuristic(head.status) => Err(NotStored::NoFreshness),
        Basis::Unknown => Err(NotStored::Status(head.status.as_u16())),
    }
}

fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

/// RFC 9111 section 3.5.
const fn allows_sharing(directives: &Directives) -> bool {
    directives.public || directives.must_revalidate || directives.s_maxage_s.is_some()
}

/// Statuses that may be stored without explicit freshness (RFC 9110 section 15.1), but 206.
pub(crate) fn is_heuristic(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Statuses of RFC 9110 section 15 whose storing is understood.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

//! Invalidation by unsafe methods: what a successful POST, PUT or DELETE speaks of is not served from storage any more.
//! RFC 9111 section 4.4.
//!
//! The target, `Location` and `Content-Location` go through the purge log like an operator's purge, but only when
//! something is stored under them: a visitor can make the log grow no faster than the cache fills. Other hosts are never
//! touched.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, StatusCode, header};
use overfall_cache::{key::Key, purge::Selector};

use crate::{admission::canonical_host, key, node::Node, route::SiteRoute};

/// Tiers that take longer to say what they hold are taken to hold it.
const LOOKUP_PATIENCE: Duration = Duration::from_millis(250);
/// A log that takes longer to write is worked around.
pub(crate) const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// Invalidates what the answer to an unsafe request may have changed, and returns when it is no longer served.
pub(crate) async fn after(
    node: &Node,
    route: &Arc<SiteRoute>,
    request: (&Method, &str, &str),
    status: StatusCode,
    headers: &HeaderMap,
) {
    let (method, host, target) = request;
    if method.is_safe() || !(status.is_success() || status.is_redirection()) {
        return;
    }
    let mut selectors: Vec<Selector> = Vec::new();
    for target in targets(host, target, headers) {
        let Key { host, target, .. } = key::plain(&route.site, host, &target);
        let Ok(selector) = Selector::url(&host, &target) else { continue };
        let key = Key { site: route.site.name.clone(), host, target, variant: String::new() };
        if selectors.contains(&selector) {
            continue;
        }
        let held = tokio::time::timeout(LOOKUP_PATIENCE, node.engine().may_hold(&key)).await;
        if held.unwrap_or(true) {
            selectors.push(selector);
        }
    }
    if !selectors.is_empty() {
        node.invalidate(selectors).await;
    }
}

/// The request's own target, then those that the answer names on the same host, as paths with their queries.
fn targets(host: &str, target: &str, headers: &HeaderMap) -> Vec<String> {
    let mut targets = vec![target.to_owned()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let reference = headers.get(name).and_then(|value| value.to_str().ok());
        targets.extend(reference.and_then(|reference| resolve(host, target, reference.trim())));
    }
    targets
}

/// A URI reference against the request's target (RFC 3986 section 5.2); none when it leads to another host.
fn resolve(host: &str, target: &str, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    if let Some((scheme, rest)) = reference.split_once("://")
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        return is_web.then(|| on_host(host, rest)).flatten();
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return on_host(host, rest);
    }
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    match reference.as_bytes().first() {
        None => Some(target.to_owned()),
        Some(b'/') => Some(reference.to_owned()),
        Some(b'?') => Some(format!("{path}{reference}")),
        Some(_) => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            Some(without_dots(&format!("{folder}/{reference}")))
        }
    }
}

/// `authority/path?query`, if the authority is this host.
fn on_host(host: &str, rest: &str) -> Option<String> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    if canonical_host(authority).ok()? != host {
        return None;
    }
    Some(if target.starts_with('/') { target.to_owned() } else { format!("/{target}") })
}

/// RFC 3986 section 5.2.4, for a path that begins with a slash; the query stays.
fn without_dots(target: &str) -> String {
    let (path, query) = target.find('?').and_then(|at| target.split_at_checked(at)).unwrap_or((target, ""));
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.split('/').skip(1) {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let slash = if ends_in_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn references_are_resolved_against_the_target() {
        let table = [
            ("", Some("/a/b?q=1")),
            ("#top", Some("/a/b?q=1")),
            ("?q=2", Some("/a/b?q=2")),
            ("c", Some("/a/c")),
            ("c?x=/../y", Some("/a/c?x=/../y")),
            ("./c", Some("/a/c")),
            ("../c", Some("/c")),
            ("../../../c", Some("/c")),
            ("..", Some("/")),
            ("d/..", Some("/a/")),
            ("/c/../d", Some("/c/../d")),
            ("//www.site.test/c", Some("/c")),
            ("//WWW.Site.Test:8080/c", Some("/c")),
            ("//other.test/c", None),
            ("https://www.site.test/c?d", Some("/c?d")),
            ("http://www.site.test", Some("/")),
            ("HTTP://www.site.test?d", Some("/?d")),
            ("https://www.site.test.other.test/", None),
            ("https://user@www.site.test/c", None),
            ("ftp://www.site.test/c", None),
        ];
        for (reference, wanted) in table {
            assert_eq!(resolve("www.site.test", "/a/b?q=1", reference).as_deref(), wanted, "{reference:?}");
        }
    }

    #[test]
    fn the_target_counts_always_and_what_the_answer_names_besides() {
        let mut headers = HeaderMap::new();
        assert_eq!(targets("h.test", "/a", &headers), ["/a"]);
        headers.insert(header::LOCATION, HeaderValue::from_static("/b"));
        headers.insert(header::CONTENT_LOCATION, HeaderValue::from_static("https://else.test/c"));
        assert_eq!(targets("h.test", "/a", &headers), ["/a", "/b"]);
    }
}

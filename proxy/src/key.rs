//! From request to cache key, and from a purge's URL to the same base.

use http::{HeaderMap, HeaderValue, Method, header};
use overfall_cache::{encoding::Accepted, engine::Request, key::Key, purge::Selector, target};
use overfall_config::{QueryRule, Site};
use overfall_imaging::{dialect, path::Source};

use crate::{
    admission::{Refusal, canonical_host},
    route::{IMAGE_PREFIX, Routes, SiteRoute},
};

/// Key of a plain response.
#[must_use]
pub fn plain(site: &Site, host: &str, path_and_query: &str) -> Key {
    Key {
        site: site.name.clone(),
        host: host.to_owned(),
        target: target::normalise(path_and_query, &site.query),
        variant: String::new(),
    }
}

/// The engine's request for a plain response of a site.
#[must_use]
pub fn request(
    route: &SiteRoute,
    method: Method,
    host: &str,
    path_and_query: &str,
    mut headers: HeaderMap,
    request_id: u128,
) -> Request {
    let key = plain(&route.site, host, path_and_query);
    let accepted = Accepted::of(&headers);
    if route.policy.compress.is_some() {
        // one fetch for all codings: they are made here
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    Request {
        method,
        headers,
        accepted,
        host: host.to_owned(),
        // what is not in the key must not decide the answer, or one client could choose what another gets
        path_and_query: key.target.clone(),
        key,
        policy: std::sync::Arc::clone(&route.policy),
        waterfall: std::sync::Arc::clone(&route.waterfall),
        request_id,
        is_trusted: false,
    }
}

/// Splits an absolute `http(s)` URL into canonical host and raw target.
///
/// # Errors
/// 400 with the reason.
pub fn split_url(url: &str) -> Result<(String, String), Refusal> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or_else(|| Refusal::new(400, format!("{url:?} is not an absolute http or https URL")))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = canonical_host(authority)?;
    if host.is_empty() {
        return Err(Refusal::new(400, format!("{url:?} names no host")));
    }
    let tail = tail.split('#').next().unwrap_or_default();
    let target = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
    Ok((host, target))
}

/// Selectors for one URL. An image URL stands for its source: the rendering and its siblings go together. A URL without
/// host (`/path`) means every host of the named site.
///
/// # Errors
/// What is wrong with the URL, in words.
pub fn purge_url(routes: &Routes, site: Option<&str>, url: &str) -> Result<Vec<Selector>, String> {
    let mut selectors = Vec::new();
    for (host, target) in places(routes, site, url)? {
        let (host, target) = match image_source(routes, &host, &target)? {
            Some(source) => source,
            None => (host, target),
        };
        for rule in rules(routes, &host)? {
            let target = target::normalise(&target, rule);
            let selector = Selector::url(&host, &target).map_err(|error| error.to_string())?;
            if !selectors.contains(&selector) {
                selectors.push(selector);
            }
        }
    }
    Ok(selectors)
}

/// The query rules under which responses of a host may be stored: its site's, or those of the sites that take images
/// from it.
fn rules<'a>(routes: &'a Routes, host: &str) -> Result<Vec<&'a QueryRule>, String> {
    let takes_from =
        |site: &Site| site.images.iter().any(|images| images.sources.iter().any(|source| source == host));
    let sites = routes.sites().iter().map(|route| &route.site);
    let rules: Vec<_> = sites
        .filter(|site| site.hosts.iter().any(|own| own == host) || takes_from(site))
        .map(|site| &site.query)
        .collect();
    if rules.is_empty() {
        return Err(format!("no site has the host {host:?}, and none takes images from it"));
    }
    Ok(rules)
}

/// Selectors for `host/path-prefix`, with or without a scheme, or `/path-prefix` of a named site.
///
/// # Errors
/// What is wrong with the prefix, in words.
pub fn purge_prefix(routes: &Routes, site: Option<&str>, prefix: &str) -> Result<Vec<Selector>, String> {
    if prefix.contains(['?', '#']) {
        return Err(format!("prefix {prefix:?} has a query; give host and path only"));
    }
    let has_scheme = prefix.starts_with("http://") || prefix.starts_with("https://");
    let url =
        if has_scheme || prefix.starts_with('/') { prefix.to_owned() } else { format!("https://{prefix}") };
    let places = places(routes, site, &url)?;
    let build = |(host, target): (String, String)| {
        rules(routes, &host)?;
        let target = target::normalise(&target, &QueryRule::None);
        if target.starts_with(IMAGE_PREFIX) {
            return Err(format!(
                "renderings go with their source: give the source's prefix, not {IMAGE_PREFIX}"
            ));
        }
        Selector::prefix(&host, &target).map_err(|error| error.to_string())
    };
    places.into_iter().map(build).collect()
}

/// The selector for a host.
///
/// # Errors
/// When the host is malformed or not one of the named site's.
pub fn purge_host(routes: &Routes, site: Option<&str>, host: &str) -> Result<Selector, String> {
    let host = canonical_host(host).map_err(|refusal| refusal.message)?;
    belongs(routes, site, &host)?;
    rules(routes, &host)?;
    Selector::host(&host).map_err(|error| error.to_string())
}

/// Hosts and targets that a URL or a bare path stands for.
fn places(routes: &Routes, site: Option<&str>, url: &str) -> Result<Vec<(String, String)>, String> {
    if url.starts_with('/') {
        let route = site.and_then(|site| routes.site_named(site));
        let route =
            route.ok_or_else(|| format!("{url:?} has no host: name a \"site\" or give a whole URL"))?;
        return Ok(route.site.hosts.iter().map(|host| (host.clone(), url.to_owned())).collect());
    }
    let (host, target) = split_url(url).map_err(|refusal| refusal.message)?;
    belongs(routes, site, &host)?;
    Ok(vec![(host, target)])
}

fn belongs(routes: &Routes, site: Option<&str>, host: &str) -> Result<(), String> {
    let Some(route) = site.and_then(|site| routes.site_named(site)) else { return Ok(()) };
    let is_source =
        || route.site.images.iter().any(|images| images.sources.iter().any(|source| source == host));
    if route.site.hosts.iter().any(|own| own == host) || is_source() {
        return Ok(());
    }
    Err(format!(
        "{host:?} is not a host of site {:?}; hosts: {}",
        route.site.name,
        route.site.hosts.join(", ")
    ))
}

/// Host and target of an image URL's source; none: it is no image URL.
fn image_source(routes: &Routes, host: &str, target: &str) -> Result<Option<(String, String)>, String> {
    let images = routes.find(host).and_then(|route| route.images.as_ref());
    let Some(images) = images else {
        let reason = || format!("images are not switched on for {host:?}");
        return if target.starts_with(IMAGE_PREFIX) { Err(reason()) } else { Ok(None) };
    };
    let Some(claim) = dialect::of_target(target, &images.enabled, &images.rules) else { return Ok(None) };
    let parsed = dialect::parse(claim.dialect, target, &images.rules).map_err(|refusal| refusal.reason)?;
    Ok(Some(match parsed.source {
        Source::Path(target) => (host.to_owned(), target),
        Source::Url { host, path_and_query, .. } => {
            (canonical_host(&host).map_err(|refusal| refusal.message)?, path_and_query)
        }
    }))
}

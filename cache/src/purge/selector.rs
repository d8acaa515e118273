//! Selectors as people and scripts write them, made canonical or refused with what would be right.
//!
//! A selector that differs from the cache's own spelling by one letter purges nothing and says nothing, so everything
//! that can't match is refused here. Queries are not normalised: that is each site's key rule.

use super::Selector;

/// Longest surrogate key, in bytes.
pub const TAG_BYTES_MAX: usize = 128;
/// Longest target, in bytes: the longest that a request may have.
pub const TARGET_BYTES_MAX: usize = 16 * 1024;
/// Longest prefix, in bytes.
pub const PREFIX_BYTES_MAX: usize = 2 * 1024;
/// RFC 1035 section 2.3.4.
const HOST_BYTES_MAX: usize = 253;
/// Part of a refused value that an error repeats, in characters.
const SHOWN_MAX: usize = 80;

/// Why a selector was refused, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Not a site name.
    #[error(
        "site {0:?} is not a site name: write it as the configuration does, lower-case letters, digits, \"-\" and \"_\""
    )]
    Site(String),
    /// Not a host.
    #[error(
        "host {0:?} is not a host name: write it without scheme, port, path and wildcard, like \"www.example.com\""
    )]
    Host(String),
    /// Not a path with its query.
    #[error(
        "target {0:?} is not a path: it begins with \"/\", has no fragment, no spaces and at most {max} bytes",
        max = TARGET_BYTES_MAX
    )]
    Target(String),
    /// Not the beginning of a path.
    #[error(
        "prefix {0:?} is not the beginning of a path: it begins with \"/\", has no \"*\" at its end, no fragment, no \
         spaces and at most {max} bytes",
        max = PREFIX_BYTES_MAX
    )]
    Prefix(String),
    /// Not a surrogate key.
    #[error(
        "surrogate key {0:?} can't exist: it has 1 to {max} printable ASCII characters without space and comma",
        max = TAG_BYTES_MAX
    )]
    Tag(String),
    /// Not a URL.
    #[error("url {0:?} is not a URL: write \"https://host/path\", \"http://host/path\" or \"host/path\"")]
    Url(String),
}

impl Selector {
    /// Everything of a site.
    ///
    /// # Errors
    /// [`SelectorError::Site`] for what can't be a site's name.
    pub fn site(site: &str) -> Result<Self, SelectorError> {
        Ok(Self::Site { site: site_name(site)? })
    }

    /// Everything of a host; upper case and a final dot are made canonical.
    ///
    /// # Errors
    /// [`SelectorError::Host`]; a port, scheme, path or wildcard is refused.
    pub fn host(host: &str) -> Result<Self, SelectorError> {
        Ok(Self::Host { host: host_name(host)? })
    }

    /// One URL by host and target; the query as the site's key has it.
    ///
    /// # Errors
    /// [`SelectorError::Host`] or [`SelectorError::Target`].
    pub fn url(host: &str, target: &str) -> Result<Self, SelectorError> {
        let host = host_name(host)?;
        if !is_target(target, TARGET_BYTES_MAX) {
            return Err(SelectorError::Target(shown(target)));
        }
        Ok(Self::Url { host, target: target.to_owned() })
    }

    /// One URL as a browser shows it. Scheme and port are dropped, since keys have neither; an empty path is `/`.
    ///
    /// # Errors
    /// [`SelectorError::Url`] for another scheme or user information, else as [`Self::url`].
    pub fn parse_url(url: &str) -> Result<Self, SelectorError> {
        let (host, target) = split_url(url)?;
        Self::url(&host, &target)
    }

    /// Every URL of a host whose target begins with `prefix`.
    ///
    /// # Errors
    /// [`SelectorError::Host`] or [`SelectorError::Prefix`].
    pub fn prefix(host: &str, prefix: &str) -> Result<Self, SelectorError> {
        let host = host_name(host)?;
        if !is_target(prefix, PREFIX_BYTES_MAX) || prefix.ends_with('*') {
            return Err(SelectorError::Prefix(shown(prefix)));
        }
        Ok(Self::Prefix { host, prefix: prefix.to_owned() })
    }

    /// [`Self::prefix`] written as the beginning of a URL: `www.example.com/blog/`, with or without scheme.
    ///
    /// # Errors
    /// As [`Self::parse_url`] and [`Self::prefix`].
    pub fn parse_prefix(url: &str) -> Result<Self, SelectorError> {
        let (host, prefix) = split_url(url)?;
        Self::prefix(&host, &prefix)
    }

    /// Every response of a site with this surrogate key. Case matters.
    ///
    /// # Errors
    /// [`SelectorError::Site`] or [`SelectorError::Tag`].
    pub fn tag(site: &str, tag: &str) -> Result<Self, SelectorError> {
        let site = site_name(site)?;
        let is_tag = !tag.is_empty()
            && tag.len() <= TAG_BYTES_MAX
            && tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        if is_tag { Ok(Self::Tag { site, tag: tag.to_owned() }) } else { Err(SelectorError::Tag(shown(tag))) }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

fn site_name(site: &str) -> Result<String, SelectorError> {
    let is_name = !site.is_empty()
        && site.len() <= HOST_BYTES_MAX
        && site
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'));
    if is_name { Ok(site.to_owned()) } else { Err(SelectorError::Site(shown(site))) }
}

fn host_name(host: &str) -> Result<String, SelectorError> {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let is_name = name.len() <= HOST_BYTES_MAX && name.split('.').all(is_label);
    if is_address || is_name { Ok(name) } else { Err(SelectorError::Host(shown(host))) }
}

fn is_target(target: &str, bytes_max: usize) -> bool {
    target.starts_with('/')
        && target.len() <= bytes_max
        && target.bytes().all(|byte| byte > b' ' && byte != 0x7f && byte != b'#')
}

fn split_url(url: &str) -> Result<(String, String), SelectorError> {
    let refused = || SelectorError::Url(shown(url));
    let rest = match url.split_once("://") {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") =>
        {
            rest
        }
        // a scheme inside a query belongs to the query
        Some((before, _)) if before.contains(['/', '?']) => url,
        Some(_) => return Err(refused()),
        None => url,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (Some(authority), Some(target)) = (rest.get(..end), rest.get(end..)) else { return Err(refused()) };
    if authority.is_empty() || authority.contains('@') {
        return Err(refused());
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            port.parse::<u16>().map_err(|_| refused())?;
            host
        }
        _ => authority,
    };
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok((host.to_owned(), target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_become_canonical() {
        let canonical = Selector::Host { host: "www.example.com".to_owned() };
        for host in ["www.example.com", "WWW.Example.COM", "www.example.com."] {
            assert_eq!(Selector::host(host), Ok(canonical.clone()), "{host}");
        }
        assert_eq!(Selector::host("[::1]"), Ok(Selector::Host { host: "[::1]".to_owned() }));
    }

    #[test]
    fn refuses_what_is_not_a_host_and_says_what_is() {
        let long = "a".repeat(254);
        for host in [
            "",
            ".",
            "a..b",
            "a:80",
            "https://a",
            "a/b",
            "*.example.com",
            "a b",
            "ä.de",
            "[::1",
            "[x]",
            &long,
        ] {
            let error = Selector::host(host).expect_err(host);
            assert!(error.to_string().contains("like \"www.example.com\""), "{error}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            ("https://A.example/x?y=1", "a.example", "/x?y=1"),
            ("http://a.example:8080/x", "a.example", "/x"),
            ("a.example", "a.example", "/"),
            ("a.example?q=1", "a.example", "/?q=1"),
            ("a.example/go?to=https://b.example/", "a.example", "/go?to=https://b.example/"),
            ("https://[2001:db8::1]:443/x", "[2001:db8::1]", "/x"),
            ("https://[2001:db8::1]/x", "[2001:db8::1]", "/x"),
        ];
        for (url, host, target) in cases {
            let expected = Selector::Url { host: host.to_owned(), target: target.to_owned() };
            assert_eq!(Selector::parse_url(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_url() {
        for url in
            ["", "/x", "ftp://a/x", "https:///x", "https://u:p@a/x", "a:port/x", "a:70000/x", "https://a:/x"]
        {
            assert_eq!(Selector::parse_url(url), Err(SelectorError::Url(url.to_owned())), "{url}");
        }
        assert!(matches!(Selector::parse_url("https://a/x#y"), Err(SelectorError::Target(_))));
        assert!(matches!(Selector::parse_url("https://a b/x"), Err(SelectorError::Host(_))));
    }

    #[test]
    fn refuses_targets_that_no_request_has() {
        let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX));
        for target in ["", "x", "https://a/x", "/a b", "/a\n", "/a#b", "/\u{7f}", &long] {
            let error = Selector::url("a.example", target).expect_err(target);
            assert!(error.to_string().contains("begins with \"/\""), "{error}");
            assert!(error.to_string().len() < 400, "an error repeats a bounded part");
        }
    }

    #[test]
    fn refuses_prefixes_that_match_nothing() {
        let long = format!("/{}", "a".repeat(PREFIX_BYTES_MAX));
        for prefix in ["", "blog/", "/blog/*", "/a b", "/a#b", &long] {
            let error = Selector::prefix("a.example", prefix).expect_err(prefix);
            assert!(matches!(error, SelectorError::Prefix(_)), "{error}");
        }
        let prefix = Selector::parse_prefix("a.example/blog/");
        assert_eq!(
            prefix,
            Ok(Selector::Prefix { host: "a.example".to_owned(), prefix: "/blog/".to_owned() })
        );
    }

    #[test]
    fn refuses_surrogate_keys_that_no_response_carries() {
        let long = "k".repeat(TAG_BYTES_MAX + 1);
        for tag in ["", "a b", "a,b", "ä", "a\n", &long] {
            assert!(matches!(Selector::tag("shop", tag), Err(SelectorError::Tag(_))), "{tag}");
        }
        let longest = "k".repeat(TAG_BYTES_MAX);
        assert!(Selector::tag("shop", &longest).is_ok());
        assert_ne!(Selector::tag("shop", "A"), Selector::tag("shop", "a"), "case matters");
    }

    #[test]
    fn refuses_site_names_that_no_configuration_has() {
        for site in ["", "Shop", "a b", "a/b", "ä"] {
            assert!(matches!(Selector::site(site), Err(SelectorError::Site(_))), "{site}");
            assert!(matches!(Selector::tag(site, "t"), Err(SelectorError::Site(_))), "{site}");
        }
    }
}

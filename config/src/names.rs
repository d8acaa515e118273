//! Names as they may appear in a configuration: identifiers, host names, URLs, networks.
//!
//! One spelling per thing: upper case, trailing dots, ports and user names in the wrong place are refused with the
//! spelling that works, never repaired. Everything here is a pure function of its text.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::{report::quoted, units::Refusal};

/// An `http://` or `https://` address taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl {
    pub(crate) tls: bool,
    /// Host name or address; an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Empty, or begins with `/` and does not end with it.
    pub(crate) path: String,
}

/// A name that appears in logs, headers and metrics: lower-case letters, digits, `-` and `_`.
pub(crate) fn identifier(text: &str) -> Result<String, Refusal> {
    let refused = |why: &str| Refusal::new(format!("{} is not a name: {why}", quoted(text)));
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(refused("it must have 1 to 64 characters"));
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = text.to_ascii_lowercase();
        let help = identifier(&lower).ok().map(|lower| format!("write {}", quoted(&lower)));
        return Err(Refusal {
            help,
            ..refused("only lower-case letters, digits, \"-\" and \"_\" are allowed")
        });
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')) {
        return Err(refused("only lower-case letters, digits, \"-\" and \"_\" are allowed"));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(refused("it must begin with a letter or a digit"));
    }
    Ok(text.to_owned())
}

/// A host name that clients send: lower case, no port, no trailing dot (RFC 1123 section 2.1).
pub(crate) fn host(text: &str) -> Result<String, Refusal> {
    let refused = |why: &str| Refusal::new(format!("{} is not a host name: {why}", quoted(text)));
    if text.starts_with("*.") {
        return Err(
            Refusal::new("host names with \"*\" are not available in this version").help("name every host")
        );
    }
    if text.contains("://") || text.contains('/') {
        return Err(refused("it is a URL").help("write the host alone, such as \"cdn.example.org\""));
    }
    if let Some((name, port)) = text.rsplit_once(':')
        && port.bytes().all(|b| b.is_ascii_digit())
        && !name.contains(':')
    {
        return Err(refused("it has a port").help(format!("write {}", quoted(name))));
    }
    if let Some(name) = text.strip_suffix('.') {
        return Err(refused("it ends with a dot").help(format!("write {}", quoted(name))));
    }
    labels(text).map_err(|why| why.into_refusal(text, "host name"))?;
    Ok(text.to_owned())
}

/// A name in the DNS, given with or without its final dot, returned with it.
pub(crate) fn absolute(text: &str) -> Result<String, Refusal> {
    let name = text.strip_suffix('.').unwrap_or(text);
    labels(name).map_err(|why| why.into_refusal(text, "DNS name"))?;
    Ok(format!("{name}."))
}

/// What is wrong with a dotted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LabelFault {
    Length,
    UpperCase,
    NotAscii,
    Character,
    Label,
    Hyphen,
}

impl LabelFault {
    fn into_refusal(self, text: &str, kind: &str) -> Refusal {
        let refused = |why: &str| Refusal::new(format!("{} is not a {kind}: {why}", quoted(text)));
        match self {
            Self::Length => refused("it must have 1 to 253 characters"),
            Self::UpperCase => {
                refused("upper case").help(format!("write {}", quoted(&text.to_ascii_lowercase())))
            }
            Self::NotAscii => refused("it is not ASCII").help("write international names as \"xn--…\""),
            Self::Character => refused("only letters, digits, \"-\", \"_\" and dots are allowed"),
            Self::Label => refused("each part between dots must have 1 to 63 characters"),
            Self::Hyphen => refused("no part may begin or end with \"-\""),
        }
    }
}

fn labels(name: &str) -> Result<(), LabelFault> {
    if name.is_empty() || name.len() > HOST_BYTES_MAX {
        return Err(LabelFault::Length);
    }
    if !name.is_ascii() {
        return Err(LabelFault::NotAscii);
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(LabelFault::UpperCase);
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > LABEL_BYTES_MAX {
            return Err(LabelFault::Label);
        }
        if !label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err(LabelFault::Character);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(LabelFault::Hyphen);
        }
    }
    Ok(())
}

/// `http(s)://host[:port][/path]`, without user, query and fragment (RFC 9110 section 4.2).
pub(crate) fn http_url(text: &str) -> Result<HttpUrl, Refusal> {
    let refused = |why: &str| Refusal::new(format!("{} is not a usable URL: {why}", quoted(text)));
    let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(refused("it must begin with \"http://\" or \"https://\"")),
    };
    if !rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\')) {
        return Err(refused("it holds a character that must be percent-encoded"));
    }
    if rest.contains(['?', '#']) {
        return Err(refused("a query or fragment cannot be part of it"));
    }
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    if authority.contains('@') {
        // the address would show up in logs, the credential with it
        return Err(Refusal::new("a user or password cannot be part of a URL"));
    }
    let (host, port) = split_port(authority).map_err(refused)?;
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    Ok(HttpUrl { tls, host: url_host(host)?, port, path: path.trim_end_matches('/').to_owned() })
}

/// `host[:port]` for a `Host` field; returned as given.
pub(crate) fn host_and_port(text: &str) -> Result<String, Refusal> {
    let refused = |why: &str| Refusal::new(format!("{} is not a host: {why}", quoted(text)));
    let (host, _) = split_port(text).map_err(refused)?;
    url_host(host)?;
    Ok(text.to_owned())
}

/// Splits off the port of an authority (RFC 3986 section 3.2).
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let after_host = authority.rfind(']').map_or(0, |at| at.saturating_add(1));
    let Some(colon) = authority.get(after_host..).and_then(|rest| rest.rfind(':')) else {
        return Ok((authority, None));
    };
    let (host, port) =
        authority.split_at_checked(after_host.saturating_add(colon)).unwrap_or((authority, ""));
    let digits = port.strip_prefix(':').unwrap_or(port);
    let port = digits.parse::<u16>().ok().filter(|port| *port > 0 && !digits.starts_with('+'));
    port.map(|port| (host, Some(port))).ok_or("the port must be a number from 1 to 65535")
}

/// A host name or address of a URL, brackets removed.
fn url_host(text: &str) -> Result<String, Refusal> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = inner.parse::<Ipv6Addr>();
        return address
            .map(|address| address.to_string())
            .map_err(|_| Refusal::new(format!("{} is not an IPv6 address", quoted(inner))));
    }
    labels(text).map_err(|why| why.into_refusal(text, "host name"))?;
    Ok(text.to_owned())
}

/// `address:port` to listen on; port 0 lets the system choose.
pub(crate) fn socket(text: &str) -> Result<SocketAddr, Refusal> {
    text.parse().map_err(|_| {
        let refused = Refusal::new(format!("{} is not an address with a port", quoted(text)));
        match text.strip_prefix(':').map(str::parse::<u16>) {
            Some(Ok(port)) => refused.help(format!("write \"0.0.0.0:{port}\" or \"[::]:{port}\"")),
            _ => refused
                .help("write for example \"127.0.0.1:8080\" or \"[::]:443\"; host names are not looked up"),
        }
    })
}

/// An address that DNS may answer.
pub(crate) fn address(text: &str) -> Result<IpAddr, Refusal> {
    let Ok(address) = text.parse::<IpAddr>() else {
        return Err(Refusal::new(format!("{} is not an IP address", quoted(text)))
            .help("write for example \"192.0.2.1\" or \"2001:db8::1\""));
    };
    if address.is_unspecified() || address.is_multicast() {
        return Err(Refusal::new(format!("{} is not an address that a client can reach", quoted(text))));
    }
    Ok(address)
}

/// A client network in prefix form, host bits zero (RFC 4632 section 3.1).
pub(crate) fn network(text: &str) -> Result<ipnet::IpNet, Refusal> {
    let Ok(network) = text.parse::<ipnet::IpNet>() else {
        return Err(Refusal::new(format!("{} is not a network", quoted(text)))
            .help("write for example \"10.0.0.0/8\" or \"2001:db8::/32\""));
    };
    if network.trunc() != network {
        return Err(Refusal::new(format!("{} has bits set after its prefix", quoted(text)))
            .help(format!("write \"{}\"", network.trunc())));
    }
    Ok(network)
}

/// An S3 bucket name.
pub(crate) fn bucket(text: &str) -> Result<String, Refusal> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if !(3..=63).contains(&text.len()) || !text.bytes().all(allowed) || text.starts_with(['-', '.']) {
        return Err(Refusal::new(format!("{} is not a bucket name", quoted(text)))
            .help("3 to 63 lower-case letters, digits, \"-\" and \".\""));
    }
    Ok(text.to_owned())
}

/// A key prefix without slashes at its ends; may be empty.
pub(crate) fn prefix(text: &str) -> Result<String, Refusal> {
    let refused = |why: &str| Refusal::new(format!("{} is not a key prefix: {why}", quoted(text)));
    if text.len() > 512 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refused("it must have at most 512 visible ASCII characters"));
    }
    if text.starts_with('/') {
        return Err(refused("it begins with \"/\"").help(format!("write {}", quoted(text.trim_matches('/')))));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Visible ASCII, as it goes into a header or a signature.
pub(crate) fn visible(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > VISIBLE_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
        // the text itself may be a credential and stays out of the message
        return Err(Refusal::new("expected 1 to 4096 visible ASCII characters without spaces"));
    }
    Ok(text.to_owned())
}

/// The candidate that a reader probably meant.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > NAME_BYTES_MAX {
        return None;
    }
    let scored = candidates.filter(|candidate| candidate.len() <= NAME_BYTES_MAX).map(|candidate| {
        let score = strsim::jaro_winkler(text, candidate);
        let slip = strsim::osa_distance(text, candidate) <= 1 && candidate.len() > 2;
        (if slip { score.max(NEAR) } else { score }, candidate)
    });
    scored
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 64;
/// Bytes of a host name (RFC 1035 section 2.3.4, less the root label).
const HOST_BYTES_MAX: usize = 253;
/// Bytes of one label (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// Bytes of a credential.
const VISIBLE_BYTES_MAX: usize = 4096;
/// Similarity from which a candidate is offered.
const NEAR: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_host_names() {
        for text in
            ["localhost", "cdn.example.org", "a-b.c", "127.0.0.1", "xn--bcher-kva.example", "_dmarc.example"]
        {
            assert_eq!(host(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn refuses_host_names_that_no_request_can_match() {
        let long = format!("{}.org", "a".repeat(64));
        let longer = "a.".repeat(127) + "org";
        for text in [
            "",
            ".",
            "a..b",
            "-a.org",
            "a-.org",
            "A.org",
            "bücher.org",
            "a.org.",
            "a.org:80",
            "*.a.org",
            "http://a.org",
            "a b",
            "a\0b",
            "[::1]",
            "::1",
            &long,
            &longer,
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn takes_urls_apart() {
        let url =
            |tls, host: &str, port, path: &str| HttpUrl { tls, host: host.into(), port, path: path.into() };
        assert_eq!(http_url("http://a.org"), Ok(url(false, "a.org", 80, "")));
        assert_eq!(http_url("https://a.org/"), Ok(url(true, "a.org", 443, "")));
        assert_eq!(http_url("https://a.org:8443/x/y/"), Ok(url(true, "a.org", 8443, "/x/y")));
        assert_eq!(http_url("http://[::1]:80/x:1"), Ok(url(false, "::1", 80, "/x:1")));
    }

    #[test]
    fn refuses_urls_that_say_too_much_or_too_little() {
        for text in [
            "a.org",
            "ftp://a.org",
            "http://",
            "http:///x",
            "http://u:p@a.org",
            "http://a.org?x",
            "http://a.org/#x",
            "http://a.org:0",
            "http://a.org:65536",
            "http://a.org:+80",
            "http://a.org:",
            "http://[::1",
            "http://[x]",
            "http://a.org/ü",
            "http://a.org/a b",
            "http://A.org",
            "HTTP://a.org",
            "http://::1",
        ] {
            assert!(http_url(text).is_err(), "{text}");
        }
        let refusal = http_url("http://user:hunter2@a.org").unwrap_err();
        assert!(!refusal.message.contains("hunter2"));
    }

    #[test]
    fn refuses_sockets_addresses_and_networks() {
        for text in ["", ":80", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "::1:80"] {
            assert!(socket(text).is_err(), "{text}");
        }
        for text in ["", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "1.2.3", "1.2.3.4:80", "01.2.3.4"] {
            assert!(address(text).is_err(), "{text}");
        }
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::1/32"] {
            assert!(network(text).is_err(), "{text}");
        }
        assert_eq!(network("10.0.0.1/8").unwrap_err().help.unwrap(), "write \"10.0.0.0/8\"");
    }

    #[test]
    fn refuses_names_buckets_and_prefixes() {
        let long = "a".repeat(65);
        for text in ["", "A", "a b", "-a", "_a", "ä", "a.b", "a/b", &long] {
            assert!(identifier(text).is_err(), "{text}");
        }
        for text in ["", "ab", "Bucket", "-abc", "a_c", "a/b/c"] {
            assert!(bucket(text).is_err(), "{text}");
        }
        for text in ["/a", "a b", "ä"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn finds_what_was_meant() {
        let words = || ["shield", "s3-eu-west", "ttl", "hosts"].into_iter();
        for (text, meant) in
            [("s3-eu", "s3-eu-west"), ("tll", "ttl"), ("host", "hosts"), ("sheild", "shield")]
        {
            assert_eq!(nearest(text, words()), Some(meant));
        }
        assert_eq!(nearest("compress", words()), None);
        assert_eq!(nearest(&"s".repeat(1 << 20), words()), None);
    }
}

//! `/cdn-cgi/image/<options>/<source>`.
//!
//! [`crate::path`] reads the options; what remains is what Cloudflare means by them: width and height are those of the
//! result, so that they change places where the picture ends on its side. Gravity is a place in the original there.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Refusal, refusal, turn};
use crate::path::{self, Parsed, Scheme, Source};
use crate::transform::Transform;

/// What paths begin with.
pub(super) const PREFIX: &str = "/cdn-cgi/image/";

pub(super) fn parse(target: &str) -> Result<Parsed, Refusal> {
    let rest = target.strip_prefix(PREFIX).unwrap_or(target);
    let mut parsed = path::parse(rest).map_err(refusal::cloudflare_path)?;
    turn::box_before(&mut parsed.transform);
    parsed.transform = parsed.transform.canonical();
    Ok(parsed)
}

/// Ways to write it: the source as it is, and encoded as a whole for sources that would be misread otherwise.
pub(super) fn print(transform: &Transform, source: &Source) -> Vec<String> {
    let mut turned = transform.clone();
    turn::box_before(&mut turned);
    // the options are decoded once before they are split
    let options = turned.to_string().replace('%', "%25");
    let source = written(source);
    let whole = utf8_percent_encode(&source, NON_ALPHANUMERIC).to_string();
    let joint = if source.starts_with('/') { "" } else { "/" };
    vec![format!("{PREFIX}{options}{joint}{source}"), format!("{PREFIX}{options}/{whole}")]
}

/// A source as its path, or as an absolute URL.
pub(super) fn written(source: &Source) -> String {
    match source {
        Source::Path(path) => path.clone(),
        Source::Url { scheme, host, port, path_and_query } => {
            let scheme: Scheme = *scheme;
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{host}{port}{path_and_query}", scheme.as_str())
        }
    }
}

#[cfg(test)]
mod tests;

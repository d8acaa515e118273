//! Whose a request target is, by its path and the names in its query.

use super::{Asks, Dialect, Rules, cloudflare, iiif, imgproxy, ipx, next, pairs, query};

/// What a target asks of a dialect; none where it is not of that dialect.
pub(super) fn asks(dialect: Dialect, target: &str, rules: &Rules) -> Option<Asks> {
    let (path, parameters) = pairs::split(target);
    match dialect {
        Dialect::Cloudflare => path.starts_with(cloudflare::PREFIX).then_some(Asks::Image),
        Dialect::Imgproxy => imgproxy::asks(path, rules),
        Dialect::Next => next::PATHS.contains(&path).then_some(Asks::Image),
        Dialect::Ipx => path.starts_with(ipx::PREFIX).then_some(Asks::Image),
        Dialect::Query => query::claims(path, parameters.unwrap_or_default(), rules).then_some(Asks::Image),
        Dialect::Iiif => iiif::asks(path, rules),
    }
}

//! `[[site]]`: which hosts are served, from which origins, and for how long.

use std::{sync::Arc, time::Duration};

use toml::de::DeValue;

use crate::{
    bounds, imaging, keys,
    model::{
        CompressLevel, CompressRules, ContentCoding, Fallback, QueryRule, RequestRule, SetCookieRule, Shadow,
        Site,
    },
    names,
    raw::{Spot, Table, Value},
    report::{Mistake, quoted},
    tailoring,
    units::{self, Refusal},
    validate::{Marks, SiteMarks},
    values::plain,
};

/// Sites in file order.
pub(crate) fn sites(root: &Table<'_>, marks: &mut Marks) -> Vec<Arc<Site>> {
    let Some(value) = root.value("site") else { return Vec::new() };
    let Some(entries) = value.list(&bounds::SITES) else {
        let mistake = Mistake::new(value.span(), "there may be several sites, so each is an entry of a list");
        root.reader.push(mistake.help("write [[site]]"));
        return Vec::new();
    };
    let tables = entries.into_iter().filter_map(|entry| entry.table(&keys::SITE));
    tables.map(|table| Arc::new(site(&table, marks))).collect()
}

fn site(table: &Table<'_>, marks: &mut Marks) -> Site {
    let name = table.required("name").and_then(|value| value.parse(names::identifier));
    let hosts = required_list(table, "hosts", names::host);
    let origins = required_list(table, "origins", |text| Ok(text.to_owned()));
    let images = imaging::images(table);
    let (tailoring, tailoring_marks) = tailoring::site(table);
    let shadow = table.table_if("shadow", &keys::SHADOW).and_then(|table| shadow(&table));
    marks.sites.push(SiteMarks {
        name: name.clone(),
        hosts: hosts.clone(),
        origins: origins.clone(),
        images: images.as_ref().map(|images| images.span.clone()),
        tailoring: tailoring_marks,
        shadow: shadow.as_ref().map(|(to, _)| to.clone()),
    });
    Site {
        name: name.map(|spot| spot.value).unwrap_or_default(),
        hosts: plain(hosts),
        origins: plain(origins),
        ttl: table.number(&bounds::SITE_TTL).map(|spot| Duration::from_millis(spot.value)),
        stale_while_revalidate: table.time(&bounds::SITE_STALE_WHILE_REVALIDATE),
        stale_if_error: table.time(&bounds::SITE_STALE_IF_ERROR),
        query: table.value("query").and_then(query).unwrap_or(QueryRule::All),
        compress: table.value("compress").map_or_else(CompressRules::default, compress),
        images: images.map(|images| images.value),
        on_failure: table.table_if("on_failure", &keys::ON_FAILURE).map(|table| fallback(&table)),
        request_cache_control: request_rule(table),
        set_cookie: table.value("set_cookie").and_then(set_cookie).unwrap_or_default(),
        tailoring,
        shadow: shadow.map(|(to, sample_ppm)| Shadow { to: to.value, sample_ppm }),
    }
}

fn request_rule(table: &Table<'_>) -> RequestRule {
    let Some(value) = table.value("request_cache_control") else { return RequestRule::default() };
    if let DeValue::String(_) = value.node.get_ref() {
        let obeyed = value.word(&[("ignore", false), ("obey", true)]).unwrap_or(false);
        return if obeyed { RequestRule::Obey } else { RequestRule::Ignore };
    }
    RequestRule::From(plain(table.parse_list(&bounds::SITE_TRUSTED, names::network)))
}

fn set_cookie(value: Value<'_>) -> Option<SetCookieRule> {
    value.word(&[("private", SetCookieRule::Private), ("stored", SetCookieRule::Stored)])
}

fn shadow(table: &Table<'_>) -> Option<(Spot<String>, u32)> {
    let to = table.required("to").and_then(Value::text);
    let sample = table.required("sample").and_then(|value| value.parse(units::share_ppm));
    Some((to?, sample?.value))
}

fn required_list(
    table: &Table<'_>,
    key: &'static str,
    check: impl Fn(&str) -> Result<String, Refusal>,
) -> Vec<Spot<String>> {
    let bound = if key == "hosts" { &bounds::SITE_HOSTS } else { &bounds::SITE_ORIGINS };
    if table.required(key).is_none() {
        return Vec::new();
    }
    table.parse_list(bound, check)
}

fn query(value: Value<'_>) -> Option<QueryRule> {
    if let DeValue::String(_) = value.node.get_ref() {
        let all = value.word(&[("all", true), ("none", false)])?;
        return Some(if all { QueryRule::All } else { QueryRule::None });
    }
    let table = value.table(&keys::QUERY)?;
    let names = |bound| plain(table.parse_list(bound, parameter));
    match (table.value("ignore"), table.value("allow")) {
        (Some(_), None) => Some(QueryRule::Ignore(names(&bounds::QUERY_IGNORE))),
        (None, Some(_)) => Some(QueryRule::Allow(names(&bounds::QUERY_ALLOW))),
        _ => {
            let mistake =
                Mistake::new(value.span(), "a query rule has exactly one of \"ignore\" and \"allow\"");
            value.reader.push(mistake.help("write \"all\", \"none\", { ignore = [..] } or { allow = [..] }"));
            None
        }
    }
}

/// `true`, `false`, or a table. What is wrong is noted, and the default stands in.
fn compress(value: Value<'_>) -> CompressRules {
    let defaults = CompressRules::default();
    if let DeValue::Boolean(on) = value.node.get_ref() {
        return if *on { defaults } else { CompressRules { codings: Vec::new(), ..defaults } };
    }
    let Some(table) = value.table(&keys::COMPRESS) else { return defaults };
    let level = table.value("level").and_then(|level| {
        level.word(&[
            ("fast", CompressLevel::Fast),
            ("balanced", CompressLevel::Balanced),
            ("best", CompressLevel::Best),
        ])
    });
    let codings = table.value("codings").map(|_| codings(&table));
    CompressRules { codings: codings.unwrap_or(defaults.codings), level: level.unwrap_or(defaults.level) }
}

fn codings(table: &Table<'_>) -> Vec<ContentCoding> {
    let known = [("br", ContentCoding::Br), ("zstd", ContentCoding::Zstd), ("gzip", ContentCoding::Gzip)];
    let mut codings = Vec::new();
    for coding in table.list(&bounds::COMPRESS_CODINGS) {
        match coding.word(&known) {
            Some(found) if codings.contains(&found) => {
                coding.refuse(Refusal::new("this coding is there already"))
            }
            Some(found) => codings.push(found),
            None => {}
        }
    }
    codings
}

/// The name of a query parameter as it is sent.
fn parameter(text: &str) -> Result<String, Refusal> {
    let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'&' | b'=' | b'#' | b'?');
    if text.is_empty() || text.len() > 256 || !text.bytes().all(allowed) {
        return Err(Refusal::new(format!("{} is not the name of a query parameter", quoted(text)))
            .help("write it as it is sent, percent-encoded, without \"=\""));
    }
    Ok(text.to_owned())
}

fn fallback(table: &Table<'_>) -> Fallback {
    let status = u16::try_from(table.amount(&bounds::FAILURE_STATUS)).unwrap_or(u16::MAX);
    let content_type = table.parse("content_type", content_type).map(|spot| spot.value);
    let body = table.value("body").and_then(Value::text);
    if let Some(body) =
        body.as_ref().filter(|body| matches!(status, 204 | 205 | 304) && !body.value.is_empty())
    {
        // RFC 9110 section 6.4.1
        let mistake = Mistake::new(body.span.clone(), format!("a response with status {status} has no body"));
        table.reader.push(mistake.help("remove the body, or use status 200"));
    }
    Fallback {
        status,
        content_type: content_type.unwrap_or_else(|| "text/plain; charset=utf-8".to_owned()),
        body: body.map(|body| body.value).unwrap_or_default(),
    }
}

/// A value for `Content-Type` (RFC 9110 section 8.3.1).
fn content_type(text: &str) -> Result<String, Refusal> {
    let (kind, rest) = text.split_once('/').unwrap_or((text, ""));
    let printable = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if kind.is_empty() || rest.is_empty() || text.len() > 256 || !printable || kind.contains(' ') {
        return Err(Refusal::new(format!("{} is not a content type", quoted(text)))
            .help("write for example \"text/html; charset=utf-8\""));
    }
    Ok(text.to_owned())
}

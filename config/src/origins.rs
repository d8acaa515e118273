//! `[origins.NAME]`: where content comes from.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use toml::de::DeValue;

use crate::{
    bounds, keys,
    model::{BreakerRule, Origin, OriginHealth, OriginTarget, Serve},
    names,
    raw::{Spot, Table, Value},
    report::{Mistake, quoted},
    s3,
    units::Refusal,
    validate::Marks,
};

/// Origins by name; one that is wrong still counts as defined, so that sites are not blamed for it.
pub(crate) fn origins(root: &Table<'_>, marks: &mut Marks) -> BTreeMap<String, Arc<Origin>> {
    let mut origins = BTreeMap::new();
    for (name, table) in root.named(&bounds::ORIGINS, &keys::ORIGIN) {
        marks.origins.insert(name.value.clone());
        if let Some(origin) = origin(&name.value, &table) {
            origins.insert(name.value, Arc::new(origin));
        }
    }
    origins
}

fn origin(name: &str, table: &Table<'_>) -> Option<Origin> {
    let connect = table.number(&bounds::CONNECT_TIMEOUT);
    let head_timeout = table.time(&bounds::HEAD_TIMEOUT);
    let connect_ms = connect.as_ref().map_or_else(|| bounds::CONNECT_TIMEOUT.fallback(), |spot| spot.value);
    let connect_timeout = Duration::from_millis(connect_ms).min(head_timeout);
    if let Some(spot) = connect.filter(|spot| u128::from(spot.value) > head_timeout.as_millis()) {
        let mistake = Mistake::new(spot.span, "\"connect_timeout\" is longer than \"head_timeout\"");
        table.reader.push(mistake.help("\"head_timeout\" counts from the start and includes the connection"));
    }
    let read_timeout = table.time(&bounds::READ_TIMEOUT);
    let host = table.parse("host", names::host_and_port).map(|spot| spot.value);
    let ca = table.value("ca").and_then(Value::path);
    let serve = table.value("serve").and_then(serve).unwrap_or(Serve::Always);
    let breaker = table.value("breaker").map_or(Some(BreakerRule::DEFAULT), breaker);
    let health = table.table_if("health", &keys::ORIGIN_HEALTH).and_then(|table| health(&table));
    let target = table.required("url").and_then(|value| target(value, table));
    Some(Origin {
        name: name.to_owned(),
        target: target?,
        connect_timeout,
        head_timeout,
        read_timeout,
        host,
        ca,
        serve,
        breaker,
        health,
    })
}

fn serve(value: Value<'_>) -> Option<Serve> {
    value.word(&[("always", Serve::Always), ("last-good", Serve::LastGood)])
}

fn breaker(value: Value<'_>) -> Option<BreakerRule> {
    match value.node.get_ref() {
        DeValue::Boolean(is_on) => is_on.then_some(BreakerRule::DEFAULT),
        DeValue::Table(_) => {
            let table = value.table(&keys::BREAKER)?;
            let failures = u32::try_from(table.amount(&bounds::BREAKER_FAILURES)).unwrap_or(u32::MAX);
            Some(BreakerRule { failures, open: table.time(&bounds::BREAKER_OPEN) })
        }
        _ => {
            value.wrong_type("true, false or a table");
            None
        }
    }
}

fn health(table: &Table<'_>) -> Option<OriginHealth> {
    let times = |bound| u32::try_from(table.amount(bound)).unwrap_or(u32::MAX);
    let path = table.required("path").and_then(|value| value.parse(health_path));
    Some(OriginHealth {
        path: path?.value,
        every: table.time(&bounds::ORIGIN_HEALTH_EVERY),
        timeout: table.time(&bounds::ORIGIN_HEALTH_TIMEOUT),
        fail: times(&bounds::ORIGIN_HEALTH_FAIL),
        pass: times(&bounds::ORIGIN_HEALTH_PASS),
    })
}

/// A path with or without a query, as it is sent.
fn health_path(text: &str) -> Result<String, Refusal> {
    let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !text.starts_with('/') || text.len() > HEALTH_PATH_BYTES_MAX || !is_sendable {
        return Err(Refusal::new(format!("{} is not a path", quoted(text)))
            .help("write it as it is sent, such as \"/health\"; the origin's own path stands before it"));
    }
    Ok(text.to_owned())
}

fn target(value: Value<'_>, table: &Table<'_>) -> Option<OriginTarget> {
    let Spot { value: url, span } = value.text()?;
    if let Some(place) = url.strip_prefix("s3://") {
        only_for(table, &HTTP_KEYS, "an http:// or https:// origin");
        return s3(value, place, table);
    }
    only_for(table, &S3_KEYS, "an s3:// origin");
    if let Some(path) = url.strip_prefix("file:") {
        only_for(table, &HTTP_KEYS, "an http:// or https:// origin");
        return file(value, path);
    }
    match http(&url) {
        Ok(OriginTarget::Http { tls: false, .. }) if table.value("ca").is_some() => {
            only_for(table, &["ca"], "an https:// origin");
            None
        }
        Ok(target) => Some(target),
        Err(refusal) => {
            table.reader.refuse(span, refusal);
            None
        }
    }
}

fn http(url: &str) -> Result<OriginTarget, Refusal> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Refusal::new(format!("{} is not an origin", quoted(url)))
            .help("write \"http://…\", \"https://…\", \"s3://bucket/prefix\" or \"file:folder\""));
    }
    let url = names::http_url(url)?;
    Ok(OriginTarget::Http { tls: url.tls, host: url.host, port: url.port, path: url.path })
}

fn s3(value: Value<'_>, place: &str, table: &Table<'_>) -> Option<OriginTarget> {
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let checked = names::bucket(bucket).and_then(|bucket| Ok((bucket, names::prefix(prefix)?)));
    if let Err(refusal) = &checked {
        value.refuse(refusal.clone());
    }
    // the remaining keys are checked even if the bucket is wrong
    let (bucket, prefix) = checked.unwrap_or_default();
    Some(OriginTarget::S3(s3::target(table, bucket, prefix)))
}

fn file(value: Value<'_>, path: &str) -> Option<OriginTarget> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('\0') {
        value.refuse(Refusal::new("\"file:\" must be followed by a folder"));
        return None;
    }
    Some(OriginTarget::File { path: value.reader.outside.folder.join(path) })
}

fn only_for(table: &Table<'_>, keys: &[&'static str], kind: &str) {
    for key in keys {
        if let Some(value) = table.value(key) {
            let mistake = Mistake::new(value.span(), format!("\"{key}\" belongs to {kind}"));
            table.reader.push(mistake.help("remove the key"));
        }
    }
}

/// Longest path of a health check.
const HEALTH_PATH_BYTES_MAX: usize = 2048;
/// Keys that mean something to an HTTP origin only.
const HTTP_KEYS: [&str; 2] = ["host", "ca"];
/// Keys that mean something to an S3 origin only.
const S3_KEYS: [&str; 4] = ["endpoint", "region", "access_key", "secret_key"];

//! What the demo prints: where everything is, and commands that work when pasted.

use std::{env, path::PathBuf};

use super::{
    Running,
    plan::{HOST, REGIONS, SITE, ZONE},
    s3::{ORIGIN_BUCKET, REGION},
};

/// One JSON object for programs.
pub(super) fn json(running: &Running) -> serde_json::Value {
    let regions: Vec<_> = running
        .edges
        .iter()
        .zip(&REGIONS)
        .map(|(edge, region)| {
            serde_json::json!({
                "name": region.name,
                "https": edge.https.first().map(ToString::to_string),
                "http": edge.http.first().map(ToString::to_string),
                "node": region.node,
            })
        })
        .collect();
    serde_json::json!({
        "ready_ms": running.ready_ms,
        "page": running.page,
        "ca": running.ca,
        "admin": { "url": running.admin_url, "token": running.token },
        "dns": running.dns.to_string(),
        "zone": ZONE,
        "regions": regions,
        "origins": [
            { "name": "media", "url": format!("s3://{ORIGIN_BUCKET}/") },
            { "name": "app", "url": running.app },
        ],
        "s3": {
            "endpoint": running.s3.endpoint,
            "region": REGION,
            "bucket": ORIGIN_BUCKET,
            "access_key": running.s3.access_key,
            "secret_key": running.s3.secret_key,
        },
    })
}

/// The same for people.
pub(super) fn text(running: &Running, has_keys: bool) -> String {
    let ports = running.ports;
    let https = ports.https;
    let overfall = own_name();
    let ca = running.ca.display();
    let (dns_ip, dns_port) = (running.dns.ip(), running.dns.port());
    let admin = format!("--admin {} --token {}", running.admin_url, running.token);
    let curl = |address: &str, path: &str| {
        format!(
            "curl -sS --cacert {ca} --resolve {HOST}:{https}:{address} -o /dev/null -D - 'https://{HOST}:{https}{path}'"
        )
    };
    let regions: Vec<_> = REGIONS
        .iter()
        .map(|region| {
            format!("  {:<9} https://{}:{https}   node {}", region.name, region.address, region.node)
        })
        .collect();
    let mut lines = vec![
        format!("overfall demo: ready in {} ms", running.ready_ms),
        running.moved.join("\n"),
        regions.join("\n"),
        format!("  dns       {dns_ip}:{dns_port}   zone {ZONE}"),
        format!("  admin     {}", running.admin_url),
        format!("  files     {}", running.dir.display()),
        String::new(),
        format!("Open https://localhost:{https}/ (your browser will not know the demo's CA), or try:"),
        String::new(),
    ];
    let image = "/cdn-cgi/image/width=480,format=auto/photos/harbour.jpg";
    let steps = [
        ("a miss, then a hit (look at Cache-Status)", curl("127.0.0.1", "/w/loader.js")),
        ("a resized photo", curl("127.0.0.1", image)),
        ("the same from another region, out of the shared S3 tier", curl("127.0.0.3", image)),
        (
            "purge the widget everywhere, with a receipt from each node",
            format!("{overfall} purge {admin} --site {SITE} --tag loader"),
        ),
        (
            "unplug the S3 origin: the next origin in the waterfall answers",
            format!("{overfall} origin down media {admin}"),
        ),
        (
            "ask DNS as a client in Asia",
            format!("dig @{dns_ip} -p {dns_port} {HOST} +subnet=203.0.113.0/24 +short"),
        ),
        ("drop that region, wait two seconds, and ask again", format!("{overfall} node drop ap-1 {admin}")),
        (
            "why is it answered that way?",
            format!("{overfall} explain {admin} https://{HOST}:{https}/w/loader.js"),
        ),
        ("and why that region?", format!("{overfall} dns explain --from 203.0.113.7 {admin}")),
    ];
    for (what, command) in steps {
        lines.push(format!("# {what}\n{command}"));
    }
    lines.push(String::new());
    lines.push(if has_keys {
        "Keys: o origin media off/on · r region ap-south off/on · p purge the widget · s status · q quit"
            .to_owned()
    } else {
        "Ctrl-C stops it.".to_owned()
    });
    lines.join("\n")
}

/// How the user would call this binary again.
fn own_name() -> String {
    let own = env::current_exe().unwrap_or_else(|_| PathBuf::from("overfall"));
    let below = env::current_dir()
        .ok()
        .and_then(|here| own.strip_prefix(here).ok().map(|own| PathBuf::from(".").join(own)));
    below.unwrap_or(own).display().to_string()
}

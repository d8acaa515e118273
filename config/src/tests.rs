//! Whole files: the smallest one, the examples, the reference page, and what is refused.

mod properties;
mod refusals;

use std::{collections::BTreeSet, path::Path, time::Duration};

use crate::{
    BreakerRule, BusKind, Config, LoadError, OriginHealth, OriginTarget, QueryRule, RequestRule, Serve,
    SetCookieRule, Shadow, SharedTier, Tls, bounds, keys, load, parse,
};

/// The smallest useful file; tests add to it or change it.
pub(super) const SMALL: &str = r#"[listen]
http = "127.0.0.1:0"
[origins.app]
url = "http://127.0.0.1:3000"
[[site]]
name = "app"
hosts = ["localhost"]
origins = ["app"]
"#;

const SINGLE_NODE: &str = include_str!("../examples/single-node.toml");
const THREE_REGIONS: &str = include_str!("../examples/three-regions.toml");
const CONFORMANCE: &str = include_str!("../examples/conformance.toml");
const TAILORING: &str = include_str!("../examples/tailoring.toml");
const REFERENCE: &str = include_str!("../docs/reference.md");

fn accepted(text: &str) -> Config {
    match parse(text, "/etc/overfall/edge.toml", &|_| None) {
        Ok(config) => config,
        Err(report) => panic!("{report}"),
    }
}

/// [`SMALL`] with `extra` tables behind it.
fn with(extra: &str) -> Config {
    accepted(&format!("{SMALL}{extra}"))
}

pub(super) fn example_env(name: &str) -> Option<String> {
    let value = match name {
        "ADMIN_TOKEN" => "0123456789abcdef",
        "NODE_NAME" => "eu-west-1",
        "REGION" => "eu-west",
        "S3_KEY_ID" => "AKIAEXAMPLE",
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn the_smallest_file_gets_every_default() {
    let config = accepted(SMALL);
    assert_eq!((config.node.name.as_str(), config.node.region.as_str()), ("node-1", "local"));
    assert_eq!(config.node.state, Path::new("/etc/overfall/overfall-state"));
    assert_eq!(config.regions.keys().collect::<Vec<_>>(), ["local"]);
    assert_eq!(config.cluster.bus, BusKind::Embedded);
    assert_eq!(config.cache.memory_bytes, 256 << 20);
    assert_eq!(config.cache.object_bytes_max, 64 << 20);
    assert!(config.cache.disk.is_none() && config.cache.shared.is_none());
    assert!(
        matches!(&config.tls, Tls::Internal { path } if path == Path::new("/etc/overfall/overfall-state/ca"))
    );
    assert!(config.dns.is_none() && config.admin.listen.is_none());
    let site = &config.sites[0];
    assert_eq!(site.ttl, None);
    assert_eq!(site.stale_while_revalidate, Duration::from_secs(60));
    assert_eq!(site.stale_if_error, Duration::from_secs(86_400));
    assert_eq!(site.query, QueryRule::All);
    assert!(site.images.is_none() && site.on_failure.is_none());
    assert_eq!(config.limits.connections_max, 16_384);
    assert!(config.limits.image_threads >= 1 && config.limits.has_image_workers);
}

#[test]
fn a_site_says_what_it_wants() {
    let config = with(
        "ttl = \"5m\"\nquery = { allow = [\"v\"] }\n[site.images]\nquality = 70\nsource_max = \"1 MiB\"\n\
         [site.on_failure]\nbody = \"sorry\"\n",
    );
    let site = &config.sites[0];
    assert_eq!(site.ttl, Some(Duration::from_secs(300)));
    assert_eq!(site.query, QueryRule::Allow(vec!["v".into()]));
    let images = site.images.as_ref().expect("images are on");
    assert_eq!((images.quality, images.source_bytes_max, images.side_max), (70, 1 << 20, 16_384));
    let fallback = site.on_failure.as_ref().expect("a fallback is set");
    assert_eq!((fallback.status, fallback.body.as_str()), (200, "sorry"));
}

#[test]
fn an_origin_says_when_it_is_asked() {
    let config = with(
        "[origins.old]\nurl = \"file:old\"\nserve = \"last-good\"\nbreaker = false\n\
         [origins.new]\nurl = \"http://new\"\nbreaker = { failures = 3 }\nhealth = { path = \"/up?a\", fail = 4 }\n",
    );
    let app = &config.origins["app"];
    assert_eq!((app.serve, app.breaker, &app.health), (Serve::Always, Some(BreakerRule::DEFAULT), &None));
    let old = &config.origins["old"];
    assert_eq!((old.serve, old.breaker), (Serve::LastGood, None));
    let new = &config.origins["new"];
    assert_eq!(new.breaker, Some(BreakerRule { failures: 3, ..BreakerRule::DEFAULT }));
    let seconds = Duration::from_secs;
    let health =
        OriginHealth { path: "/up?a".into(), every: seconds(5), timeout: seconds(2), fail: 4, pass: 2 };
    assert_eq!(new.health.as_ref(), Some(&health));
}

#[test]
fn a_site_has_a_shadow() {
    let config = with("shadow = { to = \"app\", sample = \"2.5%\" }\n");
    assert_eq!(config.sites[0].shadow, Some(Shadow { to: "app".into(), sample_ppm: 25_000 }));
}

#[test]
fn origins_of_every_kind_are_told_apart() {
    let config = with(
        "[origins.tls]\nurl = \"https://[2001:db8::1]/base/\"\n\
         [origins.s3]\nurl = \"s3://media/a/b/\"\naccess_key = \"id\"\nsecret_key = \"key\"\n\
         [origins.file]\nurl = \"file:site\"\n[origins.root]\nurl = \"file:///srv\"\n",
    );
    let target = |name: &str| &config.origins[name].target;
    assert!(matches!(target("tls"), OriginTarget::Http { tls: true, host, port: 443, path }
        if host == "2001:db8::1" && path == "/base"));
    assert!(matches!(target("s3"), OriginTarget::S3(s3)
        if s3.bucket == "media" && s3.prefix == "a/b" && s3.region == "us-east-1" && s3.secret_key.reveal() == "key"));
    assert!(matches!(target("file"), OriginTarget::File { path } if path == Path::new("/etc/overfall/site")));
    assert!(matches!(target("root"), OriginTarget::File { path } if path == Path::new("/srv")));
}

#[test]
fn default_deadlines_shrink_with_the_ones_around_them() {
    let text = SMALL.replace("3000\"", "3000\"\nhead_timeout = \"500ms\"");
    assert_eq!(accepted(&text).origins["app"].connect_timeout, Duration::from_millis(500));
    assert_eq!(with("[cache]\nmemory = \"1 MiB\"\n").cache.object_bytes_max, 1 << 20);
}

#[test]
fn a_shared_folder_is_a_tier() {
    let config = with("[cache]\nfolder = \"shared\"\n");
    assert!(
        matches!(config.cache.shared, Some(SharedTier::Folder { path }) if path == Path::new("/etc/overfall/shared"))
    );
}

#[test]
fn variables_are_put_into_text_and_can_be_escaped() {
    let text = SMALL.replace("\"localhost\"", "\"${NAME}.example.org\"").replace("app", "${SITE}")
        + "[site.on_failure]\nbody = \"$${NAME} $5 ${NAME}\"\n";
    let text = text.replace("[origins.${SITE}]", "[origins.app]");
    let env = |name: &str| match name {
        "NAME" => Some("cdn".to_owned()),
        "SITE" => Some("app".to_owned()),
        _ => None,
    };
    let config = parse(&text, "edge.toml", &env).expect("the text is valid");
    assert_eq!(config.sites[0].hosts, ["cdn.example.org"]);
    assert_eq!(config.sites[0].on_failure.as_ref().expect("a fallback is set").body, "${NAME} $5 cdn");
}

#[test]
fn credentials_come_from_files_and_never_show() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("token"), "hunter2-hunter2\n").expect("a file is written");
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"\n\
                 tokens = [{ name = \"ops\", token = { file = \"token\" }, scopes = [\"read\"] }]\n";
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, format!("{SMALL}{admin}")).expect("a file is written");
    let config = load(&path).expect("the file is valid");
    assert_eq!(config.admin.tokens[0].token.reveal(), "hunter2-hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn unreadable_and_invalid_files_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("edge.toml");
    let error = load(&path).expect_err("the file does not exist");
    assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
    assert!(matches!(load(folder.path()), Err(LoadError::Unreadable { .. })), "a folder is no file");
    std::fs::write(&path, b"[node]\nname = \"\xff\"\n").expect("a file is written");
    let Err(LoadError::Invalid(report)) = load(&path) else { panic!("the file is not UTF-8") };
    assert_eq!((report.problems()[0].line(), report.problems()[0].column()), (2, 9), "{report}");
}

#[test]
fn the_single_node_example_loads() {
    let config = parse(SINGLE_NODE, "examples/single-node.toml", &example_env);
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.sites[0].origins, ["app", "archive"]);
    assert!(config.sites[0].images.is_some());
}

#[test]
fn the_three_region_example_loads_in_every_region() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("s3.secret"), "secret\n").expect("a file is written");
    let text = THREE_REGIONS.replace("/etc/overfall/s3.secret", "s3.secret");
    for region in ["eu-west", "us-east", "ap-south"] {
        let env = |name: &str| if name == "REGION" { Some(region.to_owned()) } else { example_env(name) };
        let config = parse(&text, folder.path().join("edge.toml"), &env);
        let config = config.unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(config.node.region, region);
        assert_eq!(config.regions.len(), 3);
        assert_eq!(config.dns.expect("the DNS role is on").services, ["cdn.edge.example.org."]);
    }
}

#[test]
fn the_conformance_example_takes_its_ports_from_outside() {
    let env = |name: &str| match name {
        "LISTEN_PORT" => Some("8080".to_owned()),
        "ORIGIN_PORT" => Some("8000".to_owned()),
        "STATE" => Some("/var/tmp/conformance".to_owned()),
        _ => None,
    };
    let config = parse(CONFORMANCE, "examples/conformance.toml", &env);
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.listen.http, ["127.0.0.1:8080".parse().expect("an address")]);
    let site = &config.sites[0];
    assert_eq!(site.ttl, None);
    assert!(site.stale_while_revalidate.is_zero() && site.stale_if_error.is_zero());
    assert_eq!((&site.request_cache_control, site.set_cookie), (&RequestRule::Obey, SetCookieRule::Stored));
}

#[test]
fn wishes_of_requests_are_obeyed_from_named_networks() {
    let site = |line: &str| accepted(&format!("{SMALL}{line}\n")).sites[0].request_cache_control.clone();
    assert_eq!(site(""), RequestRule::Ignore);
    assert_eq!(site("request_cache_control = \"obey\""), RequestRule::Obey);
    let networks = site("request_cache_control = [\"10.0.0.0/8\", \"::1/128\"]");
    let wanted = ["10.0.0.0/8", "::1/128"].map(|text| text.parse().expect("a network"));
    assert_eq!(networks, RequestRule::From(wanted.to_vec()));
}

#[test]
fn rules_for_requests_and_cookies_are_checked() {
    for line in [
        "request_cache_control = \"trusted\"",
        "request_cache_control = []",
        "request_cache_control = [\"10.0.0.1/8\"]",
        "request_cache_control = true",
        "set_cookie = \"always\"",
    ] {
        let text = format!("{SMALL}{line}\n");
        let Err(report) = parse(&text, "edge.toml", &|_| None) else { panic!("{line} was taken") };
        assert_eq!(report.problems().len(), 1, "{report}");
    }
}

#[test]
fn the_tailoring_example_loads() {
    let config = parse(TAILORING, "examples/tailoring.toml", &example_env);
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.sites[0].tailoring.classes.variants(), 27);
    assert_eq!(config.dictionaries["markets"].columns, ["currency"]);
}

/// Rows of the reference page under a title: key and the whole row.
fn rows(title: &str) -> Vec<(&'static str, &'static str)> {
    let section = REFERENCE.split("\n## ").find(|section| section.lines().next() == Some(title));
    let section = section.unwrap_or_else(|| panic!("the page has no section {title:?}"));
    let rows = section.lines().filter_map(|line| Some((line.strip_prefix("| `")?.split('`').next()?, line)));
    rows.collect()
}

#[test]
fn the_reference_page_has_exactly_the_accepted_keys() {
    for table in keys::ALL {
        let page: BTreeSet<&str> = rows(table.title).into_iter().map(|(key, _)| key).collect();
        let reader: BTreeSet<&str> = table.accepted.iter().copied().collect();
        assert_eq!(page, reader, "{}", table.title);
    }
}

#[test]
fn the_reference_page_names_what_is_not_available() {
    for table in keys::ALL {
        let section = REFERENCE.split("\n## ").find(|section| section.lines().next() == Some(table.title));
        for (key, _) in table.refused {
            let named = section.is_some_and(|section| {
                section
                    .lines()
                    .any(|line| line.contains(&format!("`{key}`")) && line.contains("not available"))
            });
            assert!(named, "{key} in {}", table.title);
        }
    }
}

#[test]
fn the_reference_page_has_every_range_and_default() {
    for bound in bounds::ALL {
        let row = rows(bound.keys.title).into_iter().find(|(key, _)| *key == bound.key).map(|(_, row)| row);
        let row = row.unwrap_or_else(|| panic!("no row for {} in {}", bound.key, bound.keys.title));
        assert!(row.contains(&format!("| {} |", bound.range())), "{row}: {}", bound.range());
        if let Some(default) = bound.default {
            assert!(row.contains(&format!("| `{}`", bound.show(default))), "{row}: {}", bound.show(default));
        }
    }
}

//! One snapshot for each kind of mistake, as the person who made it sees it.

use std::time::Duration;

use super::SMALL;
use crate::parse;

fn refused(text: &str) -> String {
    match parse(text, "edge.toml", &|_| None) {
        Err(report) => report.to_string(),
        Ok(config) => panic!("accepted: {config:?}"),
    }
}

/// What is said about `extra` behind the smallest file.
fn after(extra: &str) -> String {
    refused(&format!("{SMALL}{extra}"))
}

/// What is said about the smallest file with `from` replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    refused(&SMALL.replacen(from, to, 1))
}

macro_rules! snapshots {
    ($($name:ident: $report:expr,)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!($report);
        }
    )*};
}

snapshots! {
    ten_mistakes_at_once: refused(TEN),
    an_unknown_table: after("[limit]\ndrain = \"1s\"\n"),
    an_unknown_key: after("stale_on_error = \"1d\"\n"),
    a_key_of_another_table: after("[listen2]\n[tls]\nlisten = \"x\"\n"),
    keys_not_available: after("key = \"path\"\n[[test]]\nget = \"/\"\n"),
    values_not_available: after(
        "[cluster]\nbus = \"nats://127.0.0.1:4222\"\n[tls]\nacme = {}\n[[site]]\nname = \"w\"\nhosts = [\"*.example.org\"]\norigins = [\"app\"]\n"
    ),
    settings_of_the_design_not_available: after(
        "[regions.eu]\nlocation = [0, 0]\njoin = []\nprobe = \"https://x\"\n[cluster]\nsecret = \"x\"\n"
    ),
    the_admin_listener_in_the_wrong_table: changed("http =", "admin = \"127.0.0.1:1\"\nhttp ="),
    missing_keys: after("[[site]]\n[origins.x]\n[admin]\n"),
    nothing_to_listen_on: changed("[listen]\nhttp = \"127.0.0.1:0\"\n", ""),
    wrong_types: after("ttl = 5\nimages = \"yes\"\non_failure = 404\nquery = []\n[limits]\ndrain = true\nfetches_max = \"9\"\n[cache]\nmemory = 256\n"),
    a_site_that_is_no_list: changed("[[site]]", "[site]"),
    a_list_that_is_a_string: changed("[\"localhost\"]", "\"localhost\""),
    empty_lists: changed("[\"localhost\"]\norigins = [\"app\"]", "[]\norigins = []"),
    bad_units: after("ttl = \"5 min\"\nstale_if_error = \"1.5d\"\n[cache]\nmemory = \"lots\"\nobject_max = \"64mib\"\n"),
    units_that_overflow: after("ttl = \"99999999999999999d\"\n[cache]\nmemory = \"99999999999 TiB\"\n"),
    numbers_out_of_range: after(
        "[site.images]\nquality = 0\nside_max = 70000\ndeadline = \"1h\"\n[limits]\nconnections_max = -1\nfetches_max = 99999999999999999999\n"
    ),
    duplicate_names: after("[[site]]\nname = \"app\"\nhosts = [\"localhost\"]\norigins = [\"app\", \"app\"]\n"),
    duplicate_keys: after("ttl = \"1s\"\nttl = \"2s\"\n[listen]\nhttps = \"127.0.0.1:0\"\n"),
    duplicate_listeners: changed("127.0.0.1:0\"", "127.0.0.1:80\"\nhttps = \"127.0.0.1:80\""),
    an_undefined_origin: changed("[\"app\"]", "[\"ap\"]"),
    no_origin_at_all: changed("[origins.app]\nurl = \"http://127.0.0.1:3000\"\n", ""),
    an_undefined_region: after("[node]\nregion = \"eu-west\"\n[regions.eu-west-1]\nlocation = [0, 0]\n"),
    a_node_that_must_choose: after("[node]\n[regions.a]\nlocation = [0, 0]\n[regions.b]\nlocation = [1, 1]\n"),
    bad_names: after("[node]\nname = \"Edge-1\"\n[regions.\"a b\"]\nlocation = [0, 0]\n[regions.a]\nlocation = [0, 0]\n"),
    bad_hosts: changed("[\"localhost\"]", "[\"CDN.example.org\", \"a.org:80\", \"http://a.org\", \"bücher.org\", \"a..b\", \"a.org.\"]"),
    bad_places: after("[regions.a]\nlocation = [91, nan]\n[regions.b]\nlocation = [1]\n[regions.c]\nlocation = \"here\"\naddresses = [\"1.2.3\", \"0.0.0.0\"]\n"),
    bad_origins: after(
        "[origins.a]\nurl = \"ftp://a\"\n[origins.b]\nurl = \"http://u:p@b\"\n[origins.c]\nurl = \"s3://UP\"\naccess_key = \"a\"\nsecret_key = \"b\"\n[origins.d]\nurl = \"file:\"\n"
    ),
    keys_of_another_kind_of_origin: after(
        "[origins.a]\nurl = \"http://a\"\nca = \"x\"\nregion = \"eu\"\n[origins.b]\nurl = \"file:b\"\nhost = \"b\"\n"
    ),
    timeouts_that_contradict: changed("3000\"", "3000\"\nconnect_timeout = \"20s\""),
    bad_rules_of_origins: after(
        "[origins.a]\nurl = \"http://a\"\nserve = \"last\"\nbreaker = 3\nhealth = { path = \"up\", every = \"1ms\" }\n[origins.b]\nurl = \"http://b\"\nbreaker = { failures = 0, close = 1 }\nhealth = { every = \"5s\" }\n"
    ),
    a_site_of_archives_only: changed("3000\"", "3000\"\nserve = \"last-good\""),
    bad_shadows: after(
        "shadow = { to = \"ap\", sample = \"0%\" }\n[[site]]\nname = \"b\"\nhosts = [\"b\"]\norigins = [\"app\"]\nshadow = { to = \"ap\", sample = \"5%\" }\n[[site]]\nname = \"c\"\nhosts = [\"c\"]\norigins = [\"app\"]\nshadow = \"app\"\n"
    ),
    two_shared_tiers: after("[cache]\nfolder = \"f\"\ns3 = { bucket = \"abc\", access_key = \"a\", secret_key = \"b\" }\n"),
    a_bucket_shared_without_a_shared_log: after(
        "[node]\nregion = \"a\"\n[regions.a]\nlocation = [0, 0]\n[regions.b]\nlocation = [1, 1]\n[cache]\ns3 = { bucket = \"abc\", access_key = \"a\", secret_key = \"b\" }\n"
    ),
    an_object_larger_than_every_tier: after("[cache]\nmemory = \"1 MiB\"\nobject_max = \"2 MiB\"\n"),
    two_kinds_of_certificates: after("[tls]\ninternal = \"ca\"\ncertificates = [{ certificate = \"a\" }]\n"),
    an_open_admin_listener: after("[admin]\nlisten = \"0.0.0.0:9090\"\n"),
    bad_tokens: after(
        "[admin]\nlisten = \"127.0.0.1:0\"\ntokens = [\n  { name = \"a\", token = \"short\", scopes = [\"reed\"] },\n  { name = \"a\", token = \"long enough\", scopes = [] },\n  { name = \"b\", token = 7, scopes = [\"read\"] },\n]\n"
    ),
    credentials_that_are_not_there: after(
        "[origins.a]\nurl = \"s3://abc\"\naccess_key = { env = \"NOT_SET\" }\nsecret_key = { file = \"not/there\" }\n[origins.b]\nurl = \"s3://abc\"\naccess_key = {}\nsecret_key = { env = \"A\", file = \"b\" }\n"
    ),
    variables_that_are_not_there: after("[node]\nname = \"${HOST}-${NUMBER}\"\nstate = \"${OPEN\"\n"),
    a_zone_without_a_listener: after(&zone("cdn.example.org", "")),
    a_listener_without_a_zone: changed("[listen]", "[listen]\ndns = \"127.0.0.1:0\""),
    a_service_outside_its_zone: changed("[listen]", &format!("{}[listen]\ndns = \"127.0.0.1:0\"", zone("cdn", REGION))),
    a_region_that_cannot_be_answered: changed(
        "[listen]",
        &format!("{}[listen]\ndns = \"127.0.0.1:0\"", zone("cdn.example.org", "[regions.eu]\nlocation = [0, 0]\nweight = 0\n"))
    ),
    bad_networks: changed(
        "[listen]",
        &format!(
            "{}policy = \"random\"\nlocations = [\n  {{ network = \"10.0.0.1/8\", location = [0, 0] }},\n  {{ network = \"::/0\", location = [0, 0] }},\n  {{ network = \"::/0\", location = [0, 0] }},\n]\n[listen]\ndns = \"127.0.0.1:0\"",
            zone("cdn.example.org", REGION)
        )
    ),
    query_rules_that_contradict: after("query = { ignore = [\"a\"], allow = [\"b=c\"] }\n"),
    a_query_rule_that_is_no_choice: after("query = \"nome\"\n"),
    a_fallback_that_cannot_be_sent: after("on_failure = { status = 204, content_type = \"text\", body = \"x\" }\n"),
    images_larger_than_the_queue: after("images = true\n[limits]\nimage_queue_megapixels = 10\n"),
    a_slip_of_syntax: after("ttl = \"5m\nquery == \"all\"\n"),
    an_empty_file: refused(""),
}

const REGION: &str = "[regions.eu]\nlocation = [0, 0]\naddresses = [\"192.0.2.1\"]\n";

fn zone(service: &str, regions: &str) -> String {
    format!(
        "{regions}[dns]\nzone = \"example.org\"\nservices = [\"{service}\"]\nname_servers = [\"ns.example.org\"]\n"
    )
}

#[test]
fn files_beyond_their_bounds_are_refused() {
    let long = format!("# {}\n{SMALL}", "x".repeat(crate::FILE_BYTES_MAX));
    assert!(refused(&long).contains("larger than 1 MiB"));
    let sites: String = (0..1_025)
        .map(|n| format!("[[site]]\nname = \"s{n}\"\nhosts = [\"h{n}\"]\norigins = [\"app\"]\n"))
        .collect();
    assert!(after(&sites).contains("\"site\" has 1026 entries, allowed are 0 to 1024"));
    let hosts: Vec<String> = (0..10_000).map(|n| format!("\"h{n}\"")).collect();
    let site = format!("[[site]]\nname = \"many\"\norigins = [\"app\"]\nhosts = [{}]\n", hosts.join(","));
    assert!(after(&site).contains("10001 host names in all sites, allowed are 10000"));
    let origins: String = (0..1_024).map(|n| format!("[origins.o{n}]\nurl = \"file:x\"\n")).collect();
    assert!(after(&origins).contains("\"origins\" has 1025 entries"));
}

#[test]
fn a_text_that_grows_without_end_is_refused() {
    let body = "${BIG}".repeat(10_000);
    let text = format!("{SMALL}on_failure = {{ body = \"{body}\" }}\n");
    let report = parse(&text, "edge.toml", &|_| Some("x".repeat(60_000))).expect_err("it would take 600 MB");
    assert!(report.problems()[0].message().contains("longer than 64 KiB"), "{report}");
}

#[test]
fn thousands_of_mistakes_are_counted_and_cost_little() {
    let many: String = (0..40_000).map(|n| format!("${{V{n}}}")).collect();
    let report = after(&format!("on_failure = {{ body = \"{many}\" }}\n"));
    assert!(report.ends_with("40000 problems, 200 of them shown"), "{}", report.len());
    assert!(report.len() < 200_000);
}

#[test]
fn deep_nesting_is_refused() {
    assert!(after(&format!("query = {}\n", "[".repeat(100_000))).contains("problem"));
    assert!(after(&format!("{} = 1\n", ["a"; 10_000].join("."))).contains("problem"));
}

#[test]
fn reading_is_done_while_one_waits() {
    // a bound on work, not on the machine: garbage of the largest size must not cost quadratic time
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for piece in ["token=\"\"", "= ", "[[a]]\n", "a.b.c = 1\n", "\"", "{", "a=1\na=1\n"] {
            let text = piece.repeat(crate::FILE_BYTES_MAX / piece.len());
            drop(sender.send(parse(&text, "edge.toml", &|_| None).map(|_| ())));
        }
    });
    for _ in 0..7 {
        assert!(receiver.recv_timeout(Duration::from_secs(60)).expect("an answer in time").is_err());
    }
}

const TEN: &str = r#"[node]
name = "Edge 1"
regoin = "eu-west"

[regions.eu-west]
location = [50.1, 208]

[listen]
http = "localhost:80"

[cache]
memory = "64 mib"

[origins.s3-eu-west]
url = "s3://media"
access_key = { env = "NOT_SET" }
secret_key = "hunter2"

[origins.shield]
url = "https://origin.example.org"
connect_timeout = 2

[[site]]
name = "widget"
hosts = ["cdn.example.org", "cdn.example.org"]
origins = ["shield", "s3-eu"]
compress = true
"#;

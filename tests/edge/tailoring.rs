//! A site that answers by device, language and place: variants of their own, and dictionaries that change while it runs.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::Command,
};

use http::Method;
use overfall_test_support::{
    Answer, Client, DEADLINE, Node, Origin, Process, Reply, Settings, mmdb, node::HOST, raw, wait_until,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{EXE, Lone, lone, stored};

const PHONE: (&str, &str) = ("user-agent", "Mozilla/5.0 (iPhone) Mobile/15E148 Safari/604.1");
const OTHER_PHONE: (&str, &str) = ("user-agent", "Mozilla/5.0 (Linux; Android 14) Chrome/120.0 Mobile");
const LAPTOP: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0");
/// A picture of one pixel.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

fn cached(body: &'static str) -> Reply {
    Reply::ok(body).cache_control("max-age=600")
}

/// A node whose folder holds these files.
async fn with_files(settings: &Settings, files: &[(&str, &[u8])]) -> Lone {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let node = Node::start(EXE, dir.path(), settings).await;
    Lone { node, _dir: dir }
}

/// Replaces a file whole, as an operator should.
fn replace(dir: &Path, name: &str, text: &str) {
    let new = dir.join("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, dir.join(name)).unwrap();
}

fn sent(origin: &Origin, target: &str, name: &str) -> Vec<String> {
    let values = origin.requests(target).into_iter().map(|request| {
        let lines = request.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned());
        lines.collect::<Vec<_>>().join("|")
    });
    values.collect()
}

#[tokio::test]
async fn each_device_gets_and_keeps_a_variant_of_its_own() {
    let origin = Origin::start().await;
    origin.on("/", cached("page"));
    let settings = Settings::new().origin("app", &origin.url()).site("vary = { device = true }");
    let lone = lone(&settings).await;
    let (client, url) = (lone.node.client(), lone.node.url("/"));
    for device in [PHONE, LAPTOP] {
        let first =
            client.get_with(&url, &[device, ("x-device-class", "evil")]).await.expect(200).expect_miss();
        assert!(first.header("vary").contains("Sec-CH-UA-Mobile, Sec-CH-UA-Platform, User-Agent"), "{first}");
        client.hit(&url, &[device]).await.expect(200);
    }
    client.get_with(&url, &[OTHER_PHONE]).await.expect(200).expect_hit();
    client.get_with(&url, &[LAPTOP, ("sec-ch-ua-mobile", "?1")]).await.expect(200).expect_hit();
    assert_eq!(sent(&origin, "/", "x-device-class"), ["mobile", "desktop"]);
    let escaped = "http%3A%2F%2Fwww.site.test%2F";
    let path = format!("/api/v1/explain?url={escaped}&user_agent=Mobile");
    let explained = lone.node.admin.get(&path).await.expect(200).json();
    let node = &explained["nodes"][0];
    assert_eq!(node["classes"], "class;device=mobile", "{explained}");
    assert!(node["key"].as_str().unwrap().ends_with("#class;device=mobile"), "{explained}");
    assert_eq!(node["verdict"], "hit in memory", "{explained}");
}

#[tokio::test]
async fn languages_are_those_of_the_site() {
    let origin = Origin::start().await;
    origin.on("/", cached("page").with("vary", "Accept-Language"));
    let settings = Settings::new().origin("app", &origin.url());
    let lone = lone(&settings.site("vary = { language = [\"en\", \"de\", \"pt-BR\"] }")).await;
    let (client, url) = (lone.node.client(), lone.node.url("/"));
    for (accepted, is_first) in [
        ("de-AT, de;q=0.9, en;q=0.5", true),
        ("de", false),
        ("fr, en;q=0.2, DE-ch;q=0.3", false),
        ("pt-BR", true),
        ("fr", true),
        ("en-GB", false),
    ] {
        let before = origin.count("/");
        let answer = client.get_with(&url, &[("accept-language", accepted)]).await.expect(200);
        assert_eq!(origin.count("/") > before, is_first, "{accepted}: {answer}");
        assert_eq!(answer.header("vary"), "Accept-Language", "{answer}");
        client.hit(&url, &[("accept-language", accepted)]).await.expect(200);
    }
    assert_eq!(sent(&origin, "/", "x-language"), ["de", "pt-BR", "en"]);
    assert_eq!(sent(&origin, "/", "accept-language"), ["de", "pt-BR", "en"]);
}

#[tokio::test]
async fn countries_are_told_apart_by_class_and_the_unknown_share_one() {
    let origin = Origin::start().await;
    origin.on("/", cached("page"));
    let database = mmdb::countries(&[
        (Ipv4Addr::new(127, 0, 0, 1), 32, "DE"),
        (Ipv4Addr::new(127, 0, 0, 2), 32, "AT"),
        (Ipv4Addr::new(127, 0, 0, 3), 32, "FR"),
    ]);
    let settings = Settings::new()
        .origin("app", &origin.url())
        .tables("[geo]\ndatabase = \"geo.mmdb\"")
        .site("vary = { country = { dach = [\"DE\", \"AT\", \"CH\"], us = [\"US\"] } }");
    let lone = with_files(&settings, &[("geo.mmdb", &database)]).await;
    let url = lone.node.url("/");
    let client = |last| {
        let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
        Client::plain_from(address, &[(HOST, lone.node.http)])
    };
    // 127.0.0.4 is in no network of the data base
    for (last, is_first) in [(1, true), (2, false), (3, true), (4, false)] {
        let before = origin.count("/");
        let answer = client(last).get_with(&url, &[("x-country", "us")]).await.expect(200);
        assert_eq!(origin.count("/") > before, is_first, "from 127.0.0.{last}: {answer}");
        assert_eq!(answer.header("cache-control"), "max-age=600, private", "{answer}");
        assert_eq!(answer.header("vary"), "", "no field stands for a country: {answer}");
        client(last).hit(&url, &[]).await.expect(200);
    }
    assert_eq!(sent(&origin, "/", "x-country"), ["dach", "other"]);

    let file = lone.node.config.with_file_name("geo.mmdb");
    std::fs::write(&file, mmdb::countries(&[(Ipv4Addr::new(127, 0, 0, 0), 8, "US")])).unwrap();
    lone.node.admin.post("/api/v1/reload").await.expect(200);
    client(1).get(&url).await.expect(200).expect_miss();
    client(4).hit(&url, &[]).await.expect(200);
    assert_eq!(sent(&origin, "/", "x-country"), ["dach", "other", "us"]);
    std::fs::write(&file, "no data base").unwrap();
    let refused = lone.node.admin.post("/api/v1/reload").await.expect(422);
    assert!(refused.text().contains("country data base"), "{refused}");
    client(1).get(&url).await.expect(200).expect_hit();
}

#[tokio::test]
async fn a_purge_by_url_covers_every_class() {
    let origin = Origin::start().await;
    origin.on("/", cached("page"));
    let settings = Settings::new().origin("app", &origin.url());
    let lone = lone(&settings.site("vary = { device = true, language = [\"en\", \"de\"] }")).await;
    let (client, url) = (lone.node.client(), lone.node.url("/"));
    let german = ("accept-language", "de");
    let classes: [&[(&str, &str)]; 3] = [&[PHONE], &[LAPTOP], &[LAPTOP, german]];
    for class in classes {
        client.get_with(&url, class).await.expect(200).expect_miss();
        client.hit(&url, class).await.expect(200);
    }
    lone.node.admin.purged(json!({ "urls": [url] })).await;
    for class in classes {
        client.get_with(&url, class).await.expect(200).expect_miss();
    }
    assert_eq!(origin.count("/"), 6);
}

#[tokio::test]
async fn origins_are_sent_what_the_key_holds_and_not_what_a_client_says() {
    let origin = Origin::start().await;
    for target in ["/a", "/post"] {
        origin.on(target, cached("page"));
    }
    origin.on("/dot.gif", Reply::ok(PIXEL).with("content-type", "image/gif").cache_control("max-age=600"));
    let settings =
        Settings::new().origin("app", &origin.url()).tables("[dictionaries.d]\nfile = \"d.json\"").site(
            r#"vary = { language = ["en", "de"] }
[[site.request_headers]]
name = "X-Market"
set = "{dictionary:d:{language}}"
default = "world"
[[site.request_headers]]
name = "X-Secret"
set = "hunter2 {host}{path}"
[[site.request_headers]]
name = "Cookie"
remove = true
"#,
        );
    let lone = with_files(&settings, &[("d.json", br#"{"de": "germanic"}"#)]).await;
    let client = lone.node.client();
    let evil = [("x-market", "evil"), ("x-secret", "evil"), ("cookie", "a=b"), ("accept-language", "de")];
    client.get_with(&lone.node.url("/a"), &evil).await.expect(200);
    client.send(Method::POST, &lone.node.url("/post"), &evil, "body").await.expect(200);
    client.get_with(&lone.node.url("/cdn-cgi/image/width=1/dot.gif"), &evil).await.expect(200);
    for (target, market) in [("/a", "germanic"), ("/post", "germanic"), ("/dot.gif", "world")] {
        assert_eq!(sent(&origin, target, "x-market"), [market], "{target}");
        assert_eq!(sent(&origin, target, "x-secret"), [format!("hunter2 {HOST}{target}")], "{target}");
        assert_eq!(sent(&origin, target, "cookie"), [""], "{target}");
    }
}

#[tokio::test]
async fn clients_are_sent_what_rules_say_and_nothing_of_it_is_stored() {
    let origin = Origin::start().await;
    origin.on("/a", cached("page").with("server", "secret/1.0"));
    let settings = Settings::new().origin("app", &origin.url()).site(
        r#"[[site.response_headers]]
name = "Server"
remove = true
[[site.response_headers]]
name = "X-Id"
set = "{request_id}"
[[site.response_headers]]
name = "X-Path"
append = "{path} from {client}"
"#,
    );
    let lone = lone(&settings).await;
    let client = lone.node.client();
    let first = client.get(&lone.node.url("/a")).await.expect(200).expect_miss();
    let second = client.hit(&lone.node.url("/a"), &[]).await.expect(200);
    let missing = client.get(&lone.node.url("/missing")).await.expect(404);
    let posted = client.send(Method::POST, &lone.node.url("/a"), &[], "body").await.expect(200);
    for answer in [&first, &second, &missing, &posted] {
        assert_eq!(answer.header("server"), "", "{answer}");
        assert_eq!(answer.header("x-id").len(), 32, "{answer}");
        assert!(answer.header("x-path").ends_with(" from 127.0.0.1"), "{answer}");
    }
    assert_eq!(second.header("x-path"), "/a from 127.0.0.1", "once: {second}");
    assert_ne!(first.header("x-id"), second.header("x-id"));
    assert_eq!(second.header("x-id"), second.header("x-request-id"), "{second}");
}

#[tokio::test]
async fn nothing_in_a_url_becomes_a_field() {
    let origin = Origin::start().await;
    let settings =
        Settings::new().origin("app", &origin.url()).tables("[dictionaries.d]\nfile = \"d.json\"").site(
            "[[site.request_headers]]\nname = \"X-Path\"\nset = \"{path}\"\n[[site.response_headers]]\n\
         name = \"X-Path\"\nset = \"{path}\"\n[[site.redirect]]\ndictionary = \"d\"\nkey = \"{path}\"\n",
        );
    let dictionary = json!({ "/to": "/x y\"<z>" }).to_string();
    let lone = with_files(&settings, &[("d.json", dictionary.as_bytes())]).await;
    for target in ["/%0d%0aX-Evil:%201", "/%0aX-Evil:1%00", "/a\rX-Evil:1", "/a%E5%98%8A%E5%98%8DX-Evil:1"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        let answer = raw::exchange(lone.node.http, request).await;
        assert_eq!(answer.header("x-evil"), None, "{}", answer.head);
        assert!([400, 404].contains(&answer.status), "{}", answer.head);
    }
    let redirected = lone.node.client().get(&lone.node.url("/to")).await.expect(302);
    assert_eq!(redirected.header("location"), "/x%20y%22%3Cz%3E", "{redirected}");
    assert_eq!(redirected.header("x-path"), "/to", "{redirected}");
    assert_eq!(origin.count("/to"), 0, "the origin is not asked");
    let asked = origin.requests("/%0D%0AX-Evil:%201");
    assert!(asked.len() == 1 && !asked[0].headers.contains_key("x-evil"), "{asked:?}");
    assert_eq!(sent(&origin, "/%0D%0AX-Evil:%201", "x-path"), ["/%0D%0AX-Evil:%201"]);
}

#[tokio::test]
async fn dictionaries_are_read_again_while_the_node_runs() {
    let origin = Origin::start().await;
    origin.on("/a", cached("page"));
    let settings = Settings::new().origin("app", &origin.url()).tables("[dictionaries.moved]\nfile = \"d.csv\"").site(
        "[[site.redirect]]\ndictionary = \"moved\"\nstatus = 308\n[[site.response_headers]]\nname = \"X-Note\"\n\
         set = \"{dictionary:moved.note:{path}}\"\ndefault = \"none\"\n",
    );
    let lone = with_files(&settings, &[("d.csv", b"path,to,note\n/old,/new,x\n/a,,first\n")]).await;
    let (client, dir) = (lone.node.client(), lone.node.config.parent().unwrap());
    let ask = async |path: &str| client.get(&lone.node.url(path)).await;
    let moved = ask("/old?a=b").await.expect(308);
    assert_eq!((moved.header("location"), moved.header("cache-control")), ("/new".into(), "no-store".into()));
    let head = client.send(Method::HEAD, &lone.node.url("/old"), &[], "").await.expect(308);
    assert_eq!(head.header("location"), "/new", "{head}");
    assert_eq!(ask("/a").await.expect(200).header("x-note"), "first");
    stored(&lone.node, &lone.node.url("/a")).await;

    replace(dir, "d.csv", "path,to,note\n/old,/newer,x\n/a,,second\n");
    let until = async |path: &str, is_it: &dyn Fn(&Answer) -> bool| {
        wait_until("the dictionary is read again", DEADLINE, async || Some(ask(path).await).filter(is_it))
            .await
    };
    until("/old", &|answer| answer.header("location") == "/newer").await;
    let answer = ask("/a").await.expect(200).expect_hit();
    assert_eq!(answer.header("x-note"), "second", "a stored answer gets what is new: {answer}");

    replace(dir, "d.csv", "path,to,note\n/old,/wrong,x\n/a\n");
    let metrics = async || lone.node.admin.get("/metrics").await.expect(200).text();
    let reload = |outcome: &str| {
        format!(
            "overfall_dictionary_reloads_total{{dictionary=\"moved\",node=\"edge-1\",outcome=\"{outcome}\"}} 1\n"
        )
    };
    wait_until("the bad file is refused", DEADLINE, async || {
        metrics().await.contains(&reload("refused")).then_some(())
    })
    .await;
    assert!(metrics().await.contains(&reload("loaded")), "{}", metrics().await);
    assert_eq!(ask("/old").await.header("location"), "/newer", "the old one stays");
    wait_until("the log says why", DEADLINE, async || {
        lone.node.process.stderr().contains("d.csv:3: 1 fields, but 3 columns").then_some(())
    })
    .await;
    lone.node.admin.post("/api/v1/reload").await.expect(422);
    assert_eq!(ask("/old").await.header("location"), "/newer", "a reload is refused for the same reason");
}

#[tokio::test]
async fn a_node_does_not_start_on_files_that_are_missing_or_wrong() {
    let origin = Origin::start().await;
    for (tables, name, bytes, complaint) in [
        ("[geo]\ndatabase = \"geo.mmdb\"", "other", &b""[..], "country data base"),
        ("[geo]\ndatabase = \"geo.mmdb\"", "geo.mmdb", b"no data base", "country data base"),
        ("[dictionaries.d]\nfile = \"d.csv\"", "other", b"", "d.csv: "),
        ("[dictionaries.d]\nfile = \"d.csv\"", "d.csv", b"k,v\na\n", "d.csv:2: 1 fields, but 2 columns"),
    ] {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let config = dir.path().join("overfall.toml");
        std::fs::write(&config, Settings::new().origin("app", &origin.url()).tables(tables).to_toml())
            .unwrap();
        let mut command = Command::new(EXE);
        command.arg("run").arg("--config").arg(&config).current_dir(dir.path());
        let mut process = Process::spawn(&mut command);
        let says = |line: &str| line.contains(complaint).then_some(());
        process.stderr_line(&format!("the node says {complaint:?}"), DEADLINE, says).await;
        let status = process.exit(DEADLINE).await;
        assert_eq!(status.code(), Some(1), "{}", process.stderr());
    }
}

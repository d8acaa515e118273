//! Content codings: made once, behind the answers, from one fetch (RFC 9110 sections 8.4 and 12.5.3).

use bytes::Bytes;
use overfall_cache::encoding::{Coding, decode, encode};
use overfall_config::CompressLevel;
use overfall_test_support::{Answer, Client, DEADLINE, Origin, Reply, Settings, wait_until};

use crate::{lone, stored};

const SCRIPT_BYTES: usize = 64 << 10;

fn text() -> Bytes {
    let mut text = String::new();
    for n in 0.. {
        text.push_str(&format!("export const value{n} = {};\n", n * 7919 % 104_729));
        if text.len() >= SCRIPT_BYTES {
            return text.into();
        }
    }
    unreachable!()
}

fn js(body: impl Into<Bytes>) -> Reply {
    Reply::ok(body)
        .cache_control("max-age=600")
        .with("content-type", "text/javascript")
        .with("etag", "\"v1\"")
}

/// Asks until the answer has this coding.
async fn coded(client: &Client, url: &str, accept: &str, coding: &str) -> Answer {
    let what = format!("{url} is answered in {coding:?} to {accept:?}");
    wait_until(&what, DEADLINE, async || {
        let answer = client.get_with(url, &[("accept-encoding", accept)]).await.expect(200);
        (answer.header("content-encoding") == coding).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn one_fetch_serves_every_coding() {
    let origin = Origin::start().await;
    origin.on("/w.js", js(text()));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/w.js"));

    let first = client.get_with(&url, &[("accept-encoding", "gzip, br, zstd")]).await.expect(200);
    assert_eq!(first.body, text(), "the first reader does not wait for a coding");
    assert!(first.header("vary").to_lowercase().contains("accept-encoding"), "{first}");
    let mut tags = vec![first.header("etag")];
    for (accept, coding) in [("br", Coding::Br), ("zstd", Coding::Zstd), ("gzip;q=0.5", Coding::Gzip)] {
        let answer = coded(&client, &url, accept, coding.token()).await;
        assert!(answer.body.len() < SCRIPT_BYTES / 2, "{coding:?}: {} bytes", answer.body.len());
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{answer}");
        assert_eq!(decode(&answer.body, coding, 1 << 20).unwrap(), text());
        assert!(answer.header("vary").to_lowercase().contains("accept-encoding"), "{answer}");
        assert!(!tags.contains(&answer.header("etag")), "{answer}\n  other bytes, same tag");
        tags.push(answer.header("etag"));
    }
    let plain = client.hit(&url, &[]).await.expect(200);
    assert_eq!((plain.body.clone(), plain.header("content-encoding").as_str()), (text(), ""), "{plain}");
    let refused = client.hit(&url, &[("accept-encoding", "br;q=0, gzip;q=0, zstd;q=0")]).await;
    assert_eq!(refused.body, text());
    assert_eq!(origin.count("/w.js"), 1);
    let asked = origin.requests("/w.js")[0].headers["accept-encoding"].clone();
    assert_eq!(asked, "identity", "one fetch for all codings asks for the plain body");
}

#[tokio::test]
async fn conditions_and_ranges_speak_of_the_coding_that_is_sent() {
    let origin = Origin::start().await;
    origin.on("/w.js", js(text()));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/w.js"));
    client.get(&url).await.expect(200);
    let gzip = coded(&client, &url, "gzip", "gzip").await;
    let tag = gzip.header("etag");
    let same = [("accept-encoding", "gzip"), ("if-none-match", tag.as_str())];
    client.get_with(&url, &same).await.expect(304);
    let other = [("accept-encoding", "identity"), ("if-none-match", tag.as_str())];
    assert_eq!(client.get_with(&url, &other).await.expect(200).body, text());
    let part = [("accept-encoding", "gzip"), ("if-range", tag.as_str()), ("range", "bytes=10-19")];
    assert_eq!(client.get_with(&url, &part).await.expect(206).body, gzip.body[10..20]);
    let stale = [("accept-encoding", "gzip"), ("if-range", "\"v1\""), ("range", "bytes=10-19")];
    assert_eq!(client.get_with(&url, &stale).await.expect(200).body, gzip.body);
    let head = client.send(http::Method::HEAD, &url, &[("accept-encoding", "gzip")], "").await.expect(200);
    assert_eq!(head.header("content-length"), gzip.body.len().to_string(), "{head}");
}

#[tokio::test]
async fn a_validation_keeps_the_codings_and_a_purge_takes_them_all() {
    let origin = Origin::start().await;
    origin.on("/w.js", js(text()).cache_control("max-age=0, stale-while-revalidate=0"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/w.js"));
    client.get(&url).await.expect(200);
    stored(&lone.node, &url).await;
    origin.on("/w.js", Reply::status(304).cache_control("max-age=600").with("etag", "\"v1\""));
    coded(&client, &url, "br", "br").await;
    let second = Bytes::from(script_of("second"));
    origin.on("/w.js", js(second.clone()));
    lone.node.admin.purged(serde_json::json!({ "urls": [url] })).await;
    let fresh = client.get_with(&url, &[("accept-encoding", "br")]).await.expect(200);
    assert_eq!(fresh.body, second, "{fresh}\n  no coding of the purged body is left");
    let again = coded(&client, &url, "br", "br").await;
    assert_eq!(decode(&again.body, Coding::Br, 1 << 20).unwrap(), second);
}

fn script_of(word: &str) -> String {
    format!("const {word} = 1;\n").repeat(200)
}

#[tokio::test]
async fn an_origins_own_coding_is_kept_and_undone_for_who_does_not_take_it() {
    let origin = Origin::start().await;
    let gzip: Bytes = encode(&text(), Coding::Gzip, CompressLevel::Best).unwrap().into();
    origin.on("/w.js", js(gzip.clone()).with("content-encoding", "gzip"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/w.js"));
    let plain = client.get(&url).await.expect(200);
    assert_eq!((plain.body.clone(), plain.header("content-encoding").as_str()), (text(), ""), "{plain}");
    assert_ne!(plain.header("etag"), "\"v1\"", "{plain}");
    let kept = client.hit(&url, &[("accept-encoding", "br, gzip")]).await.expect(200);
    assert_eq!((kept.body.clone(), kept.header("content-encoding").as_str()), (gzip, "gzip"));
    assert_eq!(kept.header("etag"), "\"v1\"", "{kept}");
    let plain = client.hit(&url, &[]).await.expect(200);
    assert_eq!(plain.body, text());
    assert!(plain.header("vary").to_lowercase().contains("accept-encoding"), "{plain}");
    assert_eq!(origin.count("/w.js"), 1);
}

#[tokio::test]
async fn what_must_not_or_cannot_shrink_stays_as_it_is() {
    let origin = Origin::start().await;
    origin.on("/fixed.js", js(text()).cache_control("max-age=600, no-transform"));
    let photo = Reply::ok(text()).cache_control("max-age=600").with("content-type", "image/jpeg");
    origin.on("/photo.jpg", photo.with("etag", "\"v1\""));
    origin.on("/small.js", js("let a = 1;"));
    origin.on("/marker.js", js(text()));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    let all = [("accept-encoding", "gzip, br, zstd")];
    for path in ["/fixed.js", "/photo.jpg", "/small.js", "/marker.js"] {
        client.get_with(&lone.node.url(path), &all).await.expect(200);
    }
    // the queue is worked off in order: once the last is coded, the others would be
    coded(&client, &lone.node.url("/marker.js"), "gzip", "gzip").await;
    for path in ["/fixed.js", "/photo.jpg", "/small.js"] {
        let answer = client.hit(&lone.node.url(path), &all).await.expect(200);
        assert_eq!(answer.header("content-encoding"), "", "{answer}");
        assert_eq!(answer.header("etag"), "\"v1\"", "{answer}");
    }
}

#[tokio::test]
async fn a_site_may_choose_its_codings_or_leave_them_to_the_origin() {
    let origin = Origin::start().await;
    origin.on("/w.js", js(text()));
    let only = Settings::new()
        .origin("app", &origin.url())
        .site("compress = { codings = [\"gzip\"], level = \"best\" }");
    let one = lone(&only).await;
    let (client, url) = (one.node.client(), one.node.url("/w.js"));
    client.get(&url).await.expect(200);
    coded(&client, &url, "br, gzip;q=0.1", "gzip").await;

    let off = lone(&Settings::new().origin("app", &origin.url()).site("compress = false")).await;
    let (client, url) = (off.node.client(), off.node.url("/w.js"));
    let answer = client.get_with(&url, &[("accept-encoding", "br")]).await.expect(200);
    assert_eq!(
        (answer.header("vary"), answer.header("etag")),
        (String::new(), "\"v1\"".to_owned()),
        "{answer}"
    );
    assert_eq!(
        origin.requests("/w.js")[1].headers["accept-encoding"],
        "br",
        "what the client takes is passed on"
    );
}

#[tokio::test]
async fn a_cold_part_or_head_of_a_coded_body_speaks_of_the_plain_one() {
    let origin = Origin::start().await;
    let gzip: Bytes = encode(&text(), Coding::Gzip, CompressLevel::Best).unwrap().into();
    for path in ["/a.js", "/b.js", "/c.js", "/d.js"] {
        origin.on(path, js(gzip.clone()).with("content-encoding", "gzip"));
    }
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    let length = text().len();
    for (path, range, first, last) in
        [("/a.js", "bytes=0-", 0, length - 1), ("/b.js", "bytes=60000-60010", 60_000, 60_010)]
    {
        let part = client.get_with(&lone.node.url(path), &[("range", range)]).await.expect(206);
        assert_eq!(part.body, text()[first..=last], "{part}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/{length}"), "{part}");
        assert_eq!(part.header("content-encoding"), "", "{part}");
    }
    let head = client.send(http::Method::HEAD, &lone.node.url("/c.js"), &[], "").await.expect(200);
    assert_eq!(head.header("content-length"), length.to_string(), "{head}");
    let other = client.get_with(&lone.node.url("/d.js"), &[("if-none-match", "\"v1\"")]).await.expect(200);
    assert_eq!(other.body, text(), "the tag is of the coded body: {other}");
}

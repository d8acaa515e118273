//! RFC 9111, HTTP Caching.

use http::Method;
use overfall_test_support::{
    Reply,
    raw::{Raw, exchange},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{Stage, lenient, old, page, stage};
use crate::lone;

/// When the tests' old responses were made.
const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

#[tokio::test]
async fn section_3_what_may_not_be_stored_is_not() {
    let stage = stage("").await;
    for (at, directives) in [
        "no-store, max-age=60",
        "private, max-age=60",
        "private=\"set-cookie\", max-age=60",
        "max-age=0",
        "s-maxage=0, max-age=60",
        "max-age=60, max-age=0",
        "max-age=x",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!stage.is_reused(&format!("/{at}"), page(directives)).await, "{directives}");
    }
    assert!(stage.is_reused("/yes", page("max-age=60")).await);
}

#[tokio::test]
async fn section_3_an_error_with_a_lifetime_is_stored_like_any_other() {
    let strict = stage("").await;
    for status in [500, 502, 503, 504, 599] {
        let path = format!("/{status}");
        assert!(strict.is_reused(&path, page("max-age=60").with_status(status)).await, "{status}");
        assert!(
            !strict.is_reused(&format!("{path}/no"), Reply::status(status)).await,
            "{status} says nothing"
        );
    }
    assert!(!strict.is_reused("/unknown", page("max-age=60, must-understand").with_status(599)).await);
    let guarded = stage("on_failure = { body = \"sorry\" }").await;
    assert!(!guarded.is_reused("/503", page("max-age=60").with_status(503)).await, "the site has an answer");
}

/// A 206 with the end of ten bytes.
fn end(body: &'static str) -> Reply {
    Reply::ok(body).with_status(206).with("content-range", "bytes 4-9/10").cache_control("max-age=60")
}

#[tokio::test]
async fn section_3_3_a_part_answers_ranges_inside_of_it_and_nothing_else() {
    let stage = stage("").await;
    stage.origin.on("/a", end("456789"));
    let first = stage.get_with("/a", "range", "bytes=-6").await.expect(206).expect_miss();
    assert!(first.cache_status().contains("; stored"), "{first}");
    for (range, content_range, body) in [
        ("bytes=-6", "bytes 4-9/10", "456789"),
        ("bytes=4-5", "bytes 4-5/10", "45"),
        ("bytes=8-", "bytes 8-9/10", "89"),
        ("bytes=-1", "bytes 9-9/10", "9"),
    ] {
        let part = stage.get_with("/a", "range", range).await.expect(206).expect_hit();
        assert!(part.cache_status().starts_with("edge-1/memory; hit; ttl="), "{part}");
        assert_eq!(
            (part.header("content-range").as_str(), part.text().as_str()),
            (content_range, body),
            "{part}"
        );
    }
    let beside = stage.get_with("/a", "range", "bytes=3-5").await.expect_miss();
    assert!(beside.cache_status().contains("edge-1; fwd=partial"), "{beside}");
    stage.get("/a").await.expect_miss();
    assert_eq!(stage.origin.count("/a"), 3);
}

#[tokio::test]
async fn section_3_3_a_part_dies_with_its_target() {
    let stage = stage("").await;
    stage.origin.on("/a", end("456789"));
    stage.get_with("/a", "range", "bytes=-6").await.expect_miss();
    stage.get_with("/a", "range", "bytes=-6").await.expect_hit();
    stage.lone.node.admin.purge(&json!({ "urls": [stage.lone.node.url("/a")], "wait": true })).await;
    let purged = stage.get_with("/a", "range", "bytes=-6").await.expect_miss();
    assert!(purged.cache_status().contains("edge-1; fwd=miss"), "{purged}");
    stage.get_with("/a", "range", "bytes=-6").await.expect_hit();
    stage.origin.on("/a", Reply::ok("changed"));
    stage.send(Method::POST, "/a").await.expect(200);
    stage.get_with("/a", "range", "bytes=-6").await.expect_miss();
}

#[tokio::test]
async fn section_3_3_a_part_that_lacks_bytes_of_its_range_is_read_from_the_side_that_is_asked_for() {
    let stage = stage("").await;
    stage.origin.on("/a", end("01234"));
    let first = stage.get_with("/a", "range", "bytes=-5").await.expect(206);
    assert_eq!(
        (first.header("content-range").as_str(), first.text().as_str()),
        ("bytes 4-9/10", "01234"),
        "{first}"
    );
    for (range, content_range, body) in [
        ("bytes=-5", "bytes 4-9/10", "01234"),
        ("bytes=6-8", "bytes 6-8/10", "234"),
        ("bytes=6-", "bytes 6-8/10", "234"),
        ("bytes=-1", "bytes 9-9/10", "4"),
    ] {
        let part = stage.get_with("/a", "range", range).await.expect(206).expect_hit();
        assert_eq!(
            (part.header("content-range").as_str(), part.text().as_str()),
            (content_range, body),
            "{part}"
        );
    }
    let beside = stage.get_with("/a", "range", "bytes=6-9").await.expect_miss();
    assert_eq!(beside.text(), "01234", "as the origin answers this very range: {beside}");
}

#[tokio::test]
async fn section_3_5_credentials_are_not_shared_unless_the_response_allows_it() {
    let stage = stage("").await;
    for (directives, is_shared) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("max-age=60, must-revalidate", true),
        ("s-maxage=60", true),
    ] {
        let path = format!("/{}", directives.replace([',', ' ', '='], "-"));
        stage.origin.on(&path, page(directives));
        stage.get_with(&path, "authorization", "Basic eDp5").await.expect(200);
        let second = stage.get(&path).await.expect(200);
        assert_eq!(stage.origin.count(&path) == 1, is_shared, "{second}\n  {directives}");
    }
}

#[tokio::test]
async fn section_4_1_requests_that_mean_the_same_share_a_variant() {
    let stage = stage("").await;
    for (at, name, one, other, is_same) in [
        (0, "foo", "1, 2", "1,2", true),
        (1, "foo", "1,2", "2,1", false),
        (2, "accept-language", "en, de", "DE , en", true),
        (3, "accept-language", "en, de;q=0.5", "de, en;q=0.5", false),
        (4, "accept-encoding", "gzip, br;q=0.5", "br, gzip", true),
        (5, "cookie", "a=1", "a=2", false),
    ] {
        let path = format!("/{at}");
        stage.origin.on(&path, page("max-age=60").with("vary", name));
        stage.get_with(&path, name, one).await.expect(200);
        stage.get_with(&path, name, other).await.expect(200);
        assert_eq!(stage.origin.count(&path) == 1, is_same, "{name}: {one:?} and {other:?}");
    }
}

#[tokio::test]
async fn section_4_1_a_reader_gets_the_stored_variant_in_its_favourite_language() {
    let stage = stage("").await;
    let url = stage.lone.node.url("/a");
    for language in ["de", "fr"] {
        let reply = Reply::ok(language).cache_control("max-age=600").with("vary", "accept-language");
        stage.origin.on("/a", reply.with("content-language", language));
        stage.client.hit(&url, &[("accept-language", &format!("{language}, en"))]).await;
    }
    for (wanted, language) in [("en;q=0.5, de;q=1.0", "de"), ("fr", "fr"), ("FR, de;q=0.9", "fr")] {
        let answer = stage.get_with("/a", "accept-language", wanted).await.expect(200).expect_hit();
        assert_eq!(answer.text(), language, "{answer}");
    }
    let unknown = stage.get_with("/a", "accept-language", "it, de;q=0.9").await.expect(200);
    assert!(unknown.cache_status().contains("fwd=vary-miss"), "{unknown}");
}

#[tokio::test]
async fn section_4_2_2_freshness_is_guessed_only_where_that_is_allowed() {
    let stage = stage("").await;
    let modified = |status| Reply::ok("page").with_status(status).with("last-modified", THEN);
    assert!(stage.is_reused("/ok", modified(200)).await);
    assert!(stage.is_reused("/gone", modified(410)).await);
    assert!(!stage.is_reused("/created", modified(201)).await);
    assert!(!stage.is_reused("/nothing", Reply::ok("page")).await, "nothing to guess from");
}

#[tokio::test]
async fn section_4_2_3_the_age_on_arrival_counts() {
    let stage = stage("").await;
    assert!(!stage.is_reused("/old", old("public")).await);
    let young = stage.store("/young", page("max-age=60").with("age", "50")).await.expect(200);
    assert!(young.header("age").parse::<u64>().is_ok_and(|age| age >= 50), "{young}");
    let hit = stage.get("/young").await.expect(200).expect_hit();
    assert!(hit.header("age").parse::<u64>().is_ok_and(|age| age >= 50), "{hit}");
    assert!(!stage.is_reused("/made-long-ago", page("max-age=60").with("date", THEN)).await);
}

#[tokio::test]
async fn section_4_3_4_a_304_updates_the_stored_fields_and_nothing_of_the_body() {
    let stage = stage("").await;
    let tagged = |x| old("public").with("etag", "\"v1\"").with("x-a", x).with("content-md5", x);
    stage.store("/a", tagged("1")).await.expect(200);
    stage.origin.on("/a", tagged("2"));
    let merged = stage.get("/a").await.expect(200);
    assert_eq!((merged.text().as_str(), merged.header("x-a").as_str()), ("page", "2"), "{merged}");
    assert_eq!(merged.header("content-md5"), "1", "{merged}\n  it belongs to the bytes");
    assert!(merged.cache_status().contains("fwd-status=304"), "{merged}");
    assert_eq!(stage.origin.requests("/a")[1].headers["if-none-match"], "\"v1\"");
}

#[tokio::test]
async fn section_4_4_a_successful_unsafe_request_invalidates_what_it_speaks_of() {
    let stage = stage("").await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let (target, named) = (format!("/{method}/a"), format!("/{method}/b"));
        for path in [&target, &named] {
            stage.store(path, page("max-age=600")).await;
            stage.get(path).await.expect_hit();
        }
        stage.origin.on(&target, page("max-age=600").with("content-location", "b"));
        stage.send(method.clone(), &target).await.expect(200);
        for path in [&target, &named] {
            stage.get(path).await.expect(200).expect_miss();
        }
    }
}

#[tokio::test]
async fn section_4_4_variants_go_with_their_url_and_other_hosts_are_left_alone() {
    let stage = stage("").await;
    stage.origin.on("/a", page("max-age=600").with("vary", "foo"));
    let url = stage.lone.node.url("/a");
    for foo in ["1", "2"] {
        stage.client.hit(&url, &[("foo", foo)]).await;
    }
    let elsewhere = format!("http://other.test{}", "/b");
    stage.store("/b", page("max-age=600")).await;
    stage.origin.on("/a", page("max-age=600").with("vary", "foo").with("location", &elsewhere));
    stage.send(Method::POST, "/a").await.expect(200);
    for foo in ["1", "2"] {
        stage.get_with("/a", "foo", foo).await.expect(200).expect_miss();
    }
    stage.get("/b").await.expect_hit();
}

#[tokio::test]
async fn section_4_4_a_failed_or_safe_request_invalidates_nothing() {
    let stage = stage("").await;
    stage.store("/a", page("max-age=600")).await;
    stage.origin.on("/a", Reply::status(500));
    stage.send(Method::POST, "/a").await.expect(500);
    stage.get("/a").await.expect(200).expect_hit();
    stage.origin.on("/a", page("max-age=600"));
    stage.send(Method::OPTIONS, "/a").await.expect(200);
    stage.get("/a").await.expect(200).expect_hit();
}

#[tokio::test]
async fn section_4_4_what_is_being_fetched_is_invalidated_too() {
    let stage = stage("").await;
    let (reply, drip) = Reply::drip();
    stage.origin.on("/a", reply.cache_control("max-age=600"));
    stage.origin.on("/post", Reply::ok("done").with("content-location", "/a"));
    let changing = async {
        stage.origin.until_asked("/a", 1).await;
        stage.send(Method::POST, "/post").await.expect(200);
        drip.push("before");
        drip.end();
    };
    let (before, ()) = tokio::join!(stage.get("/a"), changing);
    assert_eq!(before.expect(200).text(), "before");
    stage.origin.on("/a", page("max-age=600"));
    assert_eq!(stage.get("/a").await.expect(200).text(), "page");
}

#[tokio::test]
async fn section_5_1_an_age_that_is_no_number_is_ignored_and_the_first_of_several_counts() {
    let stage = stage("").await;
    let aged = |ages: &[&str]| ages.iter().fold(page("max-age=3600"), |reply, age| reply.with("age", age));
    for (at, (ages, is_fresh)) in [
        (&["abc"][..], true),
        (&["-7200"][..], true),
        (&["7200.0"][..], true),
        (&["0, 7200"][..], true),
        (&["7200, 0"][..], false),
        (&["0", "7200"][..], true),
        (&["7200", "0"][..], false),
        (&["99999999999999999999"][..], false),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(stage.is_reused(&format!("/{at}"), aged(ages)).await, is_fresh, "{ages:?}");
    }
}

/// `max-age` does nothing to a request that nobody trusts, and all that it says to one that somebody does.
async fn wishes(stage: &Stage, is_trusted: bool) {
    let fresh = page("max-age=600").with("age", "300").with("etag", "\"v\"");
    stage.store("/fresh", fresh.clone()).await;
    for wish in ["no-cache", "max-age=0", "max-age=299", "min-fresh=301"] {
        let before = stage.origin.count("/fresh");
        let answer = stage.get_with("/fresh", "cache-control", wish).await.expect(200);
        assert_eq!(stage.origin.count("/fresh") > before, is_trusted, "{answer}\n  {wish}");
    }
    for (wish, is_enough) in [("max-stale=5", true), ("max-stale", true), ("max-stale=0", false)] {
        let path = format!("/{wish}");
        stage.store(&path, old("public").with("etag", "\"v\"")).await;
        stage.get_with(&path, "cache-control", wish).await.expect(200);
        assert_eq!(stage.origin.count(&path) == 1, is_trusted && is_enough, "{wish}");
    }
}

#[tokio::test]
async fn section_5_2_1_wishes_of_requests_are_obeyed_where_the_site_says_so() {
    wishes(&stage("").await, false).await;
    wishes(&stage("request_cache_control = \"obey\"").await, true).await;
    wishes(&stage("request_cache_control = [\"192.0.2.0/24\"]").await, false).await;
    wishes(&stage("request_cache_control = [\"127.0.0.0/8\"]").await, true).await;
}

#[tokio::test]
async fn section_5_2_1_7_only_if_cached_never_asks_the_origin() {
    let stage = stage("").await;
    stage.get_with("/a", "cache-control", "only-if-cached").await.expect(504);
    assert_eq!(stage.origin.count_all(), 0);
    stage.store("/a", page("max-age=60")).await;
    stage.get_with("/a", "cache-control", "only-if-cached").await.expect(200).expect_hit();
}

#[tokio::test]
async fn section_5_2_2_2_nothing_overrules_must_revalidate() {
    let mut stage = lenient("stale_if_error = \"1d\"\nrequest_cache_control = \"obey\"").await;
    let paths = ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=60"];
    for path in paths {
        let reply = page(&format!("max-age=60, {path}")).with("age", "60").with("etag", "\"v\"");
        stage.store(&format!("/{path}"), reply).await;
    }
    stage.store("/free", old("public")).await;
    stage.origin.stop().await;
    for path in paths {
        stage.get(&format!("/{path}")).await.expect(502);
        stage.get_with(&format!("/{path}"), "cache-control", "max-stale").await.expect(502);
    }
    stage.get("/free").await.expect(200).expect_hit();
}

#[tokio::test]
async fn section_5_2_2_4_no_cache_is_confirmed_for_each_request() {
    let stage = stage("").await;
    for directives in ["no-cache", "no-cache, max-age=600", "no-cache=\"set-cookie\", max-age=600"] {
        let path = format!("/{}", directives.replace([',', ' ', '=', '"'], "-"));
        stage.store(&path, page(directives).with("etag", "\"v1\"")).await.expect(200);
        for asked in 2..4 {
            let answer = stage.get(&path).await.expect(200);
            assert_eq!(answer.text(), "page");
            let requests = stage.origin.requests(&path);
            assert_eq!(requests.len(), asked, "{answer}\n  {directives}");
            assert_eq!(requests[asked - 1].headers["if-none-match"], "\"v1\"");
        }
    }
    assert!(!stage.is_reused("/unasked", page("no-cache")).await, "nothing to ask after");
}

#[tokio::test]
async fn section_5_2_2_4_no_cache_is_not_shared_while_it_arrives() {
    let stage = stage("").await;
    let (reply, drip) = Reply::drip();
    stage.origin.on("/a", reply.cache_control("no-cache, max-age=600").with("etag", "\"v1\""));
    let letting_go = async {
        stage.origin.until_asked("/a", 2).await;
        drip.push("page");
        drip.end();
    };
    let (one, other, ()) = tokio::join!(stage.get("/a"), stage.get("/a"), letting_go);
    assert_eq!((one.expect(200).text(), other.expect(200).text()), ("page".to_owned(), "page".to_owned()));
}

#[tokio::test]
async fn section_5_3_an_expires_that_is_no_date_has_passed() {
    let stage = stage("").await;
    for (at, value) in ["0", "-1", "soon", THEN].into_iter().enumerate() {
        let reply = Reply::ok("page").with("expires", value).with("last-modified", THEN);
        assert!(!stage.is_reused(&format!("/{at}"), reply).await, "{value}");
    }
}

#[tokio::test]
async fn section_7_3_a_cookie_keeps_a_response_from_being_stored_unless_the_site_says_otherwise() {
    let cookie = |directives| page(directives).with("set-cookie", "a=b");
    let careful = stage("").await;
    assert!(!careful.is_reused("/plain", cookie("max-age=60")).await);
    assert!(careful.is_reused("/public", cookie("max-age=60, public")).await);
    let trusting = stage("set_cookie = \"stored\"").await;
    assert!(trusting.is_reused("/plain", cookie("max-age=60")).await);
    assert!(!trusting.is_reused("/private", cookie("max-age=60, private")).await);
}

/// RFC 9110 section 6.6.1: the time of generation is not changed on the way.
#[tokio::test]
async fn the_date_of_a_response_is_kept() {
    let stage = stage("").await;
    let miss = stage.store("/a", page("max-age=2147483648").with("date", THEN)).await;
    assert_eq!(miss.header("date"), THEN, "{miss}");
    let hit = stage.get("/a").await.expect_hit();
    assert_eq!(hit.header("date"), THEN, "{hit}");
    stage.origin.on("/post", Reply::ok("done").with("date", THEN));
    let passed = stage.send(Method::POST, "/post").await;
    assert_eq!(passed.header("date"), THEN, "{passed}");
    let own = stage.lone.node.client().get(&stage.lone.node.url("/healthz")).await;
    assert_ne!(own.header("date"), THEN, "{own}\n  on the same connection or another");
}

/// RFC 9110 section 15.2: interim responses go to the one who asked, and are not stored.
#[tokio::test]
async fn interim_responses_are_passed_on_and_not_stored() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        assert!(tcp.read(&mut buffer).await.unwrap() > 0);
        let answer = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
            HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\npage";
        tcp.write_all(answer.as_bytes()).await.unwrap();
        tcp
    });
    let lone = lone(&overfall_test_support::Settings::new().origin("app", &url)).await;
    let request = format!("GET /a HTTP/1.1\r\nHost: {}\r\n\r\n", overfall_test_support::node::HOST);
    let mut raw = Raw::connect(lone.node.http).await;
    raw.send(&request).await;
    assert_eq!(raw.answer().await.status, 102);
    let hints = raw.answer().await;
    assert_eq!((hints.status, hints.header("link").as_deref()), (103, Some("</a.css>; rel=preload")));
    let last = raw.answer().await;
    assert_eq!((last.status, last.text().as_str(), last.header("link")), (200, "page", None));
    crate::stored(&lone.node, &lone.node.url("/a")).await;
    let second = exchange(lone.node.http, &request).await;
    assert_eq!((second.status, second.header("link")), (200, None), "{second:?}");
    drop(answering.await.unwrap());
}

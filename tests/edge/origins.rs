//! The waterfall: a broken origin is passed over, an answer is not masked, and nothing short ever looks whole.

use http::Method;
use overfall_test_support::{DEADLINE, Origin, Reply, Settings, wait_until};

use crate::lone;

/// Lines of an origin that is given up on soon, but not while the machine is merely busy.
fn impatient(url: &str) -> String {
    format!("url = \"{url}\"\nhead_timeout = \"1s\"\nread_timeout = \"500ms\"")
}

fn cached(body: &'static str) -> Reply {
    Reply::ok(body).cache_control("max-age=600")
}

#[tokio::test]
async fn whatever_is_wrong_with_the_first_origin_the_second_answers() {
    let (first, second) = (Origin::start().await, Origin::start().await);
    let mut gone = Origin::start().await;
    let gone_url = gone.url();
    gone.stop().await;
    first.on("/500", Reply::status(500));
    first.on("/503", Reply::status(503));
    first.on("/hang", Reply::hang());
    first.on("/slam", Reply::slam());
    let settings = Settings::new().origin("gone", &gone_url);
    let settings = settings.origin_with("first", &impatient(&first.url())).origin("second", &second.url());
    let lone = lone(&settings).await;
    let client = lone.node.client();
    for path in ["/500", "/503", "/hang", "/slam"] {
        second.on(path, cached("second"));
        let answer = client.get(&lone.node.url(path)).await.expect(200).expect_miss();
        assert_eq!(answer.text(), "second", "{answer}");
        assert_eq!((first.count(path), second.count(path)), (1, 1), "{answer}");
        client.hit(&lone.node.url(path), &[]).await.expect(200);
    }
}

#[tokio::test]
async fn an_answer_of_the_first_origin_is_not_masked() {
    let (first, second) = (Origin::start().await, Origin::start().await);
    let lone = lone(&Settings::new().origin("first", &first.url()).origin("second", &second.url())).await;
    let client = lone.node.client();
    for (path, status) in [("/nothing", 404), ("/gone", 410), ("/secret", 403), ("/odd", 501)] {
        if path != "/nothing" {
            first.on(path, Reply::status(status));
        }
        second.on(path, cached("never asked"));
        let answer = client.get(&lone.node.url(path)).await.expect(status);
        assert_eq!(answer.text(), format!("origin says {status}\n"), "{answer}");
        assert_eq!(second.count(path), 0, "{answer}");
    }
    first.on("/moved", Reply::status(301).with("location", "https://www.elsewhere.test/"));
    let moved = client.get(&lone.node.url("/moved")).await.expect(301);
    assert_eq!(moved.header("location"), "https://www.elsewhere.test/", "followed by the client, not by us");
}

#[tokio::test]
async fn stale_copies_are_served_when_all_origins_fail() {
    let mut origin = Origin::start().await;
    origin.on("/a", Reply::ok("copy").cache_control("max-age=0"));
    origin.on("/strict", Reply::ok("copy").cache_control("max-age=0, must-revalidate"));
    let settings = Settings::new().origin_with("app", &impatient(&origin.url()));
    let lone = lone(&settings.site("stale_while_revalidate = \"0s\"\nstale_if_error = \"1h\"")).await;
    let client = lone.node.client();
    for path in ["/a", "/strict"] {
        client.get(&lone.node.url(path)).await.expect(200).expect_miss();
    }
    origin.on("/a", Reply::status(503));
    let stale = client.get(&lone.node.url("/a")).await.expect(200);
    assert_eq!(stale.text(), "copy", "{stale}");
    origin.on("/a", Reply::hang());
    assert_eq!(client.get(&lone.node.url("/a")).await.expect(200).text(), "copy");
    origin.stop().await;
    assert_eq!(client.get(&lone.node.url("/a")).await.expect(200).text(), "copy");
    client.get(&lone.node.url("/strict")).await.expect(502);
    origin.resume().await;
    origin.on("/a", cached("new"));
    // for a second after a failure that took its time nobody is sent there again
    wait_until("the new response is served", DEADLINE, async || {
        (client.get(&lone.node.url("/a")).await.expect(200).text() == "new").then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_any_answer_there_is_a_plain_error() {
    let mut origin = Origin::start().await;
    origin.on("/hang", Reply::hang());
    origin.on("/500", Reply::status(500));
    let lone = lone(&Settings::new().origin_with("app", &impatient(&origin.url()))).await;
    let client = lone.node.client();
    let late = client.get(&lone.node.url("/hang")).await.expect(504);
    assert!(late.header("content-type").starts_with("text/plain"), "{late}");
    let own = client.get(&lone.node.url("/500")).await.expect(500);
    assert_eq!(own.text(), "origin says 500\n", "the origin's own error is the best there is: {own}");
    origin.stop().await;
    let refused = client.get(&lone.node.url("/x")).await.expect(502);
    assert!(refused.header("content-type").starts_with("text/plain"), "{refused}");
    assert!(!refused.text().contains("127.0.0.1"), "strangers learn nothing about the inside: {refused}");
    assert_eq!(refused.header("cache-control"), "no-store", "{refused}");
    origin.resume().await;
    origin.on("/x", cached("back"));
    assert_eq!(
        client.get(&lone.node.url("/x")).await.expect(200).text(),
        "back",
        "a failure is not remembered"
    );
}

#[tokio::test]
async fn a_site_may_have_a_last_resort() {
    let lines =
        "on_failure = { status = 200, content_type = \"text/javascript\", body = \"/* unavailable */\" }";
    let lone = lone(&Settings::new().origin("app", "http://127.0.0.1:1").site(lines)).await;
    let answer = lone.node.client().get(&lone.node.url("/w.js")).await.expect(200);
    assert_eq!(
        (answer.text().as_str(), answer.header("content-type").as_str()),
        ("/* unavailable */", "text/javascript")
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{answer}\n  nobody keeps it");
}

#[tokio::test]
async fn a_body_that_breaks_off_never_ends_cleanly() {
    let origin = Origin::start().await;
    origin.on("/length", Reply::cut("half", 8).cache_control("max-age=600"));
    let (chunked, drip) = Reply::drip();
    origin.on("/chunked", chunked.cache_control("max-age=600"));
    let (private, private_drip) = Reply::drip();
    origin.on("/private", private.cache_control("no-store"));
    for drip in [drip, private_drip] {
        drip.push("half");
        drip.cut();
    }
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let tls = lone.node.tls_client(overfall_test_support::client::Protocol::Any);
    for path in ["/length", "/chunked", "/private"] {
        for (client, url) in
            [(lone.node.client(), lone.node.url(path)), (tls.clone(), lone.node.tls_url(path))]
        {
            match client.try_send(Method::GET, &url, &[], "").await {
                // the failure may be known before the head goes out
                Err(_) => {}
                Ok(answer) if answer.status >= 500 => {}
                Ok(answer) => assert!(answer.cut.is_some(), "{answer}\n  looks whole"),
            }
        }
    }
    for path in ["/length", "/chunked"] {
        origin.on(path, cached("whole"));
        let answer = lone.node.client().get(&lone.node.url(path)).await.expect(200);
        assert_eq!(answer.text(), "whole", "the half was not stored: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    drip.push("half");
    let lone = lone(&Settings::new().origin_with("app", &impatient(&origin.url()))).await;
    let answer = lone.node.client().get(&lone.node.url("/a")).await;
    assert!(answer.cut.is_some(), "{answer}\n  looks whole");
}

#[tokio::test]
async fn a_folder_is_an_origin_and_nothing_outside_it() {
    let dir = tempfile::TempDir::new().unwrap();
    let folder = dir.path().join("archive");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("sub/a.txt"), "from a file").unwrap();
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), folder.join("link")).unwrap();
    let settings = Settings::new().origin("app", "http://127.0.0.1:1");
    let settings = settings.origin_with("archive", &format!("url = \"file:{}\"", folder.display()));
    let lone = lone(&settings).await;
    let client = lone.node.client();
    let file = client.get(&lone.node.url("/sub/a.txt")).await.expect(200);
    assert_eq!(file.text(), "from a file", "{file}");
    assert!(file.header("content-type").starts_with("text/plain"), "{file}");
    client.get(&lone.node.url("/nothing")).await.expect(404);
    for target in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/sub/../../secret", "/link"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: www.site.test\r\n\r\n");
        let answer = overfall_test_support::raw::exchange(lone.node.http, request).await;
        assert!(answer.status >= 400 && !answer.text().contains("secret\n"), "{target}: {answer:?}");
        assert_ne!(answer.text(), "secret", "{target}");
    }
}

#[tokio::test]
async fn an_https_origin_is_verified() {
    let origin = Origin::start().await;
    for path in ["/trusted", "/unknown"] {
        origin.on(path, cached("over TLS"));
    }
    let shield = lone(&Settings::new().named("shield").origin("app", &origin.url())).await;
    let url = format!("url = \"https://localhost:{}\"", shield.node.https.port());
    let trusting = format!("{url}\nca = \"{}\"", shield.node.ca.display());
    let edge = lone(&Settings::new().origin_with("shield", &trusting)).await;
    let answer = edge.node.client().get(&edge.node.url("/trusted")).await.expect(200);
    assert_eq!(answer.text(), "over TLS", "{answer}");
    let wary = lone(&Settings::new().origin_with("shield", &url)).await;
    wary.node.client().get(&wary.node.url("/unknown")).await.expect(502);
    assert_eq!(origin.count("/unknown"), 0, "nothing is sent to somebody who can't prove who they are");
}

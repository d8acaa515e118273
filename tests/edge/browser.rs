//! The demo's page in a real browser: the widget runs, every picture is painted.

use std::{path::PathBuf, time::Duration};

use overfall_test_support::{Demo, browser::Browser, demo::HOST, wait_until};

use crate::demo;

/// A page may take this long on a machine without a graphics card.
const PAGE_WITHIN: Duration = Duration::from_secs(40);

/// Every picture of the page and of the widget's own tree: where it came from, and how wide it is.
const PICTURES: &str = "(() => {
  const own = document.getElementById('overfall-widget').shadowRoot;
  const all = [...document.images, ...(own ? own.querySelectorAll('img') : [])];
  return JSON.stringify(all.map(image => [image.currentSrc, image.complete ? image.naturalWidth : 0]));
})()";

async fn open(demo: &Demo) -> Browser {
    let chain = overfall_test_support::tls::handshake(&demo.ca, demo.regions[0].https, HOST, &["h2"]).await;
    let rules = format!("MAP {HOST} {}", demo.regions[0].https.ip());
    Browser::start(&rules, &chain.expect("a handshake").chain).await
}

#[tokio::test]
async fn the_widget_runs_and_every_photo_is_painted() {
    let demo = demo().await;
    let mut browser = open(&demo).await;
    browser.navigate(&demo.url("/")).await;
    wait_until("the page says that it is ready", PAGE_WITHIN, async || {
        let ready = browser.evaluate("document.body && document.body.dataset.ready").await;
        (ready == "1").then_some(())
    })
    .await;
    let painted = browser.evaluate("Number(window.overfallWidget.painted)").await;
    assert!(painted.as_u64() > Some(0), "the widget painted {painted}");
    assert_eq!(browser.evaluate("document.body.dataset.edge").await, "1", "the page reads the edge's fields");
    let pictures = browser.evaluate(PICTURES).await;
    let pictures: Vec<(String, u64)> = serde_json::from_str(pictures.as_str().unwrap()).unwrap();
    assert!(pictures.len() >= 6, "{pictures:?}");
    for (source, width) in &pictures {
        assert!(*width > 0, "{source} is not painted: {pictures:?}");
    }
    assert!(
        pictures.iter().any(|(source, _)| source.contains("/cdn-cgi/image/")),
        "{pictures:?}\n  resized by URL"
    );
    let protocol = browser.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol").await;
    assert_eq!(protocol, "h2");
    let shot = browser.screenshot().await;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo-page.png");
    std::fs::write(&path, &shot).unwrap();
    assert!(image::load_from_memory(&shot).is_ok_and(|picture| picture.width() > 300), "{}", path.display());
}

//! Image URLs as the services' own clients make them: each is answered with the size and type that its client expects.
//!
//! The URLs and expectations come from `tests/dialects/generate.mjs`, which runs those clients, and not from any code of
//! ours. They are committed, so that the test needs neither node nor a registry; `make image-urls` makes them anew.

use std::{collections::BTreeMap, fmt::Write as _};

use overfall_test_support::{Answer, Client, Origin, Reply, Settings};
use serde_json::Value;

use crate::{
    lone,
    pictures::{fixture, size_and_type},
};

/// Pictures by path; their sizes stand in `tests/dialects/acceptance.sh`.
const PICTURES: [(&str, &str); 6] = [
    ("/landscape.jpg", "orient/landscape_1.jpg"),
    ("/turned.jpg", "orient/landscape_6.jpg"),
    ("/grey.jpg", "photo/photo-grey.jpg"),
    ("/cmyk.jpg", "colour/photo-cmyk-noprofile.jpg"),
    ("/leaf.jpg", "../../../proxy/assets/demo/photos/leaf.jpg"),
    ("/alpha.png", "png/palette-alpha.png"),
];
/// The site whose URLs imgix signs.
const SIGNED_HOST: &str = "imgix.site.test";
/// Clients that there are at least.
const CLIENTS_MIN: usize = 20;

const RULES: &str = r#"[site.images]
dialects = ["cloudflare", "imgproxy", "next", "ipx", "query"]
imgproxy = { keys = [{ key = "736563726574", salt = "68656C6C6F" }] }

[[site]]
name = "signed"
hosts = ["imgix.site.test"]
origins = ["app"]
[site.images]
dialects = ["query"]
imgix_token = "FOO123bar"
"#;

/// A URL with what its client expects.
struct Expected {
    client: String,
    target: String,
    width: u32,
    height: u32,
    content_type: String,
}

impl Expected {
    fn read(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let number = |name: &str| u32::try_from(line[name].as_u64().unwrap()).unwrap();
        Self {
            client: text("client"),
            target: text("url"),
            width: number("width"),
            height: number("height"),
            content_type: text("type"),
        }
    }

    fn is_signed(&self) -> bool {
        self.client == "imgix/js-core"
    }

    /// What is wrong with an answer.
    fn judge(&self, answer: &Answer) -> Option<String> {
        if answer.status != 200 || answer.cut.is_some() {
            return Some(format!("no picture:\n{answer}"));
        }
        let said = answer.header("content-type");
        let (width, height, is) = size_and_type(&answer.body);
        let expected = (self.width, self.height, self.content_type.as_str());
        let is_right = (width, height, is) == expected && said == self.content_type;
        (!is_right).then(|| format!("is {width}x{height} {is}, said to be {said}; expected {expected:?}"))
    }
}

#[tokio::test]
async fn what_the_services_own_clients_ask_for_has_the_size_and_type_that_they_expect() {
    let origin = Origin::start().await;
    for (path, name) in PICTURES {
        origin.on(path, Reply::ok(fixture(name)).cache_control("max-age=600"));
    }
    let settings = Settings::new().origin("app", &origin.url()).without_images().site(RULES);
    let lone = lone(&settings).await;
    let (plain, signed) = (lone.node.client(), Client::plain(&[(SIGNED_HOST, lone.node.http)]));
    let text = String::from_utf8(fixture("../image-clients.jsonl")).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("//")).map(Expected::read).collect();
    let mut problems = String::new();
    let mut clients = BTreeMap::<&str, usize>::new();
    for line in &lines {
        let answer = if line.is_signed() {
            signed.get(&format!("http://{SIGNED_HOST}:{}{}", lone.node.http.port(), line.target)).await
        } else {
            plain.get(&lone.node.url(&line.target)).await
        };
        *clients.entry(&line.client).or_default() += 1;
        if let Some(problem) = line.judge(&answer) {
            writeln!(problems, "{} {}\n  {problem}", line.client, line.target).unwrap();
        }
    }
    assert!(problems.is_empty(), "{problems}");
    assert!(lines.len() >= 200 && clients.len() >= CLIENTS_MIN, "{} URLs of {clients:?}", lines.len());
    for (path, _) in PICTURES {
        let fetches = origin.count(path);
        assert!(
            (1..=2).contains(&fetches),
            "{path} is fetched once for all URLs of a site, not {fetches} times"
        );
    }
}

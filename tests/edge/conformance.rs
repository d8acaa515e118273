//! What the RFCs on caching ask of a shared cache, one requirement per test, by the file of its RFC.
//!
//! The public tests of HTTP caches (`make conformance`) cover much of it; this is what they leave out, or what they saw
//! before the RFC was finished. No test waits for time to pass: a response is made old by its `Age`.

mod rfc5861;
mod rfc8586;
mod rfc9111;
mod rfc9209;
mod rfc9211;
mod rfc9213;

use http::Method;
use overfall_test_support::{
    Origin, Reply, Settings,
    client::{Answer, Client},
};

use crate::{Lone, lone, stored};

/// No windows for stale answers but those that a response names.
const STRICT: &str = "stale_while_revalidate = \"0s\"\nstale_if_error = \"0s\"";

/// One origin, one node, one client.
struct Stage {
    origin: Origin,
    lone: Lone,
    client: Client,
}

/// A site that does what the RFCs say and nothing of its own, with these lines besides.
async fn stage(lines: &str) -> Stage {
    lenient(&format!("{STRICT}\n{lines}")).await
}

/// The same with the usual windows.
async fn lenient(lines: &str) -> Stage {
    let origin = Origin::start().await;
    let settings = Settings::new().origin("app", &origin.url()).site(lines);
    let lone = lone(&settings).await;
    let client = lone.node.client();
    Stage { origin, lone, client }
}

impl Stage {
    async fn get(&self, path: &str) -> Answer {
        self.client.get(&self.lone.node.url(path)).await
    }

    async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        self.client.get_with(&self.lone.node.url(path), &[(name, value)]).await
    }

    async fn send(&self, method: Method, path: &str) -> Answer {
        self.client.send(method, &self.lone.node.url(path), &[], "x").await
    }

    /// Fetches a response that has to be stored, and waits until it is.
    async fn store(&self, path: &str, reply: Reply) -> Answer {
        self.origin.on(path, reply);
        let answer = self.get(path).await;
        stored(&self.lone.node, &self.lone.node.url(path)).await;
        answer
    }

    /// Whether two requests in a row are answered by one fetch.
    async fn is_reused(&self, path: &str, reply: Reply) -> bool {
        self.origin.on(path, reply);
        self.get(path).await;
        // of a response that is being stored the second request gets the same fetch
        self.get(path).await;
        match self.origin.count(path) {
            1 => true,
            2 => false,
            count => panic!("{path} was fetched {count} times"),
        }
    }
}

/// 200 with this `Cache-Control`.
fn page(cache_control: &str) -> Reply {
    Reply::ok("page").cache_control(cache_control)
}

/// A page that has been fresh for as long as it may.
fn old(cache_control: &str) -> Reply {
    page(&format!("max-age=60, {cache_control}")).with("age", "60")
}

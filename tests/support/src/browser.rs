//! Debian's Chromium without a window, driven over the DevTools protocol's pipe: NUL-terminated JSON on two descriptors.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::spki;

/// Where Debian puts it.
const CHROMIUM: &str = "/usr/bin/chromium";
/// One command of the protocol may take this long.
const PATIENCE: Duration = Duration::from_secs(40);

/// The protocol's descriptors are 3 and 4; a shell puts the pipes there.
const ON_PIPES: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A browser with one tab; killed when dropped.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    last_id: u64,
    session: String,
    profile: TempDir,
}

impl Browser {
    /// Starts a browser that resolves names by `rules` (`MAP name address`) and accepts the keys of `chain`, a
    /// certificate chain in DER, besides those that it knows.
    pub async fn start(rules: &str, chain: &[Vec<u8>]) -> Self {
        assert!(Path::new(CHROMIUM).exists(), "{CHROMIUM} is missing; `make test` installs what tests need");
        let profile = TempDir::new().expect("a temporary folder");
        let keys: Vec<_> = chain.iter().map(|der| spki::fingerprint(der)).collect();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            ON_PIPES,
            "sh",
            CHROMIUM,
            "--remote-debugging-pipe",
            "--headless",
            "--no-sandbox",
        ]);
        command.args(["--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--window-size=1280,1600", "--hide-scrollbars"]);
        command.arg(format!("--host-resolver-rules={rules}"));
        command.arg(format!("--ignore-certificate-errors-spki-list={}", keys.join(",")));
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg("about:blank").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().expect("a shell");
        let to = child.stdin.take().expect("a pipe");
        let from = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser = Self { child, to, from, last_id: 0, session: String::new(), profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": field(&target, "targetId"), "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = field(&attached, "sessionId");
        browser.call("Page.enable", json!({})).await;
        browser
    }

    /// Opens a URL; fails the test when the browser refuses to.
    pub async fn navigate(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
    }

    /// The value of a JavaScript expression, promises awaited; null when it throws.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters).await;
        answer.get("result").and_then(|result| result.get("value")).cloned().unwrap_or(Value::Null)
    }

    /// A picture of the whole page as PNG.
    pub async fn screenshot(&mut self) -> Vec<u8> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.call("Page.captureScreenshot", parameters).await;
        spki::from_base64(&field(&answer, "data"))
    }

    /// Ends the browser and waits until it is gone.
    pub async fn close(mut self) {
        drop(self.child.kill().await);
        drop(self.profile);
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let (false, Some(message)) = (self.session.is_empty(), message.as_object_mut()) {
            message.insert("sessionId".to_owned(), Value::String(self.session.clone()));
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to
            .write_all(&bytes)
            .await
            .unwrap_or_else(|error| panic!("{method}: the browser is gone: {error}"));
        let answer = timeout(PATIENCE, self.answer(self.last_id)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method}: no answer in {PATIENCE:?}"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer.get("result").cloned().unwrap_or_default()
    }

    /// Reads until the answer to `id`; events on the way are of no interest.
    async fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut message = Vec::new();
            let read = self.from.read_until(0, &mut message).await.unwrap_or(0);
            assert!(read > 0, "the browser ended");
            message.pop();
            let message: Value = serde_json::from_slice(&message).expect("the protocol is JSON");
            if message.get("id").and_then(Value::as_u64) == Some(id) {
                return message;
            }
        }
    }
}

fn field(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text {name:?} in {value}")).to_owned()
}

//! A caller of the admin API.

use http::Method;
use serde_json::Value;

use crate::client::{Answer, Client};

/// An admin listener and a token for it.
#[derive(Clone)]
pub struct Admin {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Bearer token.
    pub token: String,
    client: Client,
}

impl Admin {
    /// A caller with this token.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
            client: Client::plain(&[]),
        }
    }

    /// The same listener with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// GET with the token.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, String::new()).await
    }

    /// POST without a body.
    pub async fn post(&self, path: &str) -> Answer {
        self.call(Method::POST, path, String::new()).await
    }

    /// POST of a JSON value, or of text that is not JSON.
    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.call(Method::POST, path, body.to_owned()).await
    }

    /// A purge, as it is answered.
    pub async fn purge(&self, call: &Value) -> Answer {
        self.post_text("/api/v1/purge", &call.to_string()).await
    }

    /// A purge that every node must confirm; gives its answer.
    pub async fn purged(&self, mut call: Value) -> Value {
        if let Some(call) = call.as_object_mut() {
            call.insert("wait".to_owned(), Value::Bool(true));
        }
        let answer = self.purge(&call).await.expect(200);
        let body = answer.json();
        let receipts = body.get("receipts").and_then(Value::as_array).cloned().unwrap_or_default();
        let applied =
            receipts.iter().filter(|receipt| receipt.get("applied") == Some(&Value::Bool(true))).count();
        assert!(applied > 0 && applied == receipts.len(), "{answer}\n  expected a receipt of every node");
        body
    }

    /// The explanation of a URL.
    pub async fn explain(&self, url: &str) -> Value {
        let escaped: String = url.bytes().map(escape).collect();
        self.get(&format!("/api/v1/explain?url={escaped}")).await.expect(200).json()
    }

    async fn call(&self, method: Method, path: &str, body: String) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let fields = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.client.send(method, &format!("{}{path}", self.url), &fields, body).await
    }
}

fn escape(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

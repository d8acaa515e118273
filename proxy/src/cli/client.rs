//! A small client of the admin API.

use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::AdminArgs;
use crate::admin;

/// Largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One admin listener and the token for it.
#[derive(Debug, Clone)]
pub(crate) struct AdminTarget {
    url: String,
    token: String,
}

impl AdminTarget {
    /// Where the arguments point: URLs and token as given, else from the configuration file.
    pub(super) fn resolve(args: &AdminArgs) -> anyhow::Result<Vec<Self>> {
        let mut urls = args.admin.clone();
        let mut token = args.token.clone();
        if let Some(file) = &args.config {
            let (url, own) = from_config(file)?;
            if urls.is_empty() {
                urls.push(url);
            }
            token = token.or(Some(own));
        }
        if urls.is_empty() {
            bail!("say where the admin API is: --admin http://127.0.0.1:8090 --token …, or --config FILE");
        }
        let token = token.context("say the admin token: --token …, OVERFALL_TOKEN or --config FILE")?;
        Ok(urls
            .into_iter()
            .map(|url| Self { url: url.trim_end_matches('/').to_owned(), token: token.clone() })
            .collect())
    }

    /// Where this listener is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends one call and gives the JSON answer; a problem body becomes the error.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .with_context(|| format!("{} is not a URL that can be asked (http:// only)", self.url))?;
        let response = client
            .request(request)
            .await
            .with_context(|| format!("admin API at {} can't be reached", self.url))?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("admin API at {} broke off: {error}", self.url))?
            .to_bytes();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let detail = answer.get("detail").and_then(Value::as_str).unwrap_or("no reason given");
        bail!("{}: {detail}", status.as_u16())
    }
}

fn from_config(file: &Path) -> anyhow::Result<(String, String)> {
    let mut config = overfall_config::load(file)?;
    let address = config.admin.listen.context("the configuration has no [admin] listen")?;
    admin::ensure_token(&mut config).context("the node's own admin token can't be read")?;
    let token = config.admin.tokens.first().context("the configuration has no admin token")?;
    Ok((format!("http://{address}"), token.token.reveal().to_owned()))
}

/// A query string of the pairs that have a value.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs =
        pairs.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", encode(value))));
    pairs.collect::<Vec<_>>().join("&")
}

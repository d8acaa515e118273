//! An HTTP client that keeps the dialogue: every [`Answer`] prints what was asked and what came back.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use reqwest::Certificate;
use serde_json::Value;

use crate::{
    tls,
    wait::{DEADLINE, wait_until},
};

/// A whole exchange may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a body that a dialogue shows.
const SHOWN_BYTES: usize = 400;

/// Which protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 only.
    Http1,
    /// What ALPN selects, HTTP/2 preferred.
    Any,
}

/// A client of one edge node.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
}

/// What came back.
#[derive(Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Protocol that was spoken.
    pub version: Version,
    /// Fields.
    pub headers: HeaderMap,
    /// Body, as far as it came.
    pub body: Bytes,
    /// Why the body ended early.
    pub cut: Option<String>,
    asked: String,
}

/// An answer whose body is read step by step.
pub struct Opened {
    /// Status and fields, with an empty body.
    pub head: Answer,
    response: reqwest::Response,
}

impl Client {
    /// A client for plain HTTP, or for TLS that trusts only `ca`. `names` says where names live.
    #[must_use]
    pub fn new(ca: Option<&Path>, names: &[(&str, SocketAddr)], protocol: Protocol) -> Self {
        Self::build(None, ca, names, protocol)
    }

    /// A client for plain HTTP/1.1 that stands at another address of this machine, such as 127.0.0.2.
    #[must_use]
    pub fn plain_from(address: IpAddr, names: &[(&str, SocketAddr)]) -> Self {
        Self::build(Some(address), None, names, Protocol::Http1)
    }

    fn build(
        from: Option<IpAddr>,
        ca: Option<&Path>,
        names: &[(&str, SocketAddr)],
        protocol: Protocol,
    ) -> Self {
        tls::install_provider();
        let mut builder = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .local_address(from)
            .tls_certs_only(ca.into_iter().map(certificate));
        for (name, address) in names {
            builder = builder.resolve(name, *address);
        }
        if protocol == Protocol::Http1 {
            builder = builder.http1_only();
        }
        Self { inner: builder.build().expect("client options are consistent") }
    }

    /// A client for plain HTTP/1.1.
    #[must_use]
    pub fn plain(names: &[(&str, SocketAddr)]) -> Self {
        Self::new(None, names, Protocol::Http1)
    }

    /// GET.
    pub async fn get(&self, url: &str) -> Answer {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// GET with fields.
    pub async fn get_with(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, url, fields, Bytes::new()).await
    }

    /// GET until a stored response answers. What a client has read to its end may still be on its way into the store,
    /// and until then its fetch is shared: the origin is not asked again.
    pub async fn hit(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let first = self.get_with(url, fields).await;
        let what = format!("a stored response answers; at first:\n{first}");
        wait_until(&what, DEADLINE, async || {
            let answer = if first.is_hit() { first.clone() } else { self.get_with(url, fields).await };
            answer.is_hit().then_some(answer)
        })
        .await
    }

    /// Any method; fails the test when no answer comes.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let asked = format!("{method} {url} {fields:?}");
        match self.try_send(method, url, fields, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("{asked}\n  no answer: {error:#}"),
        }
    }

    /// Any method; gives the reason when no answer comes.
    ///
    /// # Errors
    /// When the server can't be reached or breaks off before the head is whole.
    pub async fn try_send(
        &self,
        method: Method,
        url: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let Opened { mut head, mut response } = self.open(method, url, fields, body).await?;
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    head.cut = Some(format!("{:#}", anyhow::Error::from(error)));
                    break;
                }
            }
        }
        head.body = body.into();
        Ok(head)
    }

    /// Sends a request and reads the head only.
    ///
    /// # Errors
    /// When the server can't be reached or breaks off before the head is whole.
    pub async fn open(
        &self,
        method: Method,
        url: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Opened> {
        let asked = format!("{method} {url} {fields:?}");
        let body = body.into();
        let mut request = self.inner.request(method, url);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let response = request.send().await?;
        let head = Answer {
            status: response.status().as_u16(),
            version: response.version(),
            headers: response.headers().clone(),
            body: Bytes::new(),
            cut: None,
            asked,
        };
        Ok(Opened { head, response })
    }
}

impl Opened {
    /// The next piece of the body; `None` at its clean end.
    ///
    /// # Errors
    /// When the body broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        self.response.chunk().await
    }

    /// Reads until at least `count` bytes are there.
    pub async fn at_least(&mut self, count: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < count {
            match self.chunk().await {
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                other => panic!("{}\n  the body ended after {} bytes: {other:?}", self.head, read.len()),
            }
        }
        read
    }

    /// Reads the rest up to the clean end.
    ///
    /// # Errors
    /// When the body broke off.
    pub async fn rest(&mut self) -> Result<Vec<u8>, reqwest::Error> {
        let mut read = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    }
}

impl Answer {
    /// A field's values joined by commas; empty when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// `Cache-Status` (RFC 9211).
    #[must_use]
    pub fn cache_status(&self) -> String {
        self.header("cache-status")
    }

    /// Whether `Cache-Status` says that a stored response was used without asking an origin.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.cache_status().split(';').any(|parameter| parameter.trim() == "hit")
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}\n  is not JSON: {error}"))
    }

    /// Fails the test unless the status is this and the body came whole.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert!(self.status == status && self.cut.is_none(), "{self}\n  expected {status}");
        self
    }

    /// Fails the test unless this is a hit.
    #[track_caller]
    pub fn expect_hit(self) -> Self {
        assert!(self.is_hit(), "{self}\n  expected a hit");
        self
    }

    /// Fails the test unless an origin was asked.
    #[track_caller]
    pub fn expect_miss(self) -> Self {
        assert!(!self.is_hit() && self.cache_status().contains("fwd="), "{self}\n  expected a miss");
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "> {}", self.asked)?;
        writeln!(out, "< {:?} {}", self.version, self.status)?;
        for (name, value) in &self.headers {
            writeln!(out, "< {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        let shown: Vec<u8> = self.body.iter().copied().take(SHOWN_BYTES).collect();
        write!(out, "< ({} bytes) {}", self.body.len(), String::from_utf8_lossy(&shown).escape_debug())?;
        if let Some(cut) = &self.cut {
            write!(out, "\n< broke off: {cut}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

fn certificate(path: &Path) -> Certificate {
    let pem = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Certificate::from_pem(&pem).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

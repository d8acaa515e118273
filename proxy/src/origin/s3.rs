//! An S3 bucket as an origin: path to key, object to response.
//!
//! Signing, transport and retries are the client's (`overfall_cache::tier::s3`). It refuses with a plain 404 what
//! cannot be a key of its prefix, without asking the bucket.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::unfold;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use overfall_cache::{
    body::{Body, BodyError, BodyStream},
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    stored::ResponseHead,
    tier::s3::{Ask, Client, GetOutcome, Object, ObjectFields, S3Error},
};
use overfall_config::S3Target;
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout, timeout_at};

use super::{OriginSetupError, bare, http_date, none_match, part, path_of};

/// An origin whose responses are the objects below one prefix of a bucket.
pub struct S3Origin {
    name: String,
    client: Arc<Client>,
    prefix: String,
    head_timeout: Duration,
    read_timeout: Duration,
}

impl S3Origin {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`OriginSetupError::S3`] when the endpoint is not usable.
    pub fn new(config: &overfall_config::Origin, target: &S3Target) -> Result<Self, OriginSetupError> {
        let client = Client::connect(target)
            .map_err(|error| OriginSetupError::S3 { name: config.name.clone(), reason: error.to_string() })?;
        Ok(Self {
            name: config.name.clone(),
            client,
            prefix: target.prefix.clone(),
            head_timeout: config.head_timeout,
            read_timeout: config.read_timeout,
        })
    }

    async fn attempt(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let Some(key) = key(&self.prefix, &request.path_and_query) else {
            return Ok(bare(StatusCode::NOT_FOUND, HeaderMap::new()));
        };
        let mut ask = asked(&request.headers);
        let condition = ask.if_none_match.clone();
        let mut outcome = self.client.ask(&key, ask.clone()).await.map_err(origin_error)?;
        if is_another_version(&ask, &outcome) {
            // the part is of another version: the whole of this one instead (RFC 9110 section 13.1.5)
            (ask.range, ask.if_match) = (None, None);
            outcome = self.client.ask(&key, ask).await.map_err(origin_error)?;
        }
        match outcome {
            GetOutcome::Found(object) => self.response(*object, &request.headers),
            GetOutcome::NotModified => Ok(bare(StatusCode::NOT_MODIFIED, matched(condition.as_deref()))),
            GetOutcome::Missing => Ok(bare(StatusCode::NOT_FOUND, HeaderMap::new())),
            GetOutcome::Unsatisfiable => self.unsatisfiable(&key).await,
            GetOutcome::Changed => Err(OriginError::Protocol("bucket refuses without a condition".into())),
        }
    }

    /// 416 says how long the object is, which the bucket's own refusal does not.
    async fn unsatisfiable(&self, key: &str) -> Result<OriginResponse, OriginError> {
        let Some((object, length)) = self.client.head(key).await.map_err(origin_error)? else {
            return Ok(bare(StatusCode::NOT_FOUND, HeaderMap::new()));
        };
        let mut headers = fields(&object);
        if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        Ok(bare(StatusCode::RANGE_NOT_SATISFIABLE, headers))
    }

    fn response(&self, object: Object, request: &HeaderMap) -> Result<OriginResponse, OriginError> {
        let mut headers = fields(&object.fields);
        let status = part_of(&object, &mut headers)?;
        // some servers ignore conditions; dropping the body ends its transfer
        if is_unchanged(&object.fields, request) {
            headers.remove(header::CONTENT_RANGE);
            return Ok(bare(StatusCode::NOT_MODIFIED, headers));
        }
        let body = match object.body {
            Body::Stream { length: Some(0), .. } => Body::empty(),
            Body::Stream { length, stream } => {
                Body::Stream { length, stream: hurried(stream, self.read_timeout) }
            }
            Body::Full(bytes) => Body::Full(bytes),
        };
        if let Some(length) = body.length() {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        Ok(OriginResponse { head: ResponseHead { status, headers }, body, provenance: None })
    }
}

/// Whether a part is of another version than the one that was asked for; some servers ignore that condition.
fn is_another_version(ask: &Ask, outcome: &GetOutcome) -> bool {
    match outcome {
        GetOutcome::Changed => true,
        GetOutcome::Found(object) => {
            ask.if_match.is_some() && object.fields.etag.as_deref().map(quoted) != ask.if_match
        }
        GetOutcome::NotModified | GetOutcome::Missing | GetOutcome::Unsatisfiable => false,
    }
}

/// RFC 9110 section 13.2.2, for what the bucket did not judge.
fn is_unchanged(object: &ObjectFields, request: &HeaderMap) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        return object.etag.as_deref().is_some_and(|etag| none_match(request, etag));
    }
    let since_s = asked(request).if_modified_since_s;
    since_s.zip(object.last_modified_s).is_some_and(|(since, modified)| modified <= since)
}

/// The conditions and the one range that a bucket can judge. RFC 9110 section 13.2.2: `If-Modified-Since` counts only
/// without `If-None-Match`, and a range only if its own condition holds.
fn asked(request: &HeaderMap) -> Ask {
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let if_none_match = text(header::IF_NONE_MATCH).map(str::to_owned);
    let since = text(header::IF_MODIFIED_SINCE).filter(|_| !request.contains_key(header::IF_NONE_MATCH));
    let since = since.and_then(|text| httpdate::parse_http_date(text).ok());
    let since_s = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let condition = part::if_range(request);
    let range = part::single_range(request).filter(|_| condition.is_ok()).map(str::to_owned);
    Ask {
        if_match: condition.ok().flatten().filter(|_| range.is_some()).map(str::to_owned),
        range,
        if_none_match,
        if_modified_since_s: since_s.and_then(|since| i64::try_from(since.as_secs()).ok()),
    }
}

/// 206 for a part, whose `Content-Range` goes into `headers`; 200 for the whole.
fn part_of(object: &Object, headers: &mut HeaderMap) -> Result<StatusCode, OriginError> {
    let Some(text) = &object.fields.content_range else { return Ok(StatusCode::OK) };
    let refused = || OriginError::Protocol("bucket sent a part that is not what it says".into());
    let value = HeaderValue::try_from(text).map_err(|_| refused())?;
    let (range, _) = part::content_range(&value).ok_or_else(refused)?;
    if object.body.length().is_some_and(|length| length != part::length_of(&range)) {
        return Err(refused());
    }
    headers.insert(header::CONTENT_RANGE, value);
    Ok(StatusCode::PARTIAL_CONTENT)
}

#[async_trait]
impl Origin for S3Origin {
    fn name(&self) -> &str {
        &self.name
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let deadline = request.deadline.min(Instant::now() + self.head_timeout);
        timeout_at(deadline, Box::pin(self.attempt(request))).await.unwrap_or(Err(OriginError::Timeout))
    }
}

/// What is said of an object, as response fields. A value that cannot be a field is left out.
fn fields(object: &ObjectFields) -> HeaderMap {
    let tags =
        object.metadata.iter().find(|(name, _)| name == SURROGATE_KEY.as_str()).map(|(_, tags)| tags.clone());
    let modified = object.last_modified_s.and_then(|seconds| u64::try_from(seconds).ok());
    let modified =
        modified.and_then(|seconds| std::time::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let texts = [
        (header::CONTENT_TYPE, object.content_type.clone()),
        (header::CACHE_CONTROL, object.cache_control.clone()),
        (header::CONTENT_ENCODING, object.content_encoding.clone()),
        (header::ETAG, object.etag.as_deref().map(quoted)),
        (header::LAST_MODIFIED, modified.and_then(http_date)),
        (SURROGATE_KEY, tags),
    ];
    let values =
        texts.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::try_from(text?).ok()?)));
    values.collect()
}

/// A tag as HTTP wants it; some servers leave the quotes out.
fn quoted(etag: &str) -> String {
    if etag.ends_with('"') { etag.to_owned() } else { format!("\"{etag}\"") }
}

/// Fields of a 304: the tag, when the condition named just one.
fn matched(condition: Option<&str>) -> HeaderMap {
    let only = condition.filter(|tag| !tag.contains(',') && tag.trim() != "*");
    let value = only.and_then(|tag| HeaderValue::try_from(tag.trim()).ok());
    value.into_iter().map(|value| (header::ETAG, value)).collect()
}

/// The same chunks, with a bound on the wait for each.
fn hurried(stream: BodyStream, within: Duration) -> BodyStream {
    use futures_util::StreamExt as _;
    Box::pin(unfold(Some(stream), move |stream| async move {
        let mut stream = stream?;
        match timeout(within, stream.next()).await {
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(stream))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => {
                let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                Some((Err(BodyError::Stalled { ms }), None))
            }
        }
    }))
}

fn origin_error(error: S3Error) -> OriginError {
    match error {
        S3Error::Timeout => OriginError::Timeout,
        S3Error::Unreachable(reason) => OriginError::Connect(reason),
        S3Error::Denied(_) | S3Error::NoBucket | S3Error::Other(_) => {
            OriginError::Protocol(error.to_string())
        }
    }
}

/// The object's key below `prefix` that a request target names; none for what no object of ours can be called.
fn key(prefix: &str, target: &str) -> Option<String> {
    let path = path_of(target).strip_prefix('/')?;
    // a folder is its index, as in a bucket that serves a website
    let index = if path.is_empty() || path.ends_with('/') { INDEX } else { "" };
    let path = format!("{path}{index}");
    let mut key = prefix.trim_matches('/').to_owned();
    for segment in path.split('/') {
        let name = percent_decode_str(segment).decode_utf8().ok()?;
        let is_plain = !matches!(name.as_ref(), "" | "." | "..") && !name.contains('/');
        if !is_plain || name.chars().any(char::is_control) {
            return None;
        }
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(&name);
    }
    (key.len() <= KEY_BYTES_MAX).then_some(key)
}

/// Space-separated tags; read from the user metadata of the same name.
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
/// Object that stands for a folder.
const INDEX: &str = "index.html";
/// Longest key that S3 takes.
const KEY_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests;

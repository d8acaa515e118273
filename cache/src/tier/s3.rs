//! S3: a small client, and the shared tier on it. The only file that touches the AWS SDK.
//!
//! Requests are signed (SigV4) and path-style, so that any S3-compatible server works. Two attempts at most: the
//! waterfall, not the SDK, decides what happens when S3 is slow or gone.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client as Sdk,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    primitives::{ByteStream, DateTime},
};
use aws_smithy_http_client::{
    Builder as HttpBuilder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use bytes::Bytes;
use futures_util::stream;
use overfall_config::S3Target;
use tokio::{runtime::Handle, time::timeout};

use super::{
    Tier, TierError,
    breaker::Guard,
    counters::TierCounters,
    queue::{Limits, Offer, WriteBehind},
};
use crate::{
    body::{Body, BodyError, BodyStream},
    budget::Budget,
    key::{Key, KeyHash},
    record,
    stored::StoredRef,
};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two reads.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Tries of one request, the first included.
const ATTEMPTS: u32 = 2;
/// Before the second try, at most.
const BACKOFF: Duration = Duration::from_millis(50);
/// A tier read that takes longer is a miss.
const TIER_DEADLINE: Duration = Duration::from_secs(1);
/// Until a request is answered, all attempts together; the body of an answer may take longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest record that the tier reads and writes, in bytes.
const RECORD_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Objects that one listing asks for at most; S3 gives no more.
const LIST_MAX: u16 = 1000;
/// A tier write that takes longer counts as refused.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Why S3 did not do it. Messages hold no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// The keys or their rights are wrong.
    #[error("s3 denied access ({0})")]
    Denied(String),
    /// The bucket does not exist.
    #[error("s3 bucket does not exist")]
    NoBucket,
    /// No connection.
    #[error("s3 can't be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("s3 did not answer in time")]
    Timeout,
    /// Anything else.
    #[error("s3 failed: {0}")]
    Other(String),
}

const NO_BUCKET: &str = "NoSuchBucket";

/// What is said of an object besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectFields {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `ETag`, with its quotes.
    pub etag: Option<String>,
    /// `Last-Modified` as seconds since the Unix epoch.
    pub last_modified_s: Option<i64>,
    /// `Content-Range` of a partial answer.
    pub content_range: Option<String>,
    /// User metadata (`x-amz-meta-…`), names lower case.
    pub metadata: Vec<(String, String)>,
}

/// An object that was found.
#[derive(Debug)]
pub struct Object {
    /// What is said of it.
    pub fields: ObjectFields,
    /// Its bytes; `Body::length` is the length of this answer.
    pub body: Body,
}

/// What a read came to.
#[derive(Debug)]
pub enum GetOutcome {
    /// Here it is.
    Found(Box<Object>),
    /// The condition holds: it is what the asker has.
    NotModified,
    /// There is none.
    Missing,
    /// It is not the one that [`Ask::if_match`] names.
    Changed,
    /// It holds no byte of the range that was asked for.
    Unsatisfiable,
}

/// What is asked of an object, in the words of HTTP (RFC 9110 sections 13 and 14).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// `Range`, with one range.
    pub range: Option<String>,
    /// `If-Match`, a strong validator with its quotes.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since` as seconds since the Unix epoch.
    pub if_modified_since_s: Option<i64>,
}

/// A client of one bucket.
pub struct Client {
    sdk: Sdk,
    bucket: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.bucket)
    }
}

impl Client {
    /// Sets a client up; nothing is sent yet.
    ///
    /// # Errors
    /// [`S3Error::Other`] when the endpoint is not a URL.
    pub fn connect(target: &S3Target) -> Result<Arc<Self>, S3Error> {
        let is_plain = is_plain(target.endpoint.as_deref())?;
        let credentials =
            Credentials::new(target.access_key.reveal(), target.secret_key.reveal(), None, None, "overfall");
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .operation_timeout(REQUEST_TIMEOUT);
        // without TLS there are no system certificates to be read, or missed
        let http = if is_plain {
            HttpBuilder::new().build_http()
        } else {
            HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
        };
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(target.region.clone()))
            .credentials_provider(credentials)
            .http_client(http)
            .force_path_style(true)
            // servers other than Amazon's know few of the checksums; records carry their own
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // `chunks` watches over bodies
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF))
            .timeout_config(timeouts.build());
        if let Some(endpoint) = &target.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Arc::new(Self { sdk: Sdk::from_conf(config.build()), bucket: target.bucket.clone() }))
    }

    /// Reads an object. `range` is first and, when bounded, last byte. Dropping the body ends the transfer.
    ///
    /// # Errors
    /// [`S3Error`] by cause.
    pub async fn get(
        &self,
        key: &str,
        range: Option<(u64, Option<u64>)>,
        if_none_match: Option<&str>,
    ) -> Result<GetOutcome, S3Error> {
        let range = range.map(|(first, last)| {
            format!("bytes={first}-{}", last.map(|last| last.to_string()).unwrap_or_default())
        });
        let if_none_match = if_none_match.map(str::to_owned);
        self.ask(key, Ask { range, if_none_match, ..Ask::default() }).await
    }

    /// Reads an object, or a part of it, under conditions. Dropping the body ends the transfer.
    ///
    /// # Errors
    /// [`S3Error`] by cause.
    pub async fn ask(&self, key: &str, ask: Ask) -> Result<GetOutcome, S3Error> {
        let sent = self
            .sdk
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_range(ask.range)
            .set_if_match(ask.if_match)
            .set_if_none_match(ask.if_none_match)
            .set_if_modified_since(ask.if_modified_since_s.map(DateTime::from_secs))
            .send()
            .await;
        match sent {
            Ok(output) => Ok(GetOutcome::Found(Box::new(found(output)))),
            Err(error) => match status(&error) {
                Some(304) => Ok(GetOutcome::NotModified),
                Some(404) if error.code() != Some(NO_BUCKET) => Ok(GetOutcome::Missing),
                Some(412) => Ok(GetOutcome::Changed),
                Some(416) => Ok(GetOutcome::Unsatisfiable),
                _ => Err(classify(&error)),
            },
        }
    }

    /// Writes an object whole.
    ///
    /// # Errors
    /// [`S3Error`] by cause.
    pub async fn put(&self, key: &str, body: Bytes, fields: ObjectFields) -> Result<(), S3Error> {
        let mut request = self
            .sdk
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(ByteStream::from(body))
            .set_content_type(fields.content_type)
            .set_cache_control(fields.cache_control)
            .set_content_encoding(fields.content_encoding);
        for (name, value) in fields.metadata {
            request = request.metadata(name, value);
        }
        request.send().await.map(drop).map_err(|error| classify(&error))
    }

    /// What is said of an object, with its length in bytes; `None` when there is none.
    ///
    /// # Errors
    /// [`S3Error`] by cause.
    pub async fn head(&self, key: &str) -> Result<Option<(ObjectFields, u64)>, S3Error> {
        let request = self.sdk.head_object().bucket(&self.bucket).key(key);
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) if status(&error) == Some(404) && error.code() != Some(NO_BUCKET) => return Ok(None),
            Err(error) => return Err(classify(&error)),
        };
        let fields = ObjectFields {
            content_type: output.content_type,
            cache_control: output.cache_control,
            content_encoding: output.content_encoding.filter(|coding| !coding.is_empty()),
            etag: output.e_tag,
            last_modified_s: output.last_modified.map(|time| time.secs()),
            content_range: None,
            metadata: lower_case(output.metadata),
        };
        let length = output.content_length.and_then(|length| u64::try_from(length).ok());
        Ok(Some((fields, length.unwrap_or(0))))
    }

    /// Keys below a prefix in their order, at most `max` and 1000, with their lengths in bytes.
    ///
    /// # Errors
    /// [`S3Error`] by cause.
    pub async fn list(&self, prefix: &str, max: u16) -> Result<Vec<(String, u64)>, S3Error> {
        let request = self.sdk.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let sent = request.max_keys(i32::from(max.min(LIST_MAX))).send().await;
        let objects = sent.map_err(|error| classify(&error))?.contents.unwrap_or_default();
        let listed = objects.into_iter().take(usize::from(max)).filter_map(|object| {
            let length = object.size.and_then(|length| u64::try_from(length).ok());
            Some((object.key?, length.unwrap_or(0)))
        });
        Ok(listed.collect())
    }

    /// Removes an object; it is no error when there is none.
    ///
    /// # Errors
    /// [`S3Error`] by cause.
    pub async fn delete(&self, key: &str) -> Result<(), S3Error> {
        let request = self.sdk.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(drop).map_err(|error| classify(&error))
    }
}

fn found(output: GetObjectOutput) -> Object {
    let fields = ObjectFields {
        content_type: output.content_type,
        cache_control: output.cache_control,
        content_encoding: output.content_encoding.filter(|coding| !coding.is_empty()),
        etag: output.e_tag,
        last_modified_s: output.last_modified.map(|time| time.secs()),
        content_range: output.content_range,
        metadata: lower_case(output.metadata),
    };
    let length = output.content_length.and_then(|length| u64::try_from(length).ok());
    Object { fields, body: Body::Stream { length, stream: chunks(output.body, length) } }
}

/// The object's bytes; fewer than announced is an error, never a clean end.
fn chunks(body: ByteStream, length: Option<u64>) -> BodyStream {
    let state = Some((body, 0_u64));
    Box::pin(stream::unfold(state, move |state| async move {
        let (mut body, received) = state?;
        let Ok(next) = timeout(READ_TIMEOUT, body.next()).await else {
            let ms = u64::try_from(READ_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
            return Some((Err(BodyError::Stalled { ms }), None));
        };
        match next {
            Some(Ok(chunk)) => {
                let received = received.saturating_add(chunk.len() as u64);
                Some((Ok(chunk), Some((body, received))))
            }
            Some(Err(error)) => Some((Err(BodyError::Io(error.to_string())), None)),
            None if length.is_some_and(|length| length != received) => {
                Some((Err(BodyError::Cut { received }), None))
            }
            None => None,
        }
    }))
}

fn lower_case(metadata: Option<HashMap<String, String>>) -> Vec<(String, String)> {
    let pairs = metadata.unwrap_or_default().into_iter();
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// Whether an endpoint is reached without TLS; none is Amazon's own, which is not.
fn is_plain(endpoint: Option<&str>) -> Result<bool, S3Error> {
    let Some(endpoint) = endpoint else { return Ok(false) };
    let uri: http::Uri =
        endpoint.parse().map_err(|_| S3Error::Other(format!("endpoint {endpoint:?} is not a url")))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(true),
        (Some("https"), Some(_)) => Ok(false),
        _ => Err(S3Error::Other(format!("endpoint {endpoint:?} is not an http or https url"))),
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn classify<E>(error: &SdkError<E>) -> S3Error
where
    E: ProvideErrorMetadata + fmt::Debug,
{
    match error {
        SdkError::TimeoutError(_) => S3Error::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => S3Error::Timeout,
        SdkError::DispatchFailure(failure) => {
            let reason = failure.as_connector_error().map(|error| innermost(error));
            S3Error::Unreachable(reason.unwrap_or_else(|| "no connection".to_owned()))
        }
        _ => {
            let status = status(error);
            let code = error.code().unwrap_or("no code").to_owned();
            match (status, code.as_str()) {
                (_, NO_BUCKET) => S3Error::NoBucket,
                (Some(401 | 403), _) => S3Error::Denied(code),
                (Some(status), _) => S3Error::Other(format!("{status} {code}")),
                (None, _) => S3Error::Other(code),
            }
        }
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The shared tier: one object per stored response, `<prefix>/v1/<aa>/<hash>`. The bucket's lifecycle rules clean it.
pub struct S3Tier {
    bucket: Arc<Shelf>,
    queue: WriteBehind,
    counters: Arc<TierCounters>,
    guard: Guard,
    read_deadline: Duration,
}

impl S3Tier {
    /// A tier in the client's bucket under `prefix` (which may be empty). A read that takes longer than 1 s is a miss;
    /// what waits to be written comes out of `budget`. Outside of a tokio runtime it writes nothing.
    #[must_use]
    pub fn new(client: Arc<Client>, prefix: &str, budget: &Arc<Budget>) -> Arc<Self> {
        Self::with_deadline(client, prefix, budget, TIER_DEADLINE)
    }

    /// The same with another deadline for reads.
    #[must_use]
    pub fn with_deadline(
        client: Arc<Client>,
        prefix: &str,
        budget: &Arc<Budget>,
        read_deadline: Duration,
    ) -> Arc<Self> {
        let bucket = Arc::new(Shelf { client, prefix: prefix.trim_matches('/').to_owned() });
        let counters = Arc::new(TierCounters::default());
        let writer = Arc::clone(&bucket);
        let (runtime, limits) = (Handle::try_current().ok(), Limits::shared(budget));
        let queue = WriteBehind::start("s3", runtime.as_ref(), limits, budget, &counters, move |batch| {
            let bucket = Arc::clone(&writer);
            async move { bucket.write_all(batch).await }
        });
        Arc::new(Self { bucket, queue, counters, guard: Guard::new("s3"), read_deadline })
    }

    /// Counts since start.
    #[must_use]
    pub fn counters(&self) -> &TierCounters {
        &self.counters
    }
}

#[async_trait]
impl Tier for S3Tier {
    fn name(&self) -> &'static str {
        "s3"
    }

    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let ms = u64::try_from(self.read_deadline.as_millis()).unwrap_or(u64::MAX);
        let reading = async {
            let found = timeout(self.read_deadline, Box::pin(self.bucket.read(key, hash))).await;
            found.unwrap_or(Err(TierError::Timeout { ms }))
        };
        self.guard.read(&self.counters, reading).await
    }

    fn put(&self, hash: KeyHash, stored: StoredRef) {
        // while it hangs, its queue would only take memory away
        if self.guard.is_open() {
            return self.queue.drop_one();
        }
        self.queue.offer(hash, stored);
    }

    async fn flush(&self) {
        self.queue.flush().await;
    }

    fn counters(&self) -> Option<&TierCounters> {
        Some(&self.counters)
    }
}

/// Where the tier's objects are.
struct Shelf {
    client: Arc<Client>,
    prefix: String,
}

impl Shelf {
    async fn read(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let outcome = self.client.get(&self.key(hash), None, None).await;
        let object = match outcome.map_err(|error| TierError::Io(error.to_string()))? {
            GetOutcome::Found(object) => object,
            GetOutcome::NotModified
            | GetOutcome::Missing
            | GetOutcome::Changed
            | GetOutcome::Unsatisfiable => return Ok(None),
        };
        let record = object.body.collect(RECORD_BYTES_MAX).await;
        let record = record.map_err(|error| TierError::Io(error.to_string()))?;
        let stored = record::decode(&record, key).map_err(|error| TierError::Corrupt(error.to_string()))?;
        Ok(stored.map(Arc::new))
    }

    async fn write_all(&self, batch: Vec<Offer>) -> Result<usize, String> {
        let mut written = 0;
        for offer in batch {
            let Ok(record) = record::encode(&offer.stored) else { continue };
            if u64::try_from(record.len()).is_ok_and(|length| length > RECORD_BYTES_MAX) {
                continue;
            }
            let fields = ObjectFields {
                content_type: Some("application/octet-stream".to_owned()),
                ..ObjectFields::default()
            };
            let key = self.key(offer.hash);
            let put = Box::pin(self.client.put(&key, record.into(), fields));
            let put = timeout(WRITE_DEADLINE, put).await.map_err(|_| S3Error::Timeout.to_string())?;
            put.map_err(|error| error.to_string())?;
            written += 1;
        }
        Ok(written)
    }

    fn key(&self, hash: KeyHash) -> String {
        let name = hash.to_string();
        let (shelf, _) = name.split_at_checked(2).unwrap_or(("00", ""));
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}{slash}v1/{shelf}/{name}", self.prefix)
    }
}

#[cfg(test)]
mod tests;

//! The image pipeline as an origin: its source is again a cached response.
//!
//! A rendering's validator is made of the source's bytes and the transform, so that a validation of a stale rendering
//! costs no pixels while the source is the same. It inherits the source's age, lifetime, tags and log position: it
//! lives and dies with it.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use overfall_cache::{
    body::{Body, BodyError},
    encoding::Accepted,
    engine::{Answer, Engine, LAST_GOOD, Request, Served},
    key::Key,
    origin::{Origin, OriginError, OriginRequest, OriginResponse, Provenance},
    stored::ResponseHead,
    waterfall::{Step, Waterfall},
};
use overfall_config::ImageRules;
use overfall_imaging::{
    Error as ImagingError,
    limits::Limits,
    negotiate::{self, AcceptClass},
    path::{self, Parsed, Source},
    pool::Pool,
    transform::{Format, Transform},
};
use tokio::time::Instant;
use twox_hash::XxHash3_128;

use crate::{
    admission::{Refusal, canonical_host},
    key,
    route::{IMAGE_PREFIX, SiteRoute},
};

/// Changes when the pixels of an unchanged transform change, so that old renderings are made anew.
const PIPELINE_VERSION: u8 = 1;

/// One rendering to be made, as an origin for the engine.
struct Imager {
    engine: Arc<Engine>,
    pool: Arc<Pool>,
    rules: Arc<ImageRules>,
    transform: Transform,
    accept: AcceptClass,
    source: Request,
}

/// A parsed image URL.
pub struct ImageRequest {
    /// What the engine is asked.
    pub request: Request,
    /// Whether `Accept` decides the format, so that the answer must say `Vary: Accept`.
    pub varies: bool,
}

/// Parts of a node that images need.
pub struct Studio {
    /// Answers for sources.
    pub engine: Arc<Engine>,
    /// Renders.
    pub pool: Arc<Pool>,
}

impl Studio {
    /// Reads an image URL of a site. `rest` is what follows [`IMAGE_PREFIX`].
    ///
    /// # Errors
    /// A [`Refusal`] that says what was wrong with the URL and what would be right.
    pub fn request(&self, route: &SiteRoute, rest: &str, client: &Request) -> Result<ImageRequest, Refusal> {
        let rules = route
            .site
            .images
            .as_ref()
            .ok_or_else(|| Refusal::new(404, "images are not switched on for this site"))?;
        let Parsed { transform, source } = path::parse(rest).map_err(|error| refuse(&error))?;
        let mut source = source_request(route, &source, client)?;
        let transform = transform.with_default_quality(rules.quality);
        let varies = transform.format == Format::Auto;
        let sent = client.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let accept = negotiate::key_class(transform.format, negotiate::accept_class(sent));
        let variant = format!("{}image;{transform};{}", source.key.variant, accept.as_str());
        let key = Key { variant, ..source.key.clone() };
        source.headers.remove(header::ACCEPT);
        let imager = Imager {
            engine: Arc::clone(&self.engine),
            pool: Arc::clone(&self.pool),
            rules: Arc::new(rules.clone()),
            transform,
            accept,
            source,
        };
        let step = Step::new(Arc::new(imager), rules.deadline);
        let request = Request {
            key,
            waterfall: Arc::new(Waterfall { steps: vec![step] }),
            policy: Arc::clone(&route.policy),
            ..client.clone()
        };
        Ok(ImageRequest { request, varies })
    }
}

fn refuse(error: &path::PathError) -> Refusal {
    Refusal::new(400, format!("ERROR {}: {}", error.code, error.message))
}

/// The engine's request for the source of a rendering.
fn source_request(route: &SiteRoute, source: &Source, client: &Request) -> Result<Request, Refusal> {
    let mut request = match source {
        Source::Path(target) => local_source(route, &client.host, target, client),
        Source::Url { scheme, host, port, path_and_query } => {
            let host = canonical_host(host)?;
            if route.site.hosts.contains(&host) {
                local_source(route, &host, path_and_query, client)
            } else {
                let authority = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
                let waterfall =
                    route.foreign.get(&format!("{}://{authority}", scheme.as_str())).ok_or_else(|| {
                        let message =
                            format!("ERROR 9406: {authority} is not an allowed image source of this site");
                        Refusal::new(403, message)
                    })?;
                let mut key = key::plain(&route.site, &host, path_and_query);
                if scheme.as_str() == "http" {
                    // whoever is on the way can change it, so that it must not stand in for the other
                    key.variant = "http".to_owned();
                }
                Request {
                    path_and_query: key.target.clone(),
                    key,
                    host,
                    waterfall: Arc::clone(waterfall),
                    ..client.clone()
                }
            }
        }
    };
    if request.path_and_query.starts_with(IMAGE_PREFIX) {
        return Err(Refusal::new(400, "ERROR 9403: the source of an image URL can't be an image URL"));
    }
    request.method = Method::GET;
    request.headers = source_headers();
    request.accepted = Accepted::PLAIN;
    // a foreign host is not told what is meant for the site's own origins
    if let Some(tailoring) = route.tailoring.as_ref().filter(|_| route.site.hosts.contains(&request.host)) {
        tailoring.prepare_source(&mut request);
    }
    Ok(request)
}

fn local_source(route: &SiteRoute, host: &str, target: &str, client: &Request) -> Request {
    key::request(route, Method::GET, host, target, HeaderMap::new(), client.request_id)
}

/// A source is the same for everybody: nothing of the client goes to its origin.
fn source_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("overfall/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(header::ACCEPT, HeaderValue::from_static("image/*"));
    headers
}

#[async_trait]
impl Origin for Imager {
    fn name(&self) -> &str {
        "images"
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let answer = match self.engine.serve(self.source.clone()).await {
            Ok(answer) => answer,
            Err(unanswered) => {
                if let Some(retry_after_s) = unanswered.failure.retry_after_s {
                    return Err(OriginError::Busy { retry_after_s });
                }
                let status = if unanswered.failure.timed_out() { 504 } else { 502 };
                return Ok(refusal(status, "ERROR 9504: no origin of the source answered", None));
            }
        };
        if answer.head.status != StatusCode::OK {
            return Ok(source_refused(&answer));
        }
        let head = answer.head.clone();
        let provenance = answer.source.clone();
        let is_shared = answer.trace.served != Served::Passed;
        let source = match answer.body.collect(self.rules.source_bytes_max).await {
            Ok(source) => source,
            Err(BodyError::TooLarge { max }) => {
                let message = format!("ERROR 9402: the source is larger than {max} bytes");
                return Ok(refusal(422, &message, provenance));
            }
            Err(error) => return Err(OriginError::Protocol(error.to_string())),
        };
        let etag = self.validator(&source);
        if matches_validator(&request.headers, &etag) {
            let fields = inherited(&head.headers, &etag, is_shared);
            let head = ResponseHead { status: StatusCode::NOT_MODIFIED, headers: fields };
            return Ok(OriginResponse { head, body: Body::empty(), provenance });
        }
        self.render(request.deadline, source, &head.headers, &etag, is_shared, provenance).await
    }
}

impl Imager {
    async fn render(
        &self,
        deadline: Instant,
        source: bytes::Bytes,
        fields: &HeaderMap,
        etag: &str,
        is_shared: bool,
        provenance: Option<Provenance>,
    ) -> Result<OriginResponse, OriginError> {
        let limits = Limits {
            source_bytes_max: self.rules.source_bytes_max,
            source_pixels_max: self.rules.source_pixels_max,
            side_max: self.rules.side_max,
            ..Limits::default()
        };
        let quality = self.rules.quality;
        let job = self.pool.render(source, self.transform, self.accept, quality, limits, deadline);
        match job.await {
            Ok(rendered) => {
                let mut headers = inherited(fields, etag, is_shared);
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
                headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
                if let Ok(value) = HeaderValue::try_from(format!(
                    "internal=ok; w={}; h={}; from={}x{}",
                    rendered.width, rendered.height, rendered.source_width, rendered.source_height
                )) {
                    headers.insert("cf-resized", value);
                }
                let head = ResponseHead { status: StatusCode::OK, headers };
                Ok(OriginResponse { head, body: Body::Full(rendered.bytes), provenance })
            }
            Err(ImagingError::Busy { retry_after_s }) => {
                Err(OriginError::Busy { retry_after_s: u64::from(retry_after_s) })
            }
            Err(ImagingError::Deadline) => Err(OriginError::Timeout),
            Err(error) => {
                let message = format!("ERROR {}: {error}", number_of(&error));
                Ok(refusal(status_of(&error), &message, provenance))
            }
        }
    }

    /// A strong validator (RFC 9110 section 8.8.1): the same source bytes and transform give the same rendering.
    fn validator(&self, source: &[u8]) -> String {
        let mut hasher = XxHash3_128::with_seed(u64::from(PIPELINE_VERSION));
        hasher.write(source);
        hasher.write(format!("{};{}", self.transform, self.accept.as_str()).as_bytes());
        format!("\"{:032x}\"", hasher.finish_128())
    }
}

fn matches_validator(headers: &HeaderMap, etag: &str) -> bool {
    headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes())
}

/// What a rendering takes over from its source.
fn inherited(source: &HeaderMap, etag: &str, is_shared: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in [
        header::CACHE_CONTROL,
        header::EXPIRES,
        header::DATE,
        header::AGE,
        header::LAST_MODIFIED,
        LAST_GOOD,
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::HeaderName::from_static("timing-allow-origin"),
        header::HeaderName::from_static("cross-origin-resource-policy"),
    ] {
        if let Some(value) = source.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if !is_shared {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers
}

fn status_of(error: &ImagingError) -> u16 {
    match error {
        ImagingError::UnknownFormat { .. } => 415,
        ImagingError::Busy { .. } | ImagingError::Deadline => 503,
        ImagingError::Panicked | ImagingError::Unencodable { .. } => 500,
        ImagingError::TooManyPixels { .. }
        | ImagingError::SideTooLong { .. }
        | ImagingError::SourceTooLarge { .. }
        | ImagingError::Undecodable { .. } => 422,
    }
}

/// Cloudflare's number for a failure (9402 too large, 9413 too many pixels, 9523 undecodable).
const fn number_of(error: &ImagingError) -> u16 {
    match error {
        ImagingError::TooManyPixels { .. } | ImagingError::SideTooLong { .. } => 9413,
        ImagingError::SourceTooLarge { .. } => 9402,
        _ => 9523,
    }
}

/// The source's own refusal, in words. A 404 of the source is the image's 404.
fn source_refused(answer: &Answer) -> OriginResponse {
    let status = answer.head.status;
    let (code, status) = match status.as_u16() {
        404 | 410 => (9404, status.as_u16()),
        400..=499 => (9408, status.as_u16()),
        300..=399 => (9421, 502),
        _ => (9504, 502),
    };
    let message = format!("ERROR {code}: the source answered {}", answer.head.status.as_u16());
    refusal(status, &message, answer.source.clone())
}

fn refusal(status: u16, message: &str, provenance: Option<Provenance>) -> OriginResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=10"));
    if let Ok(value) = HeaderValue::from_str(&format!("err={}", code_of(message))) {
        headers.insert("cf-resized", value);
    }
    let body = Body::Full(format!("{message}\n").into());
    OriginResponse { head: ResponseHead { status, headers }, body, provenance }
}

/// The number that Cloudflare's clients read, out of `ERROR <number>: …`.
fn code_of(message: &str) -> &str {
    message.strip_prefix("ERROR ").and_then(|rest| rest.split(':').next()).unwrap_or("9500")
}

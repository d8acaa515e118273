//! The image pipeline as an origin: its source is again a cached response.
//!
//! A rendering's validator is made of the source's bytes and the transform, so that a validation of a stale rendering
//! costs no pixels while the source is the same. It inherits the source's age, lifetime, tags and log position: it
//! lives and dies with it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use overfall_cache::{
    body::{Body, BodyError},
    engine::{Answer, LAST_GOOD, Request, Served},
    key::KeyHash,
    origin::{Origin, OriginError, OriginRequest, OriginResponse, Provenance},
    stored::ResponseHead,
};
use overfall_config::ImageFailure;
use overfall_imaging::{
    Error as ImagingError,
    dialect::{INFO_CONTENT_TYPE, IiifRules, check_size, iiif_info},
    path::Parsed,
    pipeline::{Patience, Rendered, Settings},
    sniff::{self, SourceFormat},
    transform::{Format, Transform},
};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use twox_hash::XxHash3_128;

use crate::studio::{ImageSite, Studio};

/// Changes when the pixels of an unchanged transform change, so that old renderings are made anew.
const PIPELINE_VERSION: u8 = 5;

/// What a vector picture of a stranger may do in a browser: show itself.
const SVG_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";
/// What Next sends with every picture.
const NEXT_POLICY: &str = "script-src 'none'; frame-src 'none'; sandbox;";

/// One rendering to be made, as an origin for the engine.
#[derive(Clone)]
pub(crate) struct Imager {
    pub(crate) studio: Arc<Studio>,
    pub(crate) site: Arc<ImageSite>,
    /// With the transform as it is for this client.
    pub(crate) parsed: Arc<Parsed>,
    pub(crate) settings: Settings,
    pub(crate) source: Request,
    /// The watermark's picture.
    pub(crate) mark: Option<Request>,
    /// The picture that stands in for one that can't be rendered.
    pub(crate) fallback: Option<Request>,
    pub(crate) shape: Shape,
    /// Of the rendering's key.
    pub(crate) hash: KeyHash,
    /// Held by a rendering that nobody waits for.
    pub(crate) _permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// In what form an answer is given.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// As it is.
    Plain,
    /// With the policy that Next sends.
    Sandboxed,
    /// IIIF's document about a picture.
    IiifInfo {
        /// URL of the picture's service.
        id_url: String,
        /// What it accepts.
        rules: Arc<IiifRules>,
    },
}

impl Shape {
    /// Its part of the key.
    pub(crate) fn variant(&self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Sandboxed => ";next".to_owned(),
            Self::IiifInfo { id_url, .. } => format!(";iiif={id_url}"),
        }
    }
}

/// A picture that was fetched whole.
struct Fetched {
    bytes: Bytes,
    headers: HeaderMap,
    provenance: Option<Provenance>,
    is_shared: bool,
}

#[async_trait]
impl Origin for Imager {
    fn name(&self) -> &str {
        "images"
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        // before the fetch, so that whoever renders first knows who else waits for it
        let careful = self.settings.is_careful;
        let sibling = self.studio.pool.join(self.source.key.hash().0, self.transform(), careful);
        let source = match self.whole(&self.source).await? {
            Ok(source) => source,
            Err(refused) => return self.instead(request, refused).await,
        };
        let mark = match &self.mark {
            Some(mark) => match self.whole(mark).await? {
                Ok(mark) => Some(mark),
                Err(_) => {
                    let message = "ERROR 9404: the picture of the watermark is not there";
                    return Ok(refusal(502, message, source.provenance));
                }
            },
            None => None,
        };
        let etag = self.validator(&source.bytes, mark.as_ref().map(|mark| &mark.bytes));
        if let Some(stored) = validated(&request.headers, &etag) {
            let fields = inherited(&source.headers, stored, source.is_shared);
            let head = ResponseHead { status: StatusCode::NOT_MODIFIED, headers: fields };
            return Ok(OriginResponse { head, body: Body::empty(), provenance: source.provenance });
        }
        if let Some(passed) = self.passed(&source, &etag) {
            return Ok(passed);
        }
        let settings = Settings {
            mark: mark.map(|mark| mark.bytes),
            sibling: Some(Arc::new(sibling)),
            ..self.settings.clone()
        };
        match self.rendered(&source, settings, request.deadline).await? {
            Ok(rendered) => self.answer(&rendered, source, &etag),
            Err(error) => self.failed(request, source, &etag, &error).await,
        }
    }
}

impl Imager {
    /// Fetches a picture through the engine. The inner error is what the client is told.
    async fn whole(&self, request: &Request) -> Result<Result<Fetched, OriginResponse>, OriginError> {
        let answer = match self.studio.engine.serve(request.clone()).await {
            Ok(answer) => answer,
            Err(unanswered) => {
                if let Some(retry_after_s) = unanswered.failure.retry_after_s {
                    return Err(OriginError::Busy { retry_after_s });
                }
                let status = if unanswered.failure.timed_out() { 504 } else { 502 };
                return Ok(Err(refusal(status, "ERROR 9504: no origin of the source answered", None)));
            }
        };
        if answer.head.status != StatusCode::OK {
            return Ok(Err(source_refused(&answer)));
        }
        let headers = answer.head.headers.clone();
        let provenance = answer.source.clone();
        let is_shared = answer.trace.served != Served::Passed;
        match answer.whole(self.settings.limits.source_bytes_max).await {
            Ok(bytes) => Ok(Ok(Fetched { bytes, headers, provenance, is_shared })),
            Err(BodyError::TooLarge { max }) => {
                let message = format!("ERROR 9402: the source is larger than {max} bytes");
                Ok(Err(refusal(422, &message, provenance)))
            }
            Err(error) => Err(OriginError::Protocol(error.to_string())),
        }
    }

    async fn rendered(
        &self,
        source: &Fetched,
        settings: Settings,
        deadline: Instant,
    ) -> Result<Result<Rendered, ImagingError>, OriginError> {
        let transform = self.parsed.transform.clone();
        match self.studio.pool.render(source.bytes.clone(), transform, settings, deadline).await {
            Err(ImagingError::Busy { retry_after_s }) => {
                Err(OriginError::Busy { retry_after_s: u64::from(retry_after_s) })
            }
            Err(ImagingError::Deadline) => Err(OriginError::Timeout),
            other => Ok(other),
        }
    }

    fn answer(
        &self,
        rendered: &Rendered,
        source: Fetched,
        etag: &str,
    ) -> Result<OriginResponse, OriginError> {
        let seen = (rendered.source_width, rendered.source_height);
        if let Err(refused) = check_size(&self.parsed, seen.0, seen.1) {
            return Ok(refusal(refused.status, &refused.body, source.provenance));
        }
        if rendered.can_improve && self.settings.effort == Patience::Answering {
            self.studio.can_improve(self.hash);
        }
        let mut headers = inherited(&source.headers, &of_rendering(etag, rendered), source.is_shared);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let (content_type, body) = match &self.shape {
            Shape::IiifInfo { id_url, rules } => {
                (INFO_CONTENT_TYPE, iiif_info(id_url, seen.0, seen.1, rules).into())
            }
            Shape::Plain | Shape::Sandboxed => (rendered.content_type, rendered.bytes.clone()),
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let policy = match &self.shape {
            _ if content_type == SourceFormat::Svg.media_type() => Some(SVG_POLICY),
            Shape::Sandboxed => Some(NEXT_POLICY),
            _ => None,
        };
        if let Some(policy) = policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        if let Ok(value) = HeaderValue::try_from(format!(
            "internal=ok; w={}; h={}; from={}x{}",
            rendered.width, rendered.height, seen.0, seen.1
        )) {
            headers.insert("cf-resized", value);
        }
        let head = ResponseHead { status: StatusCode::OK, headers };
        Ok(OriginResponse { head, body: Body::Full(body), provenance: source.provenance })
    }

    /// A source of a format that the URL wants as it is.
    fn passed(&self, source: &Fetched, etag: &str) -> Option<OriginResponse> {
        let formats = &self.parsed.wants.passed_formats;
        let format = sniff::header(&source.bytes).ok().filter(|_| !formats.is_empty())?.format;
        let is_open = matches!(self.parsed.transform.format, Format::Auto | Format::Best | Format::Source);
        let is_passed = is_open && formats.contains(&format.as_str()) && format != SourceFormat::Svg;
        is_passed.then(|| as_it_is(source, format, etag))
    }

    /// What the site wants in place of a picture that can't be rendered.
    async fn failed(
        &self,
        request: &OriginRequest,
        source: Fetched,
        etag: &str,
        error: &ImagingError,
    ) -> Result<OriginResponse, OriginError> {
        let message = format!("ERROR {}: {error}", number_of(error));
        let told = refusal(status_of(error), &message, source.provenance.clone());
        if self.site.config.on_failure == ImageFailure::Original
            && let Ok(header) = sniff::header(&source.bytes)
            && header.format != SourceFormat::Svg
        {
            return Ok(as_it_is(&source, header.format, etag));
        }
        self.instead(request, told).await
    }

    /// The site's fallback picture, rendered as the one that failed was to be; without one, what went wrong.
    async fn instead(
        &self,
        request: &OriginRequest,
        told: OriginResponse,
    ) -> Result<OriginResponse, OriginError> {
        let Some(fallback) = &self.fallback else { return Ok(self.passed_over(request, told)) };
        let Ok(picture) = self.whole(fallback).await? else { return Ok(told) };
        let settings = Settings { mark: None, ..self.settings.clone() };
        let Ok(rendered) = self.rendered(&picture, settings, request.deadline).await? else {
            return Ok(told);
        };
        let etag = self.validator(&picture.bytes, None);
        let mut answer = self.answer(&rendered, picture, &etag)?;
        // the right one may be there again soon
        let short = HeaderValue::from_static("max-age=10");
        answer.head.headers.insert(header::CACHE_CONTROL, short);
        answer.head.headers.remove(header::EXPIRES);
        answer.provenance = told.provenance;
        Ok(answer)
    }

    /// Where the last good rendering is wanted, and the engine holds one, since it asks whether that is good: a failure that
    /// the engine puts the stale rendering in place of (RFC 5861 section 4). What the source's origin said of itself, such
    /// as that it is gone, stands.
    fn passed_over(&self, request: &OriginRequest, mut told: OriginResponse) -> OriginResponse {
        let is_held = request.headers.contains_key(header::IF_NONE_MATCH);
        let is_ours = matches!(told.head.status.as_u16(), 415 | 422);
        if self.site.config.on_failure == ImageFailure::LastGood && is_held && is_ours {
            told.head.status = StatusCode::BAD_GATEWAY;
        }
        told
    }

    /// A strong validator (RFC 9110 section 8.8.1): the same source bytes and transform give the same rendering.
    fn validator(&self, source: &[u8], mark: Option<&Bytes>) -> String {
        let mut hasher = XxHash3_128::with_seed(u64::from(PIPELINE_VERSION));
        hasher.write(source);
        hasher.write(mark.map_or(&[], |mark| mark.as_ref()));
        let is_improved = self.settings.effort == Patience::Improving;
        let Settings { accept, likeness, is_careful, sharpens, .. } = &self.settings;
        let asked = format!("{};{accept};{likeness};{is_careful};{sharpens};{is_improved}", self.transform());
        hasher.write(asked.as_bytes());
        hasher.write(self.shape.variant().as_bytes());
        format!("\"{:032x}\"", hasher.finish_128())
    }

    fn transform(&self) -> &Transform {
        &self.parsed.transform
    }
}

/// A source as the answer, under the type that its content has.
fn as_it_is(source: &Fetched, format: SourceFormat, etag: &str) -> OriginResponse {
    let mut headers = inherited(&source.headers, etag, source.is_shared);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let head = ResponseHead { status: StatusCode::OK, headers };
    OriginResponse { head, body: Body::Full(source.bytes.clone()), provenance: source.provenance.clone() }
}

/// The validator of a rendering that differs a little from what its transform gives else: its source was decoded for a larger
/// one, or its deadline was near. Two nodes must not name both alike.
fn of_rendering(etag: &str, rendered: &Rendered) -> String {
    let Some(mut named) = etag.strip_suffix('"').map(str::to_owned) else { return etag.to_owned() };
    if rendered.decoded_as > 0 {
        named.push_str(&format!("-{}", rendered.decoded_as));
    }
    if rendered.is_hurried {
        named.push_str("-h");
    }
    named + "\""
}

/// The validator that is stored, if it is of the rendering that `etag` names.
fn validated<'a>(headers: &'a HeaderMap, etag: &str) -> Option<&'a str> {
    let stored = headers.get(header::IF_NONE_MATCH)?.to_str().ok()?;
    let rest = stored.strip_prefix(etag.strip_suffix('"')?)?;
    (rest.starts_with('"') || rest.starts_with('-')).then_some(stored)
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

const fn status_of(error: &ImagingError) -> u16 {
    match error {
        ImagingError::UnknownFormat { .. } => 415,
        ImagingError::Busy { .. } | ImagingError::Deadline => 503,
        ImagingError::Panicked | ImagingError::Unencodable { .. } => 500,
        ImagingError::TooManyPixels { .. }
        | ImagingError::TooManyFrames { .. }
        | ImagingError::TooManyFramePixels { .. }
        | ImagingError::SideTooLong { .. }
        | ImagingError::SourceTooLarge { .. }
        | ImagingError::NoDrawing { .. }
        | ImagingError::Undecodable { .. } => 422,
    }
}

/// Cloudflare's number for a failure (9402 too large, 9413 too many pixels, 9523 undecodable).
const fn number_of(error: &ImagingError) -> u16 {
    match error {
        ImagingError::TooManyPixels { .. }
        | ImagingError::TooManyFrames { .. }
        | ImagingError::TooManyFramePixels { .. }
        | ImagingError::SideTooLong { .. } => 9413,
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

#[cfg(test)]
mod tests {
    use overfall_imaging::pipeline::Timings;

    use super::*;

    #[test]
    fn a_rendering_that_came_out_otherwise_has_a_validator_of_its_own_and_is_valid_still() {
        let rendered = |decoded_as, is_hurried| Rendered {
            bytes: Bytes::new(),
            content_type: "image/webp",
            width: 1,
            height: 1,
            source_width: 1,
            source_height: 1,
            decoded_as,
            is_hurried,
            can_improve: is_hurried,
            timings: Timings::default(),
        };
        let mut headers = HeaderMap::new();
        for (across, is_hurried, name) in [
            (0, false, "\"ab\""),
            (640, false, "\"ab-640\""),
            (0, true, "\"ab-h\""),
            (640, true, "\"ab-640-h\""),
        ] {
            assert_eq!(of_rendering("\"ab\"", &rendered(across, is_hurried)), name);
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(name));
            assert_eq!(validated(&headers, "\"ab\""), Some(name));
            assert_eq!(validated(&headers, "\"a\""), None, "{name}");
        }
        assert_eq!(validated(&HeaderMap::new(), "\"ab\""), None);
    }
}

//! From an image URL to what the engine is asked.
//!
//! Whose style a URL is, what it asks for, and from which source, is read by `imaging`; here it meets the site: which hosts
//! may be sources, what the client accepts and hints at, what time it is. The answer is keyed by source and transform, so
//! that URLs of all styles share renderings.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use overfall_cache::{
    body::Body,
    clock::{Clock, SystemClock},
    encoding::Accepted,
    engine::{Engine, Request},
    key::{Key, KeyHash},
    stored::ResponseHead,
    waterfall::{Step, Waterfall},
};
use overfall_config::Limits as NodeLimits;
use overfall_imaging::{
    client_hints::Hints,
    dialect::{self, Asks, Claim, Dialect, Fault, refuse},
    limits::Limits,
    negotiate,
    path::{AskedLimits, OnError, Parsed, Source, Wants},
    pipeline::{Patience, Settings},
    pool::Pool,
    transform::{Format, Quality},
    worker::Workers,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    admission::{Refusal, canonical_host},
    error::StartError,
    imager::{Imager, Shape},
    key, memory,
    route::{IMAGE_PREFIX, SiteRoute},
};

mod site;

pub use site::ImageSite;

/// Parts of a node that images need.
pub struct Studio {
    /// Answers for sources.
    pub engine: Arc<Engine>,
    /// Renders.
    pub pool: Arc<Pool>,
    /// Decode for it what is not to be decoded in this process.
    workers: Option<Arc<Workers>>,
    /// Renderings that could be smaller, and how often they were asked for.
    improvable: Mutex<HashMap<KeyHash, u32>>,
    /// One rendering behind the answers at a time.
    improving: Arc<Semaphore>,
}

/// What the command line calls the life of a worker.
pub(crate) const WORKER_VERB: &str = "image-worker";

/// A readable image URL.
pub enum ImageWork {
    /// A picture, or what is known of one.
    Serve(Box<ImageRequest>),
    /// The client is sent elsewhere.
    Redirect(Box<(ResponseHead, Body)>),
}

/// A picture that is asked for.
pub struct ImageRequest {
    /// What the engine is asked.
    pub request: Request,
    /// Request fields that had a part in it, for `Vary`.
    pub varies: Vec<&'static str>,
    /// How the picture is to be saved.
    pub disposition: Option<HeaderValue>,
    /// Where the client is sent when there is no picture.
    pub on_error: Option<HeaderValue>,
}

impl Studio {
    /// For a node's engine, with threads of its own.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(
        engine: Arc<Engine>,
        limits: &NodeLimits,
        workers: Option<Workers>,
    ) -> Result<Self, StartError> {
        let workers = workers.map(Arc::new);
        let idle = workers.clone();
        let on_quiet = move || {
            if let Some(workers) = &idle {
                workers.rest();
            }
            memory::give_back();
        };
        let pool = Pool::with_quiet(limits.image_threads, limits.image_queue_megapixels, on_quiet)
            .map_err(|source| StartError::Io { what: "image threads".to_owned(), source })?;
        let improving = Arc::new(Semaphore::new(1));
        Ok(Self { engine, pool: Arc::new(pool), workers, improvable: Mutex::default(), improving })
    }

    /// Reads a request target. `None`: it is no image URL of this site.
    ///
    /// # Errors
    /// A [`Refusal`] in the words of the URL's style.
    pub fn read(
        self: &Arc<Self>,
        route: &Arc<SiteRoute>,
        target: &str,
        client: &Request,
    ) -> Result<Option<ImageWork>, Refusal> {
        let Some(site) = &route.images else {
            let is_meant = target.starts_with(IMAGE_PREFIX);
            let refusal = || Refusal::new(404, "images are not switched on for this site");
            return if is_meant { Err(refusal()) } else { Ok(None) };
        };
        let Some(Claim { dialect, asks }) = dialect::of_target(target, &site.enabled, &site.rules) else {
            return Ok(None);
        };
        if let Asks::Redirect(to) = asks {
            return Ok(Some(ImageWork::Redirect(Box::new(redirect(StatusCode::SEE_OTHER, &to)))));
        }
        let parsed = dialect::parse(dialect, target, &site.rules)?;
        self.ask(route, site, dialect, &asks, parsed, client)
            .map(|image| Some(ImageWork::Serve(Box::new(image))))
    }

    fn ask(
        self: &Arc<Self>,
        route: &Arc<SiteRoute>,
        site: &Arc<ImageSite>,
        dialect: Dialect,
        asks: &Asks,
        parsed: Parsed,
        client: &Request,
    ) -> Result<ImageRequest, Refusal> {
        let now_s = SystemClock.now().0 / 1_000;
        if parsed.wants.expires_s.is_some_and(|expires| now_s >= expires) {
            return Err(refuse(dialect, Fault::Expired, "the url was good until its time had come").into());
        }
        let source = source_request(route, dialect, &parsed.source, client)?;
        let disposition = disposition(&parsed.wants);
        let on_error = (parsed.wants.on_error == OnError::Redirect)
            .then(|| HeaderValue::from_str(&source.path_and_query).ok())
            .flatten()
            .filter(|_| matches!(parsed.source, Source::Path(_)));
        if parsed.wants.raw {
            let request = raw(dialect, &parsed, source, client)?;
            return Ok(ImageRequest { request, varies: Vec::new(), disposition, on_error });
        }
        let mark = parsed
            .transform
            .watermark
            .as_ref()
            .map(|mark| self.mark(route, site, dialect, &mark.name, client));
        let mark = mark.transpose()?;
        let (transform, varies) = tailored(site, &parsed, client);
        let accept = client.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let class = negotiate::offered_class(accept, site.offers);
        let accept = negotiate::key_class(transform.format, class);
        let limits = lowered(&site.limits, &parsed.wants.limits);
        let shape = shape(dialect, asks, &client.path_and_query, client, site);
        let variant = format!(
            "{}image;{transform};{accept}{}{}{}",
            source.key.variant,
            added(&parsed.wants),
            if limits == site.limits { String::new() } else { format!(";{limits:?}") },
            shape.variant(),
        );
        let key = Key { variant, ..source.key.clone() };
        let imager = Imager {
            studio: Arc::clone(self),
            site: Arc::clone(site),
            parsed: Arc::new(Parsed { transform, ..parsed }),
            settings: Settings {
                accept,
                quality: site.config.quality,
                likeness: site.config.likeness,
                is_careful: site.config.is_careful,
                sharpens: site.config.sharpens,
                limits,
                mark: None,
                effort: Patience::Answering,
                sibling: None,
                workers: self.workers.clone(),
            },
            fallback: site.fallback().map(|path| local_source(route, &client.host, path, client)),
            source,
            mark,
            shape,
            hash: key.hash(),
            _permit: None,
        };
        let request = self.request(route, client, key, imager);
        Ok(ImageRequest { request, varies, disposition, on_error })
    }

    /// The engine's request, and behind the answers, when a rendering has become popular, one that makes it smaller.
    fn request(self: &Arc<Self>, route: &SiteRoute, client: &Request, key: Key, imager: Imager) -> Request {
        let deadline = imager.site.config.deadline;
        let ask = |imager: Imager, deadline: Duration| {
            let step = Step::new(Arc::new(imager), deadline);
            Request {
                key: key.clone(),
                waterfall: Arc::new(Waterfall { steps: vec![step] }),
                policy: Arc::clone(&route.policy),
                ..client.clone()
            }
        };
        if self.has_become_popular(imager.hash)
            && let Ok(permit) = Arc::clone(&self.improving).try_acquire_owned()
        {
            self.forget(imager.hash);
            let settings = Settings { effort: Patience::Improving, ..imager.settings.clone() };
            let patient = Imager { settings, _permit: Some(Arc::new(permit)), ..imager.clone() };
            self.engine.renew(&ask(patient, deadline * IMPROVING_PATIENCE));
        }
        ask(imager, deadline)
    }

    /// Notes that a rendering could be smaller than it was made.
    pub(crate) fn can_improve(&self, hash: KeyHash) {
        let mut improvable = self.improvable.lock();
        if improvable.len() >= IMPROVABLE_MAX {
            // the least wanted half makes room
            let mut counts: Vec<u32> = improvable.values().copied().collect();
            counts.sort_unstable();
            let middle = counts.get(counts.len() / 2).copied().unwrap_or_default();
            improvable.retain(|_, count| *count > middle);
        }
        improvable.entry(hash).or_default();
    }

    fn forget(&self, hash: KeyHash) {
        self.improvable.lock().remove(&hash);
    }

    fn has_become_popular(&self, hash: KeyHash) -> bool {
        let mut improvable = self.improvable.lock();
        let Some(count) = improvable.get_mut(&hash) else { return false };
        *count = count.saturating_add(1);
        *count >= POPULAR_FROM
    }

    fn mark(
        &self,
        route: &SiteRoute,
        site: &ImageSite,
        dialect: Dialect,
        name: &str,
        client: &Request,
    ) -> Result<Request, Refusal> {
        let Some(path) = site.mark(name) else {
            let known: Vec<_> = site.config.watermarks.keys().map(String::as_str).collect();
            let reason = format!("the site has no watermark of that name; it has: {}", known.join(", "));
            return Err(refuse(dialect, Fault::Url, reason).into());
        };
        Ok(local_source(route, &client.host, path, client))
    }
}

/// What a rendering's URL says beyond the transform, as far as it changes the answer.
fn added(wants: &Wants) -> String {
    let mut added = String::new();
    if let Some(buster) = &wants.cache_buster {
        added.push_str(&format!(";cb={buster}"));
    }
    if wants.never_larger {
        added.push_str(";never-larger");
    }
    if !wants.passed_formats.is_empty() {
        added.push_str(&format!(";pass={}", wants.passed_formats.join("+")));
    }
    added
}

/// The transform with what the client hints at, and the request fields that had a part in it.
fn tailored(
    site: &ImageSite,
    parsed: &Parsed,
    client: &Request,
) -> (overfall_imaging::transform::Transform, Vec<&'static str>) {
    let mut transform = parsed.transform.clone();
    let mut varies = Vec::new();
    let field = |name: &str| client.headers.get(name).and_then(|value| value.to_str().ok());
    let hints = Hints::read(field).class(&site.hinted_widths);
    if parsed.wants.width_from_hints {
        varies.extend([
            "Sec-CH-Width",
            "Sec-CH-DPR",
            "Sec-CH-Viewport-Width",
            "Width",
            "DPR",
            "Viewport-Width",
        ]);
        transform.width = hints.width;
    }
    if parsed.wants.saving_quality.is_some()
        || (transform.quality == Quality::Site && parsed.wants.width_from_hints)
    {
        varies.push("Save-Data");
        if hints.saves_data {
            let quality = parsed.wants.saving_quality.unwrap_or_else(|| hints.quality(site.config.quality));
            transform.quality = Quality::Fixed(quality);
        }
    }
    if matches!(transform.format, Format::Auto | Format::Best) {
        varies.push("Accept");
    }
    (transform.with_default_quality(site.config.quality), varies)
}

/// This program as a worker, even where a newer one has taken its place on the disk.
///
/// # Errors
/// When the system gives no processes that can be shut off from it.
pub(crate) fn workers() -> io::Result<Workers> {
    if cfg!(target_os = "linux") {
        Workers::new("/proc/self/exe", [WORKER_VERB])
    } else {
        std::env::current_exe().and_then(|program| Workers::new(program, [WORKER_VERB]))
    }
}

/// The site's limits, lower where the URL asks for less.
fn lowered(limits: &Limits, asked: &AskedLimits) -> Limits {
    let less = |own: u64, asked: Option<u64>| asked.map_or(own, |asked| asked.min(own));
    Limits {
        source_pixels_max: less(limits.source_pixels_max, asked.source_pixels.or(asked.frame_pixels)),
        source_bytes_max: less(limits.source_bytes_max, asked.source_bytes),
        frames_max: asked.frames.map_or(limits.frames_max, |frames| frames.min(limits.frames_max)),
        ..*limits
    }
}

/// In what form an answer is given.
fn shape(dialect: Dialect, asks: &Asks, target: &str, client: &Request, site: &ImageSite) -> Shape {
    match (dialect, asks) {
        (Dialect::Iiif, Asks::Info) => {
            let path = target.split('?').next().unwrap_or_default();
            let identifier = path.strip_suffix("/info.json").unwrap_or(path);
            Shape::IiifInfo {
                id_url: format!("https://{}{identifier}", client.host),
                rules: Arc::new(site.rules.iiif.clone()),
            }
        }
        (Dialect::Next, _) => Shape::Sandboxed,
        _ => Shape::Plain,
    }
}

/// The source as it is, on the site's own paths only: another host's pages must not become this site's.
fn raw(dialect: Dialect, parsed: &Parsed, source: Request, client: &Request) -> Result<Request, Refusal> {
    if !matches!(parsed.source, Source::Path(_)) {
        let reason = "only pictures of the site itself are passed on as they are";
        return Err(refuse(dialect, Fault::SourceHost, reason).into());
    }
    Ok(Request { method: client.method.clone(), ..source })
}

/// `Content-Disposition` (RFC 6266).
fn disposition(wants: &Wants) -> Option<HeaderValue> {
    if !wants.attachment && wants.filename.is_none() {
        return None;
    }
    let kind = if wants.attachment { "attachment" } else { "inline" };
    let Some(name) = &wants.filename else { return Some(HeaderValue::from_static("attachment")) };
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "-_. ".contains(letter);
    let plain: String = name.chars().map(|letter| if is_token(letter) { letter } else { '_' }).collect();
    let coded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    HeaderValue::from_str(&format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{coded}")).ok()
}

fn redirect(status: StatusCode, to: &str) -> (ResponseHead, Body) {
    let mut headers = HeaderMap::new();
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(header::LOCATION, to);
    }
    (ResponseHead { status, headers }, Body::empty())
}

/// The engine's request for the source of a rendering.
fn source_request(
    route: &SiteRoute,
    dialect: Dialect,
    source: &Source,
    client: &Request,
) -> Result<Request, Refusal> {
    let mut request = match source {
        Source::Path(target) => local_source(route, &client.host, target, client),
        Source::Url { scheme, host, port, path_and_query } => {
            let host = canonical_host(host)?;
            if route.site.hosts.contains(&host) {
                local_source(route, &host, path_and_query, client)
            } else {
                let authority = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
                let origin = format!("{}://{authority}", scheme.as_str());
                let waterfall = route.foreign.get(&origin).ok_or_else(|| {
                    let reason = format!("{authority} is not an allowed image source of this site");
                    refuse(dialect, Fault::SourceHost, reason)
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

/// A picture of the site itself.
fn local_source(route: &SiteRoute, host: &str, target: &str, client: &Request) -> Request {
    let mut request = key::request(route, Method::GET, host, target, source_headers(), client.request_id);
    request.accepted = Accepted::PLAIN;
    request
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

/// How many times as long as an answer a rendering behind the answers may take.
const IMPROVING_PATIENCE: u32 = 6;
/// Requests from which on a rendering that could be smaller is made so.
const POPULAR_FROM: u32 = 5;
/// Renderings that are counted.
const IMPROVABLE_MAX: usize = 16_384;

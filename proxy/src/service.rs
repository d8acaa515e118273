//! The request path, top to bottom.
//!
//! GET and HEAD are answered by the cache engine from `request_filter`; everything else goes through pingora's proxying
//! to the site's first HTTP origin.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use overfall_cache::{
    body::Body,
    engine::{Answer, Request, Trace, Unanswered},
    fields,
    stored::ResponseHead,
};
use overfall_config::{OriginTarget, RequestRule};
use pingora::{
    Error, ErrorType, Result,
    http::{RequestHeader, ResponseHeader},
    proxy::{FailToProxy, ProxyHttp, Session},
    upstreams::peer::HttpPeer,
};

use crate::{
    access_log::Entry,
    admission::{self, Admitted, Refusal},
    cache_status,
    ctx::Ctx,
    dated, invalidate, key,
    node::Node,
    origin::http::CDN_ID,
    proxy_status, response,
    route::SiteRoute,
    shadow,
    studio::{ImageRequest, ImageWork},
    tailoring::{Asked, Tailoring},
    telemetry,
};

/// Answered on every host, from memory, in every state.
pub(crate) const HEALTH_PATH: &str = "/healthz";
/// A request that carries this many of our marks is going in circles (RFC 8586).
const LOOP_MARKS_MAX: usize = 3;
/// Logged when the client left before a head was written.
const CLIENT_GONE: u16 = 499;
/// Fields with which a client could change an answer that others will get: origins act on them, and no key holds them.
const UNKEYED: [&str; 15] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-host",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// One node's data plane as pingora sees it.
pub struct Edge {
    node: Arc<Node>,
}

impl Edge {
    /// Wraps a node.
    #[must_use]
    pub const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    async fn answer(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        let work = match admit(session) {
            Ok(admitted) => self.route(session, ctx, &admitted),
            Err(refusal) => {
                // what a malformed request leaves behind must not be read as the next one
                session.as_downstream_mut().set_keepalive(None);
                Err(refusal)
            }
        };
        let (head, body) = match work {
            Ok(Some(work)) => self.serve(session, ctx, work).await,
            Ok(None) => return Ok(false),
            Err(refusal) => self.refuse(&refusal),
        };
        if let Some(route) = ctx.route.as_ref().filter(|_| ctx.trace.is_some()) {
            let request = session.req_header();
            shadow::repeat(route, &request.method, &ctx.host, &ctx.target, &request.headers, ctx.request_id);
        }
        ctx.cache_status = head.headers.get("cache-status").and_then(|v| v.to_str().ok()).map(str::to_owned);
        session.as_downstream_mut().set_write_timeout(Some(self.node.limits().stall));
        response::write(session, &head, body).await?;
        Ok(true)
    }

    /// Finds out what is asked. `None`: not a request that a cache may answer.
    fn route(
        &self,
        session: &Session,
        ctx: &mut Ctx,
        Admitted { host, target }: &Admitted,
    ) -> Result<Option<Work>, Refusal> {
        let request = session.req_header();
        ctx.host.clone_from(host);
        ctx.target.clone_from(target);
        let path = target.split('?').next().unwrap_or_default();
        if path == HEALTH_PATH {
            return Ok(Some(Work::Health));
        }
        if is_looping(request) {
            return Err(Refusal::new(508, "this request has come through here before"));
        }
        let Some(route) = self.node.routes().find(host).cloned() else {
            let is_tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
            let status = if is_tls { 421 } else { 404 };
            return Err(Refusal::new(status, "this host is not served here"));
        };
        ctx.route = Some(Arc::clone(&route));
        if let Some(tailoring) = &route.tailoring {
            let client =
                session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
            ctx.asked = Some(tailoring.ask(&request.headers, host, target, client, ctx.request_id));
        }
        if !matches!(request.method, Method::GET | Method::HEAD) || session.is_upgrade_req() {
            let refusal =
                || Refusal::new(405, "only GET and HEAD: this site has no HTTP origin to pass others to");
            return route.pass_to.is_some().then_some(None).ok_or_else(refusal);
        }
        let tailored = route.tailoring.as_ref().zip(ctx.asked.as_ref());
        if let Some((head, body)) = tailored.and_then(|(tailoring, asked)| tailoring.redirect(asked)) {
            return Ok(Some(Work::Redirect { head: Box::new(head), body, route }));
        }
        let mut headers = fields::end_to_end_request(&request.headers);
        headers.remove(header::HOST);
        for name in UNKEYED {
            headers.remove(name);
        }
        let mut plain = key::request(&route, request.method.clone(), host, target, headers, ctx.request_id);
        plain.is_trusted = is_trusted(&route.site.request_cache_control, session);
        match self.node.studio().read(&route, target, &plain)? {
            Some(ImageWork::Serve(image)) => Ok(Some(Work::Image { image, route })),
            Some(ImageWork::Redirect(answer)) => {
                let (head, body) = *answer;
                Ok(Some(Work::Redirect { head: Box::new(head), body, route }))
            }
            None => {
                if let Some((tailoring, asked)) = tailored {
                    tailoring.prepare(&mut plain, asked);
                }
                Ok(Some(Work::Serve { request: Box::new(plain), route }))
            }
        }
    }

    async fn serve(&self, session: &mut Session, ctx: &mut Ctx, work: Work) -> (ResponseHead, Body) {
        let (request, image, route) = match work {
            Work::Health => return self.node.health(),
            Work::Redirect { head, body, route } => return self.redirect(ctx, *head, body, &route),
            Work::Serve { request, route } => (request, None, route),
            Work::Image { image, route } => {
                let ImageRequest { request, varies, disposition, on_error } = *image;
                (Box::new(request), Some((varies, disposition, on_error)), route)
            }
        };
        let (mut head, mut body, trace) =
            match self.node.engine().serve_with(*request, &mut response::Hints(session)).await {
                Ok(Answer { head, body, trace, .. }) => (head, body, trace),
                Err(unanswered) => with_length(last_resort(self.node.name(), &route, unanswered)),
            };
        if let Some((varies, disposition, on_error)) = image {
            for name in varies {
                head.headers.append(header::VARY, HeaderValue::from_static(name));
            }
            match on_error {
                Some(source) if head.status.as_u16() >= 400 => {
                    head.status = StatusCode::FOUND;
                    head.headers.remove(header::CONTENT_TYPE);
                    head.headers.remove(header::CONTENT_LENGTH);
                    head.headers.insert(header::LOCATION, source);
                    body = Body::empty();
                }
                _ => {
                    if let Some(disposition) = disposition {
                        head.headers.insert(header::CONTENT_DISPOSITION, disposition);
                    }
                }
            }
        }
        cache_status::append(&mut head.headers, self.node.name(), &trace);
        cache_status::server_timing(&mut head.headers, &trace, ctx.began);
        request_id(&mut head, ctx.request_id);
        if let Some((tailoring, asked)) = tailored(ctx) {
            tailoring.finish(&mut head.headers, asked);
        }
        ctx.trace = Some(trace);
        (head, body)
    }

    fn redirect(
        &self,
        ctx: &Ctx,
        mut head: ResponseHead,
        body: Body,
        route: &SiteRoute,
    ) -> (ResponseHead, Body) {
        self.node.metrics().redirects.with_label_values(&[self.node.name(), &route.site.name]).inc();
        request_id(&mut head, ctx.request_id);
        if let Some((tailoring, asked)) = tailored(ctx) {
            tailoring.for_client(&mut head.headers, asked);
        }
        (head, body)
    }

    fn refuse(&self, refusal: &Refusal) -> (ResponseHead, Body) {
        self.node.metrics().refused.with_label_values(&[self.node.name(), &refusal.status.to_string()]).inc();
        let (mut head, body) = response::plain(refusal.status, &refusal.message);
        proxy_status::of_refusal(&mut head.headers, self.node.name(), refusal.status);
        if let Some(content_type) = refusal.content_type {
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(value) =
            refusal.image_error.and_then(|code| HeaderValue::try_from(format!("err={code}")).ok())
        {
            head.headers.insert("cf-resized", value);
        }
        if refusal.status == 405 {
            head.headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        (head, body)
    }
}

/// Checks the head as it came, then as it was parsed.
fn admit(session: &Session) -> Result<Admitted, Refusal> {
    if let Some(connection) = session.as_downstream().as_http1() {
        admission::admit_raw(&connection.get_headers_raw_bytes())?;
    }
    admission::admit(session.req_header())
}

enum Work {
    Health,
    Redirect { head: Box<ResponseHead>, body: Body, route: Arc<SiteRoute> },
    Serve { request: Box<Request>, route: Arc<SiteRoute> },
    Image { image: Box<ImageRequest>, route: Arc<SiteRoute> },
}

/// No origin answered and nothing stored may be used: the site's fallback, the origin's own error, or ours.
fn last_resort(node: &str, route: &SiteRoute, unanswered: Unanswered) -> (ResponseHead, Body, Trace) {
    let Unanswered { failure, mut trace, only_if_cached } = unanswered;
    if only_if_cached {
        let (head, body) =
            response::plain(504, "not stored here, and the request asked for stored responses only");
        trace.reason = Some("only-if-cached");
        return (head, body, trace);
    }
    if let Some(fallback) = &route.site.on_failure {
        let (mut head, _) = response::plain(fallback.status, "");
        if let Ok(value) = HeaderValue::from_str(&fallback.content_type) {
            head.headers.insert(header::CONTENT_TYPE, value);
        }
        proxy_status::of_failure(&mut head.headers, node, &failure);
        trace.reason = Some("fallback");
        return (head, Body::Full(fallback.body.clone().into()), trace);
    }
    if let Some((head, page)) = &failure.error_page {
        let headers = fields::storable_response(&head.headers);
        return (ResponseHead { status: head.status, headers }, Body::Full(page.clone()), trace);
    }
    if let Some(retry_after_s) = failure.retry_after_s {
        let (mut head, body) = response::plain(503, "no answer at this moment; try again shortly");
        head.headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
        proxy_status::of_failure(&mut head.headers, node, &failure);
        return (head, body, trace);
    }
    let (status, message) = if failure.timed_out() {
        (504, "no origin answered in time")
    } else {
        (502, "no origin could be reached")
    };
    let (mut head, body) = response::plain(status, message);
    proxy_status::of_failure(&mut head.headers, node, &failure);
    (head, body, trace)
}

fn tailored(ctx: &Ctx) -> Option<(&Tailoring, &Asked)> {
    ctx.route.as_ref()?.tailoring.as_ref().zip(ctx.asked.as_ref())
}

/// Names the length of a body that is here, for an answer to HEAD too (RFC 9110 section 9.3.2).
fn with_length((mut head, body, trace): (ResponseHead, Body, Trace)) -> (ResponseHead, Body, Trace) {
    if let Some(length) = body.length().filter(|length| *length > 0) {
        head.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    (head, body, trace)
}

fn request_id(head: &mut ResponseHead, id: u128) {
    if let Ok(value) = HeaderValue::from_str(&format!("{id:032x}")) {
        head.headers.insert("x-request-id", value);
    }
}

/// Whether this client's wishes on the age of its answer count.
fn is_trusted(rule: &RequestRule, session: &Session) -> bool {
    match rule {
        RequestRule::Ignore => false,
        RequestRule::Obey => true,
        RequestRule::From(networks) => session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(|address| address.ip().to_canonical())
            .is_some_and(|client| networks.iter().any(|network| network.contains(&client))),
    }
}

fn is_looping(request: &RequestHeader) -> bool {
    let marks = request.headers.get_all("cdn-loop").iter().filter_map(|value| value.to_str().ok());
    let names = marks.flat_map(|value| value.split(',')).filter_map(|mark| mark.split(';').next());
    names.filter(|name| name.trim().eq_ignore_ascii_case(CDN_ID)).count() >= LOOP_MARKS_MAX
}

#[async_trait]
impl ProxyHttp for Edge {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::new(self.node.next_request_id())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        let result = self.answer(session, ctx).await;
        if let Err(error) = &result {
            ctx.error = Some(error.etype().as_str().to_owned());
        }
        result
    }

    async fn upstream_peer(&self, _session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        let origin = ctx.route.as_ref().and_then(|route| route.pass_to.as_ref());
        let Some(origin) = origin else { return Err(Error::new(ErrorType::HTTPStatus(502))) };
        let OriginTarget::Http { tls, host, port, .. } = &origin.target else {
            return Err(Error::new(ErrorType::HTTPStatus(502)));
        };
        if self.node.routes().origins().get(&origin.name).is_some_and(|switch| !switch.is_enabled()) {
            return Err(Error::new(ErrorType::HTTPStatus(502)));
        }
        let lookup =
            tokio::time::timeout(origin.connect_timeout, tokio::net::lookup_host((host.as_str(), *port)));
        let address = lookup.await.ok().and_then(Result::ok).and_then(|mut found| found.next());
        let Some(address) = address else { return Err(Error::new(ErrorType::HTTPStatus(502))) };
        let mut peer = HttpPeer::new(address, *tls, host.clone());
        peer.options.connection_timeout = Some(origin.connect_timeout);
        peer.options.total_connection_timeout = Some(origin.connect_timeout);
        peer.options.read_timeout = Some(origin.head_timeout);
        peer.options.write_timeout = Some(origin.read_timeout);
        Ok(Box::new(peer))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let Some(origin) = ctx.route.as_ref().and_then(|route| route.pass_to.as_ref()) else { return Ok(()) };
        if let OriginTarget::Http { path, .. } = &origin.target {
            // always in origin form, whatever form the client used
            upstream.set_raw_path(format!("{path}{}", ctx.target).as_bytes())?;
        }
        upstream.insert_header(header::HOST, origin.host.as_deref().unwrap_or(&ctx.host))?;
        if let Some((tailoring, asked)) = tailored(ctx) {
            tailoring.for_origin(upstream, asked);
        }
        upstream.append_header("CDN-Loop", CDN_ID)?;
        if let Some(client) = session.client_addr().and_then(|address| address.as_inet()) {
            upstream.append_header("X-Forwarded-For", client.ip().to_string())?;
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut Ctx,
    ) -> Result<()> {
        ctx.request_body_bytes += body.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if ctx.request_body_bytes > self.node.limits().request_body_bytes_max {
            return Err(Error::new_down(ErrorType::HTTPStatus(413)));
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        upstream: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if upstream.status.is_informational() {
            return Ok(());
        }
        if let Some(route) = &ctx.route {
            let asked = (&session.req_header().method, ctx.host.as_str(), ctx.target.as_str());
            invalidate::after(&self.node, route, asked, upstream.status, &upstream.headers).await;
        }
        dated::keep(session, &upstream.headers);
        let status = cache_status::passed(self.node.name(), &session.req_header().method);
        ctx.cache_status = status.to_str().ok().map(str::to_owned);
        upstream.append_header("Cache-Status", status)?;
        if let Some((tailoring, asked)) = tailored(ctx) {
            tailoring.for_client(upstream, asked);
        }
        Ok(())
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
        ctx.error = Some(error.etype().as_str().to_owned());
        if session.response_written().is_some() {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        }
        let (status, message) = match error.etype() {
            ErrorType::HTTPStatus(413) => (413, "the request body is larger than this node passes on"),
            ErrorType::HTTPStatus(status) => (*status, "the origin could not be reached"),
            ErrorType::ConnectTimedout | ErrorType::ReadTimedout => {
                (504, "the origin did not answer in time")
            }
            ErrorType::WriteError | ErrorType::ConnectionClosed
                if *error.esource() == pingora::ErrorSource::Downstream =>
            {
                return FailToProxy { error_code: 0, can_reuse_downstream: false };
            }
            _ if *error.esource() == pingora::ErrorSource::Downstream => (400, "the request is malformed"),
            _ => (502, "the origin could not be reached"),
        };
        let (mut head, body) = response::plain(status, message);
        proxy_status::of_passing(&mut head.headers, self.node.name(), error);
        // the client may be gone, and then there is nobody to tell
        drop(response::write(session, &head, body).await);
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &Ctx, _error: &Error) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Ctx) {
        self.record(session, ctx);
    }
}

impl Edge {
    fn record(&self, session: &Session, ctx: &Ctx) {
        if is_probe(ctx) {
            return;
        }
        let metrics = self.node.metrics();
        let node = self.node.name();
        let status = session.response_written().map_or(CLIENT_GONE, |head| head.status.as_u16());
        let bytes = session.body_bytes_sent() as u64;
        let site = ctx.route.as_ref().map(|route| route.site.name.as_str());
        if let (Some(site), Some(served)) = (site, ctx.served()) {
            let source = telemetry::source(served);
            let class = telemetry::status_class(status);
            metrics.requests.with_label_values(&[node, site, source, class]).inc();
            metrics.response_bytes.with_label_values(&[node, site, source]).inc_by(bytes);
            metrics.duration.with_label_values(&[node, source]).observe(ctx.began.elapsed().as_secs_f64());
        }
        let attempts = ctx.trace.as_ref().map(cache_status::attempts).unwrap_or_default();
        // the request that led the fetch has counted its tries
        let is_own = ctx.trace.as_ref().is_some_and(|trace| !trace.collapsed);
        for (origin, outcome) in attempts.iter().filter(|_| is_own) {
            metrics.attempts.with_label_values(&[node, origin, outcome]).inc();
        }
        let request = session.req_header();
        let text = |name: header::HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
        let client = session.client_addr().and_then(|address| address.as_inet());
        let client = client.map(|address| address.ip().to_string());
        let entry = Entry {
            ts_ms: self.node.now_ms(),
            request_id: ctx.request_id,
            node,
            client: client.as_deref(),
            method: request.method.as_str(),
            host: &ctx.host,
            target: &ctx.target,
            protocol: protocol(request),
            status,
            bytes,
            duration_us: u64::try_from(ctx.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            site,
            cache: ctx.cache_status.as_deref(),
            attempts: &attempts,
            error: ctx.error.as_deref(),
            agent: text(header::USER_AGENT),
            referrer: text(header::REFERER),
        };
        self.node.access_log().write(&entry, &mut Vec::new());
    }
}

/// Health checks come every second from everywhere and would drown the log.
fn is_probe(ctx: &Ctx) -> bool {
    ctx.error.is_none() && ctx.target == HEALTH_PATH
}

fn protocol(request: &RequestHeader) -> &'static str {
    match request.version {
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

//! The leader's work: it asks the waterfall, and stores what comes while others read it.
//!
//! It runs in a task of its own, so that a client who leaves does not end what others wait for.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::StreamExt as _;
use http::{HeaderValue, StatusCode, header};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};

use super::{
    Engine, Request,
    answer::hold_while_streaming,
    draft::{draft, inherit},
    early::Interim,
    fetch::busy,
    origin_request,
    part::whole_head,
};
use crate::{
    body::{Body, BodyError, BodyStream},
    budget::Growth,
    cache_control::{self, RequestDirectives},
    clock::Millis,
    encoding,
    flight::{About, Flight, Growing, Head, Origins},
    freshness::{self, Use},
    key::KeyHash,
    origin::{OriginRequest, OriginResponse},
    policy::Policy,
    purge::Coverage,
    slices, storability,
    stored::{Lifetime, Stored, StoredRef},
    validation,
    waterfall::{Failure, Fetched},
};

/// How long a fill goes on when its clients have left: enough for a response worth keeping, too short for a drip.
pub(super) const ABANDONED_MAX: Duration = Duration::from_secs(10);

/// What a leader needs to know about the slot that it fills.
pub(super) struct Errand {
    pub(super) request: Request,
    /// Names the flight.
    pub(super) hash: KeyHash,
    pub(super) stale: Option<StoredRef>,
    /// The part to ask for, widened to whole slices.
    pub(super) range: Option<HeaderValue>,
    /// Takes interim responses for the client that leads.
    pub(super) interim: Option<Interim>,
}

impl Errand {
    pub(super) fn new(request: &Request, hash: KeyHash, stale: Option<StoredRef>) -> Self {
        Self { request: request.clone(), hash, stale, range: None, interim: None }
    }
}

/// Ends a flight whatever happens to the task that leads it.
pub(super) struct Lead {
    pub(super) engine: Arc<Engine>,
    pub(super) flight: Arc<Flight>,
    pub(super) hash: KeyHash,
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.settle(Head::Failed(Arc::default()));
    }
}

impl Lead {
    pub(super) async fn run(self, mut errand: Errand) {
        let Ok(permit) = Arc::clone(&self.engine.permits).try_acquire_owned() else {
            self.engine.counters.refused.fetch_add(1, Ordering::Relaxed);
            self.settle(Head::Failed(Arc::new(busy())));
            return;
        };
        // found before a purge that this flight claims to have seen: a 304 must not revive it
        let is_dead = |stale: &StoredRef| self.engine.purges.coverage(stale) == Coverage::Dead;
        let mut stale = errand.stale.clone().filter(|stale| !is_dead(stale));
        loop {
            let asked = self.engine.clock.now();
            let request = &errand.request;
            let answered = self.ask(&errand, stale.as_deref()).await;
            let received = self.engine.clock.now();
            let fetched = match answered {
                Ok(fetched) => fetched,
                Err(failure) => match self.engine.last_good(request, errand.stale.as_ref(), failure).await {
                    Ok(fetched) => fetched,
                    Err(failure) => return self.fail(&errand, failure, (asked, received), permit).await,
                },
            };
            let head = &fetched.response.head;
            let is_part = errand.range.is_some() && head.status == StatusCode::PARTIAL_CONTENT;
            // a part is as fresh as the whole that it is of
            let whole = is_part.then(|| whole_head(head));
            let judged = whole.as_ref().unwrap_or(head);
            let lifetime = freshness::lifetime(&request.headers, judged, &request.policy, asked, received);
            let is_refused = errand.range.is_some() && head.status == StatusCode::RANGE_NOT_SATISFIABLE;
            let is_coded_part = is_part && Engine::undoing(request, head).is_some();
            if is_coded_part || (is_refused && request.policy.compress.is_some()) {
                // places in a coded body say nothing to a client that does not take the coding
                errand.range = None;
                continue;
            }
            if is_refused {
                // it speaks of the part, and would pose as the whole if it were stored
                return self.hand_over(fetched, "range");
            }
            if is_part {
                return self.take_part(&errand, fetched, lifetime, permit).await;
            }
            if head.status != StatusCode::NOT_MODIFIED {
                return self.take(&errand, fetched, lifetime, permit).await;
            }
            match stale.take() {
                Some(stale) if validation::confirms(&stale, head) => {
                    self.engine.failures.forget(errand.hash);
                    return self.confirm(&stale, &fetched, lifetime, &request.policy);
                }
                // it speaks of another response: ask once more, without conditions
                Some(_) => {}
                None => return self.settle(Head::Failed(Arc::default())),
            }
        }
    }

    /// Says how the flight ended. By then nobody can join it: a request that comes after somebody heard of the end must
    /// not be told of a fetch that was over before it came.
    pub(super) fn settle(&self, head: Head) {
        self.engine.flights.leave(self.hash, &self.flight);
        self.flight.announce(head);
    }

    /// As [`Self::settle`], with a response for the leading client alone.
    pub(super) fn hand_over(&self, fetched: Fetched, reason: &'static str) {
        self.engine.flights.leave(self.hash, &self.flight);
        self.flight.hand_over(fetched, reason);
    }

    /// Tells everyone who waits, and remembers it for those who come next.
    fn tell_failure(&self, hash: KeyHash, failure: Failure) {
        self.engine.failures.note(hash, &failure, Instant::now());
        self.settle(Head::Failed(Arc::new(failure)));
    }

    /// Asks the waterfall for the whole response, or whether `stale` still holds.
    async fn ask(&self, errand: &Errand, stale: Option<&Stored>) -> Result<Fetched, Failure> {
        let request = &errand.request;
        let mut headers = validation::without_conditions(&request.headers);
        if let Some(stale) = stale {
            headers.extend(validation::conditions(stale));
        }
        if let Some(range) = &errand.range {
            headers.insert(header::RANGE, range.clone());
        }
        let asked = OriginRequest { interim: errand.interim.clone(), ..origin_request(request, headers) };
        request.waterfall.fetch(&asked).await
    }

    /// No usable response. An error page that says how long it is fresh is stored like any other response (RFC 9111
    /// section 3), unless something better is at hand for a while yet.
    async fn fail(
        &self,
        errand: &Errand,
        failure: Failure,
        (asked, received): (Millis, Millis),
        permit: OwnedSemaphorePermit,
    ) {
        let request = &errand.request;
        if !request.policy.stores_errors || errand.stale.as_deref().is_some_and(|stale| self.stands_in(stale))
        {
            return self.tell_failure(errand.hash, failure);
        }
        let lifetime = failure.error_page.as_ref().and_then(|(head, _)| {
            let lifetime = freshness::lifetime(&request.headers, head, &request.policy, asked, received);
            let is_fresh = freshness::age_ms(&lifetime, received) < lifetime.fresh_ms;
            let is_storable = storability::judge(&request.headers, head, &request.policy).is_ok();
            (is_fresh && is_storable).then_some(lifetime)
        });
        match (lifetime, failure.error_page.clone()) {
            (Some(lifetime), Some((head, page))) => {
                let response = OriginResponse { head, body: Body::Full(page), provenance: None };
                let origin = failure.attempts.last().map_or_else(String::new, |last| last.origin.clone());
                let fetched = Fetched { origin, response, attempts: failure.attempts };
                self.take(errand, fetched, lifetime, permit).await;
            }
            _ => self.tell_failure(errand.hash, failure),
        }
    }

    /// Whether a stale response may be used because every origin failed.
    fn stands_in(&self, stale: &Stored) -> bool {
        let coverage = self.engine.purges.coverage(stale);
        let directives = RequestDirectives::default();
        let usage = freshness::judge(&stale.lifetime, coverage, &directives, self.engine.clock.now());
        !matches!(usage, Use::Validate { stale_if_error: false } | Use::Never)
    }

    /// A 304: the stored response lives on with new fields (RFC 9111 section 4.3.4).
    fn confirm(&self, stale: &Stored, fetched: &Fetched, lifetime: Lifetime, policy: &Policy) {
        let mut merged = validation::merge(stale, &fetched.response.head, lifetime, self.flight.position);
        if policy.compress.is_some() {
            encoding::mark(&mut merged.head);
        }
        if let Some(inherited) = &fetched.response.provenance {
            inherit(&mut merged.position, &mut merged.scopes, inherited);
        }
        let merged = Arc::new(merged);
        self.engine.counters.validated.fetch_add(1, Ordering::Relaxed);
        self.engine.store(Arc::clone(&merged), policy);
        self.settle(Head::Whole(merged, Arc::new(origins(fetched))));
    }

    /// A new response: store it while it grows, or hand it to the one client that asked.
    pub(super) async fn take(
        &self,
        errand: &Errand,
        mut fetched: Fetched,
        lifetime: Lifetime,
        permit: OwnedSemaphorePermit,
    ) {
        let engine = &self.engine;
        let request = &errand.request;
        let head = &fetched.response.head;
        let length = fetched.response.body.length();
        let sliced = length.filter(|length| *length > slices::SLICED_OVER && slices::is_sliceable(head));
        let is_too_large = sliced.is_none() && length.is_some_and(|n| n > engine.limits.object_bytes_max);
        let refused = match storability::judge(&request.headers, head, &request.policy) {
            Err(reason) => Some(reason.reason()),
            Ok(()) if is_too_large => Some("too-large"),
            Ok(()) if engine.is_full() => Some("busy"),
            Ok(()) => None,
        };
        if let Some(reason) = refused {
            engine.counters.passed.fetch_add(1, Ordering::Relaxed);
            // what one request forbids says nothing about the next
            if !cache_control::request(&request.headers).no_store {
                engine.mark_pass(errand.hash);
            }
            fetched.response.body = hold_while_streaming(fetched.response.body, permit);
            self.hand_over(fetched, reason);
            return;
        }
        engine.unmark_pass(errand.hash);
        match sliced.filter(|_| head.status == StatusCode::OK) {
            Some(length) => self.fill_slices(errand, fetched, lifetime, length, 0).await,
            None => self.fill(errand, fetched, lifetime).await,
        }
    }

    async fn fill(&self, errand: &Errand, fetched: Fetched, lifetime: Lifetime) {
        let engine = &self.engine;
        let origins = Arc::new(origins(&fetched));
        let mut draft = draft(&errand.request, &fetched, lifetime, self.flight.position);
        let length = fetched.response.body.length();
        let growing = Arc::new(growing(&draft, length, &origins));
        let result = match fetched.response.body {
            Body::Full(bytes) => {
                draft.body = bytes;
                let stored = Arc::new(draft);
                engine.store(Arc::clone(&stored), &errand.request.policy);
                growing.push(stored.body.clone());
                growing.end(Ok(()));
                self.flight.share(&growing);
                return;
            }
            Body::Stream { stream, .. } => {
                self.flight.share(&growing);
                let _ended = EndGuard(&growing);
                self.pump(errand.hash, stream, &growing, length).await
            }
        };
        match result {
            Ok(Some(body)) => {
                engine.failures.forget(errand.hash);
                draft.body = body;
                engine.store(Arc::new(draft), &errand.request.policy);
            }
            Ok(None) => {}
            Err(error) => engine.failures.note_cut(errand.hash, &origins.origin, &error, Instant::now()),
        }
    }

    /// Moves the body from the origin to the readers. Gives the whole body when it may be stored.
    pub(super) async fn pump(
        &self,
        hash: KeyHash,
        mut stream: BodyStream,
        growing: &Growing,
        announced: Option<u64>,
    ) -> Result<Option<bytes::Bytes>, BodyError> {
        let engine = &self.engine;
        let mut filling = Filling::new(engine);
        let mut keeps = true;
        let mut received = 0_u64;
        let mut abandoned: Option<Instant> = None;
        loop {
            let Ok(next) = timeout(ABANDONED_MAX, stream.next()).await else {
                if growing.is_read() {
                    continue;
                }
                return Ok(None);
            };
            let Some(chunk) = next else { break };
            if growing.is_read() {
                abandoned = None;
            } else if abandoned.get_or_insert_with(Instant::now).elapsed() > ABANDONED_MAX {
                return Ok(None);
            }
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    growing.end(Err(error.clone()));
                    return Err(error);
                }
            };
            received = received.saturating_add(chunk.len() as u64);
            growing.push(chunk.clone());
            if keeps {
                filling.add(chunk.len() as u64);
                if received > engine.limits.object_bytes_max || engine.is_full() {
                    keeps = false;
                    engine.mark_pass(hash);
                    engine.flights.leave(hash, &self.flight);
                }
            }
            if !keeps && !growing.drain_window().await {
                return Ok(None);
            }
        }
        if announced.is_some_and(|length| length != received) {
            let error = BodyError::Cut { received };
            growing.end(Err(error.clone()));
            return Err(error);
        }
        let whole = keeps.then(|| growing.whole());
        growing.end(Ok(()));
        Ok(whole)
    }
}

impl Engine {
    pub(super) fn is_full(&self) -> bool {
        self.counters.filling_bytes.load(Ordering::Relaxed) > self.limits.filling_bytes_max
    }
}

/// Ends a growing body with an error when its writer is dropped half-way; an end that was set before stands.
pub(super) struct EndGuard<'a>(pub(super) &'a Growing);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        self.0.end(Err(BodyError::Io("the fetch was abandoned".to_owned())));
    }
}

/// Counts the bytes of one growing body into the node's total for as long as it grows.
pub(super) struct Filling<'a> {
    engine: &'a Engine,
    growth: Growth,
}

impl<'a> Filling<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        Self { engine, growth: engine.hybrid.budget().grow() }
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.growth.add(bytes);
        self.engine.counters.filling_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.engine.hybrid.make_room();
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.engine.counters.filling_bytes.fetch_sub(self.growth.bytes(), Ordering::Relaxed);
    }
}

/// The body of a response that is about to arrive.
pub(super) fn growing(draft: &Stored, length: Option<u64>, origins: &Arc<Origins>) -> Growing {
    Growing::new(About {
        head: draft.head.clone(),
        length,
        variant: draft.key.variant.clone(),
        vary: draft.vary.clone(),
        lifetime: draft.lifetime,
        origins: Arc::clone(origins),
        scopes: draft.scopes.clone(),
        position: draft.position,
    })
}

pub(super) fn origins(fetched: &Fetched) -> Origins {
    Origins { origin: fetched.origin.clone(), attempts: fetched.attempts.clone() }
}

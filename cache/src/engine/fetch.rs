//! Misses and validations: lead or follow a flight, fall back to stale.
//!
//! The leader's work runs in a task of its own, so that a client who leaves does not end what others wait for.
//! Dropping the future of [`Engine::serve`] abandons only the waiting; an unshareable response is dropped with it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::StreamExt as _;
use http::{HeaderValue, Method, StatusCode, header};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};

use super::{
    Answer, Engine, Request, Served, Trace, Unanswered,
    answer::{provenance, respond, served},
    draft::{draft, inherit},
    early::{Early, Interim, Nobody, passing_on},
    lookup::{Found, Place},
    origin_request,
    part::{self, part_wanted},
    vary_variant,
};
use crate::{
    body::{Body, BodyError, BodyStream},
    budget::Growth,
    cache_control::{self, RequestDirectives},
    clock::Millis,
    encoding, fields,
    flight::{About, Flight, Growing, Head, Origins, Role},
    freshness::{self, Use},
    key::{Key, KeyHash},
    origin::{OriginRequest, OriginResponse},
    policy::Policy,
    purge::Coverage,
    range::{self, Selection},
    slices, storability,
    stored::{Lifetime, ResponseHead, Stored, StoredRef},
    validation::{self, Condition},
    vary,
    waterfall::{Failure, Fetched},
};

/// How often a follower may find itself on a flight of another variant before it fetches for itself.
const RESTARTS_MAX: usize = 3;

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
    interim: Option<Interim>,
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
        self.engine.flights.leave(self.hash, &self.flight);
        self.flight.announce(Head::Failed(Arc::default()));
    }
}

impl Engine {
    /// Answers one request.
    ///
    /// # Errors
    /// [`Unanswered`] when every origin failed and no stored response may be used.
    pub async fn serve(self: &Arc<Self>, request: Request) -> Result<Answer, Unanswered> {
        self.serve_with(request, &mut Nobody).await
    }

    /// Answers one request, and hands interim responses of its own fetch to `early`.
    ///
    /// # Errors
    /// As [`Self::serve`].
    pub async fn serve_with(
        self: &Arc<Self>,
        request: Request,
        early: &mut dyn Early,
    ) -> Result<Answer, Unanswered> {
        let mut trace = Trace::new();
        let directives = request.directives();
        let began = Instant::now();
        let mut place = self.lookup(&request, &directives, &mut trace).await;
        trace.lookup_us = micros_since(began);
        if let Some((stored, served_as)) = self.usable(&request, &place, &mut trace) {
            match self.answer_stored(&request, &stored, served(trace, served_as)).await {
                Ok(answer) => return Ok(answer),
                Err(without_slices) => {
                    trace = without_slices;
                    place.found = None;
                }
            }
        }
        if directives.only_if_cached {
            return Err(Unanswered { failure: Arc::default(), trace, only_if_cached: true });
        }
        self.fetch(&request, place, trace, early).await
    }

    /// What may be served before anybody is asked; with what has to be done behind it.
    fn usable(
        self: &Arc<Self>,
        request: &Request,
        place: &Place,
        trace: &mut Trace,
    ) -> Option<(StoredRef, Served)> {
        let Found { stored, tier, usage } = place.found.as_ref()?;
        let served_as = match usage {
            Use::Fresh => {
                self.offer_from(tier, request, place.hash, stored);
                Served::Hit(tier)
            }
            Use::StaleWhileRevalidate => {
                self.refresh(request, place, stored);
                trace.reason = Some("stale-while-revalidate");
                Served::Stale(tier)
            }
            Use::MaxStale => {
                trace.reason = Some("max-stale");
                Served::Stale(tier)
            }
            Use::Validate { .. } | Use::Never => return None,
        };
        Some((Arc::clone(stored), served_as))
    }

    /// Validates behind a stale answer, unless somebody does already.
    fn refresh(self: &Arc<Self>, request: &Request, place: &Place, stale: &StoredRef) {
        if self.failures.recall(place.hash, Instant::now()).is_some() {
            return;
        }
        if let Role::Leader(flight) = self.join(&place.key, place.hash) {
            self.lead(flight, Errand::new(request, place.hash, Some(Arc::clone(stale))));
        }
    }

    pub(super) fn join(&self, key: &Key, hash: KeyHash) -> Role {
        let position = self.purges.position();
        self.flights.join(hash, position, |began| {
            self.purges.covers_key_since(&key.site, &key.host, &key.target, began)
        })
    }

    pub(super) fn lead(self: &Arc<Self>, flight: Arc<Flight>, errand: Errand) {
        let lead = Lead { engine: Arc::clone(self), flight, hash: errand.hash };
        tokio::spawn(async move { lead.run(errand).await });
    }

    async fn fetch(
        self: &Arc<Self>,
        request: &Request,
        mut place: Place,
        mut trace: Trace,
        early: &mut dyn Early,
    ) -> Result<Answer, Unanswered> {
        let began = Instant::now();
        let stale = place.found.take();
        // `no-cache`: each request is confirmed by itself, and waits for no other
        let is_alone = stale.as_ref().is_some_and(|found| found.stored.lifetime.always_validate);
        for _ in 0..RESTARTS_MAX {
            let range = stale.is_none().then(|| part_wanted(request)).flatten();
            let hash = range.as_ref().map_or(place.hash, |range| {
                place.key.with_variant(slices::fetch_variant(&place.key.variant, range)).hash()
            });
            if let Some(failure) = self.failures.recall(hash, Instant::now()) {
                (trace.collapsed, trace.reason) = (true, Some("recent-failure"));
                return self.fall_back(request, stale, failure, trace).await;
            }
            if self.is_marked_pass(place.hash) || self.is_marked_pass(hash) {
                break;
            }
            let role = if is_alone {
                Role::Leader(Flight::alone(self.purges.position()))
            } else {
                self.join(&place.key, hash)
            };
            let (flight, seat, head) = match role {
                Role::Leader(flight) => {
                    let seat = flight.seat();
                    let copy = stale.as_ref().map(|found| Arc::clone(&found.stored));
                    let (interim, waiting) = Interim::channel();
                    let errand = Errand { interim: Some(interim), range, ..Errand::new(request, hash, copy) };
                    self.lead(Arc::clone(&flight), errand);
                    let head = passing_on(flight.head(), waiting, early).await;
                    (flight, Some(seat), head)
                }
                Role::Follower(flight) => {
                    self.counters.collapsed.fetch_add(1, Ordering::Relaxed);
                    let head = flight.head().await;
                    (flight, None, head)
                }
            };
            trace.fetch_us = micros_since(began);
            trace.collapsed = seat.is_none();
            match head {
                Head::Growing(growing) => {
                    if let Some(key) = other_variant(request, &growing.about.vary, &growing.about.variant) {
                        place = Place { hash: key.hash(), key, found: None };
                        continue;
                    }
                    let now = self.clock.now();
                    if seat.is_none() && !is_sharable(&growing.about.lifetime, now) {
                        break;
                    }
                    let kept = seat.and_then(|seat| seat.take());
                    if let Some(answer) = answer_growing(request, &growing, kept, now, &trace) {
                        return Ok(self.undone(request, answer).await);
                    }
                }
                Head::Whole(stored, _) if seat.is_none() && stored.lifetime.always_validate => break,
                Head::Whole(stored, origins) => {
                    trace.attempts = Arc::new(origins.attempts.clone());
                    trace.stored = true;
                    let trace = served(trace, Served::Validated);
                    let answered = self.answer_stored(request, &stored, trace).await;
                    return answered.map_err(|trace| unanswered(Arc::default(), trace));
                }
                Head::Sliced(index, origins) => {
                    if let Some(key) = other_variant(request, &index.vary, &index.key.variant) {
                        place = Place { hash: key.hash(), key, found: None };
                        continue;
                    }
                    trace.attempts = Arc::new(origins.attempts.clone());
                    trace.stored = true;
                    let answered = self.answer_stored(request, &index, served(trace, Served::Fetched)).await;
                    return answered.map_err(|trace| unanswered(Arc::default(), trace));
                }
                Head::Private(reason) => {
                    // made for the leading request alone: a follower must never see it
                    let Some(fetched) = seat.and_then(|_| flight.take_private()) else { break };
                    return Ok(pass(request, fetched, trace, reason));
                }
                Head::Failed(failure) => {
                    // an error page was made for the leading request alone
                    let failure = if seat.is_some() { failure } else { Arc::new(failure.without_page()) };
                    return self.fall_back(request, stale, failure, trace).await;
                }
                Head::Pending => break,
            }
        }
        self.fetch_alone(request, stale, trace, began, early).await
    }

    /// The same answer without the origin's coding, for a client that does not take it. Waits for the whole body; one that
    /// breaks off meanwhile stays an error.
    async fn undone(&self, request: &Request, answer: Answer) -> Answer {
        let Answer { head, body, trace, source } = answer;
        let coding =
            encoding::undoing(request.accepted, &head.headers).filter(|_| request.policy.compress.is_some());
        let Some(coding) = coding.filter(|_| matches!(body, Body::Stream { .. })) else {
            return Answer { head, body, trace, source };
        };
        let whole = body.collect(self.limits.object_bytes_max).await;
        let (head, body) = match whole {
            Ok(coded) => match self.undo(coded.clone(), coding).await {
                Some(plain) => respond(request, &encoding::plain_head(&head), &plain),
                None => respond(request, &head, &coded),
            },
            Err(error) => (head, Body::failed(error)),
        };
        Answer { head, body, trace, source }
    }

    /// Fetches for this client only: the key is known to be unshareable, or sharing did not work out.
    async fn fetch_alone(
        self: &Arc<Self>,
        request: &Request,
        stale: Option<Found>,
        mut trace: Trace,
        began: Instant,
        early: &mut dyn Early,
    ) -> Result<Answer, Unanswered> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            return self.fall_back(request, stale, Arc::new(busy()), trace).await;
        };
        let mut headers = validation::without_conditions(&request.headers);
        for name in [header::RANGE, header::IF_RANGE] {
            // what is not stored is not cut here: the origin answers the part itself
            for value in request.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let (interim, waiting) = Interim::channel();
        let asked = OriginRequest { interim: Some(interim), ..origin_request(request, headers) };
        let result = match passing_on(request.waterfall.fetch(&asked), waiting, early).await {
            Err(failure) => self.last_good(request, stale.as_ref().map(|found| &found.stored), failure).await,
            fetched => fetched,
        };
        trace.fetch_us = micros_since(began);
        match result {
            Ok(mut fetched) => {
                if storability::judge(&request.headers, &fetched.response.head, &request.policy).is_ok() {
                    self.unmark_pass(request.key.hash());
                }
                fetched.response.body = hold_while_streaming(fetched.response.body, permit);
                Ok(pass(request, fetched, trace, "not-shared"))
            }
            Err(failure) => {
                self.failures.note(request.key.hash(), &failure, Instant::now());
                self.fall_back(request, stale, Arc::new(failure), trace).await
            }
        }
    }

    /// Every origin failed: the stale copy if its rules allow it (RFC 5861 section 4), else nothing.
    async fn fall_back(
        self: &Arc<Self>,
        request: &Request,
        stale: Option<Found>,
        failure: Arc<Failure>,
        mut trace: Trace,
    ) -> Result<Answer, Unanswered> {
        trace.attempts = Arc::new(failure.attempts.clone());
        match stale {
            Some(Found { stored, tier, .. }) if self.may_be_stale(request, &stored) => {
                trace.reason = Some("stale-if-error");
                let trace = served(trace, Served::Stale(tier));
                let answered = self.answer_stored(request, &stored, trace).await;
                answered.map_err(|trace| unanswered(failure, trace))
            }
            _ => Err(unanswered(failure, trace)),
        }
    }
}

impl Lead {
    async fn run(self, errand: Errand) {
        let Ok(permit) = Arc::clone(&self.engine.permits).try_acquire_owned() else {
            self.engine.counters.refused.fetch_add(1, Ordering::Relaxed);
            self.flight.announce(Head::Failed(Arc::new(busy())));
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
            let lifetime = freshness::lifetime(&request.headers, head, &request.policy, asked, received);
            if errand.range.is_some() && head.status == StatusCode::RANGE_NOT_SATISFIABLE {
                // it speaks of the part, and would pose as the whole if it were stored
                return self.flight.hand_over(fetched, "range");
            }
            if head.status == StatusCode::PARTIAL_CONTENT && errand.range.is_some() {
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
                None => return self.flight.announce(Head::Failed(Arc::default())),
            }
        }
    }

    /// Tells everyone who waits, and remembers it for those who come next.
    fn tell_failure(&self, hash: KeyHash, failure: Failure) {
        self.engine.failures.note(hash, &failure, Instant::now());
        self.flight.announce(Head::Failed(Arc::new(failure)));
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
        self.flight.announce(Head::Whole(merged, Arc::new(origins(fetched))));
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
            self.flight.hand_over(fetched, reason);
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
        let growing = Arc::new(Growing::new(About {
            head: draft.head.clone(),
            length,
            variant: draft.key.variant.clone(),
            vary: draft.vary.clone(),
            lifetime,
            origins: Arc::clone(&origins),
            scopes: draft.scopes.clone(),
            position: draft.position,
        }));
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
    async fn pump(
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
struct EndGuard<'a>(&'a Growing);

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

fn unanswered(failure: Arc<Failure>, trace: Trace) -> Unanswered {
    Unanswered { failure, trace, only_if_cached: false }
}

/// Whether a response that is arriving may be used for those who did not ask for it themselves.
const fn is_sharable(lifetime: &Lifetime, now: Millis) -> bool {
    !lifetime.always_validate && freshness::age_ms(lifetime, now) < lifetime.fresh_ms
}

fn busy() -> Failure {
    Failure { retry_after_s: Some(1), ..Failure::default() }
}

pub(super) fn origins(fetched: &Fetched) -> Origins {
    Origins { origin: fetched.origin.clone(), attempts: fetched.attempts.clone() }
}

/// The key under which this request must look instead, when the growing response is another variant.
fn other_variant(request: &Request, vary: &[String], variant: &str) -> Option<Key> {
    if vary.is_empty() {
        return None;
    }
    let selected = vary::variant(vary, &request.headers);
    let wanted = vary_variant(&request.key.variant, &selected);
    (wanted != variant).then(|| request.key.with_variant(wanted))
}

fn answer_growing(
    request: &Request,
    growing: &Arc<Growing>,
    kept: Option<BodyStream>,
    now: Millis,
    trace: &Trace,
) -> Option<Answer> {
    let age_ms = freshness::age_ms(&growing.about.lifetime, now);
    let mut trace = served(trace.clone(), Served::Fetched);
    trace.stored = true;
    trace.attempts = Arc::new(growing.about.origins.attempts.clone());
    let fresh_ms = growing.about.lifetime.fresh_ms;
    trace.ttl_ms =
        i64::try_from(fresh_ms).unwrap_or(i64::MAX).saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX));
    let source = Some(provenance(&request.key, growing.about.position, &growing.about.scopes));
    let age = HeaderValue::from(age_ms / 1000);
    if validation::client_condition(&request.headers, &growing.about.head, &request.method)
        == Condition::NotModified
    {
        let mut head = validation::not_modified_head(&growing.about.head);
        head.headers.insert(header::AGE, age);
        return Some(Answer { head, body: Body::empty(), trace, source });
    }
    if let Some(length) = growing.about.length.filter(|_| request.method == Method::GET) {
        match range::select(&request.headers, &growing.about.head, length) {
            Selection::One(span) => {
                let mut head = range::one_head(&growing.about.head, span, length)?;
                head.headers.insert(header::AGE, age);
                let body = part::cut(kept.or_else(|| growing.reader())?, 0, span);
                return Some(Answer { head, body, trace, source });
            }
            Selection::Unsatisfiable => {
                let mut head = range::unsatisfiable(&growing.about.head, length);
                head.headers.insert(header::AGE, age);
                return Some(Answer { head, body: Body::empty(), trace, source });
            }
            Selection::Whole | Selection::Many(_) => {}
        }
    }
    let mut head = growing.about.head.clone();
    head.headers.insert(header::AGE, age);
    if let Some(length) = growing.about.length {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if request.method == Method::HEAD {
        return Some(Answer { head, body: Body::empty(), trace, source });
    }
    let body = Body::Stream { length: growing.about.length, stream: kept.or_else(|| growing.reader())? };
    Some(Answer { head, body, trace, source })
}

/// An unshareable response for the client that asked.
fn pass(request: &Request, fetched: Fetched, mut trace: Trace, reason: &'static str) -> Answer {
    trace.attempts = Arc::new(fetched.attempts);
    trace.reason = Some(reason);
    let source = fetched.response.provenance;
    let mut head = ResponseHead {
        status: fetched.response.head.status,
        headers: fields::storable_response(&fetched.response.head.headers),
    };
    if let Some(length) = fetched.response.body.length() {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let body = if request.method == Method::HEAD { Body::empty() } else { fetched.response.body.exact() };
    Answer { head, body, trace: served(trace, Served::Passed), source }
}

/// Keeps a fetch permit until the body has ended or was dropped.
pub(super) fn hold_while_streaming(body: Body, permit: OwnedSemaphorePermit) -> Body {
    match body {
        Body::Full(bytes) => Body::Full(bytes),
        Body::Stream { length, stream } => {
            let held = stream.map(move |chunk| {
                let _permit = &permit;
                chunk
            });
            Body::Stream { length, stream: Box::pin(held) }
        }
    }
}

pub(super) fn micros_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

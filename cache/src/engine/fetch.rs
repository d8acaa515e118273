//! Misses and validations: lead or follow a flight, fall back to stale.
//!
//! The leader's work runs in a task of its own, so that a client who leaves does not end what others wait for.
//! Dropping the future of [`Engine::serve`] abandons only the waiting; an unshareable response is dropped with it.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderValue, header};
use tokio::time::Instant;

use super::{
    Answer, Engine, Request, Served, Trace, Unanswered,
    answer::{answer_growing, hold_while_streaming, pass, served},
    early::{Early, Interim, Nobody, passing_on},
    lead::{Errand, Lead},
    lookup::{Found, Place},
    origin_request,
    part::part_wanted,
    vary_variant,
};
use crate::{
    clock::Millis,
    flight::{Flight, Head, Origins, Role, Seat},
    freshness::{self, Use},
    key::{Key, KeyHash},
    origin::OriginRequest,
    slices, storability,
    stored::{Lifetime, StoredRef},
    validation, vary,
    waterfall::Failure,
};

/// How often a follower may find itself on a flight of another variant before it fetches for itself.
const RESTARTS_MAX: usize = 3;

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
        let is_nowhere = place.found.is_none();
        if let Some((stored, served_as)) = self.usable(&request, &place, &mut trace) {
            match self.answer_stored(&request, &stored, served(trace, served_as)).await {
                Ok(answer) => return Ok(answer),
                Err(without_slices) => {
                    trace = without_slices;
                    place.found = None;
                }
            }
        }
        if is_nowhere && let Some(answer) = self.part_hit(&request, &place, &directives, &mut trace).await {
            return Ok(answer);
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

    /// Validates behind a stale answer, unless somebody does already, or has done since the answer was found.
    fn refresh(self: &Arc<Self>, request: &Request, place: &Place, stale: &StoredRef) {
        if self.failures.recall(place.hash, Instant::now()).is_some() {
            return;
        }
        let key = &place.key;
        let is_replaced = || {
            let resident = self.hybrid.resident(key.borrowed(), place.hash);
            resident.is_some_and(|resident| {
                let present = resident.stored();
                !Arc::ptr_eq(present, stale) && present.lifetime.received >= stale.lifetime.received
            })
        };
        let outdated = |began| self.purges.covers_key_since(&key.site, &key.host, &key.target, began);
        let role = self.flights.join_unless(place.hash, self.purges.position(), outdated, is_replaced);
        if let Some(Role::Leader(flight)) = role {
            self.lead(flight, Errand::new(request, place.hash, Some(Arc::clone(stale))));
        }
    }

    /// Fetches what is stored under this request's key anew, behind the answers, and stores it in its place, unless somebody
    /// fetches it already. Dropping nothing ends it: it runs in a task of its own.
    pub fn renew(self: &Arc<Self>, request: &Request) {
        let hash = request.key.hash();
        if let Role::Leader(flight) = self.join(&request.key, hash) {
            self.lead(flight, Errand::new(request, hash, None));
        }
    }

    pub(super) fn join(&self, key: &Key, hash: KeyHash) -> Role {
        let position = self.purges.position();
        self.flights.join(hash, position, |began| {
            self.purges.covers_key_since(&key.site, &key.host, &key.target, began)
        })
    }

    /// `no-cache`: each request is confirmed by itself, and waits for no other.
    fn alone(&self) -> Role {
        Role::Leader(Flight::alone(self.purges.position()))
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
        let is_alone = stale.as_ref().is_some_and(|found| found.stored.lifetime.always_validate);
        for _ in 0..RESTARTS_MAX {
            let is_cold = stale.is_none() && !self.flights.is_running(place.hash);
            let range = is_cold.then(|| part_wanted(request)).flatten();
            let hash = flight_hash(&place, range.as_ref());
            if let Some(failure) = self.failures.recall(hash, Instant::now()) {
                (trace.collapsed, trace.reason) = (true, Some("recent-failure"));
                return self.fall_back(request, stale, failure, trace).await;
            }
            if self.is_marked_pass(place.hash) || self.is_marked_pass(hash) {
                break;
            }
            let role = if is_alone { self.alone() } else { self.join(&place.key, hash) };
            let copy = stale.as_ref().map(|found| Arc::clone(&found.stored));
            let errand = Errand { range, ..Errand::new(request, hash, copy) };
            let (flight, seat, head) = self.board(role, errand, early).await;
            (trace.fetch_us, trace.collapsed) = (micros_since(began), seat.is_none());
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
                    let asked = self.asked_of_growing(request, &growing.about.head);
                    if let Some(answer) = answer_growing(&asked, &growing, kept, now, &trace) {
                        return Ok(self.undone(request, answer).await);
                    }
                }
                Head::Whole(stored, _) if seat.is_none() && stored.lifetime.always_validate => break,
                Head::Whole(stored, origins) => {
                    let came = (stored, origins, Served::Validated);
                    return self.answer_flown(request, stale, came, trace, began, early).await;
                }
                Head::Sliced(index, origins) => {
                    if let Some(key) = other_variant(request, &index.vary, &index.key.variant) {
                        place = Place { hash: key.hash(), key, found: None };
                        continue;
                    }
                    let came = (index, origins, Served::Fetched);
                    return self.answer_flown(request, stale, came, trace, began, early).await;
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

    /// Leads or follows a flight until its head is there. The seat is the leader's.
    async fn board(
        self: &Arc<Self>,
        role: Role,
        errand: Errand,
        early: &mut dyn Early,
    ) -> (Arc<Flight>, Option<Seat>, Head) {
        match role {
            Role::Leader(flight) => {
                let seat = flight.seat();
                let (interim, waiting) = Interim::channel();
                self.lead(Arc::clone(&flight), Errand { interim: Some(interim), ..errand });
                let head = passing_on(flight.head(), waiting, early).await;
                (flight, Some(seat), head)
            }
            Role::Follower(flight) => {
                self.counters.collapsed.fetch_add(1, Ordering::Relaxed);
                let head = flight.head().await;
                (flight, None, head)
            }
        }
    }

    /// Answers with what a flight has brought; where its slices can't be put together, since the origins do not agree on a
    /// version, with what an origin says to this client.
    async fn answer_flown(
        self: &Arc<Self>,
        request: &Request,
        stale: Option<Found>,
        (stored, origins, served_as): (StoredRef, Arc<Origins>, Served),
        mut trace: Trace,
        began: Instant,
        early: &mut dyn Early,
    ) -> Result<Answer, Unanswered> {
        trace.attempts = Arc::new(origins.attempts.clone());
        trace.stored = true;
        match self.answer_stored(request, &stored, served(trace, served_as)).await {
            Ok(answer) => Ok(answer),
            Err(mut trace) => {
                trace.stored = false;
                self.fetch_alone(request, stale, trace, began, early).await
            }
        }
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

fn unanswered(failure: Arc<Failure>, trace: Trace) -> Unanswered {
    Unanswered { failure, trace, only_if_cached: false }
}

/// Whether a response that is arriving may be used for those who did not ask for it themselves.
pub(super) const fn is_sharable(lifetime: &Lifetime, now: Millis) -> bool {
    !lifetime.always_validate && freshness::age_ms(lifetime, now) < lifetime.fresh_ms
}

pub(super) fn busy() -> Failure {
    Failure { retry_after_s: Some(1), ..Failure::default() }
}

/// What names a flight: where the response would live, and the part that is asked for.
fn flight_hash(place: &Place, range: Option<&HeaderValue>) -> KeyHash {
    range.map_or(place.hash, |range| {
        place.key.with_variant(slices::fetch_variant(&place.key.variant, range)).hash()
    })
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

pub(super) fn micros_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

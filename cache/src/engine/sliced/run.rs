//! Runs: one response of an origin that brings several slices in a row.
//!
//! A run stays at most [`AHEAD_MAX`] slices before its readers and ends when they have left. Every slice that it has
//! finished is stored, whatever becomes of the rest.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::timeout,
};

use super::{Sliced, out_of_place};
use crate::{
    body::{Body, BodyError, BodyStream},
    engine::{
        Engine,
        lead::{ABANDONED_MAX, Filling},
        origin_request,
    },
    flight::Growing,
    key::KeyHash,
    range::Span,
    slices::{self, SLICE_BYTES},
    stored::{Kind, Position, ResponseHead, Stored, StoredRef},
    validation,
};

/// Slices that a run may be ahead of its foremost reader.
const AHEAD_MAX: u64 = 4;
/// Slices of one run; the next one begins with another look into the tiers.
const RUN_SLICES_MAX: u64 = 64;

/// Slices that are on their way. At most two entries per run, and runs are bounded by the engine's permits.
#[derive(Default)]
pub(in crate::engine) struct SliceFlights {
    running: Mutex<HashMap<KeyHash, Arc<SliceFlight>>>,
}

struct SliceFlight {
    growing: Arc<Growing>,
    /// The foremost slice that a reader of this run has asked for.
    asked: Arc<watch::Sender<u64>>,
}

impl SliceFlights {
    /// A reader of a slice that is on its way; the run learns that somebody has come this far.
    pub(super) fn follow(&self, hash: KeyHash, slice: u64) -> Option<BodyStream> {
        let flight = self.running.lock().get(&hash).map(Arc::clone)?;
        let reader = flight.growing.reader()?;
        flight.asked.send_if_modified(|asked| {
            let is_further = *asked < slice;
            *asked = slice.max(*asked);
            is_further
        });
        Some(reader)
    }
}

/// A slice that this run has promised. Dropping it breaks the promise, which its readers see as an error.
struct Promise {
    engine: Arc<Engine>,
    hash: KeyHash,
    flight: Arc<SliceFlight>,
}

impl Promise {
    /// `None`: somebody else brings it.
    fn make(engine: &Arc<Engine>, hash: KeyHash, asked: &Arc<watch::Sender<u64>>) -> Option<Self> {
        let mut running = engine.slices.running.lock();
        if running.contains_key(&hash) {
            return None;
        }
        let flight = Arc::new(SliceFlight { growing: Arc::new(Growing::bare()), asked: Arc::clone(asked) });
        running.insert(hash, Arc::clone(&flight));
        drop(running);
        Some(Self { engine: Arc::clone(engine), hash, flight })
    }

    /// Nobody follows from here on; who follows already learns the end from the body.
    fn withdraw(&self) {
        let mut running = self.engine.slices.running.lock();
        if running.get(&self.hash).is_some_and(|present| Arc::ptr_eq(present, &self.flight)) {
            running.remove(&self.hash);
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.withdraw();
        self.flight.growing.end(Err(BodyError::Io("the fetch was abandoned".to_owned())));
    }
}

/// A response that brings slices.
pub(in crate::engine) struct Run {
    sliced: Arc<Sliced>,
    position: Position,
    asked: Arc<watch::Sender<u64>>,
    /// Promised slices with their numbers, the present one first.
    promises: Vec<(u64, Option<Promise>)>,
}

impl Sliced {
    /// Asks an origin for a slice and those behind it, up to the first that is there.
    pub(super) fn start_run(self: &Arc<Self>, slice: u64, last: u64) -> Result<(), BodyError> {
        let Some(mut run) = Run::promise(self, slice) else { return Ok(()) };
        let engine = &self.engine;
        if engine.is_full() {
            return Err(BodyError::Io("this node is busy".to_owned()));
        }
        let permit = Arc::clone(&engine.permits).try_acquire_owned();
        let permit = permit.map_err(|_| BodyError::Io("this node is busy".to_owned()))?;
        let farthest = last.min(slice.saturating_add(RUN_SLICES_MAX - 1));
        let is_missing = |slice: &u64| {
            self.key(*slice).is_some_and(|key| engine.hybrid.memory(&key, key.hash()).is_none())
        };
        let behind = (slice + 1..=farthest).take_while(is_missing).last().unwrap_or(slice);
        let sliced = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = run.fetch(&sliced, slice, behind, &permit).await {
                tracing::debug!(%error, "slices did not come");
                run.fail(&error);
            }
        });
        Ok(())
    }
}

impl Run {
    /// Promises a slice. `None` when somebody else brings it.
    pub(in crate::engine) fn promise(sliced: &Arc<Sliced>, slice: u64) -> Option<Self> {
        let asked = Arc::new(watch::Sender::new(slice));
        let promise = Promise::make(&sliced.engine, sliced.key(slice)?.hash(), &asked)?;
        Some(Self {
            position: sliced.engine.purges.position(),
            sliced: Arc::clone(sliced),
            asked,
            promises: vec![(slice, Some(promise))],
        })
    }

    /// The log position when the fetch began, where that was before the promise.
    pub(in crate::engine) const fn since(mut self, position: Position) -> Self {
        self.position = position;
        self
    }

    fn fail(&mut self, error: &BodyError) {
        for (_, promise) in self.promises.drain(..) {
            if let Some(promise) = promise {
                promise.withdraw();
                promise.flight.growing.end(Err(error.clone()));
            }
        }
    }

    async fn fetch(
        &mut self,
        sliced: &Arc<Sliced>,
        first: u64,
        last: u64,
        permit: &OwnedSemaphorePermit,
    ) -> Result<(), BodyError> {
        let _permit = permit;
        let Sliced { request, index, length, .. } = sliced.as_ref();
        let etag = slices::strong_etag(&index.head.headers).ok_or_else(out_of_place)?;
        let (from, to) = (slices::span_of(first, *length), slices::span_of(last, *length));
        let (from, to) = from.zip(to).ok_or_else(out_of_place)?;
        let mut headers = validation::without_conditions(&request.headers);
        let range = HeaderValue::try_from(format!("bytes={}-{}", from.first, to.last));
        headers.insert(header::RANGE, range.map_err(|_| out_of_place())?);
        headers.insert(header::IF_RANGE, etag.clone());
        let fetched = request.waterfall.fetch(&origin_request(request, headers)).await;
        let fetched = fetched.map_err(|_| BodyError::Io("no origin answered".to_owned()))?;
        let (head, body) = (&fetched.response.head, fetched.response.body);
        let Some(begins) = place_of(head, etag, body.length(), *length).filter(|at| *at <= from.first) else {
            sliced.engine.outdate(index);
            return Err(BodyError::Io("the origin has another version".to_owned()));
        };
        self.pump(body, begins).await
    }

    /// The same as [`Self::pump`]; what breaks off is told to the readers.
    pub(in crate::engine) async fn pump_whole(mut self, body: Body, at: u64) {
        if let Err(error) = self.pump(body, at).await {
            self.fail(&error);
        }
    }

    /// Cuts a body that begins at byte `at`, which is a slice's first, into slices and stores them.
    ///
    /// # Errors
    /// When the body breaks off, or goes on after the end.
    async fn pump(&mut self, body: Body, at: u64) -> Result<(), BodyError> {
        let mut stream = body.into_stream();
        let mut slice = slices::slice_at(at);
        let mut rest = Bytes::new();
        while let Some(span) = slices::span_of(slice, self.sliced.length) {
            if !self.is_wanted(slice).await {
                return Ok(());
            }
            let growing = self.reach(slice);
            let mut missing = span.last - span.first + 1;
            let engine = Arc::clone(&self.sliced.engine);
            let mut filling = Filling::new(&engine);
            while missing > 0 {
                if rest.is_empty() {
                    let Some(chunk) = stream.next().await else {
                        let is_between = missing == span.last - span.first + 1;
                        // a response may end where a slice does: more was not asked for
                        return if is_between {
                            Ok(())
                        } else {
                            Err(BodyError::Cut { received: span.last - missing })
                        };
                    };
                    rest = chunk?;
                    continue;
                }
                let take = usize::try_from(missing).unwrap_or(usize::MAX).min(rest.len());
                let piece = rest.split_to(take);
                missing -= piece.len() as u64;
                filling.add(piece.len() as u64);
                growing.push(piece);
            }
            self.finish(slice, &growing);
            slice += 1;
        }
        Ok(())
    }

    /// Waits until a reader is near. `false` when none has been for a while.
    async fn is_wanted(&self, slice: u64) -> bool {
        let mut asked = self.asked.subscribe();
        let near = asked.wait_for(|asked| slice <= asked.saturating_add(AHEAD_MAX));
        timeout(ABANDONED_MAX, near).await.is_ok_and(|near| near.is_ok())
    }

    /// The growing body of a slice; the one behind it is promised too, so that a reader who keeps pace finds it here.
    fn reach(&mut self, slice: u64) -> Arc<Growing> {
        self.promises.retain(|(number, _)| *number >= slice);
        for number in [slice, slice + 1] {
            if self.promises.iter().any(|(promised, _)| *promised == number) {
                continue;
            }
            let key =
                self.sliced.key(number).filter(|_| slices::span_of(number, self.sliced.length).is_some());
            let promise = key.and_then(|key| Promise::make(&self.sliced.engine, key.hash(), &self.asked));
            self.promises.push((number, promise));
        }
        let promised = self.promises.iter().find(|(number, _)| *number == slice);
        let growing = promised.and_then(|(_, promise)| Some(Arc::clone(&promise.as_ref()?.flight.growing)));
        growing.unwrap_or_else(|| Arc::new(Growing::bare()))
    }

    /// Stores a whole slice, then keeps the promise.
    fn finish(&mut self, slice: u64, growing: &Growing) {
        let index = &self.sliced.index;
        if let Some(key) = self.sliced.key(slice) {
            let stored = Stored {
                key,
                head: ResponseHead { status: StatusCode::OK, headers: http::HeaderMap::new() },
                body: growing.whole(),
                lifetime: index.lifetime,
                position: self.position,
                scopes: index.scopes.clone(),
                vary: Vec::new(),
                codings: Vec::new(),
                kind: Kind::Slice,
            };
            self.sliced.engine.place(Arc::new(stored));
        }
        growing.end(Ok(()));
        self.promises.retain(|(number, _)| *number != slice);
    }
}

/// Where the body of a response begins in the whole; `None` when it is not of the version that was asked for.
fn place_of(head: &ResponseHead, etag: &HeaderValue, sent: Option<u64>, length: u64) -> Option<u64> {
    if slices::strong_etag(&head.headers) != Some(etag) {
        return None;
    }
    match head.status {
        StatusCode::PARTIAL_CONTENT => {
            let range = slices::content_range(&head.headers)?;
            let Span { first, .. } = range.span;
            let fits = range.length.is_none_or(|whole| whole == length)
                && sent.is_none_or(|sent| sent == range.bytes());
            (fits && first % SLICE_BYTES == 0).then_some(first)
        }
        // the origin sends the whole instead of a range
        StatusCode::OK => sent.is_none_or(|sent| sent == length).then_some(0),
        _ => None,
    }
}

impl Engine {
    /// Sees to it that a head is validated before its next use: the origin has another version.
    fn outdate(&self, index: &StoredRef) {
        let mut lifetime = index.lifetime;
        lifetime.fresh_ms = 0;
        lifetime.stale_while_revalidate_ms = 0;
        lifetime.stale_if_error_ms = 0;
        let outdated = Stored {
            key: index.key.clone(),
            head: index.head.clone(),
            body: Bytes::new(),
            lifetime,
            position: index.position,
            scopes: index.scopes.clone(),
            vary: index.vary.clone(),
            codings: Vec::new(),
            kind: index.kind,
        };
        self.replace(index.key.hash(), index, outdated);
    }
}

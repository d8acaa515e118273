//! Answers from slices: each is read from the tiers, or from the fetch that brings it, or asked for.
//!
//! A reader takes slice after slice. Where one is missing it starts a run, which asks an origin for that slice and those
//! behind it and is shared with everyone who needs them; a run that breaks off is begun again where the reader stands,
//! so that a cut connection to an origin need not cut an answer.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, header};
use tokio::time::Instant;

use super::{
    Answer, Engine, Request, Served, TierResult, Trace,
    answer::{left_ms, provenance},
    fetch::micros_since,
};
use crate::{
    body::{Body, BodyError, BodyStream},
    freshness,
    key::{Key, KeyHash},
    purge::Coverage,
    range::{self, Selection, Span},
    slices,
    stored::{Kind, ResponseHead, StoredRef},
    tier::Tier as _,
    validation::{self, Condition},
};

mod run;

pub(super) use run::{Run, SliceFlights};

/// How often one slice is asked for before its reader gives up.
const TRIES_MAX: usize = 3;
/// Bytes of a `multipart/byteranges` answer, which is made in memory; a request for more gets the whole.
const MULTIPART_BYTES_MAX: u64 = 8 << 20;

/// A sliced response and who wants to read it.
pub(super) struct Sliced {
    pub(super) engine: Arc<Engine>,
    pub(super) request: Request,
    pub(super) index: StoredRef,
    /// Bytes of the whole body.
    pub(super) length: u64,
}

/// Where a slice was found.
enum Opened {
    /// In a tier.
    Stored(Bytes),
    /// On its way.
    Coming(BodyStream),
}

impl Engine {
    /// Answers from a response whose body lies in slices. The first bytes are there when this returns, so that a body
    /// that can't be had is no answer yet.
    ///
    /// # Errors
    /// The trace, when the slices can't be had: no origin answered, or what they have is another version by now.
    pub(super) async fn answer_sliced(
        self: &Arc<Self>,
        request: &Request,
        index: &StoredRef,
        length: u64,
        mut trace: Trace,
    ) -> Result<Answer, Trace> {
        let now = self.clock.now();
        let age_ms = freshness::age_ms(&index.lifetime, now);
        trace.ttl_ms = left_ms(&index.lifetime, age_ms);
        let sliced = Arc::new(Sliced {
            engine: Arc::clone(self),
            request: request.clone(),
            index: Arc::clone(index),
            length,
        });
        let began = Instant::now();
        let (mut head, body, is_partial) = match sliced.respond().await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::debug!(%error, "slices could not be had");
                return Err(trace);
            }
        };
        if is_partial && matches!(trace.served, Served::Hit(_) | Served::Stale(_)) {
            // the head was stored, the bytes asked for were not
            trace.served = Served::Fetched;
            trace.fetch_us = micros_since(began);
            if let Some((_, result)) = trace.tiers.last_mut() {
                *result = TierResult::Partial;
            }
        }
        head.headers.insert(header::AGE, http::HeaderValue::from(age_ms / 1000));
        let source = Some(provenance(&index.key, index.position, &index.scopes));
        Ok(Answer { head, body, trace, source, growing: None })
    }

    /// A slice from the tiers. A purged one is as good as absent; of any other its name says that it fits.
    async fn slice(&self, key: &Key, hash: KeyHash) -> Option<StoredRef> {
        let is_usable =
            |stored: &StoredRef| stored.kind == Kind::Slice && self.purges.coverage(stored) != Coverage::Dead;
        if let Some(stored) = self.hybrid.memory(key, hash).filter(is_usable) {
            return Some(stored);
        }
        if self.hybrid.has_disk()
            && let Ok(Some(stored)) = self.hybrid.get(key, hash).await
            && is_usable(&stored)
        {
            return Some(stored);
        }
        for tier in &self.shared {
            if let Ok(Some(stored)) = tier.get(key, hash).await
                && is_usable(&stored)
            {
                self.hybrid.insert(hash, Arc::clone(&stored));
                return Some(stored);
            }
        }
        None
    }
}

impl Sliced {
    /// Key of one of its slices.
    fn key(&self, slice: u64) -> Option<Key> {
        let etag = slices::strong_etag(&self.index.head.headers)?;
        Some(self.index.key.with_variant(slices::variant(&self.index.key.variant, etag, self.length, slice)))
    }

    /// Head and body, and whether the first slice had to come from an origin.
    async fn respond(self: &Arc<Self>) -> Result<(ResponseHead, Body, bool), BodyError> {
        let (request, head) = (&self.request, &self.index.head);
        if validation::client_condition(&request.headers, head, &request.method) == Condition::NotModified {
            return Ok((validation::not_modified_head(head), Body::empty(), false));
        }
        if request.method == Method::HEAD {
            return Ok((range::with_length(head.clone(), self.length), Body::empty(), false));
        }
        let whole = Span { first: 0, last: self.length.saturating_sub(1) };
        match range::select(&request.headers, head, self.length) {
            Selection::Unsatisfiable => Ok((range::unsatisfiable(head, self.length), Body::empty(), false)),
            Selection::One(span) => {
                let head = range::one_head(head, span, Some(self.length)).ok_or_else(out_of_place)?;
                let (body, is_partial) = self.body(span).await?;
                Ok((head, body, is_partial))
            }
            Selection::Many(spans) if bytes_of(&spans) <= MULTIPART_BYTES_MAX => self.multipart(&spans).await,
            Selection::Many(_) | Selection::Whole => {
                let (body, is_partial) = self.body(whole).await?;
                Ok((range::with_length(head.clone(), self.length), body, is_partial))
            }
        }
    }

    async fn multipart(self: &Arc<Self>, spans: &[Span]) -> Result<(ResponseHead, Body, bool), BodyError> {
        let mut parts = Vec::with_capacity(spans.len());
        let mut is_any_partial = false;
        for span in spans {
            let (body, is_partial) = self.body(*span).await?;
            is_any_partial |= is_partial;
            parts.push((*span, body.collect(MULTIPART_BYTES_MAX).await?));
        }
        let (head, body) =
            range::multipart(&self.index.head, &parts, self.length).ok_or_else(out_of_place)?;
        Ok((head, Body::Full(body), is_any_partial))
    }

    /// The bytes of a span; the first ones are there when this returns.
    async fn body(self: &Arc<Self>, span: Span) -> Result<(Body, bool), BodyError> {
        let mut reader = Reader {
            sliced: Arc::clone(self),
            next: span.first,
            end: span.last.saturating_add(1).min(self.length),
            coming: None,
            tries: 0,
            is_fetched: false,
        };
        let Some(first) = reader.next().await? else { return Ok((Body::empty(), false)) };
        let is_fetched = reader.is_fetched;
        let rest = stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        let length = span.last.saturating_sub(span.first).saturating_add(1);
        let stream: BodyStream = Box::pin(stream::iter([Ok(first)]).chain(rest));
        Ok((Body::Stream { length: Some(length), stream }, is_fetched))
    }

    /// Finds a slice, or sees to it that it comes. `last` is the last slice that this reader will need.
    async fn open(self: &Arc<Self>, slice: u64, last: u64) -> Result<Opened, BodyError> {
        let key = self.key(slice).ok_or_else(out_of_place)?;
        let hash = key.hash();
        if let Some(coming) = self.engine.slices.follow(hash, slice) {
            return Ok(Opened::Coming(coming));
        }
        if let Some(stored) = self.engine.slice(&key, hash).await {
            return Ok(Opened::Stored(stored.body.clone()));
        }
        self.start_run(slice, last)?;
        let coming = self.engine.slices.follow(hash, slice);
        coming.map(Opened::Coming).ok_or_else(|| BodyError::Io("the slice came and went".to_owned()))
    }
}

/// Walks through a span, slice by slice.
struct Reader {
    sliced: Arc<Sliced>,
    /// Next byte of the body to give out.
    next: u64,
    /// First byte not to give out.
    end: u64,
    /// The slice that is being read, with the place of its next byte.
    coming: Option<(BodyStream, u64)>,
    /// How often the present slice was asked for in vain.
    tries: usize,
    /// Whether any slice had to come from an origin.
    is_fetched: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        while self.next < self.end {
            let Some((stream, at)) = &mut self.coming else {
                if let Some(piece) = self.open().await? {
                    return Ok(Some(piece));
                }
                continue;
            };
            match stream.next().await {
                Some(Ok(chunk)) => {
                    let begins = *at;
                    *at = at.saturating_add(chunk.len() as u64);
                    if let Some(piece) = self.cut(begins, &chunk) {
                        return Ok(Some(piece));
                    }
                }
                Some(Err(error)) => self.failed(error)?,
                None => self.coming = None,
            }
        }
        Ok(None)
    }

    /// Opens the slice that holds the next byte; a stored one gives its piece at once.
    async fn open(&mut self) -> Result<Option<Bytes>, BodyError> {
        let slice = slices::slice_at(self.next);
        let begins = slice.saturating_mul(slices::SLICE_BYTES);
        let last = slices::slice_at(self.end.saturating_sub(1));
        match self.sliced.open(slice, last).await {
            Ok(Opened::Stored(bytes)) => {
                self.tries = 0;
                let piece = self.cut(begins, &bytes);
                // a slice that does not hold what its name says must not be asked for without end
                piece.map(Some).ok_or_else(out_of_place)
            }
            Ok(Opened::Coming(stream)) => {
                self.is_fetched = true;
                self.coming = Some((stream, begins));
                Ok(None)
            }
            Err(error) => self.failed(error).map(|()| None),
        }
    }

    /// The part of a chunk that was asked for and not given out yet.
    fn cut(&mut self, begins: u64, chunk: &Bytes) -> Option<Bytes> {
        let skip = usize::try_from(self.next.checked_sub(begins)?).ok()?;
        let wanted = usize::try_from(self.end.saturating_sub(begins)).unwrap_or(usize::MAX).min(chunk.len());
        let piece = chunk.get(skip..wanted).filter(|piece| !piece.is_empty())?;
        self.tries = 0;
        self.next = self.next.saturating_add(piece.len() as u64);
        Some(chunk.slice_ref(piece))
    }

    fn failed(&mut self, error: BodyError) -> Result<(), BodyError> {
        self.coming = None;
        self.tries += 1;
        if self.tries < TRIES_MAX { Ok(()) } else { Err(error) }
    }
}

fn bytes_of(spans: &[Span]) -> u64 {
    spans
        .iter()
        .map(|span| span.last.saturating_sub(span.first).saturating_add(1))
        .fold(0, u64::saturating_add)
}

fn out_of_place() -> BodyError {
    BodyError::Io("a slice is not where it should be".to_owned())
}

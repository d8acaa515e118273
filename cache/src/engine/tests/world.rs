//! A world made of chance: an origin whose content has versions, a tier that keeps records and fails, and a ledger of
//! everything that was said, against which answers are judged.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::{
    body::{Body, BodyError},
    clock::{Clock, Millis},
    encoding::Accepted,
    engine::Request,
    key::{Key, KeyHash},
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    policy::Policy,
    purge::{Mode, Selector},
    record,
    stored::{ResponseHead, StoredRef},
    tier::{Tier, TierError},
    waterfall::{Step, Waterfall},
};

pub(super) const SITE: &str = "s";
pub(super) const HOST: &str = "h.example";
pub(super) const START: Millis = Millis(1_800_000_000_000);

/// Chance from a seed (SplitMix64).
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) const fn percent(&mut self, chances: u64) -> bool {
        self.below(100) < chances
    }

    /// Dice for one event. They follow from its name and not from how many events came before, because followers of a
    /// flight wake in any order: what happens at one moment must not depend on who is first.
    pub(super) fn for_event(seed: u64, name: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, step))
    }

    pub(super) const fn ms(&mut self, max: u64) -> Duration {
        Duration::from_millis(self.below(max + 1))
    }
}

/// Wall time that follows the runtime's paused time.
pub(super) struct RuntimeClock(pub(super) Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Millis {
        Millis(START.0 + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// What the origin says of a target, besides its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) target: &'static str,
    pub(super) cache_control: &'static str,
    pub(super) tag: &'static str,
    pub(super) varies: bool,
    pub(super) fresh_ms: u64,
    pub(super) stale_while_revalidate_ms: u64,
    pub(super) stale_if_error_ms: u64,
}

impl Rules {
    pub(super) fn is_private(&self) -> bool {
        self.cache_control == "private"
    }

    /// The folder that the target lies in.
    pub(super) fn folder(&self) -> String {
        self.target.get(..3).unwrap().to_owned()
    }

    /// Whether a purge names it.
    pub(super) fn is_named_by(&self, selector: &Selector) -> bool {
        match selector {
            Selector::Site { site } => site == SITE,
            Selector::Host { host } => host == HOST,
            Selector::Url { host, target } => host == HOST && target == self.target,
            Selector::Prefix { host, prefix } => host == HOST && self.target.starts_with(prefix.as_str()),
            Selector::Tag { site, tag } => site == SITE && tag == self.tag,
        }
    }
}

const fn rules(
    target: &'static str,
    cache_control: &'static str,
    tag: &'static str,
    [fresh_s, while_revalidate_s, if_error_s]: [u64; 3],
) -> Rules {
    Rules {
        target,
        cache_control,
        tag,
        varies: false,
        fresh_ms: fresh_s * 1000,
        stale_while_revalidate_ms: while_revalidate_s * 1000,
        stale_if_error_ms: if_error_s * 1000,
    }
}

pub(super) const TARGETS: [Rules; 6] = [
    rules("/a/long", "max-age=60, stale-if-error=30", "red", [60, 0, 30]),
    rules("/a/short", "max-age=3", "red", [3, 0, 0]),
    rules("/a/windows", "max-age=2, stale-while-revalidate=4, stale-if-error=8", "blue", [2, 4, 8]),
    Rules { varies: true, ..rules("/b/varies", "max-age=5, stale-if-error=5", "blue", [5, 0, 5]) },
    rules("/b/strict", "max-age=2, must-revalidate, stale-if-error=60", "red", [2, 0, 0]),
    rules("/b/private", "private", "blue", [0, 0, 0]),
];

/// What one request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// Index in [`TARGETS`].
    pub(super) place: usize,
    pub(super) is_german: bool,
    /// Number of the client, which a private answer must name.
    pub(super) client: u64,
}

impl Wish {
    pub(super) const fn rules(&self) -> &'static Rules {
        &TARGETS[self.place]
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let language = if self.is_german { "de" } else { "en" };
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(language));
        headers.insert("x-client", HeaderValue::from(self.client));
        headers
    }

    fn of(request: &OriginRequest) -> Self {
        let place = TARGETS.iter().position(|rules| rules.target == request.path_and_query).unwrap();
        let client = request.headers.get("x-client").unwrap().to_str().unwrap().parse().unwrap();
        Self { place, is_german: request.headers.get(header::ACCEPT_LANGUAGE).unwrap() == "de", client }
    }

    /// The right body of a version for this wish.
    pub(super) fn body(&self, version: u64) -> String {
        let rules = self.rules();
        let language = if rules.varies && self.is_german { "de" } else { "any" };
        let client = if rules.is_private() { self.client } else { 0 };
        let filler = "0123456789".repeat(usize::try_from(version % 7).unwrap() * 30);
        format!("{} {language} v{version} for {client} {filler}.", rules.target)
    }

    pub(super) fn etag(&self, version: u64) -> String {
        format!("\"{}-{}-v{version}\"", self.place, self.rules().varies && self.is_german)
    }
}

/// One answer of the origin that named a version: a 200 or a 304.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) place: usize,
    pub(super) version: u64,
    /// Step at which it was asked.
    pub(super) asked_step: u64,
    /// When the head was sent.
    pub(super) at: Millis,
    /// Whether the body came with it.
    pub(super) is_whole: bool,
    /// Whether the body broke off.
    pub(super) is_harmed: bool,
}

/// Everything that happened, in order.
#[derive(Default)]
pub(super) struct Ledger {
    steps: u64,
    pub(super) versions: [u64; TARGETS.len()],
    pub(super) said: Vec<Said>,
    /// Hard purges with the step at which they were acknowledged.
    purges: Vec<(u64, Selector)>,
    pub(super) trace: Vec<String>,
}

impl Ledger {
    /// The next step: a moment that differs from all others even when time stands still.
    pub(super) const fn step(&mut self) -> u64 {
        self.steps += 1;
        self.steps
    }

    pub(super) fn note(&mut self, at: Millis, what: impl fmt::Display) {
        self.trace.push(format!("{:>6} {what}", at.since(START)));
    }

    pub(super) fn purged(&mut self, selector: Selector, mode: Mode) {
        let step = self.step();
        if mode == Mode::Hard {
            self.purges.push((step, selector));
        }
    }

    /// The last step at which a hard purge of this target was acknowledged before `until`.
    pub(super) fn purged_before(&self, rules: &Rules, until: u64) -> u64 {
        let named =
            self.purges.iter().filter(|(step, selector)| *step < until && rules.is_named_by(selector));
        named.map(|(step, _)| *step).max().unwrap_or(0)
    }
}

/// How often what goes wrong, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// Origin: refuses, answers 503, gives no head in time.
    pub(super) head: u64,
    /// Origin: the body is cut, ends early without a word, or stalls.
    pub(super) body: u64,
    /// Tier: fails, is slow, gives other bytes.
    pub(super) tier: u64,
}

/// The origin.
pub(super) struct Versioned {
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: AtomicU64,
    pub(super) faults: Mutex<Faults>,
    /// Longest pause before a head and between two pieces of a body, in ms; 0: no pauses, whole bodies.
    pub(super) pause_ms_max: u64,
}

impl Versioned {
    fn dice(&self, wish: &Wish) -> Dice {
        let Wish { place, is_german, .. } = wish;
        let client = if wish.rules().is_private() { wish.client } else { 0 };
        let name = format!("{place} {is_german} {client} {}", self.clock.now().0);
        Dice::for_event(self.seed.load(Ordering::SeqCst), &name)
    }

    fn fields(wish: &Wish, version: u64) -> HeaderMap {
        let rules = wish.rules();
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        add("cache-control", rules.cache_control);
        add("etag", &wish.etag(version));
        add("surrogate-key", rules.tag);
        if rules.varies {
            add("vary", "accept-language");
        }
        headers
    }

    /// The body in pieces, perhaps harmed.
    fn body(&self, wish: &Wish, version: u64, is_harmed: bool, mut dice: Dice) -> Body {
        let whole = Bytes::from(wish.body(version));
        let length = whole.len();
        if self.pause_ms_max == 0 && !is_harmed {
            return Body::Full(whole);
        }
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < length {
            let piece = usize::try_from(1 + dice.below(length as u64)).unwrap().min(length - from);
            pieces.push((dice.ms(self.pause_ms_max), Ok(whole.slice(from..from + piece))));
            from += piece;
        }
        let is_announced = is_harmed || dice.percent(50);
        if is_harmed {
            pieces.truncate(usize::try_from(dice.below(pieces.len() as u64)).unwrap());
            match dice.below(3) {
                0 => pieces.push((dice.ms(100), Err(BodyError::Cut { received: 0 }))),
                1 => pieces.push((Duration::from_secs(2), Err(BodyError::Stalled { ms: 2000 }))),
                _ => {}
            }
        }
        let stream = stream::unfold(pieces.into_iter(), |mut pieces| async move {
            let (pause, piece) = pieces.next()?;
            if !pause.is_zero() {
                sleep(pause).await;
            }
            Some((piece, pieces))
        });
        Body::Stream { length: is_announced.then_some(length as u64), stream: Box::pin(stream) }
    }
}

#[async_trait]
impl Origin for Versioned {
    fn name(&self) -> &'static str {
        "origin"
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let wish = Wish::of(request);
        let asked_step = self.ledger.lock().step();
        let faults = *self.faults.lock();
        let mut dice = self.dice(&wish);
        let (fails, kind, is_harmed) = (dice.percent(faults.head), dice.below(3), dice.percent(faults.body));
        if self.pause_ms_max > 0 {
            sleep(dice.ms(self.pause_ms_max)).await;
        }
        let now = self.clock.now();
        if fails {
            self.ledger.lock().note(now, format_args!("origin fails at {} ({kind})", wish.rules().target));
            return match kind {
                0 => Err(OriginError::Connect("refused".to_owned())),
                1 => Ok(OriginResponse {
                    head: ResponseHead { status: StatusCode::SERVICE_UNAVAILABLE, headers: HeaderMap::new() },
                    body: Body::Full(Bytes::from_static(b"down")),
                    provenance: None,
                }),
                _ if self.pause_ms_max > 0 => std::future::pending().await,
                _ => Err(OriginError::Timeout),
            };
        }
        let mut ledger = self.ledger.lock();
        let version = ledger.versions[wish.place];
        let headers = Self::fields(&wish, version);
        let sent = request.headers.get(header::IF_NONE_MATCH);
        // an origin that is confused confirms what it was not asked about
        let is_confused = dice.percent(faults.head / 4);
        let is_same = sent.is_some_and(|tag| *tag == *wish.etag(version) || is_confused);
        ledger.said.push(Said {
            place: wish.place,
            version,
            asked_step,
            at: now,
            is_whole: !is_same,
            is_harmed,
        });
        ledger.note(now, format_args!("origin says v{version} of {} (304 {is_same})", wish.rules().target));
        drop(ledger);
        let (status, body) = if is_same {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, self.body(&wish, version, is_harmed, dice))
        };
        Ok(OriginResponse { head: ResponseHead { status, headers }, body, provenance: None })
    }
}

/// A shared tier that keeps records as bytes, so that what comes back was written and read.
pub(super) struct Records {
    pub(super) kept: Mutex<HashMap<KeyHash, Vec<u8>>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: AtomicU64,
    pub(super) faults: Mutex<Faults>,
    /// Longest time that a read takes, in ms.
    pub(super) pause_ms_max: u64,
}

#[async_trait]
impl Tier for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let chances = self.faults.lock().tier;
        let name = format!("{hash} {}", self.clock.now().0);
        let mut dice = Dice::for_event(self.seed.load(Ordering::SeqCst), &name);
        let (pause, fails) = (dice.ms(self.pause_ms_max), dice.percent(chances));
        if self.pause_ms_max > 0 {
            sleep(pause).await;
        }
        let Some(mut bytes) = self.kept.lock().get(&hash).cloned() else { return Ok(None) };
        if fails {
            let place = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            match dice.below(3) {
                0 => return Err(TierError::Io("out of order".to_owned())),
                1 => bytes[place] ^= 0x10,
                _ => bytes.truncate(place),
            }
        }
        let found = record::decode(&bytes.into(), key);
        found.map(|stored| stored.map(Arc::new)).map_err(|error| TierError::Corrupt(error.to_string()))
    }

    fn put(&self, hash: KeyHash, stored: StoredRef) {
        self.kept.lock().insert(hash, record::encode(&stored).unwrap());
    }

    async fn flush(&self) {}
}

/// Longest time until a head, in the waterfall.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(1);

/// A request of this wish.
pub(super) fn request(wish: &Wish, method: Method, origin: &Arc<Versioned>) -> Request {
    let target = wish.rules().target.to_owned();
    let origin = Arc::clone(origin) as Arc<dyn Origin>;
    Request {
        key: Key {
            site: SITE.to_owned(),
            host: HOST.to_owned(),
            target: target.clone(),
            variant: String::new(),
        },
        method,
        headers: wish.headers(),
        accepted: Accepted::PLAIN,
        is_trusted: false,
        host: HOST.to_owned(),
        path_and_query: target,
        policy: Arc::new(Policy {
            default_ttl_ms: None,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            negative_ttl_ms: 0,
            compress: None,
            stores_cookies: false,
            stores_errors: false,
        }),
        waterfall: Arc::new(Waterfall { steps: vec![Step::new(origin, HEAD_TIMEOUT)] }),
        request_id: u128::from(wish.client),
    }
}

/// Reads to the end: the body, or why it ended and what came before.
pub(super) async fn read(body: Body) -> Result<String, (String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match body {
        Body::Full(bytes) => Ok(text(&bytes)),
        Body::Stream { mut stream, .. } => {
            let mut read = Vec::new();
            while let Some(chunk) = stream.next().await {
                match chunk {
                    Ok(chunk) => read.extend_from_slice(&chunk),
                    Err(error) => return Err((error.to_string(), text(&read))),
                }
            }
            Ok(text(&read))
        }
    }
}

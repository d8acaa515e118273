//! What must hold for any bytes, as one function per reader of strangers' bytes.
//!
//! Each takes bytes and panics when a promise is broken. The fuzzer calls them from `fuzz_targets/`; `tests/edge/corpora.rs`
//! includes this file, replays the corpora and mutates them on stable. Nothing here may depend on anything but its input.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use overfall_cache::{
    cache_control::{self, Directives, SECONDS_MAX},
    clock::Millis,
    encoding::{Coded, Coding},
    key::Key,
    range::{self, RANGES_MAX, Selection},
    record,
    stored::{Kind, Lifetime, Position, ResponseHead, Scopes, Stored},
    target,
    vary::{self, Vary},
};
use overfall_config::QueryRule;
use overfall_proxy::admission;
use twox_hash::XxHash3_128;

/// A target: its name, which is that of its corpus, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("record", fuzz_record),
    ("target", fuzz_target),
    ("range", fuzz_range),
    ("cache_control", fuzz_cache_control),
    ("targeted", fuzz_targeted),
    ("vary", fuzz_vary),
    ("head", fuzz_head),
];

/// Bytes as a source of values; zeros when there are no more.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        let bytes = std::array::from_fn(|_| self.byte());
        u64::from_le_bytes(bytes)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.byte() % 32);
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    fn texts(&mut self, most: u8) -> Vec<String> {
        (0..self.byte() % (most + 1)).map(|_| self.text()).collect()
    }
}

fn sample_key() -> Key {
    let text = |text: &str| text.to_owned();
    Key { site: text("site"), host: text("h.example"), target: text("/a?b=c"), variant: String::new() }
}

/// Any response that could be stored.
fn stored(source: &mut Source<'_>) -> Stored {
    let mut headers = HeaderMap::new();
    for _ in 0..source.byte() % 8 {
        let (name, value) = (source.text(), source.text());
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    let kind = match source.byte() % 5 {
        0 => Kind::VaryMarker,
        1 => Kind::Slice,
        2 => Kind::Sliced { length: source.number() },
        3 => Kind::Part,
        _ => Kind::Response,
    };
    let codings = Coding::ALL.iter().filter(|_| source.byte() % 2 == 1).copied().collect::<Vec<_>>();
    let bytes = |source: &mut Source<'_>| {
        let length = usize::from(source.byte());
        Bytes::copy_from_slice(source.take(length))
    };
    Stored {
        key: Key { site: source.text(), host: source.text(), target: source.text(), variant: source.text() },
        head: ResponseHead {
            status: StatusCode::from_u16(100 + u16::from(source.byte())).unwrap_or(StatusCode::OK),
            headers,
        },
        lifetime: Lifetime {
            received: Millis(source.number()),
            initial_age_ms: source.number(),
            fresh_ms: source.number(),
            stale_while_revalidate_ms: source.number(),
            stale_if_error_ms: source.number(),
            always_validate: source.byte() % 2 == 1,
            never_stale: source.byte() % 2 == 1,
        },
        position: Position { epoch: source.number(), seq: source.number() },
        scopes: Scopes {
            tags: source.texts(4),
            sources: (0..source.byte() % 3).map(|_| (source.text(), source.text())).collect(),
        },
        vary: source.texts(3),
        codings: codings.into_iter().map(|coding| Coded { coding, body: bytes(source) }).collect(),
        body: bytes(source),
        kind,
    }
}

/// The record format: what was written is read back, harmed bytes are refused, and no bytes are too strange.
pub fn fuzz_record(data: &[u8]) {
    let mut source = Source(data);
    let (place, flip) = (usize::try_from(source.number() % (1 << 20)).unwrap_or(0), source.byte());
    let written = stored(&mut source);
    if let Ok(encoded) = record::encode(&written) {
        let again = record::decode(&encoded.clone().into(), &written.key);
        let again = again.expect("what was written is read").expect("under its key");
        assert_eq!(format!("{again:?}"), format!("{written:?}"));
        let mut harmed = encoded.clone();
        let place = place % harmed.len();
        harmed[place] ^= flip;
        if flip != 0 {
            let found = record::decode(&harmed.clone().into(), &written.key);
            assert!(found.is_err(), "byte {place} changed by {flip:#x}, and it is read all the same");
        }
        let shortened = Bytes::from(encoded).slice(..place);
        assert!(record::decode(&shortened, &written.key).is_err(), "cut at {place}, and read all the same");
    }
    // the bytes as they are, and a record that was edited and sealed again, so that the parts behind the hash are reached
    let raw = Bytes::copy_from_slice(data);
    drop(record::decode(&raw, &sample_key()));
    edited(&mut Source(data), Stored { key: sample_key(), ..written });
}

/// Edits a record behind its hash: whatever is read must be something that can be written.
fn edited(source: &mut Source<'_>, stored: Stored) {
    let Ok(mut record) = record::encode(&stored) else { return };
    record.truncate(record.len() - size_of::<u128>());
    for _ in 0..1 + source.byte() % 4 {
        let place = usize::try_from(source.number() % (1 << 16)).unwrap_or(0) % record.len();
        record[place] = source.byte();
    }
    let hash = XxHash3_128::oneshot(&record);
    record.extend_from_slice(&hash.to_le_bytes());
    if let Ok(Some(found)) = record::decode(&record.into(), &sample_key()) {
        let again = record::encode(&found).expect("what was read can be written");
        let again = record::decode(&again.into(), &sample_key()).expect("and read").expect("again");
        assert_eq!(format!("{again:?}"), format!("{found:?}"));
    }
}

/// Key and target normalisation: canonical once is canonical for ever, and purges spell it alike.
pub fn fuzz_target(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let named = || vec!["a".to_owned(), "utm_source".to_owned(), "x y".to_owned()];
    for rule in [QueryRule::All, QueryRule::None, QueryRule::Ignore(named()), QueryRule::Allow(named())] {
        let once = target::normalise(&text, &rule);
        assert!(once.starts_with('/'), "{once:?}");
        assert!(once.is_ascii() && !once.contains('#'), "{once:?}");
        assert_eq!(target::normalise(&once, &rule), once, "of {text:?} by {rule:?}");
        assert_eq!(target::normalise(&once, &QueryRule::All), once, "a purge by the canonical target");
        let key = |target: String| Key { target, ..sample_key() };
        let is_sample = once == sample_key().target;
        assert_eq!(key(once).hash() == sample_key().hash(), is_sample, "slots of different keys");
    }
}

/// One field line, when the bytes can be one.
fn field(name: HeaderName, data: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        headers.append(&name, HeaderValue::from_bytes(line).ok()?);
    }
    Some(headers)
}

/// `Range`: what is selected lies within the body, and the answer is what was selected.
pub fn fuzz_range(data: &[u8]) {
    let mut source = Source(data);
    let length = usize::from(source.byte()) * usize::from(source.byte() % 8);
    let Some(headers) = field(header::RANGE, source.0) else { return };
    let body: Bytes = (0..length).map(|place| u8::try_from(place % 251).unwrap_or(0)).collect();
    let head = ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() };
    let selection = range::select(&headers, &head, length as u64);
    let spans = match &selection {
        Selection::Whole | Selection::Unsatisfiable => Vec::new(),
        Selection::One(span) => vec![*span],
        Selection::Many(spans) => spans.clone(),
    };
    assert!(spans.len() <= RANGES_MAX);
    for (place, span) in spans.iter().enumerate() {
        assert!(span.first <= span.last && span.last < length as u64, "{span:?} of {length}");
        let apart = |other: &range::Span| other.first > span.last + 1 || span.first > other.last + 1;
        assert!(spans.iter().skip(place + 1).all(apart), "overlapping or touching: {spans:?}");
    }
    let (answer, sent) = range::slice(&head, &body, selection.clone());
    let said = answer.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    assert_eq!(said, Some(sent.len().to_string().as_str()));
    match (selection, spans.as_slice()) {
        (Selection::Whole, _) => assert!(answer.status == 200 && sent == body),
        (Selection::Unsatisfiable, _) => assert!(answer.status == 416 && sent.is_empty()),
        (_, [span]) => {
            let expected: Vec<u8> = (span.first..=span.last).map(|place| (place % 251) as u8).collect();
            assert!(answer.status == 206 && sent == expected, "{span:?}");
        }
        (_, spans) => {
            let bytes: u64 = spans.iter().map(|span| span.last - span.first + 1).sum();
            assert!(answer.status == 206 && sent.len() as u64 > bytes, "{spans:?}");
        }
    }
}

fn within_bounds(found: &Directives) {
    let Directives { max_age_s, s_maxage_s, stale_while_revalidate_s, stale_if_error_s, .. } = found;
    let times = [max_age_s, s_maxage_s, stale_while_revalidate_s, stale_if_error_s];
    assert!(times.into_iter().flatten().all(|time| *time <= SECONDS_MAX), "{found:?}");
}

/// Directives in the plainest way to write them; both grammars read it.
fn printed(found: &Directives) -> String {
    let flags = [
        (found.no_store, "no-store"),
        (found.no_cache, "no-cache"),
        (found.private, "private"),
        (found.public, "public"),
        (found.must_revalidate, "must-revalidate"),
        (found.proxy_revalidate, "proxy-revalidate"),
        (found.must_understand, "must-understand"),
        (found.immutable, "immutable"),
    ];
    let times = [
        (found.max_age_s, "max-age"),
        (found.s_maxage_s, "s-maxage"),
        (found.stale_while_revalidate_s, "stale-while-revalidate"),
        (found.stale_if_error_s, "stale-if-error"),
    ];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned());
    let times = times.into_iter().filter_map(|(time, name)| Some(format!("{name}={}", time?)));
    flags.chain(times).collect::<Vec<_>>().join(", ")
}

/// `Cache-Control`: read, printed and read again is the same, in any case and with blanks.
pub fn fuzz_cache_control(data: &[u8]) {
    let Some(headers) = field(header::CACHE_CONTROL, data) else { return };
    let found = cache_control::response(&headers);
    within_bounds(&found);
    assert!(!found.is_targeted);
    let again =
        |text: &str| field(header::CACHE_CONTROL, text.as_bytes()).map(|of| cache_control::response(&of));
    let text = printed(&found);
    assert_eq!(again(&text), Some(found), "{text:?}");
    assert_eq!(again(&text.to_ascii_uppercase()), Some(found), "{text:?} in upper case");
    assert_eq!(again(&text.replace(", ", " \t,\t, ")), Some(found), "{text:?} with blanks");
    let asked = cache_control::request(&headers);
    assert!(!asked.is_trusted && asked.max_age_s.is_none_or(|time| time <= SECONDS_MAX));
}

/// Targeted fields: valid ones are read, printed and read again; invalid ones are as good as absent.
pub fn fuzz_targeted(data: &[u8]) {
    let name = HeaderName::from_static("cdn-cache-control");
    let Some(mut headers) = field(name.clone(), data) else { return };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=7, public"));
    let found = cache_control::response(&headers);
    within_bounds(&found);
    if !found.is_targeted {
        headers.remove(&name);
        assert_eq!(cache_control::response(&headers), found, "an invalid field changes nothing");
        return;
    }
    let text = printed(&found);
    if text.is_empty() {
        return;
    }
    let again = field(name.clone(), text.as_bytes()).map(|headers| cache_control::response(&headers));
    assert_eq!(again, Some(found), "{text:?}");
    // the strongest field wins whole
    headers.insert("overfall-cache-control", HeaderValue::from_static("max-age=9"));
    assert_eq!(cache_control::response(&headers).max_age_s, Some(9));
}

/// `Vary`: names are canonical and bounded, and variants tell requests apart that differ in a named field.
pub fn fuzz_vary(data: &[u8]) {
    let (names, value) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    let Some(headers) = field(header::VARY, names) else { return };
    let Vary::Names(names) = vary::names(&headers) else { return };
    assert!(!names.is_empty() && names.len() <= 16 && names.is_sorted(), "{names:?}");
    assert!(names.iter().all(|name| name.bytes().all(|byte| !byte.is_ascii_uppercase())), "{names:?}");
    let listed = field(header::VARY, names.join(", ").to_ascii_uppercase().as_bytes());
    assert_eq!(listed.map(|listed| vary::names(&listed)), Some(Vary::Names(names.clone())));
    let nothing = vary::variant(&names, &HeaderMap::new());
    let mut request = HeaderMap::new();
    if let (Some(name), Ok(value)) = (names.first(), HeaderValue::from_bytes(value))
        && let Ok(name) = HeaderName::try_from(name)
    {
        request.insert(name, value);
    }
    let selected = vary::variant(&names, &request);
    assert!(selected.len() <= 256 && nothing.len() <= 256, "{selected:?}");
    assert_eq!(selected, vary::variant(&names, &request), "the same twice");
    let is_told_apart = names.first().is_some_and(|name| name != "accept-encoding");
    assert!(!is_told_apart || request.is_empty() || selected != nothing, "absent and present: {selected:?}");
}

/// An HTTP/1 head as it came: what is admitted can be read in one way only.
pub fn fuzz_head(data: &[u8]) {
    // whoever cuts a head off the stream looks for its end
    let head = [data, b"\r\n\r\n"].concat();
    if admission::admit_raw(&head).is_err() {
        return;
    }
    let text: String = head.trim_ascii_start().iter().map(|byte| char::from(*byte)).collect();
    assert!(!text.contains('\0'), "NUL");
    let without_ends = text.replace("\r\n", "");
    assert!(!without_ends.contains(['\r', '\n']), "an end of line that is not CR LF");
    let mut lines = text.split("\r\n");
    let request_line = lines.next().unwrap_or_default();
    if !text.is_empty() {
        assert_eq!(request_line.split(' ').count(), 3, "{request_line:?}");
    }
    let mut framing = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a field line has a colon");
        assert!(!name.is_empty() && !name.contains([' ', '\t']), "{name:?}");
        if name.eq_ignore_ascii_case("content-length") {
            framing += 1;
            let digits = value.trim_matches([' ', '\t']);
            assert!(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()), "{value:?}");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing += 1;
            assert!(value.trim_matches([' ', '\t']).eq_ignore_ascii_case("chunked"), "{value:?}");
        }
    }
    assert!(framing <= 1, "two fields that frame the body");
}

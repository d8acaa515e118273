//! An origin that fails in every way that a network allows, by seeded chance, and whose bodies follow from the URL.
//!
//! [`Content::of`] says what a target holds: its length, its bytes, how it is framed and for how long it may be kept. So
//! whoever reads an answer can tell a right byte from a wrong one without asking. The server writes HTTP/1.1 byte by byte,
//! because a cut must be possible at any of them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::dice::{self, Dice};

/// Field that marks an origin's own error page.
pub const ERROR_FIELD: &str = "x-origin-error";
/// Longest request head that is read, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long the origin is up or down at a stretch.
const STRETCH: Duration = Duration::from_millis(250);
/// Stretches in 1000 during which it answers nobody.
const DOWN_PERMILLE: u64 = 80;
/// Faults in 1000 requests of the other stretches; together 22 %.
const FAULTS_PERMILLE: u64 = 152;
/// Pieces of a dripping answer, and the time between two.
const DRIPS: usize = 8;
const DRIP_PAUSE: Duration = Duration::from_millis(50);

/// What a target holds, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The whole body.
    pub bytes: Vec<u8>,
    /// Strong validator.
    pub etag: String,
    /// `Cache-Control`.
    pub cache_control: &'static str,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunks,
    Close,
}

impl Content {
    /// What a target holds.
    #[must_use]
    pub fn of(target: &str) -> Self {
        let name = dice::hash(target);
        let mut dice = Dice::new(name);
        let bytes_max = dice.one_of(&[2, 1024, 4096, 4096, 16 * 1024, 64 * 1024, 64 * 1024, 400 * 1024]);
        let length = dice.place(bytes_max);
        let lengthy = [Framing::Length, Framing::Length, Framing::Length, Framing::Chunks, Framing::Chunks];
        let framing = if dice.permille(100) { Framing::Close } else { dice.one_of(&lengthy) };
        let cache_control = dice.one_of(&[
            "max-age=600",
            "max-age=600",
            "max-age=1",
            "max-age=1, stale-if-error=2",
            "max-age=1, stale-while-revalidate=5",
            "no-store",
        ]);
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&dice.bits().to_le_bytes());
        }
        bytes.truncate(length);
        Self { bytes, etag: format!("\"{name:016x}\""), cache_control, framing }
    }

    /// The origin's error page of a target.
    #[must_use]
    pub fn error_page(target: &str) -> String {
        format!("the origin failed at {target} ({:016x})\n", dice::hash(target))
    }
}

/// What goes wrong with one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends with FIN after a random byte.
    Finished,
    /// The connection ends with RST after a random byte.
    Reset,
    /// Nothing is answered, the connection stays.
    HangsBeforeHead,
    /// The answer stops after a random byte, the connection stays.
    HangsInBody,
    /// The answer comes in small pieces; it is whole in the end.
    Drips,
    /// 500, 502, 503 or 504, some of them cut as well.
    Fails,
    /// The connection is reset before a byte.
    Down,
}

/// Every fault, in the order of [`FaultyOrigin::counts`].
pub const FAULTS: [Fault; 7] = [
    Fault::Finished,
    Fault::Reset,
    Fault::HangsBeforeHead,
    Fault::HangsInBody,
    Fault::Drips,
    Fault::Fails,
    Fault::Down,
];

/// A running origin; stops when dropped.
pub struct FaultyOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    seed: u64,
    began: Instant,
    is_faulty: AtomicBool,
    requests: AtomicU64,
    faults: [AtomicU64; FAULTS.len()],
}

impl FaultyOrigin {
    /// Starts on a free port; behaves well until [`Self::misbehave`].
    pub async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            seed,
            began: Instant::now(),
            is_faulty: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            faults: std::array::from_fn(|_| AtomicU64::new(0)),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, serving }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From here on chance decides; or not any more.
    pub fn misbehave(&self, is_faulty: bool) {
        self.shared.is_faulty.store(is_faulty, Ordering::SeqCst);
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How often each fault was played.
    #[must_use]
    pub fn counts(&self) -> [(Fault, u64); FAULTS.len()] {
        let counts = self.shared.faults.each_ref().map(|count| count.load(Ordering::SeqCst));
        std::array::from_fn(|place| (FAULTS[place], counts[place]))
    }
}

impl Drop for FaultyOrigin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// What becomes of the next request, with dice for the details.
    fn fate(&self) -> (Option<Fault>, Dice) {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let mut dice = Dice::of(self.seed, &format!("request {number}"));
        if !self.is_faulty.load(Ordering::SeqCst) {
            return (None, dice);
        }
        let stretch = self.began.elapsed().as_millis() / STRETCH.as_millis();
        let is_down = Dice::of(self.seed, &format!("stretch {stretch}")).permille(DOWN_PERMILLE);
        let chosen = dice.permille(FAULTS_PERMILLE).then(|| dice.one_of(&FAULTS));
        let fault = if is_down { Some(Fault::Down) } else { chosen };
        if let Some(place) = FAULTS.iter().position(|known| Some(*known) == fault) {
            self.faults[place].fetch_add(1, Ordering::SeqCst);
        }
        (fault, dice)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let mut connection = Connection { stream, unread: Vec::new(), shared: Arc::clone(&shared) };
        connections.spawn(async move {
            while let Some(request) = connection.request().await {
                // a client that goes away is not the origin's trouble
                if !connection.answer(&request).await.unwrap_or(false) {
                    return;
                }
            }
        });
    }
}

/// The parts of a request that an answer depends on.
struct Request {
    method: String,
    target: String,
    if_none_match: Option<String>,
    if_range: Option<String>,
    range: Option<(usize, Option<usize>)>,
}

impl Request {
    fn parse(head: &str) -> Self {
        let mut first = head.lines().next().unwrap_or_default().split(' ').map(str::to_owned);
        let field = |name: &str| {
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
            named.next().map(|(_, value)| value.trim().to_owned())
        };
        let range = field("range").and_then(|value| {
            let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
            Some((from.parse().ok()?, to.parse().ok()))
        });
        Self {
            method: first.next().unwrap_or_default(),
            target: first.next().unwrap_or_default(),
            if_none_match: field("if-none-match"),
            if_range: field("if-range"),
            range,
        }
    }

    /// The answer as it goes over the wire, the length of its head, and whether the connection may stay.
    fn answer(&self) -> (Vec<u8>, usize, bool) {
        let content = Content::of(&self.target);
        let Content { bytes, etag, cache_control, framing } = &content;
        let fields = format!("etag: {etag}\r\ncache-control: {cache_control}\r\n");
        if self.if_none_match.as_ref() == Some(etag) {
            let head = format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n");
            return (head.clone().into_bytes(), head.len(), true);
        }
        let is_same = self.if_range.as_ref().is_none_or(|validator| validator == etag);
        let part = self.range.filter(|(from, _)| is_same && *from < bytes.len()).map(|(from, to)| {
            let last = to.unwrap_or(usize::MAX).min(bytes.len() - 1).max(from);
            (from, last)
        });
        let (start, body) = match part {
            Some((from, last)) => {
                let place = format!("content-range: bytes {from}-{last}/{}\r\n", bytes.len());
                (format!("HTTP/1.1 206 Partial Content\r\n{place}"), &bytes[from..=last])
            }
            None => ("HTTP/1.1 200 OK\r\n".to_owned(), bytes.as_slice()),
        };
        let (said, body) = match framing {
            Framing::Length => (format!("content-length: {}\r\n", body.len()), body.to_vec()),
            Framing::Chunks => ("transfer-encoding: chunked\r\n".to_owned(), chunks(body)),
            Framing::Close => ("connection: close\r\n".to_owned(), body.to_vec()),
        };
        let mut wire = format!("{start}{said}{fields}\r\n").into_bytes();
        let head_bytes = wire.len();
        if self.method != "HEAD" {
            wire.extend(body);
        }
        (wire, head_bytes, *framing != Framing::Close)
    }

    fn error(&self, dice: &mut Dice) -> Vec<u8> {
        let status = dice.one_of(&[500, 502, 503, 504]);
        let page = Content::error_page(&self.target);
        let head = format!("HTTP/1.1 {status} Failed\r\n{ERROR_FIELD}: 1\r\ncontent-length: {}", page.len());
        format!("{head}\r\n\r\n{page}").into_bytes()
    }
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for chunk in body.chunks(7000) {
        wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    shared: Arc<Shared>,
}

impl Connection {
    /// The next request; `None` when there will be none.
    async fn request(&mut self) -> Option<Request> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Some(Request::parse(&String::from_utf8_lossy(&head)));
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).await.ok()?;
            if count == 0 || self.unread.len() > HEAD_BYTES_MAX {
                return None;
            }
            self.unread.extend_from_slice(&buffer[..count]);
        }
    }

    /// Answers or fails; false when the connection is over.
    async fn answer(&mut self, request: &Request) -> std::io::Result<bool> {
        let (fault, mut dice) = self.shared.fate();
        let (mut wire, head_bytes, stays) = request.answer();
        match fault {
            None => {
                self.stream.write_all(&wire).await?;
                return Ok(stays);
            }
            Some(Fault::Down) => self.stream.set_zero_linger()?,
            Some(Fault::HangsBeforeHead) => self.until_gone().await,
            Some(Fault::HangsInBody) => {
                self.stream.write_all(&wire[..dice.place(wire.len())]).await?;
                self.until_gone().await;
            }
            Some(Fault::Finished) => {
                // the end of the connection is the proper end of a body that is framed by it
                let until = if stays { wire.len() } else { head_bytes };
                self.stream.write_all(&wire[..dice.place(until)]).await?;
            }
            Some(Fault::Reset) => {
                self.stream.write_all(&wire[..dice.place(wire.len())]).await?;
                self.stream.set_zero_linger()?;
            }
            Some(Fault::Drips) => {
                for piece in wire.chunks((wire.len() / DRIPS).max(1)) {
                    self.stream.write_all(piece).await?;
                    sleep(DRIP_PAUSE).await;
                }
                return Ok(stays);
            }
            Some(Fault::Fails) => {
                wire = request.error(&mut dice);
                let is_cut = dice.permille(250);
                let until = if is_cut { dice.place(wire.len()) } else { wire.len() };
                self.stream.write_all(&wire[..until]).await?;
                return Ok(!is_cut);
            }
        }
        Ok(false)
    }

    /// Waits until the other side has closed.
    async fn until_gone(&mut self) {
        let mut buffer = [0; 64];
        while self.stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;

    #[tokio::test]
    async fn a_well_behaved_one_gives_what_a_target_holds() {
        let origin = FaultyOrigin::start(1).await;
        let client = Client::plain(&[]);
        for number in 0..60 {
            let target = format!("/{number}?q");
            let answer = client.get(&format!("{}{target}", origin.url())).await.expect(200);
            assert!(answer.body == Content::of(&target).bytes, "{answer}");
        }
        assert_eq!(origin.requests(), 60);
        assert!(origin.counts().iter().all(|(_, count)| *count == 0));
    }

    #[test]
    fn targets_differ_in_every_way() {
        let contents: Vec<Content> = (0..100).map(|number| Content::of(&format!("/{number}"))).collect();
        for framing in [Framing::Length, Framing::Chunks, Framing::Close] {
            assert!(contents.iter().any(|content| content.framing == framing), "{framing:?}");
        }
        assert!(contents.iter().any(|content| content.bytes.is_empty()));
        assert!(contents.iter().any(|content| content.bytes.len() > 200_000));
    }
}

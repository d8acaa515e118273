//! A folder as an origin, for development and for archives.
//!
//! A request names a file by its path; the query is ignored. It refuses with a plain 404 what is outside the folder,
//! hidden, or not a regular file, so that a stranger cannot tell the cases apart. It keeps no state; freshness is
//! the site's to decide. One range is answered with its bytes, several with the whole.

use std::{
    ffi::OsStr,
    io::SeekFrom,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use overfall_cache::{
    body::{Body, BodyError},
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    range::{self, Selection},
    stored::ResponseHead,
};
use percent_encoding::percent_decode_str;
use rustix::fs::OFlags;
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    time::{Instant, timeout, timeout_at},
};

use super::{bare, http_date, none_match, path_of};

/// An origin that serves the files of one folder.
pub struct FileOrigin {
    name: String,
    folder: PathBuf,
    head_timeout: Duration,
    read_timeout: Duration,
}

impl FileOrigin {
    /// Serves `folder`, which may appear later.
    #[must_use]
    pub fn new(config: &overfall_config::Origin, folder: PathBuf) -> Self {
        let (head_timeout, read_timeout) = (config.head_timeout, config.read_timeout);
        Self { name: config.name.clone(), folder, head_timeout, read_timeout }
    }

    async fn attempt(&self, request: &OriginRequest) -> OriginResponse {
        let Some(mut found) = self.open(&request.path_and_query).await else {
            return bare(StatusCode::NOT_FOUND, HeaderMap::new());
        };
        let headers = found.headers();
        if is_unchanged(&request.headers, &headers) {
            return bare(StatusCode::NOT_MODIFIED, headers);
        }
        let length = found.version.length;
        let mut head = ResponseHead { status: StatusCode::OK, headers };
        let span = match range::select(&request.headers, &head, length) {
            Selection::One(span) => span,
            Selection::Unsatisfiable => {
                insert_content_range(&mut head.headers, format!("bytes */{length}"));
                return bare(StatusCode::RANGE_NOT_SATISFIABLE, head.headers);
            }
            Selection::Whole | Selection::Many(_) => {
                let body = found.into_body(0, length, self.read_timeout);
                return OriginResponse { head, body, provenance: None };
            }
        };
        let wanted = span.last.saturating_sub(span.first).saturating_add(1);
        if found.file.seek(SeekFrom::Start(span.first)).await.is_err() {
            return bare(StatusCode::NOT_FOUND, HeaderMap::new());
        }
        head.status = StatusCode::PARTIAL_CONTENT;
        insert_content_range(&mut head.headers, format!("bytes {}-{}/{length}", span.first, span.last));
        OriginResponse {
            head,
            body: found.into_body(span.first, wanted, self.read_timeout),
            provenance: None,
        }
    }

    async fn open(&self, target: &str) -> Option<Found> {
        let folder = fs::canonicalize(&self.folder).await.ok()?;
        let wanted = path_of(target);
        let mut path = fs::canonicalize(folder.join(relative(wanted)?)).await.ok()?;
        if fs::metadata(&path).await.ok()?.is_dir() {
            path = fs::canonicalize(path.join("index.html")).await.ok()?;
        } else if wanted.ends_with('/') {
            return None;
        }
        // links may lead anywhere in the folder, but not out of it and not to hidden files
        if !is_visible(path.strip_prefix(&folder).ok()?) {
            return None;
        }
        // the path holds no link any more; should one appear meanwhile it is not followed, and a pipe does not block
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).ok()?;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).await.ok()?;
        let version = Version::of(&file).await?;
        Some(Found { file, version, media_type: media_type(&path) })
    }
}

#[async_trait]
impl Origin for FileOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let deadline = request.deadline.min(Instant::now() + self.head_timeout);
        timeout_at(deadline, self.attempt(request)).await.map_err(|_| OriginError::Timeout)
    }
}

/// An open regular file.
struct Found {
    file: File,
    version: Version,
    media_type: &'static str,
}

/// Tells one content of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    length: u64,
    modified: SystemTime,
}

impl Version {
    async fn of(file: &File) -> Option<Self> {
        let metadata = file.metadata().await.ok()?;
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        metadata.is_file().then_some(Self { length: metadata.len(), modified })
    }

    fn etag(self) -> String {
        let age = self.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("\"{:x}-{:x}\"", self.length, age.as_nanos())
    }
}

impl Found {
    fn headers(&self) -> HeaderMap {
        let texts = [
            (header::CONTENT_TYPE, Some(self.media_type.to_owned())),
            (header::ETAG, Some(self.version.etag())),
            (header::LAST_MODIFIED, http_date(self.version.modified)),
        ];
        let values =
            texts.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::try_from(text?).ok()?)));
        values.collect()
    }

    /// The `length` bytes from where the file stands, which is at `first`.
    fn into_body(self, first: u64, length: u64, read_timeout: Duration) -> Body {
        if length == 0 {
            return Body::empty();
        }
        let end = first.saturating_add(length);
        let Self { file, version, .. } = self;
        let reading = Reading { file, version, first, at: first, end, read_timeout };
        let stream = unfold(Some(reading), |reading| async move { reading?.pull().await });
        Body::Stream { length: Some(length), stream: Box::pin(stream) }
    }
}

/// A file being read. The last chunk is given only when the file did not change on the way.
struct Reading {
    file: File,
    version: Version,
    first: u64,
    at: u64,
    end: u64,
    read_timeout: Duration,
}

impl Reading {
    async fn pull(mut self) -> Option<(Result<Bytes, BodyError>, Option<Self>)> {
        let ms = u64::try_from(self.read_timeout.as_millis()).unwrap_or(u64::MAX);
        match timeout(self.read_timeout, self.chunk()).await {
            Err(_) => Some((Err(BodyError::Stalled { ms }), None)),
            Ok(Err(error)) => Some((Err(error), None)),
            Ok(Ok(chunk)) => {
                let more = self.at < self.end;
                Some((Ok(chunk), more.then_some(self)))
            }
        }
    }

    async fn chunk(&mut self) -> Result<Bytes, BodyError> {
        let left = self.end.saturating_sub(self.at);
        let mut chunk =
            BytesMut::with_capacity(usize::try_from(left).map_or(CHUNK_BYTES, |n| n.min(CHUNK_BYTES)));
        let read = (&mut self.file).take(left).read_buf(&mut chunk).await;
        let read = read.map_err(|e| BodyError::Io(e.to_string()))?;
        if read == 0 {
            return Err(BodyError::Cut { received: self.at.saturating_sub(self.first) });
        }
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if self.at >= self.end && Version::of(&self.file).await != Some(self.version) {
            return Err(BodyError::Io("file changed while it was read".into()));
        }
        Ok(chunk.freeze())
    }
}

fn insert_content_range(headers: &mut HeaderMap, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(header::CONTENT_RANGE, value);
    }
}

/// The path below the folder that a request path names; none for what may not be asked for.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let (folders, last) = path.rsplit_once('/').map_or((None, path), |(folders, last)| (Some(folders), last));
    let mut relative = PathBuf::new();
    for segment in folders.into_iter().flat_map(|folders| folders.split('/')) {
        relative.push(OsStr::from_bytes(&file_name(segment)?));
    }
    // an empty last segment asks for the folder itself
    if !last.is_empty() {
        relative.push(OsStr::from_bytes(&file_name(last)?));
    }
    Some(relative)
}

/// A decoded segment, when it can be the name of one visible file.
fn file_name(segment: &str) -> Option<Vec<u8>> {
    let name: Vec<u8> = percent_decode_str(segment).collect();
    let is_plain = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with(b".");
    (is_plain && !name.iter().any(|byte| matches!(byte, 0 | b'/' | b'\\'))).then_some(name)
}

fn is_visible(relative: &Path) -> bool {
    relative
        .components()
        .all(|part| matches!(part, Component::Normal(name) if !name.as_bytes().starts_with(b".")))
}

/// RFC 9110 section 13.2.2: `If-Modified-Since` counts only without `If-None-Match`.
fn is_unchanged(request: &HeaderMap, response: &HeaderMap) -> bool {
    let text = |headers: &HeaderMap, name| -> Option<String> {
        headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned)
    };
    if request.contains_key(header::IF_NONE_MATCH) {
        return text(response, header::ETAG).is_some_and(|etag| none_match(request, &etag));
    }
    let date = |text: Option<String>| text.and_then(|text| httpdate::parse_http_date(&text).ok());
    let since = date(text(request, header::IF_MODIFIED_SINCE));
    let modified = date(text(response, header::LAST_MODIFIED));
    since.zip(modified).is_some_and(|(since, modified)| modified <= since)
}

fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let known = MEDIA_TYPES.iter().find(|(extensions, _)| extensions.contains(&extension.as_str()));
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

const MEDIA_TYPES: [(&[&str], &str); 23] = [
    (&["html", "htm"], "text/html; charset=utf-8"),
    (&["css"], "text/css; charset=utf-8"),
    (&["js", "mjs"], "text/javascript; charset=utf-8"),
    (&["json", "map"], "application/json"),
    (&["txt"], "text/plain; charset=utf-8"),
    (&["xml"], "application/xml"),
    (&["svg"], "image/svg+xml"),
    (&["jpg", "jpeg"], "image/jpeg"),
    (&["png"], "image/png"),
    (&["webp"], "image/webp"),
    (&["gif"], "image/gif"),
    (&["avif"], "image/avif"),
    (&["ico"], "image/x-icon"),
    (&["woff"], "font/woff"),
    (&["woff2"], "font/woff2"),
    (&["ttf"], "font/ttf"),
    (&["wasm"], "application/wasm"),
    (&["mp4"], "video/mp4"),
    (&["webm"], "video/webm"),
    (&["mp3"], "audio/mpeg"),
    (&["pdf"], "application/pdf"),
    (&["csv"], "text/csv; charset=utf-8"),
    (&["zip"], "application/zip"),
];
const CHUNK_BYTES: usize = 64 << 10;
const PATH_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests;

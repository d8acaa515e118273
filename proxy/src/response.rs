//! From an answer to bytes on the client's connection.
//!
//! A body that breaks off half-way ends the connection (HTTP/1.1) or the stream (HTTP/2) with an error: a client never
//! mistakes a part for the whole.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use overfall_cache::{
    body::{Body, BodyError},
    engine::Early,
    stored::ResponseHead,
};
use pingora::{Error, ErrorType, Result, http::ResponseHeader, proxy::Session};

use crate::dated;

/// Writes an answer whole.
///
/// # Errors
/// When the client went away, or when the body broke off.
pub async fn write(session: &mut Session, head: &ResponseHead, body: Body) -> Result<()> {
    let mut response = ResponseHeader::build(head.status, Some(head.headers.len() + 4))?;
    for (name, value) in &head.headers {
        response.append_header(name, value.clone())?;
    }
    dated::keep(session, &head.headers);
    let is_bodiless = session.req_header().method == Method::HEAD
        || matches!(head.status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT);
    if is_bodiless {
        return session.write_response_header(Box::new(response), true).await;
    }
    match body {
        Body::Full(bytes) => {
            response.insert_header(header::CONTENT_LENGTH, bytes.len())?;
            session.write_response_header(Box::new(response), bytes.is_empty()).await?;
            if bytes.is_empty() { Ok(()) } else { session.write_response_body(Some(bytes), true).await }
        }
        Body::Stream { length, mut stream } => {
            frame(&mut response, length, session.req_header().version)?;
            session.write_response_header(Box::new(response), false).await?;
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(broken)?;
                session.write_response_body(Some(chunk), false).await?;
            }
            session.write_response_body(Some(Bytes::new()), true).await
        }
    }
}

/// Writes interim responses (RFC 9110 section 15.2) to an HTTP/1.1 client. An HTTP/1.0 client does not know them, and
/// pingora has no way to send them over HTTP/2.
pub(crate) struct Hints<'a>(pub(crate) &'a mut Session);

#[async_trait]
impl Early for Hints<'_> {
    async fn interim(&mut self, head: ResponseHead) {
        if self.0.as_downstream().as_http1().is_none() || self.0.req_header().version != Version::HTTP_11 {
            return;
        }
        let Ok(mut interim) = ResponseHeader::build(head.status, Some(head.headers.len())) else { return };
        for (name, value) in &head.headers {
            if interim.append_header(name, value.clone()).is_err() {
                return;
            }
        }
        // a client that is gone is noticed when the answer is written
        drop(self.0.as_downstream_mut().write_response_header(Box::new(interim)).await);
    }
}

/// Says where the body ends: by length, by chunks, or (HTTP/1.0) by the connection's end.
fn frame(response: &mut ResponseHeader, length: Option<u64>, version: Version) -> Result<()> {
    match length {
        Some(length) => response.insert_header(header::CONTENT_LENGTH, HeaderValue::from(length)),
        None if version == Version::HTTP_11 => response.insert_header(header::TRANSFER_ENCODING, "chunked"),
        None => Ok(()),
    }
}

fn broken(error: BodyError) -> Box<Error> {
    Error::because(ErrorType::ReadError, "body broke off", error)
}

/// A short plain answer made by this node.
#[must_use]
pub fn plain(status: u16, message: &str) -> (ResponseHead, Body) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (ResponseHead { status, headers }, Body::Full(format!("{message}\n").into()))
}

//! From an answer to bytes on the client's connection.
//!
//! A body that breaks off half-way ends the connection (HTTP/1.1) or the stream (HTTP/2) with an error: a client never
//! mistakes a part for the whole.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use overfall_cache::{
    body::{Body, BodyError},
    stored::ResponseHead,
};
use pingora::{Error, ErrorType, Result, http::ResponseHeader, proxy::Session};

/// Writes an answer whole.
///
/// # Errors
/// When the client went away, or when the body broke off.
pub async fn write(session: &mut Session, head: &ResponseHead, body: Body) -> Result<()> {
    let mut response = ResponseHeader::build(head.status, Some(head.headers.len() + 4))?;
    for (name, value) in &head.headers {
        response.append_header(name, value.clone())?;
    }
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

//! The demo's HTTP origin: the application server that the S3 bucket was filled from.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch};

use super::{
    accept,
    data::{OBJECTS, Object},
};

/// Largest body that `/echo` gives back, in bytes.
const ECHO_BYTES_MAX: usize = 64 * 1024;

/// Serves until `shutdown`.
pub(super) async fn serve(listener: TcpListener, shutdown: watch::Receiver<bool>) {
    accept::serve(listener, shutdown, |stream| async {
        let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        if let Err(error) = served {
            tracing::debug!(%error, "demo origin connection ended");
        }
    })
    .await;
}

/// Binds on loopback.
pub(super) async fn bind() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    if request.method() == Method::POST && path == "echo" {
        return Ok(echo(request).await);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, or POST /echo\n"));
    }
    let path = if path.is_empty() { "index.html" } else { &path };
    Ok(OBJECTS.iter().find(|object| object.path == path).map_or_else(
        || plain(StatusCode::NOT_FOUND, "the demo has no such object\n"),
        |object| describe(object, request.headers().get(header::IF_NONE_MATCH)),
    ))
}

async fn echo(request: Request<Incoming>) -> Response<Full<Bytes>> {
    match Limited::new(request.into_body(), ECHO_BYTES_MAX).collect().await {
        Ok(body) => Response::new(Full::new(body.to_bytes())),
        Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "64 KiB at most\n"),
    }
}

fn describe(object: &Object, validator: Option<&http::HeaderValue>) -> Response<Full<Bytes>> {
    let etag = format!("\"{:032x}\"", twox_hash::XxHash3_128::oneshot(object.body));
    let is_same = validator.is_some_and(|sent| sent.as_bytes() == etag.as_bytes());
    let builder = Response::builder()
        .header(header::CONTENT_TYPE, object.content_type)
        .header(header::CACHE_CONTROL, object.cache_control)
        .header("Surrogate-Key", object.tags)
        .header("Access-Control-Allow-Origin", "*")
        .header("Timing-Allow-Origin", "*")
        .header(header::ETAG, etag);
    let response = if is_same {
        builder.status(StatusCode::NOT_MODIFIED).body(Full::default())
    } else {
        builder.body(Full::new(Bytes::from_static(object.body)))
    };
    response.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "demo data is malformed\n"))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

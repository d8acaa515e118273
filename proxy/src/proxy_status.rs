//! `Proxy-Status` (RFC 9209): why an answer is one of ours and not an origin's.
//!
//! It stands on answers that this node made because something failed. What failed is named by the RFC's error types; the
//! origin goes by its name in the configuration, never by its address.

use http::{HeaderMap, HeaderName, HeaderValue};
use overfall_cache::{
    origin::OriginError,
    status,
    waterfall::{Attempt, AttemptOutcome, Failure},
};
use pingora::{Error, ErrorSource, ErrorType};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Adds the field for a request that no origin answered.
pub(crate) fn of_failure(headers: &mut HeaderMap, node: &str, failure: &Failure) {
    let last = failure.attempts.last();
    let error = match last.map(|attempt| &attempt.outcome) {
        Some(AttemptOutcome::Failed(error)) => of_attempt(error),
        // an error of the origin that nothing could stand in for
        Some(AttemptOutcome::Status(status)) => {
            return append(headers, node, last, &format!("received-status={}", status.as_u16()));
        }
        None if failure.retry_after_s.is_some() => "connection_limit_reached",
        None => "destination_unavailable",
    };
    append(headers, node, last, &format!("error={error}"));
}

/// Adds the field for a request that was refused with this status.
pub(crate) fn of_refusal(headers: &mut HeaderMap, node: &str, status: u16) {
    let error = match status {
        404 | 421 => "destination_not_found",
        405 => "http_request_denied",
        508 => "proxy_loop_detected",
        _ => "http_request_error",
    };
    append(headers, node, None, &format!("error={error}"));
}

/// Adds the field for a request that could not be passed through.
pub(crate) fn of_passing(headers: &mut HeaderMap, node: &str, error: &Error) {
    let token = match error.etype() {
        _ if *error.esource() == ErrorSource::Downstream => "http_request_error",
        ErrorType::HTTPStatus(413) => "http_request_error",
        ErrorType::HTTPStatus(_) => "destination_unavailable",
        ErrorType::ConnectTimedout => "connection_timeout",
        ErrorType::ConnectRefused => "connection_refused",
        ErrorType::ConnectNoRoute => "destination_ip_unroutable",
        ErrorType::ReadTimedout => "http_response_timeout",
        ErrorType::WriteTimedout => "connection_write_timeout",
        ErrorType::TLSHandshakeFailure | ErrorType::TLSHandshakeTimedout => "tls_protocol_error",
        ErrorType::InvalidCert => "tls_certificate_error",
        ErrorType::ConnectionClosed | ErrorType::ReadError => "connection_terminated",
        _ => "http_protocol_error",
    };
    append(headers, node, None, &format!("error={token}"));
}

/// RFC 9209 section 2.3.
fn of_attempt(error: &OriginError) -> &'static str {
    match error {
        OriginError::Resolve(_) => "dns_error",
        // pingora's words for what the connector met
        OriginError::Connect(said) if said.contains("Timedout") => "connection_timeout",
        OriginError::Connect(said) if said.contains("NoRoute") => "destination_ip_unroutable",
        OriginError::Connect(_) => "connection_refused",
        OriginError::Tls(said) if said.contains("Cert") => "tls_certificate_error",
        OriginError::Tls(_) => "tls_protocol_error",
        OriginError::Timeout => "http_response_timeout",
        OriginError::Protocol(_) => "http_protocol_error",
        OriginError::Disabled | OriginError::BreakerOpen | OriginError::Unhealthy => {
            "destination_unavailable"
        }
        OriginError::Busy { .. } => "connection_limit_reached",
    }
}

fn append(headers: &mut HeaderMap, node: &str, last: Option<&Attempt>, parameter: &str) {
    let next_hop = last.map_or_else(String::new, |last| format!("; next-hop={}", status::item(&last.origin)));
    if let Ok(value) = HeaderValue::try_from(format!("{}; {parameter}{next_hop}", status::item(node))) {
        headers.append(PROXY_STATUS, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: OriginError) -> String {
        let attempt =
            Attempt { origin: "app".to_owned(), outcome: AttemptOutcome::Failed(error), took_ms: 1 };
        told(&Failure { attempts: vec![attempt], ..Failure::default() })
    }

    fn told(failure: &Failure) -> String {
        let mut headers = HeaderMap::new();
        of_failure(&mut headers, "edge 1", failure);
        headers[&PROXY_STATUS].to_str().expect("text").to_owned()
    }

    #[test]
    fn what_failed_last_is_named() {
        let said = |text: &str| text.to_owned();
        let table = [
            (OriginError::Resolve(said("x")), "dns_error"),
            (OriginError::Connect(said("127.0.0.1:1: ConnectTimedout")), "connection_timeout"),
            (OriginError::Connect(said("127.0.0.1:1: ConnectRefused")), "connection_refused"),
            (OriginError::Tls(said("x: InvalidCert")), "tls_certificate_error"),
            (OriginError::Tls(said("x: TLSHandshakeFailure")), "tls_protocol_error"),
            (OriginError::Timeout, "http_response_timeout"),
            (OriginError::Protocol(said("x")), "http_protocol_error"),
            (OriginError::Disabled, "destination_unavailable"),
        ];
        for (error, wanted) in table {
            let wanted = format!("\"edge 1\"; error={wanted}; next-hop=app");
            assert_eq!(failed(error.clone()), wanted, "{error:?}");
        }
        assert_eq!(told(&Failure::default()), "\"edge 1\"; error=destination_unavailable");
        let busy = Failure { retry_after_s: Some(1), ..Failure::default() };
        assert_eq!(told(&busy), "\"edge 1\"; error=connection_limit_reached");
    }
}

//! Problems, which everything here answers with, as OTLP wants failures: a `Status` in the encoding of the request, or the
//! trailers of gRPC.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::middleware::Next;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use promptops_registry::api::v1::Problem;
use promptops_telemetry::otlp::Encoding;

use super::answer::{Failure, GRPC_STATUS, content_type};
use super::{Signal, grpc, http, said};

/// Largest problem, in bytes; those here are far smaller.
const PROBLEM_BYTES: usize = 64 << 10;

/// How whoever asks wants failures to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    OverHttp(Encoding),
    OverGrpc,
}

impl Words {
    fn of(request: &Request) -> Option<Self> {
        let content_type = said(request.headers(), CONTENT_TYPE);
        if content_type.starts_with(grpc::CONTENT) {
            return Some(Self::OverGrpc);
        }
        let is_signal = Signal::ALL.iter().any(|signal| signal.path() == request.uri().path());
        // Protocol buffers are the default of the protocol.
        is_signal.then(|| Self::OverHttp(http::encoding(content_type).unwrap_or(Encoding::Protobuf)))
    }
}

/// Says what goes wrong as whoever sends OTLP understands it.
pub(crate) async fn in_its_words(request: Request, next: Next) -> Response<Body> {
    let words = Words::of(&request);
    let response = next.run(request).await;
    match words {
        Some(words) if !response.status().is_success() => translated(words, response).await,
        _ => response,
    }
}

async fn translated(words: Words, response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, PROBLEM_BYTES).await.unwrap_or_default();
    let message = match serde_json::from_slice::<Problem>(&body) {
        Ok(Problem { detail, hint: Some(hint), .. }) => format!("{detail}; {hint}"),
        Ok(problem) => problem.detail,
        Err(_) => head.status.to_string(),
    };
    let retry_after_s = said(&head.headers, RETRY_AFTER).parse().ok();
    let failure = Failure { code: code(head.status), message: &message, retry_after_s };
    match words {
        Words::OverHttp(encoding) => {
            head.headers.remove(CONTENT_LENGTH);
            head.headers.insert(CONTENT_TYPE, content_type(encoding));
            let body = match encoding {
                Encoding::Protobuf => failure.to_bytes(),
                Encoding::Json => failure.to_json().to_string().into_bytes(),
            };
            Response::from_parts(head, Body::from(body))
        }
        Words::OverGrpc => {
            // Nothing but the head of an answer, which then says what trailers would.
            let mut response = Response::new(Body::empty());
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(grpc::CONTENT));
            headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip"));
            headers.insert(GRPC_STATUS, failure.code.into());
            let details = STANDARD_NO_PAD.encode(failure.to_bytes());
            for (name, value) in [("grpc-message", percent_encoded(&message)), ("grpc-status-details-bin", details)] {
                let value = HeaderValue::try_from(value).expect("the text is printable ASCII");
                headers.insert(HeaderName::from_static(name), value);
            }
            response
        }
    }
}

/// The code of gRPC for a status of HTTP. Senders repeat what is unavailable, and what is exhausted when they are told the delay.
fn code(status: StatusCode) -> i32 {
    match status.as_u16() {
        401 => 16,
        403 => 7,
        404 | 405 | 415 => 12,
        413 | 429 => 8,
        400..=499 => 3,
        503 => 14,
        _ => 13,
    }
}

/// Writes text as gRPC has it in a header: printable ASCII, the rest and `%` as bytes in hexadecimal.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_printable() {
        assert_eq!(percent_encoded("100 % of `é`\n"), "100 %25 of `%C3%A9`%0A");
    }

    #[test]
    fn what_may_be_repeated_has_a_code_that_says_so() {
        for (status, expected) in [(400, 3), (401, 16), (403, 7), (404, 12), (413, 8), (415, 12), (429, 8), (500, 13), (503, 14)]
        {
            assert_eq!(code(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }
}

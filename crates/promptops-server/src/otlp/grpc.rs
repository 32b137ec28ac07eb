//! OTLP over gRPC: one call with one message, which HTTP/2 carries like any request.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use promptops_registry::api::v1::{KindV1, Problem};
use promptops_telemetry::otlp::Encoding;

use super::{Signal, admit, answer, not_kept, record, said};
use crate::access::Caller;
use crate::refusal::Refusal;
use crate::state::Shared;

/// The type of every request and answer.
pub(super) const CONTENT: &str = "application/grpc";
/// Bytes before a message: whether it is packed, and its length.
const PREFIX: usize = 5;

/// Takes what is sent, and answers when it is on the disk.
pub(super) async fn export(
    signal: Signal,
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    admit(&state, &caller)?;
    if !matches!(said(request.headers(), CONTENT_TYPE), CONTENT | "application/grpc+proto") {
        return Err(not_spoken("the message must be protocol buffers"));
    }
    if signal != Signal::Traces {
        state.bodies.discard(request).await?;
        return Ok(framed(&answer::message(&not_kept(signal))));
    }
    let is_gzip = said(request.headers(), "grpc-encoding") == "gzip";
    let mut body = state.bodies.read(request).await?;
    match message(&body.bytes)? {
        Packed::No => drop(body.bytes.drain(..PREFIX)),
        Packed::Yes if is_gzip => state.bodies.unzip(&mut body, PREFIX)?,
        Packed::Yes => return Err(not_spoken("a message is packed otherwise than as gzip")),
    }
    let taken = record(&state, Encoding::Protobuf, body).await?;
    Ok(framed(&answer::message(&taken)))
}

/// Whether a message is packed.
enum Packed {
    No,
    Yes,
}

/// Looks at what stands before the one message of a body.
fn message(body: &[u8]) -> Result<Packed, Refusal> {
    let [flag, a, b, c, d, message @ ..] = body else {
        return Err(Refusal::bad_request("there is no message in the call"));
    };
    if usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])) != Ok(message.len()) {
        return Err(Refusal::bad_request("there is not one whole message in the call"));
    }
    match flag {
        0 => Ok(Packed::No),
        1 => Ok(Packed::Yes),
        _ => Err(Refusal::bad_request("a message begins with neither 0 nor 1")),
    }
}

/// Refuses what gRPC allows and is not spoken here.
fn not_spoken(detail: &str) -> Refusal {
    Problem::new("unsupported-media-type", 415, KindV1::Usage, detail).into()
}

fn framed(message: &[u8]) -> Response<Body> {
    let mut bytes = Vec::with_capacity(PREFIX + message.len());
    bytes.push(0);
    bytes.extend_from_slice(&u32::try_from(message.len()).expect("answers are short").to_be_bytes());
    bytes.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([(answer::GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(Bytes::from(bytes)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_whole_message() {
        assert!(matches!(message(&[0, 0, 0, 0, 2, 8, 9]), Ok(Packed::No)));
        assert!(matches!(message(&[1, 0, 0, 0, 0]), Ok(Packed::Yes)));
        for bad in
            [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 2, 8], &[0, 0, 0, 0, 0, 8], &[2, 0, 0, 0, 0], &[0, 255, 255, 255, 255, 1]]
        {
            assert!(message(bad).is_err(), "{bad:?}");
        }
    }
}

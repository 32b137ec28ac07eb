//! OTLP over HTTP: `POST /v1/traces`, and what it sends besides.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use promptops_registry::api::v1::{KindV1, Problem};
use promptops_telemetry::otlp::Encoding;

use super::{Signal, admit, answer, not_kept, record, said};
use crate::access::Caller;
use crate::refusal::Refusal;
use crate::state::Shared;

/// Takes what is sent, and answers when it is on the disk.
pub(super) async fn export(
    signal: Signal,
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response<axum::body::Body>, Refusal> {
    admit(&state, &caller)?;
    let encoding = encoding(said(request.headers(), CONTENT_TYPE)).ok_or_else(|| {
        let detail = "the body must be `application/x-protobuf` or `application/json`";
        Refusal::from(Problem::new("unsupported-media-type", 415, KindV1::Usage, detail))
    })?;
    let is_packed = match said(request.headers(), CONTENT_ENCODING).to_ascii_lowercase().as_str() {
        "" | "identity" => false,
        "gzip" => true,
        other => return Err(Refusal::bad_request(format!("the body is encoded as `{other}`; taken are gzip and nothing"))),
    };
    if signal != Signal::Traces {
        state.bodies.discard(request).await?;
        return Ok(answer::over_http(signal, encoding, &not_kept(signal)));
    }
    let mut body = state.bodies.read(request).await?;
    if is_packed {
        state.bodies.unzip(&mut body, 0)?;
    }
    let taken = record(&state, encoding, body).await?;
    Ok(answer::over_http(signal, encoding, &taken))
}

/// Returns how a body of this type is written. A page in a browser may send neither to other sites unasked.
pub(super) fn encoding(content_type: &str) -> Option<Encoding> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-protobuf") {
        return Some(Encoding::Protobuf);
    }
    essence.eq_ignore_ascii_case("application/json").then_some(Encoding::Json)
}

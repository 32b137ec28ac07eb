//! `POST /v1/invocations`: records invocations.

use std::io::Read as _;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use promptops_telemetry::ingest::Received;

use crate::access::Caller;
use crate::json::{Now, whole_body};
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Records invocations: a JSON array of them, or one a line as `application/x-ndjson`, gzipped or not.
///
/// The answer comes when they are on the disk. All of them are taken or none; sending them again, in whole or in part, counts
/// nothing twice.
#[utoipa::path(post, operation_id = "recordInvocations", path = "/v1/invocations", tag = "invocations",
    request_body(content(([schema::Object] = "application/json"), (String = "application/x-ndjson"))), responses(
    (status = 200, description = "They are on the disk", body = schema::RecordedInvocations),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn record(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Now<schema::RecordedInvocations>, Refusal> {
    caller.may_record_invocations()?;
    let recording = state.recording()?;
    let (content_type, encoding) = (header(&request, CONTENT_TYPE), header(&request, CONTENT_ENCODING));
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    // What a page in a browser may send to other sites unasked is neither.
    if !["application/json", "application/x-ndjson"].iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
        return Err(Refusal::unsupported_media_type());
    }
    let limit = state.settings.limits.body_bytes;
    let body = whole_body(request, limit).await?;
    let body = match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => body,
        "gzip" => unzip(&body, limit)?,
        other => return Err(Refusal::bad_request(format!("the body is encoded as `{other}`; taken are gzip and nothing"))),
    };
    let received = Received::json(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    drop(body);
    recording.record(received).await.map(|recorded| Now(schema::RecordedInvocations { recorded }))
}

fn header(request: &Request, name: HeaderName) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_owned()
}

/// Reads no more than the limit, however much a small body would become.
fn unzip(body: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut read = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX);
    match MultiGzDecoder::new(body).take(bound.saturating_add(1)).read_to_end(&mut read) {
        Ok(_) if read.len() > limit => Err(Refusal::too_large(limit)),
        Ok(_) => Ok(read.into()),
        Err(error) => Err(Refusal::bad_request(format!("the body is not gzip: {error}"))),
    }
}

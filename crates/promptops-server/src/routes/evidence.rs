//! `POST /v1/evidence`: stores an eval statement.

use axum::Extension;
use axum::extract::State;
use promptops_registry::api::v1::{EvidenceRequest, StoredResponse};

use crate::access::Caller;
use crate::json::{JsonBody, Now};
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Stores an eval statement about a published version. Safe to repeat.
#[utoipa::path(post, operation_id = "recordEvidence", path = "/v1/evidence", tag = "evidence", request_body = schema::EvidenceRequest, responses(
    (status = 200, description = "It is stored", body = schema::Stored),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn record(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    JsonBody(request): JsonBody<EvidenceRequest>,
) -> Result<Now<StoredResponse>, Refusal> {
    let actor = caller.may_record_evidence()?;
    // No rule decides what evidence says, but a server without rules writes nothing.
    state.rules().await?;
    let (registry, now) = (state.registry.clone(), (state.settings.clock)());
    let stored = state.to_the_end(async move { registry.record_evidence(&request.statement, &actor, now).await });
    Ok(Now(StoredResponse { object: stored.await?? }))
}

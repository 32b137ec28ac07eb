//! `POST /v1/approvals`: stores an approval.

use axum::Extension;
use axum::extract::State;
use promptops_registry::api::v1::{ApprovalRequest, StoredResponse};

use crate::access::Caller;
use crate::json::{JsonBody, Now};
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Stores an approval, which counts by its own signature, whoever brings it. Safe to repeat.
#[utoipa::path(post, operation_id = "approve", path = "/v1/approvals", tag = "evidence", request_body = schema::ApprovalRequest, responses(
    (status = 200, description = "It is stored", body = schema::Stored),
    (status = 403, description = "It would not count, or the key does not cover approvals", body = schema::Problem, content_type = "application/problem+json"),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn approve(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    JsonBody(request): JsonBody<ApprovalRequest>,
) -> Result<Now<StoredResponse>, Refusal> {
    let actor = caller.may_approve()?;
    let rules = state.rules().await?;
    let (registry, now) = (state.registry.clone(), (state.settings.clock)());
    let stored = state
        .to_the_end(async move { registry.approve(&request.statement, &request.signature, &rules.owners, &actor, now).await });
    Ok(Now(StoredResponse { object: stored.await?? }))
}

//! `POST /v1/statuses`: a published version is yanked, deprecated, or taken back.

use axum::Extension;
use axum::extract::State;
use promptops_registry::api::v1::{StatusRequestV1, StatusResponse};

use crate::access::Caller;
use crate::json::{JsonBody, Now};
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Changes the status of a published version, by the rules of this server. Safe to repeat.
///
/// Takes a key that may publish the prompt: who may bring versions out may take them back.
#[utoipa::path(post, operation_id = "changeStatus", path = "/v1/statuses", tag = "publish", request_body = schema::StatusRequest, responses(
    (status = 200, description = "It is as asked for", body = schema::StatusResponse),
    (status = 403, description = "An environment runs it, or the key does not cover the prompt", body = schema::Problem, content_type = "application/problem+json"),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn change(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    JsonBody(request): JsonBody<StatusRequestV1>,
) -> Result<Now<StatusResponse>, Refusal> {
    let actor = caller.may_publish(&request.reference.id)?;
    request.as_request().map_err(Refusal::bad_request)?;
    let rules = state.rules().await?;
    let (registry, now) = (state.registry.clone(), (state.settings.clock)());
    let changed = state.to_the_end(async move {
        let request = request.as_request().map_err(Refusal::bad_request)?;
        registry.set_status(&request, rules.authority(), &actor, now).await.map_err(Refusal::from)
    });
    let decision = changed.await??;
    state.keep_index();
    Ok(Now(decision.into()))
}

//! `POST /v1/environments/{name}/rollbacks`: a new release with the pins of an earlier one.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use promptops_registry::api::v1::{ReleasedResponse, RollbackRequest};

use super::environments::environment;
use crate::access::Caller;
use crate::json::{InPath, JsonBody, answer};
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Makes a new release of an environment with the pins of an earlier one. Safe to repeat.
#[utoipa::path(post, operation_id = "rollBack", path = "/v1/environments/{name}/rollbacks", tag = "environments",
    params(("name" = String, Path, description = "The environment", pattern = "^[a-z0-9-]+$", max_length = 60)),
    request_body = schema::RollbackRequest,
    responses(
        (status = 200, description = "The environment has these pins already", body = schema::Released),
        (status = 201, description = "It is rolled back", body = schema::Released),
        (status = 404, description = "There is no such release", body = schema::Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else made a release meanwhile", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn roll_back(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath<String>,
    JsonBody(request): JsonBody<RollbackRequest>,
) -> Result<Response<Body>, Refusal> {
    let environment = environment(&name)?;
    let actor = caller.may_deploy(&environment)?;
    let rules = state.rules().await?;
    let (registry, now) = (state.registry.clone(), (state.settings.clock)());
    let rolled_back = state.to_the_end(async move {
        let (to, reason) = (Some(request.to), request.reason.as_deref());
        match request.force {
            true => registry.force_rollback(&environment, to, rules.authority(), &actor, reason, now).await,
            false => registry.rollback(&environment, to, &actor, reason, now).await,
        }
    });
    let released = rolled_back.await??;
    let status = if released.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &ReleasedResponse::from(released)))
}

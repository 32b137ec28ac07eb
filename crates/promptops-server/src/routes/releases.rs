//! `/v1/environments/{name}/releases`: what was live, and deploying a plan.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_registry::RegistryError;
use promptops_registry::api::v1::{DeployRequest, ReleasedResponse};
use promptops_registry::layout::Key;
use serde::Deserialize;
use utoipa::IntoParams;

use super::environments::environment;
use crate::access::Caller;
use crate::conditional::{asks_anew, immutable};
use crate::json::{InPath, InQuery, JsonBody, MAX_NUMBER, Now, answer};
use crate::refusal::Refusal;
use crate::schema::{self, ReleasePage};
use crate::state::Shared;

/// Releases on a page when nothing is said, and at most.
const MAX_LIMIT: u64 = 100;
/// Releases read at the same time.
const CONCURRENT_READS: usize = 16;

/// Which releases are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReleaseQuery {
    /// The number of the first.
    #[param(nullable = false, minimum = 1)]
    first: Option<u64>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<u64>,
}

/// Lists the releases of an environment, oldest first, a page at a time.
#[utoipa::path(get, operation_id = "listReleases", path = "/v1/environments/{name}/releases", tag = "environments",
    params(("name" = String, Path, description = "The environment", pattern = "^[a-z0-9-]+$", max_length = 60), ReleaseQuery),
    responses(
        (status = 200, body = ReleasePage),
        (status = 404, description = "Nothing was ever deployed", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(state): State<Shared>,
    InPath(name): InPath<String>,
    InQuery(query): InQuery<ReleaseQuery>,
) -> Result<Now<ReleasePage>, Refusal> {
    let environment = environment(&name)?;
    let (first, limit) = (query.first.unwrap_or(1), query.limit.unwrap_or(MAX_LIMIT));
    if first == 0 || first > MAX_NUMBER || limit == 0 || limit > MAX_LIMIT {
        return Err(Refusal::bad_request(format!("`first` is from 1, `limit` from 1 to {MAX_LIMIT}")));
    }
    let current = state.registry.current(&environment).await?;
    let last = current.ok_or_else(|| RegistryError::NothingDeployed { environment: environment.clone() })?.sequence;
    let end = first.saturating_add(limit - 1).min(last);
    let releases = futures::stream::iter(first..=end)
        .map(|sequence| state.registry.release(&environment, sequence))
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await?;
    Ok(Now(ReleasePage { releases, next: (end < last).then_some(end.saturating_add(1)).filter(|_| first <= last) }))
}

/// Shows one release. It never changes.
#[utoipa::path(get, operation_id = "readRelease", path = "/v1/environments/{name}/releases/{sequence}", tag = "environments",
    params(
        ("name" = String, Path, description = "The environment", pattern = "^[a-z0-9-]+$", max_length = 60),
        ("sequence" = u64, Path, description = "Its number", minimum = 1),
    ),
    responses(
        (status = 200, body = schema::Release, headers(("ETag" = String, description = "The SHA-256 of the bytes"))),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 404, description = "There is none", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(
    State(state): State<Shared>,
    InPath((name, sequence)): InPath<(String, u64)>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let environment = environment(&name)?;
    let key = Key::Release(environment.clone(), sequence).to_string();
    let object = if asks_anew(&headers) { state.objects.read(&key).await? } else { state.objects.get(&key).await? };
    let object = object.ok_or(RegistryError::ReleaseNotFound { environment, sequence })?;
    Ok(immutable(&object, "application/json", &headers, state.sharing()))
}

/// Applies exactly what a plan says, as one release, by the rules of this server. Safe to repeat.
#[utoipa::path(post, operation_id = "deploy", path = "/v1/environments/{name}/releases", tag = "environments",
    params(("name" = String, Path, description = "The environment", pattern = "^[a-z0-9-]+$", max_length = 60)),
    request_body = schema::DeployRequest,
    responses(
        (status = 200, description = "It was deployed before, or nothing had to change", body = schema::Released),
        (status = 201, description = "It is deployed", body = schema::Released),
        (status = 403, description = "A demand is not met, or the key does not cover the environment", body = schema::Problem, content_type = "application/problem+json"),
        (status = 409, description = "The environment moved since the plan was made", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn deploy(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath<String>,
    JsonBody(request): JsonBody<DeployRequest>,
) -> Result<Response<Body>, Refusal> {
    let environment = environment(&name)?;
    let actor = caller.may_deploy(&environment)?;
    if request.plan.environment != environment {
        let reason = format!("it is for environment `{}`", request.plan.environment);
        return Err(RegistryError::PlanMismatch { reason }.into());
    }
    if request.plan.format != promptops_registry::record::FORMAT {
        return Err(RegistryError::Newer { key: "plan".to_owned(), found: request.plan.format.into() }.into());
    }
    let rules = state.rules().await?;
    let (registry, now) = (state.registry.clone(), (state.settings.clock)());
    let deployed = state.to_the_end(async move {
        let (plan, authority, reason) = (&request.plan, rules.authority(), request.reason.as_deref());
        match request.force {
            true => registry.force_deploy(plan, authority, &actor, reason, now).await,
            false => registry.deploy(plan, authority, &actor, reason, now).await,
        }
    });
    let released = deployed.await??;
    let status = if released.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &ReleasedResponse::from(released)))
}

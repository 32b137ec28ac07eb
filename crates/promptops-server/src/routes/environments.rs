//! `GET /v1/environments`, `/v1/environments/{name}` and `/v1/environments/{name}/at`: what is, or was, live where.

use axum::extract::State;
use chrono::{DateTime, Utc};
use promptops_registry::{EnvironmentName, RegistryError, Release};
use serde::Deserialize;
use utoipa::IntoParams;

use super::no_name;
use crate::json::{InPath, InQuery, Now};
use crate::refusal::Refusal;
use crate::schema::{self, Environments, Live};
use crate::state::{ServerState, Shared};

/// Lists every environment that was ever deployed to.
#[utoipa::path(get, operation_id = "listEnvironments", path = "/v1/environments", tag = "environments", responses(
    (status = 200, body = Environments),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(state): State<Shared>) -> Result<Now<Environments>, Refusal> {
    let names = state.registry.environments().await?;
    Ok(Now(Environments { environments: names.iter().map(ToString::to_string).collect() }))
}

/// Shows the release that is live in an environment, and what it pins. Read from the store at every request.
#[utoipa::path(get, operation_id = "readEnvironment", path = "/v1/environments/{name}", tag = "environments",
    params(("name" = String, Path, description = "The environment", pattern = "^[a-z0-9-]+$", max_length = 60)),
    responses(
        (status = 200, body = Live),
        (status = 404, description = "Nothing is deployed", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(State(state): State<Shared>, InPath(name): InPath<String>) -> Result<Now<Live>, Refusal> {
    let environment = environment(&name)?;
    let release = state.registry.current(&environment).await?;
    live(&state, release.ok_or(RegistryError::NothingDeployed { environment })?).await
}

/// Which moment is meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimeQuery {
    /// The time, as `2026-11-01T03:00:00Z`.
    #[param(value_type = String, format = "date-time")]
    time: DateTime<Utc>,
}

/// Shows the release that was live in an environment at a time, and what it pinned.
#[utoipa::path(get, operation_id = "readEnvironmentAt", path = "/v1/environments/{name}/at", tag = "environments",
    params(("name" = String, Path, description = "The environment", pattern = "^[a-z0-9-]+$", max_length = 60), TimeQuery),
    responses(
        (status = 200, body = Live),
        (status = 404, description = "Nothing was deployed yet", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn at(
    State(state): State<Shared>,
    InPath(name): InPath<String>,
    InQuery(query): InQuery<TimeQuery>,
) -> Result<Now<Live>, Refusal> {
    live(&state, state.registry.at(&environment(&name)?, query.time).await?).await
}

/// Reads the name of a path.
pub(crate) fn environment(name: &str) -> Result<EnvironmentName, Refusal> {
    name.parse().map_err(no_name)
}

async fn live(state: &ServerState, release: Release) -> Result<Now<Live>, Refusal> {
    let pins = state.registry.pins(&release).await?.prompts;
    Ok(Now(Live { release, pins }))
}

//! `GET /v1/prompts/{id}/versions/{version}`: what a loader resolves. The record as it is stored, never written anew.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use promptops_prompt::{PromptId, PromptRef, Version};
use promptops_registry::layout::Key;
use promptops_registry::{RegistryError, VersionRecord};

use super::no_name;
use crate::cache::CachedObject;
use crate::conditional::{asks_anew, immutable};
use crate::json::InPath;
use crate::refusal::Refusal;
use crate::schema;
use crate::state::{ServerState, Shared};

/// Shows the record of a published version: digest, lineage, metadata as published, provenance. It never changes.
#[utoipa::path(get, operation_id = "readVersion", path = "/v1/prompts/{id}/versions/{version}", tag = "prompts",
    params(
        ("id" = String, Path, description = "The prompt", pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200),
        ("version" = u32, Path, description = "Its version", minimum = 1, maximum = 4294967295i64),
    ),
    responses(
        (status = 200, description = "The record", body = schema::VersionRecord, headers(("ETag" = String, description = "The SHA-256 of the record, which a lock pins"))),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 404, description = "It is not published", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(
    State(state): State<Shared>,
    InPath((id, version)): InPath<(String, u32)>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let object = record(&state, &reference(&id, version)?, asks_anew(&headers)).await?;
    Ok(immutable(&object, "application/json", &headers, state.sharing()))
}

/// Reads the names of a path.
pub(crate) fn reference(id: &str, version: u32) -> Result<PromptRef, Refusal> {
    let id: PromptId = id.parse().map_err(no_name)?;
    let version = Version::new(version).ok_or_else(|| Refusal::bad_request("a version is a whole number from 1"))?;
    Ok(id.at(version))
}

/// Returns the bytes of the record of a version.
pub(crate) async fn record(state: &ServerState, reference: &PromptRef, anew: bool) -> Result<Arc<CachedObject>, Refusal> {
    let key = Key::Version(reference.clone()).to_string();
    let object = if anew { state.objects.read(&key).await? } else { state.objects.get(&key).await? };
    object.ok_or_else(|| RegistryError::VersionNotFound { reference: reference.clone() }.into())
}

/// Returns the record of a version, read.
pub(crate) async fn read_record(state: &ServerState, reference: &PromptRef) -> Result<VersionRecord, Refusal> {
    let object = record(state, reference, false).await?;
    serde_json::from_slice(&object.bytes).map_err(|error| {
        let key = Key::Version(reference.clone()).to_string();
        RegistryError::Corrupt { key, reason: format!("the record is not readable ({error})") }.into()
    })
}

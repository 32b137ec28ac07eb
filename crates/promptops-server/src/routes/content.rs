//! `GET /v1/prompts/{id}/versions/{version}/content`: what reaches the model.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use promptops_registry::RegistryError;
use promptops_registry::layout::Key;

use super::version::{read_record, reference};
use crate::conditional::immutable;
use crate::json::InPath;
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Shows the content of a published version in its canonical form, whose SHA-256 is the digest. It never changes.
#[utoipa::path(get, operation_id = "readContent", path = "/v1/prompts/{id}/versions/{version}/content", tag = "prompts",
    params(
        ("id" = String, Path, description = "The prompt", pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200),
        ("version" = u32, Path, description = "Its version", minimum = 1, maximum = 4294967295i64),
    ),
    responses(
        (status = 200, description = "The content", body = schema::Object, headers(("ETag" = String, description = "The digest of the content"))),
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
    let record = read_record(&state, &reference(&id, version)?).await?;
    let key = Key::Blob(record.digest).to_string();
    let missing = || RegistryError::Corrupt { key: key.clone(), reason: "the content is missing".to_owned() };
    let object = state.objects.get(&key).await?.ok_or_else(missing)?;
    Ok(immutable(&object, "application/json", &headers, state.sharing()))
}

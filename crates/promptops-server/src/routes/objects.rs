//! `GET /v1/objects` and `/v1/objects/{key}`: the objects of the registry as they are, for programs that read a registry.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use promptops_registry::layout::KEYS;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::Caller;
use crate::conditional::{asks_anew, immutable};
use crate::json::{InPath, InQuery, Now};
use crate::refusal::Refusal;
use crate::schema::{self, KeyPage};
use crate::state::Shared;

/// Keys on a page, when nothing is said and at most.
const KEYS_PER_PAGE: usize = 1_000;

/// Which keys are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyQuery {
    /// Only keys below this folder, given as whole segments.
    #[param(nullable = false, pattern = "^([A-Za-z0-9._=+@~-]+/?)*$")]
    prefix: Option<String>,
    /// Only keys that come after this one in the order of their bytes.
    #[param(nullable = false, pattern = "^([A-Za-z0-9._=+@~-]+(/[A-Za-z0-9._=+@~-]+)*)?$")]
    after: Option<String>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Lists the keys of objects below a folder, a page at a time.
#[utoipa::path(get, operation_id = "listObjects", path = "/v1/objects", tag = "objects", params(KeyQuery), responses(
    (status = 200, body = KeyPage),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    InQuery(query): InQuery<KeyQuery>,
) -> Result<Now<KeyPage>, Refusal> {
    let limit = query.limit.unwrap_or(KEYS_PER_PAGE);
    if limit == 0 || limit > KEYS_PER_PAGE {
        return Err(Refusal::bad_request(format!("`limit` is from 1 to {KEYS_PER_PAGE}")));
    }
    let prefix = query.prefix.unwrap_or_default();
    // A listing that left keys out would look like a registry that has lost them.
    if may_cover_keys(&prefix) {
        caller.may_read_keys()?;
    }
    let after = query.after.filter(|after| !after.is_empty());
    let mut keys = state.registry.store().list_page(&prefix, after.as_deref(), limit).await?;
    let next = if keys.len() == limit { keys.last().cloned() } else { None };
    keys.shrink_to_fit();
    Ok(Now(KeyPage { keys, next }))
}

/// Shows an object as it is. It never changes.
#[utoipa::path(get, operation_id = "readObject", path = "/v1/objects/{*key}", tag = "objects",
    params(("key" = String, Path, description = "The key; its `/` may be written as they are", pattern = "^[A-Za-z0-9._=+@~-]+(/[A-Za-z0-9._=+@~-]+)*$")),
    responses(
        (status = 200, description = "The object", body = schema::Bytes, content_type = "application/octet-stream", headers(("ETag" = String, description = "The SHA-256 of the bytes"))),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 404, description = "There is none", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(key): InPath<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    if may_cover_keys(&key) {
        caller.may_read_keys()?;
    }
    let object = if asks_anew(&headers) { state.objects.read(&key).await? } else { state.objects.get(&key).await? };
    let object = object.ok_or_else(|| Refusal::object_not_found(&key))?;
    Ok(immutable(&object, "application/octet-stream", &headers, state.sharing()))
}

/// Tells whether a key or a folder is, or holds, what is stored about API keys.
pub(crate) fn may_cover_keys(prefix: &str) -> bool {
    let first = prefix.split('/').next().unwrap_or_default();
    first.is_empty() || first == KEYS
}

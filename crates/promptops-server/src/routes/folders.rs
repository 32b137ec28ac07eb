//! `GET /v1/folders`: what lies directly below a folder of objects.

use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::objects::may_cover_keys;
use crate::access::Caller;
use crate::json::{InQuery, Now};
use crate::refusal::Refusal;
use crate::schema::{self, Folders};
use crate::state::Shared;

/// Which folder is meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FolderQuery {
    /// The folder, given as whole segments; the root without one.
    #[param(nullable = false, pattern = "^([A-Za-z0-9._=+@~-]+/?)*$")]
    prefix: Option<String>,
}

/// Lists the names of the folders directly below a folder.
#[utoipa::path(get, operation_id = "listFolders", path = "/v1/folders", tag = "objects", params(FolderQuery), responses(
    (status = 200, body = Folders),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    InQuery(query): InQuery<FolderQuery>,
) -> Result<Now<Folders>, Refusal> {
    let prefix = query.prefix.unwrap_or_default();
    // The names below the root are those of the layout, which is no secret; below `keys` they are ids.
    if !prefix.is_empty() && may_cover_keys(&prefix) {
        caller.may_read_keys()?;
    }
    Ok(Now(Folders { folders: state.registry.store().folders(&prefix).await? }))
}

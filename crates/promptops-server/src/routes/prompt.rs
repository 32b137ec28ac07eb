//! `GET /v1/prompts/{id}`: one prompt.

use axum::extract::State;
use promptops_prompt::PromptId;

use super::no_name;
use crate::inventory::one;
use crate::json::{InPath, Now};
use crate::refusal::Refusal;
use crate::schema::{self, PromptSummary};
use crate::state::{Shared, on_one_thread};

/// Shows a prompt: its versions, and the latest of them with the metadata that holds now.
#[utoipa::path(get, operation_id = "readPrompt", path = "/v1/prompts/{id}", tag = "prompts",
    params(("id" = String, Path, description = "The prompt", pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200)),
    responses(
        (status = 200, body = PromptSummary),
        (status = 404, description = "It is not published", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(State(state): State<Shared>, InPath(id): InPath<String>) -> Result<Now<PromptSummary>, Refusal> {
    let id: PromptId = id.parse().map_err(no_name)?;
    let registry = state.registry.clone();
    Ok(Now(on_one_thread(move || async move { one(&registry, &id).await }).await??))
}

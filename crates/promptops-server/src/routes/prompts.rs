//! `GET /v1/prompts`: list and search.

use axum::extract::State;
use promptops_registry::inventory::{Filter, Search};
use serde::Deserialize;
use utoipa::IntoParams;

use super::no_name;
use crate::inventory::page;
use crate::json::{InQuery, Now};
use crate::refusal::Refusal;
use crate::schema::{self, PromptPage};
use crate::state::{Shared, on_one_thread};

/// Prompts on a page when nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// Prompts on a page at most.
const MAX_LIMIT: usize = 200;

/// Which prompts are wanted. Each field narrows.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PromptQuery {
    /// Only prompts with all of these words in id, purpose, owner, model or tags, whatever their case.
    #[param(nullable = false)]
    q: Option<String>,
    /// Only prompts of this owner.
    #[param(nullable = false)]
    owner: Option<String>,
    /// Only prompts with this tag.
    #[param(nullable = false)]
    tag: Option<String>,
    /// Only prompts whose latest version is for this model; a trailing `*` stands for any ending.
    #[param(nullable = false)]
    model: Option<String>,
    /// Only prompts whose latest version is deprecated or yanked.
    #[param(nullable = false)]
    withdrawn: Option<bool>,
    /// Only prompts whose id comes after this one.
    #[param(nullable = false, pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200)]
    after: Option<String>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Lists prompts with their latest versions, a page at a time.
#[utoipa::path(get, operation_id = "listPrompts", path = "/v1/prompts", tag = "prompts", params(PromptQuery), responses(
    (status = 200, body = PromptPage),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(state): State<Shared>, InQuery(query): InQuery<PromptQuery>) -> Result<Now<PromptPage>, Refusal> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(Refusal::bad_request(format!("`limit` is from 1 to {MAX_LIMIT}")));
    }
    let after = query.after.map(|after| after.parse().map_err(no_name)).transpose()?;
    let search = query.q.as_deref().and_then(Search::new);
    let filter = Filter {
        owner: query.owner,
        tags: query.tag.into_iter().collect(),
        model: query.model,
        live: None,
        stale_since: None,
        withdrawn: query.withdrawn.unwrap_or(false),
    };
    let registry = state.registry.clone();
    let found = on_one_thread(move || async move { page(&registry, &filter, search.as_ref(), after.as_ref(), limit).await });
    Ok(Now(found.await??))
}

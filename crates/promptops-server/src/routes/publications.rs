//! `POST /v1/publications`: versions get their place in the registry.

use axum::Extension;
use axum::extract::State;
use promptops_registry::api::v1::{MAX_SUBMISSIONS, PublishRequest, PublishResponse, PublishResult};
use promptops_registry::{RegistryError, Submission};

use crate::access::Caller;
use crate::json::{JsonBody, Now};
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Publishes versions, each after what it needs, by the rules of this server, and says what became of each. Safe to repeat.
///
/// What is published stays published when a later one is refused. A key must cover every prompt, or nothing is published.
#[utoipa::path(post, operation_id = "publish", path = "/v1/publications", tag = "publish", request_body = schema::PublishRequest, responses(
    (status = 200, description = "What became of each", body = schema::PublishResponse),
    (status = 403, description = "The key does not cover a prompt", body = schema::Problem, content_type = "application/problem+json"),
    (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn publish(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    JsonBody(request): JsonBody<PublishRequest>,
) -> Result<Now<PublishResponse>, Refusal> {
    if request.submissions.is_empty() || request.submissions.len() > MAX_SUBMISSIONS {
        return Err(Refusal::bad_request(format!("`submissions` are from 1 to {MAX_SUBMISSIONS}")));
    }
    let mut submissions = Vec::with_capacity(request.submissions.len());
    let mut actor = String::new();
    for (index, submission) in request.submissions.into_iter().enumerate() {
        actor = caller.may_publish(&submission.prompt.id)?;
        let prompt = submission.prompt.into_prompt();
        let prompt = prompt.map_err(|reason| Refusal::bad_request(format!("submission {index} is no prompt: {reason}")))?;
        submissions.push((prompt, submission.provenance));
    }
    let rules = state.rules().await?;
    let (registry, now) = (state.registry.clone(), (state.settings.clock)());
    let published = state.to_the_end(async move {
        let submissions: Vec<Submission<'_>> =
            submissions.iter().map(|(prompt, provenance)| Submission { prompt, provenance }).collect();
        let results = registry.publish_all(&submissions, &rules.policy, &actor, now).await?;
        let results = submissions.iter().zip(results);
        let results = results.map(|(submission, result)| PublishResult::new(submission.prompt.reference(), result));
        Ok::<_, RegistryError>(PublishResponse { results: results.collect() })
    });
    let response = published.await??;
    state.keep_index();
    Ok(Now(response))
}

//! `GET /v1/prompts/{id}/versions/{version}/text`: a version as a person reads it, in a browser or with curl.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use promptops_prompt::{Body as PromptBody, Content, Metadata};
use promptops_registry::VersionRecord;

use super::version::{read_record, reference};
use crate::json::InPath;
use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Shows a published version in plain text: what it is, then what it says. The metadata is what holds now.
#[utoipa::path(get, operation_id = "readText", path = "/v1/prompts/{id}/versions/{version}/text", tag = "prompts",
    params(
        ("id" = String, Path, description = "The prompt", pattern = r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length = 200),
        ("version" = u32, Path, description = "Its version", minimum = 1, maximum = 4294967295i64),
    ),
    responses(
        (status = 200, description = "The version", body = String, content_type = "text/plain"),
        (status = 404, description = "It is not published", body = schema::Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = schema::Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = schema::Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(
    State(state): State<Shared>,
    InPath((id, version)): InPath<(String, u32)>,
) -> Result<Response<Body>, Refusal> {
    let record = read_record(&state, &reference(&id, version)?).await?;
    let content = state.registry.content(&record.digest).await?;
    let metadata = state.registry.metadata(&record).await?;
    let mut response = Response::new(Body::from(write(&record, &content, &metadata)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn write(record: &VersionRecord, content: &Content, metadata: &Metadata) -> String {
    let mut text = format!("{}\n\n", record.reference());
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<12} {value}");
        }
    };
    line("owner", metadata.owner.clone());
    line("purpose", metadata.purpose.clone().unwrap_or_default());
    line("tags", metadata.tags.join(", "));
    line("model", content.model.clone());
    let parameters = content.parameters.iter().map(|(name, value)| format!("{name}={value}"));
    line("parameters", parameters.collect::<Vec<_>>().join(" "));
    line("inputs", content.inputs.keys().cloned().collect::<Vec<_>>().join(", "));
    line("output", content.output.as_ref().map(ToString::to_string).unwrap_or_default());
    line("includes", content.includes.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    line("parent", record.parent.as_ref().map(ToString::to_string).unwrap_or_default());
    line("digest", record.digest.to_string());
    line("author", record.provenance.author.clone());
    line("source", format!("{} {}", record.provenance.source, record.provenance.path));
    line("commit", record.provenance.commit.clone().unwrap_or_default());
    let published = record.published.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    line("published", format!("{published} by {}", record.published.by));
    let mut part = |name: &str, content: &str| {
        let _ = write!(text, "\n--- {name}\n{content}");
        if !content.ends_with('\n') {
            text.push('\n');
        }
    };
    match &content.body {
        PromptBody::Template(template) => part("template", template),
        PromptBody::Messages(messages) => messages.iter().for_each(|message| part(message.role.name(), &message.content)),
    }
    text
}

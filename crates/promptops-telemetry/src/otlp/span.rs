//! A span as a record.

use chrono::DateTime;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::attributes::{Convention, Member};
use super::draft::{Draft, MAX_NAME_BYTES};
use super::request::{Head, Resource};
use super::value::Value;
use crate::hash::{content_hash, derived_id};
use crate::record::{Invocation, Status};

/// Operations of OpenTelemetry's conventions that call no model, or are made of calls that have spans of their own.
const NO_CALLS: [&str; 12] = [
    "create_agent",
    "create_memory",
    "delete_memory",
    "execute_tool",
    "handoff",
    "invoke_agent",
    "invoke_workflow",
    "plan",
    "retrieval",
    "search_memory",
    "update_memory",
    "upsert_memory",
];

/// Returns the kind of call that a span is, or nothing when it is no call of a model.
///
/// The inner value is absent where it is a call of which nobody said the kind.
fn operation(draft: &Draft<'_>) -> Option<Option<String>> {
    let named = draft.name(Member::Operation).map(|name| name.to_ascii_lowercase());
    if draft.value(Member::InvocationId).is_some() {
        return Some(named);
    }
    let has_model = draft.value(Member::RequestedModel).is_some()
        || draft.value(Member::RespondedModel).is_some()
        || invoked(draft).is_some_and(|parameters| parameters.contains_key("model"));
    match (draft.convention(Member::Operation), named.as_deref()) {
        // It marks every request of a provider's client so, also the one for a list of models.
        (Some(Convention::OpenInference), Some("llm")) => has_model.then(|| Some("chat".to_owned())),
        (Some(Convention::OpenInference), Some("embedding")) => has_model.then(|| Some("embeddings".to_owned())),
        (Some(Convention::OpenInference), Some(_)) => None,
        (Some(Convention::OpenLlmetry), Some("completion")) => Some(Some("text_completion".to_owned())),
        (Some(Convention::OpenLlmetry), Some("embedding")) => Some(Some("embeddings".to_owned())),
        (Some(Convention::OpenLlmetry), Some("unknown")) => has_model.then_some(None),
        (_, Some(name)) if NO_CALLS.contains(&name) => None,
        (_, Some("chat" | "embeddings" | "generate_content" | "rerank" | "text_completion")) => Some(named),
        // Others may be added to the conventions; what names a model is a call of it.
        (_, Some(_)) => has_model.then_some(named),
        (_, None) if draft.traceloop_kind.is_some() => None,
        (_, None) => has_model.then_some(None),
    }
}

/// Tells whether a span is a call of a model.
pub(super) fn is_call(draft: &Draft<'_>) -> bool {
    operation(draft).is_some()
}

/// Returns the id of the record that a span becomes: what it says, or what is derived of where it stands, so that it counts
/// once however often it is delivered.
pub(super) fn invocation_id(draft: &Draft<'_>, head: &Head) -> Result<Uuid, String> {
    if let Some(id) = draft.id(Member::InvocationId) {
        return Ok(id);
    }
    if !head.has_ids() {
        return Err("a span has no trace id or no span id".to_owned());
    }
    Ok(derived_id(time(head)?, &[b"otlp", &head.trace_id, &head.span_id]))
}

fn time(head: &Head) -> Result<DateTime<chrono::Utc>, String> {
    match i64::try_from(head.start_ns) {
        Ok(0) => Err("a span has no time of its start".to_owned()),
        // Records are kept to the microsecond.
        Ok(nanoseconds) => {
            DateTime::from_timestamp_micros(nanoseconds / 1_000).ok_or_else(|| "a span has an impossible time".to_owned())
        }
        Err(_) => Err(format!("a span began at an impossible time, `{}` ns", head.start_ns)),
    }
}

/// Makes a record of a span, or returns nothing when it is no call of a model.
///
/// # Errors
/// A call that cannot be told from others or has no time, with the reason.
pub(super) fn record(
    draft: &Draft<'_>,
    head: &Head,
    resource: &Resource,
    scope: Option<&str>,
) -> Result<Option<Invocation>, String> {
    let Some(operation) = operation(draft) else { return Ok(None) };
    let invocation_id = invocation_id(draft, head)?;
    let models = models(draft);
    let error_type = draft.name(Member::ErrorType);
    let is_error = head.is_error || error_type.is_some();
    let exception = || draft.exception.as_ref()?.name(MAX_NAME_BYTES).map(std::borrow::Cow::into_owned);
    Ok(Some(Invocation {
        trace_id: head.has_ids().then(|| hexadecimal(&head.trace_id)),
        span_id: head.has_ids().then(|| hexadecimal(&head.span_id)),
        parent_invocation: draft.id(Member::ParentInvocation),
        agent: draft.name(Member::Agent),
        session: draft.name(Member::Session),
        service: draft.name(Member::Service).or_else(|| resource.service.as_deref().map(str::to_owned)),
        runtime: draft.name(Member::Runtime).or_else(|| resource.runtime.as_deref().map(str::to_owned)),
        environment: draft.name(Member::Environment).or_else(|| resource.environment.as_deref().map(str::to_owned)),
        prompt_id: draft.name(Member::PromptId),
        prompt_version: prompt_version(draft),
        prompt_digest: draft.hash(Member::PromptDigest),
        arm: draft.name(Member::Arm),
        input_hash: draft.hash(Member::InputHash),
        operation,
        provider: draft.name(Member::Provider).map(|name| name.to_ascii_lowercase()),
        requested_model: models.requested,
        responded_model: models.responded,
        response_id: draft.name(Member::ResponseId),
        fingerprint: draft.name(Member::Fingerprint),
        service_tier: draft.name(Member::ServiceTier),
        parameters_hash: parameters_hash(draft),
        tools_hash: tools_hash(draft),
        latency_ms: draft
            .number(Member::LatencyMs)
            .or_else(|| milliseconds(head.start_ns, head.end_ns).filter(|length| is_timed(draft, *length))),
        time_to_first_token_ms: time_to_first_token_ms(draft, head),
        input_tokens: draft.count(Member::InputTokens),
        output_tokens: draft.count(Member::OutputTokens),
        cached_tokens: draft.count(Member::CachedTokens),
        cache_write_tokens: draft.count(Member::CacheWriteTokens),
        reasoning_tokens: draft.count(Member::ReasoningTokens),
        cost_usd: draft.number(Member::CostUsd),
        price_table: draft.name(Member::PriceTable),
        status: if is_error { Status::Error } else { Status::Ok },
        error_type: if is_error { error_type.or_else(exception) } else { None },
        finish_reason: draft.value(Member::FinishReason).and_then(|value| value.first(MAX_NAME_BYTES)).map(finish_reason),
        label: draft.name(Member::Label),
        valid: draft.truth(Member::Valid),
        refusal: draft.truth(Member::Refusal),
        output_length: draft.count(Member::OutputLength),
        scores: draft.scores.iter().map(|(name, score)| (name.clone().into_owned(), *score)).collect(),
        stratum: draft.name(Member::Stratum),
        source: draft.name(Member::Source).or_else(|| scope.filter(|name| is_name(name)).map(str::to_owned)),
        input: draft.value(Member::Input).and_then(Value::content),
        output: draft.value(Member::Output).and_then(Value::content),
        ..Invocation::new(time(head)?, invocation_id)
    }))
}

/// The models of a call, as far as they are known.
struct Models {
    requested: Option<String>,
    responded: Option<String>,
}

fn models(draft: &Draft<'_>) -> Models {
    let (requested, responded) = (draft.name(Member::RequestedModel), draft.name(Member::RespondedModel));
    // OpenInference's `llm.model_name` is what was asked for until an answer says otherwise; what was asked for stays among the
    // parameters. Of a call that failed there is nothing else.
    if requested.is_some() && draft.attribute_of(Member::RequestedModel) != Some("llm.model_name") {
        return Models { requested, responded };
    }
    let asked = invoked(draft).and_then(|mut parameters| parameters.remove("model"));
    match asked {
        Some(Json::String(asked)) if is_name(&asked) => Models { requested: Some(asked), responded: responded.or(requested) },
        _ => Models { requested, responded },
    }
}

/// What OpenInference says a model was invoked with.
fn invoked(draft: &Draft<'_>) -> Option<Map<String, Json>> {
    match (draft.convention(Member::ParametersHash), draft.value(Member::ParametersHash)?.to_json()) {
        (Some(Convention::OpenInference), Some(Json::Object(parameters))) => Some(parameters),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).map(char::from).collect()
}

/// Tells whether the length of a span is how long the call took. Who records by ids of ours and does not know it writes no length.
fn is_timed(draft: &Draft<'_>, length_ms: f64) -> bool {
    length_ms > 0.0 || draft.value(Member::InvocationId).is_none()
}

fn milliseconds(start_ns: u64, end_ns: u64) -> Option<f64> {
    end_ns.checked_sub(start_ns).map(|nanoseconds| nanoseconds as f64 / 1e6)
}

fn time_to_first_token_ms(draft: &Draft<'_>, head: &Head) -> Option<f64> {
    let said = draft.number(Member::TimeToFirstTokenMs);
    // The conventions say it in seconds, we in milliseconds.
    let said = if draft.convention(Member::TimeToFirstTokenMs).is_some() { said.map(|seconds| seconds * 1e3) } else { said };
    said.or_else(|| milliseconds(head.start_ns, draft.first_token_ns?))
}

/// Versions of others may be any text; ours are whole numbers from 1, which some write with a `v`.
fn prompt_version(draft: &Draft<'_>) -> Option<u32> {
    let value = draft.value(Member::PromptVersion)?;
    let count = value.count().or_else(|| value.name(MAX_NAME_BYTES)?.strip_prefix('v')?.parse().ok())?;
    u32::try_from(count).ok().filter(|version| (1..=i32::MAX.unsigned_abs()).contains(version))
}

/// What some providers call otherwise, so that reasons of all can be counted together; as when the SDK reads a reply.
fn finish_reason(reason: String) -> String {
    match reason.as_str() {
        "end_turn" | "stop_sequence" => "stop".to_owned(),
        "max_tokens" | "model_context_window_exceeded" => "length".to_owned(),
        "tool_use" | "tool_call" => "tool_calls".to_owned(),
        _ => reason,
    }
}

fn parameters_hash(draft: &Draft<'_>) -> Option<String> {
    if draft.convention(Member::ParametersHash).is_none() && draft.value(Member::ParametersHash).is_some() {
        return draft.hash(Member::ParametersHash);
    }
    let mut parameters: Map<String, Json> =
        draft.parameters.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.to_json()?))).collect();
    if parameters.is_empty()
        && let Some(mut said) = invoked(draft)
    {
        // What a request has besides its parameters.
        said.retain(|name, _| !matches!(name.as_str(), "model" | "model_name" | "stream"));
        parameters = said;
    }
    (!parameters.is_empty()).then(|| canonical_hash(&Json::Object(parameters))).flatten()
}

fn tools_hash(draft: &Draft<'_>) -> Option<String> {
    let value = draft.value(Member::ToolsHash)?;
    match draft.convention(Member::ToolsHash) {
        None => draft.hash(Member::ToolsHash),
        Some(_) => canonical_hash(&value.to_json()?),
    }
}

/// Hashes JSON by what it says and not by how it is written (RFC 8785), as the SDK does.
fn canonical_hash(json: &Json) -> Option<String> {
    serde_json_canonicalizer::to_string(json).ok().map(|text| content_hash(&text))
}

impl Resource {
    /// Keeps what a resource says of all spans of its process.
    pub(super) fn of(draft: &Draft<'_>) -> Self {
        let boxed = |member| draft.name(member).map(String::into_boxed_str);
        let is_lambda =
            draft.cloud_platform.as_ref().and_then(|platform| platform.name(MAX_NAME_BYTES)).as_deref() == Some("aws_lambda");
        Self {
            // What an SDK says that was told no name.
            service: boxed(Member::Service).filter(|name| !name.starts_with("unknown_service")),
            environment: boxed(Member::Environment),
            runtime: boxed(Member::Runtime).or_else(|| is_lambda.then(|| "lambda".into())),
        }
    }
}

//! Bedrock converse, whole and streamed.

use serde_json::{Value, json};

use super::stream::{Gathered, StreamEvent};
use super::{Reply, count, joined, sum, text};

pub(super) fn read(json: &Value) -> Option<Reply> {
    let parts = json.pointer("/output/message/content")?.as_array()?;
    let finish_reason = json.get("stopReason").and_then(Value::as_str).map(|reason| match reason {
        "end_turn" | "stop_sequence" => "stop",
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "content_filtered" | "guardrail_intervened" => "content_filter",
        other => other,
    });
    let cached_tokens = count(json, "/usage/cacheReadInputTokens");
    let cache_write_tokens = count(json, "/usage/cacheWriteInputTokens");
    Some(Reply {
        text: joined(parts.iter().filter_map(|part| part.get("text")?.as_str())),
        // The reply does not name the model, except where a prompt router chose it.
        model: text(json, "/trace/promptRouter/invokedModelId"),
        operation: Some("chat"),
        provider: Some("aws.bedrock"),
        // As boto3 has it, and as AWS's client for JavaScript.
        request_id: text(json, "/ResponseMetadata/RequestId").or_else(|| text(json, "/$metadata/requestId")),
        response_id: None,
        service_tier: text(json, "/serviceTier/type"),
        fingerprint: None,
        refusal: finish_reason == Some("refusal"),
        finish_reason: finish_reason.map(str::to_owned),
        input_tokens: sum(count(json, "/usage/inputTokens"), [cached_tokens, cache_write_tokens]),
        output_tokens: count(json, "/usage/outputTokens"),
        cached_tokens,
        cache_write_tokens,
        reasoning_tokens: None,
        failure: None,
    })
}

/// Takes an event of a stream: an object with one member, which names it.
pub(super) fn take(event: &Value, so_far: &mut Gathered) -> Option<StreamEvent> {
    let (name, about) = event.as_object()?.iter().find(|(_, about)| about.is_object())?;
    match name.as_str() {
        "messageStart" | "contentBlockStart" | "contentBlockStop" => {}
        "contentBlockDelta" => {
            if let Some(text) = about.pointer("/delta/text").and_then(Value::as_str) {
                so_far.add_text(text);
            }
            return Some(StreamEvent::Token);
        }
        "messageStop" => so_far.keep_each(about, &["stopReason"]),
        "metadata" => {
            so_far.keep_each(about, &["serviceTier", "trace"]);
            so_far.keep_usage(about.get("usage"));
        }
        exception if exception.ends_with("Exception") => so_far.fail(exception),
        _ => return None,
    }
    Some(StreamEvent::Other)
}

/// Makes the reply that the events would have been.
pub(super) fn whole(gathered: Gathered) -> Value {
    let content: Vec<Value> = gathered.text.into_iter().map(|text| json!({"text": text})).collect();
    let mut reply = gathered.members;
    reply.insert("output".to_owned(), json!({"message": {"content": content}}));
    reply.insert("usage".to_owned(), gathered.usage.into());
    reply.into()
}

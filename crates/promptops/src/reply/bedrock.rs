//! Bedrock converse.

use serde_json::Value;

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
    let written_to_cache = count(json, "/usage/cacheWriteInputTokens");
    Some(Reply {
        text: joined(parts.iter().filter_map(|part| part.get("text")?.as_str())),
        // The reply does not name the model, except where a prompt router chose it.
        model: text(json, "/trace/promptRouter/invokedModelId"),
        // As boto3 has it, and as AWS's client for JavaScript.
        request_id: text(json, "/ResponseMetadata/RequestId").or_else(|| text(json, "/$metadata/requestId")),
        fingerprint: None,
        refusal: finish_reason == Some("refusal"),
        finish_reason: finish_reason.map(str::to_owned),
        input_tokens: sum(count(json, "/usage/inputTokens"), [cached_tokens, written_to_cache]),
        output_tokens: count(json, "/usage/outputTokens"),
        cached_tokens,
        reasoning_tokens: None,
    })
}

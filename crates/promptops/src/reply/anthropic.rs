//! Anthropic messages, also as Bedrock's InvokeModel returns them.

use serde_json::Value;

use super::{Reply, count, joined, request_id, sum, text};

pub(super) fn read(json: &Value) -> Option<Reply> {
    let parts = json.get("content")?.as_array()?;
    json.get("stop_reason")?;
    let is_text = |part: &&Value| part.get("type").and_then(Value::as_str) == Some("text");
    let stop_reason = text(json, "/stop_reason");
    let finish_reason = stop_reason.as_deref().map(|reason| match reason {
        "end_turn" | "stop_sequence" => "stop",
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        other => other,
    });
    let cached_tokens = count(json, "/usage/cache_read_input_tokens");
    let written_to_cache = count(json, "/usage/cache_creation_input_tokens");
    Some(Reply {
        text: joined(parts.iter().filter(is_text).filter_map(|part| part.get("text")?.as_str())),
        model: text(json, "/model"),
        request_id: request_id(json),
        fingerprint: None,
        refusal: finish_reason == Some("refusal"),
        finish_reason: finish_reason.map(str::to_owned),
        // `input_tokens` counts only what came after the last cache breakpoint.
        input_tokens: sum(count(json, "/usage/input_tokens"), [cached_tokens, written_to_cache]),
        output_tokens: count(json, "/usage/output_tokens"),
        cached_tokens,
        reasoning_tokens: count(json, "/usage/output_tokens_details/thinking_tokens")
            .or_else(|| count(json, "/usage/output_tokens_details/reasoning_tokens")),
    })
}

//! OpenAI chat completions, and the many servers that speak like them.

use serde_json::Value;

use super::{Reply, count, request_id, text};

pub(super) fn read(json: &Value) -> Option<Reply> {
    let choice = json.get("choices")?.as_array()?.first();
    let said = |pointer| choice.and_then(|choice| text(choice, pointer));
    let refusal = said("/message/refusal").is_some();
    let content = choice.and_then(|choice| choice.pointer("/message/content"));
    Some(Reply {
        text: content.and_then(Value::as_str).map(str::to_owned),
        model: text(json, "/model"),
        request_id: request_id(json),
        fingerprint: text(json, "/system_fingerprint"),
        // Older servers say `function_call` for what became `tool_calls`.
        finish_reason: said("/finish_reason")
            .map(|reason| if reason == "function_call" { "tool_calls".to_owned() } else { reason }),
        refusal,
        input_tokens: count(json, "/usage/prompt_tokens"),
        output_tokens: count(json, "/usage/completion_tokens"),
        cached_tokens: count(json, "/usage/prompt_tokens_details/cached_tokens"),
        reasoning_tokens: count(json, "/usage/completion_tokens_details/reasoning_tokens"),
    })
}

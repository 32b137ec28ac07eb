//! OpenAI responses.

use serde_json::Value;

use super::{Reply, count, joined, request_id, text};

pub(super) fn read(json: &Value) -> Option<Reply> {
    let items = json.get("output")?.as_array()?;
    let has_type = |value: &Value, name: &str| value.get("type").and_then(Value::as_str) == Some(name);
    let messages = items.iter().filter(|item| has_type(item, "message"));
    let parts: Vec<&Value> = messages.filter_map(|item| item.get("content")?.as_array()).flatten().collect();
    let texts = parts.iter().filter(|part| has_type(part, "output_text")).filter_map(|part| part.get("text")?.as_str());
    let refusal = parts.iter().any(|part| has_type(part, "refusal"));
    let calls_tools = items.iter().any(|item| has_type(item, "function_call") || has_type(item, "custom_tool_call"));
    let status = text(json, "/status");
    let finish_reason = match (status.as_deref(), text(json, "/incomplete_details/reason").as_deref()) {
        (Some("completed"), _) if refusal => Some("refusal".to_owned()),
        (Some("completed"), _) if calls_tools => Some("tool_calls".to_owned()),
        (Some("completed"), _) => Some("stop".to_owned()),
        (Some("incomplete"), Some("max_output_tokens")) => Some("length".to_owned()),
        (Some("incomplete"), Some(reason)) => Some(reason.to_owned()),
        _ => status,
    };
    Some(Reply {
        text: joined(texts),
        model: text(json, "/model"),
        request_id: request_id(json),
        fingerprint: None,
        finish_reason,
        refusal,
        input_tokens: count(json, "/usage/input_tokens"),
        output_tokens: count(json, "/usage/output_tokens"),
        cached_tokens: count(json, "/usage/input_tokens_details/cached_tokens"),
        reasoning_tokens: count(json, "/usage/output_tokens_details/reasoning_tokens"),
    })
}

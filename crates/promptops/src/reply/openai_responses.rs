//! OpenAI responses.

use serde_json::{Value, json};

use super::stream::{Gathered, StreamEvent};
use super::{Reply, count, joined, request_id, text};
use crate::error_type::error_type;

pub(super) fn read(json: &Value) -> Option<Reply> {
    let items = json.get("output")?.as_array()?;
    let has_type = |value: &Value, name: &str| value.get("type").and_then(Value::as_str) == Some(name);
    let messages = items.iter().filter(|item| has_type(item, "message"));
    let parts: Vec<&Value> = messages.filter_map(|item| item.get("content")?.as_array()).flatten().collect();
    let texts = parts.iter().filter(|part| has_type(part, "output_text")).filter_map(|part| part.get("text")?.as_str());
    let refusal = parts.iter().any(|part| has_type(part, "refusal"));
    let calls_tools = items.iter().any(|item| has_type(item, "function_call") || has_type(item, "custom_tool_call"));
    let status = text(json, "/status");
    let failed = status.as_deref() == Some("failed");
    let failure = failed.then(|| error_type(&text(json, "/error/code").unwrap_or_else(|| "server_error".to_owned())));
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
        operation: Some("chat"),
        provider: None,
        request_id: request_id(json),
        response_id: text(json, "/id"),
        service_tier: text(json, "/service_tier"),
        fingerprint: None,
        finish_reason,
        refusal,
        input_tokens: count(json, "/usage/input_tokens"),
        output_tokens: count(json, "/usage/output_tokens"),
        cached_tokens: count(json, "/usage/input_tokens_details/cached_tokens"),
        cache_write_tokens: count(json, "/usage/input_tokens_details/cache_write_tokens"),
        reasoning_tokens: count(json, "/usage/output_tokens_details/reasoning_tokens"),
        failure,
    })
}

/// Takes an event of a stream. The last one holds the whole response.
pub(super) fn take(event: &Value, so_far: &mut Gathered) -> Option<StreamEvent> {
    let name = event.get("type")?.as_str()?;
    if name == "error" && event.get("error").is_none() {
        so_far.fail(event.get("code").and_then(Value::as_str).unwrap_or("server_error"));
        return Some(StreamEvent::Other);
    }
    let name = name.strip_prefix("response.")?;
    if let Some(response) = event.get("response").filter(|response| response.is_object()) {
        so_far.keep_each(response, &["id", "model"]);
        if matches!(name, "completed" | "incomplete" | "failed" | "cancelled") {
            so_far.whole = Some(response.clone());
        }
        return Some(StreamEvent::Other);
    }
    if !name.ends_with(".delta") {
        return Some(StreamEvent::Other);
    }
    let delta = event.get("delta").and_then(Value::as_str).unwrap_or_default();
    match name {
        "output_text.delta" => so_far.add_text(delta),
        "refusal.delta" => so_far.keep("refusal", &Value::from(delta)),
        _ => {}
    }
    Some(StreamEvent::Token)
}

/// Returns the response of the last event, or makes one of what came before the stream ended early.
pub(super) fn whole(gathered: Gathered) -> Value {
    let mut response = gathered.members;
    let head = response.get("_request_id").cloned();
    if let Some(Value::Object(whole)) = gathered.whole {
        response = whole;
        if let Some(id) = head {
            response.insert("_request_id".to_owned(), id);
        }
        return response.into();
    }
    let refusal = response.remove("refusal").map(|refusal| json!({"type": "refusal", "refusal": refusal}));
    let text = gathered.text.map(|text| json!({"type": "output_text", "text": text}));
    let parts: Vec<Value> = text.into_iter().chain(refusal).collect();
    response.insert("output".to_owned(), json!([{"type": "message", "content": parts}]));
    response.into()
}

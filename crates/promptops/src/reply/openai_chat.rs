//! OpenAI chat completions, and the many servers that speak like them.

use serde_json::{Value, json};

use super::stream::{Gathered, StreamEvent};
use super::{Reply, count, request_id, text};

pub(super) fn read(json: &Value) -> Option<Reply> {
    let choice = json.get("choices")?.as_array()?.first();
    let said = |pointer| choice.and_then(|choice| text(choice, pointer));
    let refusal = said("/message/refusal").is_some();
    let content = choice.and_then(|choice| choice.pointer("/message/content"));
    Some(Reply {
        text: content.and_then(Value::as_str).map(str::to_owned),
        model: text(json, "/model"),
        operation: Some("chat"),
        provider: None,
        request_id: request_id(json),
        response_id: text(json, "/id"),
        service_tier: text(json, "/service_tier"),
        fingerprint: text(json, "/system_fingerprint"),
        // Older servers say `function_call` for what became `tool_calls`.
        finish_reason: said("/finish_reason")
            .map(|reason| if reason == "function_call" { "tool_calls".to_owned() } else { reason }),
        refusal,
        input_tokens: count(json, "/usage/prompt_tokens"),
        output_tokens: count(json, "/usage/completion_tokens"),
        cached_tokens: count(json, "/usage/prompt_tokens_details/cached_tokens"),
        cache_write_tokens: count(json, "/usage/prompt_tokens_details/cache_write_tokens"),
        reasoning_tokens: count(json, "/usage/completion_tokens_details/reasoning_tokens"),
        failure: None,
    })
}

/// What a delta holds when the model has begun to answer; the two of reasoning are those of servers that speak like OpenAI's.
const SAID: [&str; 6] = ["content", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning"];

/// Takes a chunk of a stream, also as the client's helper for streams wraps it. Of several choices, the first is read.
pub(super) fn take(event: &Value, so_far: &mut Gathered) -> Option<StreamEvent> {
    let is_wrapped = event.get("type").and_then(Value::as_str) == Some("chunk");
    let chunk = if is_wrapped { event.get("chunk")? } else { event };
    let choices = chunk.get("choices")?.as_array()?;
    if choices.iter().any(|choice| choice.get("delta").is_none()) {
        return None;
    }
    so_far.keep_each(chunk, &["id", "model", "service_tier", "system_fingerprint"]);
    so_far.keep_usage(chunk.get("usage"));
    let is_first = |choice: &&Value| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
    let Some(choice) = choices.iter().find(is_first) else { return Some(StreamEvent::Other) };
    so_far.keep_each(choice, &["finish_reason"]);
    let delta = choice.get("delta")?;
    so_far.keep_each(delta, &["refusal"]);
    if let Some(text) = delta.get("content").and_then(Value::as_str) {
        so_far.add_text(text);
    }
    let is_said = |said: &Value| match said {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(calls) => !calls.is_empty(),
        _ => true,
    };
    let says = SAID.iter().filter_map(|name| delta.get(name)).any(is_said);
    Some(if says { StreamEvent::Token } else { StreamEvent::Other })
}

/// Makes the completion that the chunks would have been.
pub(super) fn whole(gathered: Gathered) -> Value {
    let mut completion = gathered.members;
    let finish_reason = completion.remove("finish_reason");
    let refusal = completion.remove("refusal");
    let message = json!({"content": gathered.text, "refusal": refusal});
    completion.insert("choices".to_owned(), json!([{"finish_reason": finish_reason, "message": message}]));
    completion.insert("usage".to_owned(), gathered.usage.into());
    completion.into()
}

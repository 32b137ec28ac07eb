//! Anthropic messages, also as Bedrock's InvokeModel returns them.

use serde_json::{Value, json};

use super::stream::{Gathered, StreamEvent};
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
    let cache_write_tokens = count(json, "/usage/cache_creation_input_tokens");
    Some(Reply {
        text: joined(parts.iter().filter(is_text).filter_map(|part| part.get("text")?.as_str())),
        model: text(json, "/model"),
        operation: Some("chat"),
        provider: None,
        request_id: request_id(json),
        response_id: text(json, "/id"),
        service_tier: text(json, "/usage/service_tier"),
        fingerprint: None,
        refusal: finish_reason == Some("refusal"),
        finish_reason: finish_reason.map(str::to_owned),
        // `input_tokens` counts only what came after the last cache breakpoint.
        input_tokens: sum(count(json, "/usage/input_tokens"), [cached_tokens, cache_write_tokens]),
        output_tokens: count(json, "/usage/output_tokens"),
        cached_tokens,
        cache_write_tokens,
        reasoning_tokens: count(json, "/usage/output_tokens_details/thinking_tokens")
            .or_else(|| count(json, "/usage/output_tokens_details/reasoning_tokens")),
        failure: None,
    })
}

/// Takes an event of a streamed message. The client's helper for streams adds events that repeat these, which are left out.
pub(super) fn take(event: &Value, so_far: &mut Gathered) -> Option<StreamEvent> {
    match event.get("type")?.as_str()? {
        "message_start" => {
            let message = event.get("message")?;
            so_far.keep_each(message, &["id", "model", "stop_reason"]);
            so_far.keep_usage(message.get("usage"));
        }
        "content_block_start" => {
            if let Some(text) = event.pointer("/content_block/text").and_then(Value::as_str) {
                so_far.add_text(text);
            }
        }
        "content_block_delta" => {
            if let Some(text) = event.pointer("/delta/text").and_then(Value::as_str) {
                so_far.add_text(text);
            }
            return Some(StreamEvent::Token);
        }
        "message_delta" => {
            so_far.keep_each(event.get("delta")?, &["stop_reason"]);
            so_far.keep_usage(event.get("usage"));
        }
        "error" => so_far.fail(event.pointer("/error/type")?.as_str()?),
        "content_block_stop" | "message_stop" | "ping" => {}
        _ => return None,
    }
    Some(StreamEvent::Other)
}

/// Makes the message that the events would have been.
pub(super) fn whole(gathered: Gathered) -> Value {
    let content: Vec<Value> = gathered.text.into_iter().map(|text| json!({"type": "text", "text": text})).collect();
    let mut message = gathered.members;
    message.entry("stop_reason").or_insert(Value::Null);
    message.insert("content".to_owned(), content.into());
    message.insert("usage".to_owned(), gathered.usage.into());
    message.into()
}

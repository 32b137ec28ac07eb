//! Anthropic's messages.
//!
//! `POST <url>/messages`. Shapes: the types of <https://github.com/anthropics/anthropic-sdk-python>.

use serde_json::{Map, Value, json};

use promptops_prompt::Role;

use super::parameters::{Parameters, arguments, list, tools};
use super::refusal;
use super::server_sent_events::Event;
use super::{Answer, Call, ClientError, ToolCall, Usage};

/// The version of the API that requests name unless the provider's settings name another. It knows no `temperature`, `top_p`
/// and `top_k`, which `2023-06-01` does.
pub const VERSION: &str = "2026-10-21";
/// The most tokens of an answer, where the prompt does not say: the API demands a number.
pub const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Returns the body of a request. `stop`, `max_completion_tokens` and `tool_choice` may be written as for chat completions.
pub(super) fn body(call: &Call, is_stream: bool) -> Value {
    let mut parameters = Parameters::of(&call.parameters);
    let limit = parameters.take(&["max_tokens", "max_completion_tokens"]).unwrap_or_else(|| DEFAULT_MAX_TOKENS.into());
    let (stop, choice) = (parameters.take(&["stop"]), parameters.take(&["tool_choice"]));
    let mut body = parameters.rest();
    body.insert("max_tokens".into(), limit);
    if let Some(stop) = stop {
        body.insert("stop_sequences".into(), list(stop));
    }
    if let Some(choice) = choice {
        body.insert("tool_choice".into(), tool_choice(choice));
    }
    body.insert("model".into(), call.model.clone().into());
    let is_system = |role: Role| matches!(role, Role::System | Role::Developer);
    let system: Vec<&str> =
        call.messages.iter().filter(|message| is_system(message.role)).map(|message| message.content.as_str()).collect();
    if !system.is_empty() {
        body.insert("system".into(), system.join("\n\n").into());
    }
    let others = call.messages.iter().filter(|message| !is_system(message.role));
    body.insert(
        "messages".into(),
        others.map(|message| json!({"role": message.role.name(), "content": message.content})).collect(),
    );
    if let Some(stated) = &call.tools {
        let turned = tools(stated, |function| {
            let mut tool = json!({"name": function.name, "input_schema": function.schema});
            if let Some(description) = function.description {
                tool["description"] = description.clone();
            }
            tool
        });
        body.insert("tools".into(), turned);
    }
    if is_stream {
        body.insert("stream".into(), true.into());
    }
    Value::Object(body)
}

/// Turns the choice of chat completions into Anthropic's; one that is Anthropic's already stays.
fn tool_choice(choice: Value) -> Value {
    match choice.as_str() {
        Some("required") => json!({"type": "any"}),
        Some(other) => json!({"type": other}),
        None => match choice.pointer("/function/name") {
            Some(name) => json!({"type": "tool", "name": name}),
            None => choice,
        },
    }
}

/// Tells whether an event has a piece of the answer.
pub(super) fn is_content(event: &Event) -> bool {
    event.name == "content_block_delta"
}

/// Puts a stream together to the document that would have come without one.
pub(super) fn assemble(events: &[Event]) -> Result<Value, ClientError> {
    let (mut document, mut blocks) = (Map::new(), Vec::new());
    for event in events {
        let data: Value =
            serde_json::from_str(&event.data).map_err(|_| refusal::malformed("has an event that is not JSON", &event.data))?;
        match data["type"].as_str().unwrap_or_default() {
            "message_start" => document = data["message"].as_object().cloned().unwrap_or_default(),
            "content_block_start" => blocks.push(data["content_block"].clone()),
            "content_block_delta" => {
                if let Some(block) = blocks.last_mut() {
                    extend(block, &data["delta"]);
                }
            }
            "message_delta" => {
                for (name, value) in data["delta"].as_object().into_iter().flatten() {
                    document.insert(name.clone(), value.clone());
                }
                let usage = document.entry("usage").or_insert_with(|| json!({}));
                for (name, value) in data["usage"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                    usage[name] = value.clone();
                }
            }
            "message_stop" => {
                document.insert("content".into(), blocks.into());
                return Ok(Value::Object(document));
            }
            "error" => return Err(refusal::of_event(data["error"]["type"].as_str().unwrap_or_default(), &event.data)),
            _ => {}
        }
    }
    Err(refusal::cut_off())
}

fn extend(block: &mut Value, delta: &Value) {
    if let (Some(piece), Some(Value::String(text))) = (delta["text"].as_str(), block.get_mut("text")) {
        text.push_str(piece);
    }
    // The arguments of a tool come as pieces of JSON; kept as text until they are whole.
    if let Some(piece) = delta["partial_json"].as_str() {
        match &mut block["input"] {
            Value::String(text) => text.push_str(piece),
            input => *input = piece.into(),
        }
    }
}

/// Reads the answer out of a document; an error says what the document does.
pub(super) fn answer(json: &Value) -> Result<Answer, &'static str> {
    let content = json["content"].as_array().ok_or("has no `content`")?;
    let (mut text, mut tool_calls) = (String::new(), Vec::new());
    for block in content {
        match block["type"].as_str().unwrap_or_default() {
            "text" => text.push_str(block["text"].as_str().unwrap_or_default()),
            "tool_use" => tool_calls.push(ToolCall {
                name: block["name"].as_str().unwrap_or_default().to_owned(),
                arguments: block["input"].as_str().map_or_else(|| block["input"].clone(), arguments),
            }),
            _ => {}
        }
    }
    Ok(Answer {
        text,
        tool_calls,
        model: json["model"].as_str().unwrap_or_default().to_owned(),
        finish_reason: json["stop_reason"].as_str().map(str::to_owned),
        usage: json.get("usage").filter(|usage| usage.is_object()).map(usage),
        ..Answer::default()
    })
}

/// Anthropic counts what was cached apart from the other input.
fn usage(json: &Value) -> Usage {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (cached_input, cache_write) = (number("/cache_read_input_tokens"), number("/cache_creation_input_tokens"));
    Usage {
        input: number("/input_tokens") + cached_input + cache_write,
        output: number("/output_tokens"),
        cached_input,
        cache_write,
        reasoning: number("/output_tokens_details/thinking_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::Message;

    use super::*;

    fn call(parameters: &Value, tools: Option<Value>) -> Call {
        let message = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![message(Role::System, "Sort."), message(Role::User, "x"), message(Role::Developer, "Briefly.")];
        Call { model: "m".into(), messages, parameters: parameters.as_object().unwrap().clone(), tools }
    }

    #[test]
    fn instructions_leave_the_messages_and_a_limit_is_always_stated() {
        let expected = json!({"temperature": 0, "max_tokens": 4096, "model": "m", "system": "Sort.\n\nBriefly.",
            "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(body(&call(&json!({"temperature": 0}), None), false), expected);
    }

    #[test]
    fn what_chat_completions_name_otherwise_is_translated() {
        let parameters = json!({"max_completion_tokens": 9, "stop": "END", "tool_choice": "required", "top_k": 3});
        let tools =
            json!([{"type": "function", "function": {"name": "f", "description": "d"}}, {"name": "own", "input_schema": {}}]);
        let body = body(&call(&parameters, Some(tools)), true);
        assert_eq!(body["max_tokens"], 9);
        assert_eq!(body["stop_sequences"], json!(["END"]));
        assert_eq!(body["tool_choice"], json!({"type": "any"}));
        assert_eq!((&body["top_k"], &body["stream"]), (&json!(3), &json!(true)));
        let schema = json!({"type": "object", "properties": {}});
        assert_eq!(
            body["tools"],
            json!([{"name": "f", "input_schema": schema, "description": "d"}, {"name": "own", "input_schema": {}}])
        );
        assert_eq!(tool_choice(json!({"type": "function", "function": {"name": "f"}})), json!({"type": "tool", "name": "f"}));
        assert_eq!(tool_choice(json!({"type": "auto"})), json!({"type": "auto"}));
    }

    #[test]
    fn the_input_counts_what_was_cached() {
        let json =
            json!({"input_tokens": 10, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20, "output_tokens": 3});
        assert_eq!(usage(&json), Usage { input: 100, output: 3, cached_input: 70, cache_write: 20, reasoning: 0 });
    }

    #[test]
    fn a_stream_gives_what_the_document_would() {
        let event = |data: Value| Event { name: data["type"].as_str().unwrap().to_owned(), data: data.to_string() };
        let mut events = vec![
            event(json!({"type": "message_start", "message": {"model": "m-1", "content": [], "stop_reason": null,
                "usage": {"input_tokens": 8, "output_tokens": 1}}})),
            event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
            event(json!({"type": "ping"})),
            event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "bil"}})),
            event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ling"}})),
            event(json!({"type": "content_block_stop", "index": 0})),
            event(
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}),
            ),
            event(
                json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\""}}),
            ),
            event(
                json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ": 1}"}}),
            ),
            event(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}})),
        ];
        assert!(is_content(&events[3]) && !is_content(&events[2]));
        assert!(matches!(assemble(&events), Err(ClientError::Malformed(_))));
        events.push(event(json!({"type": "message_stop"})));
        let answer = answer(&assemble(&events).unwrap()).unwrap();
        assert_eq!((answer.text.as_str(), answer.finish_reason.as_deref()), ("billing", Some("tool_use")));
        assert_eq!(answer.tool_calls, [ToolCall { name: "f".into(), arguments: json!({"a": 1}) }]);
        assert_eq!(answer.usage, Some(Usage { input: 8, output: 9, ..Usage::default() }));
        let overloaded = event(json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}));
        assert!(matches!(assemble(&[overloaded]), Err(ClientError::Server { .. })));
    }
}

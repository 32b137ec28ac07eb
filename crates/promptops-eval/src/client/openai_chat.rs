//! OpenAI's chat completions, and whatever is compatible with them.
//!
//! `POST <url>/chat/completions`. Shapes: <https://github.com/openai/openai-openapi>.

use serde_json::{Map, Value, json};

use super::parameters::{Parameters, arguments};
use super::refusal;
use super::server_sent_events::Event;
use super::{Answer, Call, ClientError, ToolCall, Usage};

/// Returns the body of a request: the parameters, then what they may not override.
pub(super) fn body(call: &Call, is_stream: bool) -> Value {
    let mut body = Parameters::of(&call.parameters).rest();
    body.insert("model".into(), call.model.clone().into());
    let messages = call.messages.iter().map(|message| json!({"role": message.role.name(), "content": message.content}));
    body.insert("messages".into(), messages.collect());
    if let Some(tools) = &call.tools {
        body.insert("tools".into(), tools.clone());
    }
    if is_stream {
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    Value::Object(body)
}

/// Tells whether an event has a piece of the answer.
pub(super) fn is_content(event: &Event) -> bool {
    let Ok(data) = serde_json::from_str::<Value>(&event.data) else { return false };
    let delta = &data["choices"][0]["delta"];
    let has_text = |name: &str| delta[name].as_str().is_some_and(|text| !text.is_empty());
    ["content", "refusal", "reasoning_content", "reasoning"].into_iter().any(has_text) || delta["tool_calls"].is_array()
}

/// Puts a stream together to the document that would have come without one.
pub(super) fn assemble(events: &[Event]) -> Result<Value, ClientError> {
    let mut document = Map::new();
    let (mut message, mut tools, mut finish_reason) = (Map::new(), Vec::new(), Value::Null);
    let mut logprobs: Vec<Value> = Vec::new();
    let mut is_complete = false;
    for event in events {
        if event.data == "[DONE]" {
            is_complete = true;
            break;
        }
        let Ok(Value::Object(chunk)) = serde_json::from_str(&event.data) else {
            return Err(refusal::malformed("has an event that is not JSON", &event.data));
        };
        if chunk.contains_key("error") {
            let kind = chunk["error"]["type"].as_str().or_else(|| chunk["error"]["code"].as_str()).unwrap_or_default();
            return Err(refusal::of_event(kind, &event.data));
        }
        for name in ["id", "model", "system_fingerprint", "usage"] {
            if let Some(value) = chunk.get(name).filter(|value| !value.is_null()) {
                document.insert(name.to_owned(), value.clone());
            }
        }
        // The last chunk has the usage and no choice.
        let Some(choice) = chunk.get("choices").and_then(|choices| choices.get(0)) else { continue };
        for name in ["content", "refusal"] {
            append(&mut message, name, &choice["delta"][name]);
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            merge_tool_call(&mut tools, call);
        }
        let pieces = choice["logprobs"]["content"].as_array().into_iter().flatten();
        logprobs.extend(pieces.map(|piece| json!({"logprob": piece["logprob"]})));
        if !choice["finish_reason"].is_null() {
            finish_reason = choice["finish_reason"].clone();
        }
    }
    // Some servers leave `[DONE]` out; a reason why the model stopped says as much.
    if !is_complete && finish_reason.is_null() {
        return Err(refusal::cut_off());
    }
    message.entry("content").or_insert(Value::Null);
    if !tools.is_empty() {
        message.insert("tool_calls".into(), tools.into());
    }
    let mut choice = json!({"message": message, "finish_reason": finish_reason});
    if !logprobs.is_empty() {
        choice["logprobs"] = json!({"content": logprobs});
    }
    document.insert("choices".into(), json!([choice]));
    Ok(Value::Object(document))
}

fn append(message: &mut Map<String, Value>, name: &str, piece: &Value) {
    let Some(piece) = piece.as_str() else { return };
    match message.get_mut(name) {
        Some(Value::String(text)) => text.push_str(piece),
        _ => drop(message.insert(name.to_owned(), piece.into())),
    }
}

fn merge_tool_call(tools: &mut Vec<Value>, piece: &Value) {
    let index = piece["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(tools.len());
    // A number far beyond the calls so far is a mistake of the server, not a list to be made.
    if index > tools.len() {
        return;
    }
    if index == tools.len() {
        tools.push(json!({"type": "function", "function": {"name": "", "arguments": ""}}));
    }
    let tool = &mut tools[index];
    if piece["id"].is_string() {
        tool["id"] = piece["id"].clone();
    }
    for name in ["name", "arguments"] {
        if let (Some(text), Value::String(whole)) = (piece["function"][name].as_str(), &mut tool["function"][name]) {
            whole.push_str(text);
        }
    }
}

/// Reads the answer out of a document; an error says what the document does.
pub(super) fn answer(json: &Value) -> Result<Answer, &'static str> {
    let choice = json.pointer("/choices/0").ok_or("has no `choices`")?;
    let message = &choice["message"];
    let tool_calls: Vec<ToolCall> = message["tool_calls"].as_array().into_iter().flatten().map(tool_call).collect();
    let text = match (&message["content"], &message["refusal"]) {
        // A refusal is what the model said.
        (Value::String(text), Value::String(refusal)) if text.is_empty() => refusal.clone(),
        (Value::String(text), _) => text.clone(),
        (_, Value::String(refusal)) => refusal.clone(),
        (Value::Null, _) if message.is_object() => String::new(),
        _ => return Err("has no `message.content`"),
    };
    let string = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Answer {
        text,
        tool_calls,
        model: string(&json["model"]).unwrap_or_default(),
        fingerprint: string(&json["system_fingerprint"]),
        finish_reason: string(&choice["finish_reason"]),
        usage: json.get("usage").filter(|usage| usage.is_object()).map(usage),
        perplexity: perplexity(&choice["logprobs"]["content"]),
        ..Answer::default()
    })
}

fn perplexity(tokens: &Value) -> Option<f64> {
    let tokens = tokens.as_array().filter(|tokens| !tokens.is_empty())?;
    let logarithms: Option<Vec<f64>> = tokens.iter().map(|token| token["logprob"].as_f64()).collect();
    let mean = logarithms?.iter().sum::<f64>() / tokens.len() as f64;
    Some((-mean).exp()).filter(|perplexity| perplexity.is_finite())
}

fn tool_call(json: &Value) -> ToolCall {
    // A custom tool has an `input` in words of its own instead of arguments.
    let (name, written) = match json.get("custom") {
        Some(custom) => (&custom["name"], custom["input"].as_str().map(|input| Value::String(input.to_owned()))),
        None => (&json["function"]["name"], json["function"]["arguments"].as_str().map(arguments)),
    };
    ToolCall {
        name: name.as_str().unwrap_or_default().to_owned(),
        arguments: written.unwrap_or_else(|| json["function"]["arguments"].clone()),
    }
}

fn usage(json: &Value) -> Usage {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    Usage {
        input: number("/prompt_tokens"),
        output: number("/completion_tokens"),
        cached_input: number("/prompt_tokens_details/cached_tokens"),
        cache_write: number("/prompt_tokens_details/cache_write_tokens"),
        reasoning: number("/completion_tokens_details/reasoning_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::{Message, Role};

    use super::super::{Api, Exchange, decode};
    use super::*;

    fn decoded(body: &Value) -> Result<Answer, ClientError> {
        decode(&Exchange::document(Api::OpenaiChat, 200, body.to_string(), 7))
    }

    #[test]
    fn reads_text_model_usage_and_finish_reason() {
        let body = json!({
            "model": "m-2026-01", "system_fingerprint": "fp", "choices": [{"message": {"content": "billing"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 90, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 3}},
        });
        assert_eq!(
            decoded(&body).unwrap(),
            Answer {
                text: "billing".into(),
                model: "m-2026-01".into(),
                fingerprint: Some("fp".into()),
                finish_reason: Some("stop".into()),
                usage: Some(Usage { input: 90, output: 5, cached_input: 64, cache_write: 0, reasoning: 3 }),
                latency_ms: 7,
                ..Answer::default()
            }
        );
    }

    #[test]
    fn a_refusal_and_a_tool_call_are_answers() {
        let refusal = json!({"choices": [{"message": {"content": null, "refusal": "I cannot"}}]});
        assert_eq!(decoded(&refusal).unwrap().text, "I cannot");
        let function = json!({"name": "look_up", "arguments": "{\"order\": 7}"});
        let call = json!({"choices": [{"message": {"content": null, "tool_calls": [{"id": "1", "function": function}]}}]});
        let answer = decoded(&call).unwrap();
        assert_eq!(answer.text, "");
        let expected = ToolCall { name: "look_up".into(), arguments: json!({"order": 7}) };
        assert_eq!(answer.tool_calls, [expected]);
    }

    #[test]
    fn a_body_that_is_no_completion_is_malformed_and_quoted_in_part() {
        for body in ["<html>", "{}", r#"{"choices": []}"#, r#"{"choices": [{"message": 3}]}"#, "null", &"x".repeat(999)] {
            let error = decode(&Exchange::document(Api::OpenaiChat, 200, body, 0)).unwrap_err();
            assert!(matches!(error, ClientError::Malformed(_)), "{error}");
            assert!(error.to_string().len() < 300, "{error}");
        }
    }

    #[test]
    fn parameters_never_override_model_and_messages() {
        let parameters = json!({"temperature": 0, "stream": true, "model": "other", "messages": []});
        let call = Call {
            model: "m".into(),
            messages: vec![Message { role: Role::User, content: "x".into() }],
            parameters: parameters.as_object().unwrap().clone(),
            tools: None,
        };
        let messages = json!([{"role": "user", "content": "x"}]);
        assert_eq!(body(&call, false), json!({"temperature": 0, "model": "m", "messages": messages}));
        assert_eq!(body(&call, true)["stream_options"], json!({"include_usage": true}));
    }

    fn stream(chunks: &[Value]) -> Vec<Event> {
        chunks.iter().map(|chunk| Event { name: String::new(), data: chunk.to_string() }).collect()
    }

    #[test]
    fn pieces_of_a_tool_call_make_one() {
        let piece = |call: Value| json!({"model": "m", "choices": [{"delta": {"tool_calls": [call]}, "finish_reason": null}]});
        let events = stream(&[
            piece(json!({"index": 0, "id": "1", "function": {"name": "look_up", "arguments": ""}})),
            piece(json!({"index": 0, "function": {"arguments": "{\"order\""}})),
            piece(json!({"index": 0, "function": {"arguments": ": 7}"}})),
            piece(json!({"index": 9, "function": {"arguments": "lost"}})),
            json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}),
        ]);
        assert!(is_content(&events[0]) && !is_content(&events[4]));
        let answer = answer(&assemble(&events).unwrap()).unwrap();
        assert_eq!(answer.tool_calls, [ToolCall { name: "look_up".into(), arguments: json!({"order": 7}) }]);
        assert_eq!(answer.finish_reason.as_deref(), Some("tool_calls"));
    }

    #[test]
    fn a_stream_that_ends_early_or_in_an_error_is_no_answer() {
        let start = json!({"choices": [{"delta": {"content": "bil"}, "finish_reason": null}]});
        assert!(matches!(assemble(&stream(std::slice::from_ref(&start))), Err(ClientError::Malformed(_))));
        let error = json!({"error": {"type": "server_error", "message": "sorry"}});
        assert!(matches!(assemble(&stream(&[start, error])), Err(ClientError::Server { status: 500, .. })));
    }
}

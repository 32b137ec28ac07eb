//! OpenAI's responses.
//!
//! `POST <url>/responses`. Shapes: <https://github.com/openai/openai-openapi>.

use serde_json::{Value, json};

use super::parameters::{Parameters, arguments, tools};
use super::refusal;
use super::server_sent_events::Event;
use super::{Answer, Call, ClientError, ToolCall, Usage};

/// Returns the body of a request. `max_tokens`, `response_format` and `reasoning_effort` may be written as for chat
/// completions.
pub(super) fn body(call: &Call, is_stream: bool) -> Value {
    let mut parameters = Parameters::of(&call.parameters);
    let limit = parameters.take(&["max_output_tokens", "max_completion_tokens", "max_tokens"]);
    let (format, effort) = (parameters.take(&["response_format"]), parameters.take(&["reasoning_effort"]));
    let mut body = parameters.rest();
    if let Some(limit) = limit {
        body.insert("max_output_tokens".into(), limit);
    }
    if let Some(format) = format {
        body.entry("text").or_insert_with(|| json!({}))["format"] = text_format(format);
    }
    if let Some(effort) = effort {
        body.entry("reasoning").or_insert_with(|| json!({}))["effort"] = effort;
    }
    // Nothing of an eval needs to be kept at the provider; a prompt may say otherwise.
    body.entry("store").or_insert(Value::Bool(false));
    body.insert("model".into(), call.model.clone().into());
    let input = call.messages.iter().map(|message| json!({"role": message.role.name(), "content": message.content}));
    body.insert("input".into(), input.collect());
    if let Some(stated) = &call.tools {
        let flat = tools(stated, |function| {
            let mut tool = json!({"type": "function", "name": function.name, "parameters": function.schema, "strict": false});
            if let Some(description) = function.description {
                tool["description"] = description.clone();
            }
            tool
        });
        body.insert("tools".into(), flat);
    }
    if is_stream {
        body.insert("stream".into(), true.into());
    }
    Value::Object(body)
}

/// Lifts what chat completions nest in `json_schema`.
fn text_format(mut format: Value) -> Value {
    let nested = format.as_object_mut().and_then(|format| format.shift_remove("json_schema"));
    if let (Some(Value::Object(nested)), Some(format)) = (nested, format.as_object_mut()) {
        format.extend(nested);
    }
    format
}

/// Tells whether an event has a piece of the answer.
pub(super) fn is_content(event: &Event) -> bool {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    data["type"].as_str().is_some_and(|kind| kind.ends_with(".delta"))
}

/// Finds the whole response, which the last event of a stream has.
pub(super) fn assemble(events: &[Event]) -> Result<Value, ClientError> {
    for event in events {
        let data: Value =
            serde_json::from_str(&event.data).map_err(|_| refusal::malformed("has an event that is not JSON", &event.data))?;
        match data["type"].as_str().unwrap_or_default() {
            "response.completed" | "response.incomplete" | "response.failed" => return Ok(data["response"].clone()),
            "error" => return Err(refusal::of_event(data["code"].as_str().unwrap_or_default(), &event.data)),
            _ => {}
        }
    }
    Err(refusal::cut_off())
}

/// Reads the answer out of a document; an error says what the document does.
pub(super) fn answer(json: &Value) -> Result<Answer, &'static str> {
    let output = json["output"].as_array().ok_or("has no `output`")?;
    let status = json["status"].as_str();
    if status == Some("failed") || status == Some("cancelled") {
        return Err("says that the response failed");
    }
    let (mut text, mut tool_calls) = (String::new(), Vec::new());
    for item in output {
        match item["type"].as_str().unwrap_or_default() {
            "message" => {
                for part in item["content"].as_array().into_iter().flatten() {
                    // A refusal is what the model said.
                    text.push_str(part["text"].as_str().or_else(|| part["refusal"].as_str()).unwrap_or_default());
                }
            }
            "function_call" | "custom_tool_call" => tool_calls.push(ToolCall {
                name: item["name"].as_str().unwrap_or_default().to_owned(),
                arguments: match item["arguments"].as_str() {
                    Some(written) => arguments(written),
                    None => item["input"].clone(),
                },
            }),
            _ => {}
        }
    }
    let reason = json.pointer("/incomplete_details/reason").and_then(Value::as_str).or(status);
    Ok(Answer {
        text,
        tool_calls,
        model: json["model"].as_str().unwrap_or_default().to_owned(),
        finish_reason: reason.map(str::to_owned),
        usage: json.get("usage").filter(|usage| usage.is_object()).map(usage),
        ..Answer::default()
    })
}

fn usage(json: &Value) -> Usage {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    Usage {
        input: number("/input_tokens"),
        output: number("/output_tokens"),
        cached_input: number("/input_tokens_details/cached_tokens"),
        cache_write: number("/input_tokens_details/cache_write_tokens"),
        reasoning: number("/output_tokens_details/reasoning_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::{Message, Role};

    use super::*;

    fn call(parameters: &Value, tools: Option<Value>) -> Call {
        let messages = vec![Message { role: Role::User, content: "x".into() }];
        Call { model: "m".into(), messages, parameters: parameters.as_object().unwrap().clone(), tools }
    }

    #[test]
    fn what_chat_completions_name_otherwise_is_translated() {
        let schema = json!({"name": "label", "schema": {"type": "string"}, "strict": true});
        let parameters = json!({"max_tokens": 9, "temperature": 0, "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": schema}});
        let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
        let expected = json!({
            "temperature": 0, "max_output_tokens": 9, "reasoning": {"effort": "low"}, "store": false, "model": "m",
            "text": {"format": {"type": "json_schema", "name": "label", "schema": {"type": "string"}, "strict": true}},
            "input": [{"role": "user", "content": "x"}],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
        });
        assert_eq!(body(&call(&parameters, Some(tools)), false), expected);
        let own = json!({"store": true, "reasoning": {"effort": "high"}, "max_output_tokens": 3});
        let expected = json!({"store": true, "reasoning": {"effort": "high"}, "max_output_tokens": 3, "model": "m",
            "input": [{"role": "user", "content": "x"}], "stream": true});
        assert_eq!(body(&call(&own, None), true), expected);
    }

    #[test]
    fn text_tools_and_the_reason_to_stop_are_found_among_the_output() {
        let document = json!({
            "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "model": "m-1",
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            ],
            "usage": {"input_tokens": 5, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 2},
                "output_tokens_details": {"reasoning_tokens": 3}},
        });
        let answer = answer(&document).unwrap();
        assert_eq!((answer.text.as_str(), answer.finish_reason.as_deref()), ("ab", Some("max_output_tokens")));
        assert_eq!(answer.tool_calls[0].arguments, json!({}));
        assert_eq!(answer.usage, Some(Usage { input: 5, output: 4, cached_input: 2, cache_write: 0, reasoning: 3 }));
    }

    #[test]
    fn a_failed_response_is_no_answer() {
        assert!(answer(&json!({"status": "failed", "output": [], "error": {"code": "server_error"}})).is_err());
        assert!(answer(&json!({"choices": []})).is_err());
        let event = |data: Value| Event { name: String::new(), data: data.to_string() };
        let started = event(json!({"type": "response.created", "response": {}}));
        assert!(matches!(assemble(std::slice::from_ref(&started)), Err(ClientError::Malformed(_))));
        let error = event(json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}));
        assert!(matches!(assemble(&[started, error]), Err(ClientError::RateLimit { .. })));
    }
}

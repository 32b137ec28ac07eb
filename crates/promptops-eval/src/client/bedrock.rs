//! Amazon Bedrock's converse.
//!
//! `POST <url>/model/<model>/converse`, or `/converse-stream`. Shapes: the service model of `bedrock-runtime` in botocore.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use promptops_prompt::Role;
use serde_json::{Map, Value, json};

use super::parameters::{Parameters, arguments, list, tools};
use super::refusal;
use super::server_sent_events::Event;
use super::{Answer, Call, ClientError, ToolCall, Usage};

/// The service that a signature is for.
pub(super) const SERVICE: &str = "bedrock";
/// The members of a request that a prompt may state in Bedrock's own form.
const OWN: [&str; 9] = [
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];
/// Everything but what RFC 3986 leaves as it is: a model's name may be an ARN.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns the path of a request.
pub(super) fn path(call: &Call, is_stream: bool) -> String {
    let model = utf8_percent_encode(&call.model, SEGMENT);
    format!("/model/{model}/{}", if is_stream { "converse-stream" } else { "converse" })
}

/// Returns the body of a request. `temperature`, `top_p`, `max_tokens`, `stop` and `tool_choice` may be written as for chat
/// completions; what Bedrock does not know is for the model itself.
pub(super) fn body(call: &Call) -> Value {
    let mut parameters = Parameters::of(&call.parameters);
    let mut body = Map::new();
    for name in OWN {
        if let Some(value) = parameters.take(&[name]) {
            body.insert(name.to_owned(), value);
        }
    }
    let limit = parameters.take(&["max_tokens", "max_completion_tokens"]);
    let common = [
        ("maxTokens", limit),
        ("temperature", parameters.take(&["temperature"])),
        ("topP", parameters.take(&["top_p"])),
        ("stopSequences", parameters.take(&["stop", "stop_sequences"]).map(list)),
    ];
    for (name, value) in common {
        if let Some(value) = value {
            body.entry("inferenceConfig").or_insert_with(|| json!({}))[name] = value;
        }
    }
    let mut tool_config = match parameters.take(&["toolConfig"]) {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    if let Some(stated) = &call.tools {
        tool_config.insert("tools".into(), tools(stated, tool));
    }
    if let Some(choice) = parameters.take(&["tool_choice"]) {
        tool_config.insert("toolChoice".into(), tool_choice(choice));
    }
    if !tool_config.is_empty() {
        body.insert("toolConfig".into(), tool_config.into());
    }
    let rest = parameters.rest();
    if !rest.is_empty() {
        let fields = body.entry("additionalModelRequestFields").or_insert_with(|| json!({}));
        for (name, value) in rest {
            fields[name] = value;
        }
    }
    let is_system = |role: Role| matches!(role, Role::System | Role::Developer);
    let text = |content: &str| json!({"text": content});
    let system: Vec<Value> =
        call.messages.iter().filter(|message| is_system(message.role)).map(|message| text(&message.content)).collect();
    if !system.is_empty() {
        body.insert("system".into(), system.into());
    }
    let others = call.messages.iter().filter(|message| !is_system(message.role));
    body.insert(
        "messages".into(),
        others.map(|message| json!({"role": message.role.name(), "content": [text(&message.content)]})).collect(),
    );
    Value::Object(body)
}

fn tool(function: &super::parameters::Function<'_>) -> Value {
    let mut spec = json!({"name": function.name, "inputSchema": {"json": function.schema}});
    if let Some(description) = function.description {
        spec["description"] = description.clone();
    }
    json!({"toolSpec": spec})
}

/// Turns the choice of chat completions into Bedrock's; one that is Bedrock's already stays.
fn tool_choice(choice: Value) -> Value {
    match choice.as_str() {
        Some("required") => json!({"any": {}}),
        Some(other) => json!({other: {}}),
        None => match choice.pointer("/function/name") {
            Some(name) => json!({"tool": {"name": name}}),
            None => choice,
        },
    }
}

/// Tells whether an event has a piece of the answer.
pub(super) fn is_content(event: &Event) -> bool {
    event.name == "contentBlockDelta"
}

/// Puts a stream together to the document that would have come without one.
pub(super) fn assemble(events: &[Event]) -> Result<Value, ClientError> {
    let (mut document, mut blocks) = (Map::new(), Vec::new());
    let mut is_complete = false;
    for event in events {
        let data: Value =
            serde_json::from_str(&event.data).map_err(|_| refusal::malformed("has an event that is not JSON", &event.data))?;
        match event.name.as_str() {
            "contentBlockStart" => blocks.push(data["start"].clone()),
            "contentBlockDelta" => extend(&mut blocks, &data["delta"], data["contentBlockIndex"].as_u64()),
            "messageStop" => {
                is_complete = true;
                document.insert("stopReason".into(), data["stopReason"].clone());
            }
            "metadata" => {
                for name in ["usage", "metrics"] {
                    document.insert(name.to_owned(), data[name].clone());
                }
            }
            name if name.ends_with("Exception") => return Err(refusal::of_event(name, &event.data)),
            _ => {}
        }
    }
    if !is_complete {
        return Err(refusal::cut_off());
    }
    document.insert("output".into(), json!({"message": {"role": "assistant", "content": blocks}}));
    Ok(Value::Object(document))
}

/// Adds a piece to the block that it belongs to. Blocks of text have no start of their own.
fn extend(blocks: &mut Vec<Value>, delta: &Value, index: Option<u64>) {
    let wanted = index.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
    if wanted >= blocks.len() {
        blocks.push(json!({}));
    }
    let Some(block) = blocks.last_mut() else { return };
    if let Some(piece) = delta["text"].as_str() {
        match &mut block["text"] {
            Value::String(text) => text.push_str(piece),
            text => *text = piece.into(),
        }
    }
    // The arguments of a tool come as pieces of JSON; kept as text until they are whole.
    if let Some(piece) = delta.pointer("/toolUse/input").and_then(Value::as_str) {
        match &mut block["toolUse"]["input"] {
            Value::String(text) => text.push_str(piece),
            input => *input = piece.into(),
        }
    }
}

/// Reads the answer out of a document; an error says what the document does.
pub(super) fn answer(json: &Value) -> Result<Answer, &'static str> {
    let content = json.pointer("/output/message/content").and_then(Value::as_array).ok_or("has no `output.message.content`")?;
    let (mut text, mut tool_calls) = (String::new(), Vec::new());
    for block in content {
        text.push_str(block["text"].as_str().unwrap_or_default());
        if let Some(call) = block.get("toolUse") {
            tool_calls.push(ToolCall {
                name: call["name"].as_str().unwrap_or_default().to_owned(),
                arguments: call["input"].as_str().map_or_else(|| call["input"].clone(), arguments),
            });
        }
    }
    Ok(Answer {
        text,
        tool_calls,
        finish_reason: json["stopReason"].as_str().map(str::to_owned),
        usage: json.get("usage").filter(|usage| usage.is_object()).map(usage),
        ..Answer::default()
    })
}

/// Bedrock counts what was cached apart from the other input, and does not tell reasoning apart.
fn usage(json: &Value) -> Usage {
    let number = |name: &str| json[name].as_u64().unwrap_or(0);
    let (cached_input, cache_write) = (number("cacheReadInputTokens"), number("cacheWriteInputTokens"));
    let input = number("inputTokens") + cached_input + cache_write;
    Usage { input, output: number("outputTokens"), cached_input, cache_write, reasoning: 0 }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::Message;

    use super::*;

    fn call(model: &str, parameters: &Value, tools: Option<Value>) -> Call {
        let message = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![message(Role::System, "Sort."), message(Role::User, "x")];
        Call { model: model.into(), messages, parameters: parameters.as_object().unwrap().clone(), tools }
    }

    #[test]
    fn a_model_may_be_an_arn() {
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.m-v1:0";
        let path = path(&call(arn, &json!({}), None), true);
        assert_eq!(path, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m-v1%3A0/converse-stream");
    }

    #[test]
    fn each_parameter_finds_its_place() {
        let parameters = json!({"temperature": 0, "max_tokens": 5, "stop": ["END"], "top_k": 3, "tool_choice": "auto",
            "inferenceConfig": {"topP": 0.5}, "serviceTier": {"type": "flex"}});
        let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
        let expected = json!({
            "inferenceConfig": {"topP": 0.5, "maxTokens": 5, "temperature": 0, "stopSequences": ["END"]},
            "serviceTier": {"type": "flex"},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}], "toolChoice": {"auto": {}}},
            "additionalModelRequestFields": {"top_k": 3},
            "system": [{"text": "Sort."}],
            "messages": [{"role": "user", "content": [{"text": "x"}]}],
        });
        assert_eq!(body(&call("m", &parameters, Some(tools))), expected);
    }

    #[test]
    fn a_stream_gives_what_the_document_would() {
        let event = |name: &str, data: Value| Event { name: name.to_owned(), data: data.to_string() };
        let mut events = vec![
            event("messageStart", json!({"role": "assistant"})),
            event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "bil"}})),
            event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "ling"}})),
            event("contentBlockStop", json!({"contentBlockIndex": 0})),
            event("contentBlockStart", json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})),
            event("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"a\""}}})),
            event("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": ": 1}"}}})),
        ];
        assert!(matches!(assemble(&events), Err(ClientError::Malformed(_))));
        events.push(event("messageStop", json!({"stopReason": "tool_use"})));
        let counted = json!({"inputTokens": 8, "outputTokens": 2, "totalTokens": 15, "cacheReadInputTokens": 5});
        events.push(event("metadata", json!({"usage": counted, "metrics": {"latencyMs": 3}})));
        let answer = answer(&assemble(&events).unwrap()).unwrap();
        assert_eq!((answer.text.as_str(), answer.finish_reason.as_deref()), ("billing", Some("tool_use")));
        assert_eq!(answer.tool_calls, [ToolCall { name: "f".into(), arguments: json!({"a": 1}) }]);
        assert_eq!(answer.usage, Some(Usage { input: 13, output: 2, cached_input: 5, ..Usage::default() }));
        let throttled = event("throttlingException", json!({"message": "slow down"}));
        assert!(matches!(assemble(&[throttled]), Err(ClientError::RateLimit { .. })));
    }
}

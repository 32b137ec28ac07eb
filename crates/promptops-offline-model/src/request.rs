//! Reading a chat completion request, with a refusal that names the parameter at fault.

use serde_json::{Map, Value};

use crate::api_error::ApiError;

/// A chat completion request; what the endpoint does not use is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The model asked for.
    pub model: String,
    /// The conversation, oldest first; never empty.
    pub messages: Vec<Message>,
    /// 0 to 2; 0 (the default here) is deterministic.
    pub temperature: f64,
    /// Most tokens to write.
    pub max_tokens: Option<usize>,
    /// Decides the draw at a temperature above 0.
    pub seed: Option<i64>,
    /// The form the answer must take.
    pub response_format: ResponseFormat,
}

/// One message of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; text parts are joined by line breaks.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions; `developer` is read as this too.
    System,
    /// The user, or the example of one.
    User,
    /// An earlier answer, or the example of one.
    Assistant,
}

/// The form the answer must take.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ResponseFormat {
    /// As the prompt says.
    #[default]
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that satisfies this schema.
    JsonSchema(Value),
}

impl Request {
    /// Reads a request from the bytes of its JSON body.
    ///
    /// # Errors
    /// [`ApiError::InvalidRequest`] naming the parameter that is missing, of the wrong type or out of range.
    pub fn from_slice(body: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(body).map_err(|error| ApiError::InvalidRequest {
            message: format!("could not parse the JSON body: `{error}`"),
            param: None,
        })?;
        Self::from_json(&value)
    }

    /// Reads a request from its JSON body.
    ///
    /// # Errors
    /// As [`Request::from_slice`].
    pub fn from_json(body: &Value) -> Result<Self, ApiError> {
        let body = body
            .as_object()
            .ok_or_else(|| ApiError::InvalidRequest { message: "the body must be a JSON object".to_owned(), param: None })?;
        let model = match body.get("model") {
            Some(Value::String(model)) if !model.is_empty() => model.clone(),
            Some(_) => return Err(ApiError::parameter("model", "`model` must be a non-empty string")),
            None => return Err(ApiError::parameter("model", "you must provide a `model` parameter")),
        };
        refuse_unsupported(body)?;
        Ok(Self {
            model,
            messages: messages(body.get("messages"))?,
            temperature: temperature(body.get("temperature"))?,
            max_tokens: max_tokens(body)?,
            seed: seed(body.get("seed"))?,
            response_format: response_format(body.get("response_format"))?,
        })
    }
}

/// What a client would notice missing is refused rather than ignored.
fn refuse_unsupported(body: &Map<String, Value>) -> Result<(), ApiError> {
    if body.get("stream") == Some(&Value::Bool(true)) {
        return Err(ApiError::parameter("stream", "the offline model does not stream"));
    }
    if body.get("n").is_some_and(|n| !n.is_null() && n.as_u64() != Some(1)) {
        return Err(ApiError::parameter("n", "the offline model gives exactly one choice"));
    }
    Ok(())
}

fn messages(value: Option<&Value>) -> Result<Vec<Message>, ApiError> {
    let Some(list) = value.and_then(Value::as_array) else {
        return Err(ApiError::parameter("messages", "`messages` must be an array"));
    };
    if list.is_empty() {
        return Err(ApiError::parameter("messages", "`messages` must not be empty"));
    }
    list.iter().enumerate().map(|(index, message)| read_message(index, message)).collect()
}

fn read_message(index: usize, message: &Value) -> Result<Message, ApiError> {
    let place = |field: &str| format!("messages[{index}].{field}");
    let role = match message.get("role").and_then(Value::as_str) {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => {
            let roles = "`role` must be one of `system`, `developer`, `user`, `assistant`";
            return Err(ApiError::parameter(&place("role"), roles));
        }
    };
    let content = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Option<Vec<&str>> = parts.iter().map(text_part).collect();
            let message = "the offline model reads content parts of type `text` only";
            texts.ok_or_else(|| ApiError::parameter(&place("content"), message))?.join("\n")
        }
        _ => {
            let message = "`content` must be a string or an array of parts";
            return Err(ApiError::parameter(&place("content"), message));
        }
    };
    Ok(Message { role, content })
}

fn text_part(part: &Value) -> Option<&str> {
    let is_text = part.get("type").and_then(Value::as_str) == Some("text");
    part.get("text").and_then(Value::as_str).filter(|_| is_text)
}

fn temperature(value: Option<&Value>) -> Result<f64, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(0.0),
        Some(value) => {
            let number = value.as_f64().filter(|number| (0.0..=2.0).contains(number));
            number.ok_or_else(|| ApiError::parameter("temperature", "`temperature` must be a number from 0 to 2"))
        }
    }
}

fn max_tokens(body: &Map<String, Value>) -> Result<Option<usize>, ApiError> {
    for name in ["max_completion_tokens", "max_tokens"] {
        match body.get(name) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let limit = value.as_u64().filter(|limit| *limit > 0).and_then(|limit| usize::try_from(limit).ok());
                let message = format!("`{name}` must be a positive integer");
                return limit.map(Some).ok_or_else(|| ApiError::parameter(name, message));
            }
        }
    }
    Ok(None)
}

fn seed(value: Option<&Value>) -> Result<Option<i64>, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let seed = value.as_i64().map(Some);
            seed.ok_or_else(|| ApiError::parameter("seed", "`seed` must be an integer"))
        }
    }
}

fn response_format(value: Option<&Value>) -> Result<ResponseFormat, ApiError> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(ResponseFormat::Text);
    };
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => match value.pointer("/json_schema/schema") {
            Some(schema @ Value::Object(_)) => Ok(ResponseFormat::JsonSchema(schema.clone())),
            _ => {
                let message = "`json_schema.schema` must be an object";
                Err(ApiError::parameter("response_format.json_schema", message))
            }
        },
        _ => {
            let message = "`type` must be one of `text`, `json_object`, `json_schema`";
            Err(ApiError::parameter("response_format.type", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused_param(body: Value) -> Option<String> {
        match Request::from_json(&body) {
            Err(ApiError::InvalidRequest { param, .. }) => param,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn a_full_request_is_read() {
        let request = Request::from_json(&json!({
            "model": "m", "temperature": 0.5, "max_tokens": 9, "seed": -3, "stream": false, "n": 1, "user": "ignored",
            "messages": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["a"]}}},
        }));
        let request = request.expect("the request is valid");
        assert_eq!(request.messages[0], Message { role: Role::System, content: "be brief".into() });
        assert_eq!(request.messages[1].content, "a\nb");
        assert_eq!((request.temperature, request.max_tokens, request.seed), (0.5, Some(9), Some(-3)));
        assert_eq!(request.response_format, ResponseFormat::JsonSchema(json!({"enum": ["a"]})));
    }

    #[test]
    fn each_fault_names_its_parameter() {
        let user = json!([{"role": "user", "content": "x"}]);
        let cases = [
            (json!([]), None),
            (json!({"messages": user}), Some("model")),
            (json!({"model": 3, "messages": user}), Some("model")),
            (json!({"model": "m"}), Some("messages")),
            (json!({"model": "m", "messages": []}), Some("messages")),
            (json!({"model": "m", "messages": [{"role": "king", "content": "x"}]}), Some("messages[0].role")),
            (json!({"model": "m", "messages": [{"role": "user"}]}), Some("messages[0].content")),
            (
                json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                Some("messages[0].content"),
            ),
            (json!({"model": "m", "messages": user, "temperature": 3}), Some("temperature")),
            (json!({"model": "m", "messages": user, "max_tokens": 0}), Some("max_tokens")),
            (json!({"model": "m", "messages": user, "max_completion_tokens": "9"}), Some("max_completion_tokens")),
            (json!({"model": "m", "messages": user, "seed": 1.5}), Some("seed")),
            (json!({"model": "m", "messages": user, "stream": true}), Some("stream")),
            (json!({"model": "m", "messages": user, "n": 2}), Some("n")),
            (json!({"model": "m", "messages": user, "response_format": {"type": "xml"}}), Some("response_format.type")),
        ];
        for (body, expected) in cases {
            assert_eq!(refused_param(body.clone()).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn broken_json_is_refused_with_the_place() {
        let error = Request::from_slice(b"{\"model\": ").expect_err("the body is cut off");
        assert!(error.to_string().contains("line 1 column"), "{error}");
    }
}

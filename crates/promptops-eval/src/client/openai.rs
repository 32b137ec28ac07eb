//! OpenAI's chat completions, and whatever speaks them.

use std::time::Duration;

use chrono::DateTime;
use futures::future::{BoxFuture, FutureExt as _};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::client::{Answer, Call, ClientError, Exchange, ModelClient, ToolCall, Usage};

/// The largest body that is read.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// Where and how to ask.
#[derive(Clone)]
pub struct Settings {
    /// The base URL, as `https://api.openai.com/v1`.
    pub url: String,
    /// The key, where one is needed.
    pub api_key: Option<String>,
    /// Time for one attempt, from connecting to the last byte.
    pub timeout: Duration,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key stays out of logs.
        let key = self.api_key.as_ref().map(|_| "[redacted]");
        out.debug_struct("Settings").field("url", &self.url).field("api_key", &key).field("timeout", &self.timeout).finish()
    }
}

/// A client of one endpoint. Keeps connections open between calls.
#[derive(Debug)]
pub struct OpenAi {
    http: reqwest::Client,
    address: String,
    settings: Settings,
}

impl OpenAi {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Auth`] when the key has characters that a header cannot carry, [`ClientError::Unreachable`] when the
    /// machine cannot open TLS connections or the URL is none.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let address = format!("{}/chat/completions", settings.url.trim_end_matches('/'));
        let unreachable = |message: String| ClientError::Unreachable { url: settings.url.clone(), message };
        let is_encrypted = match reqwest::Url::parse(&address) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url.scheme() == "https",
            Ok(url) => return Err(unreachable(format!("the scheme `{}` is not http or https", url.scheme()))),
            Err(error) => return Err(unreachable(error.to_string())),
        };
        let mut headers = HeaderMap::new();
        if let Some(key) = &settings.api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ClientError::Auth {
                status: 401,
                message: "the key has characters that cannot be sent".to_owned(),
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout)
            .user_agent(concat!("promptops/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to an address that nobody wrote down.
            .redirect(reqwest::redirect::Policy::none())
            // Reading the machine's certificates takes longer than many a run on loopback.
            .tls_built_in_root_certs(is_encrypted)
            .build()
            .map_err(|error| unreachable(causes(&error)))?;
        Ok(Self { http, address, settings })
    }

    async fn exchange(&self, call: &Call) -> Result<Exchange, ClientError> {
        let started = Instant::now();
        let mut response = self.http.post(&self.address).json(&body(call)).send().await.map_err(|error| self.fault(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.fault(&error))? {
            if bytes.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(ClientError::Malformed(format!("the answer is larger than {MAX_BODY_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut body = String::from_utf8(bytes).map_err(|_| ClientError::Malformed("the answer is not UTF-8".to_owned()))?;
        if let Some(key) = self.settings.api_key.as_deref().filter(|key| !key.is_empty()) {
            body = body.replace(key, "[redacted]");
        }
        let exchange = Exchange { status, body, latency_ms };
        match decode(&exchange) {
            Err(ClientError::RateLimit { message, .. }) => Err(ClientError::RateLimit { retry_after, message }),
            // A refusal of this one request is an answer like any other: it can be recorded and will come again.
            Ok(_) | Err(ClientError::BadRequest { .. }) => Ok(exchange),
            Err(error) => Err(error),
        }
    }

    fn fault(&self, error: &reqwest::Error) -> ClientError {
        if error.is_timeout() {
            ClientError::Timeout { after: self.settings.timeout }
        } else if error.is_connect() {
            ClientError::Unreachable { url: self.settings.url.clone(), message: causes(error) }
        } else {
            ClientError::Malformed(format!("it was cut off: {}", causes(error)))
        }
    }
}

impl ModelClient for OpenAi {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
        self.exchange(call).boxed()
    }
}

/// Returns the innermost cause, which is what a reader can act on: reqwest's own text repeats the URL.
fn causes(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Returns the body of the request: the parameters, then what they may not override.
fn body(call: &Call) -> Value {
    let mut body: Map<String, Value> = call.parameters.clone();
    // A stream would be answered with events instead of one document.
    body.remove("stream");
    body.insert("model".into(), call.model.clone().into());
    let messages =
        call.messages.iter().map(|message| serde_json::json!({"role": message.role.name(), "content": message.content}));
    body.insert("messages".into(), messages.collect());
    if let Some(tools) = &call.tools {
        body.insert("tools".into(), tools.clone());
    }
    Value::Object(body)
}

/// Reads `retry-after-ms`, else `Retry-After` in seconds or as a date, which is measured against the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(|value| value.parse().ok()) {
        return Some(Duration::from_millis(milliseconds));
    }
    let value = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE.as_str())?).ok()?;
    Some((until - now).to_std().unwrap_or(Duration::ZERO))
}

/// Reads an answer out of what came back, from the network or from a recording.
///
/// # Errors
/// By status: [`ClientError::Auth`], [`ClientError::NotFound`], [`ClientError::RateLimit`], [`ClientError::Server`],
/// [`ClientError::BadRequest`]; [`ClientError::Malformed`] when a successful body is not a chat completion.
pub fn decode(exchange: &Exchange) -> Result<Answer, ClientError> {
    let json: Option<Value> = serde_json::from_str(&exchange.body).ok();
    if exchange.status != 200 {
        return Err(refusal(exchange.status, &exchange.body, json.as_ref()));
    }
    let Some(json) = json else {
        return Err(ClientError::Malformed(format!("it is not JSON: {}", excerpt(&exchange.body))));
    };
    let Some(choice) = json.pointer("/choices/0") else {
        return Err(ClientError::Malformed(format!("it has no `choices`: {}", excerpt(&exchange.body))));
    };
    let message = &choice["message"];
    let text = match (&message["content"], &message["refusal"], message.get("tool_calls")) {
        (Value::String(text), _, _) => text.clone(),
        // A refusal is what the model said.
        (_, Value::String(refusal), _) => refusal.clone(),
        (_, _, Some(calls)) => calls.to_string(),
        (Value::Null, ..) if message.is_object() => String::new(),
        _ => return Err(ClientError::Malformed(format!("it has no `message.content`: {}", excerpt(&exchange.body)))),
    };
    let string = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Answer {
        text,
        model: string(&json["model"]).unwrap_or_default(),
        fingerprint: string(&json["system_fingerprint"]),
        finish_reason: string(&choice["finish_reason"]),
        tool_calls: message["tool_calls"].as_array().into_iter().flatten().filter_map(tool_call).collect(),
        usage: json.get("usage").filter(|usage| usage.is_object()).map(usage),
        latency_ms: exchange.latency_ms,
    })
}

fn tool_call(json: &Value) -> Option<ToolCall> {
    let name = json.pointer("/function/name")?.as_str()?.to_owned();
    let arguments = match json.pointer("/function/arguments") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    Some(ToolCall { name, arguments })
}

fn usage(json: &Value) -> Usage {
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    Usage {
        input: number("/prompt_tokens"),
        output: number("/completion_tokens"),
        cached_input: number("/prompt_tokens_details/cached_tokens"),
        reasoning: number("/completion_tokens_details/reasoning_tokens"),
    }
}

fn refusal(status: u16, body: &str, json: Option<&Value>) -> ClientError {
    let said = json.and_then(|json| json.pointer("/error/message").or_else(|| json.get("error")).or_else(|| json.get("message")));
    let message = match said.and_then(Value::as_str) {
        Some(text) => excerpt(text),
        None => excerpt(body),
    };
    match status {
        401 | 403 => ClientError::Auth { status, message },
        404 => ClientError::NotFound { message },
        429 => ClientError::RateLimit { retry_after: None, message },
        408 | 409 | 500.. => ClientError::Server { status, message },
        400..=499 => ClientError::BadRequest { status, message },
        _ => ClientError::Malformed(format!("status {status}: {message}")),
    }
}

/// Returns the beginning of a text on one line, for an error.
fn excerpt(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::{Message, Role};
    use serde_json::json;

    use super::*;

    fn exchange(status: u16, body: &str) -> Exchange {
        Exchange { status, body: body.to_owned(), latency_ms: 7 }
    }

    #[test]
    fn reads_text_model_usage_and_finish_reason() {
        let body = json!({
            "model": "m-2026-01", "system_fingerprint": "fp", "choices": [{"message": {"content": "billing"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 90, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 3}},
        });
        let answer = decode(&exchange(200, &body.to_string())).unwrap();
        assert_eq!(
            answer,
            Answer {
                text: "billing".into(),
                model: "m-2026-01".into(),
                fingerprint: Some("fp".into()),
                finish_reason: Some("stop".into()),
                tool_calls: Vec::new(),
                usage: Some(Usage { input: 90, output: 5, cached_input: 64, reasoning: 3 }),
                latency_ms: 7,
            }
        );
    }

    #[test]
    fn a_refusal_and_a_tool_call_are_answers() {
        let refusal = json!({"choices": [{"message": {"content": null, "refusal": "I cannot"}}]});
        assert_eq!(decode(&exchange(200, &refusal.to_string())).unwrap().text, "I cannot");
        let call = json!({"choices": [{"message": {"content": null, "tool_calls": [{"id": "1"}]}}]});
        assert_eq!(decode(&exchange(200, &call.to_string())).unwrap().text, r#"[{"id":"1"}]"#);
        let functions = json!([
            {"id": "1", "type": "function", "function": {"name": "refund", "arguments": "{\"order\": 7}"}},
            {"id": "2", "type": "function", "function": {"name": "close", "arguments": "{"}},
        ]);
        let calls = json!({"choices": [{"message": {"content": null, "tool_calls": functions}}]});
        let calls = decode(&exchange(200, &calls.to_string())).unwrap().tool_calls;
        let call = |name: &str, arguments| ToolCall { name: name.into(), arguments };
        assert_eq!(calls, [call("refund", json!({"order": 7})), call("close", json!("{"))]);
    }

    #[test]
    fn every_status_has_its_class() {
        let error = |status| decode(&exchange(status, r#"{"error": {"message": "no"}}"#)).unwrap_err();
        let text: Vec<String> =
            [400, 401, 403, 404, 408, 422, 429, 500, 529, 302].map(|status| error(status).class().to_string()).to_vec();
        let expected =
            ["bad-request", "auth", "auth", "not-found", "server", "bad-request", "rate-limit", "server", "server", "malformed"];
        assert_eq!(text, expected);
        assert_eq!(error(401).to_string(), "the provider refuses the key (status 401): `no`");
    }

    #[test]
    fn a_body_that_is_no_completion_is_malformed_and_quoted_in_part() {
        for body in ["<html>", "{}", r#"{"choices": []}"#, r#"{"choices": [{"message": 3}]}"#, "null", &"x".repeat(999)] {
            let error = decode(&exchange(200, body)).unwrap_err();
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
        assert_eq!(body(&call), json!({"temperature": 0, "model": "m", "messages": [{"role": "user", "content": "x"}]}));
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect::<HeaderMap>()
        };
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers(&[("retry-after", "7"), ("retry-after-ms", "20")])), Some(Duration::from_millis(20)));
        let date = [("retry-after", "Wed, 21 Oct 2026 07:28:09 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")];
        assert_eq!(retry_after(&headers(&date)), Some(Duration::from_secs(9)));
        assert_eq!(retry_after(&headers(&date[..1])), None);
        assert_eq!(retry_after(&headers(&[])), None);
    }

    #[test]
    fn the_key_stays_out_of_debug_output() {
        let settings =
            Settings { url: "http://localhost/v1".into(), api_key: Some("sk-secret".into()), timeout: Duration::from_secs(1) };
        let client = OpenAi::new(settings).unwrap();
        assert!(!format!("{client:?}").contains("sk-secret"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_before_anything_is_sent() {
        for url in ["", "localhost:1", "ftp://x/v1"] {
            let settings = Settings { url: url.into(), api_key: None, timeout: Duration::from_secs(1) };
            assert!(matches!(OpenAi::new(settings), Err(ClientError::Unreachable { .. })), "{url}");
        }
    }
}

//! One recorded answer as a line of JSON.

use promptops_prompt::Digest;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Key;
use crate::client::{Api, Exchange};

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    request: Digest,
    repeat: u32,
    api: Api,
    status: u16,
    #[serde(default, skip_serializing_if = "is_false")]
    stream: bool,
    latency_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The body as JSON, or as text where it is none (or is a JSON string, which would look like text).
    body: Value,
}

/// What is read of a line to find it again; the rest must only be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    request: Digest,
    repeat: u32,
    #[serde(rename = "api")]
    _api: Api,
    #[serde(rename = "status")]
    _status: u16,
    #[serde(default, rename = "stream")]
    _stream: bool,
    #[serde(rename = "latency_ms")]
    _latency_ms: u64,
    #[serde(default, rename = "first_token_ms")]
    _first_token_ms: Option<u64>,
    #[serde(default, rename = "request_id")]
    _request_id: IgnoredAny,
    #[serde(rename = "body")]
    _body: IgnoredAny,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Reads the key of a line without building the rest of it.
pub(super) fn key(bytes: &[u8]) -> Result<Key, serde_json::Error> {
    let head: Head = serde_json::from_slice(bytes)?;
    Ok(Key { request: head.request, repeat: head.repeat })
}

impl Line {
    pub(super) fn new(key: Key, exchange: &Exchange) -> Self {
        let parsed = serde_json::from_str(&exchange.body).ok().filter(|value: &Value| !value.is_string());
        let body = parsed.unwrap_or_else(|| Value::String(exchange.body.clone()));
        Self {
            request: key.request,
            repeat: key.repeat,
            api: exchange.api,
            status: exchange.status,
            stream: exchange.is_stream,
            latency_ms: exchange.latency_ms,
            first_token_ms: exchange.first_token_ms,
            request_id: exchange.request_id.clone(),
            body,
        }
    }

    pub(super) fn key(&self) -> Key {
        Key { request: self.request, repeat: self.repeat }
    }

    pub(super) fn into_exchange(self) -> Exchange {
        let body = match self.body {
            Value::String(text) => text,
            json => json.to_string(),
        };
        Exchange {
            api: self.api,
            status: self.status,
            body,
            is_stream: self.stream,
            latency_ms: self.latency_ms,
            first_token_ms: self.first_token_ms,
            request_id: self.request_id,
            hold: None,
        }
    }
}

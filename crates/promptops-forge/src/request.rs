//! Requests to a forge, and what comes back.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::error::ForgeError;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of an answer that are read: a page of comments, each as long as one may be.
const MAX_BYTES: usize = 64 << 20;

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Requests {
    client: Client,
}

/// An answer that is a success.
#[derive(Debug)]
pub(crate) struct Answer {
    address: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn malformed(&self, message: &str) -> ForgeError {
        ForgeError::Malformed { address: self.address.clone(), message: message.to_owned() }
    }

    /// Reads a list of things; `read` returns nothing for what is none.
    pub(crate) fn list<T>(&self, what: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, ForgeError> {
        let items = self.json.as_array().ok_or_else(|| self.malformed("it is no list"))?;
        let read = |item| read(item).ok_or_else(|| self.malformed(&format!("a {what} has no `id`")));
        items.iter().map(read).collect()
    }
}

impl Requests {
    pub(crate) fn new() -> Result<Self, ForgeError> {
        let client = Client::builder().timeout(TIMEOUT).user_agent(concat!("promptops/", env!("CARGO_PKG_VERSION")));
        // A token must not follow to another address.
        let client = client.redirect(reqwest::redirect::Policy::none());
        client.build().map(|client| Self { client }).map_err(ForgeError::Client)
    }

    pub(crate) fn request(&self, method: Method, address: &str) -> RequestBuilder {
        self.client.request(method, address)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, ForgeError> {
        let request = request.build().map_err(ForgeError::Client)?;
        let mut address = request.url().clone();
        address.set_query(None);
        let address = address.to_string();
        let unavailable = |message: String| ForgeError::Unavailable { address: address.clone(), message };
        let mut response = self.client.execute(request).await.map_err(|error| unavailable(cause(&error)))?;
        let status = response.status();
        let is_limited = response.headers().contains_key("retry-after")
            || response.headers().get("x-ratelimit-remaining").is_some_and(|left| left.as_bytes() == b"0");
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(cause(&error)))? {
            if bytes.len() + chunk.len() > MAX_BYTES {
                let message = format!("it is larger than {MAX_BYTES} bytes");
                return Err(ForgeError::Malformed { address, message });
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return match serde_json::from_slice(&bytes) {
                Ok(json) => Ok(Answer { address, json }),
                Err(error) => Err(ForgeError::Malformed { address, message: format!("it is no JSON: {error}") }),
            };
        }
        let message = message(&bytes, status);
        Err(match status {
            StatusCode::FORBIDDEN if is_limited => unavailable(message),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                ForgeError::Denied { status: status.as_u16(), message }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => unavailable(message),
            status if status.is_server_error() => unavailable(message),
            status => ForgeError::Refused { status: status.as_u16(), message },
        })
    }
}

/// Returns what lies at the bottom of an error of the network.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Returns what a forge says of a request that failed.
fn message(bytes: &[u8], status: StatusCode) -> String {
    let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let said = json["message"].as_str().or(json["error"].as_str()).map(str::to_owned);
    said.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason is given").to_owned())
}

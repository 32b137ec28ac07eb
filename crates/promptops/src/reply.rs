//! What a model's reply says about itself, read from the provider's own JSON.
//!
//! Four shapes are known by their members, so the caller need not name the provider. Numbers and names are brought to
//! one meaning, that of [`promptops_telemetry::Invocation`]: input tokens count cached ones (Anthropic and Bedrock
//! report them apart), and finish reasons have OpenAI's names. A reply that comes in events is gathered by [`ReplyStream`]
//! into what the provider would have sent at once, and read by the same functions.

mod anthropic;
mod bedrock;
mod openai_chat;
mod openai_responses;
mod stream;

use serde_json::Value;

pub use stream::{ReplyStream, StreamEvent};

/// What a reply says. Absent means that the provider did not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answer as text, all text parts joined; absent when the model called tools instead.
    pub text: Option<String>,
    /// Model that answered.
    pub model: Option<String>,
    /// Kind of the call, `chat` for all shapes that are known; absent of a bare text.
    pub operation: Option<&'static str>,
    /// Provider, where no other speaks like it.
    pub provider: Option<&'static str>,
    /// The provider's id of the reply or request, for its support.
    pub request_id: Option<String>,
    /// The provider's id of the reply, as its own records name it.
    pub response_id: Option<String>,
    /// Tier in which the provider served the call.
    pub service_tier: Option<String>,
    /// Fingerprint of the provider's system.
    pub fingerprint: Option<String>,
    /// `stop`, `length`, `tool_calls`, `content_filter`, `refusal`, or the provider's own word where it has no equal.
    pub finish_reason: Option<String>,
    /// Whether the model refused.
    pub refusal: bool,
    /// Tokens of the input, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens of the output, reasoning included.
    pub output_tokens: Option<u64>,
    /// Tokens of the input that were read from the provider's cache.
    pub cached_tokens: Option<u64>,
    /// Tokens of the input that were written to the provider's cache.
    pub cache_write_tokens: Option<u64>,
    /// Tokens spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Why there is no answer, where the reply itself says that the provider failed: an `error_type`.
    pub failure: Option<String>,
}

impl Reply {
    /// Reads a reply of OpenAI (chat completions and responses), Anthropic (messages) or Bedrock (converse).
    ///
    /// Returns nothing for any other shape. Members that are missing or of another type are taken as not said.
    #[must_use]
    pub fn read(json: &Value) -> Option<Self> {
        openai_chat::read(json)
            .or_else(|| openai_responses::read(json))
            .or_else(|| anthropic::read(json))
            .or_else(|| bedrock::read(json))
    }

    /// Makes a reply of which only the text is known.
    #[must_use]
    pub fn of_text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }
}

/// Returns the text at a JSON pointer.
fn text(json: &Value, pointer: &str) -> Option<String> {
    json.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Returns the count at a JSON pointer.
fn count(json: &Value, pointer: &str) -> Option<u64> {
    json.pointer(pointer).and_then(Value::as_u64)
}

/// Joins the texts of content parts; nothing when no part is a text.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let texts: Vec<&str> = texts.collect();
    if texts.is_empty() { None } else { Some(texts.concat()) }
}

/// Adds counts of which the first decides whether the sum is known.
fn sum(first: Option<u64>, others: [Option<u64>; 2]) -> Option<u64> {
    first.map(|first| others.into_iter().flatten().fold(first, u64::saturating_add))
}

/// Returns the id that the official clients of OpenAI and Anthropic keep from the reply's header, else that in its body.
fn request_id(json: &Value) -> Option<String> {
    text(json, "/_request_id").or_else(|| text(json, "/id"))
}

//! Wire types of the OpenAI v1 API that this endpoint writes.

use serde::Serialize;

/// The answer to `POST /v1/chat/completions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Response {
    /// Names this answer; equal requests have equal ids.
    pub id: String,
    /// Always `chat.completion`.
    pub object: &'static str,
    /// Unix time in seconds, from the clock in the settings; 0 without one.
    pub created: u64,
    /// The model exactly as the request named it.
    pub model: String,
    /// Names the engine and its version.
    pub system_fingerprint: String,
    /// Exactly one choice.
    pub choices: Vec<Choice>,
    /// Token counts, by the rule documented at the crate's root.
    pub usage: Usage,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// Always 0.
    pub index: u32,
    /// The answer.
    pub message: AssistantMessage,
    /// `stop`, or `length` when `max_tokens` cut the answer.
    pub finish_reason: &'static str,
    /// Always null.
    pub logprobs: Option<()>,
}

/// What the model wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssistantMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// Always null: the engine follows a prompt or fails to, it never refuses.
    pub refusal: Option<String>,
}

/// Token counts of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens of the request's messages.
    pub prompt_tokens: usize,
    /// Tokens of the answer.
    pub completion_tokens: usize,
    /// Their sum.
    pub total_tokens: usize,
}

/// The answer to `GET /v1/models`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelList {
    /// Always `list`.
    pub object: &'static str,
    /// The models offered.
    pub data: Vec<Model>,
}

/// One model offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    /// The name to ask for.
    pub id: &'static str,
    /// Always `model`.
    pub object: &'static str,
    /// Always 0: these models have no release instant.
    pub created: u64,
    /// Always `promptops-offline-model`.
    pub owned_by: &'static str,
}

/// The body of every refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// The refusal.
    pub error: ErrorDetail,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorDetail {
    /// For people.
    pub message: String,
    /// The class of error, as OpenAI names it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The parameter at fault.
    pub param: Option<String>,
    /// For programs.
    pub code: Option<&'static str>,
}

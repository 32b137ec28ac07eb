//! One request in, one response out: the engine without its server.

use crate::answer::{self, Draw};
use crate::api_error::ApiError;
use crate::model::{MODELS, abilities};
use crate::request::{Request, ResponseFormat, Role};
use crate::{prompt_reading, sampling, tokens, v1};

/// Names the engine in every reply. It changes whenever equal requests may be answered differently.
pub const FINGERPRINT: &str = "offline-classifier-1";

/// The engine behind the endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfflineModel;

impl OfflineModel {
    /// Returns the engine; it holds no state.
    pub fn new() -> Self {
        Self
    }

    /// Answers one request; pure, `created` is 0.
    ///
    /// # Errors
    /// [`ApiError::UnknownModel`] when the model is not one of [`MODELS`].
    pub fn complete(&self, request: &Request) -> Result<v1::Response, ApiError> {
        let Some(abilities) = abilities(&request.model) else {
            return Err(ApiError::UnknownModel { model: request.model.clone() });
        };
        let hash = hash(request);
        let seed = request.seed.map_or(hash, i64::cast_unsigned);
        let reading = prompt_reading::read(request);
        let text = answer::write(&reading, abilities, Draw { temperature: request.temperature, seed });
        let (content, cut) = match request.max_tokens {
            Some(limit) => tokens::truncate(&text, limit),
            None => (text.as_str(), false),
        };
        let prompt_tokens = tokens::count_messages(request.messages.iter().map(|message| message.content.as_str()));
        let completion_tokens = tokens::count(content);
        Ok(v1::Response {
            id: format!("chatcmpl-offline-{hash:016x}"),
            object: "chat.completion",
            created: 0,
            model: request.model.clone(),
            system_fingerprint: FINGERPRINT.to_owned(),
            choices: vec![v1::Choice {
                index: 0,
                message: v1::AssistantMessage { role: "assistant", content: content.to_owned(), refusal: None },
                finish_reason: if cut { "length" } else { "stop" },
                logprobs: None,
            }],
            usage: v1::Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
        })
    }

    /// Lists the models offered.
    pub fn models(&self) -> v1::ModelList {
        let data = MODELS.iter().map(|model| v1::Model {
            id: model.name,
            object: "model",
            created: 0,
            owned_by: "promptops-offline-model",
        });
        v1::ModelList { object: "list", data: data.collect() }
    }
}

/// Hashes everything that may change an answer.
fn hash(request: &Request) -> u64 {
    let mut text = format!("{}\0{}\0{:?}\0{:?}", request.model, request.temperature, request.max_tokens, request.seed);
    for message in &request.messages {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        text.push_str(&format!("\0{role}\0{}", message.content));
    }
    match &request.response_format {
        ResponseFormat::Text => {}
        ResponseFormat::JsonObject => text.push_str("\0json"),
        ResponseFormat::JsonSchema(schema) => text.push_str(&format!("\0{schema}")),
    }
    sampling::hash(text.as_bytes())
}

#[cfg(test)]
mod tests;

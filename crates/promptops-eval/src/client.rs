//! Model clients: what is asked, what comes back, and what can go wrong on the way.
//!
//! One file for each API, with pure functions: the path and the body of a request, and the answer in what came back.
//! [`http`] sends, [`command`] starts a program; both keep the raw body, which is what a recording holds. A client of one
//! provider is wrapped by [`pace`], and those of all providers are one client by [`routes`].

mod parameters;
mod refusal;

pub mod anthropic;
pub mod bedrock;
pub mod command;
pub mod openai_chat;
pub mod openai_responses;

mod aws_event_stream;
mod aws_signature;
pub mod http;
mod server_sent_events;

pub mod limits;
pub mod pace;
pub mod retry;
pub mod routes;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use promptops_prompt::{Digest, Message};
use promptops_telemetry::price::Tokens;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use self::refusal::excerpt;
use crate::recording::Redaction;

/// One question to a model: everything that decides the answer, and nothing about how it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The model, as the prompt names it.
    pub model: String,
    /// The rendered messages.
    pub messages: Vec<Message>,
    /// Parameters of the call, as the prompt states them.
    pub parameters: Map<String, Value>,
    /// Tools offered to the model.
    pub tools: Option<Value>,
}

impl Call {
    /// Returns the canonical form: model, messages, parameters and tools. URL, key and headers never enter.
    pub fn to_json(&self) -> Value {
        let mut json = json!({"model": self.model, "messages": self.messages, "parameters": self.parameters});
        if let Some(tools) = &self.tools {
            json["tools"] = tools.clone();
        }
        json
    }

    /// Returns the digest of the canonical form, by which an answer is recorded and found again.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&self.to_json())
    }
}

/// The form in which a provider is asked and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// OpenAI's chat completions, and whatever is compatible with them.
    OpenaiChat,
    /// OpenAI's responses.
    OpenaiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Bedrock's converse.
    Bedrock,
    /// A program that reads a call and writes an answer.
    Command,
}

/// What a provider sent back, before anything is read out of it. This is what a recording keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The form of the body.
    pub api: Api,
    /// The HTTP status.
    pub status: u16,
    /// The body, byte for byte but for what is redacted: the key always, should the provider echo it. A stream of events is kept as
    /// server-sent events, also where it came in AWS's binary form.
    pub body: String,
    /// Whether the body is a stream of events instead of one document.
    pub is_stream: bool,
    /// From sending to the last byte, of the attempt that was answered.
    pub latency_ms: u64,
    /// From sending to the first piece of the answer; only of a stream.
    pub first_token_ms: Option<u64>,
    /// The provider's own number of the request, which its support asks for.
    pub request_id: Option<String>,
    /// How long the provider wants to be left alone, because this call was the last one that its limits allow for now. Not
    /// recorded: it says nothing about the answer.
    pub hold: Option<Duration>,
}

impl Exchange {
    /// Returns a plain document, as every part of which nothing else is known.
    pub fn document(api: Api, status: u16, body: impl Into<String>, latency_ms: u64) -> Self {
        let body = body.into();
        Self { api, status, body, is_stream: false, latency_ms, first_token_ms: None, request_id: None, hold: None }
    }
}

/// Returns a stream put together: the answer in the form of a program's, which has a place for all that is read of any provider's.
///
/// # Errors
/// As [`decode`].
pub(crate) fn assembled(exchange: &Exchange) -> Result<Exchange, ClientError> {
    let answer = decode(exchange)?;
    let body = command::document(&answer).to_string();
    Ok(Exchange { api: Api::Command, body, is_stream: false, ..exchange.clone() })
}

/// Reads an answer out of what came back, from the network or from a recording.
///
/// # Errors
/// By status: [`ClientError::Auth`], [`ClientError::NotFound`], [`ClientError::RateLimit`], [`ClientError::Server`],
/// [`ClientError::BadRequest`]; [`ClientError::Malformed`] when a successful body is not what the API promises.
pub fn decode(exchange: &Exchange) -> Result<Answer, ClientError> {
    if exchange.status != 200 {
        return Err(refusal::of_status(exchange.status, &exchange.body));
    }
    let document = if exchange.is_stream {
        let events = server_sent_events::read(&exchange.body);
        match exchange.api {
            Api::OpenaiChat => openai_chat::assemble(&events)?,
            Api::OpenaiResponses => openai_responses::assemble(&events)?,
            Api::Anthropic => anthropic::assemble(&events)?,
            Api::Bedrock => bedrock::assemble(&events)?,
            Api::Command => return Err(ClientError::Malformed("a program writes no stream".to_owned())),
        }
    } else {
        serde_json::from_str(&exchange.body).map_err(|_| refusal::malformed("is not JSON", &exchange.body))?
    };
    let read = match exchange.api {
        Api::OpenaiChat => openai_chat::answer(&document),
        Api::OpenaiResponses => openai_responses::answer(&document),
        Api::Anthropic => anthropic::answer(&document),
        Api::Bedrock => bedrock::answer(&document),
        Api::Command => command::answer(&document),
    };
    let mut answer = read.map_err(|what| refusal::malformed(what, &exchange.body))?;
    answer.latency_ms = exchange.latency_ms;
    answer.first_token_ms = exchange.first_token_ms;
    answer.request_id.clone_from(&exchange.request_id);
    Ok(answer)
}

/// What a model said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The text; a refusal, where the model refused.
    pub text: String,
    /// The calls of tools that the model asks for, in its order.
    pub tool_calls: Vec<ToolCall>,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The backend's fingerprint, where the provider states one.
    pub fingerprint: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Tokens, where the provider counts them.
    pub usage: Option<Usage>,
    /// The perplexity of the answer: `e` to the mean of the negative logarithms of what its tokens' probabilities were; at least 1, and
    /// more the less sure the model was. Where the provider tells them (OpenAI's chat completions, asked with `logprobs: true`).
    pub perplexity: Option<f64>,
    /// From sending to the last byte.
    pub latency_ms: u64,
    /// From sending to the first piece of the answer, where it was streamed.
    pub first_token_ms: Option<u64>,
    /// The provider's own number of the request.
    pub request_id: Option<String>,
}

/// One call of a tool that a model asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments; a text where what the model wrote is not JSON.
    pub arguments: Value,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Input tokens that the provider had cached.
    pub cached_input: u64,
    /// Input tokens that the provider cached now.
    pub cache_write: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        let Usage { input, output, cached_input, cache_write, reasoning } = usage;
        Self { input, output, cached_input, cache_write, reasoning }
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.cached_input += other.cached_input;
        self.cache_write += other.cache_write;
        self.reasoning += other.reasoning;
    }
}

/// Asks a model.
pub trait ModelClient: Send + Sync {
    /// Sends one call and returns what came back, whatever its status, unless the provider could not be talked to.
    ///
    /// Does not retry; [`retry::send`] does. Answers with status 429 or 5xx are errors already here.
    ///
    /// # Errors
    /// See [`ClientError`].
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>>;
}

/// Says what stands between a call and its answer, by what the reader can do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// The key is missing, wrong, or lacks a permission, or its account has nothing left to spend: get another.
    #[error("the provider refuses the key (status {status}): {message}")]
    Auth {
        /// 401, 402, 403 or 407; 400 or 429 of providers that say it that way.
        status: u16,
        /// What the provider says.
        message: String,
    },
    /// The path or the model does not exist there, or no longer: correct the URL or the prompt's model.
    #[error("the provider knows no such model or address: {message}")]
    NotFound {
        /// What the provider says.
        message: String,
    },
    /// The provider refuses this one request: correct the prompt or its input.
    #[error("the provider refuses the request (status {status}): {message}")]
    BadRequest {
        /// 400, 413 or 422.
        status: u16,
        /// What the provider says.
        message: String,
    },
    /// Too many requests: wait, or lower the concurrency.
    #[error("the provider limits the rate: {message}")]
    RateLimit {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// What the provider says.
        message: String,
    },
    /// No complete answer in time: try again, or allow more time.
    #[error("no answer within {} ms", .after.as_millis())]
    Timeout {
        /// The time that was allowed.
        after: Duration,
    },
    /// The provider failed, or refuses for a reason that has nothing to do with what it is asked: try again later.
    #[error("the provider failed (status {status}): {message}")]
    Server {
        /// The status: 5xx, or a rare one of 4xx.
        status: u16,
        /// What the provider says.
        message: String,
    },
    /// The answer was cut off, is too large, or is not what the API promises: try again, or check the URL.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
    /// Nothing answers at the address: start the server, or correct the URL.
    #[error("cannot reach `{url}`: {message}")]
    Unreachable {
        /// The address, without credentials.
        url: String,
        /// What the network says.
        message: String,
    },
    /// The program that stands for a model failed: run it by hand with the same input.
    #[error("the program failed: {0}")]
    Command(String),
}

/// The class of a [`ClientError`], as reports name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// [`ClientError::Auth`].
    Auth,
    /// [`ClientError::NotFound`].
    NotFound,
    /// [`ClientError::BadRequest`].
    BadRequest,
    /// [`ClientError::RateLimit`].
    RateLimit,
    /// [`ClientError::Timeout`].
    Timeout,
    /// [`ClientError::Server`].
    Server,
    /// [`ClientError::Malformed`].
    Malformed,
    /// [`ClientError::Unreachable`].
    Unreachable,
    /// [`ClientError::Command`].
    Command,
    /// The prompt could not be rendered with this case.
    Render,
}

impl ErrorClass {
    /// Tells whether the fault lies with the provider or the network, so that it says nothing about the prompt.
    pub fn is_outside(self) -> bool {
        matches!(self, Self::RateLimit | Self::Timeout | Self::Server | Self::Malformed | Self::Command)
    }

    /// Tells whether every further call would fail in the same way, so that a run stops at once.
    pub fn is_fatal(self) -> bool {
        matches!(self, Self::Auth | Self::NotFound | Self::Unreachable)
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Auth => "auth",
            Self::NotFound => "not-found",
            Self::BadRequest => "bad-request",
            Self::RateLimit => "rate-limit",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Malformed => "malformed",
            Self::Unreachable => "unreachable",
            Self::Command => "command",
            Self::Render => "render",
        })
    }
}

impl ClientError {
    /// Returns the class that reports count.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Auth { .. } => ErrorClass::Auth,
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::BadRequest { .. } => ErrorClass::BadRequest,
            Self::RateLimit { .. } => ErrorClass::RateLimit,
            Self::Timeout { .. } => ErrorClass::Timeout,
            Self::Server { .. } => ErrorClass::Server,
            Self::Malformed(_) => ErrorClass::Malformed,
            Self::Unreachable { .. } => ErrorClass::Unreachable,
            Self::Command(_) => ErrorClass::Command,
        }
    }

    /// Returns the error without what must not be told.
    pub(crate) fn redacted(mut self, redaction: &Redaction) -> Self {
        let message = match &mut self {
            Self::Auth { message, .. }
            | Self::NotFound { message }
            | Self::BadRequest { message, .. }
            | Self::RateLimit { message, .. }
            | Self::Server { message, .. }
            | Self::Malformed(message)
            | Self::Unreachable { message, .. }
            | Self::Command(message) => message,
            Self::Timeout { .. } => return self,
        };
        if let Cow::Owned(redacted) = redaction.text(message) {
            *message = redacted;
        }
        self
    }

    /// Tells whether the same call may succeed when it is sent again.
    pub fn is_transient(&self) -> bool {
        let class = self.class();
        class.is_outside() || class == ErrorClass::Unreachable
    }

    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Auth { .. } => {
                "set the environment variable that the provider's `api_key_env` names to a valid key of an account that can pay"
            }
            Self::NotFound { .. } => "check the provider's `url` (it ends in `/v1` at most providers) and the prompt's `model`",
            Self::BadRequest { .. } => "check the prompt's `parameters` against what this model takes",
            Self::RateLimit { .. } => "lower `--concurrency`, or try again later; recorded answers are kept",
            Self::Timeout { .. } | Self::Server { .. } => "try again later; recorded answers are kept",
            Self::Malformed(_) => "check that the provider's `url` is an API of its `kind`",
            Self::Unreachable { .. } => "check the provider's `url` and that its server runs, or replay recordings",
            Self::Command(_) => "run the provider's `command` by hand with a call on its standard input",
        }
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::Role;

    use super::*;

    fn call() -> Call {
        Call {
            model: "m".into(),
            messages: vec![Message { role: Role::User, content: "hello".into() }],
            parameters: Map::from_iter([("temperature".to_owned(), json!(0))]),
            tools: None,
        }
    }

    #[test]
    fn whatever_decides_the_answer_decides_the_digest() {
        let digest = call().digest();
        assert_eq!(digest, call().digest());
        let others = [
            Call { model: "n".into(), ..call() },
            Call { messages: vec![Message { role: Role::System, content: "hello".into() }], ..call() },
            Call { parameters: Map::new(), ..call() },
            Call { tools: Some(json!([])), ..call() },
        ];
        for other in others {
            assert_ne!(digest, other.digest(), "{other:?}");
        }
    }

    #[test]
    fn only_faults_outside_the_request_are_worth_another_try() {
        let wait = ClientError::RateLimit { retry_after: None, message: String::new() };
        assert!(wait.is_transient() && !wait.class().is_fatal());
        let refused = ClientError::BadRequest { status: 400, message: String::new() };
        assert!(!refused.is_transient() && !refused.class().is_fatal() && !refused.class().is_outside());
        assert!(ClientError::Auth { status: 401, message: String::new() }.class().is_fatal());
    }
}

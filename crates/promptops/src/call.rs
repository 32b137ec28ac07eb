//! One call of a model: measured, read and recorded.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use promptops_prompt::{Message, Rendered};
use promptops_telemetry::sink::Sink;
use promptops_telemetry::{Invocation, Status, Uuid};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::prompt::Prompt;
use crate::reply::Reply;
use crate::settings::Clock;
use crate::warning::{Warning, Warnings};

/// `error_type` of a call that ended without a reply and without an error.
const UNFINISHED: &str = "unfinished";

/// Where calls are recorded, and what is known about all of them.
pub(crate) struct Recorder {
    pub(crate) sinks: Vec<Arc<dyn Sink>>,
    pub(crate) environment: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) clock: Clock,
    pub(crate) warnings: Arc<Warnings>,
}

impl Recorder {
    fn record(&self, invocation: &Invocation) {
        for sink in &self.sinks {
            // A sink promises not to panic; a foreign one that does must not take the service with it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sink.record(invocation)));
        }
    }
}

/// A call of a model that is under way.
///
/// Create it with [`Prompt::invocation`] just before the call, hand it the reply with [`Call::record_reply`], and let it
/// go: one [`Invocation`] goes to every sink, exactly once. A call that is dropped without a reply counts as an error of
/// type `unfinished`, or of the type that [`Call::record_error`] was told. Nothing here fails or blocks beyond one
/// write for each sink.
///
/// ```no_run
/// # fn call_the_model(_: &str, _: &[promptops::Message]) -> Result<serde_json::Value, std::io::Error> { unimplemented!() }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loader = promptops::Loader::from_env()?;
/// let prompt = loader.load("customer-support.intent-classifier", None)?;
/// let values = serde_json::json!({"message": "Where is my invoice?"});
/// let mut call = prompt.invocation();
/// let messages = call.messages(values.as_object().expect("an object was written above"))?;
/// let reply = call_the_model(prompt.model(), &messages)?;
/// call.record_reply(&reply);
/// assert_eq!(call.finish().label.as_deref(), Some("billing"));
/// # Ok(())
/// # }
/// ```
pub struct Call {
    prompt: Arc<Prompt>,
    recorder: Arc<Recorder>,
    started: Instant,
    invocation: Invocation,
    request_id: Option<String>,
    is_answered: bool,
    is_finished: bool,
}

impl Call {
    pub(crate) fn begin(prompt: Arc<Prompt>, recorder: &Arc<Recorder>) -> Self {
        let time = (recorder.clock)();
        let invocation = Invocation {
            environment: recorder.environment.clone(),
            service: recorder.service.clone(),
            runtime: recorder.runtime.clone(),
            prompt_id: Some(prompt.id().to_owned()),
            prompt_version: Some(prompt.version()),
            prompt_digest: Some(prompt.digest().to_string()),
            arm: prompt.arm().map(|arm| arm.name().to_owned()),
            requested_model: Some(prompt.model().to_owned()),
            parameters_hash: prompt.parameters_hash().map(str::to_owned),
            tools_hash: prompt.tools_hash().map(str::to_owned),
            source: Some("sdk".to_owned()),
            ..Invocation::new(time, new_id(time))
        };
        let recorder = Arc::clone(recorder);
        Self { prompt, recorder, started: Instant::now(), invocation, request_id: None, is_answered: false, is_finished: false }
    }

    /// Returns the prompt that is called.
    pub fn prompt(&self) -> &Arc<Prompt> {
        &self.prompt
    }

    /// Returns the record as far as it is known, for reading and for setting what only the caller knows: session, agent,
    /// stratum, trace, cost, scores, a label of its own.
    pub fn invocation_mut(&mut self) -> &mut Invocation {
        &mut self.invocation
    }

    /// Returns the record as far as it is known.
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// Returns the provider's id of the reply, once there is one.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Renders the prompt's messages and records the hash of them.
    ///
    /// # Errors
    /// As [`Prompt::messages`]. The call is then still open.
    pub fn messages(&mut self, values: &Map<String, Value>) -> Result<Vec<Message>, Error> {
        let rendered = self.prompt.rendered(values)?;
        self.record_input(&rendered);
        Ok(rendered.messages)
    }

    /// Renders the prompt's text and records the hash of it.
    ///
    /// # Errors
    /// As [`Prompt::render`]. The call is then still open.
    pub fn render(&mut self, values: &Map<String, Value>) -> Result<String, Error> {
        let rendered = self.prompt.rendered(values)?;
        self.record_input(&rendered);
        self.prompt.single(rendered)
    }

    /// Records the hash of what the model is asked. Of several, the last counts.
    pub fn record_input(&mut self, rendered: &Rendered) {
        self.invocation.input_hash = Some(rendered.digest().to_string());
    }

    /// Records that the first token has come. Only the first call counts.
    pub fn record_first_token(&mut self) {
        if self.invocation.time_to_first_token_ms.is_none() {
            self.invocation.time_to_first_token_ms = Some(self.elapsed_ms());
        }
    }

    /// Records the provider's reply, as its JSON; see [`Reply`] for the shapes that are known.
    ///
    /// Of any other shape only the latency is recorded, with a warning; the return value says whether it was known.
    pub fn record_reply(&mut self, json: &Value) -> bool {
        let reply = Reply::read(json);
        let is_known = reply.is_some();
        if !is_known {
            self.recorder.warnings.say(Warning::Reply);
        }
        self.record(reply.unwrap_or_default());
        is_known
    }

    /// Records an answer of which only the text is known.
    pub fn record_text(&mut self, answer: &str) {
        self.record(Reply::of_text(answer));
    }

    /// Records a reply that the caller has read itself.
    ///
    /// Where the prompt's `output` has an `enum`, the label is the answer without surrounding white space if the enum has
    /// it, and `valid` says whether it has. A label or validity that was set before is kept.
    pub fn record(&mut self, reply: Reply) {
        let is_first = !self.is_answered;
        self.is_answered = true;
        let latency_ms = self.elapsed_ms();
        let record = &mut self.invocation;
        if is_first {
            record.latency_ms = Some(latency_ms);
        }
        record.status = Status::Ok;
        record.error_type = None;
        let is_refusal_known = reply.text.is_some() || reply.finish_reason.is_some() || reply.refusal;
        record.refusal = is_refusal_known.then_some(reply.refusal);
        record.output_length = reply.text.as_ref().map(|text| text.chars().count() as u64);
        let labels = self.prompt.labels();
        if !labels.is_empty() && (reply.text.is_some() || reply.refusal) {
            let answer = reply.text.as_deref().unwrap_or_default().trim();
            let label = labels.iter().find(|label| *label == answer).cloned();
            record.valid = record.valid.or(Some(label.is_some()));
            record.label = record.label.take().or(label);
        }
        record.responded_model = reply.model;
        record.fingerprint = reply.fingerprint;
        record.finish_reason = reply.finish_reason;
        record.input_tokens = reply.input_tokens;
        record.output_tokens = reply.output_tokens;
        record.cached_tokens = reply.cached_tokens;
        record.reasoning_tokens = reply.reasoning_tokens;
        self.request_id = reply.request_id;
    }

    /// Records that no answer came, and why, as `timeout` or `rate_limit`; see [`error_type`] for names of exceptions.
    ///
    /// A call that was answered before stays answered: what failed then is not the model.
    pub fn record_error(&mut self, error_type: &str) {
        if self.is_answered {
            return;
        }
        self.invocation.latency_ms = Some(self.elapsed_ms());
        self.invocation.status = Status::Error;
        self.invocation.error_type = Some(error_type.to_owned());
    }

    /// Sends the record to every sink and returns it.
    pub fn finish(mut self) -> Invocation {
        self.send();
        self.invocation.clone()
    }

    fn send(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        if !self.is_answered && self.invocation.error_type.is_none() {
            self.record_error(UNFINISHED);
        }
        self.recorder.record(&self.invocation);
    }

    fn elapsed_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1000.0
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.send();
    }
}

/// Makes a UUIDv7 of the time the call began.
fn new_id(time: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    let timestamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, time.timestamp_subsec_nanos());
    Uuid::new_v7(timestamp)
}

/// Returns the `error_type` for the name of an exception or error code, as clients of the providers call them.
///
/// Known ones become `timeout`, `rate_limit`, `connection`, `cancelled`, `authentication`, `permission`, `not_found`,
/// `invalid_request`, `overloaded` or `server_error`; any other becomes snake case.
#[must_use]
pub fn error_type(name: &str) -> String {
    let known = match name {
        "APITimeoutError"
        | "APIConnectionTimeoutError"
        | "RequestTimeoutError"
        | "GatewayTimeoutError"
        | "TimeoutError"
        | "ReadTimeout"
        | "ReadTimeoutError"
        | "ConnectTimeout"
        | "ConnectTimeoutError"
        | "Timeout"
        | "TimeoutException"
        | "ModelTimeoutException"
        | "WriteTimeout"
        | "PoolTimeout"
        | "ETIMEDOUT"
        | "UND_ERR_CONNECT_TIMEOUT"
        | "UND_ERR_HEADERS_TIMEOUT"
        | "UND_ERR_BODY_TIMEOUT" => "timeout",
        "RateLimitError" | "ThrottlingException" | "TooManyRequestsException" | "ServiceQuotaExceededException" => "rate_limit",
        "APIConnectionError"
        | "ConnectionError"
        | "ConnectError"
        | "EndpointConnectionError"
        | "ConnectionResetError"
        | "ConnectionRefusedError"
        | "ConnectionClosedError"
        | "RemoteProtocolError"
        | "ECONNREFUSED"
        | "ECONNRESET"
        | "EHOSTUNREACH"
        | "ENOTFOUND"
        | "EPIPE"
        | "UND_ERR_SOCKET" => "connection",
        "APIUserAbortError" | "AbortError" | "ClientClosedRequestError" => "cancelled",
        "AuthenticationError" | "UnrecognizedClientException" | "NoCredentialsError" | "ExpiredTokenException" => {
            "authentication"
        }
        "PermissionDeniedError" | "AccessDeniedException" => "permission",
        "NotFoundError" | "ResourceNotFoundException" => "not_found",
        "BadRequestError"
        | "UnprocessableEntityError"
        | "ValidationException"
        | "RequestTooLargeError"
        | "ContentTooLargeError" => "invalid_request",
        "OverloadedError" | "ServiceUnavailableException" | "ServiceUnavailableError" | "ModelNotReadyException" => "overloaded",
        "InternalServerError" | "InternalServerException" | "ModelErrorException" => "server_error",
        other => return snake_case(other),
    };
    known.to_owned()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            before = None;
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        // `HTTPError` is two words: the last capital before a small letter begins the next.
        let begins_word = letter.is_uppercase()
            && before
                .is_some_and(|before: char| !before.is_uppercase() || letters.peek().is_some_and(|next| next.is_lowercase()));
        if begins_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        before = Some(letter);
    }
    snake.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_of_the_clients_have_one_name() {
        for (name, expected) in [
            ("APITimeoutError", "timeout"),
            ("ThrottlingException", "rate_limit"),
            ("ECONNREFUSED", "connection"),
            ("AbortError", "cancelled"),
            ("KeyError", "key_error"),
            ("HTTPError", "http_error"),
            ("JSONDecodeError", "json_decode_error"),
            ("my.Module-Error", "my_module_error"),
            ("", ""),
        ] {
            assert_eq!(error_type(name), expected, "{name}");
        }
    }

    #[test]
    fn ids_are_of_the_time_the_call_began() {
        let time: DateTime<Utc> = "2026-05-01T12:00:00.123Z".parse().unwrap();
        let id = new_id(time);
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (time.timestamp().unsigned_abs(), 123));
        assert_ne!(id, new_id(time));
    }
}

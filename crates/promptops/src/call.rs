//! One call of a model: measured, read and recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use promptops_prompt::{Message, Rendered};
use promptops_telemetry::sink::Sink;
use promptops_telemetry::{Invocation, Status, Uuid};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::prompt::Prompt;
use crate::reply::{Reply, ReplyStream, StreamEvent};
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
    /// What failed before it came to a sink.
    pub(crate) failures: AtomicU64,
    /// How long the end of the process waits for the sinks.
    pub(crate) flush_limit: Duration,
}

impl Recorder {
    pub(crate) fn dropped(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.dropped()).sum::<u64>() + self.failures.load(Ordering::Relaxed)
    }

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
    stream: Option<ReplyStream>,
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
        Self {
            prompt,
            recorder,
            started: Instant::now(),
            invocation,
            request_id: None,
            stream: None,
            is_answered: false,
            is_finished: false,
        }
    }

    /// Begins a call that is part of `outer`: it has `outer` as its parent, and is of the same session, agent and trace.
    pub(crate) fn within(outer: &Invocation, prompt: Arc<Prompt>, recorder: &Arc<Recorder>) -> Self {
        let mut call = Self::begin(prompt, recorder);
        let record = &mut call.invocation;
        record.parent_invocation = Some(outer.invocation_id);
        record.session = outer.session.clone();
        record.agent = outer.agent.clone();
        record.trace_id = outer.trace_id.clone();
        record.span_id = outer.span_id.clone();
        call
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

    /// Says that the model is asked now, and which one: latency runs from here.
    pub fn begin_request(&mut self, model: Option<&str>) {
        self.started = Instant::now();
        if let Some(model) = model {
            self.invocation.requested_model = Some(model.to_owned());
        }
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
        if reply.failure.is_none() {
            self.judge(&reply);
        }
        self.note(reply);
    }

    /// Says that the answer comes in events, and what is known beside them; see [`ReplyStream::with_head`].
    pub fn begin_stream(&mut self, head: &Value) {
        self.stream = Some(ReplyStream::with_head(head));
    }

    /// Records the next event of a streamed answer, as its JSON, and says whether it was known. The first with a token
    /// gives the time to first token.
    ///
    /// ```
    /// # fn read(prompt: &std::sync::Arc<promptops::Prompt>, events: Vec<serde_json::Value>) {
    /// let mut call = prompt.invocation();
    /// for event in events {
    ///     call.record_event(&event); // and show it to whoever waits
    /// }
    /// call.end_stream();
    /// # }
    /// ```
    pub fn record_event(&mut self, event: &Value) -> bool {
        let taken = self.stream.get_or_insert_default().take(event);
        if taken == Some(StreamEvent::Token) {
            self.record_first_token();
        }
        taken.is_some()
    }

    /// Records what the events came to, and says whether they were known.
    ///
    /// A stream that ended before the model did, because the caller had enough, is recorded as far as it came: without a
    /// finish reason, and its text is not judged.
    pub fn end_stream(&mut self) -> bool {
        let Some(stream) = self.stream.take() else { return false };
        let reply = stream.reply();
        let is_known = reply.is_some();
        match reply {
            Some(reply) if reply.finish_reason.is_some() => self.record(reply),
            Some(reply) => self.note(reply),
            None => {
                self.recorder.warnings.say(Warning::Reply);
                self.note(Reply::default());
            }
        }
        is_known
    }

    /// Records that the stream broke, as [`Call::record_error`], and what had come until then.
    pub fn break_stream(&mut self, error_type: &str) {
        let reply = self.stream.take().and_then(ReplyStream::reply).unwrap_or_default();
        self.note(Reply { failure: Some(error_type.to_owned()), ..reply });
    }

    /// Says what the answer is worth, where the prompt says which answers there are.
    fn judge(&mut self, reply: &Reply) {
        let labels = self.prompt.labels();
        if !labels.is_empty() && (reply.text.is_some() || reply.refusal) {
            let answer = reply.text.as_deref().unwrap_or_default().trim();
            let label = labels.iter().find(|label| *label == answer).cloned();
            let record = &mut self.invocation;
            record.valid = record.valid.or(Some(label.is_some()));
            record.label = record.label.take().or(label);
        }
    }

    fn note(&mut self, reply: Reply) {
        // What a stream would have said is said now.
        self.stream = None;
        let is_first = !std::mem::replace(&mut self.is_answered, true);
        let latency_ms = self.elapsed_ms();
        let record = &mut self.invocation;
        if is_first {
            record.latency_ms = Some(latency_ms);
        }
        record.status = if reply.failure.is_some() { Status::Error } else { Status::Ok };
        record.error_type = reply.failure;
        let is_refusal_known = reply.text.is_some() || reply.finish_reason.is_some() || reply.refusal;
        record.refusal = is_refusal_known.then_some(reply.refusal);
        record.output_length = reply.text.as_ref().map(|text| text.chars().count() as u64);
        record.operation = reply.operation.map(str::to_owned);
        record.provider = reply.provider.map(str::to_owned);
        record.responded_model = reply.model;
        record.response_id = reply.response_id;
        record.fingerprint = reply.fingerprint;
        record.service_tier = reply.service_tier;
        record.finish_reason = reply.finish_reason;
        record.input_tokens = reply.input_tokens;
        record.output_tokens = reply.output_tokens;
        record.cached_tokens = reply.cached_tokens;
        record.cache_write_tokens = reply.cache_write_tokens;
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

    /// Says whether an answer or an error is known.
    pub(crate) fn is_over(&self) -> bool {
        self.is_answered || self.invocation.error_type.is_some()
    }

    pub(crate) fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Completes the record with what follows from nothing more coming.
    pub(crate) fn seal(&mut self) {
        if self.stream.is_some() {
            self.end_stream();
        }
        if !self.is_over() {
            self.record_error(UNFINISHED);
        }
    }

    fn send(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        self.seal();
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

#[cfg(test)]
mod tests {
    use super::*;

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

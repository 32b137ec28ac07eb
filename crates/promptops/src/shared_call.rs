//! A call that several places hold: the block it was begun in, and the stream that answers it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use promptops_telemetry::{Invocation, Status};
use serde_json::Value;

use crate::call::{Call, Recorder};
use crate::prompt::Prompt;
use crate::reply::Reply;

/// A [`Call`] for bindings: it can be shared, and is recorded once, when its block has been left **and** its stream is over.
///
/// A stream is often read after the block that asked for it was left, as by a web framework that sends it on. The record
/// waits for it. A client that is wrapped takes a request to the model by [`SharedCall::begin_request`]; the first is the
/// call itself, and each further one in the same block is a call of its own within it, so that all are counted.
pub struct SharedCall {
    prompt: Arc<Prompt>,
    recorder: Arc<Recorder>,
    id: String,
    state: Mutex<State>,
}

struct State {
    /// Gone when it was recorded; `record` then says what it was.
    call: Option<Call>,
    record: Option<Box<Invocation>>,
    request_id: Option<String>,
    /// Whether a wrapped client records the reply.
    is_watched: bool,
    /// Whether a request is under way of which the answer is to come.
    is_waiting: bool,
    is_streaming: bool,
    is_left: bool,
}

impl SharedCall {
    /// Takes a call that was begun.
    #[must_use]
    pub fn new(call: Call) -> Self {
        Self {
            prompt: Arc::clone(call.prompt()),
            recorder: Arc::clone(call.recorder()),
            id: call.invocation().invocation_id.to_string(),
            state: Mutex::new(State {
                call: Some(call),
                record: None,
                request_id: None,
                is_watched: false,
                is_waiting: false,
                is_streaming: false,
                is_left: false,
            }),
        }
    }

    /// Returns the prompt that is called.
    pub fn prompt(&self) -> &Arc<Prompt> {
        &self.prompt
    }

    /// Returns the id of the invocation.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Acts on the call, unless it was recorded.
    pub fn with_call(&self, act: impl FnOnce(&mut Call)) {
        if let Some(call) = &mut self.state().call {
            act(call);
        }
    }

    /// Reads what is known of the call, also after it was recorded.
    pub fn read<T>(&self, look: impl FnOnce(&Invocation) -> T) -> Option<T> {
        let state = self.state();
        state.call.as_ref().map(Call::invocation).or(state.record.as_deref()).map(look)
    }

    /// Returns the provider's id of the reply, once there is one.
    pub fn request_id(&self) -> Option<String> {
        let state = self.state();
        state.call.as_ref().and_then(Call::request_id).map(str::to_owned).or_else(|| state.request_id.clone())
    }

    /// Says that a wrapped client asks the model now, and which one.
    ///
    /// Returns the call that the request is when it is not this one: this one has been asked already, or is over. Such a call
    /// has no block and is recorded with its answer.
    pub fn begin_request(&self, model: Option<&str>) -> Option<Self> {
        let mut state = self.state();
        let is_free = !state.is_watched && !state.is_streaming;
        if let Some(call) = state.call.as_mut().filter(|call| is_free && !call.is_over()) {
            call.begin_request(model);
            (state.is_watched, state.is_waiting) = (true, true);
            return None;
        }
        let outer = state.call.as_ref().map(Call::invocation).or(state.record.as_deref())?;
        let mut call = self.prompt.invocation_within(outer);
        let record = call.invocation_mut();
        record.stratum = outer.stratum.clone();
        record.input_hash = outer.input_hash.clone();
        call.begin_request(model);
        drop(state);
        let further = Self::new(call);
        {
            let mut state = further.state();
            (state.is_watched, state.is_waiting, state.is_left) = (true, true, true);
        }
        Some(further)
    }

    /// Says whether the model was asked already, so that an answer is known, is under way, or will not come.
    pub fn is_asked(&self) -> bool {
        let state = self.state();
        state.is_watched || state.is_streaming || state.call.as_ref().is_none_or(Call::is_over)
    }

    /// Says whether a wrapped client has recorded an answer or is about to, so that one that the caller records too is known.
    pub fn is_watched(&self) -> bool {
        let state = self.state();
        let has_failed = state.call.as_ref().is_some_and(|call| call.invocation().status == Status::Error);
        state.is_watched && !has_failed
    }

    /// Records the whole reply to a request, see [`Call::record_reply`].
    pub fn record_reply(&self, json: &Value) -> bool {
        let mut is_known = false;
        self.with_call(|call| is_known = call.record_reply(json));
        {
            let mut state = self.state();
            (state.is_waiting, state.is_streaming) = (false, false);
        }
        self.settle();
        is_known
    }

    /// Records that a reply came that the caller reads by other means, so that only its latency is known.
    pub fn record_unseen(&self) {
        self.with_call(|call| call.record(Reply::default()));
        self.state().is_waiting = false;
        self.settle();
    }

    /// Records that a request failed, see [`Call::record_error`].
    pub fn record_error(&self, error_type: &str) {
        self.with_call(|call| call.record_error(error_type));
        self.state().is_waiting = false;
        self.settle();
    }

    /// Says that the answer is a stream, see [`Call::begin_stream`]. The record then waits for its end.
    pub fn begin_stream(&self, head: &Value) {
        let mut state = self.state();
        if let Some(call) = &mut state.call {
            call.begin_stream(head);
            (state.is_waiting, state.is_streaming) = (false, true);
        }
    }

    /// Records an event of the stream, see [`Call::record_event`].
    pub fn record_event(&self, event: &Value) {
        self.with_call(|call| _ = call.record_event(event));
    }

    /// Says that the stream is over; see [`Call::end_stream`] and, with the type of an error, [`Call::break_stream`].
    pub fn end_stream(&self, error_type: Option<&str>) {
        let was_streaming = std::mem::replace(&mut self.state().is_streaming, false);
        if !was_streaming {
            return;
        }
        self.with_call(|call| match error_type {
            Some(error_type) => call.break_stream(error_type),
            None => _ = call.end_stream(),
        });
        self.settle();
    }

    /// Says that the block was left, and by which error: the call is recorded, now or when its answer is over.
    ///
    /// An error while the answer comes in is the caller's: the answer counts as far as it came.
    pub fn leave(&self, error_type: Option<&str>) {
        if let Some(error_type) = error_type {
            self.end_stream(None);
            self.record_error(error_type);
        }
        self.state().is_left = true;
        self.settle();
    }

    /// Counts that something of the call could not be recorded.
    pub fn count_failure(&self) {
        self.recorder.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Records the call if nothing more comes.
    fn settle(&self) {
        let mut state = self.state();
        if !state.is_left || state.is_streaming || state.is_waiting {
            return;
        }
        let Some(mut call) = state.call.take() else { return };
        call.seal();
        state.request_id = call.request_id().map(str::to_owned);
        state.record = Some(Box::new(call.invocation().clone()));
        // Sinks write while others may read what is known.
        drop(state);
        drop(call);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

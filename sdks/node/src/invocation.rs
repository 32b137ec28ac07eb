//! `Invocation`: what `lib/invocation.js` and `lib/wrap.js` make calls of.

use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use promptops::{Call, Rendered, SharedCall};
use serde_json::Value;

use crate::value::reply_json;

#[napi]
pub struct Invocation {
    call: SharedCall,
}

/// What the caller knows of an answer.
#[napi(object, object_to_js = false)]
pub struct AnswerFacts {
    pub label: Option<String>,
    pub valid: Option<bool>,
    pub cost_usd: Option<f64>,
}

impl Invocation {
    pub(crate) fn new(call: Call) -> Self {
        Self { call: SharedCall::new(call) }
    }

    pub(crate) fn call(&self) -> &SharedCall {
        &self.call
    }

    /// Records what was rendered, if it is of the prompt that is called.
    pub(crate) fn record_input(&self, prompt: &Arc<promptops::Prompt>, rendered: &Rendered) {
        if Arc::ptr_eq(self.call.prompt(), prompt) {
            self.call.with_call(|call| call.record_input(rendered));
        }
    }
}

#[napi]
impl Invocation {
    /// Takes what the caller knows of the answer.
    #[napi]
    pub fn note(&self, facts: AnswerFacts) {
        self.call.with_call(|call| {
            let known = call.invocation_mut();
            known.label = facts.label.or(known.label.take());
            known.valid = facts.valid.or(known.valid);
            known.cost_usd = facts.cost_usd.or(known.cost_usd);
        });
    }

    /// Records a reply and says whether it was understood.
    ///
    /// # Errors
    /// What a getter of the reply threw; nothing is recorded then.
    #[napi]
    pub fn record(&self, reply: Unknown<'_>) -> Result<bool> {
        // Reading a reply may run its getters, so it is over before anything here is held.
        let json = reply_json(reply)?;
        Ok(self.call.record_reply(&json))
    }

    #[napi]
    pub fn record_text(&self, text: String) {
        self.call.with_call(|call| call.record_text(&text));
    }

    /// Records that a reply came which the caller reads by other means.
    #[napi]
    pub fn record_unseen(&self) {
        self.call.record_unseen();
    }

    /// Records an error by the name of its class or its code.
    #[napi]
    pub fn record_error(&self, name: String) {
        self.call.record_error(&promptops::error_type(&name));
    }

    #[napi]
    pub fn record_first_token(&self) {
        self.call.with_call(Call::record_first_token);
    }

    #[napi]
    pub fn score(&self, name: String, value: f64) {
        self.call.with_call(|call| _ = call.invocation_mut().scores.insert(name, value));
    }

    /// Says that a wrapped client asks the model. Returns the invocation that the request is, if it is not this one.
    #[napi]
    pub fn begin_request(&self, model: Option<String>) -> Option<Invocation> {
        self.call.begin_request(model.as_deref()).map(|call| Self { call })
    }

    #[napi]
    pub fn is_asked(&self) -> bool {
        self.call.is_asked()
    }

    #[napi]
    pub fn is_watched(&self) -> bool {
        self.call.is_watched()
    }

    /// Says that the answer comes in events, and what is known beside them, as JSON.
    #[napi]
    pub fn begin_stream(&self, head: String) {
        self.call.begin_stream(&serde_json::from_str(&head).unwrap_or_default());
    }

    /// Records an event of a stream, which is JSON.
    #[napi]
    pub fn record_event(&self, event: String) {
        match serde_json::from_str::<Value>(&event) {
            Ok(event) => self.call.record_event(&event),
            Err(_) => self.call.count_failure(),
        }
    }

    /// Says that the stream is over, and by which error, named as for `record_error`.
    #[napi]
    pub fn end_stream(&self, name: Option<String>) {
        let error_type = name.as_deref().map(promptops::error_type);
        self.call.end_stream(error_type.as_deref());
    }

    #[napi]
    pub fn end(&self) {
        self.call.leave(None);
    }

    /// Ends the invocation by an error, named as for `record_error`.
    #[napi]
    pub fn end_with_error(&self, name: String) {
        self.call.leave(Some(&promptops::error_type(&name)));
    }

    /// Counts that something went wrong while recording.
    #[napi]
    pub fn swallow(&self) {
        self.call.count_failure();
    }

    #[napi(getter)]
    pub fn id(&self) -> &str {
        self.call.id()
    }

    #[napi(getter)]
    pub fn request_id(&self) -> Option<String> {
        self.call.request_id()
    }

    #[napi(getter)]
    pub fn label(&self) -> Option<String> {
        self.call.read(|known| known.label.clone())?
    }

    #[napi(getter)]
    pub fn valid(&self) -> Option<bool> {
        self.call.read(|known| known.valid)?
    }
}

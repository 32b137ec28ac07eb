//! `Invocation`.

use std::cell::RefCell;
use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use promptops::{Call, Rendered};

use crate::value::reply_json;

#[napi]
pub struct Invocation {
    id: String,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Gone when it was recorded.
    call: Option<Call>,
    request_id: Option<String>,
    label: Option<String>,
    valid: Option<bool>,
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
        let id = call.invocation().invocation_id.to_string();
        Self { id, state: RefCell::new(State { call: Some(call), ..State::default() }) }
    }

    /// Records what was rendered, if it is of the prompt that is called.
    pub(crate) fn record_input(&self, prompt: &Arc<promptops::Prompt>, rendered: &Rendered) {
        self.with_call(|call| {
            if Arc::ptr_eq(call.prompt(), prompt) {
                call.record_input(rendered);
            }
        });
    }

    fn with_call(&self, act: impl FnOnce(&mut Call)) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if let Some(call) = &mut state.call {
            act(call);
            let known = call.invocation();
            (state.label, state.valid) = (known.label.clone(), known.valid);
            state.request_id = call.request_id().map(str::to_owned);
        }
    }

    fn note(&self, facts: AnswerFacts) {
        self.with_call(|call| {
            let known = call.invocation_mut();
            known.label = facts.label.or(known.label.take());
            known.valid = facts.valid.or(known.valid);
            known.cost_usd = facts.cost_usd.or(known.cost_usd);
        });
    }
}

#[napi]
impl Invocation {
    /// Records a reply and says whether it was understood.
    ///
    /// # Errors
    /// What a getter of the reply threw; nothing is recorded then.
    #[napi]
    pub fn record(&self, reply: Unknown<'_>, facts: AnswerFacts) -> Result<bool> {
        // Reading a reply may run its getters, so it is over before anything here is held.
        let json = reply_json(reply)?;
        self.note(facts);
        let mut is_known = false;
        self.with_call(|call| is_known = call.record_reply(&json));
        Ok(is_known)
    }

    #[napi]
    pub fn record_text(&self, text: String, facts: AnswerFacts) {
        self.note(facts);
        self.with_call(|call| call.record_text(&text));
    }

    /// Records an error by the name of its class or its code.
    #[napi]
    pub fn record_error(&self, name: String) {
        self.with_call(|call| call.record_error(&promptops::error_type(&name)));
    }

    #[napi]
    pub fn record_first_token(&self) {
        self.with_call(Call::record_first_token);
    }

    #[napi]
    pub fn score(&self, name: String, value: f64) {
        self.with_call(|call| _ = call.invocation_mut().scores.insert(name, value));
    }

    #[napi]
    pub fn end(&self) {
        let call = self.state.borrow_mut().call.take();
        if let Some(call) = call {
            call.finish();
        }
    }

    #[napi(getter)]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[napi(getter)]
    pub fn request_id(&self) -> Option<String> {
        self.state.borrow().request_id.clone()
    }

    #[napi(getter)]
    pub fn label(&self) -> Option<String> {
        self.state.borrow().label.clone()
    }

    #[napi(getter)]
    pub fn valid(&self) -> Option<bool> {
        self.state.borrow().valid
    }
}

//! `Prompt`.

use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::{Either, Unknown};
use napi_derive::napi;
use promptops::Rendered;
use serde_json::json;

use crate::error::{Answer, answer};
use crate::invocation::Invocation;
use crate::value::set_values;

#[napi]
pub struct Prompt {
    prompt: Arc<promptops::Prompt>,
}

/// One message of a rendered prompt.
#[napi(object, object_from_js = false)]
pub struct Message {
    pub role: &'static str,
    pub content: String,
}

/// What is known of a call before it is made.
#[napi(object, object_to_js = false)]
pub struct CallFacts {
    pub session: Option<String>,
    pub agent: Option<String>,
    pub stratum: Option<String>,
    pub parent: Option<String>,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
}

impl Prompt {
    pub(crate) fn new(prompt: Arc<promptops::Prompt>) -> Self {
        Self { prompt }
    }

    fn rendered(&self, values: Option<Unknown<'_>>, call: Option<&Invocation>) -> Result<Answer<Rendered>> {
        let mut rendering = self.prompt.rendering();
        if let Some(values) = values
            && let Err(refusal) = set_values(&mut rendering, values)
        {
            return refusal.into_failure().map(Either::B);
        }
        let rendered = self.prompt.finish(rendering);
        if let (Ok(rendered), Some(call)) = (&rendered, call) {
            call.record_input(&self.prompt, rendered);
        }
        Ok(answer(rendered))
    }
}

#[napi]
impl Prompt {
    /// Names the loaded prompt as long as this object lives: equal keys, the same prompt.
    #[napi(getter)]
    pub fn key(&self) -> f64 {
        // An address has at most 53 bits on the machines there are.
        Arc::as_ptr(&self.prompt).addr() as f64
    }

    /// Returns everything that does not change, as JSON.
    #[napi]
    pub fn facts(&self) -> String {
        let prompt = &self.prompt;
        json!({
            "id": prompt.id(),
            "version": prompt.version(),
            "parent": prompt.parent().map(ToString::to_string),
            "owner": prompt.owner(),
            "purpose": prompt.purpose(),
            "model": prompt.model(),
            "parameters": prompt.parameters(),
            "tags": prompt.tags(),
            "template": prompt.template(),
            "inputs": prompt.inputs(),
            "output": prompt.output(),
            "tools": prompt.tools(),
            "metrics": prompt.metadata().metrics,
            "arm": prompt.arm().map(promptops::Arm::name),
            "digest": prompt.digest().to_string(),
        })
        .to_string()
    }

    #[napi]
    pub fn render(&self, values: Option<Unknown<'_>>, call: Option<&Invocation>) -> Result<Answer<String>> {
        Ok(match self.rendered(values, call)? {
            Either::A(rendered) => answer(self.prompt.single(rendered)),
            Either::B(failure) => Either::B(failure),
        })
    }

    #[napi]
    pub fn messages(&self, values: Option<Unknown<'_>>, call: Option<&Invocation>) -> Result<Answer<Vec<Message>>> {
        Ok(match self.rendered(values, call)? {
            Either::A(rendered) => Either::A(
                rendered.messages.into_iter().map(|one| Message { role: one.role.name(), content: one.content }).collect(),
            ),
            Either::B(failure) => Either::B(failure),
        })
    }

    /// Begins a call, within `outer` if that is given.
    #[napi]
    pub fn invocation(&self, facts: CallFacts, outer: Option<&Invocation>) -> Invocation {
        let within = |outer: &Invocation| outer.call().read(|outer| self.prompt.invocation_within(outer));
        let mut call = outer.and_then(within).unwrap_or_else(|| self.prompt.invocation());
        let known = call.invocation_mut();
        known.session = facts.session.or(known.session.take());
        known.agent = facts.agent.or(known.agent.take());
        known.stratum = facts.stratum;
        // Recording never fails; what is no id is no parent.
        known.parent_invocation = facts.parent.and_then(|parent| parent.parse().ok()).or(known.parent_invocation);
        known.trace_id = facts.trace_id.or(known.trace_id.take());
        known.span_id = facts.span_id.or(known.span_id.take());
        Invocation::new(call)
    }
}

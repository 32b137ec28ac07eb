//! Judges: what `llm-rubric` asks a model.

use std::collections::BTreeMap;

use promptops_prompt::Content;
use serde_json::{Map, Value};

use super::providers::Provider;
use super::reader::Place;

/// A prompt that judges.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) slug: String,
    pub(super) content: Content,
}

/// Every judge of a suite, each once.
#[derive(Debug, Default)]
pub(super) struct Judges {
    by_key: BTreeMap<String, Judge>,
}

impl Judges {
    pub(super) fn scorer(
        &mut self,
        _rubric: Option<&Value>,
        _threshold: Option<f64>,
        _grader: Option<&Provider>,
        _rubric_prompt: Option<&(Value, Place)>,
        _vars: &Map<String, Value>,
    ) -> Result<Value, String> {
        Err("no judge".to_owned())
    }

    pub(super) fn finish(self) -> Vec<Judge> {
        self.by_key.into_values().collect()
    }
}

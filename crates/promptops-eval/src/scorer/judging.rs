//! Judges: governed prompts, pinned by version, that a model answers about an answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use promptops_prompt::{PromptRef, Role};
use serde_json::{Map, Value, json};

use super::expected::Expected;
use super::{Ask, Building, Judged, Unjudged, UnjudgedClass, excerpt, json_text};
use crate::client::Call;
use crate::dataset::{Case, Format, inputs};
use crate::spec::fields::Fields;
use crate::subject::Subject;

/// What an eval file states of every judge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JudgeSettings {
    /// The judge's prompt.
    pub(crate) prompt: PromptRef,
    /// Columns for variables of the judge.
    columns: BTreeMap<String, String>,
    /// What `reference` is filled with.
    pub(crate) reference: Option<Expected>,
}

impl JudgeSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let columns = fields.columns("inputs");
        let is_given = fields.node("expected").or(fields.node("value")).is_some();
        let reference = if is_given { Some(Expected::read_text(fields)?) } else { None };
        let prompt = fields.required_text("prompt")?;
        match prompt.value.parse() {
            Ok(prompt) => Some(Self { prompt, columns, reference }),
            Err(error) => {
                let hint = "a judge is pinned: `quality.helpfulness@2`";
                let message = format!("`prompt` is no version of a prompt: {error}");
                fields.findings.error_with_hint(prompt.span, message, hint);
                None
            }
        }
    }

    /// Returns every column that is read.
    pub(crate) fn columns(&self) -> Vec<&str> {
        let reference = self.reference.iter().flat_map(Expected::columns);
        self.columns.values().map(String::as_str).chain(reference).collect()
    }

    /// Fits the judge to its prompt; `given` are the variables that the scorer itself fills.
    pub(crate) fn build(&self, building: &Building<'_>, given: &[&'static str]) -> Result<Judge, String> {
        let Some(subject) = building.judges.get(&self.prompt) else {
            return Err(format!(
                "there is no judge `{}`, neither in the project, nor in its history, nor in its registry",
                self.prompt
            ));
        };
        let declared = &subject.content.inputs;
        if let Some(name) = given.iter().find(|name| !declared.contains_key(**name)) {
            return Err(format!("the judge `{}` has no variable `{name}`, so it would not see what it judges", self.prompt));
        }
        let mut columns = self.columns.clone();
        if let Some(name) = columns.keys().find(|name| !declared.contains_key(*name)) {
            return Err(format!("the judge `{}` has no variable `{name}`", self.prompt));
        }
        for (name, schema) in declared {
            let is_filled = given.contains(&name.as_str())
                || columns.contains_key(name)
                || OWN.contains(&name.as_str())
                || (name == REFERENCE && self.reference.is_some());
            if is_filled {
                continue;
            }
            if building.columns.contains(name) {
                columns.insert(name.clone(), name.clone());
            } else if schema.get("default").is_none() {
                return Err(format!("the variable `{name}` of the judge `{}` has neither a column nor a default", self.prompt));
            }
        }
        let validator = match &subject.content.output {
            Some(schema) => Some(
                jsonschema::validator_for(schema)
                    .map_err(|error| format!("the `output` of the judge `{}` is no JSON Schema: {error}", self.prompt))?,
            ),
            None => None,
        };
        Ok(Judge { settings: self.clone(), columns, subject: subject.clone(), format: building.format, validator })
    }
}

/// What `expected` or `value` fills.
const REFERENCE: &str = "reference";
/// Variables that every judge is given if it declares them.
const OWN: [&str; 2] = ["question", "conversation"];

/// A judge at work.
#[derive(Debug)]
pub(crate) struct Judge {
    settings: JudgeSettings,
    columns: BTreeMap<String, String>,
    subject: Arc<Subject>,
    format: Format,
    validator: Option<jsonschema::Validator>,
}

impl Judge {
    /// Returns the version of the judge.
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Asks about an answer and returns what the judge says.
    pub(crate) async fn ask(&self, judged: &Judged<'_>, given: Vec<(&str, &str)>) -> Result<Value, Unjudged> {
        let mut variables = self.row_variables(judged.case)?;
        let declared = &self.subject.content.inputs;
        for name in OWN.into_iter().filter(|name| declared.contains_key(*name)) {
            let text = || if name == "question" { question(judged.call) } else { conversation(judged.call) };
            variables.entry(name).or_insert_with(|| text().into());
        }
        variables.extend(given.into_iter().map(|(name, text)| (name.to_owned(), text.into())));
        self.ask_with(&variables, judged.asks, judged.repeat).await
    }

    /// Returns the variables that columns and the reference fill.
    fn row_variables(&self, case: &Case) -> Result<Map<String, Value>, Unjudged> {
        let declared = &self.subject.content.inputs;
        let mut variables = inputs(case, self.format, &self.columns, declared);
        if let Some(reference) = self.settings.reference.as_ref().filter(|_| declared.contains_key(REFERENCE)) {
            variables.insert(REFERENCE.to_owned(), reference.some_text(case)?.into_owned().into());
        }
        Ok(variables)
    }

    /// Asks with all variables stated and returns what the judge says: JSON or a text, as its prompt's `output` admits. What that
    /// does not admit is nonsense.
    pub(crate) async fn ask_with(
        &self,
        variables: &Map<String, Value>,
        asks: Option<&dyn Ask>,
        repeat: u32,
    ) -> Result<Value, Unjudged> {
        let failed = |message: String| {
            let message = format!("the judge `{}` could not be asked: {message}", self.settings.prompt);
            Unjudged { class: UnjudgedClass::JudgeCall, message }
        };
        let call = self.subject.call(variables).map_err(|error| failed(error.to_string()))?;
        let Some(asks) = asks else { return Err(failed("no model may be asked".to_owned())) };
        let answer = asks.ask(&call, repeat).await;
        let answer = answer.map_err(|failure| failed(format!("{}: {}", failure.class, failure.message)))?;
        self.read(&answer.text)
    }

    fn read(&self, text: &str) -> Result<Value, Unjudged> {
        let as_text = Value::String(text.trim().to_owned());
        let parsed = json_text::read(text, false);
        let Some(validator) = &self.validator else { return Ok(parsed.unwrap_or(as_text)) };
        match parsed {
            Some(value) if validator.is_valid(&value) => Ok(value),
            _ if validator.is_valid(&as_text) => Ok(as_text),
            _ => Err(self.nonsense(text, "is not what its `output` says")),
        }
    }

    /// Says that an answer of the judge is no verdict.
    pub(crate) fn nonsense(&self, said: &str, why: &str) -> Unjudged {
        let message = format!("the judge `{}` answered `{}`, which {why}", self.settings.prompt, excerpt(said));
        Unjudged { class: UnjudgedClass::JudgeAnswer, message }
    }

    pub(crate) fn describe(&self) -> Value {
        json!({
            "prompt": self.settings.prompt,
            "digest": self.subject.digest,
            "model": self.subject.content.model,
            "columns": self.columns,
            "reference": self.settings.reference.as_ref().map(Expected::describe),
        })
    }
}

/// Returns the last message that a user wrote.
fn question(call: &Call) -> String {
    let last = call.messages.iter().rev().find(|message| message.role == Role::User).or(call.messages.last());
    last.map(|message| message.content.clone()).unwrap_or_default()
}

/// Returns all messages, one after the other, each under its role.
fn conversation(call: &Call) -> String {
    let parts = call.messages.iter().map(|message| format!("{}: {}", message.role.name(), message.content));
    parts.collect::<Vec<_>>().join("\n\n")
}

/// Returns a text field of what a judge said, or what it said as a whole where that is a text.
pub(crate) fn field<'a>(said: &'a Value, name: &str) -> Option<&'a str> {
    match said {
        Value::String(text) => Some(text),
        Value::Object(fields) => fields.get(name).and_then(Value::as_str),
        _ => None,
    }
}

/// Returns the reason that a judge gives.
pub(crate) fn reason(said: &Value) -> Option<&str> {
    said.get("reason").and_then(Value::as_str)
}

/// Returns what a judge said, for people.
pub(crate) fn shown(said: &Value) -> String {
    said.as_str().map_or_else(|| said.to_string(), str::to_owned)
}

//! Scorers: one answer in, passed or not out. One file each, named as eval files name them.

pub mod contains;
pub mod exact;
pub mod json_schema;
pub mod label;
pub mod regex;

use std::fmt;

use promptops_prompt::yaml::Node;
use serde_json::Value;

use crate::dataset::Case;
use crate::spec::fields::{Fields, Findings};

/// The verdict on one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Whether the answer is good.
    pub passed: bool,
    /// Why not, for people.
    pub note: Option<String>,
}

impl Score {
    /// Returns the score of a good answer.
    pub fn pass() -> Self {
        Self { passed: true, note: None }
    }

    /// Returns the score of a bad answer, with the reason.
    pub fn fail(note: impl Into<String>) -> Self {
        Self { passed: false, note: Some(note.into()) }
    }
}

/// Judges answers.
pub trait Scorer: fmt::Debug + Send + Sync {
    /// Judges one answer to one case.
    fn score(&self, answer: &str, case: &Case) -> Score;

    /// Returns everything that decides a score, for the comparability key.
    fn describe(&self) -> Value;

    /// Returns the labels among which the scorer classifies, if it does.
    fn labels(&self) -> Option<&label::Labels> {
        None
    }
}

/// A scorer as an eval file states it.
#[derive(Debug, Clone)]
pub enum ScorerSpec {
    /// `exact`.
    Exact(exact::Exact),
    /// `contains`.
    Contains(contains::Contains),
    /// `regex`.
    Regex(regex::Regex),
    /// `json-schema`.
    JsonSchema(json_schema::Settings),
    /// `label`.
    Label(label::Settings),
}

/// The names of the scorers, as eval files write them.
pub const NAMES: [&str; 5] = ["contains", "exact", "json-schema", "label", "regex"];

impl ScorerSpec {
    /// Reads a scorer; what is wrong with it is collected.
    pub(crate) fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        let mut fields = Fields::of(node, "the scorer", findings)?;
        let kind = fields.required_text("type")?;
        let scorer = match kind.value.as_str() {
            "exact" => exact::Exact::read(&mut fields).map(Self::Exact),
            "contains" => contains::Contains::read(&mut fields).map(Self::Contains),
            "regex" => regex::Regex::read(&mut fields).map(Self::Regex),
            "json-schema" => Some(Self::JsonSchema(json_schema::Settings::read(&mut fields))),
            "label" => label::Settings::read(&mut fields).map(Self::Label),
            other => {
                let hint = format!("the scorers are `{}`", NAMES.join("`, `"));
                findings.error_with_hint(kind.span, format!("there is no scorer `{other}`"), hint);
                return None;
            }
        };
        fields.finish();
        scorer
    }

    /// Returns the column that holds what is expected, if there is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Exact(exact) => exact.expected.column(),
            Self::Contains(contains) => contains.column(),
            Self::Label(label) => Some(&label.expected),
            Self::Regex(_) | Self::JsonSchema(_) => None,
        }
    }

    /// Returns the scorer at work, with its defaults from the `output` of the prompt.
    ///
    /// # Errors
    /// A message when a default is needed that the prompt does not give, or a schema is none.
    pub fn build(&self, output: Option<&Value>) -> Result<Box<dyn Scorer>, String> {
        Ok(match self {
            Self::Exact(exact) => Box::new(exact.clone()),
            Self::Contains(contains) => Box::new(contains.clone()),
            Self::Regex(regex) => Box::new(regex.clone()),
            Self::JsonSchema(settings) => Box::new(settings.build(output)?),
            Self::Label(settings) => Box::new(settings.build(output)?),
        })
    }
}

/// Returns the beginning of an answer on one line, for notes.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use promptops_prompt::yaml;

    use super::*;

    /// Reads a scorer from its YAML.
    pub(crate) fn scorer(text: &str, output: Option<&Value>) -> Result<Box<dyn Scorer>, String> {
        let mut findings = Findings::new("e.yaml");
        let spec = ScorerSpec::read(&yaml::parse(text).0.unwrap(), &mut findings);
        if let Some(finding) = findings.list.first() {
            return Err(finding.message.clone());
        }
        spec.unwrap().build(output)
    }

    /// Returns a case with these values.
    pub(crate) fn case(values: Value) -> Case {
        Case { name: "1".into(), line: 1, values: values.as_object().unwrap().clone(), must_pass: false, cluster: None }
    }

    #[test]
    fn settings_that_decide_a_score_decide_the_description() {
        let output = serde_json::json!({"enum": ["a", "b"]});
        let texts = [
            "{type: exact, expected: x}",
            "{type: exact, expected: y}",
            "{type: exact, value: x}",
            "{type: exact, value: x, trim: true}",
            "{type: exact, value: x, ignore_case: true}",
            "{type: contains, all: x}",
            "{type: contains, any: x}",
            "{type: contains, expected: x}",
            "{type: contains, any: x, ignore_case: true}",
            "{type: regex, pattern: x}",
            "{type: json-schema}",
            "{type: json-schema, schema: {type: string}}",
            "{type: label, expected: x}",
            "{type: label, expected: x, labels: [a, c]}",
        ];
        let mut seen = Vec::new();
        for text in texts {
            let description = scorer(text, Some(&output)).unwrap().describe().to_string();
            assert!(!seen.contains(&description), "{text}");
            seen.push(description);
        }
    }
}

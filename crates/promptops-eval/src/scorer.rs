//! Scorers: one answer in, passed or not out. One file each, named as eval files name them.

pub mod contains;
pub mod exact;
pub mod json_schema;
pub mod label;
pub mod regex;

use std::fmt;

use futures::future::BoxFuture;
use promptops_prompt::yaml::Node;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Answer, Call};
use crate::dataset::Case;
use crate::run::Failure;
use crate::spec::fields::{Fields, Findings};

/// What a scorer says about one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// From 0 (bad) to 1 (good), or a quantity in the [`Unit`] of the scorer.
    pub value: f64,
    /// Whether the answer is good enough.
    pub passed: bool,
    /// Why not, for people.
    pub note: Option<String>,
    /// The right label and the one that was answered, from a scorer that classifies.
    pub classified: Option<Classified>,
}

/// The numbers of two labels, in the order of [`Scorer::labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// The right one.
    pub right: usize,
    /// The one that was answered; none where the answer is no label.
    pub answered: Option<usize>,
}

impl Score {
    /// Returns the score of a good answer.
    pub fn pass() -> Self {
        Self { value: 1.0, passed: true, note: None, classified: None }
    }

    /// Returns the score of a bad answer, with the reason.
    pub fn fail(note: impl Into<String>) -> Self {
        Self { value: 0.0, passed: false, note: Some(note.into()), classified: None }
    }
}

/// Says that a scorer could not judge. This is an error: neither a pass nor a fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// The class, by which reports count.
    pub class: UnjudgedClass,
    /// What happened, for people.
    pub message: String,
}

/// Why a scorer could not judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnjudgedClass {
    /// The judge could not be asked.
    JudgeCall,
    /// The judge answered something that is no verdict.
    JudgeAnswer,
    /// The scorer's program failed, ran too long or answered something that is no score.
    Program,
    /// The dataset does not hold what the scorer compares with.
    Reference,
    /// The provider did not state what the scorer measures: tokens, or tokens at a known price.
    Unmeasured,
}

impl fmt::Display for UnjudgedClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::JudgeCall => "judge-call",
            Self::JudgeAnswer => "judge-answer",
            Self::Program => "program",
            Self::Reference => "reference",
            Self::Unmeasured => "unmeasured",
        })
    }
}

/// What a scorer may look at.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// The case that it answers.
    pub case: &'a Case,
    /// The call that it answers.
    pub call: &'a Call,
    /// Which of several answers to the same call it is, from 0.
    pub repeat: u32,
    /// What the call cost in US dollars, where price and tokens are known.
    pub cost_usd: Option<f64>,
    /// The parent's answer to the same case and repeat, while the candidate is judged.
    pub rival: Option<&'a Answer>,
    /// Asks a model on behalf of the scorer; none where no model may be asked.
    pub asks: Option<&'a dyn Ask>,
}

/// Asks a model on behalf of a scorer, by the same recording, retries, limits and budget as for the answers themselves.
pub trait Ask: Send + Sync {
    /// Returns the answer to a call, or why there is none.
    fn ask<'a>(&'a self, call: &'a Call, repeat: u32) -> BoxFuture<'a, Result<Answer, Failure>>;
}

/// A score that is there, or one that takes a program or a model to come by.
pub enum Judgement<'a> {
    /// The score, or why there is none.
    Ready(Result<Score, Unjudged>),
    /// The same, to be waited for.
    Pending(BoxFuture<'a, Result<Score, Unjudged>>),
}

impl Judgement<'_> {
    /// Waits for the score.
    ///
    /// # Errors
    /// [`Unjudged`] when the scorer could not judge.
    pub async fn settle(self) -> Result<Score, Unjudged> {
        match self {
            Self::Ready(score) => score,
            Self::Pending(score) => score.await,
        }
    }
}

impl From<Score> for Judgement<'_> {
    fn from(score: Score) -> Self {
        Self::Ready(Ok(score))
    }
}

/// What the value of a score is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// From 0 to 1; more is better.
    Share,
    /// Milliseconds; less is better.
    Milliseconds,
    /// US dollars; less is better.
    UsDollars,
    /// Tokens; less is better.
    Tokens,
}

impl Unit {
    /// Tells whether less is better.
    pub fn less_is_better(self) -> bool {
        self != Self::Share
    }
}

/// Judges answers.
pub trait Scorer: fmt::Debug + Send + Sync {
    /// Judges one answer to one case.
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a>;

    /// Returns everything that decides a score, for the comparability key.
    fn describe(&self) -> Value;

    /// Returns what the value of a score is measured in.
    fn unit(&self) -> Unit {
        Unit::Share
    }

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
    use crate::dataset::Head;

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
        let head = Head { name: "1".into(), line: 1, must_pass: false, cluster: None, stratum: None, weight: 1.0 };
        Case { head, values: values.as_object().unwrap().clone() }
    }

    /// Returns an answer with this text.
    pub(crate) fn answer(text: &str) -> Answer {
        Answer {
            text: text.into(),
            model: "m".into(),
            fingerprint: None,
            finish_reason: None,
            tool_calls: Vec::new(),
            usage: None,
            latency_ms: 1,
        }
    }

    /// Judges a text with a scorer that needs nothing but the text and the case.
    pub(crate) fn judge(scorer: &dyn Scorer, text: &str, case: &Case) -> Score {
        judge_answer(scorer, &answer(text), case).unwrap()
    }

    /// Judges an answer with a scorer that is ready at once.
    pub(crate) fn judge_answer(scorer: &dyn Scorer, answer: &Answer, case: &Case) -> Result<Score, Unjudged> {
        let call = Call { model: "m".into(), messages: Vec::new(), parameters: serde_json::Map::new(), tools: None };
        let judged = Judged { answer, case, call: &call, repeat: 0, cost_usd: None, rival: None, asks: None };
        match scorer.score(&judged) {
            Judgement::Ready(score) => score,
            Judgement::Pending(_) => panic!("the scorer is not ready at once"),
        }
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

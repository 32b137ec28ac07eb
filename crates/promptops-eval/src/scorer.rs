//! Scorers: one answer in, a grade and a verdict out. One file each, named as eval files name them.
//!
//! **Invariant.** A scorer that cannot judge says so ([`Unjudged`]); it never passes or fails an answer for want of a reference,
//! a price or a program.

mod adjusted;
pub mod calibration;
pub mod expected;
mod json_text;
mod judging;
pub(crate) mod sql_text;
mod treebank;
mod wording;
mod xml_text;

pub mod bleu;
pub mod command;
pub mod contains;
pub mod contains_json;
pub mod contains_sql;
pub mod contains_xml;
pub mod cost;
pub mod equals;
pub mod finish_reason;
pub mod gleu;
pub mod html_valid;
pub mod json_path;
pub mod json_schema;
pub mod json_valid;
pub mod judge;
pub mod label;
pub mod latency;
pub mod levenshtein;
pub mod numeric;
pub mod pairwise;
pub mod per_case;
pub mod perplexity;
pub mod refusal;
pub mod regex;
pub mod rouge_n;
pub mod set;
pub mod sql_valid;
pub mod starts_with;
pub mod tokens;
pub mod tool_call;
pub mod word_count;
pub mod xml_valid;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use promptops_prompt::PromptRef;
use promptops_prompt::yaml::Node;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::adjusted::Adjustment;
use self::calibration::Agreement;
use crate::client::{Answer, Call};
use crate::dataset::{Case, DatasetError, Format};
use crate::recording::Redaction;
use crate::run::Failure;
use crate::spec::fields::{Fields, Findings};
use crate::subject::Subject;

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

    /// Returns a grade from 0 to 1; half of what can be reached is good enough.
    pub fn graded(value: f64, note: impl Into<String>) -> Self {
        let value = value.clamp(0.0, 1.0);
        Self { value, passed: value >= 0.5, note: Some(note.into()), classified: None }
    }

    /// Returns a quantity; any is good enough.
    pub fn quantity(value: f64, note: impl Into<String>) -> Self {
        Self { value, passed: true, note: Some(note.into()), classified: None }
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

impl From<Result<Score, Unjudged>> for Judgement<'_> {
    fn from(score: Result<Score, Unjudged>) -> Self {
        Self::Ready(score)
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

    /// Tells whether the scorer looks at the parent's answer to judge the candidate's.
    fn needs_rival(&self) -> bool {
        false
    }

    /// Tells whether a program judges. Nobody knows all that it goes by, so the same answer may have another score another day.
    fn runs_program(&self) -> bool {
        false
    }

    /// Returns the labels among which the scorer classifies, if it does.
    fn labels(&self) -> Option<&label::Labels> {
        None
    }

    /// Judges the answers that people have judged too; none unless the scorer is a judge with a calibration.
    fn calibrate<'a>(&'a self, _asks: Option<&'a dyn Ask>) -> Option<BoxFuture<'a, Result<Vec<Agreement>, DatasetError>>> {
        None
    }
}

/// Versions of prompts that judge, ready to be rendered.
pub type Judges = BTreeMap<PromptRef, Arc<Subject>>;

/// What a scorer is fitted to.
#[derive(Clone, Copy)]
pub struct Building<'a> {
    /// The `output` of the candidate, from which defaults are taken.
    pub output: Option<&'a Value>,
    /// The folder of the eval file: programs run in it, and paths start from it.
    pub folder: &'a Path,
    /// The columns of the dataset.
    pub columns: &'a [String],
    /// How the dataset is written.
    pub format: Format,
    /// The judges that the eval file names.
    pub judges: &'a Judges,
    /// What is blotted out of what programs say.
    pub redaction: &'a Redaction,
}

/// How a scorer grades before any threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grading {
    /// With 0 or 1.
    PassOrFail,
    /// From 0 to 1.
    Share,
    /// With a quantity.
    Quantity(Unit),
}

/// The settings of one scorer, read and not yet fitted to a prompt.
pub(crate) trait Settings: fmt::Debug + Send + Sync {
    /// Returns the columns of the dataset that the scorer reads.
    fn columns(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Returns the prompts that judge for the scorer.
    fn judges(&self) -> Vec<&PromptRef> {
        Vec::new()
    }

    /// Returns how the scorer grades.
    fn grading(&self) -> Grading {
        Grading::PassOrFail
    }

    /// Returns the scorer at work, or a message when something is missing that the prompt does not give.
    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String>;
}

type Shared = Arc<dyn Settings>;
type Read = fn(&str, &mut Fields<'_, '_>) -> Option<Shared>;

/// The scorers, as eval files name them.
const KINDS: [(&str, Read); 37] = [
    ("bleu", |_, fields| share(bleu::Bleu::read(fields)?)),
    ("command", |_, fields| share(command::CommandSettings::read(fields)?)),
    ("contains", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("contains-all", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("contains-any", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("contains-json", |_, fields| share(contains_json::ContainsJsonSettings::read(fields))),
    ("contains-sql", |_, fields| share(contains_sql::ContainsSql::read(fields)?)),
    ("contains-xml", |_, fields| share(contains_xml::ContainsXml::read(fields))),
    ("cost", |_, _| share(cost::Cost)),
    ("equals", |_, fields| share(equals::Equals::read(fields)?)),
    ("finish-reason", |_, fields| share(finish_reason::FinishReason::read(fields)?)),
    ("gleu", |_, fields| share(gleu::Gleu::read(fields)?)),
    ("html-valid", |_, _| share(html_valid::HtmlValid)),
    ("icontains", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("icontains-all", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("icontains-any", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("json-path", |_, fields| share(json_path::JsonPath::read(fields)?)),
    ("json-schema", |_, fields| share(json_schema::JsonSchemaSettings::read(fields))),
    ("json-valid", |_, fields| share(json_valid::JsonValid::read(fields))),
    ("judge", |_, fields| share(judge::JudgeScorerSettings::read(fields)?)),
    ("label", |_, fields| share(label::LabelSettings::read(fields)?)),
    ("latency", |_, _| share(latency::Latency)),
    ("levenshtein", |_, fields| share(levenshtein::Levenshtein::read(fields)?)),
    ("numeric", |_, fields| share(numeric::Numeric::read(fields)?)),
    ("pairwise", |_, fields| share(pairwise::PairwiseSettings::read(fields)?)),
    ("per-case", |_, fields| share(per_case::PerCaseSettings::read(fields)?)),
    ("perplexity", |_, fields| share(perplexity::Perplexity::read(fields)?)),
    ("refusal", |_, fields| share(refusal::Refusal::read(fields))),
    ("regex", |_, fields| share(regex::Regex::read(fields)?)),
    ("rouge-n", |_, fields| share(rouge_n::RougeN::read(fields)?)),
    ("set", |_, fields| share(set::Set::read(fields)?)),
    ("sql-valid", |_, fields| share(sql_valid::SqlValid::read(fields)?)),
    ("starts-with", |_, fields| share(starts_with::StartsWith::read(fields)?)),
    ("tokens", |_, fields| share(tokens::Tokens::read(fields))),
    ("tool-call", |_, fields| share(tool_call::ToolCalls::read(fields)?)),
    ("word-count", |_, fields| share(word_count::WordCount::read(fields)?)),
    ("xml-valid", |_, fields| share(xml_valid::XmlValid::read(fields))),
];

fn share(settings: impl Settings + 'static) -> Option<Shared> {
    Some(Arc::new(settings))
}

/// Returns the names of the scorers, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _)| *name)
}

/// A scorer as an eval file states it.
#[derive(Debug, Clone)]
pub struct ScorerSpec {
    kind: &'static str,
    settings: Shared,
    adjustment: Adjustment,
}

impl ScorerSpec {
    /// Reads a scorer; what is wrong with it is collected.
    pub(crate) fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        let mut fields = Fields::of(node, "the scorer", findings)?;
        let spec = Self::read_fields(&mut fields)?;
        fields.finish();
        spec
    }

    /// Reads a scorer of a set, which has a weight; 1 unless it is stated.
    pub(crate) fn read_weighted(node: &Node, findings: &mut Findings) -> Option<(Self, f64)> {
        let mut fields = Fields::of(node, "the scorer", findings)?;
        let weight = fields.number("weight");
        if let Some(weight) = weight.as_ref().filter(|weight| !(weight.value.is_finite() && weight.value >= 0.0)) {
            let message = format!("`weight` is a number from 0 on, not {}", weight.value);
            fields.findings.error(weight.span.clone(), message);
        }
        let spec = Self::read_fields(&mut fields)?;
        fields.finish();
        Some((spec?, weight.map_or(1.0, |weight| weight.value)))
    }

    /// Reads the fields; nothing at all where even the kind is unknown, so that further fields mean nothing.
    fn read_fields(fields: &mut Fields<'_, '_>) -> Option<Option<Self>> {
        let name = fields.required_text("type")?;
        let Some((kind, read)) = KINDS.iter().find(|(kind, _)| *kind == name.value) else {
            let hint = format!("the scorers are `{}`", names().collect::<Vec<_>>().join("`, `"));
            fields.findings.error_with_hint(name.span, format!("there is no scorer `{}`", name.value), hint);
            return None;
        };
        let settings = read(kind, fields);
        let grading = settings.as_ref().map_or(Grading::Share, |settings| settings.grading());
        let adjustment = Adjustment::read(fields, kind, grading);
        Some(settings.map(|settings| Self { kind, settings, adjustment }))
    }

    /// Returns the name of the scorer, as eval files write it.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns what the scorer's values are measured in.
    pub fn unit(&self) -> Unit {
        match self.settings.grading() {
            Grading::Quantity(unit) if self.adjustment.threshold.is_none() => unit,
            _ => Unit::Share,
        }
    }

    /// Returns the columns of the dataset that the scorer reads.
    pub fn columns(&self) -> Vec<&str> {
        self.settings.columns()
    }

    /// Returns the prompts that judge for the scorer.
    pub fn judges(&self) -> Vec<&PromptRef> {
        self.settings.judges()
    }

    /// Returns the scorer at work, with its defaults from the `output` of the prompt.
    ///
    /// # Errors
    /// A message when a default is needed that the prompt does not give, or a schema is none.
    pub fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(self.adjustment.apply(self.kind, self.settings.build(building)?))
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
pub(crate) mod tests;

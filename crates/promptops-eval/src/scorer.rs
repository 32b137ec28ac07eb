//! Scorers: one answer in, a grade and a verdict out. One file each, named as eval files name them.
//!
//! **Invariant.** A scorer that cannot judge says so ([`Unjudged`]); it never passes or fails an answer for want of a reference,
//! a price or a program.

mod adjusted;
pub mod calibration;
pub mod expected;
mod json_text;
mod judging;

pub mod bleu;
pub mod command;
pub mod contains;
pub mod contains_json;
pub mod cost;
pub mod equals;
pub mod finish_reason;
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
pub mod refusal;
pub mod regex;
pub mod rouge_n;
pub mod set;
pub mod starts_with;
pub mod tokens;
pub mod tool_call;
pub mod word_count;

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
const KINDS: [(&str, Read); 30] = [
    ("bleu", |_, fields| share(bleu::Bleu::read(fields)?)),
    ("command", |_, fields| share(command::CommandSettings::read(fields)?)),
    ("contains", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("contains-all", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("contains-any", |kind, fields| share(contains::Contains::read(kind, fields)?)),
    ("contains-json", |_, fields| share(contains_json::ContainsJsonSettings::read(fields))),
    ("cost", |_, _| share(cost::Cost)),
    ("equals", |_, fields| share(equals::Equals::read(fields)?)),
    ("finish-reason", |_, fields| share(finish_reason::FinishReason::read(fields)?)),
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
    ("refusal", |_, _| share(refusal::Refusal)),
    ("regex", |_, fields| share(regex::Regex::read(fields)?)),
    ("rouge-n", |_, fields| share(rouge_n::RougeN::read(fields)?)),
    ("set", |_, fields| share(set::Set::read(fields)?)),
    ("starts-with", |_, fields| share(starts_with::StartsWith::read(fields)?)),
    ("tokens", |_, fields| share(tokens::Tokens::read(fields))),
    ("tool-call", |_, fields| share(tool_call::ToolCalls::read(fields)?)),
    ("word-count", |_, fields| share(word_count::WordCount::read(fields)?)),
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
pub(crate) mod tests {
    use std::sync::LazyLock;

    use futures::FutureExt as _;
    use promptops_prompt::{Message, Role, yaml};

    use super::*;
    use crate::dataset::Head;

    static NO_JUDGES: Judges = Judges::new();

    /// Reads a scorer from its YAML.
    pub(crate) fn scorer(text: &str, output: Option<&Value>) -> Result<Box<dyn Scorer>, String> {
        let (folder, judges) = (Path::new(""), &NO_JUDGES);
        build(text, &Building { output, folder, columns: &[], format: Format::Csv, judges })
    }

    /// Reads a scorer of an eval file in this folder.
    pub(crate) fn scorer_in(text: &str, folder: &Path) -> Result<Box<dyn Scorer>, String> {
        build(text, &Building { output: None, folder, columns: &[], format: Format::Csv, judges: &NO_JUDGES })
    }

    fn build(text: &str, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let mut findings = Findings::new("e.yaml");
        let spec = ScorerSpec::read(&yaml::parse(text).0.unwrap(), &mut findings);
        if let Some(finding) = findings.list.first() {
            return Err(finding.message.clone());
        }
        spec.unwrap().build(building)
    }

    /// Waits for the judgement of a scorer that looks at nothing but answer and case.
    pub(crate) async fn settle(scorer: &dyn Scorer, answer: &Answer, case: &Case) -> Result<Score, Unjudged> {
        let judged = Judged { answer, case, call: &CALL, repeat: 0, cost_usd: None, rival: None, asks: None };
        scorer.score(&judged).settle().await
    }

    static CALL: LazyLock<Call> =
        LazyLock::new(|| Call { model: "m".into(), messages: Vec::new(), parameters: serde_json::Map::new(), tools: None });

    /// Returns a case with these values.
    pub(crate) fn case(values: Value) -> Case {
        let head = Head { name: "1".into(), line: 1, must_pass: false, cluster: None, stratum: None, weight: 1.0 };
        Case { head, values: values.as_object().unwrap().clone() }
    }

    /// Returns an answer with this text.
    pub(crate) fn answer(text: &str) -> Answer {
        Answer { text: text.into(), model: "m".into(), latency_ms: 1, ..Answer::default() }
    }

    /// Judges a text with a scorer that needs nothing but the text and the case.
    pub(crate) fn judge(scorer: &dyn Scorer, text: &str, case: &Case) -> Score {
        judge_answer(scorer, &answer(text), case).unwrap()
    }

    /// Judges an answer with a scorer that is ready at once.
    pub(crate) fn judge_answer(scorer: &dyn Scorer, answer: &Answer, case: &Case) -> Result<Score, Unjudged> {
        judge_with(scorer, answer, case, |judged| judged)
    }

    /// Judges an answer with a scorer that is ready at once and looks at more than answer and case.
    pub(crate) fn judge_with<'a>(
        scorer: &dyn Scorer,
        answer: &'a Answer,
        case: &'a Case,
        with: impl FnOnce(Judged<'a>) -> Judged<'a>,
    ) -> Result<Score, Unjudged> {
        let judged = with(Judged { answer, case, call: &CALL, repeat: 0, cost_usd: None, rival: None, asks: None });
        match scorer.score(&judged) {
            Judgement::Ready(score) => score,
            Judgement::Pending(_) => panic!("the scorer is not ready at once"),
        }
    }

    /// An eval with judges that say what a test wants, about the answer `hello` to `hi`.
    pub(crate) struct Bench {
        folder: tempfile::TempDir,
        judges: Judges,
        answer: Answer,
        rival: Option<Answer>,
    }

    impl Default for Bench {
        fn default() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), judges: Judges::new(), answer: answer("hello"), rival: None }
        }
    }

    impl Bench {
        pub(crate) fn judge(mut self, name: &str, variables: &[&str], template: &str, output: Value) -> Self {
            let reference: PromptRef = name.parse().unwrap();
            let content = promptops_prompt::Content {
                model: "judge".into(),
                parameters: serde_json::Map::new(),
                inputs: variables.iter().map(|name| ((*name).to_owned(), serde_json::json!({"type": "string"}))).collect(),
                output: Some(output).filter(|output| !output.is_null()),
                tools: None,
                body: promptops_prompt::Body::Template(template.into()),
                includes: BTreeMap::new(),
            };
            let subject = Subject::new(reference.clone(), &promptops_prompt::Closure::of(content)).unwrap();
            self.judges.insert(reference, Arc::new(subject));
            self
        }

        pub(crate) fn answered(self, text: &str) -> Self {
            Self { answer: answer(text), ..self }
        }

        pub(crate) fn rival(self, text: &str) -> Self {
            Self { rival: Some(answer(text)), ..self }
        }

        pub(crate) fn folder(&self) -> &Path {
            self.folder.path()
        }

        pub(crate) fn scorer(&self, text: &str) -> Result<Box<dyn Scorer>, String> {
            let (folder, judges) = (self.folder.path(), &self.judges);
            build(text, &Building { output: None, folder, columns: &["want".to_owned()], format: Format::Csv, judges })
        }

        /// Judges the answer; `says` is what the judge says when it is asked with this text.
        pub(crate) async fn judge_with(
            &self,
            scorer: &dyn Scorer,
            values: Value,
            says: impl Fn(&str) -> Result<String, String> + Send + Sync,
        ) -> Result<Score, Unjudged> {
            let call = Call { messages: vec![Message { role: Role::User, content: "hi".into() }], ..CALL.clone() };
            let (case, asks) = (case(values), Says(says));
            let (answer, rival) = (&self.answer, self.rival.as_ref());
            let judged = Judged { answer, case: &case, call: &call, repeat: 0, cost_usd: None, rival, asks: Some(&asks) };
            scorer.score(&judged).settle().await
        }

        pub(crate) async fn calibrate(
            &self,
            scorer: &dyn Scorer,
            says: impl Fn(&str) -> Result<String, String> + Send + Sync,
        ) -> Result<Vec<Agreement>, DatasetError> {
            scorer.calibrate(Some(&Says(says))).unwrap().await
        }
    }

    struct Says<F>(F);

    impl<F: Fn(&str) -> Result<String, String> + Send + Sync> Ask for Says<F> {
        fn ask<'a>(&'a self, call: &'a Call, _: u32) -> BoxFuture<'a, Result<Answer, Failure>> {
            let said = (self.0)(&call.messages[0].content);
            let failure = |message| Failure { class: crate::client::ErrorClass::Server, message };
            futures::future::ready(said.map(|text| answer(&text)).map_err(failure)).boxed()
        }
    }

    #[test]
    fn settings_that_decide_a_score_decide_the_description() {
        let output = serde_json::json!({"enum": ["a", "b"]});
        let texts = [
            "{type: equals, expected: x}",
            "{type: equals, expected: y}",
            "{type: equals, value: x}",
            "{type: equals, value: x, trim: true}",
            "{type: equals, value: x, ignore_case: true}",
            "{type: equals, value: x, not: true}",
            "{type: contains, value: x}",
            "{type: contains, expected: x}",
            "{type: contains-all, value: x}",
            "{type: contains-any, value: x}",
            "{type: icontains-any, value: x}",
            "{type: starts-with, value: x}",
            "{type: starts-with, value: x, ignore_case: true}",
            "{type: regex, pattern: x}",
            "{type: json-valid}",
            "{type: json-valid, anywhere: true}",
            "{type: json-schema}",
            "{type: json-schema, anywhere: true}",
            "{type: json-schema, schema: {type: string}}",
            "{type: json-path, path: $.x}",
            "{type: json-path, path: $.x, value: 1}",
            "{type: json-path, path: $.x, value: 1, anywhere: true}",
            "{type: label, expected: x}",
            "{type: label, expected: x, labels: [a, c]}",
            "{type: numeric, value: 1}",
            "{type: numeric, value: 1, absolute: 1}",
            "{type: numeric, value: 1, relative: 1}",
            "{type: numeric, value: 1, pick: first}",
            "{type: numeric, value: 1, pick: last}",
            "{type: levenshtein, value: x}",
            "{type: levenshtein, value: x, max_distance: 1}",
            "{type: levenshtein, value: x, ignore_case: true}",
            "{type: levenshtein, value: x, threshold: 0.9}",
            "{type: rouge-n, value: x}",
            "{type: rouge-n, value: x, n: 2}",
            "{type: rouge-n, value: x, measure: recall}",
            "{type: rouge-n, value: x, measure: precision}",
            "{type: bleu, value: x}",
            "{type: word-count, min: 1}",
            "{type: word-count, max: 1}",
            "{type: refusal}",
            "{type: tool-call}",
            "{type: tool-call, value: x}",
            "{type: tool-call, value: x, arguments: subset}",
            "{type: tool-call, value: x, arguments: ignore}",
            "{type: tool-call, value: x, in_order: true}",
            "{type: finish-reason, value: stop}",
            "{type: latency}",
            "{type: latency, threshold: 1}",
            "{type: cost}",
            "{type: tokens}",
            "{type: tokens, count: output}",
            "{type: command, command: [a]}",
            "{type: command, command: [a, b]}",
            "{type: set, of: [{type: refusal}]}",
            "{type: set, of: [{type: refusal}, {type: latency, threshold: 1}]}",
            "{type: set, of: [{type: refusal}, {type: latency, threshold: 1, weight: 2}]}",
        ];
        let mut seen = Vec::new();
        for text in texts {
            let description = scorer(text, Some(&output)).unwrap().describe().to_string();
            assert!(!seen.contains(&description), "{text}");
            seen.push(description);
        }
    }

    #[test]
    fn the_names_are_sorted_and_unknown_ones_are_told_with_them() {
        assert!(names().is_sorted());
        let mut findings = Findings::new("e.yaml");
        assert!(ScorerSpec::read(&yaml::parse("{type: exactly, value: x, else: 1}").0.unwrap(), &mut findings).is_none());
        let [finding] = findings.list.as_slice() else { panic!("one finding") };
        assert_eq!(finding.message, "there is no scorer `exactly`");
        assert!(finding.hint.as_deref().unwrap().starts_with("the scorers are `bleu`, `command`, "), "{finding:?}");
    }

    #[test]
    fn every_unknown_setting_is_told() {
        for kind in names() {
            let error = scorer(&format!("{{type: {kind}, sertain: 1}}"), None).unwrap_err();
            let mut findings = Findings::new("e.yaml");
            ScorerSpec::read(&yaml::parse(&format!("{{type: {kind}, sertain: 1}}")).0.unwrap(), &mut findings);
            let is_told = findings.list.iter().any(|finding| finding.message == "the scorer has no field `sertain`");
            assert!(is_told, "{kind}: {error}");
        }
    }
}

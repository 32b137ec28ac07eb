use std::sync::LazyLock;

use futures::FutureExt as _;
use promptops_prompt::{Message, Role, yaml};

use super::*;
use crate::dataset::Head;

static NO_JUDGES: Judges = Judges::new();

/// Reads a scorer from its YAML.
pub(crate) fn scorer(text: &str, output: Option<&Value>) -> Result<Box<dyn Scorer>, String> {
    let (folder, judges) = (Path::new(""), &NO_JUDGES);
    build(text, &Building { output, folder, columns: &[], format: Format::Csv, judges, redaction: Redaction::none() })
}

/// Reads a scorer of an eval file in this folder.
pub(crate) fn scorer_in(text: &str, folder: &Path) -> Result<Box<dyn Scorer>, String> {
    build(
        text,
        &Building { output: None, folder, columns: &[], format: Format::Csv, judges: &NO_JUDGES, redaction: Redaction::none() },
    )
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
        build(
            text,
            &Building {
                output: None,
                folder,
                columns: &["want".to_owned()],
                format: Format::Csv,
                judges,
                redaction: Redaction::none(),
            },
        )
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
        "{type: rouge-n, value: x, like: promptfoo}",
        "{type: bleu, value: x}",
        "{type: bleu, value: x, like: promptfoo}",
        "{type: gleu, value: x}",
        "{type: word-count, min: 1}",
        "{type: word-count, max: 1}",
        "{type: refusal}",
        "{type: tool-call}",
        "{type: tool-call, value: x}",
        "{type: tool-call, value: x, arguments: subset}",
        "{type: tool-call, value: x, arguments: ignore}",
        "{type: tool-call, value: x, in_order: true}",
        "{type: tool-call, value: x, distinct: true}",
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

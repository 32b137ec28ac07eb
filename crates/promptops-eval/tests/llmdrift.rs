//! Real answers of dated models, replayed through whole evaluations: a version that became worse is refused, and one that is
//! held against itself is not.
//!
//! The answers are those of LLMDrift (Chen, Zaharia, Zou 2023): 1,506 survey questions, each put to dated versions of GPT-4. The
//! metric is whether a question was answered at all; from March to June 2023 GPT-4 went over to declining most of them.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptops_eval::client::retry::RetryPolicy;
use promptops_eval::dataset::{Dataset, Format, Source};
use promptops_eval::recording::{Recording, Redaction, Replay};
use promptops_eval::report::{self, v1::Report};
use promptops_eval::run::{Purse, Settings};
use promptops_eval::{Prepared, Spec, Subject};
use promptops_prompt::{Body, Closure, Content, Digest, Message, Role};
use promptops_stats::SplitMix64;
use serde_json::{Value, json};

const MARCH: &str = "gpt-4-0314";
const JUNE: &str = "gpt-4-0613";

/// One question and how the two models began to answer.
struct Question {
    query: String,
    answers: BTreeMap<String, String>,
}

/// Reads the questions, by name, and how their answers begin: `llmdrift/README.md` says from where.
fn questions() -> Vec<Question> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/llmdrift/answers.csv");
    let mut reader = csv::Reader::from_path(&file).unwrap();
    let question = |record: csv::StringRecord| Question {
        query: record[0].to_owned(),
        answers: [(MARCH, &record[1]), (JUNE, &record[2])].map(|(model, answer)| (model.to_owned(), answer.to_owned())).into(),
    };
    let questions: Vec<Question> = reader.records().map(|record| question(record.unwrap())).collect();
    assert_eq!(questions.len(), 1498);
    questions
}

/// A version that passes one variable on to a model.
fn subject(version: u32, model: &str, variable: &str) -> Subject {
    let content = Content {
        model: model.to_owned(),
        parameters: json!({"temperature": 0.1}).as_object().unwrap().clone(),
        inputs: BTreeMap::from([(variable.to_owned(), json!({"type": "string"}))]),
        output: None,
        tools: None,
        body: Body::Messages(vec![Message { role: Role::User, content: format!("{{{{ {variable} }}}}") }]),
        includes: BTreeMap::new(),
    };
    Subject::new(format!("opinion.survey@{version}").parse().unwrap(), &Closure::of(content)).unwrap()
}

fn spec(settings: &str) -> Spec {
    let text = format!(
        "prompt: opinion.survey\ndataset: questions.jsonl\n{settings}metrics:\n  - name: answered\n    scorer: {{type: regex, \
         pattern: '^\\(?[A-Z](?:\\)|\\.|$)'}}\n    margin: 0.03\n"
    );
    let (spec, findings) = Spec::parse("evals/survey.yaml", &text);
    assert_eq!(findings, []);
    spec.unwrap()
}

fn dataset(spec: &Spec, rows: impl Iterator<Item = Value>) -> Dataset {
    let text: String = rows.map(|row| format!("{row}\n")).collect();
    Dataset::read("evals/questions.jsonl", Format::JsonLines, Source::of_bytes(text), &spec.columns()).unwrap()
}

/// Writes what the models answered as a recording: the bodies are those of chat completions.
fn record(folder: &Path, questions: &[Question]) -> PathBuf {
    let mut lines: BTreeMap<Digest, Value> = BTreeMap::new();
    for model in [MARCH, JUNE] {
        let subject = subject(1, model, "query");
        for question in questions {
            let call = subject.call(json!({"query": question.query}).as_object().unwrap()).unwrap();
            let message = json!({"role": "assistant", "content": question.answers[model]});
            let choice = json!({"index": 0, "finish_reason": "stop", "message": message});
            let body = json!({"object": "chat.completion", "model": model, "choices": [choice]});
            let digest = call.digest();
            let line = json!({
                "request": digest, "repeat": 0, "api": "openai-chat", "status": 200, "latency_ms": 1, "body": body
            });
            lines.insert(digest, line);
        }
    }
    let path = folder.join("survey.jsonl");
    std::fs::write(&path, lines.values().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    path
}

struct Replayed {
    recording: Recording,
    prices: BTreeMap<String, promptops_telemetry::price::Price>,
    purse: Purse,
}

impl Replayed {
    fn open(path: &Path) -> Self {
        Self {
            recording: Recording::open(path, Replay::Only, Redaction::default()).unwrap(),
            prices: BTreeMap::new(),
            purse: Purse::default(),
        }
    }

    fn settings(&self) -> Settings<'_> {
        Settings {
            client: None,
            recording: &self.recording,
            retry: RetryPolicy::default(),
            concurrency: 8,
            prices: &self.prices,
            purse: &self.purse,
            progress: &|_| {},
        }
    }

    async fn evaluate(&self, spec: &Spec, dataset: &Dataset, candidate: &Subject, parent: &Subject) -> Report {
        let judges = promptops_eval::scorer::Judges::new();
        let surroundings = promptops_eval::Surroundings { folder: Path::new(""), judges: &judges, redaction: Redaction::none() };
        let prepared = Prepared::new(spec, dataset, candidate, &surroundings).unwrap();
        let evaluation = prepared.evaluate(candidate, Some(parent), &self.settings()).await.unwrap();
        report::build(&prepared, candidate, Some(parent), &evaluation, &self.recording).unwrap()
    }
}

#[tokio::test]
async fn gpt_4_of_june_is_refused_beside_that_of_march() {
    let questions = questions();
    let folder = tempfile::tempdir().unwrap();
    let replayed = Replayed::open(&record(folder.path(), &questions));
    let rows = || questions.iter().map(|question| json!({"query": question.query}));
    let (candidate, parent) = (subject(2, JUNE, "query"), subject(1, MARCH, "query"));
    let whole = spec("");
    let report = replayed.evaluate(&whole, &dataset(&whole, rows()), &candidate, &parent).await;
    println!("{}", report.metrics[0].sentence());
    assert_eq!((report.verdict.as_str(), report.metrics[0].verdict.as_str()), ("refused", "regressed"));
    let difference = report.metrics[0].difference.as_ref().unwrap();
    assert!(difference.cases == 1498 && difference.interval[1] < -0.5, "{difference:?}");
    assert!(report.metrics[0].minimum_detectable_effect.unwrap() < 0.05);
    // The other way round it is better, and passes.
    let report = replayed.evaluate(&whole, &dataset(&whole, rows()), &parent, &candidate).await;
    assert_eq!((report.verdict.as_str(), report.metrics[0].improved), ("pass", true));
    // So plain a loss takes a fraction of the questions when the run may stop early.
    let early = spec("early_stop: true\n");
    let report = replayed.evaluate(&early, &dataset(&early, rows()), &candidate, &parent).await;
    let stop = report.early_stop.as_ref().unwrap();
    println!("stopped after {} of {} questions: {}", stop.cases, stop.of_cases, report.metrics[0].sentence());
    assert!(stop.stopped && stop.cases < 200 && report.verdict == "refused", "{stop:?}");
}

#[tokio::test]
async fn the_same_version_split_at_random_is_hardly_ever_called_regressed() {
    let questions = questions();
    let folder = tempfile::tempdir().unwrap();
    let replayed = Replayed::open(&record(folder.path(), &questions));
    let spec = spec("");
    let mut random = SplitMix64::new(2023);
    for model in [MARCH, JUNE] {
        // One half of the questions stands in for the parent and the other for the candidate.
        let (candidate, parent) = (subject(2, model, "second"), subject(1, model, "first"));
        let mut verdicts: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..100 {
            let mut order: Vec<usize> = (0..questions.len()).collect();
            for last in (1..order.len()).rev() {
                order.swap(last, random.below(last as u64 + 1) as usize);
            }
            let rows =
                order.chunks_exact(2).map(|pair| json!({"first": questions[pair[0]].query, "second": questions[pair[1]].query}));
            let report = replayed.evaluate(&spec, &dataset(&spec, rows), &candidate, &parent).await;
            *verdicts.entry(report.metrics[0].verdict.clone()).or_default() += 1;
        }
        println!("{model}, 100 random splits: {verdicts:?}");
        assert!(verdicts.get("regressed").copied().unwrap_or_default() <= 5, "{model}: {verdicts:?}");
    }
    // The command's own A/A mode comes to the same.
    let rows = questions.iter().map(|question| json!({"query": question.query}));
    let (dataset, subject) = (dataset(&spec, rows), subject(1, JUNE, "query"));
    let judges = promptops_eval::scorer::Judges::new();
    let surroundings = promptops_eval::Surroundings { folder: Path::new(""), judges: &judges, redaction: Redaction::none() };
    let prepared = Prepared::new(&spec, &dataset, &subject, &surroundings).unwrap();
    let (alarms, served) = prepared.compare_with_itself(&subject, 200, &replayed.settings()).await.unwrap();
    println!("{alarms:?}");
    assert_eq!((alarms.cases, served.sent), (749, 0));
    assert!(alarms.regressed <= 8 && alarms.interval.contains(0.01), "{alarms:?}");
}

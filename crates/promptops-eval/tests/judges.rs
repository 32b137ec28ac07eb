//! Evaluations with judges: what they say, what they cost, what is recorded, and what becomes of nonsense.

#![cfg(test)]

mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use promptops_eval::client::http::{self, Credential, HttpClient};
use promptops_eval::client::retry::RetryPolicy;
use promptops_eval::client::{Api, ModelClient};
use promptops_eval::dataset::{Dataset, Format, Source};
use promptops_eval::recording::{Recording, Redaction, Replay};
use promptops_eval::report::{self, v1};
use promptops_eval::run::{Budget, Purse, Served, Settings};
use promptops_eval::scorer::Judges;
use promptops_eval::{EvalError, Prepared, Spec, Subject, Surroundings};
use promptops_prompt::{Body, Closure, Content};
use serde_json::{Value, json};
use server::{Behaviour, Received, Server, completion};

const SPEC: &str = "\
prompt: support.reply
dataset: messages.csv
case: id
metrics:
  - name: helpful
    scorer: {type: judge, prompt: quality.helpful@1, calibration: {dataset: labels.csv}}
    margin: 0.1
  - name: preferred
    scorer: {type: pairwise, prompt: quality.better@1}
    margin: 0.1
";

fn subject(reference: &str, model: &str, variables: &[&str], template: &str, output: Option<Value>) -> Subject {
    let content = Content {
        model: model.to_owned(),
        parameters: serde_json::Map::new(),
        inputs: variables.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect(),
        output,
        tools: None,
        body: Body::Template(template.to_owned()),
        includes: BTreeMap::new(),
    };
    Subject::new(reference.parse().unwrap(), &Closure::of(content)).unwrap()
}

/// A version that says how it wants to be answered, and the case's number.
fn version(number: u32, manner: &str) -> Subject {
    subject(&format!("support.reply@{number}"), "m", &["message"], &format!("{manner} {{{{ message }}}}"), None)
}

fn judges() -> Judges {
    let helpful = subject(
        "quality.helpful@1",
        "judge",
        &["question", "answer"],
        "HELPFUL? {{ question }} => {{ answer }}",
        Some(json!({"enum": ["yes", "no"]})),
    );
    let better = subject("quality.better@1", "judge", &["first", "second"], "BETTER? {{ first }} | {{ second }}", None);
    [helpful, better].into_iter().map(|subject| (subject.reference.clone(), Arc::new(subject))).collect()
}

/// Answers as the manner says; judges `kind` and `curt` answers, finding one in ten kind ones unhelpful.
fn respond(received: &Received) -> String {
    let text = received.last_message();
    if let Some(pair) = text.strip_prefix("BETTER? ") {
        let (first, second) = pair.split_once(" | ").unwrap();
        let rank = |answer: &str| usize::from(answer.starts_with("kind"));
        return ["second", "tie", "first"][(1 + rank(first)) - rank(second)].to_owned();
    }
    if let Some(judged) = text.strip_prefix("HELPFUL? ") {
        let answer = judged.split(" => ").nth(1).unwrap();
        return if answer.starts_with("kind") && !answer.ends_with('7') { "yes" } else { "no" }.to_owned();
    }
    text.to_owned()
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = "question,answer,human\n".to_owned();
        for index in 0..60 {
            // People find kind answers helpful, also those that end in 7.
            let (manner, human) = if index < 40 { ("kind", "yes") } else { ("curt", "no") };
            rows.push_str(&format!("q,{manner} {index},{human}\n"));
        }
        std::fs::write(folder.path().join("labels.csv"), rows).unwrap();
        Self { folder }
    }

    fn recording(&self, mode: Replay) -> Recording {
        Recording::open(&self.folder.path().join("recording.jsonl"), mode, Redaction::default()).unwrap()
    }

    async fn evaluate(
        &self,
        client: Option<&dyn ModelClient>,
        recording: &Recording,
        (candidate, parent): (&Subject, Option<&Subject>),
        budget: Budget,
    ) -> Result<(v1::Report, Served), EvalError> {
        let spec = Spec::parse("evals/reply.yaml", SPEC).0.unwrap();
        let rows: String = (0..100).map(|index| format!("c{index},{index}\n")).collect();
        let source = Source::of_bytes(format!("id,message\n{rows}"));
        let dataset = Dataset::read("messages.csv", Format::Csv, source, &spec.columns()).unwrap();
        let judges = judges();
        let surroundings = Surroundings { folder: self.folder.path(), judges: &judges, redaction: Redaction::none() };
        let prepared = Prepared::new(&spec, &dataset, candidate, &surroundings)?;
        let settings = Settings {
            client,
            recording,
            retry: RetryPolicy { attempts: 1, first_pause: Duration::ZERO, ..RetryPolicy::default() },
            concurrency: 8,
            prices: &BTreeMap::new(),
            purse: &Purse::new(budget),
            progress: &|_| {},
        };
        let evaluation = prepared.evaluate(candidate, parent, &settings).await;
        recording.save()?;
        let evaluation = evaluation?;
        Ok((report::build(&prepared, candidate, parent, &evaluation, recording)?, evaluation.served))
    }
}

fn client(url: &str) -> HttpClient {
    let (timeout, url) = (Duration::from_secs(30), url.to_owned());
    let settings =
        http::Settings { api: Api::OpenaiChat, url, credential: Credential::None, timeout, stream: false, api_version: None };
    HttpClient::new(settings).unwrap()
}

#[tokio::test]
async fn judges_decide_by_what_they_say_and_their_errors_are_taken_out() {
    let bench = Bench::new();
    let server = Server::start(|_, received| Behaviour::ok(completion(&respond(received)))).await;
    let http = client(&server.url());
    let (kind, curt) = (version(2, "kind"), version(1, "curt"));
    let recording = bench.recording(Replay::Auto);
    let both = (&kind, Some(&curt));
    let (report, served) = bench.evaluate(Some(&http), &recording, both, Budget::default()).await.unwrap();
    let [helpful, preferred] = report.metrics.as_slice() else { panic!("two metrics") };
    assert_eq!(json!(helpful.candidate)["estimate"], json!(0.9));
    assert_eq!(
        (json!(preferred.candidate)["estimate"].clone(), json!(preferred.parent)["estimate"].clone()),
        (json!(1.0), json!(0.5))
    );
    assert_eq!((helpful.verdict.as_str(), preferred.verdict.as_str()), ("pass", "pass"));
    let judge = helpful.judge.as_ref().unwrap();
    // Of 40 good answers those that end in 7 are lost: 7, 17, 27, 37.
    assert_eq!((judge.labelled, judge.unjudged, judge.sensitivity, judge.specificity), (60, 0, 0.9, 1.0));
    // (0.9 + 1 - 1) / (0.9 + 1 - 1) = 1, and 0 for the parent.
    let corrected = judge.candidate.as_ref().unwrap();
    assert_eq!(json!(corrected)["estimate"], json!(1.0));
    assert!(corrected.interval.unwrap()[0] < 0.98 && corrected.interval.unwrap()[0] > 0.7, "{corrected:?}");
    assert_eq!(json!(judge.parent)["estimate"], json!(0.0));
    assert_eq!(judge.difference, Some(1.0));
    let said =
        "of 60 answers that people judged, the judge passes 90.0% of the good ones and fails 100.0% of the bad ones, kappa 0.";
    let text = helpful.judge_text().unwrap();
    assert!(text.starts_with(said) && text.contains("; without its errors 0.0% → "), "{text}");
    assert!(text.ends_with(", a difference of +100.0") && preferred.judge_text().is_none(), "{text}");
    assert!(preferred.judge.is_none());
    // 200 answers, 200 judged, 100 pairs in two orders, 60 labelled ones.
    assert_eq!(served.sent + served.replayed, 200 + 200 + 200 + 60);
    server.stop().await;
    let (again, served) = bench.evaluate(None, &bench.recording(Replay::Only), both, Budget::default()).await.unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&report).unwrap());
    assert_eq!(served.sent, 0);
}

#[tokio::test]
async fn what_a_judge_has_not_said_is_not_made_up() {
    let bench = Bench::new();
    let kind = version(1, "kind");
    let server = Server::start(|_, received| Behaviour::ok(completion(&respond(received)))).await;
    let http = client(&server.url());
    let few = Budget { calls: Some(110), usd: None };
    let error = bench.evaluate(Some(&http), &bench.recording(Replay::Auto), (&kind, None), few).await.unwrap_err();
    assert!(matches!(error, EvalError::Budget { .. }), "{error}");
    assert!(server.requests() <= 110, "{}", server.requests());
    server.stop().await;
    let error = bench.evaluate(None, &bench.recording(Replay::Only), (&kind, None), Budget::default()).await.unwrap_err();
    assert!(matches!(error, EvalError::MissingRecordings { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--replay auto"));
}

#[tokio::test]
async fn a_judge_that_talks_nonsense_gives_no_verdict() {
    let bench = Bench::new();
    let server = Server::start(|_, received| {
        let said = respond(received);
        Behaviour::ok(completion(if said == "yes" || said == "no" { "It depends, really." } else { &said }))
    })
    .await;
    let http = client(&server.url());
    let (kind, curt) = (version(2, "kind"), version(1, "curt"));
    let recording = bench.recording(Replay::Off);
    let (report, _) = bench.evaluate(Some(&http), &recording, (&kind, Some(&curt)), Budget::default()).await.unwrap();
    assert_eq!(report.verdict, "inconclusive");
    let helpful = &report.metrics[0];
    assert_eq!(helpful.verdict, "inconclusive");
    assert!(helpful.judge.is_none(), "{:?}", helpful.judge);
    assert_eq!(report.metrics[1].verdict, "pass");
}

#[test]
fn a_judge_that_is_not_there_is_told_before_anything_is_asked() {
    let spec = Spec::parse("evals/reply.yaml", SPEC).0.unwrap();
    assert_eq!(spec.judges().into_keys().map(ToString::to_string).collect::<Vec<_>>(), ["quality.better@1", "quality.helpful@1"]);
    let dataset = Dataset::read("messages.csv", Format::Csv, Source::of_bytes("id,message\na,b\n"), &spec.columns()).unwrap();
    let none = Judges::new();
    let surroundings = Surroundings { folder: Path::new(""), judges: &none, redaction: Redaction::none() };
    let Err(EvalError::Findings(findings)) = Prepared::new(&spec, &dataset, &version(1, "kind"), &surroundings) else {
        panic!("findings")
    };
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        ["helpful", "better"].map(|name| {
            format!("there is no judge `quality.{name}@1`, neither in the project, nor in its history, nor in its registry")
        })
    );
}

//! Configurations of promptfoo come to the same results here: same prompts, same verdicts, same scores.
//!
//! `tests/promptfoo/README.md` says how promptfoo's own results were recorded.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, ready};
use promptops_eval::client::{Answer, Call};
use promptops_eval::dataset::{Dataset, Format, Source, inputs};
use promptops_eval::promptfoo::{self, Files, Imported, Target};
use promptops_eval::recording::Redaction;
use promptops_eval::run::Failure;
use promptops_eval::scorer::{Ask, Building, Judged, Judges};
use promptops_eval::{Spec, Subject};
use promptops_prompt::draft::Draft;
use promptops_prompt::{Closure, Content, PromptId, Severity};
use serde_json::{Value, json};

/// The files of one folder.
struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> io::Result<String> {
        std::fs::read_to_string(self.0.join(path))
    }

    /// One `*` in the name of a file, which is what the configurations have.
    fn matching(&self, pattern: &str) -> io::Result<Vec<String>> {
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let (start, end) = name.split_once('*').unwrap_or((name, ""));
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(self.0.join(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(start) && name.ends_with(end) {
                paths.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promptfoo")
}

fn imported(folder: &Path) -> Imported {
    let text = std::fs::read_to_string(folder.join("promptfooconfig.yaml")).unwrap();
    let read = promptfoo::read("promptfooconfig.yaml", &text, &Folder(folder.to_owned()));
    let errors: Vec<&str> = read
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(errors, Vec::<&str>::new(), "{}", folder.display());
    let namespace = "imported".parse().unwrap();
    let target = Target { namespace: &namespace, owner: "desk", margin: 0.05, prompts_folder: "prompts" };
    read.suite.unwrap().write(&target).unwrap()
}

/// A model that answers with what the user said last.
struct Echo;

impl Echo {
    fn answer(call: &Call) -> Answer {
        Answer {
            text: call.messages.last().unwrap().content.clone(),
            model: call.model.clone(),
            finish_reason: Some("stop".into()),
            perplexity: call
                .parameters
                .contains_key("logprobs")
                .then(|| Self::perplexity(&call.messages.last().unwrap().content)),
            latency_ms: 3,
            ..Answer::default()
        }
    }
}

impl Echo {
    /// As `record.mjs` tells probabilities: those of a word fall with its length.
    fn perplexity(text: &str) -> f64 {
        let lengths: Vec<f64> = text.split(' ').map(|word| word.chars().count() as f64).collect();
        (lengths.iter().sum::<f64>() / 10.0 / lengths.len() as f64).exp()
    }
}

impl Ask for Echo {
    fn ask<'a>(&'a self, call: &'a Call, _: u32) -> BoxFuture<'a, Result<Answer, Failure>> {
        ready(Ok(Self::answer(call))).boxed()
    }
}

/// Returns what every case comes to when the model answers with what the user said last.
async fn results(imported: &Imported) -> Vec<String> {
    let file = |path: &str| imported.files.iter().find(|(known, _)| known == path).map(|(_, text)| text.as_str()).unwrap();
    let subject = |id: &PromptId| {
        let path = format!("prompts/{}.yaml", id.as_str().replace('.', "/"));
        let (draft, findings) = Draft::parse(&path, file(&path));
        assert_eq!(findings, [], "{path}");
        let prompt = draft.prompt().unwrap();
        let closure = Closure::of(Content::new(&prompt, BTreeMap::new()));
        Subject::new(prompt.reference(), &closure).unwrap()
    };
    let all_judges: Judges = imported
        .judges
        .iter()
        .map(|judge| {
            let subject = subject(&judge.id);
            (subject.reference.clone(), Arc::new(subject))
        })
        .collect();
    let mut results = Vec::new();
    for prompt in &imported.prompts {
        let subject = subject(&prompt.id);
        for path in &prompt.evals {
            // The score is measured beside what the import measures.
            let text = file(path);
            let fields = text.split("column: ").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
            let asserts = fields.split(',').next().unwrap();
            let score = format!(
                "{text}  - {{name: a score, scorer: {{type: per-case, column: {fields}, graded: true}}, minimum: 0, margin: 0.5}}\n"
            );
            let (spec, findings) = Spec::parse(path, &score);
            assert_eq!(findings, [], "{path}");
            let spec = spec.unwrap();
            let rows = Source::of_bytes(file(&spec.dataset_path()));
            let dataset = Dataset::read(&spec.dataset_path(), Format::JsonLines, rows, &spec.columns()).unwrap();
            assert!(dataset.heads.iter().all(|head| head.must_pass));
            let named = spec.metrics.iter().flat_map(|metric| metric.scorer.judges());
            let judges: Judges = named.map(|judge| (judge.clone(), all_judges[judge].clone())).collect();
            let (folder, columns, redaction) = (Path::new(""), &dataset.columns, Redaction::none());
            let building = Building { output: None, folder, columns, format: Format::JsonLines, judges: &judges, redaction };
            let scorers: Vec<_> = spec.metrics.iter().map(|metric| metric.scorer.build(&building).unwrap()).collect();
            let columns: BTreeMap<String, String> =
                subject.content.inputs.keys().map(|name| (name.clone(), name.clone())).collect();
            for case in dataset.rows() {
                let case = case.unwrap();
                let call = subject.call(&inputs(&case, Format::JsonLines, &columns, &subject.content.inputs)).unwrap();
                let answer = Echo::answer(&call);
                let judged = Judged {
                    answer: &answer,
                    case: &case,
                    call: &call,
                    repeat: 0,
                    cost_usd: None,
                    rival: None,
                    asks: Some(&Echo),
                };
                let mut scores = BTreeMap::new();
                for (metric, scorer) in spec.metrics.iter().zip(&scorers) {
                    scores.insert(metric.name.value.as_str(), scorer.score(&judged).settle().await.unwrap());
                }
                let (passes, score) = (scores.remove("passes").unwrap(), scores.remove("a score").unwrap());
                assert_eq!((passes.value == 1.0, passes.passed), (score.passed, score.passed));
                // A case without a metric of this name says nothing of it; promptfoo leaves it out.
                let cell = &case.values[asserts];
                let named =
                    scores.into_iter().filter(|(name, _)| cell.to_string().contains(&format!("\"metric\":{}", json!(name))));
                let named: BTreeMap<&str, f64> = named.map(|(name, score)| (name, score.value)).collect();
                let prompt = sent(&json!(call.messages));
                let result = result(&call.model, prompt, passes.passed, score.value, json!(named));
                results.extend(std::iter::repeat_n(result, spec.repeats as usize));
            }
        }
    }
    results.sort();
    results
}

/// Writes a result in the one form in which both are compared.
fn result(model: &str, prompt: Value, pass: bool, score: f64, named: Value) -> String {
    // As `record.mjs` rounds them.
    let written = |score: f64| format!("{:.6}", (score * 1e6).round() / 1e6);
    let named: BTreeMap<&String, String> =
        named.as_object().unwrap().iter().map(|(name, value)| (name, written(value.as_f64().unwrap()))).collect();
    format!("{model} {prompt} {} {} {named:?}", if pass { "pass" } else { "fail" }, written(score))
}

/// Writes messages in the one form in which both are compared: promptfoo's export writes anew what is JSON inside of texts.
fn sent(messages: &Value) -> Value {
    let normal = |content: &str| match serde_json::from_str::<Value>(content) {
        Ok(json) => whole(json).to_string(),
        Err(_) => content.to_owned(),
    };
    let messages = messages.as_array().unwrap().iter();
    messages.map(|message| json!([message["role"], normal(message["content"].as_str().unwrap())])).collect()
}

/// Writes whole numbers without a fraction, as JavaScript does.
fn whole(json: Value) -> Value {
    match json {
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            json!(number.as_f64().unwrap() as i64)
        }
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, whole(value))).collect::<serde_json::Map<_, _>>().into(),
        other => other,
    }
}

fn expected(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut results: Vec<String> = cases
        .iter()
        .map(|case| {
            assert!(case.get("error").is_none(), "promptfoo itself failed: {case}");
            let text = case["prompt"].as_str().unwrap();
            let prompt = match serde_json::from_str::<Value>(text) {
                Ok(chat @ Value::Array(_)) if chat[0].get("role").is_some() => sent(&chat),
                _ => sent(&json!([{"role": "user", "content": text}])),
            };
            let model = case["provider"].as_str().unwrap().rsplit(':').next().unwrap();
            result(model, prompt, case["pass"] == true, case["score"].as_f64().unwrap(), case["named"].clone())
        })
        .collect();
    results.sort();
    results
}

#[tokio::test]
async fn every_case_comes_to_what_promptfoo_came_to() {
    let mut configurations = 0;
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.join("expected.json").exists()) {
        let (ours, theirs) = (results(&imported(folder)).await, expected(folder));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|one| !those.contains(one)).cloned().collect()
        };
        let difference = (only(&ours, &theirs), only(&theirs, &ours));
        assert_eq!(difference, (Vec::new(), Vec::new()), "{}: ours alone, theirs alone", folder.display());
        assert_eq!(ours, theirs, "{}", folder.display());
        configurations += 1;
    }
    assert!(configurations >= 10, "only {configurations} configurations were found");
}

//! What whole evaluations in tests have in common: a prompt that labels messages, made-up messages, and servers that answer them.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
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
use promptops_prompt::{Body, Closure, Content, Message, Role};
use promptops_telemetry::price::Price;
use serde_json::json;

use crate::server::{Behaviour, Server, completion};

pub const SPEC: &str = "\
prompt: support.intent
dataset: intents.csv
case: id
must_pass: critical
metrics:
  - {name: accuracy, scorer: {type: label, expected: intent}, margin: 0.1, minimum: 0.5}
  - {name: valid-output, scorer: {type: json-schema}, margin: 0.1}
";

pub fn subject(version: u32, system: &str, model: &str) -> Subject {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    let content = Content {
        model: model.to_owned(),
        parameters: json!({"temperature": 0}).as_object().unwrap().clone(),
        inputs: BTreeMap::from([("message".to_owned(), json!({"type": "string"}))]),
        output: Some(json!({"enum": ["billing", "technical"]})),
        tools: None,
        body: Body::Messages(vec![message(Role::System, system), message(Role::User, "{{ message }}")]),
        includes: BTreeMap::new(),
    };
    Subject::new(format!("support.intent@{version}").parse().unwrap(), &Closure::of(content)).unwrap()
}

/// Returns a dataset of `count` messages, of which every second is about money; the first is there `copies` times.
pub fn dataset(spec: &Spec, count: usize, copies: usize) -> Dataset {
    let mut text = "id,message,intent,critical\n".to_owned();
    for index in 0..count {
        let number = if index < copies { 0 } else { index };
        let (message, intent) = if number % 2 == 0 {
            ("my invoice shows a wrong charge", "billing")
        } else {
            ("the app crashed with an error", "technical")
        };
        text.push_str(&format!("c{index},\"{message}, number {number}\",{intent},{}\n", index == 1));
    }
    Dataset::read(&spec.dataset_path(), Format::Csv, Source::of_bytes(text), &spec.columns()).unwrap()
}

pub fn spec() -> Spec {
    let (spec, findings) = Spec::parse("evals/intents.yaml", SPEC);
    assert_eq!(findings, []);
    spec.unwrap()
}

pub fn client(url: &str) -> HttpClient {
    let (timeout, url) = (Duration::from_secs(30), url.to_owned());
    let settings =
        http::Settings { api: Api::OpenaiChat, url, credential: Credential::None, timeout, stream: false, api_version: None };
    HttpClient::new(settings).unwrap()
}

pub fn price(input: f64, output: f64) -> Price {
    serde_json::from_value(json!({"input": input, "output": output})).unwrap()
}

/// An eval of made-up messages, and how it is run.
pub struct Setup {
    pub budget: Budget,
    pub price: Option<Price>,
    pub cases: usize,
    /// How many of them are copies of the first.
    pub copies: usize,
    pub text: String,
    pub concurrency: usize,
    /// Where results of runs are kept.
    pub results: Option<PathBuf>,
    /// The folder of the eval file.
    pub folder: PathBuf,
    /// What is blotted out of what programs say.
    pub redaction: Redaction,
}

impl Default for Setup {
    fn default() -> Self {
        let (budget, text, folder, redaction) = (Budget::default(), SPEC.to_owned(), PathBuf::new(), Redaction::default());
        Self { budget, price: None, cases: 60, copies: 0, text, concurrency: 8, results: None, folder, redaction }
    }
}

impl Setup {
    pub async fn evaluate(
        &self,
        client: Option<&dyn ModelClient>,
        recording: &Recording,
        candidate: &Subject,
        parent: Option<&Subject>,
    ) -> Result<(v1::Report, Served), EvalError> {
        let spec = Spec::parse("evals/intents.yaml", &self.text).0.unwrap();
        let dataset = dataset(&spec, self.cases, self.copies);
        let surroundings = Surroundings { folder: &self.folder, redaction: &self.redaction, ..alone() };
        let prepared = Prepared::new(&spec, &dataset, candidate, &surroundings)?;
        let prepared = match &self.results {
            Some(folder) => prepared.keeping_results(folder),
            None => prepared,
        };
        let prices = self.price.clone().map(|price| ("m".to_owned(), price)).into_iter().collect();
        let done = AtomicUsize::new(0);
        let settings = Settings {
            client,
            recording,
            retry: RetryPolicy { attempts: 2, first_pause: Duration::ZERO, ..RetryPolicy::default() },
            concurrency: self.concurrency,
            prices: &prices,
            purse: &Purse::new(self.budget),
            progress: &|progress| {
                assert!(progress.done <= progress.total && progress.failed <= progress.done);
                done.fetch_max(progress.done, Ordering::SeqCst);
            },
        };
        let evaluation = prepared.evaluate(candidate, parent, &settings).await;
        recording.save()?;
        let evaluation = evaluation?;
        Ok((report::build(&prepared, candidate, parent, &evaluation, recording)?, evaluation.served))
    }
}

/// An eval without judges and programs.
pub fn alone() -> Surroundings<'static> {
    static NONE: Judges = Judges::new();
    Surroundings { folder: Path::new(""), judges: &NONE, redaction: Redaction::none() }
}

pub fn off(folder: &Path) -> Recording {
    Recording::open(&folder.join("none.jsonl"), Replay::Off, Redaction::default()).unwrap()
}

/// A server that answers right, except for the messages that `is_wrong` picks by system message and number of the case.
pub async fn labelling(is_wrong: impl Fn(&str, usize) -> bool + Send + Sync + 'static) -> Server {
    Server::start(move |_, received| {
        let message = received.last_message();
        let number: usize = message.rsplit(' ').next().unwrap().parse().unwrap();
        let system = received.body["messages"][0]["content"].as_str().unwrap();
        let right = if message.contains("invoice") { "billing" } else { "technical" };
        let wrong = if right == "billing" { "technical" } else { "billing" };
        Behaviour::ok(completion(if is_wrong(system, number) { wrong } else { right }))
    })
    .await
}

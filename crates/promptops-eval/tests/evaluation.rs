//! Whole evaluations: from an eval file and a dataset to a report, with a model behind a socket.

#![cfg(test)]

mod server;
mod setup;

use std::collections::BTreeMap;

use promptops_eval::client::retry::RetryPolicy;
use promptops_eval::client::{ClientError, ModelClient};
use promptops_eval::dataset::{Dataset, Format, Source};
use promptops_eval::recording::{Recording, Redaction, Replay};
use promptops_eval::report::{self, v1};
use promptops_eval::run::{Budget, Purse, Served, Settings};
use promptops_eval::{EvalError, Prepared, Spec, evidence};
use promptops_offline_model as offline;
use serde_json::{Value, json};
use server::{Behaviour, Server, completion};
use setup::{SPEC, Setup, alone, client, labelling, off, price, spec, subject};

#[tokio::test]
async fn a_worse_version_is_refused_with_the_cases_it_loses() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|system, number| system == "worse" && number >= 40).await;
    let (candidate, parent) = (subject(2, "worse", "m"), subject(1, "good", "m"));
    let client = client(&server.url());
    let (report, served) =
        Setup::default().evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
    assert_eq!(report.verdict, "refused");
    assert_eq!((report.metrics[0].verdict.as_str(), report.metrics[1].verdict.as_str()), ("regressed", "pass"));
    let difference = report.metrics[0].difference.as_ref().unwrap();
    assert_eq!((difference.worse, difference.better, difference.cases), (20, 0, 60));
    assert_eq!(report.flips.len(), 20);
    let flip = &report.flips[0];
    assert_eq!((flip.case.as_str(), flip.line, flip.change), ("c40", 42, v1::Change::PassToFail));
    assert_eq!(flip.input["message"], "my invoice shows a wrong charge, number 40");
    assert_eq!(flip.parent.answer.as_deref(), Some("billing"));
    assert_eq!(flip.candidate.note.as_deref(), Some("expected `billing`, got `technical`"));
    assert_eq!(report.candidate.totals.tokens.unwrap().input, 600);
    assert_eq!(report.candidate.answered_by[0].model, "m-2026-01");
    assert_eq!(served, Served { sent: 120, replayed: 0 });
    let labels = report.metrics[0].labels.as_ref().unwrap();
    assert_eq!(labels.candidate.counts, [[20, 10, 0], [10, 20, 0]]);
    assert_eq!(labels.parent.as_ref().unwrap().macro_f1, Some(1.0));
}

#[tokio::test]
async fn an_equal_version_passes_and_a_lost_critical_case_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|system, number| system == "critical" && number == 1).await;
    let client = client(&server.url());
    let parent = subject(1, "good", "m");
    let setup = Setup::default();
    let (same, _) = setup.evaluate(Some(&client), &off(folder.path()), &subject(2, "as good", "m"), Some(&parent)).await.unwrap();
    assert_eq!((same.verdict.as_str(), same.flips.len()), ("pass", 0));
    assert_eq!(same.candidate.comparability_key, same.parent.unwrap().comparability_key);
    let (lost, _) =
        setup.evaluate(Some(&client), &off(folder.path()), &subject(2, "critical", "m"), Some(&parent)).await.unwrap();
    assert_eq!(lost.verdict, "refused");
    assert_eq!(lost.reasons, ["1 of 1 cases that must pass fail: `c1`"]);
}

#[tokio::test]
async fn a_first_version_is_held_to_its_floor() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|_, number| number >= 20).await;
    let client = client(&server.url());
    let first = subject(1, "first", "m");
    let (report, _) = Setup::default().evaluate(Some(&client), &off(folder.path()), &first, None).await.unwrap();
    assert_eq!((report.verdict.as_str(), report.metrics[0].verdict.as_str()), ("refused", "below-minimum"));
    assert_eq!(report.metrics[1].verdict, "no-baseline");
    assert_eq!(report.reasons[0], "accuracy: below-minimum, 33.3% (below the minimum of 0.5)");
}

#[tokio::test]
async fn replayed_answers_give_the_same_report_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recordings/intents.jsonl");
    let server = labelling(|system, number| system == "worse" && number >= 50).await;
    let (candidate, parent) = (subject(2, "worse", "m"), subject(1, "good", "m"));
    let setup = Setup { price: Some(price(1.0, 4.0)), ..Setup::default() };
    let client = client(&server.url());
    let open = |mode| Recording::open(&path, mode, Redaction::default()).unwrap();
    let (recorded, served) = setup.evaluate(Some(&client), &open(Replay::Auto), &candidate, Some(&parent)).await.unwrap();
    assert_eq!(served, Served { sent: 120, replayed: 0 });
    assert!((recorded.candidate.totals.cost_usd.unwrap() - 60.0 * (10.0 + 2.0 * 4.0) / 1e6).abs() < 1e-9);
    server.stop().await;
    let file = std::fs::read(&path).unwrap();
    for (mode, client) in [(Replay::Only, None), (Replay::Auto, Some(&client as &dyn ModelClient))] {
        let (replayed, served) = setup.evaluate(client, &open(mode), &candidate, Some(&parent)).await.unwrap();
        assert_eq!(serde_json::to_string(&replayed).unwrap(), serde_json::to_string(&recorded).unwrap());
        assert_eq!(served, Served { sent: 0, replayed: 120 });
        assert_eq!(std::fs::read(&path).unwrap(), file);
    }
    let statement = evidence::statement(&recorded);
    assert!(statement.is_about(&candidate.digest) && !statement.is_about(&parent.digest));
    assert_eq!(statement.predicate["verdict"], recorded.verdict);
    assert_eq!(statement.predicate["answered_by"][0]["model"], "m-2026-01");
}

#[tokio::test]
async fn a_missing_recording_names_the_command_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let server = labelling(|_, _| false).await;
    let recording = Recording::open(&path, Replay::Only, Redaction::default()).unwrap();
    let client = client(&server.url());
    let error = Setup::default().evaluate(Some(&client), &recording, &subject(1, "good", "m"), None).await.unwrap_err();
    assert!(error.to_string().starts_with("60 of 60 answers are not recorded in `"), "{error}");
    assert_eq!(error.hint().unwrap(), "record them with `promptops eval support.intent --replay auto` and commit the file");
    assert_eq!((server.requests(), path.exists()), (0, false));
}

#[tokio::test]
async fn what_was_answered_before_a_failure_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let open = || Recording::open(&path, Replay::Auto, Redaction::default()).unwrap();
    let subject = subject(1, "good", "m");
    let server = labelling(|_, _| false).await;
    let client = client(&server.url());
    let poor = Setup { budget: Budget { calls: Some(25), usd: None }, ..Setup::default() };
    let error = poor.evaluate(Some(&client), &open(), &subject, None).await.unwrap_err();
    assert_eq!(error.to_string(), "the budget of 25 calls is used up after 25 calls");
    assert_eq!(server.requests(), 25);
    let (_, served) = Setup::default().evaluate(Some(&client), &open(), &subject, None).await.unwrap();
    assert_eq!(served, Served { sent: 35, replayed: 25 });
}

#[tokio::test]
async fn answers_are_written_while_a_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let journal = path.with_extension("journal");
    let server = Server::start(move |number, _| {
        // With 8 calls under way the last request comes after 52 answers.
        if number == 59 {
            assert!(std::fs::read_to_string(&journal).unwrap().lines().count() >= 52);
        }
        Behaviour::ok(completion("billing"))
    })
    .await;
    let recording = Recording::open(&path, Replay::Auto, Redaction::default()).unwrap();
    let client = client(&server.url());
    let (report, _) = Setup::default().evaluate(Some(&client), &recording, &subject(1, "a", "m"), None).await.unwrap();
    assert_eq!((report.candidate.totals.failures.len(), server.requests()), (0, 60));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 60);
}

#[tokio::test]
async fn a_budget_in_dollars_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|_, _| false).await;
    let setup = Setup { budget: Budget { calls: None, usd: Some(30.0) }, price: Some(price(1e5, 0.0)), ..Setup::default() };
    let client = client(&server.url());
    let error = setup.evaluate(Some(&client), &off(folder.path()), &subject(1, "good", "m"), None).await.unwrap_err();
    assert!(matches!(error, EvalError::Budget { .. }), "{error}");
    // One dollar a call; those under way when it was used up are paid for too.
    assert!((30..=38).contains(&server.requests()), "{}", server.requests());
}

#[tokio::test]
async fn a_budget_in_dollars_needs_a_provider_that_counts_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let uncounted = r#"{"model": "m", "choices": [{"message": {"content": "billing"}, "finish_reason": "stop"}]}"#;
    let server = Server::start(move |_, _| Behaviour::ok(uncounted.to_owned())).await;
    let setup = Setup { budget: Budget { calls: None, usd: Some(0.01) }, price: Some(price(1e6, 1e6)), ..Setup::default() };
    let client = client(&server.url());
    let error = setup.evaluate(Some(&client), &off(folder.path()), &subject(1, "good", "m"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider of `m` counts no tokens, so a budget in US dollars cannot hold");
    assert_eq!(error.hint().unwrap(), "limit the calls with `--max-calls` instead of `--max-usd`");
    // Those under way with the first one.
    assert!(server.requests() <= 8 + 8, "{}", server.requests());
    // Without such a budget it is no matter.
    let (report, _) =
        Setup::default().evaluate(Some(&client), &off(folder.path()), &subject(1, "good", "m"), None).await.unwrap();
    assert_eq!(report.candidate.totals.tokens, None);
}

#[tokio::test]
async fn an_account_without_money_stops_the_run_and_leaves_no_verdict_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let open = || Recording::open(&path, Replay::Auto, Redaction::default()).unwrap();
    let said = r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}"#;
    for status in [400, 402] {
        let server = Server::start(move |number, _| match number {
            0..20 => Behaviour::ok(completion("billing")),
            _ => Behaviour::Answer(status, vec![], said.to_owned()),
        })
        .await;
        let client = client(&server.url());
        let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
        let error = Setup::default().evaluate(Some(&client), &open(), &candidate, Some(&parent)).await.unwrap_err();
        assert!(matches!(&error, EvalError::Client { source: ClientError::Auth { .. }, .. }), "{error}");
        // What was answered is kept, and no refusal is.
        let file = std::fs::read_to_string(&path).unwrap();
        assert!(file.lines().count() >= 20 && !file.contains(&format!("\"status\":{status}")), "{file}");
    }
}

#[tokio::test]
async fn a_refusal_that_was_recorded_is_asked_for_once_more_where_somebody_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let open = |mode| Recording::open(&path, mode, Redaction::default()).unwrap();
    let subject = subject(1, "good", "m");
    let failures = |report: &v1::Report| serde_json::to_value(&report.candidate.totals.failures).unwrap();
    let refusing = Server::start(|_, received| match received.last_message().ends_with(" 7") {
        true => Behaviour::Answer(400, vec![], r#"{"error": {"message": "not today"}}"#.to_owned()),
        false => Behaviour::ok(completion("billing")),
    })
    .await;
    let (report, served) =
        Setup::default().evaluate(Some(&client(&refusing.url())), &open(Replay::Auto), &subject, None).await.unwrap();
    assert_eq!((failures(&report), served), (json!({"bad-request": 1}), Served { sent: 60, replayed: 0 }));
    // Where nobody may be asked it stands.
    let (report, served) = Setup::default().evaluate(None, &open(Replay::Only), &subject, None).await.unwrap();
    assert_eq!((failures(&report), served), (json!({"bad-request": 1}), Served { sent: 0, replayed: 60 }));
    let willing = labelling(|_, _| false).await;
    let (report, served) =
        Setup::default().evaluate(Some(&client(&willing.url())), &open(Replay::Auto), &subject, None).await.unwrap();
    assert_eq!((failures(&report), served), (json!({}), Served { sent: 1, replayed: 59 }));
    let (report, served) = Setup::default().evaluate(None, &open(Replay::Only), &subject, None).await.unwrap();
    assert_eq!((failures(&report), served), (json!({}), Served { sent: 0, replayed: 60 }));
}

#[tokio::test]
async fn a_refused_key_stops_the_run_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Behaviour::Answer(401, vec![], "{}".into())).await;
    let client = client(&server.url());
    let error = Setup::default().evaluate(Some(&client), &off(folder.path()), &subject(1, "a", "m"), None).await.unwrap_err();
    assert!(matches!(&error, EvalError::Client { source: ClientError::Auth { status: 401, .. }, .. }), "{error}");
    assert!(error.hint().unwrap().contains("api_key_env"));
    assert!(server.requests() <= 8 + 8, "{}", server.requests());
}

#[tokio::test]
async fn single_failures_are_scored_with_their_class_and_cannot_decide() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, received| {
        let message = received.last_message().to_owned();
        let number: usize = message.rsplit(' ').next().unwrap().parse().unwrap();
        let label = if message.contains("invoice") { "billing" } else { "technical" };
        let is_candidate = received.body["messages"][0]["content"] == "new";
        match number {
            30..40 if is_candidate => Behaviour::Answer(503, vec![], "busy".into()),
            50 if is_candidate => Behaviour::Answer(400, vec![], "blocked".into()),
            _ => Behaviour::ok(completion(label)),
        }
    })
    .await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    let (report, _) = Setup::default().evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
    let failures = serde_json::to_value(&report.candidate.totals.failures).unwrap();
    assert_eq!(failures, json!({"server": 10, "bad-request": 1}));
    assert_eq!((report.verdict.as_str(), report.metrics[0].verdict.as_str()), ("inconclusive", "inconclusive"));
    assert!(report.reasons[0].starts_with("18.3% of the answers were not given"), "{:?}", report.reasons);
    assert!(report.reasons[1].contains("for reasons outside the prompt, and could change the verdict"), "{:?}", report.reasons);
    // A request that the provider refuses is an error too where these are limited.
    assert_eq!((report.errors.candidate, report.errors.parent), (11, 0));
    // It is lost; what nobody knows is neither lost nor won.
    let lost: Vec<(&str, &str)> = report.flips.iter().map(|flip| (flip.case.as_str(), flip.metric.as_str())).collect();
    assert_eq!(lost, [("c50", "accuracy"), ("c50", "valid-output")]);
    assert!(report.flips.iter().all(|flip| flip.candidate.answer.is_none()));
}

#[tokio::test]
async fn cases_that_ask_the_same_share_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|number, _| Behaviour::ok(completion(if number == 0 { "billing" } else { "technical" }))).await;
    let spec = spec();
    let text = "id,message,intent,critical\na,hello,billing,\nb,hello,billing,\n";
    let dataset = Dataset::read("d.csv", Format::Csv, Source::of_bytes(text), &spec.columns()).unwrap();
    let subject = subject(1, "good", "m");
    let prepared = Prepared::new(&spec, &dataset, &subject, &alone()).unwrap();
    let client = client(&server.url());
    let recording = off(folder.path());
    let settings = Settings {
        client: Some(&client),
        recording: &recording,
        retry: RetryPolicy::default(),
        concurrency: 4,
        prices: &BTreeMap::new(),
        purse: &Purse::default(),
        progress: &|_| {},
    };
    let evaluation = prepared.evaluate(&subject, None, &settings).await.unwrap();
    assert_eq!(server.requests(), 1);
    evaluation.candidate.each_attempt(|attempt| assert!(attempt.passes(0))).unwrap();
}

#[tokio::test]
async fn repeats_are_asked_and_recorded_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let server =
        Server::start(|number, _| Behaviour::ok(completion(if number % 3 == 0 { "technical" } else { "billing" }))).await;
    let text = SPEC.replace("case: id\n", "case: id\nrepeats: 3\n");
    let setup = Setup { cases: 4, text, ..Setup::default() };
    let client = client(&server.url());
    let subject = subject(1, "good", "m");
    let open = |mode| Recording::open(&path, mode, Redaction::default()).unwrap();
    let (report, served) = setup.evaluate(Some(&client), &open(Replay::Auto), &subject, None).await.unwrap();
    assert_eq!((served.sent, report.candidate.totals.calls), (12, 12));
    let (again, _) = setup.evaluate(None, &open(Replay::Only), &subject, None).await.unwrap();
    assert_eq!(again, report);
}

#[test]
fn an_eval_that_does_not_fit_is_told_all_at_once() {
    let text = SPEC
        .replace("case: id\n", "case: id\ninputs: {massage: message}\n")
        .replace("{type: json-schema}", "{type: label, expected: id}");
    let spec = Spec::parse("evals/intents.yaml", &text).0.unwrap();
    let text = "id,text,intent,critical,message\na,hello,sales,,x\n";
    let dataset = Dataset::read("d.csv", Format::Csv, Source::of_bytes(text), &spec.columns()).unwrap();
    let messages = |error: EvalError| match error {
        EvalError::Findings(findings) => findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    let found = messages(Prepared::new(&spec, &dataset, &subject(1, "x", "m"), &alone()).unwrap_err());
    assert_eq!(found, ["`support.intent@1` has no variable `massage`"]);
    let spec = self::spec();
    let text = "id,text,intent,critical\na,hello,sales,\n";
    let dataset = Dataset::read("d.csv", Format::Csv, Source::of_bytes(text), &spec.columns()).unwrap();
    let found = messages(Prepared::new(&spec, &dataset, &subject(1, "x", "m"), &alone()).unwrap_err());
    assert_eq!(found, ["variable `message` of `support.intent@1` has no column in `d.csv`"]);
    let text = "id,message,intent,critical\na,hello,sales,\nb,x,sales,\n";
    let dataset = Dataset::read("d.csv", Format::Csv, Source::of_bytes(text), &spec.columns()).unwrap();
    let found = messages(Prepared::new(&spec, &dataset, &subject(1, "x", "m"), &alone()).unwrap_err());
    assert_eq!(found, ["line 2: column `intent` expects `sales`, which is not a label (and 1 more cases like it)"]);
}

#[tokio::test]
async fn the_offline_model_is_named_for_what_it_is_and_its_answers_replay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(offline::serve(listener, offline::Settings::default(), async {
        let _ = stopped.await;
    }));
    let good =
        "Answer with one of: billing, technical.\n- billing: invoices, charges\n- technical: crashes, errors\nOnly the label.";
    let bad =
        "Answer with one of: billing, technical.\n- billing: crashes, errors\n- technical: invoices, charges\nOnly the label.";
    let model = "offline-large-2026-01";
    let (candidate, parent) = (subject(2, bad, model), subject(1, good, model));
    let client = client(&url);
    let setup = Setup::default();
    let open = |mode| Recording::open(&path, mode, Redaction::default()).unwrap();
    let (report, _) = setup.evaluate(Some(&client), &open(Replay::Auto), &candidate, Some(&parent)).await.unwrap();
    assert_eq!(report.metrics[0].parent.as_ref().unwrap().estimate, Some(1.0), "{:?}", report.metrics[0]);
    assert_eq!((report.verdict.as_str(), report.metrics[0].verdict.as_str()), ("refused", "below-minimum"));
    let answered = &report.candidate.answered_by[0];
    assert_eq!(answered.model, model);
    assert!(answered.note.as_ref().unwrap().contains("not a language model"));
    let _ = stop.send(());
    drop(client);
    serving.await.unwrap().unwrap();
    let (replayed, _) = setup.evaluate(None, &open(Replay::Only), &candidate, Some(&parent)).await.unwrap();
    let json = |report: &v1::Report| serde_json::to_string_pretty(report).unwrap();
    assert_eq!(json(&replayed), json(&report));
    let read: v1::Report = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(read, report);
    let raw: Value = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(raw["format"], "promptops-eval/1");
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_allowed() {
    let folder = tempfile::tempdir().unwrap();
    // It refuses the ninth at the same time, and a refused call is sent again.
    let server = Server::start_bearing(8, || Behaviour::ok(completion("billing"))).await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "b", "m"), subject(1, "a", "m"));
    let (_, served) = Setup::default().evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
    assert_eq!(served, Served { sent: 120, replayed: 0 });
}

#[tokio::test]
async fn a_report_lists_so_many_changes_and_counts_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|system, _| system == "worse").await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "worse", "m"), subject(1, "good", "m"));
    let setup = Setup { cases: report::MOST_FLIPS + 100, ..Setup::default() };
    let (report, _) = setup.evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
    assert_eq!((report.flips.len(), report.more_flips), (report::MOST_FLIPS, 100));
    let last = report.flips.last().unwrap();
    // Answers are read again, though nothing was recorded.
    assert_eq!((last.case.as_str(), last.candidate.answer.as_deref()), ("c999", Some("billing")));
}

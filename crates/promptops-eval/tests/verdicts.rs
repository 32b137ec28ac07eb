//! What a verdict may not depend on: how many calls are under way, what was kept from another day, errors, and copies of one case.

#![cfg(test)]

mod server;
mod setup;

use promptops_eval::recording::{Recording, Redaction, Replay};
use promptops_eval::report::v1::Report;
use promptops_eval::run::Served;
use server::{Behaviour, Server, completion};
use setup::{SPEC, Setup, client, labelling, off, subject};

/// An eval of so many cases that may stop early, of which the second must pass.
fn early(cases: usize) -> Setup {
    Setup { cases, text: SPEC.replace("case: id\n", "case: id\nearly_stop: true\n"), ..Setup::default() }
}

/// Returns whether the run stopped, and after how many cases.
fn stop(report: &Report) -> (bool, u64) {
    let stop = report.early_stop.as_ref().unwrap();
    (stop.stopped, stop.cases)
}

/// A server that answers right, but to the version `new` in the cases that `behaves` has something for.
async fn with_faults(behaves: impl Fn(usize) -> Option<Behaviour> + Send + Sync + 'static) -> Server {
    Server::start(move |_, received| {
        let message = received.last_message();
        let number = message.rsplit(' ').next().unwrap().parse().unwrap();
        let fault = behaves(number).filter(|_| received.body["messages"][0]["content"] == "new");
        fault.unwrap_or_else(|| Behaviour::ok(completion(if message.contains("invoice") { "billing" } else { "technical" })))
    })
    .await
}

#[tokio::test]
async fn a_run_that_stops_early_has_asked_what_must_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    let evaluate = async |server: &Server| {
        early(1000).evaluate(Some(&client(&server.url())), &off(folder.path()), &candidate, Some(&parent)).await.unwrap().0
    };
    let good = evaluate(&labelling(|_, _| false).await).await;
    let (has_stopped, cases) = stop(&good);
    assert_eq!((good.verdict.as_str(), has_stopped, good.must_pass.cases), ("pass", true, 1));
    // What was asked because it must pass was not drawn at random, so that no mean has it.
    assert!(cases < 500 && good.metrics[0].difference.as_ref().unwrap().cases == cases, "{cases}");
    let lost = evaluate(&labelling(|system, number| system == "new" && number == 1).await).await;
    assert_eq!((lost.verdict.as_str(), stop(&lost).0), ("refused", true));
    assert_eq!(lost.reasons[0], "1 of 1 cases that must pass fail: `c1`");
    // Of a case of which nothing is known nobody can say that it passes.
    let busy = with_faults(|number| (number == 1).then(|| Behaviour::Answer(503, vec![], "busy".into()))).await;
    let open = evaluate(&busy).await;
    assert_eq!((open.verdict.as_str(), stop(&open)), ("inconclusive", (false, 1000)));
    assert!(open.must_pass.failed[0].outside);
}

#[tokio::test]
async fn an_early_stop_depends_on_the_answers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("intents.jsonl");
    let server = labelling(|system, number| system == "new" && number % 40 == 0 || system == "old" && number % 50 == 7).await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    let mut found = Vec::new();
    for concurrency in [1, 8, 200] {
        let setup = Setup { concurrency, ..early(800) };
        let (report, served) = setup.evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
        assert_eq!(served.replayed, 0);
        found.push((report.verdict.clone(), stop(&report), report.metrics[0].difference.clone()));
    }
    assert!(found[0].1.0 && found[0] == found[1] && found[0] == found[2], "{found:?}");
    // Recorded with few calls at a time, replayed with many.
    let open = |mode| Recording::open(&path, mode, Redaction::default()).unwrap();
    let few = Setup { concurrency: 2, ..early(800) };
    let (recorded, served) = few.evaluate(Some(&client), &open(Replay::Auto), &candidate, Some(&parent)).await.unwrap();
    assert!(served.sent < 1600 && served.replayed == 0, "{served:?}");
    for concurrency in [1, 64, 500] {
        let setup = Setup { concurrency, ..early(800) };
        let (replayed, served) = setup.evaluate(None, &open(Replay::Only), &candidate, Some(&parent)).await.unwrap();
        assert_eq!(serde_json::to_string(&replayed).unwrap(), serde_json::to_string(&recorded).unwrap());
        assert_eq!(served.sent, 0);
    }
}

#[tokio::test]
async fn errors_are_no_reason_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    // One in twenty-five: fewer than are borne, and as many as could be a loss beyond a margin of four points.
    let server = with_faults(|number| (number % 25 == 0).then(|| Behaviour::Answer(500, vec![], "down".into()))).await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    for is_early in [true, false] {
        let mut setup = early(500);
        setup.text =
            setup.text.replace("margin: 0.1", "margin: 0.04").replace(if is_early { "" } else { "early_stop: true\n" }, "");
        let (report, _) = setup.evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
        assert_eq!((report.verdict.as_str(), report.errors.candidate), ("inconclusive", 20));
        assert_eq!(report.early_stop.map(|stop| stop.stopped), is_early.then_some(false));
        assert!(report.reasons[0].contains("could change the verdict"), "{:?}", report.reasons);
    }
}

#[tokio::test]
async fn a_kept_parent_never_takes_the_place_of_what_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { results: Some(folder.path().join("results")), ..Setup::default() };
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    let open = |name: &str, mode| Recording::open(&folder.path().join(name), mode, Redaction::default()).unwrap();
    let good = labelling(|_, _| false).await;
    let (first, _) =
        setup.evaluate(Some(&client(&good.url())), &open("a.jsonl", Replay::Auto), &candidate, Some(&parent)).await.unwrap();
    assert_eq!((first.verdict.as_str(), first.metrics[0].parent.as_ref().unwrap().estimate), ("pass", Some(1.0)));
    // A colleague has recorded both again, on a day when the model was worse.
    let poor = labelling(|_, number| number % 3 == 0).await;
    let alone = Setup::default();
    let (expected, _) =
        alone.evaluate(Some(&client(&poor.url())), &open("b.jsonl", Replay::Auto), &candidate, Some(&parent)).await.unwrap();
    for (mode, server) in [(Replay::Only, None), (Replay::Auto, Some(client(&good.url())))] {
        let client = server.as_ref().map(|client| client as &dyn promptops_eval::client::ModelClient);
        let (report, served) = setup.evaluate(client, &open("b.jsonl", mode), &candidate, Some(&parent)).await.unwrap();
        assert_eq!((served.sent, report.verdict.as_str()), (0, "pass"));
        assert_eq!(serde_json::to_string(&report).unwrap(), serde_json::to_string(&expected).unwrap());
    }
    // Where nothing of the parent is recorded, its result is as good as it was.
    let results = Setup { results: Some(folder.path().join("others")), ..Setup::default() };
    for (name, sent) in [("c.jsonl", 120), ("d.jsonl", 60)] {
        let (_, served) =
            results.evaluate(Some(&client(&good.url())), &open(name, Replay::Auto), &candidate, Some(&parent)).await.unwrap();
        assert_eq!(served, Served { sent, replayed: 0 });
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_a_program_said_another_day_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("score.sh"), ". ./verdict.sh").unwrap();
    let text = "prompt: support.intent\ndataset: intents.csv\ncase: id\nmetrics:\n  - {name: good, scorer: {type: set, of: [{type: \
                command, command: [sh, score.sh], not: true}]}, margin: 0.5}\n";
    let setup = Setup {
        cases: 12,
        text: text.to_owned(),
        results: Some(folder.path().join("results")),
        folder: folder.path().to_owned(),
        ..Setup::default()
    };
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    let server = labelling(|_, _| false).await;
    for (number, passed) in ["false", "true"].into_iter().enumerate() {
        // The script that the eval file names is the same, and what it goes by is not.
        std::fs::write(folder.path().join("verdict.sh"), format!("echo '{{\"passed\": {passed}}}'")).unwrap();
        let recording = Recording::open(&folder.path().join(number.to_string()), Replay::Auto, Redaction::default()).unwrap();
        let (report, served) = setup.evaluate(Some(&client(&server.url())), &recording, &candidate, Some(&parent)).await.unwrap();
        let estimates = (report.metrics[0].candidate.estimate, report.metrics[0].parent.as_ref().unwrap().estimate);
        let expected = if passed == "true" { Some(0.0) } else { Some(1.0) };
        assert_eq!((estimates, served.sent), ((expected, expected), 24));
    }
}

#[tokio::test]
async fn copies_of_one_case_are_one_piece_of_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|_, _| false).await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    for (is_early, copies) in [(false, 60), (false, 30), (true, 60)] {
        let mut setup = if is_early { early(60) } else { Setup::default() };
        setup.copies = copies;
        let (report, _) = setup.evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap();
        let note = format!("{} of 60 cases ask and expect what another does: they count as one with it", copies - 1);
        assert_eq!(report.warnings, [note]);
        let difference = report.metrics[0].difference.as_ref();
        if copies == 60 {
            assert_eq!((report.verdict.as_str(), difference), ("inconclusive", None));
            assert_eq!(report.metrics[0].reason.as_deref(), Some("too few independent cases to compare"));
        } else {
            assert_eq!(difference.map(|difference| (difference.cases, difference.units)), Some((60, 31)));
        }
    }
}

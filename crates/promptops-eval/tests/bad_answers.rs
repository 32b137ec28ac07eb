//! What is no answer and no verdict is an error: neither a pass nor a fail, and no verdict once there are more of them than are borne.

#![cfg(test)]

mod server;
mod setup;

use promptops_eval::report::v1;
use server::{Behaviour, Server, completion};
use setup::{Setup, client, labelling, off, subject};

/// Cases that go wrong for the candidate alone, of 60: one, which is borne, and six, which are not.
const BORNE: [usize; 1] = [7];
const TOO_MANY: [usize; 6] = [1, 2, 3, 4, 5, 6];

/// Asserts that errors were counted, and that neither side won or lost a case by them.
fn only_errors(report: &v1::Report, count: u64, what: &str) {
    assert_eq!((report.errors.candidate, report.errors.parent), (count, 0), "{what}: {:?}", report.reasons);
    assert_eq!(report.flips.len(), 0, "{what}: {:?}", report.flips);
    for metric in &report.metrics {
        // All others pass, so that a single fail or pass in place of an error would be seen.
        assert_eq!(metric.candidate.estimate, Some(1.0), "{what}");
        let difference = metric.difference.as_ref().unwrap();
        assert_eq!((difference.cases, difference.worse, difference.better), (60 - count, 0, 0), "{what}");
    }
}

/// Asserts that so many errors leave no verdict.
fn no_verdict(report: &v1::Report, what: &str) {
    only_errors(report, 6, what);
    assert_eq!(report.verdict, "inconclusive", "{what}");
    assert_eq!(report.metrics[0].verdict, "inconclusive", "{what}");
    assert!(report.reasons[0].starts_with("10.0% of the answers were not given"), "{what}: {:?}", report.reasons);
}

/// A server that answers right, and these cases of the candidate with a page.
async fn with_pages(status: u16, cases: &'static [usize]) -> Server {
    Server::start(move |_, received| {
        let message = received.last_message();
        let number: usize = message.rsplit(' ').next().unwrap().parse().unwrap();
        if received.body["messages"][0]["content"] == "new" && cases.contains(&number) {
            // The page has the right label in it, which makes no answer of it.
            let page = "<!DOCTYPE html><html><title>Sign in</title><body>billing technical</body></html>";
            return Behaviour::Answer(status, vec![("content-type", "text/html; charset=utf-8")], page.to_owned());
        }
        Behaviour::ok(completion(if message.contains("invoice") { "billing" } else { "technical" }))
    })
    .await
}

#[tokio::test]
async fn a_provider_that_returns_pages_gives_errors_and_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    for status in [200, 502] {
        let what = format!("pages with {status}");
        let run = async |cases| {
            let server = with_pages(status, cases).await;
            let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
            let client = client(&server.url());
            Setup::default().evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await.unwrap().0
        };
        only_errors(&run(&BORNE).await, 1, &what);
        no_verdict(&run(&TOO_MANY).await, &what);
    }
}

/// A scorer that passes everything, except that it does `instead` for messages whose number fits the pattern.
#[cfg(unix)]
fn scorer(numbers: &str, instead: &str, not: bool) -> Setup {
    let script =
        format!("case \"$(cat)\" in *'\"new\"'*'number '{numbers}'\"'*) {instead};; *) echo '{{\"passed\": {}}}';; esac", !not);
    let script = serde_json::Value::from(script);
    let text = format!(
        "prompt: support.intent\ndataset: intents.csv\ncase: id\nmetrics:\n  - name: judged\n    margin: 0.1\n    \
         scorer: {{type: command, command: [sh, -c, {script}], timeout: 2, not: {not}}}\n"
    );
    Setup { text, folder: "/".into(), ..Setup::default() }
}

#[cfg(unix)]
#[tokio::test]
async fn a_scorer_that_hangs_or_floods_gives_errors_and_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let server = labelling(|_, _| false).await;
    let client = client(&server.url());
    let (candidate, parent) = (subject(2, "new", "m"), subject(1, "old", "m"));
    let troubles = [
        ("hangs", "exec sleep 600"),
        // Verdicts in every line, and more of them than anybody reads.
        ("writes megabytes", "exec yes '{\"passed\": true}'"),
        ("complains in megabytes", "head -c 5000000 /dev/zero >&2; exit 1"),
        ("writes a page", "echo '<html>passed: true</html>'"),
    ];
    for (what, instead) in troubles {
        // Turned around, what is no verdict is not its contrary either.
        for (numbers, count, not) in [("7", 1, false), ("7", 1, true), ("[1-6]", 6, false)] {
            let setup = scorer(numbers, instead, not);
            let evaluated = setup.evaluate(Some(&client), &off(folder.path()), &candidate, Some(&parent)).await;
            let report = evaluated.unwrap().0;
            if count == 1 { only_errors(&report, 1, what) } else { no_verdict(&report, what) }
        }
    }
}

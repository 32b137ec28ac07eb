//! Requests made from the description of the API: thousands that fit it and that do not, and what comes back.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use promptops_registry::Targets;
use promptops_server::Access;

use crate::harness::{Server, held_rules, now, prompt};
use crate::recording::{log, recording};

/// The interpreter of the environment that the test runner made, which has schemathesis.
const PYTHON_VARIABLE: &str = "PROMPTOPS_TEST_PYTHON";

/// What schemathesis is told. A statement of the right form about another content than what is published is refused with
/// 400, and so is a day for what is no deprecation: nothing in the schema says which digest is right, or what goes together.
/// The rules that a difference in a plan names are not spelt out in the schema either, and neither are the members of an invocation, which has
/// a schema of its own.
const CONFIG: &str = "\
[[operations]]
include-name = \"POST /v1/evidence\"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = \"POST /v1/environments/{name}/releases\"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = \"POST /v1/invocations\"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = \"POST /v1/statuses\"
checks.positive_data_acceptance.enabled = false
";

#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the interpreter is")]
fn python() -> Option<String> {
    let python = std::env::var(PYTHON_VARIABLE).ok().filter(|python| !python.is_empty());
    if python.is_none() {
        println!("skipped: requests made from the description: {PYTHON_VARIABLE} is not set");
    }
    python
}

fn run(python: &str, folder: &Path, url: &str, token: &str) -> Output {
    let mut command = Command::new(python);
    command.args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"]);
    command.arg(format!("{url}/v1/openapi.json"));
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    // The same requests in every run, and none kept for another.
    command.args(["--generation-deterministic", "--max-examples", "15", "--no-color"]);
    command.current_dir(folder).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_is_answered_as_described() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let record = recording(&Arc::default(), log(folder.path()));
    let server = Server::start(|settings| {
        record(settings);
        settings.access = Access::Keys;
    })
    .await;
    server.publish(&prompt("support.greeting@1", "Hello {{ name }}")).await;
    let targets = Targets { versions: vec!["support.greeting@1".parse().unwrap()], ..Targets::default() };
    let rules = held_rules();
    let plan = server.registry.plan(&"staging".parse().unwrap(), &targets, rules.authority(), "rel", now()).await.unwrap();
    server.registry.deploy(&plan, rules.authority(), "rel", None, now()).await.unwrap();
    let token = server.key("fuzz", &["admin"]).await;

    std::fs::write(folder.path().join("schemathesis.toml"), CONFIG).unwrap();
    let (url, path) = (server.url.clone(), folder.path().to_owned());
    let ran = tokio::task::spawn_blocking(move || run(&python, &path, &url, &token.reveal())).await.unwrap();
    let (said, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{errors}");
    assert!(said.contains("Tested: 26") && !said.contains(" 0 generated"), "{said}");
    assert_eq!(server.registry.verify(&[]).await.unwrap().problems, [], "and the registry is sound after all that");
}

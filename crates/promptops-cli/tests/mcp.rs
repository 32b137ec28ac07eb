//! `promptops mcp`, spoken to over its streams: whose prompts it serves, and what it says when it cannot.
//! The official clients try the rest, in `sdks/python/tests/test_mcp.py` and `sdks/node/tests/mcp.test.mjs`.

#![cfg(test)]

mod support;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Project, Run};

const TONE: &str = "id: shared.tone\nversion: 1\nowner: brand\nmodel: any\ntags: []\ntemplate: Be kind.\n";
const REPLY: &str = "\
id: support.reply
version: 1
owner: support
model: gpt-4o-2024-08-06
tags: [drafts]
inputs:
  name: {type: string}
  items: {type: array, items: {type: string}, default: []}
template: |
  {% include \"shared.tone@1\" %} Write to {{ name }}{% for item in items %}, {{ item }}{% endfor %}.
";

/// A project with two prompts that are released to prod.
fn released() -> Project {
    let project = Project::committed();
    project.write("promptops.toml", "[environments.prod]\n");
    project.write("prompts/shared/tone.yaml", TONE);
    project.write("prompts/support/reply.yaml", REPLY);
    project.write(".gitignore", ".promptops/\n*.json\n*.lock\n*.bundle\n*.jsonl\n");
    project.commit("Reply to people");
    for arguments in [
        &["registry", "init"][..],
        &["publish"],
        &["plan", "--env", "prod", "--out", "plan.json", "--no-text"],
        &["deploy", "plan.json"],
        &["lock", "--env", "prod"],
        &["bundle"],
    ] {
        let run = project.run(arguments);
        assert_eq!(run.exit, 0, "{run}");
    }
    project
}

/// Says all of it at once, and returns the answers by their ids, and how the command ended.
fn talk(project: &Project, arguments: &[&str], messages: &[Value]) -> (Vec<Value>, Run) {
    let mut command = project.promptops([&["mcp"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let client = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "desk", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client});
    for message in std::iter::once(&hello).chain(messages) {
        writeln!(stdin, "{message}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    // What is on stdout is messages and nothing else.
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let mut answers: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.sort_by_key(|answer| answer["id"].as_u64());
    (answers, Run::new(std::process::Output { stdout: Vec::new(), ..output }, &project.redactions()))
}

fn get(id: u64, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "prompts/get", "params": {"name": "support.reply", "arguments": arguments}})
}

#[test]
fn an_environment_a_lock_and_a_bundle_are_served_alike() {
    let project = released();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "prompts/list"});
    let lineage = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "show_lineage", "arguments": {"name": "shared.tone"}}});
    let messages = [list, get(2, json!({"name": "Ann", "items": "[\"a lamp\"]"})), lineage];
    let served = |arguments: &[&str]| {
        let (answers, run) = talk(&project, arguments, &messages);
        assert_eq!((run.exit, run.stderr.as_str(), answers.len()), (0, "", 4), "{arguments:?}");
        answers
    };
    let answers = served(&["--env", "prod"]);
    let names: Vec<&Value> = answers[1]["result"]["prompts"].as_array().unwrap().iter().map(|prompt| &prompt["name"]).collect();
    assert_eq!(names, ["shared.tone", "support.greeting", "support.reply"]);
    assert_eq!(answers[2]["result"]["messages"][0]["content"]["text"], "Be kind. Write to Ann, a lamp.\n");
    let lineage = &answers[3]["result"]["structuredContent"];
    assert_eq!(lineage["dependants"], json!([{"version": "support.reply@1", "owner": "support", "includes": "shared.tone@1"}]));
    // The lock and the bundle are of the first release, and stay with it.
    project.write("prompts/support/reply.yaml", REPLY.replace("version: 1", "version: 2\nparent: 1").replace("Write", "Reply"));
    project.commit("Reply to them");
    for arguments in [&["publish"][..], &["plan", "--env", "prod", "--out", "plan.json", "--no-text"], &["deploy", "plan.json"]] {
        assert_eq!(project.run(arguments).exit, 0);
    }
    assert_eq!(served(&["--lock", "promptops.lock"]), answers);
    assert_eq!(served(&["--bundle", "prompts.bundle"]), answers);
    let moved = served(&["--env", "prod"]);
    assert_eq!(moved[2]["result"]["messages"][0]["content"]["text"], "Be kind. Reply to Ann, a lamp.\n");
}

#[test]
fn what_was_got_is_recorded_when_the_client_goes() {
    let project = released();
    let (answers, run) = talk(&project, &["--env", "prod", "--invocations", "calls.jsonl"], &[get(1, json!({"name": "Ann"}))]);
    assert_eq!(run.exit, 0, "{run}");
    let records = std::fs::read_to_string(project.path("calls.jsonl")).unwrap();
    let record: Value = serde_json::from_str(&records).unwrap();
    assert_eq!(record["invocation_id"], answers[1]["result"]["_meta"]["promptops/invocation"]);
    let said: Vec<&Value> = ["agent", "runtime", "environment", "prompt_id", "source"].iter().map(|name| &record[name]).collect();
    assert_eq!(said, ["desk", "agent", "prod", "support.reply", "mcp"]);
}

#[test]
fn it_says_why_it_cannot_serve() {
    let project = released();
    insta::assert_snapshot!(project.run(["mcp"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: nothing says whose prompts to serve
    hint: name an environment with `--env`, a lock with `--lock`, or a bundle with `--bundle`
    ");
    insta::assert_snapshot!(project.run(["mcp", "--env", "prod", "--public-read"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `--public-read` is for serving over HTTP, which `--listen` does
    ");
    insta::assert_snapshot!(project.run(["mcp", "--bundle", "missing.bundle"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: no such bundle: `[PROJECT]/missing.bundle`
    hint: build the bundle first, or correct the path
    ");
    insta::assert_snapshot!(project.run(["mcp", "--listen", "0.0.0.0:0", "--env", "prod"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `0.0.0.0:0` is reached by others, and keys would travel there in clear
    hint: give a certificate with `--tls-cert` and `--tls-key`, or say `--behind-proxy` when something before it has one
    ");
    insta::assert_snapshot!(project.run(["mcp", "--bundle", "prompts.bundle", "--listen", "127.0.0.1:0"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--bundle <FILE>' cannot be used with '--listen <ADDRESS>'

    Usage: promptops mcp --bundle <FILE>

    For more information, try '--help'.
    ");
    // A wrong name looks like an environment that nothing is released to yet.
    let (_, run) = talk(&project, &["--env", "prdo"], &[]);
    insta::assert_snapshot!(run, @r"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    warning: nothing is released to `prdo` yet, so agents see no prompt (there are releases of `prod`)
    ");
    let lock = std::fs::read_to_string(project.path("promptops.lock")).unwrap();
    project.write("other.lock", lock.replace("\"sequence\": 1", "\"sequence\": 2"));
    let run = project.run(["mcp", "--lock", "other.lock"]);
    assert!(run.exit == 7 && run.stderr.contains("does not fit its log proof"), "{run}");
}

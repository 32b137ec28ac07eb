//! `promptops eval --from` and `promptops import promptfoo`, as a user runs them.

#![cfg(test)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;
use support::{PROMPTOPS, Project};

/// A configuration that the offline model can answer.
const CONFIG: &str = "\
description: Sort messages
prompts:
  - id: file://chat.json
    label: Intent
providers: [openai:chat:offline-large-2026-01]
defaultTest:
  assert:
    - {type: regex, value: ^(billing|technical)$, metric: format}
tests:
  - description: a refund
    vars: {message: [I want a refund, the invoice shows two charges]}
    assert: [{type: equals, value: billing}]
  - description: a crash
    vars: {message: it crashes with errors}
    assert: [{type: equals, value: technical}]
";
const CHAT: &str = r#"[
  {"role": "system", "content": "Answer with exactly one of: billing, technical.\n- billing: invoices, charges, refunds\n- technical: errors, crashes, login\nOnly the label."},
  {"role": "user", "content": "{{ message }}"}
]"#;
const PROVIDERS: &str = "[providers.offline]\nkind = \"openai\"\nmodels = [\"offline-*\"]\nurl = \"http://127.0.0.1:9/v1\"\n";

struct Model(Child, String);

impl Model {
    fn start() -> Self {
        let mut child = Command::new(PROMPTOPS)
            .args(["offline-model", "serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self(child, url)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn project() -> Project {
    let project = Project::empty();
    project.write("promptops.toml", PROVIDERS);
    project.write("desk/promptfooconfig.yaml", CONFIG);
    project.write("desk/chat.json", CHAT);
    project
}

#[test]
fn a_configuration_runs_as_it_is_and_every_case_must_pass() {
    let (project, model) = (project(), Model::start());
    let from = ["eval", "--from", "desk/promptfooconfig.yaml", "--url", &model.1];
    let run = project.run(from);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("desk.intent@1: pass"), "{}", run.stdout);
    assert!(run.stdout.contains("must pass: 3 of 3 do"), "{}", run.stdout);
    assert!(run.stderr.contains("3 calls sent, 0 answers replayed"), "{}", run.stderr);
    // What was answered is kept, so that nobody is asked again; nothing is written beside the configuration.
    let again = project.run([&from[..], &["--replay", "only"]].concat());
    assert_eq!(again.exit, 0, "{}", again.stderr);
    assert!(again.stderr.contains("0 calls sent, 3 answers replayed"), "{}", again.stderr);
    assert_eq!(project.files("desk").len(), 2);

    project.replace("desk/promptfooconfig.yaml", "value: technical}", "value: billing}");
    let failed = project.run(from);
    assert_eq!(failed.exit, 1, "{}", failed.stdout);
    assert!(failed.stdout.contains("a crash"), "the case that fails is named: {}", failed.stdout);
}

#[test]
fn an_import_writes_files_that_run_alike() {
    let (project, model) = (project(), Model::start());
    let arguments = ["import", "promptfoo", "desk/promptfooconfig.yaml", "--owner", "support-team"];
    assert_snapshot!(project.run(arguments), @r#"
    exit: 0
    ----- stdout -----
    prompts/desk/intent.yaml
    evals/desk/intent.yaml
    evals/desk/intent.jsonl
    ----- stderr -----
    3 files written
    desk.intent from openai:chat:offline-large-2026-01: 3 cases
    "#);
    assert_snapshot!(std::fs::read_to_string(project.path("evals/desk/intent.yaml")).unwrap(), @r#"
    prompt: desk.intent
    dataset: intent.jsonl
    case: case
    repeats: 1
    # promptfoo asks for every case to pass.
    must_pass: must_pass
    metrics:
      # What is expected differs from case to case, so it stands in the column `asserts`.
      - name: passes
        scorer: {type: per-case, column: asserts}
        minimum: 1
        margin: 0.05
      - name: format
        scorer: {type: per-case, column: asserts, metric: format}
        minimum: 0
        margin: 0.05
    "#);
    assert_snapshot!(std::fs::read_to_string(project.path("prompts/desk/intent.yaml")).unwrap(), @r#"
    id: desk.intent
    version: 1
    owner: support-team
    purpose: Sort messages
    model: offline-large-2026-01
    parameters: {"temperature":0,"max_tokens":1024}
    tags: [imported-from-promptfoo]
    inputs:
      message: {"type":"string"}
    messages:
      - role: system
        content: |-
          Answer with exactly one of: billing, technical.
          - billing: invoices, charges, refunds
          - technical: errors, crashes, login
          Only the label.
      - role: user
        content: "{{ message }}"
    evals: [evals/desk/intent.yaml]
    "#);
    assert_eq!(project.run(["check"]).exit, 0);
    let run = project.run(["eval", "desk.intent", "--url", &model.1]);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("must pass: 3 of 3 do"), "{}", run.stdout);
    // A second import finds all of it there; what was changed by hand is not overwritten.
    assert_eq!(
        project.run(arguments).stderr,
        "0 files written, 3 there already\ndesk.intent from openai:chat:offline-large-2026-01: 3 cases\n"
    );
    project.replace("prompts/desk/intent.yaml", "Only the label", "The label only");
    assert_snapshot!(project.run(arguments), @r#"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: `prompts/desk/intent.yaml` is there already, with another content
    hint: choose another `--namespace`, or remove the files; nothing was written
    "#);
}

#[test]
fn what_stands_against_an_import_is_shown_with_its_source() {
    let project = project();
    project.write(
        "desk/promptfooconfig.yaml",
        CONFIG.replace("{type: equals, value: technical}", "{type: javascript, value: output}"),
    );
    assert_snapshot!(project.run(["import", "promptfoo", "desk/promptfooconfig.yaml", "--owner", "support-team"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error[promptfoo]: the assertion `javascript` is code, which is not run
      --> desk/promptfooconfig.yaml:15:21
       |
    15 |     assert: [{type: javascript, value: output}]
       |                     ^^^^^^^^^^
       |
    help: only the data of a configuration is read; write it as data, or as a scorer of type `command`

    error: `desk/promptfooconfig.yaml` has 1 problem
    hint: `docs/guides/promptfoo.md` says what is read and what is refused
    "#);
    assert_eq!(project.files("prompts").len() + project.files("evals").len(), 0);
    assert_snapshot!(project.run(["eval", "--from", "desk/absent.yaml"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read the configuration `[PROJECT]/desk/absent.yaml`
      cause: No such file or directory (os error [N])
    hint: check the path
    "#);
}

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

/// A configuration that a model judges; the program below answers both it and the question.
const RUBRIC: &str = "\
prompts: ['Where is {{ parcel }}?']
providers: [openai:chat:desk-1]
defaultTest: {options: {provider: openai:chat:grader-1}}
tests:
  - vars: {parcel: the blue one}
    assert: [{type: llm-rubric, value: names the blue one, threshold: 0.5}]
  - vars: {parcel: the red one}
    assert: [{type: not-llm-rubric, value: names the green one}]
";
/// Passes an answer that has the rubric's last two words in it.
const GRADER: &str = r#"import json, sys
call = json.load(sys.stdin)
said = call["messages"][-1]["content"]
if call["model"] == "grader-1":
    answer, rubric = said.split("</Output>")
    named = " ".join(rubric.replace("</Rubric>", "").split()[-2:])
    said = "Verdict: " + json.dumps({"reason": f"looked for {named}", "pass": named in answer, "score": float(named in answer)})
print(json.dumps({"text": said}))
"#;

#[test]
fn a_model_judges_by_rubrics_as_a_prompt_of_its_own() {
    let project = Project::empty();
    let grader = project.path("grade.py").to_string_lossy().into_owned();
    let config =
        "[providers.program]\nkind = \"command\"\nmodels = [\"desk-*\", \"grader-*\"]\ncommand = [\"python3\", \"GRADER\"]\n";
    project.write("promptops.toml", config.replace("GRADER", &grader));
    project.write("grade.py", GRADER);
    project.write("desk/promptfooconfig.yaml", RUBRIC);
    let run = project.run(["eval", "--from", "desk/promptfooconfig.yaml"]);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("must pass: 2 of 2 do"), "{}", run.stdout);
    assert!(run.stderr.contains("4 calls sent"), "{}", run.stderr);

    let arguments = ["import", "promptfoo", "desk/promptfooconfig.yaml", "--owner", "support-team"];
    assert_snapshot!(project.run(arguments), @r#"
    exit: 0
    ----- stdout -----
    prompts/desk/judge.yaml
    prompts/desk/prompt-1.yaml
    evals/desk/prompt-1.yaml
    evals/desk/prompt-1.jsonl
    ----- stderr -----
    4 files written
    desk.prompt-1 from openai:chat:desk-1: 2 cases
    desk.judge from openai:chat:grader-1: judges by rubrics
    "#);
    assert_snapshot!(std::fs::read_to_string(project.path("prompts/desk/judge.yaml")).unwrap(), @r#"
    id: desk.judge
    version: 1
    owner: support-team
    purpose: Judges whether an answer is as a rubric says
    model: grader-1
    parameters: {"temperature":0,"max_tokens":1024}
    tags: [imported-from-promptfoo]
    inputs:
      answer: {"type":"string"}
      reference: {"type":"string","default":""}
    messages:
      - role: system
        content: |-
          You are grading output according to a user-specified rubric. If the statement in the rubric is true, then the output passes the test. You respond with a JSON object with this structure: {reason: string, pass: boolean, score: number}

          Examples:

          <Output>Hello world</Output>
          <Rubric>Content contains a greeting</Rubric>
          {"reason": "the content contains the word 'Hello'", "pass": true, "score": 1.0}

          <Output>Avast ye swabs, repel the invaders!</Output>
          <Rubric>Does not speak like a pirate</Rubric>
          {"reason": "'avast ye' is a common pirate term", "pass": false, "score": 0.0}
      - role: user
        content: |-
          <Output>
          {{ answer }}
          </Output>
          <Rubric>
          {{ reference }}
          </Rubric>
    "#);
    assert_snapshot!(std::fs::read_to_string(project.path("evals/desk/prompt-1.yaml")).unwrap(), @r#"
    prompt: desk.prompt-1
    dataset: prompt-1.jsonl
    case: case
    repeats: 1
    # promptfoo asks for every case to pass.
    must_pass: must_pass
    metrics:
      # What is expected differs from case to case, so it stands in the column `asserts`.
      - name: passes
        scorer: {type: per-case, column: asserts, judges: [desk.judge@1]}
        minimum: 1
        margin: 0.05
    "#);
    assert_snapshot!(std::fs::read_to_string(project.path("evals/desk/prompt-1.jsonl")).unwrap(), @r#"
    {"case":"1","parcel":"the blue one","asserts":[{"type":"judge","prompt":"desk.judge@1","like":"promptfoo","value":"names the blue one","min_score":0.5}],"must_pass":true}
    {"case":"2","parcel":"the red one","asserts":[{"type":"judge","prompt":"desk.judge@1","like":"promptfoo","value":"names the green one","not":true}],"must_pass":true}
    "#);
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    2 prompts checked: no findings
    ----- stderr -----
    "#);
    let run = project.run(["eval", "desk.prompt-1"]);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    // A case that the judge fails is named with what it says.
    project.replace("evals/desk/prompt-1.jsonl", "names the blue one", "names the grey one");
    let run = project.run(["eval", "desk.prompt-1"]);
    assert_eq!(run.exit, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("looked for grey one"), "{}", run.stdout);
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

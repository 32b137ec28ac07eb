//! What a proposal may not do to the gate that it is held by: hide from it, lower its bar, or choose whom it asks.

#![cfg(test)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{PROMPTOPS, Project, Run};

const PROMPT: &str = "\
id: support.intent
version: 1
owner: desk
purpose: Sort messages
model: offline-large-2026-01
tags: [support]
inputs:
  message: {type: string}
output: {enum: [billing, technical]}
messages:
  - role: system
    content: |
      Answer with exactly one of: billing, technical.
      - billing: invoices, charges, refunds
      - technical: errors, crashes, login
      Only the label.
  - role: user
    content: \"{{ message }}\"
evals: [evals/intents.yaml]
";
const EVAL: &str = "\
prompt: support.intent
dataset: ../datasets/intents.csv
case: id
must_pass: critical
metrics:
  - name: accuracy
    scorer: {type: label, expected: intent}
    margin: 0.05
";

/// The offline model in a process of its own; ends with the value.
struct Model(Child, String);

impl Model {
    fn start() -> Self {
        let mut command = Command::new(PROMPTOPS);
        command.args(["offline-model", "serve", "--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
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

/// Version 1 with its eval of 80 cases, committed on `main`.
fn project() -> Project {
    let project = Project::empty();
    project.write("promptops.toml", "[prompts]\npath = \"prompts\"\n");
    project.write(".gitignore", ".promptops/\n");
    project.write("prompts/support/intent.yaml", PROMPT);
    project.write("evals/intents.yaml", EVAL);
    let mut dataset = "id,message,intent,critical\n".to_owned();
    for index in 0..80 {
        let (message, intent) =
            if index % 2 == 0 { ("about refunds and charges", "billing") } else { ("it crashes with errors", "technical") };
        dataset.push_str(&format!("c{index:02},message {index} {message},{intent},{}\n", index == 3));
    }
    project.write("datasets/intents.csv", dataset);
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.commit("Sort messages");
    project
}

fn gate(project: &Project, more: &[&str]) -> Run {
    project.run([&["gate", "--base", "main"], more].concat())
}

/// Runs the binary and returns its exit code and its document, in which nothing is blotted out.
fn json(project: &Project, arguments: &[&str]) -> (i32, Value) {
    let output = project.promptops(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (output.status.code().unwrap(), document)
}

/// Returns what the gate says about a proposal: its verdict, and the reasons and notes, each on a line.
fn said(project: &Project, more: &[&str]) -> String {
    let (exit, report) = json(project, &[&["gate", "--base", "main", "--format", "json"], more].concat());
    let lines = |name: &str| {
        let list = report[name].as_array().unwrap().iter();
        list.map(|line| format!("{name}: {}\n", line.as_str().unwrap())).collect::<String>()
    };
    format!("{} with {}\n{}{}", report["verdict"].as_str().unwrap(), exit, lines("reasons"), lines("notes"))
}

/// Proposes version 2 with other words and the same meaning.
fn propose(project: &Project) {
    project.replace("prompts/support/intent.yaml", "version: 1", "version: 2\nparent: 1");
    project.replace("prompts/support/intent.yaml", "Only the label.", "The label alone.");
}

/// Swaps what the labels mean, so that every answer is wrong.
fn swap(project: &Project) {
    project.replace("prompts/support/intent.yaml", "billing: invoices, charges, refunds", "billing: this");
    project.replace("prompts/support/intent.yaml", "technical: errors, crashes, login", "technical: invoices, charges, refunds");
    project.replace("prompts/support/intent.yaml", "billing: this", "billing: errors, crashes, login");
}

#[test]
fn a_folder_that_moves_hides_nothing() {
    let project = project();
    project.git(["mv", "prompts", "texts"]);
    project.replace("promptops.toml", "prompts\"", "texts\"");
    assert_eq!(said(&project, &["--replay", "only"]), "passed with 0\n");
    project.replace("texts/support/intent.yaml", "Only the label.", "Any word.");
    let run = gate(&project, &["--replay", "only"]);
    assert_eq!(run.exit, 1, "{run}");
    assert!(run.stdout.contains("error[immutable-version]"), "{run}");
    std::fs::remove_file(project.path("texts/support/intent.yaml")).unwrap();
    let run = gate(&project, &["--replay", "only"]);
    assert!(run.stdout.contains("`support.intent` is removed (`--allow-removal"), "{run}");
    // Nor does a link in the place of the folder.
    project.git(["reset", "--quiet", "--hard"]);
    std::fs::rename(project.path("prompts"), project.path("texts")).unwrap();
    std::os::unix::fs::symlink("texts", project.path("prompts")).unwrap();
    project.replace("texts/support/intent.yaml", "Only the label.", "Any word.");
    assert!(gate(&project, &["--replay", "only"]).stdout.contains("error[immutable-version]"));
}

#[test]
fn a_project_that_moves_is_not_held_against_nothing() {
    let project = project();
    std::fs::create_dir(project.path("desk")).unwrap();
    for name in ["promptops.toml", "prompts", "evals", "datasets"] {
        std::fs::rename(project.path(name), project.path(&format!("desk/{name}"))).unwrap();
    }
    let in_desk = |arguments: &[&str]| {
        let mut command = project.promptops(arguments);
        command.current_dir(project.path("desk"));
        project.finish(command)
    };
    assert_eq!(in_desk(&["check", "--base", "main"]).exit, 1);
    insta::assert_snapshot!(in_desk(&["gate", "--base", "main", "--replay", "only"]), @r"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: the project moved from `.` to `desk` since the base
    hint: keep it where it is: in another folder nothing can be held against its base
    ");
}

#[test]
fn evals_of_prompts_that_stay_as_they_are_are_looked_at() {
    let project = project();
    project.replace("evals/intents.yaml", "margin: 0.05", "margin: 0.99");
    project.replace("evals/intents.yaml", "must_pass: critical\n", "");
    insta::assert_snapshot!(said(&project, &["--replay", "only"]), @r"
    refused with 1
    reasons: evals/intents.yaml: the margin of `accuracy` grows from 0.05 to 0.99 (`--allow-weaker-evals` lets it pass)
    reasons: evals/intents.yaml: no case must pass any more (`--allow-weaker-evals` lets it pass)
    ");
    let allowed = said(&project, &["--replay", "only", "--allow-weaker-evals"]);
    assert!(allowed.starts_with("passed with 0\nnotes: evals/intents.yaml: the margin of `accuracy` grows"), "{allowed}");
    project.write("evals/intents.yaml", "prompt: support.intent\n");
    assert!(said(&project, &["--replay", "only"]).contains("evals/intents.yaml: the eval file cannot be read any more"));
    project.write("evals/intents.yaml", EVAL);
    std::fs::remove_file(project.path("datasets/intents.csv")).unwrap();
    assert!(said(&project, &["--replay", "only"]).contains("the dataset `datasets/intents.csv` is gone (`--allow"));
    project.git(["checkout", "--quiet", "datasets"]);

    // What came with this change would else be what the next one is held to.
    project.replace("datasets/intents.csv", ",true", ",false");
    project.replace("datasets/intents.csv", "id,message,intent,critical\n", "id,message,intent,critical\nd,a refund,billing,\n");
    project.write("evals/recordings/intents.jsonl", "{}\n");
    project.write("prices.json", "{}\n");
    insta::assert_snapshot!(said(&project, &["--replay", "only"]), @r"
    refused with 1
    reasons: 1 case of the dataset `datasets/intents.csv` changed or went away (`--allow-weaker-evals` lets it pass)
    notes: recorded answers in `evals/recordings/intents.jsonl` come with the proposal
    notes: 1 case of the dataset `datasets/intents.csv` came with the proposal
    notes: the prices in `prices.json` are not those at the base
    ");
}

#[test]
fn easy_cases_that_come_with_a_version_hide_no_loss() {
    let (project, model) = (project(), Model::start());
    let rows = |numbers: std::ops::Range<u32>, hard: u32| -> String {
        numbers.fold(String::new(), |rows, number| match number < hard {
            true => format!("{rows}c{number},message {number} it crashes with errors,technical,\n"),
            false => format!("{rows}c{number},message {number} about refunds and charges,billing,\n"),
        })
    };
    let header = "id,message,intent,critical\n";
    project.write("datasets/intents.csv", format!("{header}{}", rows(0..80, 10)));
    project.commit("Another dataset");
    // Version 2 does not know any more what is technical.
    project.replace("prompts/support/intent.yaml", "version: 1", "version: 2\nparent: 1");
    project.replace("prompts/support/intent.yaml", "errors, crashes, login", "unicorns");
    let alone = said(&project, &["--url", &model.1]);
    assert!(alone.starts_with("refused with 1\n") && alone.contains("worse than the parent"), "{alone}");

    project.write("datasets/intents.csv", format!("{header}{}", rows(0..480, 10)));
    insta::assert_snapshot!(said(&project, &["--url", &model.1]), @r"
    refused with 1
    reasons: `support.intent@2`: accuracy: regressed, 100.0% → 97.9%, difference -2.1 [-3.5, -1.2] of 480 cases, margin 5.0 (over the cases of the base alone (-12.5 points of 80 cases): worse than the parent; bring the new cases in a pull request of their own, before the version)
    notes: recorded answers in `evals/recordings/intents.jsonl` come with the proposal
    notes: 400 cases of the dataset `datasets/intents.csv` came with the proposal
    ");
    // Where they came before, they are the base's own, and the margin allows the loss.
    project.git(["stash", "--quiet", "--", "prompts"]);
    project.commit("More cases");
    project.git(["stash", "pop", "--quiet"]);
    let later = said(&project, &["--url", &model.1]);
    assert!(later.starts_with("passed with 0"), "{later}");
}

#[test]
fn a_bar_that_is_lowered_beside_a_change_is_told() {
    let project = project();
    let lowered = |old: &str, new: &str| {
        project.write("evals/intents.yaml", EVAL);
        project.replace("evals/intents.yaml", old, new);
        said(&project, &["--replay", "only"])
    };
    propose(&project);
    let scorer = lowered("{type: label, expected: intent}", "{type: regex, pattern: '.*'}");
    assert!(scorer.starts_with("refused with 1\n"), "{scorer}");
    assert!(scorer.contains("evals/intents.yaml: metric `accuracy` is judged by another scorer (`--allow"), "{scorer}");
    let cases = lowered("must_pass: critical", "must_pass: other");
    assert!(cases.contains("the cases that must pass are those of `other` instead of `critical`"), "{cases}");
    project.write("evals/intents.yaml", EVAL);
    project.replace("prompts/support/intent.yaml", "evals: [evals/intents.yaml]\n", "");
    insta::assert_snapshot!(said(&project, &["--replay", "only"]), @r"
    refused with 1
    reasons: `support.intent` is not measured by `evals/intents.yaml` any more (`--allow-weaker-evals` lets it pass)
    notes: `support.intent@2` names no eval file: how it behaves was not measured
    ");
}

#[test]
fn a_program_that_judges_is_part_of_the_bar() {
    let project = project();
    let eval = "prompt: support.intent\ndataset: ../datasets/intents.csv\nmetrics:\n  - {name: m, margin: 0.1, scorer: {type: command, command: [sh, score.sh]}}\n";
    project.write("evals/intents.yaml", eval);
    project.write("evals/score.sh", "echo '{\"passed\": false}'\n");
    project.commit("Judge by a program");
    assert_eq!(said(&project, &["--replay", "only"]), "passed with 0\n");
    project.write("evals/score.sh", "echo '{\"passed\": true}'\n");
    let changed = said(&project, &["--replay", "only"]);
    assert!(changed.contains("evals/intents.yaml: `score.sh`, by which `m` is judged, is not the one at the base"), "{changed}");
}

#[test]
fn what_cannot_be_compared_does_not_pass() {
    let (project, model) = (project(), Model::start());
    project.replace("evals/intents.yaml", "margin: 0.05", "margin: 0.05\n    minimum: 0.6");
    project.commit("A floor");
    project.replace("prompts/support/intent.yaml", "version: 1", "version: 2\nparent: 1\nbreaking: {2: the message is a text}");
    project.replace("prompts/support/intent.yaml", "  message: {", "  text: {");
    project.replace("prompts/support/intent.yaml", "{{ message }}", "{{ text }}");
    project.replace("datasets/intents.csv", "id,message", "id,text");
    let said = said(&project, &["--url", &model.1, "--allow-weaker-evals"]);
    assert!(said.starts_with("inconclusive with 3\n"), "{said}");
    let reason = "`support.intent@2` was not compared with `support.intent@1`: keep the columns that `support.intent@1` takes in \
                  `datasets/intents.csv`, beside new ones";
    assert!(said.contains(reason), "{said}");
}

#[test]
fn the_providers_of_the_base_are_asked() {
    let (project, model, other) = (project(), Model::start(), Model::start());
    let provider =
        |url: &str| format!("[providers.m]\nkind = \"openai\"\nmodels = [\"*\"]\napi_key_env = \"KEY\"\nurl = \"{url}\"\n");
    project.write("promptops.toml", provider(&model.1));
    project.commit("A provider");
    propose(&project);
    project.write("promptops.toml", provider(&other.1));
    // Nobody answers at the address that the proposal brings.
    drop(other);
    let said = said(&project, &["--replay", "off"]);
    assert_eq!(
        said,
        "passed with 0\nnotes: the providers in `promptops.toml` are not those at the base: those of the base are asked\n"
    );
}

#[test]
fn what_the_base_redacts_is_seen_in_no_report() {
    let (project, model) = (project(), Model::start());
    project.write("promptops.toml", "[recordings]\nredact = [\"technical\"]\n");
    project.commit("Redact");
    project.write("promptops.toml", "");
    propose(&project);
    let (_, report) = json(&project, &["gate", "--base", "main", "--replay", "off", "--url", &model.1, "--format", "json"]);
    let notes = report["reports"][0]["must_pass"]["failed"][0]["note"].as_str().unwrap();
    assert_eq!(notes, "expected `technical`, got no label: `[redacted]`");
}

#[test]
fn a_verdict_over_nothing_is_no_pass() {
    let (project, model) = (project(), Model::start());
    let verdict = |more: &[&str]| {
        let (exit, document) = json(&project, &[&["eval", "--url", &model.1, "--format", "json"], more].concat());
        (exit, document["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdict(&["--base", "main", "--select", "state:modified"]), (0, "nothing-evaluated".to_owned()));
    assert_eq!(verdict(&[]), (0, "no-baseline".to_owned()));
    project.replace("evals/intents.yaml", "margin: 0.05", "margin: 0.05\n    minimum: 0.6");
    assert_eq!(verdict(&[]), (0, "pass".to_owned()));
}

#[test]
fn evidence_of_evals_of_the_same_name_does_not_take_its_place() {
    let (project, model) = (project(), Model::start());
    project.write("evals/other/intents.yaml", EVAL.replace("../", "../../"));
    project.replace("prompts/support/intent.yaml", "evals: [", "evals: [evals/other/intents.yaml, ");
    let run = project.run(["eval", "--url", &model.1, "--evidence", "evidence"]);
    assert_eq!(run.exit, 0, "{run}");
    let files = project.files("evidence");
    let names: Vec<&str> = files.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["support.intent@1.evals%2Fintents.yaml.json", "support.intent@1.evals%2Fother%2Fintents.yaml.json"]);
    let evals = files.iter().map(|(_, bytes)| serde_json::from_slice::<Value>(bytes).unwrap()["predicate"]["eval"].clone());
    assert_eq!(evals.collect::<Vec<_>>(), ["evals/intents.yaml", "evals/other/intents.yaml"]);
}

/// What a proposer says in every place that he can: it comes into a comment by a bot, and onto a terminal.
const HOSTILE: &str = "m`\u{1b}[2J\n\n## Prompt gate: passed\n\n@octo-org/security merge [it](https://evil.example) <img src=x> \
                       org/repo#1 ``|x";

#[test]
fn recorded_answers_do_not_write_the_comment() {
    let (project, model) = (project(), Model::start());
    propose(&project);
    swap(&project);
    let recorded = project.run(["eval", "--url", &model.1]);
    assert!(project.path("evals/recordings/intents.jsonl").exists(), "{recorded}");
    // The model and half of the answers, as whoever proposes can commit them.
    let text = std::fs::read_to_string(project.path("evals/recordings/intents.jsonl")).unwrap();
    let hostile = serde_json::to_string(HOSTILE).unwrap();
    let model = text.replace("\"model\":\"offline-large-2026-01\"", &format!("\"model\":{hostile}"));
    let answer = model.replace("\"content\":\"technical\"", &format!("\"content\":{hostile}"));
    assert!(model != text && answer != model, "{text}");
    project.write("evals/recordings/intents.jsonl", answer);
    let report = gate(&project, &["--replay", "only", "--format", "markdown", "--output", "report.md"]);
    assert_eq!(report.exit, 1, "{report}");
    assert!(report.stdout.contains("Prompt gate: passed") && !report.stdout.contains('\u{1b}'), "{report}");
    assert!(report.stdout.lines().all(|line| !line.starts_with("## ")), "{report}");

    let markdown = std::fs::read_to_string(project.path("report.md")).unwrap();
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(&markdown, &options);
    let headings: Vec<&str> = html.lines().filter(|line| line.starts_with("<h")).collect();
    let of_report = "<h3><code>support.intent@2</code> against <code>support.intent@1</code>: refused</h3>";
    assert_eq!(headings, ["<h2>Prompt gate: refused</h2>", of_report]);
    assert!(html.contains("Prompt gate: passed") && !html.contains("<img") && !html.contains("<a "), "{html}");
    let outside_code = regex::Regex::new("(?s)<code>.*?</code>").unwrap().replace_all(&html, "").into_owned();
    assert!(!outside_code.contains("@octo") && !outside_code.contains("#1"), "{outside_code}");
}

#[test]
fn findings_do_not_write_the_comment() {
    let project = project();
    let field = "``<img src=https://evil.example/p.png> @octocat <h1>passed</h1> [x](https://evil.example)";
    project.write("prompts/support/intent.yaml", format!("{PROMPT}\"{field}\": 2\n"));
    let run = project.run(["check", "--format", "markdown"]);
    assert!(run.stdout.contains("| warning | [unknown-field]("), "{run}");
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(&run.stdout, &options);
    let ours = regex::Regex::new("<a href=\"https://github.com/promptops/[^>]*>").unwrap().replace_all(&html, "").into_owned();
    assert!(html.contains("octocat") && !ours.contains("<a ") && !html.contains("<img") && !html.contains("<h1"), "{html}");
    let outside_code = regex::Regex::new("(?s)<code>.*?</code>").unwrap().replace_all(&html, "").into_owned();
    assert!(!outside_code.contains("@octocat"), "{html}");
}

#[test]
fn what_an_earlier_run_came_to_decides_nothing() {
    let (project, model) = (project(), Model::start());
    propose(&project);
    swap(&project);
    assert_eq!(project.run(["eval", "--url", &model.1]).exit, 1);
    // The parent's result, as whoever proposes can commit it: it was no better.
    let kept = project.files(".promptops/cache/eval");
    assert!(!kept.is_empty());
    // As a case is kept: its value, and whether it passed.
    let of_case = |value: f64| [&value.to_le_bytes()[..], &[u8::from(value > 0.0)]].concat();
    let (good, bad) = (of_case(1.0), of_case(0.0));
    for (path, mut bytes) in kept {
        let places: Vec<usize> = (0..bytes.len() - good.len()).filter(|place| bytes[*place..].starts_with(&good)).collect();
        places.iter().for_each(|place| bytes[*place..place + bad.len()].copy_from_slice(&bad));
        std::fs::write(path, bytes).unwrap();
    }
    project.replace("evals/intents.yaml", "must_pass: critical\n", "");
    // It is used where nothing of the parent is recorded and nobody else could have brought it.
    let recorded = std::fs::read(project.path("evals/recordings/intents.jsonl")).unwrap();
    std::fs::remove_file(project.path("evals/recordings/intents.jsonl")).unwrap();
    let (_, forged) = json(&project, &["eval", "--url", &model.1, "--format", "json"]);
    assert_eq!((&forged["verdict"], &forged["reports"][0]["metrics"][0]["parent"]["estimate"]), (&"pass".into(), &0.0.into()));
    project.write("evals/recordings/intents.jsonl", recorded);
    project.write("evals/intents.yaml", EVAL);
    let said = said(&project, &["--replay", "only"]);
    assert!(said.starts_with("refused with 1\nreasons: `support.intent@2`: accuracy: regressed, 100.0% → 0.0%"), "{said}");

    // In a pipeline neither evals nor checks take what lies there, and leave nothing.
    std::fs::remove_dir_all(project.path(".promptops")).unwrap();
    for arguments in [["eval", "--replay=only"], ["check", "--base=main"], ["gate", "--base=main"]] {
        let mut command = project.promptops(arguments);
        command.env("CI", "true");
        assert_eq!(project.finish(command).exit, i32::from(arguments[0] != "check"));
        assert!(!project.path(".promptops").exists(), "{arguments:?}");
    }
}

/// Runs the script of the action as its step does, and returns its exit code, its log and its outputs.
fn step(project: &Project, variables: &[(&str, &str)]) -> (i32, String, String) {
    let surroundings = project.promptops::<&str>([]);
    let mut command = Command::new("sh");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../action/gate.sh")).current_dir(project.root()).env_clear();
    for (name, value) in surroundings.get_envs() {
        command.env(name, value.unwrap());
    }
    let files = tempfile::tempdir().unwrap();
    let (outputs, summary) = (files.path().join("outputs"), files.path().join("summary"));
    command.env("GITHUB_OUTPUT", &outputs).env("GITHUB_STEP_SUMMARY", &summary).env("RUNNER_TEMP", files.path());
    command.env("PROMPTOPS", PROMPTOPS).env("WORKING_DIRECTORY", ".").env("REPLAY", "only").env("ARGUMENTS", "");
    command.env("SARIF", "false").env("BASE", "").env("DEFAULT_BRANCH", "main").envs(variables.iter().copied());
    let output = command.output().unwrap();
    let log = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    (output.status.code().unwrap(), log, format!("{}{}", read(&outputs), read(&summary)))
}

/// Gives a project an `origin`, which has all that is committed.
fn with_origin(project: &Project) {
    project.write(".gitignore", ".promptops/\norigin.git/\n");
    project.commit("Leave out the origin");
    project.git(["clone", "--quiet", "--bare", ".", "origin.git"]);
    project.git(["remote", "add", "origin", "origin.git"]);
}

#[test]
fn the_action_holds_no_commit_against_itself() {
    let project = project();
    with_origin(&project);
    let none = "0000000000000000000000000000000000000000";
    for base in ["", none] {
        let (exit, log, outputs) = step(&project, &[("BASE", base)]);
        assert_eq!(exit, 0, "{log}");
        assert!(log.contains("::error::this event states no base"), "{log}");
        assert!(outputs.starts_with("exit-code=2\nverdict=failed\n"), "{outputs}");
        assert!(outputs.contains("## Prompt gate: failed") && outputs.contains("\n    error: there is no base"), "{outputs}");
    }
    // A first push of a branch, which takes a case out, is held against the default branch.
    project.git(["checkout", "--quiet", "-b", "proposal"]);
    project.replace("datasets/intents.csv", "c00,", "c0,");
    project.commit("Change a case");
    let (_, log, outputs) = step(&project, &[("BASE", none)]);
    assert!(outputs.starts_with("exit-code=1\nverdict=refused\n"), "{outputs}{log}");
    assert!(outputs.contains("1 case of the dataset `datasets/intents.csv` changed or went away"), "{outputs}");
    let (_, log, outputs) = step(&project, &[("BASE", none), ("DEFAULT_BRANCH", "no-such-branch")]);
    assert!(outputs.starts_with("exit-code=2\nverdict=failed\n"), "{outputs}{log}");
}

#[test]
fn the_runner_obeys_nothing_that_a_case_is_called() {
    let (project, model) = (project(), Model::start());
    project.replace("datasets/intents.csv", "c03,", "::stop-commands::t0,");
    with_origin(&project);
    propose(&project);
    swap(&project);
    let arguments = format!("--url {}", model.1);
    let (_, log, outputs) = step(&project, &[("BASE", "main"), ("REPLAY", "off"), ("ARGUMENTS", &arguments)]);
    assert!(outputs.starts_with("exit-code=1\n"), "{outputs}{log}");
    let lines: Vec<&str> = log.lines().map(str::trim_start).collect();
    let first = lines.iter().position(|line| line.starts_with("::")).unwrap();
    let word = lines[first].strip_prefix("::stop-commands::").unwrap();
    assert!(word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()), "{log}");
    let last = lines.iter().position(|line| *line == format!("::{word}::")).unwrap();
    let named = lines.iter().position(|line| line.starts_with("::stop-commands::t0")).unwrap();
    assert!(first < named && named < last, "{log}");
}

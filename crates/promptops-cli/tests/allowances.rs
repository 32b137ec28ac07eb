//! What a project lets pass: levels of checks, suppressions, and a baseline.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{GREETING, Project};

/// A prompt with two findings: an alias as model, and an input that nothing uses.
const LEGACY: &str = "\
id: legacy
version: 1
owner: support-team
model: gpt-4o
tags: [support]
inputs:
  name: {type: string}
template: |
  Write one warm sentence.
";

fn legacy() -> Project {
    let project = Project::new();
    project.write("prompts/legacy.yaml", LEGACY);
    project
}

fn last_line(run: &support::Run) -> String {
    format!("{} {}", run.exit, run.stdout.lines().last().unwrap_or_default())
}

#[test]
fn a_project_sets_how_much_a_check_matters() {
    let project = legacy();
    project.write("promptops.toml", "[checks]\nfloating-model = \"error\"\nunused-input = \"note\"\n");
    assert_eq!(last_line(&project.run(["check"])), "1 2 prompts checked: 1 error, 1 note");
    project.write("promptops.toml", "[checks]\nfloating-model = \"off\"\nunused-input = \"note\"\n");
    assert_eq!(last_line(&project.run(["check", "--deny-warnings"])), "0 2 prompts checked: 1 note");
}

#[test]
fn a_wrong_level_is_an_error_with_its_place() {
    let project = legacy();
    let run = |text: &str| {
        project.write("promptops.toml", text);
        project.run(["check"])
    };
    assert_snapshot!(run("[prompts]\n\n[checks]\nsecrets = \"off\"\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 4, column 1
      |
    4 | secrets = "off"
      | ^^^^^^^
    there is no check `secrets`: did you mean `secret`?
    "#);
    assert_snapshot!(run("[checks]\nsecret = \"fatal\"\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 2, column 10
      |
    2 | secret = "fatal"
      |          ^^^^^^^
    unknown variant `fatal`, expected one of `off`, `note`, `warning`, `error`
    "#);
    assert_snapshot!(run("[checks]\nmissing-field = \"warning\"\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 2, column 17
      |
    2 | missing-field = "warning"
      |                 ^^^^^^^^^
    `missing-field` cannot be lowered: a baseline lets what is there already pass
    "#);
    assert_eq!(run("[checks]\nmissing-field = \"error\"\n").exit, 0);
}

#[test]
fn a_comment_with_a_reason_lets_a_finding_pass() {
    let project = legacy();
    project.replace(
        "prompts/legacy.yaml",
        "model: gpt-4o\n",
        "model: gpt-4o  # promptops: allow floating-model -- the demo shows the newest model\n",
    );
    project.replace(
        "prompts/legacy.yaml",
        "inputs:\n",
        "# promptops: allow unused-input -- callers send it for the log\ninputs:\n",
    );
    assert_snapshot!(project.run(["check", "--deny-warnings"]), @r#"
    exit: 0
    ----- stdout -----
    2 prompts checked: no findings (2 suppressed)
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["check", "--format", "json"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "files": 2,
      "findings": [],
      "suppressed": [
        {
          "check": "floating-model",
          "message": "the model name `gpt-4o` is an alias that can change",
          "place": {
            "path": "prompts/legacy.yaml",
            "line": 4,
            "column": 8,
            "start_byte": 49,
            "end_byte": 55
          },
          "reason": "the demo shows the newest model"
        },
        {
          "check": "unused-input",
          "message": "the input `name` is never used",
          "place": {
            "path": "prompts/legacy.yaml",
            "line": 8,
            "column": 3,
            "start_byte": 215,
            "end_byte": 219
          },
          "reason": "callers send it for the log"
        }
      ]
    }
    ----- stderr -----
    "#);
    // A warm cache knows the comments, too.
    assert_eq!(last_line(&project.run(["check"])), "0 2 prompts checked: no findings (2 suppressed)");
}

#[test]
fn a_comment_that_nothing_needs_is_found() {
    let project = Project::new();
    project.replace(
        "prompts/support/greeting.yaml",
        "owner:",
        "# promptops: allow immutable-version -- not here\n# promptops: allow secret, incompatible-change -- not any more\nowner:",
    );
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[suppression-form]: `immutable-version` cannot be suppressed
     --> prompts/support/greeting.yaml:3:1
      |
    3 | # promptops: allow immutable-version -- not here
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
    help: write `# promptops: allow CHECK -- reason`, with commas between several checks

    warning[unused-suppression]: there is no finding of `secret` here to suppress
     --> prompts/support/greeting.yaml:4:1
      |
    4 | # promptops: allow secret, incompatible-change -- not any more
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 prompt checked: 1 error, 1 warning
    ----- stderr -----
    "#);
    project.run(["check", "--fix"]);
    let text = std::fs::read_to_string(project.path("prompts/support/greeting.yaml")).unwrap();
    assert!(text.contains("# promptops: allow incompatible-change -- not any more\nowner:"), "{text}");
}

#[test]
fn a_baseline_lets_what_is_there_pass_and_nothing_new() {
    let project = legacy();
    assert_snapshot!(project.run(["check", "--write-baseline"]), @r#"
    exit: 0
    ----- stdout -----
    2 findings written to `[PROJECT]/promptops-baseline.json`: from now on only others are refused
    ----- stderr -----
    "#);
    assert_snapshot!(std::fs::read_to_string(project.path("promptops-baseline.json")).unwrap(), @r#"
    {
      "version": 1,
      "findings": [
        {
          "check": "floating-model",
          "path": "prompts/legacy.yaml",
          "message": "the model name `gpt-4o` is an alias that can change",
          "fingerprint": "783bf9a8d3bcc36ebd53dddb:1"
        },
        {
          "check": "unused-input",
          "path": "prompts/legacy.yaml",
          "message": "the input `name` is never used",
          "fingerprint": "39dd4e4895c577bb4f3e08f2:1"
        }
      ]
    }
    "#);
    assert_eq!(last_line(&project.run(["check", "--deny-warnings"])), "0 2 prompts checked: no findings (2 in the baseline)");
    assert_eq!(last_line(&project.run(["check", "--no-baseline"])), "0 2 prompts checked: 2 warnings");

    // Lines move, one finding is mended, another is new.
    project.replace("prompts/legacy.yaml", "model: gpt-4o\n", "purpose: Greet\n\nmodel: gpt-4o\n");
    project.replace("prompts/legacy.yaml", "sentence.", "sentence to {{ name }}.");
    project.replace("prompts/support/greeting.yaml", "gpt-4o-2024-08-06", "gpt-4.1");
    assert_snapshot!(project.run(["check", "--deny-warnings"]), @r#"
    exit: 1
    ----- stdout -----
    warning[floating-model]: the model name `gpt-4.1` is an alias that can change
     --> prompts/support/greeting.yaml:4:8
      |
    4 | model: gpt-4.1
      |        ^^^^^^^
      |
    help: name the dated snapshot, so that a change of model is a change of version

    gone since the baseline was written; `promptops check --write-baseline` takes them out of it:
      prompts/legacy.yaml[unused-input]: the input `name` is never used

    2 prompts checked: 1 warning (1 in the baseline)
    ----- stderr -----
    "#);
    let json = project.run(["check", "--format", "json"]).stdout;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["baseline"]["known"], 1);
    assert_eq!(document["baseline"]["vanished"][0]["check"], "unused-input");

    project.run(["check", "--write-baseline"]);
    assert_eq!(last_line(&project.run(["check"])), "0 2 prompts checked: no findings (2 in the baseline)");
}

#[test]
fn a_baseline_of_another_name_and_one_that_is_wrong() {
    let project = legacy();
    assert_eq!(project.run(["check", "--write-baseline", "--baseline", "known.json"]).exit, 0);
    assert!(!project.path("promptops-baseline.json").exists());
    assert_eq!(
        last_line(&project.run(["check", "--baseline", "known.json"])),
        "0 2 prompts checked: no findings (2 in the baseline)"
    );
    assert_snapshot!(project.run(["check", "--baseline", "lost.json"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read the baseline `[PROJECT]/lost.json`
      cause: No such file or directory (os error [N])
    hint: check the path
    "#);
    project.write("promptops-baseline.json", "{\"version\": 2, \"findings\": []}");
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the baseline `[PROJECT]/promptops-baseline.json` is not valid: its version is 2, and this program knows 1
    hint: write it anew with `promptops check --write-baseline`
    "#);
    project.write("promptops-baseline.json", "[]");
    assert_eq!(project.run(["check"]).exit, 2);
}

#[test]
fn a_secret_in_the_baseline_cannot_be_guessed_from_it() {
    let baseline = |secret: &str| {
        let project = Project::new();
        project.write(
            "prompts/support/greeting.yaml",
            GREETING.replace("Write", &format!("postgres://admin:{secret}@db/prod Write")),
        );
        assert_eq!(project.run(["check", "--write-baseline"]).exit, 0);
        std::fs::read_to_string(project.path("promptops-baseline.json")).unwrap()
    };
    assert!(!baseline("tr0ub4dor").contains("tr0ub4dor"));
    assert_eq!(baseline("tr0ub4dor"), baseline("p4ssw0rds"), "two secrets of the same length look the same");
}

#[test]
fn a_change_cannot_lower_the_bar_unseen() {
    let project = Project::committed();
    project.write("prompts/legacy.yaml", LEGACY);
    project.write("promptops.toml", "[checks]\nfloating-model = \"off\"\n");
    project.run(["check", "--write-baseline"]);
    project.replace("prompts/support/greeting.yaml", "owner:", "# promptops: allow secret -- none here yet\nowner:");
    assert_snapshot!(project.run(["gate", "--base", "HEAD"]), @r#"
    exit: 1
    ----- stdout -----
    warning[unused-suppression]: there is no finding of `secret` here to suppress
     --> prompts/support/greeting.yaml:3:1
      |
    3 | # promptops: allow secret -- none here yet
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    gate against HEAD
      2 prompts checked: 0 errors, 1 warning
      legacy@1 (new): compatible
        compatible text: the prompt is new

    note: `legacy@1` names no eval file: how it behaves was not measured

    gate refused
      the check `floating-model` falls from warning to off (`--allow-weaker-checks` lets it pass)
      the baseline of the checks lets 1 more finding pass (`--allow-weaker-checks` lets it pass)
    ----- stderr -----
    "#);
    let allowed = project.run(["gate", "--base", "HEAD", "--allow-weaker-checks"]);
    assert!(allowed.stdout.contains("falls from warning to off (allowed)"), "{allowed}");
}

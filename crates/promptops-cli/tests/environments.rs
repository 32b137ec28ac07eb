//! Environments and the life of a version: what is planned and how it is shown, what two environments pin differently, and
//! what becomes of a version that is withdrawn.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{Project, Run};

const CONFIG: &str = r#"
[environments.staging]
[environments.prod]
protected = true
[[policy.sensitive]]
tags = ["refunds"]
groups = ["support"]
[policy.withdrawn]
force = ["staging"]
# The third version of the tests breaks its callers, which others hold to account.
[policy.compatibility]
default = "none"
"#;

const TONE: &str = "id: shared.tone\nversion: 1\nowner: support\nmodel: m\ntags: [shared]\ntemplate: Be kind.\n";

const REPLY: &str = r#"id: support.reply
version: 1
owner: support
model: m
tags: [reply]
inputs: {message: {type: string}}
template: |
  {% include "shared.tone@1" %}
  You answer messages of customers.

  Rules:
    - never promise a refund
    - be brief
    - name the order

  Message:
  {{ message }}
"#;

/// Two prompts, published, one of them in three versions of which the third breaks its callers.
fn published() -> Project {
    let project = Project::empty();
    project.write("promptops.toml", CONFIG);
    project.write("owners.yaml", "people:\n  ada: {email: ada@example.com}\nteams:\n  support: {members: [ada]}\n");
    project.write(".gitignore", ".promptops/\n*.json\n*.lock\n*.bundle\n");
    project.write("prompts/shared/tone.yaml", TONE);
    project.write("prompts/support/reply.yaml", REPLY);
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.commit("Reply");
    let file = "prompts/support/reply.yaml";
    project.replace(file, "version: 1", "version: 2\nparent: 1");
    project.replace(file, "be brief", "be very brief");
    project.commit("Be brief");
    project.replace(file, "version: 2\nparent: 1", "version: 3\nparent: 2");
    project.replace(file, "{type: string}}", "{type: string}, order: {type: string}}");
    project.replace(file, "name the order", "name the order {{ order }}");
    project.commit("Name the order");
    well(&project, &["registry", "init"]);
    well(&project, &["publish"]);
    project
}

/// Runs the binary; times and digests are redacted, and which rules hold is not said again.
fn run(project: &Project, arguments: &[&str]) -> Run {
    let redactions = project
        .redactions()
        .pattern(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[WHEN]")
        .pattern(r"sha256:[0-9a-f]{64}", "[DIGEST]")
        .pattern(r"(?m)^rules: .*\n", "");
    Run::new(project.promptops(arguments).output().unwrap(), &redactions)
}

/// Runs the binary, which must end with 0, and returns the answer.
fn well(project: &Project, arguments: &[&str]) -> String {
    let run = run(project, arguments);
    assert_eq!(run.exit, 0, "{arguments:?}: {run}");
    run.stdout
}

fn json(project: &Project, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&well(project, arguments)).unwrap()
}

fn stage(project: &Project, version: &str) {
    well(project, &["plan", "--env", "staging", version, "--out", "plan.json"]);
    well(project, &["deploy", "plan.json"]);
}

#[test]
fn a_plan_has_three_verbosities() {
    let project = published();
    stage(&project, "support.reply@1");
    stage(&project, "shared.tone");
    let plan = ["plan", "--env", "staging"];
    assert_snapshot!(run(&project, &[&plan[..], &["--summary"]].concat()), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from release 2: 0 added, 1 changed (1 breaking), 0 removed
      ~ support.reply@1 → @3  breaking
    Nothing is missing: this can be deployed.
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &plan), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from release 2

      ~ support.reply@1 → @3  breaking
        behavioural text: the wording changed
        breaking    inputs: required variable `order` added

        … 3 lines alike
        Rules:
          - never promise a refund
          - be {+very +}brief
          - name the order{+ {{ order }}+}

        Message:
        {{ message }}

    0 added, 1 changed (1 breaking), 0 removed
    Nothing is missing: this can be deployed.
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &[&plan[..], &["--full"]].concat()), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from release 2

      ~ support.reply@1 → @3  breaking
        behavioural text: the wording changed
        breaking    inputs: required variable `order` added
        @1  [DIGEST]
          by ada@example.com, published [WHEN] by ada@example.com from [COMMIT]
        @3  [DIGEST]
          by ada@example.com, published [WHEN] by ada@example.com from [COMMIT]

        {% include "shared.tone@1" %}
        You answer messages of customers.

        Rules:
          - never promise a refund
          - be {+very +}brief
          - name the order{+ {{ order }}+}

        Message:
        {{ message }}

      unchanged: 1
        shared.tone@1

    0 added, 1 changed (1 breaking), 0 removed
    Nothing is missing: this can be deployed.
    ----- stderr -----
    "#);
    let both = run(&project, &[&plan[..], &["--full", "--summary"]].concat());
    assert!(both.exit == 2 && both.stderr.contains("cannot be used with"), "{both}");
    stage(&project, "support.reply@3");
    assert_snapshot!(run(&project, &plan), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from release 3
      nothing to change: the environment is as wanted
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &[&plan[..], &["--summary"]].concat()), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from release 3: nothing to change
    ----- stderr -----
    "#);
}

#[test]
fn a_plan_explains_itself() {
    let project = published();
    project.replace("prompts/support/reply.yaml", "version: 3\nparent: 2", "version: 4\nparent: 3");
    project.replace("prompts/support/reply.yaml", "tags: [reply]", "tags: [reply, refunds]\nevals: [evals/reply.yaml]");
    project.replace("promptops.toml", "protected = true", "protected = true\nevidence = [\"eval\"]");
    project.commit("Say that it is about refunds");
    well(&project, &["publish"]);
    well(&project, &["deprecate", "shared.tone@1", "--date", "2999-01-01", "--reason", "too kind"]);
    assert_snapshot!(run(&project, &["plan", "--env", "prod", "support.reply", "--explain", "--no-text"]), @r#"
    exit: 0
    ----- stdout -----
    Plan for prod from nothing deployed

      + support.reply@4
          because the latest version of support.reply was asked for, which is support.reply@4; prod does not run the prompt
        ✗ a passing run of `evals/reply.yaml`
          because `environments.prod.evidence` names `eval`, and the version names this eval file
        ✗ approval of `support`
          because `environments.prod` is protected, and `policy.sensitive` covers the tag `refunds`
        ! `shared.tone@1` is deprecated and must not be used from 2999-01-01 on (too kind)
          because its day has not come, so it may be deployed

    1 added, 0 changed, 0 removed
    A deploy would be refused: 2 demands are not met.
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["plan", "--env", "prod", "--summary"]), @r#"
    exit: 0
    ----- stdout -----
    Plan for prod from nothing deployed: 2 added, 0 changed, 0 removed
      ✗ support.reply@4: a passing run of `evals/reply.yaml` is missing
      ✗ support.reply@4: approval of `support` is missing
    A deploy would be refused: 2 demands are not met.
    ----- stderr -----
    "#);
    let plan = json(&project, &["plan", "--env", "prod", "support.reply", "--format", "json"]);
    let because = plan["changes"][0]["demands"][0]["because"].as_str().unwrap();
    assert_eq!(
        because, "`environments.prod.evidence` names `eval`, and the version names this eval file",
        "JSON holds the reasons"
    );
    assert_eq!(plan["changes"][0]["statuses"][0]["status"]["state"], "deprecated");
    assert_eq!(plan["changes"][0]["statuses"][0]["is_refused"], false);
}

#[test]
fn the_exit_code_tells_whether_there_is_something_to_do() {
    let project = published();
    let exit = |arguments: &[&str]| run(&project, &[arguments, &["--detailed-exitcode"]].concat()).exit;
    let plan = ["plan", "--env", "staging", "support.reply@1"];
    assert_eq!(run(&project, &plan).exit, 0, "nothing changes for who does not ask");
    assert_eq!(exit(&[&plan[..], &["--out", "some.json"]].concat()), 2);
    assert_eq!(exit(&["deploy", "some.json", "--dry-run"]), 2);
    assert_eq!(exit(&["deploy", "some.json"]), 2);
    assert_eq!(exit(&["deploy", "some.json"]), 0, "it was done before");
    assert_eq!(exit(&[&plan[..], &["--out", "none.json"]].concat()), 0);
    assert_eq!(exit(&["deploy", "none.json", "--dry-run"]), 0, "a saved plan that changes nothing is told from one that does");
    assert_eq!(exit(&["environment", "diff", "staging", "staging@1"]), 0);
    stage(&project, "support.reply@2");
    assert_eq!(exit(&["environment", "diff", "staging", "staging@1"]), 2);

    // What is wrong never looks as if there were something to do.
    assert_eq!(exit(&["plan", "--env", "staging", "--nonsense"]), 1);
    assert_eq!(exit(&["plan"]), 1);
    assert_eq!(exit(&["plan", "--env", "staging", "support.reply@1", "support.reply@2"]), 1);
    assert_eq!(run(&project, &["plan", "--env", "staging", "support.reply@1", "support.reply@2"]).exit, 2);
    assert_eq!(exit(&["plan", "--env", "prd"]), 4);
    assert_eq!(exit(&["deploy", "none.json", "--dry-run", "--env", "staging"]), 1);
    project.write("broken.json", "{");
    assert_eq!(exit(&["deploy", "broken.json"]), 1);
    assert_eq!(exit(&["deploy", "some.json"]), 5, "it starts from nothing deployed");
    assert_eq!(exit(&["plan", "--help"]), 0);
}

#[test]
fn environments_and_releases_are_compared() {
    let project = published();
    stage(&project, "support.reply@3");
    well(&project, &["plan", "--env", "prod", "support.reply@1", "shared.tone@1", "--out", "plan.json"]);
    well(&project, &["deploy", "plan.json"]);
    assert_snapshot!(run(&project, &["environment", "diff", "prod", "staging"]), @r#"
    exit: 0
    ----- stdout -----
    prod@1 → staging@1

      - shared.tone@1

      ~ support.reply@1 → @3  breaking
        behavioural text: the wording changed
        breaking    inputs: required variable `order` added

        … 3 lines alike
        Rules:
          - never promise a refund
          - be {+very +}brief
          - name the order{+ {{ order }}+}

        Message:
        {{ message }}

    0 added, 1 changed (1 breaking), 1 removed
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["environment", "diff", "staging", "prod@1", "--summary"]), @r#"
    exit: 0
    ----- stdout -----
    staging@1 → prod@1: 1 added, 1 changed (1 breaking), 0 removed
      ~ support.reply@3 → @1  breaking
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["environment", "diff", "prod@1", "prod"]), @r#"
    exit: 0
    ----- stdout -----
    prod@1 → prod@1: no difference
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["environment", "diff", "prod", "staging", "--format", "json"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "from": {
        "environment": "prod",
        "release": 1,
        "time": "[WHEN]"
      },
      "to": {
        "environment": "staging",
        "release": 1,
        "time": "[WHEN]"
      },
      "changes": [
        {
          "id": "shared.tone",
          "action": "removed",
          "from": {
            "version": 1,
            "digest": "[DIGEST]",
            "record": "[DIGEST]"
          },
          "differences": []
        },
        {
          "id": "support.reply",
          "action": "changed",
          "from": {
            "version": 1,
            "digest": "[DIGEST]",
            "record": "[DIGEST]"
          },
          "to": {
            "version": 3,
            "digest": "[DIGEST]",
            "record": "[DIGEST]"
          },
          "differences": [
            {
              "part": "text",
              "class": "behavioural",
              "reason": "the wording changed",
              "rule": "text-changed",
              "node": "text"
            },
            {
              "part": "inputs",
              "class": "breaking",
              "reason": "required variable `order` added",
              "rule": "required-variable-added",
              "node": "inputs.order"
            }
          ]
        }
      ]
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["environment", "diff", "prod", "elsewhere"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: nothing is deployed to environment `elsewhere`
    hint: run `promptops plan`, then `promptops deploy`
    "#);
    assert_snapshot!(run(&project, &["environment", "diff", "prod@7", "staging"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: environment `prod` has no release `7`
    hint: run `promptops environment history` to see its releases
    "#);
    assert_snapshot!(run(&project, &["environment", "diff", "prod@x", "staging"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'prod@x' for '<ENVIRONMENT[@RELEASE]>': a release is named as `prod@3`, or as `prod` for the one that is live; got `prod@x`

    For more information, try '--help'.
    "#);

    assert_snapshot!(run(&project, &["environment", "list"]), @r#"
    exit: 0
    ----- stdout -----
    environment  release  since                 prompts  by
    prod               1  [WHEN]        2  ada@example.com
    staging            1  [WHEN]        1  ada@example.com
    ----- stderr -----
    "#);
    let list = json(&project, &["environment", "list", "--format", "json"]);
    assert_eq!((&list["version"], &list["environments"][0]["name"]), (&1.into(), &"prod".into()));
    assert_eq!((&list["environments"][0]["release"], &list["environments"][0]["prompts"]), (&1.into(), &2.into()));
    assert_snapshot!(run(&project, &["at", "--env", "prod", "2999-01-01", "shared.tone"]), @r#"
    exit: 0
    ----- stdout -----
       1  [WHEN]  deploy  ada@example.com
          shared.tone@1  [DIGEST]
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["at", "--env", "staging", "2999-01-01", "shared.tone"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: release 1 of `staging` has no prompt `shared.tone`
    hint: leave the prompt out to see what was live
    "#);
}

#[test]
fn a_live_version_is_not_yanked() {
    let project = published();
    stage(&project, "support.reply@1");
    well(&project, &["plan", "--env", "prod", "support.reply@1", "--out", "plan.json"]);
    well(&project, &["deploy", "plan.json"]);
    let yank = ["yank", "shared.tone@1", "--reason", "too kind"];
    assert_snapshot!(run(&project, &yank), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: `shared.tone@1` cannot be withdrawn, since it is live in `prod` (with `support.reply@1`), `staging` (with `support.reply@1`)
    hint: deploy another version there first; `--force` withdraws it where `policy.withdrawn.force` allows that
    "#);
    let forced = [&yank[..], &["--force"]].concat();
    assert_eq!(run(&project, &forced).exit, 1, "prod does not allow it");
    assert_snapshot!(run(&project, &["deprecate", "support.reply@1", "--date", "2026-01-01", "--reason", "long"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: `support.reply@1` cannot be withdrawn, since it is live in `prod`, `staging`
    hint: deploy another version there first; `--force` withdraws it where `policy.withdrawn.force` allows that
    "#);
    well(&project, &["plan", "--env", "prod", "--remove", "support.reply", "--out", "plan.json"]);
    well(&project, &["deploy", "plan.json"]);
    assert_snapshot!(run(&project, &yank), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: `shared.tone@1` cannot be withdrawn, since it is live in `staging` (with `support.reply@1`)
    hint: deploy another version there first; the policy also lets you repeat this with `--force`
    "#);
    assert_snapshot!(run(&project, &[&forced[..], &["--dry-run"]].concat()), @r#"
    exit: 0
    ----- stdout -----
    would yank: shared.tone@1 is withdrawn, and still loads for those who pin it (too kind)
    nothing was yanked (--dry-run)
    ----- stderr -----
    warning: staging (with support.reply@1) runs it on, until another version is deployed there
    "#);
    assert_snapshot!(run(&project, &forced), @r#"
    exit: 0
    ----- stdout -----
    yanked: shared.tone@1 is withdrawn, and still loads for those who pin it (too kind)
    ----- stderr -----
    warning: staging (with support.reply@1) runs it on, until another version is deployed there
    "#);
    assert_eq!(well(&project, &forced), "nothing changed: `shared.tone@1` is yanked (too kind)\n");
    assert!(well(&project, &["audit", "list"]).contains("shared.tone@1  forced=staging  reason=too kind"));
    assert!(well(&project, &["registry", "verify"]).starts_with("sound: "));
}

#[test]
fn a_withdrawn_version_stays_where_it_is_and_comes_nowhere_new() {
    let project = published();
    stage(&project, "support.reply@1");
    well(&project, &["lock", "support.reply@1", "--out", "old.lock"]);
    well(&project, &["plan", "--env", "prod", "support.reply@1", "--out", "prod.json"]);
    stage(&project, "support.reply@2");
    assert_snapshot!(run(&project, &["yank", "support.reply@1", "--reason", "it invents refunds", "--dry-run"]), @r#"
    exit: 0
    ----- stdout -----
    would yank: support.reply@1 is withdrawn, and still loads for those who pin it (it invents refunds)
    nothing was yanked (--dry-run)
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["yank", "support.reply@1", "--reason", "it invents refunds"]), @r#"
    exit: 0
    ----- stdout -----
    yanked: support.reply@1 is withdrawn, and still loads for those who pin it (it invents refunds)
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["plan", "--env", "prod", "support.reply@1", "--explain"]), @r#"
    exit: 0
    ----- stdout -----
    Plan for prod from nothing deployed

      + support.reply@1
          because support.reply@1 was asked for; prod does not run the prompt
        ✗ `support.reply@1` is yanked (it invents refunds)
          because it is withdrawn, and prod does not run it yet

    1 added, 0 changed, 0 removed
    A deploy would be refused: 1 version is withdrawn.
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["deploy", "prod.json", "--summary"]), @r#"
    exit: 1
    ----- stdout -----
    Plan for prod from nothing deployed: 1 added, 0 changed, 0 removed
    ----- stderr -----
    error: environment `prod` cannot pin what is withdrawn:
      - `support.reply@1` is yanked (it invents refunds)
    hint: choose another version; `--force` takes it where `policy.withdrawn.force` allows that
    "#);
    assert_snapshot!(run(&project, &["deploy", "prod.json", "--summary", "--force"]), @r#"
    exit: 1
    ----- stdout -----
    Plan for prod from nothing deployed: 1 added, 0 changed, 0 removed
    ----- stderr -----
    error: environment `prod` cannot pin what is withdrawn:
      - `support.reply@1` is yanked (it invents refunds)
    hint: choose another version; `--force` takes it where `policy.withdrawn.force` allows that
    "#);
    assert_snapshot!(run(&project, &["rollback", "--env", "staging"]), @r#"
    exit: 1
    ----- stdout -----
    staging: from release 2 to the pins of release 1
      ~ support.reply @2 → @1  behavioural
    ----- stderr -----
    warning: `support.reply@1` is yanked (it invents refunds)
    error: environment `staging` cannot pin what is withdrawn:
      - `support.reply@1` is yanked (it invents refunds)
    hint: choose another version; `--force` takes it where `policy.withdrawn.force` allows that
    "#);
    assert_snapshot!(run(&project, &["lock", "support.reply@1"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: a lock cannot pin what is withdrawn:
      - `support.reply@1` is yanked (it invents refunds)
    hint: choose another version; `--force` takes it where `policy.withdrawn.force` allows that
    "#);
    assert_snapshot!(run(&project, &["lock", "support.reply@1", "--force"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: a lock cannot pin what is withdrawn:
      - `support.reply@1` is yanked (it invents refunds)
    hint: choose another version; `--force` takes it where `policy.withdrawn.force` allows that
    "#);
    assert_snapshot!(run(&project, &["lock", "support.reply@1", "--out", "old.lock"]), @r#"
    exit: 0
    ----- stdout -----
    locked 1 prompt in old.lock
    ----- stderr -----
    warning: `support.reply@1` is yanked (it invents refunds)
    "#);
    assert_snapshot!(run(&project, &["bundle", "old.lock"]), @r#"
    exit: 0
    ----- stdout -----
    bundled 1 prompt in prompts.bundle  [DIGEST]
    ----- stderr -----
    warning: `support.reply@1` is yanked (it invents refunds)
    "#);
    let shown = run(&project, &["show", "support.reply@1"]);
    assert!(shown.exit == 0 && shown.stdout == REPLY, "{shown}");
    assert!(shown.stderr.ends_with("warning: `support.reply@1` is yanked (it invents refunds)\n"), "{shown}");

    // Where policy allows it and somebody insists, it runs, and everything says so.
    assert_snapshot!(run(&project, &["rollback", "--env", "staging", "--force", "--reason", "reply 2 is worse"]), @r#"
    exit: 0
    ----- stdout -----
    staging: from release 2 to the pins of release 1
      ~ support.reply @2 → @1  behavioural
    rolled back: staging is at release 3, forced to run support.reply@1
    ----- stderr -----
    warning: `support.reply@1` is yanked (it invents refunds)
    "#);
    assert_snapshot!(run(&project, &["environment", "history", "--env", "staging"]), @r#"
    exit: 0
    ----- stdout -----
       1  [WHEN]  deploy  ada@example.com
       2  [WHEN]  deploy  ada@example.com
       3  [WHEN]  rollback to 1  ada@example.com, forced to run support.reply@1  reply 2 is worse
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["lock", "--env", "staging"]), @r#"
    exit: 0
    ----- stdout -----
    locked 1 prompt of release 3 of staging in promptops.lock
    ----- stderr -----
    warning: `support.reply@1` is yanked (it invents refunds)
    "#);
    assert!(well(&project, &["audit", "list"]).contains("pins_of=1  forced=support.reply@1  reason=reply 2 is worse"));
    assert_snapshot!(run(&project, &["yank", "support.reply@1", "--undo", "--reason", "it was reply 2"]), @r#"
    exit: 0
    ----- stdout -----
    taken back: support.reply@1 is in use again (it was reply 2)
    ----- stderr -----
    "#);
    assert_eq!(run(&project, &["lock", "--env", "staging"]).stderr, "");
    stage(&project, "shared.tone");
    assert_snapshot!(run(&project, &["environment", "history", "support.reply", "--env", "staging"]), @r#"
    exit: 0
    ----- stdout -----
       1  [WHEN]  deploy  ada@example.com
          support.reply - → @1
       2  [WHEN]  deploy  ada@example.com
          support.reply @1 → @2
       3  [WHEN]  rollback to 1  ada@example.com, forced to run support.reply@1  reply 2 is worse
          support.reply @2 → @1
    ----- stderr -----
    "#);
    let moves = well(&project, &["environment", "history", "shared.tone", "--env", "staging", "--json"]);
    let moved: serde_json::Value = serde_json::from_str(&moves).unwrap();
    assert_eq!((&moved["version"], &moved["release"]["sequence"], &moved["to"]["version"]), (&1.into(), &4.into(), &1.into()));
    assert_snapshot!(run(&project, &["environment", "history", "no.such", "--env", "staging"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no release of `staging` ever had a prompt `no.such`
    hint: leave the prompt out to see every release
    "#);
    assert!(well(&project, &["registry", "verify"]).starts_with("sound: "));
}

#[test]
fn a_deprecation_names_its_day_and_what_to_use() {
    let project = published();
    let deprecate =
        ["deprecate", "support.reply@1", "--date", "2999-01-31", "--replacement", "support.reply@3", "--reason", "long"];
    assert_snapshot!(run(&project, &[&deprecate[..], &["--dry-run"]].concat()), @r#"
    exit: 0
    ----- stdout -----
    would deprecate: support.reply@1 must not be used from 2999-01-31 on; use support.reply@3 instead (long)
    nothing was deprecated (--dry-run)
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &deprecate), @r#"
    exit: 0
    ----- stdout -----
    deprecated: support.reply@1 must not be used from 2999-01-31 on; use support.reply@3 instead (long)
    ----- stderr -----
    "#);
    assert_eq!(well(&project, &deprecate).lines().next().unwrap().find("nothing changed: "), Some(0));
    well(&project, &["plan", "--env", "staging", "support.reply@1", "--out", "plan.json"]);
    assert_snapshot!(run(&project, &["deploy", "plan.json"]), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from nothing deployed

      + support.reply@1
        ! `support.reply@1` is deprecated and must not be used from 2999-01-31 on; use `support.reply@3` instead (long)

    1 added, 0 changed, 0 removed
    deployed: staging is at release 1
    ----- stderr -----
    warning: `support.reply@1` is deprecated and must not be used from 2999-01-31 on; use `support.reply@3` instead (long)
    "#);
    assert_snapshot!(run(&project, &["lock", "support.reply@1"]), @r#"
    exit: 0
    ----- stdout -----
    locked 1 prompt in promptops.lock
    ----- stderr -----
    warning: `support.reply@1` is deprecated and must not be used from 2999-01-31 on; use `support.reply@3` instead (long)
    "#);
    // The day is moved up to one that has come, where nothing runs it.
    well(&project, &["plan", "--env", "staging", "--remove", "support.reply", "--out", "plan.json"]);
    well(&project, &["deploy", "plan.json"]);
    let due = ["deprecate", "support.reply@1", "--date", "2026-01-31", "--reason", "long"];
    well(&project, &due);
    assert_snapshot!(run(&project, &["plan", "--env", "staging", "support.reply@1", "--summary"]), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from release 2: 1 added, 0 changed, 0 removed
      ✗ `support.reply@1` is deprecated and must not be used from 2026-01-31 on (long)
    A deploy would be refused: 1 version is withdrawn.
    ----- stderr -----
    "#);
    assert_snapshot!(run(&project, &["deprecate", "support.reply@1", "--undo", "--reason", "it is short"]), @r#"
    exit: 0
    ----- stdout -----
    taken back: support.reply@1 is in use again (it is short)
    ----- stderr -----
    "#);

    assert_snapshot!(run(&project, &["deprecate", "support.reply@2", "--reason", "long"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --date <YYYY-MM-DD>

    Usage: promptops deprecate --reason <TEXT> --date <YYYY-MM-DD> <ID@VERSION>

    For more information, try '--help'.
    "#);
    let replaced = ["deprecate", "support.reply@2", "--date", "2999-01-31", "--reason", "long", "--replacement"];
    assert_snapshot!(run(&project, &[&replaced[..], &["support.reply@2"]].concat()), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the status cannot change: a version cannot replace itself, `support.reply@2`
    hint: run `promptops yank ID@VERSION --undo --reason TEXT` first, or name another replacement
    "#);
    assert_snapshot!(run(&project, &[&replaced[..], &["support.reply@9"]].concat()), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the registry has no version `support.reply@9`
    hint: run `promptops publish`, or `promptops list` to see what is published
    "#);
    assert_snapshot!(run(&project, &["yank", "support.reply@9", "--reason", "x"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the registry has no version `support.reply@9`
    hint: run `promptops publish`, or `promptops list` to see what is published
    "#);
}

#[test]
fn a_withdrawn_include_is_told_wherever_it_is_taken_along() {
    let project = published();
    stage(&project, "support.reply@1");
    well(&project, &["deprecate", "shared.tone@1", "--date", "2999-01-01", "--reason", "too kind"]);
    let warning = "warning: `shared.tone@1` is deprecated and must not be used from 2999-01-01 on (too kind)\n";
    for command in [&["lock", "--env", "staging"][..], &["bundle"], &["lock", "support.reply@3"]] {
        assert_eq!(run(&project, command).stderr, warning, "{command:?}");
    }
    assert_eq!(run(&project, &["publish"]).stderr, "", "nothing new includes it");
    project.replace("prompts/support/reply.yaml", "version: 3\nparent: 2", "version: 4\nparent: 3");
    project.replace("prompts/support/reply.yaml", "name the order", "always name the order");
    project.commit("Always");
    assert_eq!(run(&project, &["publish"]).stderr, warning);
}

#[test]
fn forcing_is_allowed_by_the_base_revision_and_not_by_the_proposal() {
    let project = published();
    well(&project, &["yank", "support.reply@1", "--reason", "it invents refunds"]);
    well(&project, &["plan", "--env", "prod", "support.reply@1", "--out", "plan.json"]);
    project.replace("promptops.toml", "[\"staging\"]", "[\"*\"]");
    assert_eq!(run(&project, &["deploy", "plan.json", "--force"]).exit, 1, "an edited file allows nothing");
    assert_eq!(run(&project, &["lock", "support.reply@1", "--force"]).exit, 1);
    project.commit("Force anything");
    let deployed = well(&project, &["deploy", "plan.json", "--force"]);
    assert!(deployed.ends_with("deployed: prod is at release 1, forced to run support.reply@1\n"), "{deployed}");
    well(&project, &["lock", "support.reply@1", "--force"]);

    project.replace("promptops.toml", "[\"*\"]", "[\"prd\"]");
    project.commit("Mistype");
    assert_snapshot!(run(&project, &["plan", "--env", "prod"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the policy is not valid: `policy.withdrawn.force` takes names of `[environments]` and `*`; got `prd`
    hint: correct `promptops.toml`
    "#);
}

#[test]
fn a_prompt_is_split_between_two_versions() {
    let project = published();
    stage(&project, "shared.tone");
    stage(&project, "support.reply@1");
    let split = ["plan", "--env", "staging", "--split", "support.reply=1:90,2:10"];
    assert_snapshot!(run(&project, &[&split[..], &["--explain", "--out", "plan.json"]].concat()), @r"
    exit: 0
    ----- stdout -----
    Plan for staging from release 2

      ~ support.reply@1 → @1 90% and @2 10%  behavioural
          because a split between version 1 and version 2 was asked for; staging runs support.reply@1
        behavioural text: the wording changed

        … 3 lines alike
        Rules:
          - never promise a refund
          - be {+very +}brief
          - name the order

        … 2 lines alike

      unchanged: 1 (--full names them)

    0 added, 1 changed (1 behavioural), 0 removed
    Nothing is missing: this can be deployed.
    ----- stderr -----
    plan written to plan.json; apply it with `promptops deploy plan.json`
    ");
    assert_snapshot!(run(&project, &["deploy", "plan.json"]), @r"
    exit: 0
    ----- stdout -----
    Plan for staging from release 2

      ~ support.reply@1 → @1 90% and @2 10%  behavioural
        behavioural text: the wording changed

    0 added, 1 changed (1 behavioural), 0 removed
    deployed: staging is at release 3
    ----- stderr -----
    ");
    assert_snapshot!(run(&project, &["deploy", "--env", "staging", "--split", "support.reply=1:75,2:25", "--no-text"]), @r"
    exit: 0
    ----- stdout -----
    Plan for staging from release 3

      ~ support.reply@1 90% and @2 10% → @1 75% and @2 25%  behavioural
        behavioural text: the wording changed

    0 added, 1 changed (1 behavioural), 0 removed
    deployed: staging is at release 4
    ----- stderr -----
    ");
    assert_snapshot!(run(&project, &["environment", "history", "support.reply", "--env", "staging"]), @r"
    exit: 0
    ----- stdout -----
       2  [WHEN]  deploy  ada@example.com
          support.reply - → @1
       3  [WHEN]  deploy  ada@example.com
          support.reply @1 → @1 90% and @2 10%
       4  [WHEN]  deploy  ada@example.com
          support.reply @1 90% and @2 10% → @1 75% and @2 25%
    ----- stderr -----
    ");
    assert_snapshot!(run(&project, &["at", "--env", "staging", "0h"]), @r"
    exit: 0
    ----- stdout -----
       4  [WHEN]  deploy  ada@example.com
          shared.tone@1  [DIGEST]
          support.reply@1  [DIGEST]  75%
          support.reply@2  [DIGEST]  25%
    ----- stderr -----
    ");
    let list = well(&project, &["list", "--env", "staging"]);
    assert!(list.contains("1 75% and 2 25%"), "{list}");
    let at = json(&project, &["at", "--env", "staging", "0h", "support.reply", "--format", "json"]);
    assert_eq!(at["prompts"]["support.reply"]["rollout"]["buckets"], 2500);
    well(&project, &["lock", "--env", "staging"]);
    let lock: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(project.path("promptops.lock")).unwrap()).unwrap();
    assert_eq!(lock["prompts"]["support.reply"]["rollout"]["buckets"], 2500);
    assert_snapshot!(run(&project, &["rollback", "--env", "staging"]), @r"
    exit: 0
    ----- stdout -----
    staging: from release 4 to the pins of release 3
      ~ support.reply @1 75% and @2 25% → @1 90% and @2 10%
    rolled back: staging is at release 5
    ----- stderr -----
    ");
    assert_snapshot!(run(&project, &["yank", "support.reply@2", "--reason", "rude"]), @r"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: `support.reply@2` cannot be withdrawn, since it is live in `staging`
    hint: deploy another version there first; the policy also lets you repeat this with `--force`
    ");
    assert_snapshot!(run(&project, &["registry", "verify"]), @r"
    exit: 0
    ----- stdout -----
    sound: 32 objects read, 0 problems; the log ends at [HEAD]
    ----- stderr -----
    ");
}

#[test]
fn what_is_no_split_is_refused_before_anything_is_done() {
    let project = published();
    let refused = |split: &str| {
        let run = run(&project, &["plan", "--env", "staging", "--split", split]);
        assert_eq!(run.stdout, "", "{split}");
        format!("{}: {}", run.exit, run.stderr.lines().next().unwrap_or_default())
    };
    let lines: Vec<String> = [
        "support.reply",
        "support.reply=1:90",
        "support.reply=1:90,2:20",
        "support.reply=1:100,2:0",
        "support.reply=1:90,2:10,3:5",
        "Support=1:90,2:10",
        "support.reply=0:90,2:10",
        "support.reply=2:90,2:10",
        "support.reply=1:90,9:10",
    ]
    .map(refused)
    .into();
    assert_snapshot!(lines.join("\n"), @r"
    2: error: invalid value 'support.reply' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': write it as `support.reply=2:90,3:10`
    2: error: invalid value 'support.reply=1:90' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': write it as `support.reply=2:90,3:10`
    2: error: invalid value 'support.reply=1:90,2:20' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': 90% and 20% are not 100% together
    2: error: invalid value 'support.reply=1:100,2:0' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': a share is from 0.01 to 99.99 percent, with two decimals at most; got `100`
    2: error: invalid value 'support.reply=1:90,2:10,3:5' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': a share is from 0.01 to 99.99 percent, with two decimals at most; got `10,3:5`
    2: error: invalid value 'Support=1:90,2:10' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': an id is lower-case letters, digits and `-`, in parts joined by `.`; got `Support`
    2: error: invalid value 'support.reply=0:90,2:10' for '--split <ID=CONTROL:PERCENT,CANDIDATE:PERCENT>': a version is a whole number from 1; got `0`
    2: error: the prompt cannot be split like this: control and candidate are one version, `support.reply@2`
    4: error: the registry has no version `support.reply@9`
    ");
}

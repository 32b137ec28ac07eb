//! `promptops history`, `show` and `diff`: what Git remembers, and what they say where Git cannot help.

#![cfg(test)]

mod support;

use std::process::Command;

use insta::assert_snapshot;
use support::{GREETING, Project};

/// Three versions of one prompt: the second under another path, the third with an include and a wider set of inputs.
fn project_with_past() -> Project {
    let project = Project::committed();
    std::fs::create_dir_all(project.path("prompts/desk")).unwrap();
    project.git(["mv", "prompts/support/greeting.yaml", "prompts/desk/hello.yaml"]);
    project.commit("Move the greeting");
    project.replace("prompts/desk/hello.yaml", "version: 1", "version: 2\nparent: 1");
    project.replace("prompts/desk/hello.yaml", "one warm sentence", "two short sentences");
    project.commit("Greet in two sentences");
    std::fs::create_dir_all(project.path("prompts/support")).unwrap();
    project.git(["mv", "prompts/desk/hello.yaml", "prompts/support/greeting.yaml"]);
    project.replace("prompts/support/greeting.yaml", "version: 2\nparent: 1", "version: 3\nparent: 2");
    project.replace("prompts/support/greeting.yaml", "owner: support-team", "owner: tone-team");
    project.replace(
        "prompts/support/greeting.yaml",
        "inputs:\n",
        "parameters: {temperature: 0}\ninputs:\n  language: {type: string, default: English}\n",
    );
    project.replace(
        "prompts/support/greeting.yaml",
        "Write two",
        "{% include \"shared.tone@1\" %}\n  In {{ language }}, write two",
    );
    project.write(
        "prompts/shared/tone.yaml",
        "id: shared.tone\nversion: 1\nowner: tone-team\nmodel: gpt-4o-2024-08-06\ntags: []\ntemplate: Be kind.\n",
    );
    project.commit("Be kind in every language");
    project
}

#[test]
fn history_follows_a_prompt_wherever_its_file_lay() {
    let project = project_with_past();
    assert_snapshot!(project.run(["history", "support.greeting"]), @r#"
    exit: 0
    ----- stdout -----
    @1   parent -    2026-03-02T08:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/desk/hello.yaml  Greet people
    @2   parent 1    2026-03-02T10:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/desk/hello.yaml  Greet in two sentences
    @3   parent 2    2026-03-02T11:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/support/greeting.yaml  Be kind in every language
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["history", "support.greeting", "--from", "HEAD~1"]), @r#"
    exit: 0
    ----- stdout -----
    @1   parent -    2026-03-02T08:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/desk/hello.yaml  Greet people
    @2   parent 1    2026-03-02T10:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/desk/hello.yaml  Greet in two sentences
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["history", "support.greeting", "--json"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "id": "support.greeting",
      "versions": [
        {
          "version": 1,
          "parent": null,
          "digest": "sha256:ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7",
          "commit": "[COMMIT]",
          "author_name": "Ada Lovelace",
          "author_email": "ada@example.com",
          "time": "2026-03-02T08:00:00Z",
          "path": "prompts/desk/hello.yaml",
          "summary": "Greet people"
        },
        {
          "version": 2,
          "parent": "support.greeting@1",
          "digest": "sha256:9bc4cb023b99daba91bc25061d3dddc69da02b3fbc562fa6b8d9c8420cde63d5",
          "commit": "[COMMIT]",
          "author_name": "Ada Lovelace",
          "author_email": "ada@example.com",
          "time": "2026-03-02T10:00:00Z",
          "path": "prompts/desk/hello.yaml",
          "summary": "Greet in two sentences"
        },
        {
          "version": 3,
          "parent": "support.greeting@2",
          "digest": "sha256:b8a748aebe4cbca16b7b513d674124ed41260949e8e8a83e7d0679d61aa13012",
          "commit": "[COMMIT]",
          "author_name": "Ada Lovelace",
          "author_email": "ada@example.com",
          "time": "2026-03-02T11:00:00Z",
          "path": "prompts/support/greeting.yaml",
          "summary": "Be kind in every language"
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn an_old_version_is_shown_as_it_was_written() {
    let project = project_with_past();
    assert_snapshot!(project.run(["show", "support.greeting@1"]), @r#"
    exit: 0
    ----- stdout -----
    id: support.greeting
    version: 1
    owner: support-team
    model: gpt-4o-2024-08-06
    tags: [support]
    inputs:
      name: {type: string}
    template: |
      Write one warm sentence that greets {{ name }}.
    ----- stderr -----
    support.greeting@1 · sha256:ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7 · [COMMIT] · prompts/desk/hello.yaml
    "#);
    assert_eq!(project.run(["show", "support.greeting@1"]).stdout, GREETING);
    assert_eq!(project.run(["show", "support.greeting@1", "--quiet"]).stderr, "");
}

#[test]
fn a_difference_names_its_classes_and_words() {
    let project = project_with_past();
    assert_snapshot!(project.run(["diff", "support.greeting@1", "support.greeting@2"]), @r#"
    exit: 0
    ----- stdout -----
    support.greeting@1 → support.greeting@2
      behavioural text: the wording changed

    Write [-one-]{+two+} [-warm-]{+short+} [-sentence-]{+sentences+} that greets {{ name }}.
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["diff", "support.greeting@2", "support.greeting@3"]), @r#"
    exit: 0
    ----- stdout -----
    support.greeting@2 → support.greeting@3
      behavioural text: the wording changed
      behavioural parameters: `temperature`: unset → 0
      behavioural inputs: optional variable `language` added; the text changed with it, and no inputs are known that would show what it renders without
      behavioural includes: include `shared.tone@1` added
      metadata    metadata: `owner` changed

    [-Write-]{+{% include "shared.tone@1" %}
    In {{ language }}, write+} two short sentences that greets {{ name }}.
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["diff", "support.greeting@3", "support.greeting@3"]), @r#"
    exit: 0
    ----- stdout -----
    support.greeting@3 → support.greeting@3
    nothing changed
    ----- stderr -----
    "#);
}

#[test]
fn what_was_not_committed_is_not_found() {
    let project = project_with_past();
    assert_snapshot!(project.run(["history", "support.farewell"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no commit has a prompt `support.farewell`
    hint: `promptops check` looks at files that are not committed yet
    "#);
    assert_snapshot!(project.run(["show", "support.greeting@9"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no commit has `support.greeting@9`
    hint: the newest version is 3
    "#);
    assert_snapshot!(project.run(["show", "support.farewell@1"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no commit has `support.farewell@1`
    hint: no version of this prompt is committed; check the id
    "#);
    assert_snapshot!(project.run(["diff", "support.greeting@1", "support.greeting@9"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no commit has `support.greeting@9`
    hint: the newest version is 3
    "#);
    assert_snapshot!(project.run(["history", "support.greeting", "--from", "v1.0"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no such revision: `v1.0`
      cause: couldn't parse revision, input="v1.0"
    hint: `git fetch` it, or name a commit, branch or tag that `git log` knows
    "#);
}

#[test]
fn a_name_that_is_none_is_refused_at_once() {
    let project = project_with_past();
    assert_snapshot!(project.run(["history", "Support/Greeting"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'Support/Greeting' for '<ID>': an id is lower-case letters, digits and `-`, in parts joined by `.`; got `Support/Greeting`

    For more information, try '--help'.
    "#);
    assert_snapshot!(project.run(["show", "support.greeting"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'support.greeting' for '<REFERENCE>': a pinned reference is `id@version`; got `support.greeting`

    For more information, try '--help'.
    "#);
    assert_snapshot!(project.run(["show", "support.greeting@latest"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'support.greeting@latest' for '<REFERENCE>': a version is a whole number from 1; got `latest`

    For more information, try '--help'.
    "#);
}

#[test]
fn outside_of_git_there_is_no_history() {
    let project = Project::new();
    assert_snapshot!(project.run(["history", "support.greeting"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: not in a Git repository: `[PROJECT]`
    hint: run this inside a Git repository, or `git init` and commit first
    "#);
    assert_snapshot!(project.run(["check", "--base", "main"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: not in a Git repository: `[PROJECT]`
    hint: run this inside a Git repository, or `git init` and commit first
    "#);
}

#[test]
fn an_empty_repository_has_no_history() {
    let project = Project::new();
    project.git(["init", "--quiet", "--initial-branch=main"]);
    assert_snapshot!(project.run(["history", "support.greeting"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the Git repository has no commits yet: `[PROJECT]`
    hint: commit the prompts first: `git add . && git commit`
    "#);
    assert_snapshot!(project.run(["check", "--base", "main"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no such revision: `main`
      cause: couldn't parse revision, input="main"
    hint: `git fetch` it, or name a commit, branch or tag that `git log` knows
    "#);
}

#[test]
fn a_shallow_clone_does_not_pretend_to_know_the_past() {
    let origin = project_with_past();
    let clone = Project::empty();
    let url = format!("file://{}", origin.root().display());
    clone.git(["clone", "--quiet", "--depth", "1", &url, "clone"]);
    let run = |arguments: &[&str]| {
        let mut command: Command = clone.promptops(arguments);
        command.current_dir(clone.path("clone"));
        clone.finish(command)
    };
    assert_snapshot!(run(&["history", "support.greeting"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the clone is shallow and its history incomplete: `[PROJECT]/clone`
    hint: run `git fetch --unshallow` (in GitHub Actions: `fetch-depth: 0` of `actions/checkout`)
    "#);
    // What stands at the tip is all here.
    assert_eq!(run(&["check", "--base", "HEAD"]).exit, 0);
    assert_snapshot!(run(&["check", "--base", "HEAD~1"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no such revision: `HEAD~1`
      cause: delegate.traverse(NthAncestor(1)) failed, input="~1"
    hint: run `git fetch --unshallow` (in GitHub Actions: `fetch-depth: 0` of `actions/checkout`)
    "#);
}

#[test]
fn outside_of_a_project_there_is_nothing_to_do() {
    let project = Project::empty();
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no `promptops.toml` and no `prompts` folder in `[PROJECT]` or above
    hint: go to the folder of your prompts, or name it with `--directory`
    "#);
    project.write("file", "");
    assert_snapshot!(project.run(["-C", "file", "check"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot enter `file`
      cause: not a directory
    hint: name a folder, not a file
    "#);
    assert_snapshot!(project.run(["-C", "nowhere", "check"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot enter `nowhere`
      cause: No such file or directory (os error [N])
    hint: check the path
    "#);
}

#[test]
fn a_version_that_was_rewritten_is_shown_as_it_is_now() {
    let project = Project::committed();
    project.replace("prompts/support/greeting.yaml", "one warm sentence", "three sentences");
    project.commit("Rewrite the version");
    assert_snapshot!(project.run(["history", "support.greeting"]), @r#"
    exit: 0
    ----- stdout -----
    @1   parent -    2026-03-02T09:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/support/greeting.yaml  Rewrite the version
    ----- stderr -----
    "#);
    assert!(project.run(["show", "support.greeting@1"]).stdout.contains("three sentences"));
}

//! `promptops init` and `promptops comment`, as a user runs them.

#![cfg(test)]

#[path = "../../promptops-forge/tests/fake_github/mod.rs"]
mod fake_github;
mod support;

use fake_github::{BOT, FakeGitHub, TOKEN};
use insta::assert_snapshot;
use support::Project;

#[test]
fn a_project_begins_without_findings_and_is_never_overwritten() {
    let project = Project::empty();
    assert_snapshot!(project.run(["init", "--ci", "gitlab", "--dry-run"]), @r#"
    exit: 0
    ----- stdout -----
    promptops.toml
    owners.yaml
    prompts/support/intent.yaml
    evals/intent.yaml
    datasets/intents.csv
    .gitattributes
    .gitlab-ci.yml
    ----- stderr -----
    nothing was written
    "#);
    assert_eq!(project.files("").len(), 0);
    assert_eq!(project.run(["init"]).exit, 0);
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    "#);
    let before = project.files("");
    assert_snapshot!(project.run(["init", "--ci", "github"]), @r#"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: `promptops.toml`, `owners.yaml`, `prompts/support/intent.yaml`, `evals/intent.yaml`, `datasets/intents.csv`, `.gitattributes` are there already; nothing was written
    hint: name another folder; `--ci FORGE --ci-only` writes the pipeline alone
    "#);
    assert_eq!(project.files(""), before);
    assert_eq!(project.run(["init", "--ci", "github", "--ci-only"]).exit, 0);
    assert_snapshot!(project.run(["init", "--ci", "github", "--ci-only"]), @r#"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: `.github/workflows/prompts.yml` is there already; nothing was written
    hint: add the job to the pipeline that is there: docs/guides/ci.md of PromptOps shows it
    "#);
    assert_eq!(project.run(["init", "elsewhere"]).exit, 0);
    assert!(project.path("elsewhere/prompts/support/intent.yaml").is_file());
}

#[test]
fn the_pipelines_name_this_version() {
    let project = Project::empty();
    assert_eq!(project.run(["init", "a", "--ci", "github"]).exit, 0);
    assert_eq!(project.run(["init", "b", "--ci", "gitlab"]).exit, 0);
    let version = env!("CARGO_PKG_VERSION");
    let read = |path: &str| std::fs::read_to_string(project.path(path)).unwrap();
    assert!(read("a/.github/workflows/prompts.yml").contains(&format!("promptops/promptops/action@v{version}")));
    assert!(read("b/.gitlab-ci.yml").contains(&format!("--tag v{version}")));
}

#[test]
fn a_report_becomes_a_comment_from_the_environment_of_a_workflow() {
    let project = Project::empty();
    let github = FakeGitHub::start();
    project.write("report.md", "## Prompt gate: passed\n");
    project.write("event.json", "{\"pull_request\": {\"number\": 7}}");
    let comment = |token: &str| {
        let mut command = project.promptops(["comment", "github", "report.md"]);
        command.env("GITHUB_API_URL", &github.url).env("GITHUB_REPOSITORY", "desk/prompts").env("GITHUB_TOKEN", token);
        command.env("GITHUB_EVENT_PATH", project.path("event.json"));
        project.finish(command)
    };
    assert_snapshot!(comment(TOKEN), @r#"
    exit: 0
    ----- stdout -----
    the comment is written: https://github.com/desk/prompts/pull/7#issuecomment-1
    ----- stderr -----
    "#);
    assert_snapshot!(comment("another"), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: the token may not comment there (status 401): Bad credentials
    hint: give the token the permission to write to pull requests; a pull request from a fork has none
    "#);
    assert_eq!(github.comments_of(BOT), ["<!-- promptops gate: prompts -->\n## Prompt gate: passed"]);
    project.write("event.json", "{\"ref\": \"refs/heads/main\"}");
    assert_snapshot!(comment(TOKEN), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the event in `[PROJECT]/event.json` is about no pull request
    hint: name the pull request with `--number`
    "#);
    assert_snapshot!(project.run(["comment", "github", "report.md"]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: GITHUB_TOKEN is not set
    hint: in a workflow: `env: {GITHUB_TOKEN: ${{ github.token }}}` and `permissions: {pull-requests: write}`
    "#);
    assert_snapshot!(project.run(["comment", "gitlab", "absent.md"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read the report `[PROJECT]/absent.md`
      cause: No such file or directory (os error [N])
    hint: check the path
    "#);
}

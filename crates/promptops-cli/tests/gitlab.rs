//! The pipeline of `promptops init --ci gitlab`, run by gitlab-ci-local on this machine: held against GitLab's schema of pipelines,
//! its rules evaluated, its steps run in a shell, with GitLab's notes on loopback.
//!
//! `cargo xtask test` installs gitlab-ci-local and says where it is.

#![cfg(test)]
#![cfg(unix)]

#[path = "../../promptops-forge/tests/fake_gitlab/mod.rs"]
mod fake_gitlab;
mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fake_gitlab::{BOT, FakeGitLab, NUMBER, PROJECT, TOKEN};
use insta::assert_snapshot;
use support::{GREETING, PROMPTOPS, Project};

const PIPELINE: &str = ".gitlab-ci.yml";
const PROMPT: &str = "prompts/support/greeting.yaml";

/// Returns the script that the task installed, or says why the test is skipped.
#[expect(clippy::disallowed_methods, reason = "the task that runs the tests says where its programs are")]
fn runner() -> Option<PathBuf> {
    let path = std::env::var_os("PROMPTOPS_TEST_GITLAB_CI").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: PROMPTOPS_TEST_GITLAB_CI is not set; `cargo xtask test` sets it");
    }
    path
}

/// A repository with a merge request: the base as it was merged, the proposal checked out.
struct MergeRequest {
    project: Project,
    base: String,
    home: tempfile::TempDir,
}

impl MergeRequest {
    fn new(proposal: &str) -> Self {
        let project = Project::committed();
        assert_eq!(project.run(["init", "--ci", "gitlab", "--ci-only"]).exit, 0);
        project.write(".gitignore", ".promptops/\n.gitlab-ci-local/\n");
        project.git(["remote", "add", "origin", "git@gitlab.example.com:desk/prompts.git"]);
        project.commit("Run the gate");
        let base = project.git(["rev-parse", "HEAD"]).trim().to_owned();
        project.git(["checkout", "--quiet", "-b", "proposal"]);
        project.write(PROMPT, proposal);
        project.commit("Propose");
        Self { project, base, home: tempfile::tempdir().unwrap() }
    }

    /// Runs the pipeline as one of this source, and returns its exit code with all that it printed.
    fn run(&self, runner: &Path, source: &str, gitlab: Option<&FakeGitLab>) -> (i32, String) {
        // Before any pipeline it copies the project for containers, with rsync; a shell has no use for the copy.
        let bin = self.home.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("rsync"), "#!/bin/sh\nexit 0\n").unwrap();
        std::fs::set_permissions(bin.join("rsync"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let surroundings = self.project.promptops::<&str>([]);
        let path = surroundings.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap().to_owned();
        let path = format!("{}:{}:{}", bin.display(), Path::new(PROMPTOPS).parent().unwrap().display(), path.to_string_lossy());
        let mut command = Command::new("node");
        command.arg(runner).current_dir(self.project.root()).env_clear().env("PATH", path).env("HOME", self.home.path());
        command.env("GIT_CONFIG_NOSYSTEM", "1").args(["--force-shell-executor", "--color", "false"]);
        let mut variables = vec![("CI_PIPELINE_SOURCE", source), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &self.base)];
        if let Some(gitlab) = gitlab {
            let known = [("CI_API_V4_URL", gitlab.url.as_str()), ("CI_PROJECT_ID", PROJECT), ("CI_MERGE_REQUEST_IID", NUMBER)];
            variables.extend(known);
            variables.push(("GITLAB_TOKEN", TOKEN));
        }
        for (name, value) in &variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        command.env("GCL_IGNORE_PREDEFINED_VARS", names.join(","));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project.path(path)).unwrap()
    }
}

/// A version that callers of the first one can go on calling.
fn compatible() -> String {
    GREETING.replace("version: 1\n", "version: 2\nparent: 1\n").replace("one warm", "one short")
}

#[test]
fn a_merge_request_gets_one_note_that_follows_it() {
    let Some(runner) = runner() else { return };
    let gitlab = FakeGitLab::start();
    let request = MergeRequest::new(&compatible());
    let (exit, log) = request.run(&runner, "merge_request_event", Some(&gitlab));
    assert_eq!(exit, 0, "{log}");
    assert!(log.contains("json schema validated"), "{log}");
    assert!(log.contains("the comment is written"), "{log}");
    let [note] = gitlab.notes_of(BOT).try_into().unwrap();
    assert!(note.starts_with("<!-- promptops gate: prompts -->\n## Prompt gate: passed\n"), "{note}");
    assert!(note.contains("support.greeting@2") && request.read("promptops-gate.md").contains("support.greeting@2"), "{note}");
    assert!(request.read("promptops-junit.xml").starts_with("<?xml"), "{log}");

    // What breaks its callers is refused, which ends the job after the note has told it.
    let broken = compatible().replace("name: {type: string}", "name: {type: string}\n  tone: {type: string}");
    let worse = MergeRequest::new(&broken.replace("one short", "one {{ tone }}"));
    let (exit, log) = worse.run(&runner, "merge_request_event", Some(&gitlab));
    assert_eq!(exit, 1, "{log}");
    assert!(log.contains("the comment is changed"), "{log}");
    let [note] = gitlab.notes_of(BOT).try_into().unwrap();
    assert!(note.starts_with("<!-- promptops gate: prompts -->\n## Prompt gate: refused\n"), "{note}");
    assert_eq!(gitlab.forge.lock().unwrap().violations, Vec::<String>::new());
}

#[test]
fn without_a_token_the_verdict_stands_and_a_push_has_no_job() {
    let Some(runner) = runner() else { return };
    let request = MergeRequest::new(&compatible());
    let (exit, log) = request.run(&runner, "merge_request_event", None);
    assert_eq!(exit, 0, "{log}");
    assert!(request.read("promptops-gate.md").starts_with("## Prompt gate: passed\n"), "{log}");

    let push = MergeRequest::new(&compatible());
    let (_, log) = push.run(&runner, "push", None);
    assert!(!push.project.path("promptops-gate.md").exists(), "{log}");

    // The schema is held against the pipeline: a word that it does not know ends the run before any step.
    push.project.replace(PIPELINE, "  stage: test\n", "  stage: test\n  artefacts: {paths: [x]}\n");
    let (exit, log) = push.run(&runner, "merge_request_event", None);
    assert_ne!(exit, 0, "{log}");
    assert!(log.contains("artefacts"), "{log}");
}

#[test]
fn a_report_becomes_a_note_from_the_environment_of_a_pipeline() {
    let project = Project::empty();
    let gitlab = FakeGitLab::start();
    project.write("report.md", "## Prompt gate: passed\n");
    let comment = |variables: &[(&str, &str)]| {
        let mut command = project.promptops(["comment", "gitlab", "report.md"]);
        command.env("CI_API_V4_URL", &gitlab.url).envs(variables.iter().copied());
        project.finish(command)
    };
    let known = [("CI_PROJECT_ID", PROJECT), ("CI_MERGE_REQUEST_IID", NUMBER), ("GITLAB_TOKEN", TOKEN)];
    assert_snapshot!(comment(&known), @r#"
    exit: 0
    ----- stdout -----
    the comment is written
    ----- stderr -----
    "#);
    assert_snapshot!(comment(&known), @r#"
    exit: 0
    ----- stdout -----
    the comment is there already
    ----- stderr -----
    "#);
    assert_snapshot!(comment(&[known[0], known[1], ("GITLAB_TOKEN", "another")]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: the token may not comment there (status 401): 401 Unauthorized
    hint: give the token the permission to write to pull requests; a pull request from a fork has none
    "#);
    assert_snapshot!(comment(&[known[0], ("CI_MERGE_REQUEST_IID", "seven"), known[2]]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `seven` is no number of a merge request
    "#);
    assert_snapshot!(comment(&[known[1], known[2]]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: neither `--project` nor CI_PROJECT_ID is given
    hint: a pipeline of the forge sets the variable by itself
    "#);
    assert_snapshot!(comment(&known[..2]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: GITLAB_TOKEN is not set
    hint: make a project access token with the scope `api`, and a masked variable GITLAB_TOKEN of it
    "#);
    assert_eq!(gitlab.notes_of(BOT), ["<!-- promptops gate: prompts -->\n## Prompt gate: passed"]);
    assert_eq!(gitlab.forge.lock().unwrap().violations, Vec::<String>::new());
}

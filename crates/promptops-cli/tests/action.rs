//! The GitHub Action as GitHub runs it: the workflow of `promptops init`, with its real steps, run by nektos/act on this machine,
//! against a bare repository with a pull request, and GitHub's comments on loopback.
//!
//! `cargo xtask test` installs act and actionlint and says where they are.

#![cfg(test)]

#[path = "../../promptops-forge/tests/fake_github/mod.rs"]
mod fake_github;
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fake_github::{BOT, FakeGitHub, TOKEN};
use support::{PROMPTOPS, Project, git};

/// Returns a program that the task installed, or says why the test is skipped.
#[expect(clippy::disallowed_methods, reason = "the task that runs the tests says where its programs are")]
fn program(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        println!("skipped: {variable} is not set; `cargo xtask test` sets it");
    }
    path
}

fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../action").canonicalize().unwrap()
}

/// The offline model, which answers the example; ends with the value.
struct Model(Child);

impl Model {
    fn start() -> (Self, String) {
        let mut child = Command::new(PROMPTOPS)
            .args(["offline-model", "serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        (Self(child), url)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A repository with a pull request: `main` as it was merged, the proposal checked out.
struct PullRequest {
    project: Project,
    base: String,
    head: String,
}

const PROMPT: &str = "prompts/support/intent.yaml";
const WORKFLOW: &str = ".github/workflows/prompts.yml";

/// What the action's own steps use of others, by the commit that is pinned in `action.yml`.
const CACHE: &str = "actions/cache@0057852bfaa89a56745cba8c7296529d2fc39830";
const CODE_SCANNING: &str = "github/codeql-action@9e907b5e64f6b83e7804b09294d44122997950d6";

/// Stands for GitHub's step: it would send the file, and keeps it here.
const UPLOAD: &str = "\
name: Keep the findings
inputs:
  sarif_file: {description: The file, required: true}
  category: {description: Whose they are, required: true}
runs:
  using: composite
  steps:
    - shell: sh
      run: cp \"$FILE\" \"$KEPT\"
      env:
        FILE: ${{ inputs.sarif_file }}
";

impl PullRequest {
    /// Begins a project as a user does, and proposes version 2 with this change of its text.
    fn new(old: &str, new: &str) -> Self {
        let project = Project::empty();
        assert_eq!(project.run(["init", "--ci", "github"]).exit, 0);
        // The program under test, instead of one that is built for minutes, and the step for code scanning.
        let workflow = std::fs::read_to_string(project.path(WORKFLOW)).unwrap();
        project.write(WORKFLOW, workflow + "        with:\n          program: promptops\n          sarif: \"true\"\n");
        project.git(["init", "--quiet", "--initial-branch=main"]);
        project.write(".gitignore", ".promptops/\norigin.git/\n");
        let (_model, url) = Model::start();
        let record = |project: &Project| {
            let run = project.run(["eval", "--replay", "auto", "--url", &url]);
            assert!(run.stderr.contains("calls sent"), "{}", run.stderr);
        };
        record(&project);
        project.commit("Begin");
        let base = project.git(["rev-parse", "HEAD"]).trim().to_owned();
        project.git(["checkout", "--quiet", "-b", "proposal"]);
        project.replace(PROMPT, "version: 1\n", "version: 2\nparent: 1\n");
        project.replace(PROMPT, old, new);
        record(&project);
        project.commit("Propose");
        let head = project.git(["rev-parse", "HEAD"]).trim().to_owned();
        // The bare repository stands for GitHub's.
        git(project.root(), 0, &["clone", "--quiet", "--bare", ".", "origin.git"]);
        let origin = project.path("origin.git").to_string_lossy().into_owned();
        git(project.root(), 0, &["remote", "add", "origin", &origin]);
        git(project.root(), 0, &["fetch", "--quiet", "origin"]);
        Self { project, base, head }
    }

    /// Runs the workflow and returns its exit code with all that it printed.
    fn run(&self, act: &Path, github: &FakeGitHub, token: &str) -> (i32, String) {
        let project = &self.project;
        let event = serde_json::json!({
            "action": "synchronize",
            "number": 7,
            "pull_request": {
                "number": 7,
                "base": {"ref": "main", "sha": self.base, "repo": {"full_name": "desk/prompts"}},
                "head": {"ref": "proposal", "sha": self.head, "repo": {"full_name": "desk/prompts"}},
            },
            "repository": {"full_name": "desk/prompts", "name": "prompts", "owner": {"login": "desk"}, "default_branch": "main"},
        });
        let home = tempfile::tempdir().unwrap();
        let event_file = home.path().join("event.json");
        std::fs::write(&event_file, event.to_string()).unwrap();
        // act copies a whole repository, so the action is given one without anything else.
        let source = home.path().join("source");
        std::fs::create_dir_all(source.join("action")).unwrap();
        for entry in std::fs::read_dir(action()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, source.join("action").join(path.file_name().unwrap())).unwrap();
        }
        let others = home.path().join("others");
        std::fs::create_dir_all(others.join("upload-sarif")).unwrap();
        std::fs::write(others.join("action.yml"), "name: None\nruns: {using: composite, steps: []}\n").unwrap();
        std::fs::write(others.join("upload-sarif/action.yml"), UPLOAD).unwrap();
        // act looks for `program` on the search path of this machine, which is where a runner of one's own has it.
        let bin = Path::new(PROMPTOPS).parent().unwrap();
        let surroundings = project.promptops::<&str>([]);
        let path = surroundings.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap().to_owned();
        let path = format!("{}:{}", bin.display(), path.to_string_lossy());
        let mut command = Command::new(act);
        command.current_dir(project.root()).env_clear().env("HOME", home.path()).env("PATH", path);
        command.env("XDG_CACHE_HOME", home.path().join("cache")).env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(["pull_request", "--platform", "ubuntu-latest=-self-hosted", "--eventpath"]).arg(&event_file);
        let version = env!("CARGO_PKG_VERSION");
        command.args(["--local-repository", &format!("promptops/promptops@v{version}={}", source.display())]);
        for other in [CACHE, CODE_SCANNING] {
            assert!(std::fs::read_to_string(action().join("action.yml")).unwrap().contains(other.split_once('@').unwrap().1));
            command.args(["--local-repository", &format!("{other}={}", others.display())]);
        }
        command.args(["--env", &format!("KEPT={}", project.path("kept.sarif").display())]);
        command.args(["--env", &format!("GITHUB_API_URL={}", github.url), "--env", "GITHUB_REPOSITORY=desk/prompts"]);
        command.args(["--secret", &format!("GITHUB_TOKEN={token}"), "--action-offline-mode", "--actor", "ada"]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    }
}

/// Swaps what the labels mean, so that every answer is wrong.
const MEANINGS: [&str; 2] = [
    "- billing: invoices, charges, refunds\n      - technical: errors, crashes, login",
    "- billing: errors, crashes, login\n      - technical: invoices, charges, refunds",
];

#[test]
fn a_pull_request_gets_one_comment_that_follows_it() {
    let Some(act) = program("PROMPTOPS_TEST_ACT") else { return };
    let github = FakeGitHub::start();
    let proposal = PullRequest::new("Only the label.", "Answer with the label alone.");
    let (exit, log) = proposal.run(&act, &github, TOKEN);
    assert_eq!(exit, 0, "{log}");
    assert!(log.contains("the comment is written: https://github.com/desk/prompts/pull/7#issuecomment-1"), "{log}");
    let [comment] = github.comments_of(BOT).try_into().unwrap();
    assert!(comment.starts_with("<!-- promptops gate: . -->\n## Prompt gate: passed\n"), "{comment}");
    assert!(comment.contains("| metric | parent | candidate | difference | margin |"), "{comment}");
    assert!(log.contains("Summary - ## Prompt gate: passed"), "{log}");

    // The findings, as code scanning is handed them.
    let kept = std::fs::read_to_string(proposal.project.path("kept.sarif")).unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&kept).unwrap();
    // As in `check_formats.rs`: a bracket that nothing opens is a character.
    let schema = include_str!("schemas/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}\\\\]?$");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&sarif).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());

    // The same comment after a further run; a refusal ends the job and is told all the same.
    let worse = PullRequest::new(MEANINGS[0], MEANINGS[1]);
    let (exit, log) = worse.run(&act, &github, TOKEN);
    assert_eq!(exit, 1, "{log}");
    assert!(log.contains("the comment is changed"), "{log}");
    let [comment] = github.comments_of(BOT).try_into().unwrap();
    assert!(comment.starts_with("<!-- promptops gate: . -->\n## Prompt gate: refused\n"), "{comment}");
    assert_eq!(github.forge.lock().unwrap().violations, Vec::<String>::new());
}

#[test]
fn a_fork_without_the_permission_keeps_its_verdict_and_its_summary() {
    let Some(act) = program("PROMPTOPS_TEST_ACT") else { return };
    let github = FakeGitHub::start();
    github.forge.lock().unwrap().is_read_only = true;
    let proposal = PullRequest::new("Only the label.", "Answer with the label alone.");
    let (exit, log) = proposal.run(&act, &github, TOKEN);
    assert_eq!(exit, 0, "{log}");
    assert!(log.contains("the report is in the summary of this run alone"), "{log}");
    assert!(log.contains("Summary - ## Prompt gate: passed"), "{log}");
    assert_eq!(github.comments_of(BOT), Vec::<String>::new());
}

#[test]
fn a_gate_that_cannot_run_says_so_in_the_comment() {
    let Some(act) = program("PROMPTOPS_TEST_ACT") else { return };
    let github = FakeGitHub::start();
    let proposal = PullRequest::new("Only the label.", "Answer with the label alone.");
    proposal.project.replace(PROMPT, "Answer with the label alone.", "Nothing but the label.");
    proposal.project.commit("Forget to record");
    let (exit, log) = proposal.run(&act, &github, TOKEN);
    assert_ne!(exit, 0, "{log}");
    let [comment] = github.comments_of(BOT).try_into().unwrap();
    assert!(comment.contains("record them with `promptops eval support.intent --replay auto`"), "{comment}");

    std::fs::write(proposal.project.path("promptops.toml"), "[prompts").unwrap();
    proposal.project.commit("Break the configuration");
    let (exit, log) = proposal.run(&act, &github, TOKEN);
    assert_ne!(exit, 0, "{log}");
    let [comment] = github.comments_of(BOT).try_into().unwrap();
    assert!(comment.contains("## Prompt gate: failed\n\n`promptops gate` ended with 2 and gave no report."), "{comment}");
    assert!(comment.contains("promptops.toml` is not valid"), "{comment}");
}

/// Makes the source of an action in which the command is a small program, and returns the folder of the action. With its default
/// features it does not build: the action asks for none of them.
fn small_source(root: &Path) -> PathBuf {
    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    };
    let package = "[package]\nname = \"promptops-cli\"\nversion = \"0.0.7\"\nedition = \"2024\"\n";
    let more = "[features]\ndefault = [\"lake\"]\nlake = []\n[[bin]]\nname = \"promptops\"\npath = \"src/main.rs\"\n";
    write("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n");
    write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"promptops-cli\"\nversion = \"0.0.7\"\n");
    write("crates/promptops-cli/Cargo.toml", &format!("{package}{more}"));
    let main = "#[cfg(feature = \"lake\")]\ncompile_error!(\"with the lake\");\nfn main() { println!(\"built here\"); }\n";
    write("crates/promptops-cli/src/main.rs", main);
    write("README.md", "Read me.\n");
    std::fs::create_dir_all(root.join("action")).unwrap();
    for file in ["action/install.sh", "rust-toolchain.toml"] {
        std::fs::copy(action().parent().unwrap().join(file), root.join(file)).unwrap();
    }
    root.join("action")
}

/// Runs `install.sh` and returns whether it succeeded, what it wrote as outputs, and what it printed.
fn install(action: &Path, part: &str, variables: &[(&str, &str)]) -> (bool, Vec<(String, String)>, String) {
    let outputs = action.join("outputs");
    std::fs::write(&outputs, "").unwrap();
    let mut command = Command::new("sh");
    command.arg(action.join("install.sh")).arg(part).env_remove("CARGO_TARGET_DIR");
    command.env("GITHUB_ACTION_PATH", action).env("GITHUB_OUTPUT", &outputs).envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let written = std::fs::read_to_string(&outputs).unwrap();
    let pairs =
        written.lines().map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap());
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), pairs.collect(), text)
}

#[test]
fn the_action_builds_its_own_source_once_and_keeps_it_by_what_it_is_built_from() {
    let root = tempfile::tempdir().unwrap();
    let tools = root.path().join("tools").to_string_lossy().into_owned();
    let action = small_source(&root.path().join("source"));
    let main = root.path().join("source/crates/promptops-cli/src/main.rs");
    let key = || {
        let (_, outputs, text) = install(&action, "key", &[("RUNNER_TOOL_CACHE", &tools)]);
        let [(first, key), (second, folder)] = outputs.try_into().unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("key", "folder"), "{text}");
        assert_eq!(folder, format!("{tools}/promptops/{key}"));
        (key, folder)
    };
    let (first, folder) = key();
    std::fs::write(root.path().join("source/README.md"), "Read me again.\n").unwrap();
    assert_eq!(key().0, first, "nothing that the program is built from changed");

    let (is_built, outputs, text) = install(&action, "program", &[("FOLDER", &folder)]);
    assert!(is_built && text.contains("Installed package `promptops-cli v0.0.7"), "{text}");
    let path = format!("{folder}/bin/promptops");
    assert_eq!(outputs, [("path".to_owned(), path.clone())]);
    assert!(text.lines().any(|line| line == "built here"), "{text}");

    // What the cache has brought is not built again, and another source is another program.
    std::fs::write(&main, "fn main() { none }\n").unwrap();
    let (is_there, outputs, text) = install(&action, "program", &[("FOLDER", &folder)]);
    assert!(is_there && !text.contains("Compiling"), "{text}");
    assert_eq!(outputs, [("path".to_owned(), path)]);
    let (second, folder) = key();
    assert_ne!(second, first);
    // A source that does not build ends the step, and names no program.
    let (is_built, outputs, text) = install(&action, "program", &[("FOLDER", &folder)]);
    assert!(!is_built && text.contains("cannot find value `none`"), "{text}");
    assert_eq!(outputs, []);

    // A program of one's own is built by nobody; one that is not there is told.
    let (is_there, outputs, text) = install(&action, "program", &[("PROGRAM", PROMPTOPS)]);
    assert!(is_there && text.starts_with("promptops "), "{text}");
    assert_eq!(outputs, [("path".to_owned(), PROMPTOPS.to_owned())]);
    let (is_there, _, text) = install(&action, "program", &[("PROGRAM", "no-such-program")]);
    assert!(!is_there && text.contains("::error::there is no program `no-such-program`"), "{text}");
}

#[test]
fn actionlint_finds_nothing_in_the_workflow_and_the_action() {
    let Some(actionlint) = program("PROMPTOPS_TEST_ACTIONLINT") else { return };
    let project = Project::empty();
    assert_eq!(project.run(["init", "--ci", "github"]).exit, 0);
    project.git(["init", "--quiet"]);
    // A workflow that uses the action by its path has its inputs looked at, too.
    for entry in std::fs::read_dir(action()).unwrap() {
        let path = entry.unwrap().path();
        project.write(&format!("action/{}", path.file_name().unwrap().to_string_lossy()), std::fs::read(&path).unwrap());
    }
    let uses = format!("promptops/promptops/action@v{}", env!("CARGO_PKG_VERSION"));
    let workflow = std::fs::read_to_string(project.path(WORKFLOW)).unwrap();
    project
        .write(".github/workflows/local.yml", workflow.replace(&uses, "./action\n        with:\n          program: promptops"));
    let lint = || Command::new(&actionlint).current_dir(project.root()).output().unwrap();
    let output = lint();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    project.replace(".github/workflows/local.yml", "program: promptops", "programme: promptops");
    assert!(!lint().status.success(), "an input that the action does not have is found");
}

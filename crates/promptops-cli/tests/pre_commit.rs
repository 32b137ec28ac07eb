//! The hooks of `.pre-commit-hooks.yaml`, run by pre-commit itself.

#![cfg(test)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use support::{PROMPTOPS, Project, Redactions, Run};

/// The interpreter that has pre-commit, if the tests were given one.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests names the interpreter")]
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("PROMPTOPS_TEST_PYTHON")?);
    let version = Command::new(&python).args(["-m", "pre_commit", "--version"]).output();
    version.is_ok_and(|output| output.status.success()).then_some(python)
}

/// A repository that uses the hooks of a copy of this one.
fn project() -> Project {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.pre-commit-hooks.yaml");
    let project = Project::committed();
    project.write("hooks/.pre-commit-hooks.yaml", std::fs::read(hooks).unwrap());
    support::git(&project.path("hooks"), 0, &["init", "--quiet", "--initial-branch=main"]);
    support::git(&project.path("hooks"), 0, &["add", "--all"]);
    support::git(&project.path("hooks"), 0, &["commit", "--quiet", "--message", "Hooks"]);
    project.write(".gitignore", "/hooks\n/.cache\n/.promptops\n");
    project
}

fn configure(project: &Project, hook: &str) {
    let commit = support::git(&project.path("hooks"), 0, &["rev-parse", "HEAD"]);
    let repository = project.path("hooks").display().to_string();
    let config = format!("repos:\n  - repo: {repository}\n    rev: {}\n    hooks:\n      - id: {hook}\n", commit.trim());
    project.write(".pre-commit-config.yaml", config);
    project.commit(&format!("Use {hook}"));
}

/// Runs pre-commit, with the built binary where an installed one would be.
#[expect(clippy::disallowed_methods, reason = "a test hands its own search path on")]
fn pre_commit(python: &Path, project: &Project, arguments: &[&str]) -> Run {
    let mut command = project.promptops([""; 0]);
    let mut pre_commit = Command::new(python);
    pre_commit.args(["-m", "pre_commit"]).args(arguments).current_dir(project.root()).env_clear();
    pre_commit.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_clear();
    let mut folders = vec![Path::new(PROMPTOPS).parent().unwrap().to_owned()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    pre_commit.env("PATH", std::env::join_paths(folders).unwrap()).env("PRE_COMMIT_HOME", project.path(".cache"));
    let redactions =
        Redactions::standard().text(&project.root().to_string_lossy(), "[PROJECT]").pattern(r"(?m)^\[INFO\].*\n", "");
    Run::new(pre_commit.output().unwrap(), &redactions)
}

#[test]
fn the_check_hook_lets_good_prompts_pass_and_refuses_others() {
    let Some(python) = python() else {
        println!("skipped: PROMPTOPS_TEST_PYTHON names no interpreter with pre-commit");
        return;
    };
    let project = project();
    configure(&project, "promptops-check");
    assert_snapshot!(pre_commit(&python, &project, &["run", "--all-files"]), @r#"
    exit: 0
    ----- stdout -----
    promptops check..........................................................Passed
    ----- stderr -----
    "#);
    project.replace("prompts/support/greeting.yaml", "version: 1", "version: 0");
    assert_snapshot!(pre_commit(&python, &project, &["run", "--all-files"]), @r#"
    exit: 1
    ----- stdout -----
    promptops check..........................................................Failed
    - hook id: promptops-check
    - exit code: 1

    error[wrong-type]: `version` must be a whole number from 1, not `0`
     --> prompts/support/greeting.yaml:2:10
      |
    2 | version: 0
      |          ^

    1 prompt checked: 1 error

    ----- stderr -----
    "#);
}

#[test]
fn the_fix_hook_mends_and_stops_so_that_the_change_is_seen() {
    let Some(python) = python() else {
        println!("skipped: PROMPTOPS_TEST_PYTHON names no interpreter with pre-commit");
        return;
    };
    let project = project();
    configure(&project, "promptops-fix");
    project.replace("prompts/support/greeting.yaml", "version: 1", "version: \"1\"");
    project.git(["add", "--all"]);
    assert_snapshot!(pre_commit(&python, &project, &["run"]), @r#"
    exit: 1
    ----- stdout -----
    promptops check --fix....................................................Failed
    - hook id: promptops-fix
    - files were modified by this hook

    prompts/support/greeting.yaml: write `1` (wrong-type)
    1 finding was mended
    1 prompt checked: no findings

    ----- stderr -----
    "#);
    project.git(["add", "--all"]);
    assert_eq!(pre_commit(&python, &project, &["run"]).exit, 0);
}

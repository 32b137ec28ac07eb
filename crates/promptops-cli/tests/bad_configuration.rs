//! A wrong configuration, a wrong policy, and files that are none: the answer names the place and says what to do. (That there was
//! no panic and that the exit code is documented is asserted of every run.)

#![cfg(test)]

mod support;

use std::process::Command;

use insta::assert_snapshot;
use support::Project;

#[test]
fn a_configuration_that_is_wrong() {
    let project = Project::new();
    let with = |text: &str| {
        project.write("promptops.toml", text);
        project.run(["check"])
    };
    assert_snapshot!(with("[prompts\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 1, column 9
      |
    1 | [prompts
      |         ^
    unclosed table, expected `]`
    "#);
    assert_snapshot!(with("[prompt]\npath = \"prompts\"\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 1, column 2
      |
    1 | [prompt]
      |  ^^^^^^
    unknown field `prompt`, expected one of `prompts`, `checks`, `registry`, `lake`, `providers`, `prices`, `recordings`, `environments`, `policy`
    "#);
    assert_snapshot!(with("[prompts]\npath = 7\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 2, column 8
      |
    2 | path = 7
      |        ^
    invalid type: integer `7`, expected a string
    "#);
    assert_snapshot!(with("[providers.here]\nkind = \"carrier-pigeon\"\nmodels = []\nurl = \"\"\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` is not valid
    TOML parse error at line 2, column 8
      |
    2 | kind = "carrier-pigeon"
      |        ^^^^^^^^^^^^^^^^
    unknown variant `carrier-pigeon`, expected one of `openai`, `openai-responses`, `anthropic`, `bedrock`, `command`
    "#);
    assert_snapshot!(with("[prompts]\npath = \"texts\"\n"), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read the folder `[PROJECT]/texts`
      cause: No such file or directory (os error [N])
    hint: `prompts.path` in promptops.toml names the folder of prompts
    "#);
    assert_snapshot!(with("[prompts]\npath = \"promptops.toml\"\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot read the folder `[PROJECT]/promptops.toml`
      cause: Not a directory (os error [N])
    hint: `prompts.path` in promptops.toml names the folder of prompts
    "#);
    assert_snapshot!(with("[lake]\nurl = \"gopher://lake\"\n"), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["stats"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: unknown scheme, known are file, memory, s3, gs, az and https: `gopher://lake`
    hint: a lake is a folder, or a URL that begins with `file://`, `s3://`, `gs://` or `az://`
    "#);
}

#[test]
fn a_policy_that_is_wrong() {
    let project = Project::committed();
    project.write("promptops.toml", "[environments.prod]\nprotectd = true\n");
    project.commit("A policy");
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    assert_snapshot!(project.run(["publish"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the policy is not valid: TOML parse error at line 2, column 1
      |
    2 | protectd = true
      | ^^^^^^^^
    unknown field `protectd`, expected `protected` or `evidence`
    hint: correct `promptops.toml`
    "#);
    project.write("promptops.toml", "");
    project.write("owners.yaml", "people: [ada]\n");
    project.commit("A roster");
    assert_snapshot!(project.run(["publish"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `owners.yaml` at main is not valid: `people` must be a mapping, not a list
    hint: `promptops check` shows the place
    "#);
    project.write("owners.yaml", "people: {ada: &a [*a]}\n");
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[yaml-syntax]: the alias names an anchor that is not complete before it
     --> owners.yaml:1:19
      |
    1 | people: {ada: &a [*a]}
      |                   ^^

    error[unknown-owner]: the owner `support-team` is not in `owners.yaml`
     --> prompts/support/greeting.yaml:3:8
      |
    3 | owner: support-team
      |        ^^^^^^^^^^^^
      |
    help: add the team or person to `owners.yaml`

    1 prompt checked: 2 errors
    ----- stderr -----
    "#);
    std::fs::remove_file(project.path("owners.yaml")).unwrap();
    std::fs::create_dir(project.path("owners.yaml")).unwrap();
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/owners.yaml`
      cause: it is a folder
    hint: name a file, not a folder
    "#);
}

#[cfg(unix)]
#[test]
fn files_that_are_none() {
    let project = Project::new();
    std::os::unix::fs::symlink("../prompts", project.path("prompts/loop")).unwrap();
    std::os::unix::fs::symlink("itself.yaml", project.path("prompts/itself.yaml")).unwrap();
    std::fs::create_dir(project.path("prompts/folder.yaml")).unwrap();
    assert!(Command::new("mkfifo").arg(project.path("prompts/pipe.yaml")).status().unwrap().success());
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[unreadable-file]: a folder is named like a prompt file
    --> prompts/folder.yaml
     |
    help: rename the folder

    error[unreadable-file]: symbolic links are not followed
    --> prompts/itself.yaml
     |
    help: put the file itself here: what a link leads to is not what Git keeps

    warning[unreadable-file]: symbolic links are not followed
    --> prompts/loop
     |
    help: put the file itself here: what a link leads to is not what Git keeps

    error[unreadable-file]: this is not a regular file
    --> prompts/pipe.yaml
     |
    help: put a file here, or remove it

    1 prompt checked: 3 errors, 1 warning
    ----- stderr -----
    "#);
    std::fs::remove_file(project.path("promptops.toml")).unwrap();
    assert!(Command::new("mkfifo").arg(project.path("owners.yaml")).status().unwrap().success());
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/owners.yaml`
      cause: it is not a regular file
    hint: put a text file in UTF-8 there
    "#);
}

//! `promptops check`: findings in every format, the base revision, the cache, colour and closed pipes.

#![cfg(test)]

mod support;

use std::io::Read as _;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use support::{GREETING, Project, SmallDisk};

/// A project with an error, a warning and a finding whose place is not text.
fn flawed() -> Project {
    let project = Project::new();
    project.write(
        "prompts/support/routing.yaml",
        "id: support.routing\nversion: 2\nowner: support-team\nmodel: gpt-4o\ntags: [support]\ninputs:\n  \
         message: {type: string}\n  language: {type: string}\ntemplate: |\n  Ask {{ nobody }} about “{{ message }}”.\n",
    );
    project.write("prompts/support/typing.yaml", "id: support.typing\nversion: one\nowner: [a, b]\nmodle: gpt-4o\ntemplate: 7\n");
    project
}

#[test]
fn a_clean_project_says_so_in_one_line() {
    let project = Project::new();
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["check", "--format", "json"]), @r#"
    exit: 0
    ----- stdout -----
    {
      "version": 1,
      "files": 1,
      "findings": []
    }
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["check", "--format", "github"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    1 prompt checked: no findings
    "#);
    assert_snapshot!(project.run(["check", "--format", "github", "--quiet"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    "#);
}

#[test]
fn findings_for_people() {
    assert_snapshot!(flawed().run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[lineage]: version 2 names no parent
     --> prompts/support/routing.yaml:2:10
      |
    2 | version: 2
      |          ^
      |
    help: write `parent: 1`, or the version that it came from

    warning[floating-model]: the model name `gpt-4o` is an alias that can change
     --> prompts/support/routing.yaml:4:8
      |
    4 | model: gpt-4o
      |        ^^^^^^
      |
    help: name the dated snapshot, so that a change of model is a change of version

    warning[unused-input]: the input `language` is never used
     --> prompts/support/routing.yaml:8:3
      |
    8 |   language: {type: string}
      |   ^^^^^^^^
      |
    help: use it in the template, or remove it: a caller must not be asked for what has no effect

    error[undeclared-variable]: the variable `nobody` is not declared
      --> prompts/support/routing.yaml:10:10
       |
    10 |   Ask {{ nobody }} about “{{ message }}”.
       |          ^^^^^^
       |
    help: declare it: `inputs: {nobody: {type: string}}`

    error[missing-field]: the field `model` is missing
     --> prompts/support/typing.yaml:1:1
      |
    1 | id: support.typing
      | ^
      |
    help: required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`

    error[missing-field]: the field `tags` is missing
     --> prompts/support/typing.yaml:1:1
      |
    1 | id: support.typing
      | ^
      |
    help: required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`

    error[wrong-type]: `version` must be a whole number from 1, not `one`
     --> prompts/support/typing.yaml:2:10
      |
    2 | version: one
      |          ^^^

    error[wrong-type]: `owner` must be a text, not a list
     --> prompts/support/typing.yaml:3:8
      |
    3 | owner: [a, b]
      |        ^^^^^^

    warning[unknown-field]: the field `modle` is not known
     --> prompts/support/typing.yaml:4:1
      |
    4 | modle: gpt-4o
      | ^^^^^
      |
    help: did you mean `model`?

    error[wrong-type]: `template` must be a text, not a number
     --> prompts/support/typing.yaml:5:11
      |
    5 | template: 7
      |           ^

    3 prompts checked: 7 errors, 3 warnings
    ----- stderr -----
    "#);
}

#[test]
fn findings_for_programs() {
    assert_snapshot!(flawed().run(["check", "--format", "json"]), @r#"
    exit: 1
    ----- stdout -----
    {
      "version": 1,
      "files": 3,
      "findings": [
        {
          "check": "lineage",
          "severity": "error",
          "message": "version 2 names no parent",
          "place": {
            "path": "prompts/support/routing.yaml",
            "line": 2,
            "column": 10,
            "start_byte": 29,
            "end_byte": 30
          },
          "hint": "write `parent: 1`, or the version that it came from",
          "fixes": [
            {
              "title": "write `parent: 1`",
              "is_safe": true,
              "edits": [
                {
                  "path": "prompts/support/routing.yaml",
                  "start_byte": 31,
                  "end_byte": 31,
                  "replacement": "parent: 1\n"
                }
              ]
            }
          ],
          "fingerprint": "7525f73bc10bb4043f73b9b9:1"
        },
        {
          "check": "floating-model",
          "severity": "warning",
          "message": "the model name `gpt-4o` is an alias that can change",
          "place": {
            "path": "prompts/support/routing.yaml",
            "line": 4,
            "column": 8,
            "start_byte": 58,
            "end_byte": 64
          },
          "hint": "name the dated snapshot, so that a change of model is a change of version",
          "fingerprint": "5670a05863e70974c9d0f5af:1"
        },
        {
          "check": "unused-input",
          "severity": "warning",
          "message": "the input `language` is never used",
          "place": {
            "path": "prompts/support/routing.yaml",
            "line": 8,
            "column": 3,
            "start_byte": 117,
            "end_byte": 125
          },
          "hint": "use it in the template, or remove it: a caller must not be asked for what has no effect",
          "fixes": [
            {
              "title": "remove `language`",
              "is_safe": false,
              "edits": [
                {
                  "path": "prompts/support/routing.yaml",
                  "start_byte": 115,
                  "end_byte": 142,
                  "replacement": ""
                }
              ]
            }
          ],
          "fingerprint": "de2c7898fcde5c5e71e7e9a9:1"
        },
        {
          "check": "undeclared-variable",
          "severity": "error",
          "message": "the variable `nobody` is not declared",
          "place": {
            "path": "prompts/support/routing.yaml",
            "line": 10,
            "column": 10,
            "start_byte": 163,
            "end_byte": 169
          },
          "hint": "declare it: `inputs: {nobody: {type: string}}`",
          "fixes": [
            {
              "title": "declare `nobody` as a text",
              "is_safe": false,
              "edits": [
                {
                  "path": "prompts/support/routing.yaml",
                  "start_byte": 89,
                  "end_byte": 89,
                  "replacement": "  nobody: {type: string}\n"
                }
              ]
            }
          ],
          "fingerprint": "4e022f6a74762dbb2b7b5296:1"
        },
        {
          "check": "missing-field",
          "severity": "error",
          "message": "the field `model` is missing",
          "place": {
            "path": "prompts/support/typing.yaml",
            "line": 1,
            "column": 1,
            "start_byte": 0,
            "end_byte": 0
          },
          "hint": "required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`",
          "fingerprint": "0e8855208c28a6c5da8c8f70:1"
        },
        {
          "check": "missing-field",
          "severity": "error",
          "message": "the field `tags` is missing",
          "place": {
            "path": "prompts/support/typing.yaml",
            "line": 1,
            "column": 1,
            "start_byte": 0,
            "end_byte": 0
          },
          "hint": "required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`",
          "fixes": [
            {
              "title": "write an empty list of tags",
              "is_safe": false,
              "edits": [
                {
                  "path": "prompts/support/typing.yaml",
                  "start_byte": 0,
                  "end_byte": 0,
                  "replacement": "tags: []\n"
                }
              ]
            }
          ],
          "fingerprint": "9d176f2a7bf0e4f0781bb36c:1"
        },
        {
          "check": "wrong-type",
          "severity": "error",
          "message": "`version` must be a whole number from 1, not `one`",
          "place": {
            "path": "prompts/support/typing.yaml",
            "line": 2,
            "column": 10,
            "start_byte": 28,
            "end_byte": 31
          },
          "fingerprint": "ae894db668509af600346218:1"
        },
        {
          "check": "wrong-type",
          "severity": "error",
          "message": "`owner` must be a text, not a list",
          "place": {
            "path": "prompts/support/typing.yaml",
            "line": 3,
            "column": 8,
            "start_byte": 39,
            "end_byte": 45
          },
          "fingerprint": "e3c66e07957c6858dbf9897f:1"
        },
        {
          "check": "unknown-field",
          "severity": "warning",
          "message": "the field `modle` is not known",
          "place": {
            "path": "prompts/support/typing.yaml",
            "line": 4,
            "column": 1,
            "start_byte": 46,
            "end_byte": 51
          },
          "hint": "did you mean `model`?",
          "fixes": [
            {
              "title": "rename to `model`",
              "is_safe": true,
              "edits": [
                {
                  "path": "prompts/support/typing.yaml",
                  "start_byte": 46,
                  "end_byte": 51,
                  "replacement": "model"
                }
              ]
            }
          ],
          "fingerprint": "f0f01154036697af2b5f22b8:1"
        },
        {
          "check": "wrong-type",
          "severity": "error",
          "message": "`template` must be a text, not a number",
          "place": {
            "path": "prompts/support/typing.yaml",
            "line": 5,
            "column": 11,
            "start_byte": 70,
            "end_byte": 71
          },
          "fingerprint": "38f354032aca397dcb10a96f:1"
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn findings_for_github() {
    assert_snapshot!(flawed().run(["check", "--format", "github"]), @r#"
    exit: 1
    ----- stdout -----
    ::error file=prompts/support/routing.yaml,line=2,col=10,endColumn=11,title=promptops%3A lineage::version 2 names no parent%0Ahint: write `parent: 1`, or the version that it came from
    ::warning file=prompts/support/routing.yaml,line=4,col=8,endColumn=14,title=promptops%3A floating-model::the model name `gpt-4o` is an alias that can change%0Ahint: name the dated snapshot, so that a change of model is a change of version
    ::warning file=prompts/support/routing.yaml,line=8,col=3,endColumn=11,title=promptops%3A unused-input::the input `language` is never used%0Ahint: use it in the template, or remove it: a caller must not be asked for what has no effect
    ::error file=prompts/support/routing.yaml,line=10,col=10,endColumn=16,title=promptops%3A undeclared-variable::the variable `nobody` is not declared%0Ahint: declare it: `inputs: {nobody: {type: string}}`
    ::error file=prompts/support/typing.yaml,line=1,col=1,endColumn=1,title=promptops%3A missing-field::the field `model` is missing%0Ahint: required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`
    ::error file=prompts/support/typing.yaml,line=1,col=1,endColumn=1,title=promptops%3A missing-field::the field `tags` is missing%0Ahint: required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`
    ::error file=prompts/support/typing.yaml,line=2,col=10,endColumn=13,title=promptops%3A wrong-type::`version` must be a whole number from 1, not `one`
    ::error file=prompts/support/typing.yaml,line=3,col=8,endColumn=14,title=promptops%3A wrong-type::`owner` must be a text, not a list
    ::warning file=prompts/support/typing.yaml,line=4,col=1,endColumn=6,title=promptops%3A unknown-field::the field `modle` is not known%0Ahint: did you mean `model`?
    ::error file=prompts/support/typing.yaml,line=5,col=11,endColumn=12,title=promptops%3A wrong-type::`template` must be a text, not a number
    ----- stderr -----
    3 prompts checked: 7 errors, 3 warnings
    "#);
}

#[test]
fn works_from_a_folder_inside_the_project() {
    let project = flawed();
    let mut inside = project.promptops(["check"]);
    inside.current_dir(project.path("prompts/support"));
    let from_outside = {
        let mut command = project.promptops(["-C", "prompts/support", "check"]);
        command.env("PWD", project.root());
        command
    };
    let whole = project.run(["check"]).to_string();
    assert_eq!(project.finish(inside).to_string(), whole);
    assert_eq!(project.finish(from_outside).to_string(), whole);
}

#[test]
fn warnings_are_refused_on_demand() {
    let project = Project::new();
    project.replace("prompts/support/greeting.yaml", "gpt-4o-2024-08-06", "gpt-4o");
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    warning[floating-model]: the model name `gpt-4o` is an alias that can change
     --> prompts/support/greeting.yaml:4:8
      |
    4 | model: gpt-4o
      |        ^^^^^^
      |
    help: name the dated snapshot, so that a change of model is a change of version

    1 prompt checked: 1 warning
    ----- stderr -----
    "#);
    assert_eq!(project.run(["check", "--deny-warnings"]).exit, 1);
}

#[test]
fn a_version_that_stands_at_the_base_must_not_change() {
    let project = Project::committed();
    assert_snapshot!(project.run(["check", "--base", "HEAD"]), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    "#);
    project.replace("prompts/support/greeting.yaml", "one warm sentence", "two warm sentences");
    assert_snapshot!(project.run(["check", "--base", "HEAD"]), @r#"
    exit: 1
    ----- stdout -----
    error[immutable-version]: the content of `support.greeting@1` changed under the same version
     --> prompts/support/greeting.yaml:2:10
      |
    2 | version: 1
      |          ^
      |
    help: write `version: 2` and `parent: 1`

    1 prompt checked: 1 error
    ----- stderr -----
    "#);

    project.replace("prompts/support/greeting.yaml", "version: 1", "version: 2\nparent: 1");
    assert_eq!(project.run(["check", "--base", "HEAD"]).exit, 0);
}

#[test]
fn a_change_of_metadata_needs_no_new_version() {
    let project = Project::committed();
    project.replace("prompts/support/greeting.yaml", "tags: [support]", "tags: [support, tone]\npurpose: Greet");
    assert_eq!(project.run(["check", "--base", "main"]).exit, 0);
}

#[test]
fn a_base_that_does_not_exist_is_not_found() {
    assert_snapshot!(Project::committed().run(["check", "--base", "origin/main"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no such revision: `origin/main`
      cause: couldn't parse revision, input="origin/main"
    hint: `git fetch` it, or name a commit, branch or tag that `git log` knows
    "#);
}

#[test]
fn findings_of_the_owners_file_have_their_place() {
    let project = Project::new();
    project.write(
        "owners.yaml",
        "people:\n  ada: {name: Ada Lovelace, mail: ada@example.com}\nteams:\n  support-teem: {members: [ada, grace]}\n",
    );
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[owners-file]: the field `mail` is not known; a person has `name`, `email`, `github` and `keys`
     --> owners.yaml:2:29
      |
    2 |   ada: {name: Ada Lovelace, mail: ada@example.com}
      |                             ^^^^

    error[owners-file]: the member `grace` is not under `people`
     --> owners.yaml:4:33
      |
    4 |   support-teem: {members: [ada, grace]}
      |                                 ^^^^^

    error[unknown-owner]: the owner `support-team` is not in `owners.yaml`
     --> prompts/support/greeting.yaml:3:8
      |
    3 | owner: support-team
      |        ^^^^^^^^^^^^
      |
    help: did you mean `support-teem`?

    1 prompt checked: 3 errors
    ----- stderr -----
    "#);
}

#[test]
fn a_secret_is_named_and_never_shown() {
    // Written in halves, so that no scanner takes this file for a leak.
    let key = ["sk-proj", "-Zk3dT9wLq7Rb2Xn5Vc8Mf1Hj"].concat();
    let project = Project::new();
    project.replace("prompts/support/greeting.yaml", "Write one", &format!("Use {key} for {{{{ nobody }}}}. Write one"));
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[secret]: an OpenAI key stands in the prompt
    --> prompts/support/greeting.yaml:9:7
     |
    help: revoke it, since Git keeps it; pass what a prompt needs as an input at run time

    error[undeclared-variable]: the variable `nobody` is not declared
     --> prompts/support/greeting.yaml:9:47
      |
    9 |   Use ******************************** for {{ nobody }}. Write one warm sentence that greets {{ name }}.
      |                                               ^^^^^^
      |
    help: declare it: `inputs: {nobody: {type: string}}`

    1 prompt checked: 2 errors
    ----- stderr -----
    "#);
    // Wherever in the file it stands, and whatever else is wrong with that line.
    let places = [
        GREETING.replace("owner: support-team", &format!("owner: support-team\n{key}: 1")),
        GREETING.replace("owner: support-team", &format!("owner: {key}")),
        GREETING.replace("model: ", &format!("modle: {key} ")),
        GREETING.replace("model: gpt-4o-2024-08-06", &format!("model: [{key}]")),
        GREETING.replace("tags: [support]", &format!("tags: {{{key}: 1}}")),
        GREETING.replace("version: 1", &format!("version: {key}")),
        GREETING.replace("version: 1", &format!("version: 2\nparent: {key}")),
        GREETING.replace("type: string", &format!("type: {key}")),
        GREETING.replace("id: support.greeting", &format!("id: {key}")),
        GREETING.replace("{{ name }}", &format!("{{{{ '{key}' | nofilter }}}}")),
        GREETING.replace("{{ name }}", &format!("{{% include '{key}' %}}")),
        GREETING.replace("{{ name }}", &format!("{{{{ {key} {{{{")),
        GREETING.replace("tags: [support]", &format!("tags: [support, {key}")),
        format!("{GREETING}evals: [{key}]\ncreated: {key}\n"),
        format!("{GREETING}\"{key}\n"),
        format!("{key}: {key}\n"),
        key.clone(),
    ];
    project.write("owners.yaml", "teams:\n  support-team: {members: []}\n");
    for text in places {
        project.write("prompts/support/greeting.yaml", &text);
        for format in ["human", "json", "github"] {
            let run = project.run(["check", "--format", format]);
            assert_eq!(run.exit, 1, "{text}");
            assert!(!run.to_string().contains(&key), "{run}");
        }
    }
}

#[test]
fn a_warm_cache_changes_nothing_but_the_time() {
    let project = flawed();
    for format in ["human", "json", "github"] {
        let never = project.run(["check", "--no-cache", "--format", format]).to_string();
        let warm: Vec<String> = (0..2).map(|_| project.run(["check", "--format", format]).to_string()).collect();
        assert_eq!(warm, [never.clone(), never]);
    }
    assert_eq!(project.files(".promptops/cache").len(), 1);
}

#[test]
fn a_run_without_cache_keeps_nothing() {
    let project = flawed();
    project.run(["check", "--no-cache"]);
    assert!(!project.path(".promptops").exists());
}

#[test]
fn a_changed_file_is_looked_at_again() {
    let project = Project::new();
    assert_eq!(project.run(["check"]).exit, 0);
    // The same size and the same time: only the content tells.
    let path = project.path("prompts/support/greeting.yaml");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    project.replace("prompts/support/greeting.yaml", "{{ name }}", "{{ nome }}");
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let changed = project.run(["check"]);
    assert_eq!(changed.exit, 1);
    assert!(changed.stdout.contains("`nome`"), "{changed}");
    project.replace("prompts/support/greeting.yaml", "{{ nome }}", "{{ name }}");
    assert_eq!(project.run(["check"]).exit, 0);
}

#[test]
fn a_damaged_cache_is_made_again() {
    let project = flawed();
    let expected = project.run(["check"]).to_string();
    let (path, sound) = project.files(".promptops/cache").remove(0);
    let flipped: Vec<u8> = sound.iter().enumerate().map(|(at, byte)| if at == sound.len() / 2 { !byte } else { *byte }).collect();
    // What claims a length that no memory holds, under a checksum that is right.
    let absurd = vec![0xff; 40];
    let signed = [blake3::hash(&absurd).as_bytes().as_slice(), &absurd].concat();
    let damaged = [Vec::new(), sound[..sound.len() / 2].to_vec(), b"no cache at all".to_vec(), vec![0; 4096], flipped, signed];
    for bytes in damaged {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(project.run(["check"]).to_string(), expected);
        // Other random bytes make other keys, and as many of them.
        let again = std::fs::read(&path).unwrap();
        assert!(again.len() == sound.len() && again != sound, "the cache was not made again");
        assert_eq!(project.run(["check"]).to_string(), expected);
        assert!(std::fs::read(&path).unwrap() == again, "and it is taken");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_only_mentioned() {
    let project = Project::new();
    project.write(".promptops/cache", "a file where the folder should be");
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    results were not kept in `[PROJECT]/.promptops/cache` for the next run: File exists (os error [N])
    "#);
}

#[test]
fn a_folder_that_is_read_only_is_only_mentioned() {
    let project = Project::new();
    let Some(_disk) = SmallDisk::mount(&project, ".promptops", "ro,size=64k") else {
        eprintln!("skipped: this process may not mount a read-only file system");
        return;
    };
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    results were not kept in `[PROJECT]/.promptops/cache` for the next run: Read-only file system (os error [N])
    "#);
    assert_eq!(project.run(["check", "--quiet"]).stderr, "");
}

#[test]
fn a_cache_folder_on_a_full_disk_is_only_mentioned() {
    let project = Project::new();
    let Some(disk) = SmallDisk::mount(&project, ".promptops", "size=64k") else {
        eprintln!("skipped: this process may not mount a small file system");
        return;
    };
    std::fs::create_dir(project.path(".promptops/cache")).unwrap();
    disk.fill();
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 0
    ----- stdout -----
    1 prompt checked: no findings
    ----- stderr -----
    results were not kept in `[PROJECT]/.promptops/cache` for the next run: No space left on device (os error [N])
    "#);
    let left: Vec<(std::path::PathBuf, Vec<u8>)> = project.files(".promptops/cache");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn colour_is_chosen_or_follows_the_terminal() {
    let project = flawed();
    let escape = '\u{1b}';
    let coloured = project.run(["check", "--color", "always"]).stdout;
    assert!(coloured.contains(escape), "{coloured}");
    assert!(!project.run(["check"]).stdout.contains(escape), "a pipe is no terminal");
    assert!(!project.run(["check", "--color", "always", "--format", "json"]).stdout.contains(escape));
    let plain = project.run(["check", "--color", "never"]).stdout;
    let escapes = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert_eq!(escapes.replace_all(&coloured, ""), plain, "colour carries no meaning of its own");

    let on_terminal = |settings: &[(&str, &str)]| {
        let mut command = project.promptops([""; 0]);
        let arguments = ["-qec", &format!("{} check", support::PROMPTOPS), "/dev/null"];
        let mut script = Command::new("script");
        script.args(arguments).current_dir(project.root()).env_clear().stdin(Stdio::null());
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        script.envs(settings.iter().copied());
        command.env_clear();
        script.output().map(|output| String::from_utf8(output.stdout).unwrap())
    };
    let Ok(shown) = on_terminal(&[]) else {
        eprintln!("skipped: there is no `script` to make a terminal with");
        return;
    };
    assert!(shown.contains(escape), "{shown}");
    assert!(!on_terminal(&[("NO_COLOR", "1")]).unwrap().contains(escape));
    assert!(on_terminal(&[("NO_COLOR", "")]).unwrap().contains(escape), "an empty NO_COLOR does not count");
}

#[test]
fn a_reader_that_goes_away_changes_no_verdict() {
    let project = flawed();
    for number in 0..200 {
        project.write(&format!("prompts/many/flawed-{number}.yaml"), "id: 7\nversion: none\n");
    }
    for format in ["human", "json", "github"] {
        let mut command = project.promptops(["check", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut begun = [0; 1];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut begun).unwrap();
        drop(stdout);
        let run = project.redactions();
        let run = support::Run::new(child.wait_with_output().unwrap(), &run);
        assert_eq!(run.exit, 1, "{run}");
    }
}

//! Whatever is wrong, the answer names the place and says what to do, ends with a documented exit code, never with a panic,
//! and leaves nothing half-written. (That there was no panic and that the code is documented is asserted of every run.)

#![cfg(test)]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;
use support::{GREETING, Project, SmallDisk};

const GREETING_FILE: &str = "prompts/support/greeting.yaml";
const EVAL: &str = "\
prompt: support.greeting
dataset: ../datasets/greetings.csv
case: id
metrics:
  - name: polite
    scorer: {type: contains, value: Dear}
    margin: 0.05
";

/// A project whose one prompt is this text.
fn with(text: impl AsRef<[u8]>) -> Project {
    let project = Project::new();
    project.write(GREETING_FILE, text);
    project
}

/// A committed project with a registry in which its prompt is published.
fn published() -> Project {
    let project = Project::committed();
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    assert_eq!(project.run(["publish"]).exit, 0);
    project
}

/// A committed project with an eval of its prompt.
fn evaluated() -> Project {
    let project = Project::new();
    project.replace(GREETING_FILE, "gpt-4o-2024-08-06", "offline-small-1");
    project.write(
        GREETING_FILE,
        format!("{}evals: [evals/greeting.yaml]\n", std::fs::read_to_string(project.path(GREETING_FILE)).unwrap()),
    );
    project.write("evals/greeting.yaml", EVAL);
    project.write("datasets/greetings.csv", "id,name\n1,Ada\n2,Grace\n");
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.commit("Greet people");
    project
}

/// A loopback address that nobody listens on.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn yaml_that_is_none() {
    assert_snapshot!(with("id: support.greeting\ntags: [support\nversion: 1\n").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[yaml-syntax]: illegal placement of ':' indicator
     --> prompts/support/greeting.yaml:3:8
      |
    3 | version: 1
      |        ^

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    assert_snapshot!(with("id: support.greeting\n\tversion: 1\n").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[yaml-syntax]: while scanning a plain scalar, found a tab
     --> prompts/support/greeting.yaml:1:5
      |
    1 | id: support.greeting
      |     ^

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    assert_snapshot!(with("").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[missing-field]: the file is empty
    --> prompts/support/greeting.yaml:1:1
     |
    help: required are `id`, `version`, `owner`, `model`, `tags`, and `template` or `messages`

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    assert_snapshot!(with("just a sentence\n").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[wrong-type]: a prompt is a mapping, not a text
     --> prompts/support/greeting.yaml:1:1
      |
    1 | just a sentence
      | ^^^^^^^^^^^^^^^

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    assert_snapshot!(with("id: a\n---\nid: b\n").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[yaml-syntax]: a second document starts here; a file holds one prompt
     --> prompts/support/greeting.yaml:2:1
      |
    2 | ---
      | ^^^

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
}

#[test]
fn fields_of_the_wrong_type() {
    let text = "id: {a: 1}\nversion: 1.5\nowner: 7\nmodel: null\ntags: support\ninputs: [name]\nparent: [1]\nmessages: hello\nmetrics: 3\n";
    assert_snapshot!(with(text).run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[wrong-type]: `id` must be a text, not a mapping
     --> prompts/support/greeting.yaml:1:5
      |
    1 | id: {a: 1}
      |     ^^^^^^

    error[wrong-type]: `version` must be a whole number from 1, not `1.5`
     --> prompts/support/greeting.yaml:2:10
      |
    2 | version: 1.5
      |          ^^^

    error[wrong-type]: `owner` must be a text, not a number
     --> prompts/support/greeting.yaml:3:8
      |
    3 | owner: 7
      |        ^

    error[wrong-type]: `model` must be a text, not nothing
     --> prompts/support/greeting.yaml:4:8
      |
    4 | model: null
      |        ^^^^

    error[wrong-type]: `tags` must be a list of texts, not a text
     --> prompts/support/greeting.yaml:5:7
      |
    5 | tags: support
      |       ^^^^^^^

    error[wrong-type]: `inputs` must be a mapping of variable to JSON Schema, not a list
     --> prompts/support/greeting.yaml:6:9
      |
    6 | inputs: [name]
      |         ^^^^^^

    error[wrong-type]: `parent` must be a version from 1, or `other.prompt@3`
     --> prompts/support/greeting.yaml:7:9
      |
    7 | parent: [1]
      |         ^^^

    error[wrong-type]: `messages` must be a list of `role` and `content`, not a text
     --> prompts/support/greeting.yaml:8:11
      |
    8 | messages: hello
      |           ^^^^^

    error[wrong-type]: `metrics` must be a mapping, not a number
     --> prompts/support/greeting.yaml:9:10
      |
    9 | metrics: 3
      |          ^

    1 prompt checked: 9 errors
    ----- stderr -----
    "#);
    let numbers = GREETING.replace("version: 1", "version: 99999999999999999999\nmetrics: {accuracy: .nan}");
    assert_snapshot!(with(numbers).run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[wrong-type]: `99999999999999999999` is larger than 2^53 and would lose digits as JSON; write it in quotes
     --> prompts/support/greeting.yaml:2:10
      |
    2 | version: 99999999999999999999
      |          ^^^^^^^^^^^^^^^^^^^^

    error[wrong-type]: `version` must be a whole number from 1, not `99999999999999999999`
     --> prompts/support/greeting.yaml:2:10
      |
    2 | version: 99999999999999999999
      |          ^^^^^^^^^^^^^^^^^^^^

    error[wrong-type]: `.nan` has no place in JSON; write a number
     --> prompts/support/greeting.yaml:3:21
      |
    3 | metrics: {accuracy: .nan}
      |                     ^^^^

    1 prompt checked: 3 errors
    ----- stderr -----
    "#);
}

#[test]
fn a_key_that_stands_twice() {
    assert_snapshot!(with(GREETING.replace("version: 1", "version: 1\nversion: 2")).run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[duplicate-key]: the key `version` stands twice
     --> prompts/support/greeting.yaml:3:1
      |
    3 | version: 2
      | ^^^^^^^

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
}

#[test]
fn an_alias_bomb() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_snapshot!(with(bomb).run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[file-limit]: more than 100000 values after aliases are expanded
     --> prompts/support/greeting.yaml:5:45
      |
    5 | a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]
      |                                             ^^^

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
}

#[test]
fn values_nested_too_deeply() {
    for levels in [70, 5000] {
        let deep = format!("{GREETING}metrics: {}{}\n", "[".repeat(levels), "]".repeat(levels));
        let run = with(deep).run(["check", "--format", "github"]);
        assert_eq!(run.exit, 1);
        assert!(run.stdout.contains("file-limit::nested deeper than 64 levels"), "{run}");
    }
}

#[test]
fn a_file_larger_than_memory() {
    let project = Project::new();
    let file = |name: &str, bytes: u64| File::create(project.path(name)).unwrap().set_len(bytes).unwrap();
    file("prompts/support/large.yaml", 100 << 20);
    // If it were read as a whole no memory would hold it, and the test would not end.
    file("prompts/support/larger.yaml", 1 << 40);
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[file-limit]: the file is larger than the 1048576 bytes that are read
    --> prompts/support/large.yaml
     |
    help: a file of this size is no prompt: move it out of the prompts folder

    error[file-limit]: the file is larger than the 1048576 bytes that are read
    --> prompts/support/larger.yaml
     |
    help: a file of this size is no prompt: move it out of the prompts folder

    3 prompts checked: 2 errors
    ----- stderr -----
    "#);
}

#[test]
fn a_large_file_in_the_history() {
    let project = Project::new();
    project.write("prompts/support/large.yaml", "# filler\n".repeat(1_000_000));
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.commit("A large file");
    assert_snapshot!(project.run(["check", "--base", "HEAD"]), @r#"
    exit: 1
    ----- stdout -----
    error[file-limit]: the file is larger than the 1048576 bytes that are read
    --> prompts/support/large.yaml
     |
    help: a file of this size is no prompt: move it out of the prompts folder

    2 prompts checked: 1 error
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["history", "support.greeting"]), @r#"
    exit: 0
    ----- stdout -----
    @1   parent -    2026-03-02T08:00:00Z  [COMMIT]  Ada Lovelace <ada@example.com>  prompts/support/greeting.yaml  A large file
    ----- stderr -----
    "#);
}

#[test]
fn bytes_that_are_no_text() {
    assert_snapshot!(with(b"id: support.greeting\nowner: caf\xe9\n").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[yaml-syntax]: the file is not UTF-8; the first wrong byte is number 32
    --> prompts/support/greeting.yaml
     |
    help: save it as UTF-8

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    assert_snapshot!(with(b"\xff\xfei\0d\0").run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[yaml-syntax]: the file is not UTF-8; the first wrong byte is number 1
    --> prompts/support/greeting.yaml
     |
    help: save it as UTF-8

    1 prompt checked: 1 error
    ----- stderr -----
    "#);
    let project = Project::new();
    project.write("owners.yaml", b"teams: {\xe9: {}}\n");
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/owners.yaml`
      cause: it is not text in UTF-8; the first wrong byte is number 9
    hint: put a text file in UTF-8 there
    "#);
    project.write("promptops.toml", b"[prompts]\npath = \"\xe9\"\n");
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/promptops.toml`
      cause: it is not text in UTF-8; the first wrong byte is number 19
    hint: put a text file in UTF-8 there
    "#);
}

#[test]
fn prompts_that_include_each_other() {
    let project = Project::new();
    let prompt = |id: &str, other: &str| {
        GREETING.replace("support.greeting", id).replace("Write one", &format!("{{% include \"{other}@1\" %}} Write one"))
    };
    project.write(GREETING_FILE, prompt("support.greeting", "support.farewell"));
    project.write("prompts/support/farewell.yaml", prompt("support.farewell", "support.greeting").replace("warm", "last"));
    assert_snapshot!(project.run(["check"]), @r#"
    exit: 1
    ----- stdout -----
    error[include-cycle]: the includes form a cycle: support.farewell@1 → support.greeting@1 → support.farewell@1
     --> prompts/support/greeting.yaml:9:14
      |
    9 |   {% include "support.farewell@1" %} Write one warm sentence that greets {{ name }}.
      |              ^^^^^^^^^^^^^^^^^^^^
      |
    help: move what both need into a third prompt

    2 prompts checked: 1 error
    ----- stderr -----
    "#);
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.commit("A cycle");
    assert_snapshot!(project.run(["show", "support.greeting@1"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: the includes of `support.farewell@1` do not end
    hint: run `promptops check`
    "#);
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    assert_snapshot!(project.run(["publish"]), @r#"
    exit: 4
    ----- stdout -----
    version             result   digest  commit      author
    support.greeting@1  refused  -       [COMMIT]  ada@example.com
    support.farewell@1  refused  -       [COMMIT]  ada@example.com
    2 refused
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    warning: `support.greeting@1` includes `support.farewell@1`, which is not published (hint: publish that version first)
    warning: `support.farewell@1` includes `support.greeting@1`, which is not published (hint: publish that version first)
    "#);
    assert_snapshot!(project.run(["list"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    no published prompt fits
    "#);
}

#[test]
fn a_template_without_end() {
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% set x = a %}{% endfor %}{% endfor %}";
    let project = evaluated();
    project.replace(GREETING_FILE, "Write one", &format!("{endless} Write one"));
    assert_eq!(project.run(["check"]).exit, 0);
    assert_snapshot!(project.run(["eval", "--url", "http://127.0.0.1:9/v1"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot render `support.greeting@1`
      cause: template, line 1: the template takes more than 1000000 steps; is there an endless loop?
    hint: correct the template, or the columns of the dataset that it is filled from
    "#);
    let huge = "{% for a in range(90000) %}{{ 'x' * 100 }}{% endfor %}";
    project.replace(GREETING_FILE, endless, huge);
    assert_snapshot!(project.run(["eval", "--url", "http://127.0.0.1:9/v1"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot render `support.greeting@1`
      cause: template: the output is larger than 4194304 bytes
    hint: correct the template, or the columns of the dataset that it is filled from
    "#);
}

#[test]
fn a_registry_that_is_not_there() {
    let project = Project::committed();
    assert_snapshot!(project.run(["list"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no registry at `file://.promptops/registry`
    hint: run `promptops registry init`, or correct the URL
    "#);
    assert_snapshot!(project.run(["lock", "support.greeting@1"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no registry at `file://.promptops/registry`
    hint: run `promptops registry init`, or correct the URL
    "#);
    assert_snapshot!(project.run(["publish"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    error: there is no registry at `file://.promptops/registry`
    hint: run `promptops registry init`, or correct the URL
    "#);
    assert_snapshot!(project.run(["registry", "verify"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: there is no registry at `file://.promptops/registry`
    hint: run `promptops registry init`, or correct the URL
    "#);
    assert_snapshot!(project.run(["list", "--registry", "ftp://example.com/registry"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: unknown scheme, known are file, memory, s3, gs, az and https: `ftp://example.com/registry`
    hint: write `file:///folder`, `file://folder` (relative), `memory://`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `https://host`
    "#);
    assert!(!project.path(".promptops/registry").exists(), "a question made the registry");
    assert!(!project.path("promptops.lock").exists());
}

#[test]
fn an_object_of_the_registry_that_is_damaged() {
    let project = published();
    assert_eq!(project.run(["lock", "support.greeting@1"]).exit, 0);
    let (path, sound) = project.files(".promptops/registry/blobs").remove(0);
    let mut flipped = sound.clone();
    flipped[10] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    assert_snapshot!(project.run(["bundle"]), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: the content was altered, it has digest `sha256:1d7e4ff7bbedbf32c4a057b13c9dea68016461c9571ae856c57b7d24b6d4a7d8`: `blobs/sha256/ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7`
    hint: run `promptops registry verify`, and find out what else writes to this store
    "#);
    assert_snapshot!(project.run(["registry", "verify"]), @r#"
    exit: 1
    ----- stdout -----
    damage blobs/sha256/ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7: the object was altered, it has digest `sha256:1d7e4ff7bbedbf32c4a057b13c9dea68016461c9571ae856c57b7d24b6d4a7d8`
      to do: restore the object from a copy, and find out who else writes to this store
    damaged: 8 objects read, 1 problems; the log ends at [HEAD]
    ----- stderr -----
    "#);
    std::fs::write(&path, &sound[..20]).unwrap();
    assert_snapshot!(project.run(["bundle"]), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: the content was altered, it has digest `sha256:35bd1f343648afbf2a0b4005669ca6eb00c062f0fc0f8daecd0e3e7d29b5025a`: `blobs/sha256/ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7`
    hint: run `promptops registry verify`, and find out what else writes to this store
    "#);
    std::fs::remove_file(&path).unwrap();
    assert_snapshot!(project.run(["bundle"]), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: the content is missing: `blobs/sha256/ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7`
    hint: run `promptops registry verify`, and find out what else writes to this store
    "#);
    assert_eq!(project.run(["registry", "verify"]).exit, 1);
    assert!(!project.path("prompts.bundle").exists(), "half a bundle stayed behind");
    std::fs::write(&path, sound).unwrap();
    assert_eq!(project.run(["bundle"]).exit, 0);
}

#[test]
fn a_record_of_the_registry_that_is_damaged() {
    let project = published();
    let record = ".promptops/registry/prompts/support.greeting/0000000001.json";
    let sound = std::fs::read_to_string(project.path(record)).unwrap();
    project.write(record, &sound[..12]);
    assert_snapshot!(project.run(["lock", "support.greeting@1"]), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: the object is not JSON (EOF while parsing a string at line 1 column 12): `prompts/support.greeting/0000000001.json`
    hint: run `promptops registry verify`, and find out what else writes to this store
    "#);
    assert_snapshot!(project.run(["list"]), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: the object is not JSON (EOF while parsing a string at line 1 column 12): `prompts/support.greeting/0000000001.json`
    hint: run `promptops registry verify`, and find out what else writes to this store
    "#);
    assert_snapshot!(project.run(["registry", "verify"]), @r#"
    exit: 1
    ----- stdout -----
    unfinished blobs/sha256/ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7: nothing refers to the object
      to do: repeat the command that was interrupted, or leave it: nothing refers to it
    damage prompts/support.greeting/0000000001.json: the object is not JSON (EOF while parsing a string at line 1 column 12): `prompts/support.greeting/0000000001.json`
      to do: restore the object from a copy, and find out who else writes to this store
    damage prompts/support.greeting/0000000001.json: the object was altered; batch 2 of the log has another digest
      to do: compare with a copy, and find out who else writes to this store
    damaged: 8 objects read, 3 problems; the log ends at [HEAD]
    ----- stderr -----
    "#);
    assert!(!project.path("promptops.lock").exists());
    project.write(record, sound.replace("sha256:", "sha256:0"));
    assert_snapshot!(project.run(["lock", "support.greeting@1"]), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: the object has another shape (a digest is `sha256:` and 64 lower-case hexadecimal digits; got `sha256:0ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7`): `prompts/support.greeting/0000000001.json`
    hint: run `promptops registry verify`, and find out what else writes to this store
    "#);
}

#[test]
fn a_full_disk_under_the_registry() {
    let project = Project::committed();
    let Some(disk) = SmallDisk::mount(&project, "disk", "size=256k") else {
        eprintln!("skipped: this process may not mount a small file system");
        return;
    };
    let registry = ["--registry", "file://disk/registry"];
    let run = |arguments: &[&str]| project.run([arguments, &registry].concat());
    disk.fill();
    assert_snapshot!(run(&["registry", "init"]), @r#"
    exit: 8
    ----- stdout -----
    ----- stderr -----
    error: no space is left to store `probes/init`
      cause: Generic file error: No space left on device (os error [N])
    hint: make room, then run the same command again: nothing half-written is left
    "#);
    disk.empty();
    assert_eq!(run(&["registry", "init"]).exit, 0);
    let before = project.files("disk/registry");
    disk.fill();
    assert_snapshot!(run(&["publish"]), @r#"
    exit: 8
    ----- stdout -----
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    error: no space is left to store `namespaces/support.json`
      cause: Generic file error: No space left on device (os error [N])
    hint: make room, then run the same command again: nothing half-written is left
    "#);
    assert_eq!(project.files("disk/registry/prompts"), [], "a version became visible");
    disk.empty();
    assert_snapshot!(run(&["registry", "verify", "--read-only"]), @r#"
    exit: 0
    ----- stdout -----
    sound: 3 objects read, 0 problems; the log ends at [HEAD]
    ----- stderr -----
    "#);
    assert!(project.files("disk/registry").len() <= before.len() + 1);
    // Repeating completes what was begun.
    assert_eq!(run(&["publish"]).exit, 0);
    assert_eq!(run(&["registry", "verify"]).exit, 0);

    let lock = ["lock", "support.greeting@1", "--out", "disk/promptops.lock"];
    disk.fill();
    assert_snapshot!(run(&lock), @r#"
    exit: 8
    ----- stdout -----
    ----- stderr -----
    error: cannot write `[PROJECT]/disk/promptops.lock`
      cause: No space left on device (os error [N])
    hint: make room on the disk, then run the same command again
    "#);
    assert!(!project.path("disk/promptops.lock").exists(), "half a lock stayed behind");
    disk.empty();
    assert_eq!(run(&lock).exit, 0);
    let whole = std::fs::read(project.path("disk/promptops.lock")).unwrap();
    disk.fill();
    assert_eq!(run(&lock).exit, 8);
    assert!(std::fs::read(project.path("disk/promptops.lock")).unwrap() == whole, "the lock that was there is gone");
}

#[test]
fn a_full_disk_under_the_lake() {
    let project = Project::new();
    project.write("promptops.toml", "[lake]\nurl = \"file://disk/lake\"\n");
    project
        .write("answers.csv", "time,prompt_id\n2026-05-01T08:00:00Z,support.greeting\n2026-05-01T09:00:00Z,support.greeting\n");
    let Some(disk) = SmallDisk::mount(&project, "disk", "size=256k") else {
        eprintln!("skipped: this process may not mount a small file system");
        return;
    };
    disk.fill();
    assert_snapshot!(project.run(["invocations", "import", "answers.csv"]), @r#"
    exit: 8
    ----- stdout -----
    ----- stderr -----
    error: the store of the lake failed to write `invocations/day=2026-05-01/hour=08/0000000001.parquet`
      cause: Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error [N])
    hint: make room on the disk, then run the same command again
    "#);
    assert_eq!(project.files("disk/lake"), [], "a file stayed behind");
    assert_eq!(project.run(["stats"]).exit, 0);
    disk.empty();
    assert_eq!(
        project.run(["invocations", "import", "answers.csv"]).stdout,
        "answers.csv: 2 imported, 0 already there, 0 left out\n"
    );
}

#[test]
fn an_answer_that_finds_no_room() {
    let project = Project::new();
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: there is no /dev/full here");
        return;
    };
    let mut command = project.promptops(["check"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    assert_snapshot!(support::Run::new(child.wait_with_output().unwrap(), &project.redactions()), @r#"
    exit: 8
    ----- stdout -----
    ----- stderr -----
    error: cannot write the answer to `stdout`
      cause: No space left on device (os error [N])
    hint: make room on the disk, then run the same command again
    "#);
}

#[test]
fn a_model_that_nobody_serves() {
    let project = evaluated();
    assert_snapshot!(project.run(["eval"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot evaluate `support.greeting@1`
      cause: the provider knows no such model or address: no `[providers.…]` of promptops.toml has `offline-small-1` among its `models`
    hint: check the provider's `url` (it ends in `/v1` at most providers) and the prompt's `model`
    "#);
    let url = format!("http://{}/v1", closed_port());
    assert_snapshot!(project.run(["eval", "--url", &url]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: cannot evaluate `support.greeting@1`
      cause: cannot reach `http://127.0.0.1:[PORT]/v1`: Connection refused (os error [N])
    hint: check the provider's `url` and that its server runs, or replay recordings
    "#);
    assert_snapshot!(project.run(["eval", "--url", "localhost"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot reach `localhost`: relative URL without a base
    hint: check the provider's `url` and that its server runs, or replay recordings
    "#);
    assert_snapshot!(project.run(["eval", "--replay", "only"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: 2 of 2 answers are not recorded in `[PROJECT]/evals/recordings/greeting.jsonl`, the first for case `1` of `support.greeting@1`
    hint: record them with `promptops eval support.greeting --replay auto` and commit the file
    "#);
}

/// The offline model in a process of its own, which wants a key; it ends with the value.
struct Model(Child);

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_that_is_wrong() {
    let project = evaluated();
    let mut command = project.promptops(["offline-model", "serve", "--port", "0", "--key", "the-right-key"]);
    let mut model = Model(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(model.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    project.write(
        "promptops.toml",
        format!(
            "[providers.offline]\nkind = \"openai\"\nmodels = [\"offline-*\"]\nurl = \"{url}\"\napi_key_env = \"OFFLINE_KEY\"\n"
        ),
    );
    let with_key = |key: &str| {
        let mut command: Command = project.promptops(["eval"]);
        command.env("OFFLINE_KEY", key);
        project.finish(command)
    };
    let refused = with_key("the-wrong-key");
    assert_snapshot!(refused, @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: cannot evaluate `support.greeting@1`
      cause: the provider refuses the key (status 401): `incorrect API key provided`
    hint: set the environment variable that the provider's `api_key_env` names to a valid key of an account that can pay
    "#);
    assert!(!refused.to_string().contains("the-wrong-key"));
    assert_snapshot!(with_key(""), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: cannot evaluate `support.greeting@1`
      cause: the provider refuses the key (status 401): `incorrect API key provided`
    hint: set the environment variable that the provider's `api_key_env` names to a valid key of an account that can pay
    "#);
    assert_eq!(project.files("evals").len(), 1, "a refusal was recorded");
}

#[test]
fn a_store_that_does_not_answer() {
    let project = Project::committed();
    project.write("promptops.toml", "[lake]\nurl = \"s3://records/lake\"\n");
    let run = |arguments: &[&str]| {
        let mut command = project.promptops(arguments);
        command.env("AWS_ENDPOINT", format!("http://{}", closed_port())).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "the-secret-of-the-key");
        command.env("AWS_REGION", "eu-west-1");
        let run = project.finish(command);
        assert!(!run.to_string().contains("the-secret-of-the-key"));
        run
    };
    assert_snapshot!(run(&["list", "--registry", "s3://prompts/registry"]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: the store did not answer for `format.json`
      cause: Generic S3 error: Error performing GET http://127.0.0.1:[PORT]/prompts/registry/format.json in [TIME], after 5 retries, max_retries: 5, retry_timeout: 30s  - HTTP error: error sending request
    hint: check the endpoint, region and network, then run the same command again: repeating is safe
    "#);
    assert_snapshot!(run(&["stats"]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: the store of the lake failed to list `landing`
      cause: Generic S3 error: Error performing list request: Error performing GET http://127.0.0.1:[PORT]/records?list-type=2&prefix=lake%2Flanding%2F in [TIME], after 5 retries, max_retries: 5, retry_timeout: 30s  - HTTP error: error sending request
      cause: client error (Connect)
      cause: tcp connect error
      cause: Connection refused (os error [N])
    hint: check disk, network and credentials, then run the same command again: repeating is safe
    "#);
    project.write("calls.jsonl", "{\"time\":\"2026-05-01T10:00:00Z\"}\n");
    assert_snapshot!(run(&["invocations", "import", "calls.jsonl"]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: the store of the lake failed to list `invocations/day=2026-05-01/hour=10`
      cause: Generic S3 error: Error performing list request: Error performing GET http://127.0.0.1:[PORT]/records?list-type=2&prefix=lake%2Finvocations%2Fday%3D2026-05-01%2Fhour%3D10%2F in [TIME], after 5 retries, max_retries: 5, retry_timeout: 30s  - HTTP error: error sending request
      cause: client error (Connect)
      cause: tcp connect error
      cause: Connection refused (os error [N])
    hint: check disk, network and credentials, then run the same command again: repeating is safe
    "#);
    assert_snapshot!(project.run(["list", "--registry", "s3://"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the URL names no bucket: `s3://`
    hint: write `file:///folder`, `file://folder` (relative), `memory://`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `https://host`
    "#);
}

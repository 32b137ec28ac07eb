//! The registry's commands, end to end: the built binary on a small Git repository.

#![cfg(test)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A Git repository with two prompts, one of them sensitive, in two versions.
struct Desk {
    folder: TempDir,
    registry: Option<String>,
    settings: Vec<(&'static str, String)>,
}

/// What a command did.
struct Ran {
    exit: i32,
    stdout: String,
    stderr: String,
}

const CONFIG: &str = r#"
[environments.prod]
protected = true
evidence = ["eval"]
[[policy.sensitive]]
tags = ["legal"]
groups = ["compliance"]
"#;
const TONE: &str = "id: shared.tone\nversion: 1\nowner: support\nmodel: m\ntags: [shared]\ntemplate: Be kind.\n";
const REPLY: &str = r#"id: support.reply
version: 1
owner: support
model: m
tags: [legal]
inputs: {message: {type: string}}
template: |
  {% include "shared.tone@1" %}
  Answer: {{ message }}
"#;

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), registry: None, settings: Vec::new() };
        desk.git(&["init", "--quiet", "--initial-branch", "main"]);
        let made = desk.shell("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "bob", "-f", "bob_key"]);
        assert!(made.status.success(), "{made:?}");
        let key = std::fs::read_to_string(desk.path("bob_key.pub")).unwrap();
        let people = format!(
            "people:\n  ann: {{email: ann@example.com}}\n  bob: {{email: bob@example.com, keys: [\"{}\"]}}\n\
             teams:\n  support: {{members: [ann]}}\n  compliance: {{members: [bob]}}\n",
            key.trim()
        );
        desk.write("owners.yaml", &people);
        desk.write(".gitignore", ".promptops/\nbob_key*\n*.json\n*.bundle\n*.lock\n");
        desk.write("promptops.toml", CONFIG);
        desk.write("prompts/shared/tone.yaml", TONE);
        desk.write("prompts/support/reply.yaml", REPLY);
        desk.commit("one");
        let second = REPLY.replace("version: 1", "version: 2\nparent: 1").replace("Answer:", "Answer briefly:");
        desk.write("prompts/support/reply.yaml", &second);
        desk.commit("two");
        desk
    }

    /// The same with a registry in which both prompts are published.
    fn published() -> Self {
        let desk = Self::new();
        desk.run(&["registry", "init"]).well();
        desk.run(&["publish"]).well();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn shell(&self, program: &str, arguments: &[&str]) -> Output {
        let path = Command::new("sh").args(["-c", "printf %s \"$PATH\""]).output().unwrap().stdout;
        Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", String::from_utf8(path).unwrap())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "Ann")
            .env("GIT_AUTHOR_EMAIL", "ann@example.com")
            .env("GIT_COMMITTER_NAME", "Ann")
            .env("GIT_COMMITTER_EMAIL", "ann@example.com")
            .env("PROMPTOPS_ACTOR", "rel@example.com")
            .envs(self.settings.iter().cloned())
            .output()
            .unwrap()
    }

    fn git(&self, arguments: &[&str]) {
        let output = self.shell("git", arguments);
        assert!(output.status.success(), "{output:?}");
    }

    fn commit(&self, title: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", title]);
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut all: Vec<&str> = arguments.to_vec();
        if let Some(url) = &self.registry {
            all.extend(["--registry", url]);
        }
        let output = self.shell(env!("CARGO_BIN_EXE_promptops"), &all);
        Ran {
            exit: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(arguments).well()).unwrap()
    }

    /// Approves the version as Bob, plans and deploys it.
    fn deploy(&self, version: &str) -> String {
        self.run(&["approve", version, "--env", "prod", "--key", "bob_key"]).well();
        self.run(&["plan", "--env", "prod", version, "--out", "plan.json"]).well();
        self.run(&["deploy", "plan.json"]).well()
    }
}

impl Ran {
    /// Asserts that all was well and returns the answer.
    fn well(self) -> String {
        assert_eq!(self.exit, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts the exit code and that stderr says something.
    fn refused(self, exit: i32, saying: &str) {
        assert_eq!(self.exit, exit, "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(saying), "{}", self.stderr);
    }
}

fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn publishes_what_git_has_in_the_order_of_what_it_needs() {
    let desk = Desk::new();
    desk.run(&["publish"]).refused(4, "there is no registry at");
    assert!(desk.run(&["registry", "init", "--dry-run"]).well().starts_with("would make a registry at file://"));
    assert_eq!(files(&desk.path(".promptops/registry")), 0);
    assert!(desk.run(&["registry", "init"]).well().starts_with("made a registry at file://"));
    assert!(desk.run(&["registry", "init"]).well().starts_with("there is a registry at file://"));

    let before = files(&desk.path(".promptops/registry"));
    let dry = desk.run(&["publish", "--dry-run"]).well();
    assert_eq!(dry.matches("would be published").count(), 3, "{dry}");
    assert_eq!(files(&desk.path(".promptops/registry")), before, "a dry run writes nothing");

    let published = desk.run(&["publish"]).well();
    let versions: Vec<&str> = published.lines().skip(1).filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(versions, ["shared.tone@1", "support.reply@1", "support.reply@2", "3 published"]);
    assert!(desk.run(&["publish"]).well().ends_with("3 already there\n"));

    let list = desk.json(&["list", "--format", "json"]);
    assert_eq!(list["version"], 1);
    assert_eq!(list["prompts"][1]["id"], "support.reply");
    assert_eq!(list["prompts"][1]["versions"], serde_json::json!([1, 2]));
    assert_eq!(list["prompts"][1]["latest"]["author"], "ann@example.com");
    assert_eq!(list["prompts"][1]["latest"]["published_by"], "rel@example.com");
    let history = desk.json(&["history", "support.reply", "--json"]);
    assert_eq!(list["prompts"][1]["latest"]["digest"], history["versions"][1]["digest"]);
}

#[test]
fn a_published_version_cannot_change() {
    let desk = Desk::published();
    let altered = REPLY.replace("version: 1", "version: 2\nparent: 1").replace("Answer:", "Answer at length:");
    desk.write("prompts/support/reply.yaml", &altered);
    desk.run(&["publish"]).refused(1, "these files differ from the last commit:\n  - prompts/support/reply.yaml");
    desk.commit("alter");
    let dry = desk.run(&["publish", "--dry-run"]);
    assert!(dry.exit == 5 && dry.stdout.contains("would be refused: published with other content"), "{}", dry.stdout);
    let ran = desk.run(&["publish"]);
    assert!(ran.stdout.contains("1 refused"), "{}", ran.stdout);
    ran.refused(5, "`support.reply@2` is published with digest");
    desk.run(&["publish", "nobody.knows"]).refused(4, "HEAD has no prompt `nobody.knows`");

    // What is said about a version may change.
    let described = REPLY.replace("version: 1", "version: 2\nparent: 1").replace("Answer:", "Answer briefly:");
    desk.write("prompts/support/reply.yaml", &described.replace("[legal]", "[legal, reply]"));
    desk.commit("describe");
    assert!(desk.run(&["publish"]).well().contains("1 metadata recorded"));
    assert!(desk.run(&["list", "--tag", "reply"]).well().contains("support.reply"));
    desk.run(&["registry", "verify"]).well();
}

#[test]
fn a_sensitive_version_is_deployed_once_it_is_approved() {
    let desk = Desk::published();
    let plan = desk.run(&["plan", "--env", "prod", "support.reply@1", "shared.tone", "--out", "plan.json"]).well();
    assert!(plan.contains("+ support.reply@1\n    ✗ approval of `compliance`\n"), "{plan}");
    assert!(plan.ends_with("A deploy would be refused: 1 demand is not met.\n"), "{plan}");
    desk.run(&["deploy", "plan.json"]).refused(1, "support.reply@1: approval of `compliance` is missing");
    desk.run(&["environment", "history", "--env", "prod"]).refused(4, "nothing is deployed");

    let approve = ["approve", "support.reply@1", "--env", "prod", "--key", "bob_key"];
    assert!(desk.run(&[&approve[..], &["--dry-run"]].concat()).well().starts_with("would approve support.reply@1 for prod"));
    desk.run(&["deploy", "plan.json"]).refused(1, "approval of `compliance` is missing");
    desk.run(&[&approve[..], &["--group", "support"]].concat()).refused(1, "`bob` is not a member of `support`");
    assert!(desk.run(&approve).well().starts_with("approved: support.reply@1 for prod until"));

    assert!(desk.run(&["deploy", "plan.json", "--dry-run"]).well().ends_with("nothing was deployed (--dry-run)\n"));
    desk.run(&["environment", "history", "--env", "prod"]).refused(4, "nothing is deployed");
    assert!(desk.run(&["deploy", "plan.json"]).well().ends_with("deployed: prod is at release 1\n"));
    let release = desk.json(&["environment", "history", "--env", "prod", "--json"]);
    let head = String::from_utf8(desk.shell("git", &["rev-parse", "main"]).stdout).unwrap();
    assert_eq!(release["rules"], head.trim());
    assert!(desk.run(&["deploy", "plan.json"]).well().ends_with("nothing changed: prod is at release 1 already\n"));

    let plan = desk.json(&["plan", "--env", "prod", "--format", "json"]);
    assert_eq!((&plan["format"], &plan["base"]["sequence"]), (&1.into(), &1.into()));
    assert_eq!(plan["changes"][0]["id"], "support.reply");
    assert_eq!(plan["changes"][0]["differences"][0]["class"], "behavioural");
    let shown = desk.run(&["plan", "--env", "prod"]).well();
    assert!(shown.contains("~ support.reply@1 → @2  behavioural"), "{shown}");
    assert!(shown.contains("[-Answer:-]{+Answer briefly:+} {{ message }}"), "{shown}");
}

#[test]
fn rules_come_from_git_and_not_from_the_proposal() {
    let desk = Desk::published();
    desk.run(&["plan", "--env", "prod", "support.reply@1", "--out", "plan.json"]).well();
    // Neither an edited file nor a commit on a branch of one's own makes the rules softer.
    desk.write("promptops.toml", "[environments.prod]\n");
    desk.run(&["deploy", "plan.json"]).refused(1, "approval of `compliance` is missing");
    desk.git(&["switch", "--quiet", "--create", "mine"]);
    desk.commit("no rules");
    let ran = desk.run(&["deploy", "plan.json"]);
    assert!(ran.stderr.contains("rules: promptops.toml and owners.yaml as of main ("), "{}", ran.stderr);
    ran.refused(1, "approval of `compliance` is missing");
}

#[test]
fn goes_back_and_knows_what_was_live() {
    let desk = Desk::published();
    desk.deploy("support.reply@1");
    let history = desk.json(&["environment", "history", "--env", "prod", "--json"]);
    let first = history["time"].as_str().unwrap();
    desk.deploy("support.reply@2");
    desk.run(&["rollback", "--env", "prod", "--dry-run"]).well();
    let back = desk.run(&["rollback", "--env", "prod", "--reason", "complaints"]).well();
    assert_eq!(
        back,
        "prod: from release 2 to the pins of release 1\n  ~ support.reply @2 → @1  behavioural\nrolled back: prod is at release 3\n"
    );
    desk.run(&["rollback", "--env", "prod"]).refused(4, "environment `prod` has no earlier release to go back to");
    let history = desk.run(&["environment", "history", "--env", "prod"]).well();
    assert_eq!(history.lines().count(), 3);
    assert!(history.ends_with("rollback to 1  rel@example.com  complaints\n"), "{history}");
    assert!(desk.run(&["environment", "list"]).well().contains("prod"));

    desk.run(&["at", "--env", "prod", "2000-01-01"]).refused(4, "nothing is deployed");
    let at = desk.json(&["at", "--env", "prod", first, "--format", "json"]);
    assert_eq!((&at["version"], &at["release"]["sequence"]), (&1.into(), &1.into()));
    let now = desk.run(&["at", "--env", "prod", "2100-01-01"]).well();
    assert!(now.contains("rollback to 1") && now.contains("support.reply@1  sha256:"), "{now}");
}

#[test]
fn a_stale_plan_is_refused() {
    let desk = Desk::published();
    desk.run(&["plan", "--env", "prod", "shared.tone", "--out", "stale.json"]).well();
    desk.deploy("support.reply@1");
    desk.run(&["deploy", "stale.json"]).refused(5, "environment `prod` moved: the plan starts from nothing deployed");
    desk.run(&["plan", "--env", "prd"]).refused(4, "the configuration names no environment `prd`");
    desk.write("broken.json", "{");
    desk.run(&["deploy", "broken.json"]).refused(2, "the plan is not readable");
    desk.run(&["deploy", "absent.json"]).refused(4, "cannot read");
}

#[test]
fn evals_are_demanded_where_they_are_named() {
    let desk = Desk::new();
    desk.run(&["registry", "init"]).well();
    let with_eval = TONE.replace("version: 1", "version: 2\nparent: 1\nevals: [evals/tone.yaml]");
    desk.write("prompts/shared/tone.yaml", &with_eval);
    desk.commit("name an eval");
    desk.run(&["publish"]).well();
    desk.run(&["plan", "--env", "prod", "shared.tone", "--out", "plan.json"]).well();
    desk.run(&["deploy", "plan.json"]).refused(1, "shared.tone@2: a passing run of `evals/tone.yaml` is missing");

    let list = desk.json(&["list", "--format", "json"]);
    let digest = list["prompts"][0]["latest"]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let statement = |verdict: &str| {
        serde_json::json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "shared.tone@2", "digest": {"sha256": digest}}],
            "predicateType": "https://promptops.dev/eval/v1",
            "predicate": {"verdict": verdict, "eval": "evals/tone.yaml"}
        })
        .to_string()
    };
    desk.write("evidence/one.json", &statement("refused"));
    desk.run(&["evidence", "record", "evidence"]).well();
    desk.run(&["deploy", "plan.json"]).refused(1, "the latest run says `refused`");
    desk.write("evidence/one.json", &statement("pass"));
    assert!(desk.run(&["evidence", "record", "evidence/one.json", "--dry-run"]).well().starts_with("would store pass about"));
    desk.run(&["publish", "--evidence", "evidence"]).well();
    desk.run(&["deploy", "plan.json"]).well();
}

#[test]
fn a_lock_and_a_bundle_take_along_what_is_live() {
    let desk = Desk::published();
    desk.run(&["lock", "--env", "prod"]).refused(4, "nothing is deployed");
    desk.deploy("support.reply@1");
    assert_eq!(desk.run(&["lock", "--env", "prod"]).well(), "locked 1 prompt of release 1 of prod in promptops.lock\n");
    let lock: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.path("promptops.lock")).unwrap()).unwrap();
    assert_eq!(lock["registry"], "file://.promptops/registry");
    assert_eq!(lock["prompts"]["support.reply"]["version"], 1);
    let bundled = desk.run(&["bundle"]).well();
    let bytes = std::fs::read(desk.path("prompts.bundle")).unwrap();
    assert!(bundled.starts_with("bundled 1 prompt in prompts.bundle  sha256:"), "{bundled}");
    desk.run(&["bundle", "-o", "again.bundle"]).well();
    assert_eq!(std::fs::read(desk.path("again.bundle")).unwrap(), bytes, "equal locks give equal bundles");

    let ssh_keygen = |arguments: &[&str]| {
        let mut command = Command::new("ssh-keygen");
        command.args(arguments).current_dir(desk.path(".")).stdin(std::fs::File::open(desk.path("again.bundle")).unwrap());
        command.output().unwrap()
    };
    assert!(ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "release-key"]).status.success());
    desk.run(&["bundle", "-o", "signed.bundle", "--key", "release-key"]).well();
    let key = std::fs::read_to_string(desk.path("release-key.pub")).unwrap();
    desk.write("signers", &format!("releases {key}"));
    // Checked against another file of the same bytes: what is signed is the bundle, wherever it lies.
    let verify = ["-Y", "verify", "-n", "promptops-bundle", "-f", "signers", "-I", "releases", "-s", "signed.bundle.sig"];
    assert!(ssh_keygen(&verify).status.success());
    desk.write("again.bundle", "another");
    assert!(!ssh_keygen(&verify).status.success());

    desk.run(&["lock", "support.reply@2", "-o", "deep/er/my.lock"]).well();
    desk.run(&["bundle", "deep/er/my.lock", "-o", "mine.bundle"]).well();
    desk.run(&["lock", "support.reply@9"]).refused(4, "the registry has no version `support.reply@9`");
    desk.write("bad.lock", "{}");
    desk.run(&["bundle", "bad.lock"]).refused(2, "the lock is not readable");
}

#[test]
fn the_log_shows_who_did_what_and_that_it_is_whole() {
    let desk = Desk::published();
    desk.deploy("support.reply@1");
    let log = desk.run(&["audit", "list", "--json"]).well();
    let actions: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|batch| {
            let entries = batch["entries"].as_array().unwrap();
            entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
        })
        .collect();
    // The include, what includes it, and what that came from: each needs the one before, so each is a batch.
    assert_eq!(actions, ["init", "publish", "publish", "publish", "approve", "deploy"]);
    assert!(desk.run(&["audit", "list"]).well().contains("approver=bob"));
    desk.run(&["audit", "verify"]).well();
    let head = desk.run(&["audit", "head"]).well();
    desk.run(&["audit", "verify", "--expect-head", head.trim()]).well();
    assert!(desk.run(&["registry", "verify"]).well().starts_with("sound: "));

    desk.run(&["lock", "--env", "prod"]).well();
    desk.run(&["audit", "verify", "--lock", "promptops.lock"]).well();
    desk.run(&["lock", "support.reply@1", "-o", "named.lock"]).well();
    desk.run(&["audit", "verify", "--lock", "named.lock"]).well();
    let offline = desk.run(&["audit", "verify", "--lock", "promptops.lock", "--offline"]).well();
    assert_eq!(offline, format!("1 of 1 prompt proven to be logged\n  in the log up to {head}"));
    let altered = std::fs::read_to_string(desk.path("promptops.lock")).unwrap().replace("\"version\": 1", "\"version\": 2");
    desk.write("altered.lock", &altered);
    let message =
        "altered.lock` does not fit its log proof: the pins are not those of release 1 of `prod`, first `support.reply`";
    for command in [&["audit", "verify", "--offline", "--lock", "altered.lock"][..], &["bundle", "altered.lock"]] {
        desk.run(command).refused(7, message);
    }
    let mut unproven: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(desk.path("named.lock")).unwrap()).unwrap();
    unproven.as_object_mut().unwrap().remove("logged");
    desk.write("unproven.lock", &unproven.to_string());
    desk.run(&["audit", "verify", "--lock", "unproven.lock"]).refused(1, "the lock has no log proof");

    let last = desk.path(".promptops/registry/log/00000000000000000006.json");
    let bytes = std::fs::read(&last).unwrap();
    std::fs::remove_file(&last).unwrap();
    let cut = desk.run(&["audit", "verify", "--expect-head", head.trim()]);
    assert!(cut.exit == 1 && cut.stdout.contains("the log ends before the expected head"), "{}", cut.stdout);
    let cut = desk.run(&["audit", "verify", "--lock", "promptops.lock"]);
    assert!(cut.exit == 1 && cut.stdout.contains("the log ends before the expected head"), "{}", cut.stdout);
    std::fs::write(&last, bytes).unwrap();

    let version = desk.path(".promptops/registry/prompts/support.reply/0000000001.json");
    let text = std::fs::read_to_string(&version).unwrap();
    std::fs::write(&version, text.replace("ann@example.com", "eve@example.com")).unwrap();
    for command in [&["audit", "verify"], &["registry", "verify"]] {
        let ran = desk.run(command);
        assert!(ran.exit == 1 && ran.stdout.contains("damage prompts/support.reply/0000000001.json"), "{}", ran.stdout);
    }
}

#[test]
fn a_namespace_belongs_to_one_repository() {
    let one = Desk::published();
    let mut other = Desk::new();
    other.write("prompts/support/greeting.yaml", &TONE.replace("shared.tone", "support.greeting"));
    other.git(&["remote", "add", "origin", "git@github.com:other/prompts.git"]);
    other.commit("greet");
    other.registry = Some(format!("file://{}", one.path(".promptops/registry").display()));
    other.run(&["publish", "support.greeting"]).refused(1, "so `github.com/other/prompts` cannot publish into it");
}

#[test]
fn works_on_s3() {
    let Some(endpoint) = endpoint("works_on_s3", "PROMPTOPS_TEST_S3_ENDPOINT") else { return };
    make_bucket(&endpoint);
    works_on(endpoint);
}

#[test]
fn works_on_a_real_s3_server() {
    let Some(endpoint) = endpoint("works_on_a_real_s3_server", "PROMPTOPS_TEST_VERSITYGW_ENDPOINT") else { return };
    works_on(endpoint);
}

fn works_on(endpoint: String) {
    let mut desk = Desk::new();
    let name = desk.folder.path().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned();
    desk.registry = Some(format!("s3://{BUCKET}/{name}-{}", std::process::id()));
    desk.settings = vec![
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];
    desk.run(&["publish"]).refused(4, "there is no registry at `s3://");
    desk.run(&["registry", "init"]).well();
    assert!(desk.run(&["publish"]).well().ends_with("3 published\n"));
    assert!(desk.run(&["publish"]).well().ends_with("3 already there\n"));
    desk.deploy("support.reply@1");
    desk.deploy("support.reply@2");
    desk.run(&["rollback", "--env", "prod"]).well();
    desk.run(&["lock", "--env", "prod"]).well();
    desk.run(&["bundle"]).well();
    desk.run(&["audit", "verify"]).well();
    assert!(desk.run(&["registry", "verify"]).well().starts_with("sound: "));
}

/// The test runner made it on the server that checks signatures.
const BUCKET: &str = "promptops-tests";

#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the servers are")]
fn endpoint(test: &str, variable: &str) -> Option<String> {
    let endpoint = std::env::var(variable).ok().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        println!("skipped: {test}: {variable} is not set");
    }
    endpoint
}

/// The server takes the bare request; no client here can make buckets.
fn make_bucket(endpoint: &str) {
    let host = endpoint.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "PUT /{BUCKET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") || answer.contains("BucketAlreadyOwnedByYou"), "{answer}");
}

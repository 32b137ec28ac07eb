//! `promptops serve` and `promptops key`, end to end: the built binary serves, and the built binary asks it.

#![cfg(test)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use support::{Project, Run};

const CONFIG: &str = "\
[environments.staging]
[environments.prod]
protected = true
[[policy.sensitive]]
tags = [\"legal\"]
groups = [\"compliance\"]
";
const REFUND: &str = "\
id: support.refund
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [legal]
inputs:
  name: {type: string}
template: |
  Refund {{ name }}.
";

/// A project whose registry is served; the server ends with the value.
struct Served {
    project: Project,
    server: Child,
    url: String,
}

impl Served {
    /// Makes a registry and serves it with these arguments.
    fn start<const N: usize>(arguments: [&str; N]) -> Self {
        let project = Project::committed();
        project.write("promptops.toml", CONFIG);
        project.write("prompts/support/refund.yaml", REFUND);
        project.write(".gitignore", ".promptops/\n*.json\n*.lock\n*.log\n");
        project.commit("Refund people");
        assert_eq!(project.run(["registry", "init"]).exit, 0);
        let (server, url) = serve(&project, &arguments);
        Self { project, server, url }
    }

    /// Makes an API key with direct access to the store.
    fn key(&self, arguments: &[&str]) -> String {
        let run = self.project.run(["key", "create"].iter().chain(arguments));
        assert_eq!(run.exit, 0, "{run}");
        run.stdout.trim().to_owned()
    }

    /// Runs a command against the server, with a key.
    fn run(&self, key: &str, arguments: &[&str]) -> Run {
        let mut command = self.command(arguments);
        command.env("PROMPTOPS_API_KEY", key);
        self.finish(command)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.project.promptops(arguments.iter().copied().chain(["--registry", &self.url]))
    }

    fn finish(&self, mut command: Command) -> Run {
        Run::new(command.output().unwrap(), &self.redactions())
    }

    fn redactions(&self) -> support::Redactions {
        let time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ";
        self.project
            .redactions()
            .pattern(time, "[MOMENT]")
            .pattern(r"\d{4}-\d\d-\d\d", "[DAY]")
            .pattern(r"\b[0-9a-f]{16}\b", "[KEY]")
            // Index and log are read at the same time; either may be refused first.
            .pattern(r"(index|log)/\d{20}", "[INDEX OR LOG]/[NUMBER]")
            .pattern(r"\b[0-9a-f]{12}\b", "[DIGEST]")
    }

    /// Ends the server with a signal, and returns its exit code and what it logged.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.server.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let exit = self.server.wait().unwrap().code();
        (exit, std::fs::read_to_string(self.project.path("server.log")).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A server that has ended cannot be killed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts a server on a free port, and waits for its URL.
fn serve(project: &Project, arguments: &[&str]) -> (Child, String) {
    let all = ["serve", "--listen", "127.0.0.1:0"].iter().chain(arguments);
    let mut command = project.promptops(all);
    // A pipe that nobody reads would fill up, and the server wait for it.
    let log = std::fs::File::create(project.path("server.log")).unwrap();
    let mut server = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_else(|| {
        panic!("the server says no URL: {line}{}", std::fs::read_to_string(project.path("server.log")).unwrap())
    });
    let url = url.trim_end_matches(',').to_owned();
    (server, url)
}

#[test]
fn a_team_publishes_deploys_and_reads_through_a_server() {
    let served = Served::start([]);
    let ci = served.key(&["ci", "--scope", "publish:support", "--actor", "ci@example.com"]);
    insta::assert_snapshot!(served.run(&ci, &["publish", "--dry-run"]), @r#"
    exit: 0
    ----- stdout -----
    version             result              digest        commit      author
    support.greeting@1  would be published  [DIGEST]  [COMMIT]  ada@example.com
    support.refund@1    would be published  [DIGEST]  [COMMIT]  ada@example.com
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT]); what is written is decided by those of the server
    "#);
    insta::assert_snapshot!(served.run(&ci, &["publish"]), @r#"
    exit: 0
    ----- stdout -----
    version             result     digest        commit      author
    support.greeting@1  published  [DIGEST]  [COMMIT]  ada@example.com
    support.refund@1    published  [DIGEST]  [COMMIT]  ada@example.com
    2 published
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT]); what is written is decided by those of the server
    "#);
    insta::assert_snapshot!(served.run(&ci, &["publish"]), @r#"
    exit: 0
    ----- stdout -----
    2 already there
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT]); what is written is decided by those of the server
    "#);
    insta::assert_snapshot!(served.run(&ci, &["list"]), @r#"
    exit: 0
    ----- stdout -----
    prompt            latest  versions  digest        owner         model              published   tags
    support.greeting       1         1  [DIGEST]  support-team  gpt-4o-[DAY]  [DAY]  support
    support.refund         1         1  [DIGEST]  support-team  gpt-4o-[DAY]  [DAY]  legal
    ----- stderr -----
    "#);

    let releaser = served.key(&["releaser", "--scope", "deploy:staging", "--scope", "deploy:prod"]);
    insta::assert_snapshot!(served.run(&releaser, &["deploy", "--env", "staging", "--reason", "try it"]), @r#"
    exit: 0
    ----- stdout -----
    Plan for staging from nothing deployed

      + support.greeting@1

      + support.refund@1

    2 added, 0 changed, 0 removed
    deployed: staging is at release 1
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT]); what is written is decided by those of the server
    "#);
    insta::assert_snapshot!(served.run(&releaser, &["deploy", "--env", "prod"]), @r#"
    exit: 1
    ----- stdout -----
    Plan for prod from nothing deployed

      + support.greeting@1

      + support.refund@1
        ✗ approval of `compliance`: `owners.yaml` has no team `compliance`

    2 added, 0 changed, 0 removed
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT]); what is written is decided by those of the server
    error: 1 of the policy's demands on environment `prod` is not met:
      - support.refund@1: approval of `compliance` is missing (`owners.yaml` has no team `compliance`)
    hint: run the evals and ask the groups for approval, then deploy again
    "#);
    insta::assert_snapshot!(served.run(&ci, &["deploy", "--env", "staging"]), @r#"
    exit: 6
    ----- stdout -----
    Plan for staging from release 1
      nothing to change: the environment is as wanted
    ----- stderr -----
    rules: promptops.toml and owners.yaml as of main ([COMMIT]); what is written is decided by those of the server
    error: the key has no scope that covers `deploy:staging`
    hint: ask for a key with this scope; `promptops key create` makes one
    "#);
    insta::assert_snapshot!(served.run(&releaser, &["rollback", "--env", "staging"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: environment `staging` has no earlier release to go back to
    hint: run `promptops environment history` to see its releases
    "#);
    insta::assert_snapshot!(served.run(&ci, &["lock", "--env", "staging"]), @r#"
    exit: 0
    ----- stdout -----
    locked 2 prompts of release 1 of staging in promptops.lock
    ----- stderr -----
    "#);
    let lock = std::fs::read_to_string(served.project.path("promptops.lock")).unwrap();
    assert!(lock.contains(&format!("\"registry\": \"{}\"", served.url)), "{lock}");
    insta::assert_snapshot!(served.run(&ci, &["registry", "verify"]), @r#"
    exit: 0
    ----- stdout -----
    sound: 18 objects read, 0 problems; the log ends at [HEAD]
    ----- stderr -----
    "#);
    insta::assert_snapshot!(served.run(&ci, &["registry", "init"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: making a registry cannot be done through a server: `http://127.0.0.1:[PORT]`
    hint: run it with the URL of the store that the server stands before
    "#);
    let direct = served.project.run(["registry", "verify"]);
    assert_eq!(direct.exit, 0, "{direct}");
    let audit = Run { stdout: served.redactions().apply(&served.project.run(["audit", "list"]).stdout), ..direct };
    insta::assert_snapshot!(audit.stdout, @r#"
    #  time                  action   who              what
    1  [MOMENT]  init     ada@example.com  format.json
    2  [MOMENT]  key      ada@example.com  keys/[KEY]/key.json
    3  [MOMENT]  publish  ci@example.com   prompts/support.greeting/0000000001.json
    3  [MOMENT]  publish  ci@example.com   prompts/support.refund/0000000001.json
    4  [MOMENT]  key      ada@example.com  keys/[KEY]/key.json
    5  [MOMENT]  deploy   ada@example.com  environments/staging/00000000000000000001.json  release=1  reason=try it
    "#);
}

#[test]
fn a_refusal_through_a_server_is_the_refusal_of_the_registry() {
    let served = Served::start(["--trust-loopback"]);
    assert_eq!(served.run("", &["publish"]).exit, 0);
    served.project.replace("prompts/support/refund.yaml", "Refund {{ name }}.", "Pay {{ name }} back.");
    served.project.commit("Change a published version");
    let normal = |run: Run| {
        let lines = run.to_string();
        // The notice about whose rules hold differs, and nothing else.
        lines.lines().filter(|line| !line.starts_with("rules: ")).collect::<Vec<_>>().join("\n")
    };
    for arguments in
        [&["publish"][..], &["at", "--env", "prod", "2026-01-01"], &["rollback", "--env", "prod"], &["lock", "nobody@1"]]
    {
        let through = normal(served.run("", arguments));
        let direct = normal(served.finish(served.project.promptops(arguments)));
        assert_eq!(through, direct, "{arguments:?}");
    }
}

#[test]
fn keys_are_shown_once_listed_and_revoked() {
    let served = Served::start([]);
    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "create", "ci", "--dry-run"])), @r#"
    exit: 0
    ----- stdout -----
    would make the API key `ci` for ada@example.com: read, until [MOMENT]
    ----- stderr -----
    "#);
    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "list"])), @r#"
    exit: 0
    ----- stdout -----
    id  name  acts as  scopes  state  expires  made by
    ----- stderr -----
    "#);
    let mut create = served.project.promptops(["key", "create", "ci", "--scope", "admin", "--days", "1"]);
    let made = Run::new(create.output().unwrap(), &served.project.redactions());
    let token = made.stdout.trim().to_owned();
    assert!(token.starts_with("pk_") && token.len() == 84, "{token}");
    let id = token.split('_').nth(1).unwrap();
    let stderr = served.redactions().apply(&made.stderr);
    insta::assert_snapshot!(stderr, @r#"
    made the API key [KEY] `ci` for ada@example.com: admin, until [MOMENT]
    keep it now, it is not shown again; clients take it from PROMPTOPS_API_KEY:
    "#);
    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "list"])), @r#"
    exit: 0
    ----- stdout -----
    id                name  acts as          scopes  state  expires               made by
    [KEY]  ci    ada@example.com  admin   holds  [MOMENT]  ada@example.com
    ----- stderr -----
    "#);
    assert_eq!(served.run(&token, &["list"]).exit, 0);

    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "revoke", id, "--dry-run"])), @r#"
    exit: 0
    ----- stdout -----
    would revoke [KEY] (`ci`)
    ----- stderr -----
    "#);
    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "revoke", id, "--reason", "it leaked"])), @r#"
    exit: 0
    ----- stdout -----
    revoked [KEY] (`ci`); servers stop taking it within five seconds
    ----- stderr -----
    "#);
    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "revoke", id])), @r#"
    exit: 0
    ----- stdout -----
    [KEY] (`ci`) was revoked before, by ada@example.com
    ----- stderr -----
    "#);
    insta::assert_snapshot!(served.finish(served.project.promptops(["key", "list", "--all"])), @r#"
    exit: 0
    ----- stdout -----
    id                name  acts as          scopes  state    expires               made by
    [KEY]  ci    ada@example.com  admin   revoked  [MOMENT]  ada@example.com
    ----- stderr -----
    "#);
    let json: serde_json::Value = serde_json::from_str(&served.project.run(["key", "list", "--all", "--json"]).stdout).unwrap();
    assert_eq!((&json["version"], &json["keys"][0]["state"]), (&1.into(), &"revoked".into()));
    assert_eq!(json["keys"][0]["reason"], "it leaked");

    // It may be taken for as long as servers may not know.
    let revoked = std::time::Instant::now();
    let mut run = served.run(&token, &["list"]);
    while run.exit == 0 && revoked.elapsed().as_secs() < 10 {
        run = served.run(&token, &["list"]);
    }
    insta::assert_snapshot!(run, @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: permission denied for `[INDEX OR LOG]/[NUMBER].json`
      cause: the server answered with status code: 401 (the API key was revoked)
    hint: set `PROMPTOPS_API_KEY` to a key of this server that covers it; `promptops key create` makes one
    "#);
    insta::assert_snapshot!(served.run("", &["list"]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: permission denied for `format.json`
      cause: the server answered with status code: 401 (an API key is needed)
    hint: set `PROMPTOPS_API_KEY` to a key of this server that covers it; `promptops key create` makes one
    "#);
    insta::assert_snapshot!(served.run("pk_nonsense", &["key", "list"]), @r#"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: permission denied for `format.json`
      cause: the server answered with status code: 401 (the API key is not written as one)
    hint: set `PROMPTOPS_API_KEY` to a key of this server that covers it; `promptops key create` makes one
    "#);
    let (exit, log) = served.end("-TERM");
    assert_eq!(exit, Some(0), "{log}");
    for logged in ["\"message\":\"a revoked key\"", "\"target\":\"access\"", "\"status\":401", "\"message\":\"shutting down\""] {
        assert!(log.contains(logged), "{logged}\n{log}");
    }
    assert!(!log.contains(token.rsplit('_').next().unwrap()), "no secret is logged");
}

#[test]
fn rules_follow_the_default_branch_while_the_server_runs() {
    let served = Served::start(["--trust-loopback"]);
    assert_eq!(served.run("", &["publish"]).exit, 0);
    let refused = served.run("", &["deploy", "--env", "prod"]);
    assert!(refused.exit == 1 && refused.stderr.contains("approval of `compliance`"), "{refused}");
    served.project.write("promptops.toml", CONFIG.replace("protected = true", "protected = false"));
    served.project.commit("Trust everybody");
    let changed = std::time::Instant::now();
    let mut run = served.run("", &["deploy", "--env", "prod"]);
    while run.exit == 1 && changed.elapsed().as_secs() < 10 {
        run = served.run("", &["deploy", "--env", "prod"]);
    }
    assert_eq!(run.exit, 0, "{run}");
    let (exit, log) = served.end("-INT");
    assert_eq!((exit, log.matches("\"message\":\"rules read\"").count()), (Some(0), 2), "{log}");
}

#[test]
fn a_server_that_would_be_unsafe_does_not_start() {
    let project = Project::committed();
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    insta::assert_snapshot!(project.run(["serve", "--listen", "0.0.0.0:0"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `0.0.0.0:0` is reached by others, and keys would travel there in clear
    hint: give a certificate with `--tls-cert` and `--tls-key`, or say `--behind-proxy` when something before it has one
    "#);
    insta::assert_snapshot!(project.run(["serve", "--listen", "0.0.0.0:0", "--behind-proxy", "--trust-loopback"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: without keys a server is for loopback only
    hint: make keys with `promptops key create`
    "#);
    insta::assert_snapshot!(project.run(["serve", "--tls-cert", "promptops.toml", "--tls-key", "promptops.toml"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `[PROJECT]/promptops.toml` holds no certificate in PEM form
      cause: no items found
    "#);
    insta::assert_snapshot!(project.run(["serve", "--registry", "https://example.com"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `https://example.com` is a server itself
    hint: give the URL of the store with `--registry`
    "#);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = project.run(["serve", "--listen", &address]);
    assert!(run.exit == 6 && run.stderr.contains("cannot listen on"), "{run}");
}

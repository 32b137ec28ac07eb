//! `promptops eval` and `promptops gate` as a user runs them: the built binary, a Git repository, the offline model behind
//! a socket.

#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const GOOD: &str = "\
Answer with exactly one of: billing, technical.
- billing: invoices, charges, refunds
- technical: errors, crashes, login
Only the label.";
/// The definitions are swapped: every answer is wrong.
const SWAPPED: &str = "\
Answer with exactly one of: billing, technical.
- billing: errors, crashes, login
- technical: invoices, charges, refunds
Only the label.";
/// Other words, the same answers.
const REWORDED: &str = "\
You sort messages. Answer with exactly one of: billing, technical.
- billing: invoices, charges, refunds
- technical: errors, crashes, login
Only the label.";
const EVAL: &str = "\
prompt: support.intent
dataset: ../datasets/intents.csv
case: id
must_pass: critical
metrics:
  - name: accuracy
    scorer: {type: label, expected: intent}
    margin: 0.05
    minimum: 0.6
";
const PROMPT: &str = "prompts/support/intent.yaml";

/// The offline model in a process of its own; ends with the test.
struct Model {
    child: Child,
    url: String,
}

impl Model {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_promptops"))
            .args(["offline-model", "serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { child, url }
    }

    /// Ends the model; nobody answers at the address any more.
    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.url.clone()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server before a registry; ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(project: &Project, registry: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_promptops"))
            .args(["--registry", registry, "serve", "--listen", "127.0.0.1:0"])
            .current_dir(project.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().trim_end_matches(',').to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run of the binary gave.
struct Outcome {
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }
}

struct Project {
    folder: TempDir,
}

impl Project {
    /// Returns a repository with version 1, committed on `main`, and its eval over 80 messages.
    fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.git(&["init", "-q", "-b", "main"]);
        project.write("promptops.toml", "[prompts]\npath = \"prompts\"\n");
        project.write("evals/intents.yaml", EVAL);
        let mut dataset = "id,message,intent,critical\n".to_owned();
        for index in 0..80 {
            let (message, intent) =
                if index % 2 == 0 { ("about refunds and charges", "billing") } else { ("it crashes with errors", "technical") };
            dataset.push_str(&format!("c{index:02},message {index} {message},{intent},{}\n", index == 3));
        }
        project.write("datasets/intents.csv", &dataset);
        project.prompt(1, GOOD, "[billing, technical]");
        project.commit("version 1");
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    fn prompt(&self, version: u32, system: &str, labels: &str) {
        let parent = if version > 1 { format!("parent: {}\n", version - 1) } else { String::new() };
        let system = system.replace('\n', "\n      ");
        let text = format!(
            "id: support.intent\nversion: {version}\n{parent}owner: desk\npurpose: Sort messages\nmodel: offline-large-2026-01\n\
             parameters: {{temperature: 0}}\ntags: [support]\ninputs:\n  message: {{type: string}}\noutput: {{enum: {labels}}}\n\
             messages:\n  - role: system\n    content: |\n      {system}\n  - role: user\n    content: \"{{{{ message }}}}\"\n\
             evals: [evals/intents.yaml]\n"
        );
        self.write(PROMPT, &text);
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
        let status = Command::new("git").args(identity).args(arguments).current_dir(self.path()).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(&[], arguments)
    }

    fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_promptops"))
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(self.path())
            .env_remove("PROMPTOPS_REGISTRY")
            .env_remove("CI")
            .env("NO_COLOR", "1")
            .env("PROMPTOPS_ACTOR", "ada@example.org")
            .output()
            .unwrap();
        Outcome {
            exit: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Blots out what differs from run to run.
fn steady(text: &str) -> String {
    let words = text.split(' ').collect::<Vec<_>>();
    let mut steady: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    for index in 1..steady.len() {
        if steady[index].starts_with("ms") && steady[index - 1].bytes().all(|byte| byte.is_ascii_digit()) {
            steady[index - 1] = "N".to_owned();
        }
    }
    steady.join(" ")
}

#[test]
fn a_worse_version_is_refused_with_figures_and_cases() {
    let (project, model) = (Project::new(), Model::start());
    project.prompt(2, SWAPPED, "[billing, technical]");
    let outcome = project.run(&["eval", "support.intent", "--url", &model.url]);
    assert_eq!(outcome.exit, 1, "{}", outcome.stderr);
    let expected = "\
support.intent@2 against support.intent@1 · evals/intents.yaml · 80 cases
answered by offline-large-2026-01 (PromptOps' offline model: rules over the prompt's own text, not a language model)

  metric    parent  candidate              difference  margin  detects  verdict
  accuracy  100.0%       0.0%  -100.0 [-100.0, -93.5]     5.0      4.9  below-minimum
";
    assert!(outcome.stdout.starts_with(expected), "{}", outcome.stdout);
    let end = "\
  must pass: 0 of 1 do
    c03 (line 5): accuracy: expected `technical`, got `billing`
";
    assert!(outcome.stdout.contains(end), "{}", outcome.stdout);
    let last = "\
support.intent@2: refused
  accuracy: below-minimum, 100.0% → 0.0%, difference -100.0 [-100.0, -93.5] of 80 cases, margin 5.0 (below the minimum of 0.6, and worse than the parent)
  1 of 1 cases that must pass fail: `c03`
";
    assert!(outcome.stdout.ends_with(last), "{}", outcome.stdout);
    assert!(steady(&outcome.stdout).contains("latency p50 N ms, p95 N ms"), "{}", outcome.stdout);
    assert_eq!(outcome.stderr, "evals/intents.yaml: 160 calls sent, 0 answers replayed\n");
}

#[test]
fn recorded_answers_need_no_model_and_give_the_same_report() {
    let (project, model) = (Project::new(), Model::start());
    project.prompt(2, REWORDED, "[billing, technical]");
    let recorded = project.run(&["eval", "--url", &model.url, "--format", "json"]);
    assert_eq!(recorded.exit, 0, "{}{}", recorded.stdout, recorded.stderr);
    model.stop();
    let file = project.read("evals/recordings/intents.jsonl");
    let replayed = project.run(&["eval", "--replay", "only", "--format", "json", "--output", "out/report.json"]);
    assert_eq!(replayed.exit, 0, "{}", replayed.stderr);
    assert_eq!(project.read("out/report.json"), recorded.stdout);
    assert!(replayed.stdout.ends_with("support.intent@2: pass\n"), "{}", replayed.stdout);
    assert_eq!(replayed.stderr, "evals/intents.yaml: 0 calls sent, 160 answers replayed\n");
    assert_eq!(project.read("evals/recordings/intents.jsonl"), file);
    let report = &recorded.json()["reports"][0];
    assert_eq!((report["verdict"].as_str(), report["dataset"]["cases"].as_u64()), (Some("pass"), Some(80)));
    assert_eq!(report["candidate"]["comparability_key"], report["parent"]["comparability_key"]);
}

/// A judge of its own repository, published to a registry that both name.
#[test]
fn a_judge_may_stand_in_the_registry_alone() {
    let (team, judges, model) = (Project::new(), Project::new(), Model::start());
    let registry = format!("file://{}", judges.path().join("registry").display());
    judges.write(
        "prompts/quality/clear.yaml",
        "id: quality.clear\nversion: 1\nowner: research\npurpose: Judge answers\nmodel: offline-large-2026-01\n\
         parameters: {temperature: 0}\ntags: [judge]\ninputs:\n  answer: {type: string}\noutput: {enum: [good, bad]}\n\
         messages:\n  - role: system\n    content: |\n      {% include \"quality.labels@1\" %}\n  - role: user\n    content: \"{{ answer }}\"\n",
    );
    judges.write(
        "prompts/quality/labels.yaml",
        "id: quality.labels\nversion: 1\nowner: research\npurpose: Name the labels\nmodel: offline-large-2026-01\ntags: [judge]\n\
         template: |\n  Answer with exactly one of: good, bad.\n  - good: billing, technical\n  - bad: anything else\n  Only the label.\n",
    );
    judges.commit("judges");
    let with_registry = |arguments: &[&str]| {
        [&["--registry", &registry], arguments].concat().iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    let run = |project: &Project, arguments: &[&str]| {
        let arguments = with_registry(arguments);
        project.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    team.write(
        "evals/intents.yaml",
        &format!("{EVAL}  - name: clarity\n    scorer: {{type: judge, prompt: quality.clear@1, scores: {{good: 1, bad: 0}}}}\n    margin: 0.1\n"),
    );
    team.commit("judge answers");
    let nowhere = "there is no judge `quality.clear@1`, neither in the project, nor in its history, nor in its registry";

    // No registry at all, and one without the judge.
    assert!(run(&team, &["eval", "--url", &model.url]).stderr.contains(nowhere));
    assert_eq!(run(&judges, &["registry", "init"]).exit, 0);
    assert!(run(&team, &["eval", "--url", &model.url]).stderr.contains(nowhere));

    let published = run(&judges, &["publish", "quality.clear"]);
    assert_eq!(published.exit, 0, "{}", published.stderr);
    let judged = run(&team, &["eval", "--url", &model.url, "--format", "json"]);
    let clarity = |outcome: &Outcome| {
        let metrics = outcome.json()["reports"][0]["metrics"].as_array().unwrap().clone();
        metrics.into_iter().find(|metric| metric["name"] == "clarity").unwrap()
    };
    assert_eq!(judged.exit, 0, "{}{}", judged.stdout, judged.stderr);
    assert_eq!(clarity(&judged)["candidate"]["estimate"], 1.0, "{}", judged.stdout);
    let replayed = run(&team, &["eval", "--replay", "only", "--format", "json"]);
    assert_eq!((replayed.exit, clarity(&replayed)), (0, clarity(&judged)), "{}", replayed.stderr);

    // Through a server it is the same judge, and without a key there is none to be had.
    let key = run(&judges, &["key", "create", "team"]);
    assert_eq!(key.exit, 0, "{}", key.stderr);
    let server = Server::start(&judges, &registry);
    let through = |key: &str| {
        team.run_with(&[("PROMPTOPS_API_KEY", key)], &["--registry", &server.url, "eval", "--replay", "only", "--format", "json"])
    };
    let served = through(key.stdout.trim());
    assert_eq!((served.exit, clarity(&served)), (0, clarity(&judged)), "{}", served.stderr);
    let keyless = through("pk_none");
    assert_ne!(keyless.exit, 0);
    assert!(
        keyless.stderr.contains("judges that the project and its history do not have: `quality.clear@1`"),
        "{}",
        keyless.stderr
    );
    drop(server);

    let yanked = run(&judges, &["yank", "quality.clear@1", "--reason", "it praises everything"]);
    assert_eq!(yanked.exit, 0, "{}", yanked.stderr);
    let warned = run(&team, &["eval", "--replay", "only"]);
    assert_eq!(warned.exit, 0, "{}", warned.stderr);
    assert!(warned.stderr.contains("it praises everything"), "{}", warned.stderr);

    // Content that was tampered with does not judge; a registry that is away is not taken for one without the judge.
    for blob in walk(&judges.path().join("registry/blobs")) {
        let text = std::fs::read_to_string(&blob).unwrap();
        std::fs::write(&blob, text.replace("anything else", "nothing at all")).unwrap();
    }
    assert_eq!(run(&team, &["eval", "--replay", "only"]).exit, 7);
    let away = team.run(&["--registry", "http://127.0.0.1:9", "eval", "--replay", "only"]);
    assert_eq!(away.exit, 6, "{}", away.stderr);
    assert!(away.stderr.contains("judges that the project and its history do not have: `quality.clear@1`"), "{}", away.stderr);
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn what_cannot_run_says_why_and_what_to_do() {
    let project = Project::new();
    let missing = project.run(&["eval", "--replay", "only"]);
    assert_eq!((missing.exit, missing.stdout.as_str()), (4, ""));
    assert!(missing.stderr.contains("error: 80 of 80 answers are not recorded in `"), "{}", missing.stderr);
    assert!(
        missing.stderr.contains("hint: record them with `promptops eval support.intent --replay auto`"),
        "{}",
        missing.stderr
    );

    let no_provider = project.run(&["eval"]);
    assert_eq!(no_provider.exit, 4);
    assert!(no_provider.stderr.contains("has `offline-large-2026-01` among its `models`"), "{}", no_provider.stderr);

    let url = Model::start().stop();
    let silent = project.run(&["eval", "--url", &url]);
    assert_eq!(silent.exit, 6, "{}", silent.stderr);
    assert!(silent.stderr.contains(&format!("cannot reach `{url}`")), "{}", silent.stderr);
    assert!(!project.path().join("evals/recordings").exists());

    project.write("evals/intents.yaml", &EVAL.replace("margin: 0.05", "margin: 0").replace("type: label", "type: lable"));
    let malformed = project.run(&["eval"]);
    assert_eq!(malformed.exit, 1);
    assert!(malformed.stderr.contains("there is no scorer `lable`"), "{}", malformed.stderr);
    assert!(malformed.stderr.contains("--> evals/intents.yaml:8:13"), "{}", malformed.stderr);

    let unknown = project.run(&["eval", "support.other"]);
    assert_eq!(unknown.exit, 4);
    assert!(unknown.stderr.contains("there is no readable prompt `support.other`"), "{}", unknown.stderr);
}

#[test]
fn too_small_a_dataset_is_inconclusive_with_a_code_of_its_own() {
    let (project, model) = (Project::new(), Model::start());
    project.write("evals/intents.yaml", &EVAL.replace("margin: 0.05", "margin: 0.02"));
    project.prompt(2, REWORDED, "[billing, technical]");
    let outcome = project.run(&["eval", "--url", &model.url]);
    assert_eq!(outcome.exit, 3);
    assert!(outcome.stdout.contains("80 cases cannot exclude a loss of 0.02; that takes 133 cases"), "{}", outcome.stdout);
}

#[test]
fn evidence_is_a_statement_about_the_content() {
    let (project, model) = (Project::new(), Model::start());
    let outcome = project.run(&["eval", "--url", &model.url, "--evidence", "evidence", "--format", "json"]);
    assert_eq!(outcome.exit, 0, "{}", outcome.stderr);
    let statement: Value = serde_json::from_str(&project.read("evidence/support.intent@1.intents.json")).unwrap();
    let report = &outcome.json()["reports"][0];
    let digest = report["candidate"]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    assert_eq!(statement["predicateType"], "https://promptops.dev/eval/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest);
    assert_eq!(statement["predicate"]["verdict"], "pass");
}

#[test]
fn the_gate_passes_what_is_as_good_and_refuses_what_is_not() {
    let (project, model) = (Project::new(), Model::start());
    let gate = |more: &[&str]| project.run(&[&["gate", "--base", "main", "--url", &model.url], more].concat());
    let unchanged = gate(&[]);
    assert_eq!((unchanged.exit, unchanged.stderr.as_str()), (0, ""));
    assert!(
        unchanged.stdout.contains("no prompt changed") && unchanged.stdout.ends_with("gate passed\n"),
        "{}",
        unchanged.stdout
    );

    project.git(&["switch", "-q", "-c", "proposal"]);
    project.prompt(2, REWORDED, "[billing, technical]");
    project.commit("version 2");
    let good = gate(&[]);
    assert_eq!(good.exit, 0, "{}{}", good.stdout, good.stderr);
    assert!(good.stdout.contains("support.intent@1 → 2: behavioural"), "{}", good.stdout);

    project.prompt(2, SWAPPED, "[billing, technical]");
    let bad = gate(&[]);
    assert_eq!(bad.exit, 1);
    let last = "\
gate refused
  `support.intent@2`: accuracy: below-minimum, 100.0% → 0.0%, difference -100.0 [-100.0, -93.5] of 80 cases, margin 5.0 (below the minimum of 0.6, and worse than the parent)
  `support.intent@2`: 1 of 1 cases that must pass fail: `c03`
";
    assert!(bad.stdout.ends_with(last), "{}", bad.stdout);
    let json = gate(&["--format", "json"]).json();
    assert_eq!((json["verdict"].as_str(), json["prompts"][0]["class"].as_str()), (Some("refused"), Some("behavioural")));
    let markdown = gate(&["--format", "markdown"]);
    assert!(markdown.stdout.starts_with("## Prompt gate: refused\n"), "{}", markdown.stdout);
    assert!(markdown.stdout.contains("| accuracy | 100.0% | 0.0% |"), "{}", markdown.stdout);
}

#[test]
fn the_gate_refuses_a_breaking_change_and_a_lower_bar_unless_told() {
    let (project, model) = (Project::new(), Model::start());
    let gate = |more: &[&str]| project.run(&[&["gate", "--base", "main", "--url", &model.url], more].concat());
    project.prompt(2, REWORDED, "[billing, technical, other]");
    project.write("evals/intents.yaml", &EVAL.replace("margin: 0.05", "margin: 0.5"));
    let refused = gate(&[]);
    assert_eq!(refused.exit, 1);
    assert!(
        refused.stdout.contains("`support.intent@2` breaks what its namespace promises (level `backward`): "),
        "{}",
        refused.stdout
    );
    let lower = "evals/intents.yaml: the margin of `accuracy` grows from 0.05 to 0.5 (`--allow-weaker-evals` lets it pass)";
    assert!(refused.stdout.contains(lower), "{}", refused.stdout);
    let file = project.read(PROMPT).replace("version: 2\n", "version: 2\nbreaking: {2: know the label other}\n");
    project.write(PROMPT, &file);
    let allowed = gate(&["--allow-weaker-evals"]);
    assert_eq!(allowed.exit, 0, "{}", allowed.stdout);
    assert!(allowed.stdout.contains("note: evals/intents.yaml: the margin of `accuracy` grows"), "{}", allowed.stdout);
}

#[test]
fn the_gate_asks_no_model_about_a_broken_prompt() {
    let project = Project::new();
    // The same version with another content: refused by the checks (G2).
    project.prompt(1, SWAPPED, "[billing, technical]");
    let outcome = project.run(&["gate", "--base", "main", "--url", "http://127.0.0.1:9/v1"]);
    assert_eq!(outcome.exit, 1);
    assert!(outcome.stdout.contains("note: nothing was evaluated"), "{}", outcome.stdout);
    let json = project.run(&["gate", "--base", "main", "--format", "json"]).json();
    assert_eq!(json["check"]["document"]["findings"][0]["severity"], "error");
    assert!(outcome.stdout.contains("the checks found 1 error and 0 warnings"), "{}", outcome.stdout);
}

#[test]
fn a_gate_that_cannot_ask_still_reports_what_it_knows() {
    let project = Project::new();
    project.prompt(2, REWORDED, "[billing, technical]");
    let outcome = project.run(&["gate", "--base", "main", "--replay", "only"]);
    assert_eq!(outcome.exit, 4);
    assert!(outcome.stdout.contains("support.intent@1 → 2: behavioural"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("gate inconclusive\n  evals/intents.yaml could not run: 160 of 160 answers"),
        "{}",
        outcome.stdout
    );
    let nowhere = project.run(&["gate", "--base", "no-such-branch"]);
    assert_eq!(nowhere.exit, 4);
    assert!(nowhere.stderr.contains("no such revision: `no-such-branch`"), "{}", nowhere.stderr);
}

#[test]
fn includes_of_a_proposal_may_be_versions_that_only_the_branch_has() {
    let (project, model) = (Project::new(), Model::start());
    let tone = |version: u32, text: &str| {
        let parent = if version > 1 { format!("parent: {}\n", version - 1) } else { String::new() };
        let head = format!("id: shared.tone\nversion: {version}\n{parent}owner: desk\npurpose: Tone\n");
        let rest = format!("model: offline-large-2026-01\ntags: [shared]\ntemplate: \"{text}\"\n");
        project.write("prompts/shared/tone.yaml", &(head + &rest));
    };
    project.git(&["switch", "-q", "-c", "proposal"]);
    tone(1, "Be brief.");
    project.commit("a tone");
    tone(2, "Be brief and kind.");
    project.prompt(2, &format!("{{% include \"shared.tone@1\" %}}\n{GOOD}"), "[billing, technical]");
    let outcome = project.run(&["gate", "--base", "main", "--url", &model.url]);
    assert_eq!(outcome.exit, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("shared.tone@2 (new): compatible"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("note: `shared.tone@2` names no eval file"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("support.intent@2: pass"), "{}", outcome.stdout);
}

#[test]
fn money_is_counted_where_prices_are_known_and_a_limit_needs_them() {
    let (project, model) = (Project::new(), Model::start());
    let unknown = project.run(&["eval", "--url", &model.url, "--max-usd", "1"]);
    assert_eq!(unknown.exit, 2);
    assert!(unknown.stderr.contains("the price of `offline-large-2026-01` is not known"), "{}", unknown.stderr);
    let provider = "[providers.offline]\nkind = \"openai\"\nmodels = [\"offline-*\"]\n";
    let price = "[providers.offline.prices.\"offline-large-2026-01\"]\ninput = 1000000\noutput = 0\n";
    project.write("promptops.toml", &format!("{provider}url = \"{}\"\n{price}", model.url));
    let stopped = project.run(&["eval", "--max-usd", "500", "--concurrency", "1"]);
    assert_eq!(stopped.exit, 3, "{}", stopped.stderr);
    assert!(stopped.stderr.contains("error: the budget of 500 USD is used up after "), "{}", stopped.stderr);
    // One dollar a token: what was paid for is kept, and the rest fits the next time.
    let kept = project.read("evals/recordings/intents.jsonl").lines().count();
    assert!((1..80).contains(&kept), "{kept}");
    let whole = project.run(&["eval", "--format", "json"]);
    let totals = &whole.json()["reports"][0]["candidate"]["totals"];
    assert_eq!(totals["cost_usd"].as_f64(), totals["tokens"]["input"].as_f64());
    assert_eq!(whole.stderr, format!("evals/intents.yaml: {} calls sent, {kept} answers replayed\n", 80 - kept));
}

#[cfg(unix)]
#[test]
fn what_programs_complain_of_is_told_without_keys_and_without_what_is_redacted() {
    let project = Project::new();
    // The model fails for one case and the scorer for another, each with all that it knows.
    let model = "input=$(cat); case \"$input\" in *'message 3 '*) echo \"$DESK_KEY of ada@example.com\" >&2; exit 1;; esac; \
                 echo '{\"text\": \"billing\"}'";
    let config = format!(
        "[providers.desk]\nkind = \"command\"\nmodels = [\"offline-*\"]\ncommand = [\"sh\", \"-c\", {}]\napi_key_env = \"DESK_KEY\"\n\
         [recordings]\nredact = ['\\S+@example\\.com']\n",
        serde_json::json!(model)
    );
    project.write("promptops.toml", &config);
    let script = "cat >/dev/null; echo \"Basic $(printf %s $DESK_KEY | base64 -w0) ada@example.com $DESK_KEY\" >&2; exit 1";
    let scorer = format!(
        "  - name: judged\n    margin: 0.05\n    scorer: {{type: command, command: [sh, -c, {}]}}\n",
        serde_json::json!(script)
    );
    project.write("evals/intents.yaml", &format!("{EVAL}{scorer}"));
    for format in ["human", "json", "markdown"] {
        let arguments = ["eval", "--replay", "auto", "--format", format];
        let outcome = project.run_with(&[("DESK_KEY", "desk-planted-4711")], &arguments);
        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!told.contains("planted") && !told.contains("ZGVzay1wbGFudGVk") && !told.contains("ada@"), "{format}: {told}");
        if format == "json" {
            assert!(told.contains("[redacted] of [redacted]"), "{told}");
        }
    }
    let kept = project.read("evals/recordings/intents.jsonl");
    assert!(!kept.contains("planted"), "{kept}");
}

#[test]
fn a_yardstick_that_comes_with_the_proposal_is_pointed_out() {
    let (project, model) = (Project::new(), Model::start());
    project.prompt(2, REWORDED, "[billing, technical]");
    let gate = |more: &[&str]| project.run(&[&["gate", "--base", "main", "--url", &model.url], more].concat());
    let first = gate(&[]);
    assert!(!first.stdout.contains("note:"), "{}", first.stdout);
    project.write("datasets/intents.csv", &project.read("datasets/intents.csv").replace("true", "false"));
    let second = gate(&["--replay", "only", "--allow-weaker-evals"]);
    assert_eq!(second.exit, 0, "{}", second.stdout);
    let notes = "\
note: recorded answers in `evals/recordings/intents.jsonl` come with the proposal
note: 1 case of the dataset `datasets/intents.csv` changed or went away (allowed)

gate passed
";
    assert!(second.stdout.ends_with(notes), "{}", second.stdout);
}

#[test]
fn a_kept_result_takes_the_place_of_the_parents_run_until_something_decides_otherwise() {
    let (project, model) = (Project::new(), Model::start());
    project.prompt(2, REWORDED, "[billing, technical]");
    let eval = |more: &[&str]| project.run(&[&["eval", "--url", &model.url, "--format", "json"], more].concat());
    let first = eval(&[]);
    assert_eq!(first.stderr, "evals/intents.yaml: 160 calls sent, 0 answers replayed\n");
    // Another candidate on the same cases: only that one is asked, for the parent's answers are recorded.
    project.prompt(2, SWAPPED, "[billing, technical]");
    let second = eval(&[]);
    assert_eq!(second.stderr, "evals/intents.yaml: 80 calls sent, 80 answers replayed\n");
    assert_eq!(second.json()["reports"][0]["parent"], first.json()["reports"][0]["parent"]);
    // Where they are not, its result is.
    std::fs::remove_file(project.path().join("evals/recordings/intents.jsonl")).unwrap();
    let third = eval(&[]);
    assert_eq!(third.stderr, "evals/intents.yaml: 80 calls sent, 0 answers replayed, the parent's result kept\n");
    assert_eq!(third.json()["reports"][0]["parent"], first.json()["reports"][0]["parent"]);
    // The cache may be deleted at any time.
    std::fs::remove_dir_all(project.path().join(".promptops/cache/eval")).unwrap();
    assert_eq!(eval(&[]).stderr, "evals/intents.yaml: 80 calls sent, 80 answers replayed\n");
    // Other cases are another result, and whoever does without recordings does without results.
    let dataset = project.read("datasets/intents.csv");
    project.write("datasets/intents.csv", &format!("{dataset}c80,one more about refunds,billing,\n"));
    assert_eq!(eval(&[]).stderr, "evals/intents.yaml: 2 calls sent, 160 answers replayed\n");
    assert_eq!(eval(&["--replay", "off"]).stderr, "evals/intents.yaml: 162 calls sent, 0 answers replayed\n");
}

#[test]
fn a_plan_says_how_many_cases_it_takes_and_asks_nobody() {
    let project = Project::new();
    let plan = project.run(&["eval", "--plan"]);
    assert_eq!((plan.exit, plan.stderr.as_str()), (0, ""), "{}", plan.stderr);
    insta::assert_snapshot!(plan.stdout, @r"
    support.intent@1 · evals/intents.yaml · 80 cases

    metric    margin  detects  passes if equal  cases needed  variance
    accuracy     5.0      8.9              40%           249  0.1000 assumed

      Detects: the smallest true loss found 80 times of 100. Cases needed: so many that a version exactly as good as
      its parent passes 80 times of 100; one that is worse by the margin passes at most 5 times.
      accuracy: two versions are taken to differ on 10% of the cases; `--discordance` sets another share, and recorded answers of both versions show the real one
    ");
    let json = project.run(&["eval", "--plan", "--discordance", "0.02", "--format", "json"]).json();
    let metric = &json["plans"][0]["metrics"][0];
    assert_eq!((metric["basis"].as_str(), metric["variance"].as_f64()), (Some("assumed"), Some(0.02)));
    assert_eq!(metric["required"][0]["repeats"], 1);
    let wrong = project.run(&["eval", "--discordance", "0.02"]);
    assert_eq!(wrong.exit, 2, "{}", wrong.stderr);
    // Once both versions have answered, their answers tell how much they differ.
    let model = Model::start();
    project.prompt(2, SWAPPED, "[billing, technical]");
    assert_eq!(project.run(&["eval", "--url", &model.url]).exit, 1);
    model.stop();
    let json = project.run(&["eval", "--plan", "--format", "json"]).json();
    assert_eq!(json["plans"][0]["metrics"][0]["basis"], "observed");
}

#[test]
fn a_version_held_against_itself_shows_the_gates_own_false_alarms() {
    let (project, model) = (Project::new(), Model::start());
    let outcome = project.run(&["eval", "--aa", "50", "--url", &model.url]);
    assert_eq!(outcome.exit, 0, "{}{}", outcome.stdout, outcome.stderr);
    insta::assert_snapshot!(outcome.stdout, @r"
    support.intent@1 against itself · evals/intents.yaml · 50 random splits by cases
      40 cases a side
      0 called regressed: 0.0% [0.0, 7.1], promised is at most 1%
      0 passed, 50 inconclusive
    ");
    assert_eq!(outcome.stderr, "evals/intents.yaml: 80 calls sent, 0 answers replayed\n");
    let json = project.run(&["eval", "--aa", "50", "--replay", "only", "--format", "json"]).json();
    let found = &json["comparisons"][0];
    assert_eq!(
        (found["split"].as_str(), found["cases"].as_u64(), found["kept"].as_bool()),
        (Some("cases"), Some(40), Some(true))
    );
}

#[test]
fn a_plain_loss_ends_the_run_early() {
    let (project, model) = (Project::new(), Model::start());
    project.prompt(2, SWAPPED, "[billing, technical]");
    let outcome = project.run(&["eval", "--early-stop", "--url", &model.url, "--concurrency", "2", "--format", "json"]);
    assert_eq!(outcome.exit, 1, "{}", outcome.stderr);
    let report = &outcome.json()["reports"][0];
    let (cases, of_cases) = (report["early_stop"]["cases"].as_u64().unwrap(), report["early_stop"]["of_cases"].as_u64().unwrap());
    assert!(cases < 40 && of_cases == 80, "{cases} of {of_cases}");
    assert_eq!(report["level"], 0.95);
    let again = project.run(&["eval", "--early-stop", "--replay", "only", "--concurrency", "2"]);
    assert!(again.stdout.contains(&format!("Stopped after {cases} of 80 cases")), "{}", again.stdout);
}

#[test]
fn what_is_selected_is_evaluated_and_what_is_unknown_is_refused() {
    let (project, model) = (Project::new(), Model::start());
    let tone = "id: shared.tone\nversion: 1\nowner: other\nmodel: m\ntags: [tone]\ntemplate: Be kind.\n";
    project.write("prompts/shared/tone.yaml", tone);
    let include = "{% include \"shared.tone@1\" %}\n";
    project.prompt(1, &format!("{include}{GOOD}"), "[billing, technical]");
    project.commit("tone");
    let eval = |selector: &str| {
        let outcome = project.run(&["eval", "--base", "main", "--url", &model.url, "--format", "json", "--select", selector]);
        assert!(outcome.exit < 2, "{selector}: {}", outcome.stderr);
        let reports = outcome.json()["reports"].as_array().unwrap().clone();
        reports.iter().map(|report| report["candidate"]["prompt"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(eval("state:modified"), Vec::<String>::new());
    // The tone is changed, in a new version that nobody includes yet, and then one that is included.
    project.write("prompts/shared/tone.yaml", &tone.replace("version: 1", "version: 2\nparent: 1").replace("kind", "brief"));
    assert_eq!(eval("state:modified+"), Vec::<String>::new());
    project.prompt(2, &format!("{}{GOOD}", include.replace("@1", "@2")), "[billing, technical]");
    assert_eq!(eval("state:modified.text,id:shared.*+"), ["support.intent@2"]);
    assert_eq!(eval("state:modified.includes"), ["support.intent@2"]);
    assert_eq!(eval("state:modified.model tag:support"), ["support.intent@2"]);
    assert_eq!(eval("state:modified.model owner:other"), Vec::<String>::new());
    let refused = |arguments: &[&str]| {
        let outcome = project.run(arguments);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (2, ""), "{arguments:?}");
        outcome.stderr
    };
    let unknown = refused(&["eval", "--select", "state:modified.body"]);
    assert!(unknown.contains("error: a prompt has no part `body`") && unknown.contains("`state:modified.text`"), "{unknown}");
    assert!(refused(&["check", "--select", "path:x"]).contains("there is no selector `path:`"));
    assert!(refused(&["gate", "--select", "state:old"]).contains("there is no state `old`"));
    assert!(refused(&["eval", "--select", "state:new"]).contains("add `--base REVISION`"));
    let gate = project.run(&["gate", "--base", "main", "--url", &model.url, "--select", "shared.tone", "--format", "json"]);
    let notes = gate.json()["notes"].to_string();
    assert!(notes.contains("not selected, so neither compared nor evaluated: `support.intent`"), "{notes}");
    project.write("prompts/shared/tone.yaml", "id: shared.tone\n");
    let check = |selector: &str| project.run(&["check", "--select", selector]).exit;
    // A file that is no prompt belongs to nobody, and is never left out.
    assert_eq!(check("tag:support"), 1);
}

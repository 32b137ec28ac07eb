//! How `promptops eval` asks models: providers of every kind, recordings, budgets, prices, and a run that is killed.

#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};
use support::Project;

/// A chat completions server that counts what it answers, and stalls when it has answered enough.
struct Model {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// Answers after which it stalls.
    enough: AtomicUsize,
    answered: Mutex<BTreeMap<String, usize>>,
    changed: Condvar,
}

impl Model {
    fn start(enough: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { enough: enough.into(), answered: Mutex::default(), changed: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&of_thread);
                // A client that was killed breaks its connections off.
                std::thread::spawn(move || drop(serve(stream.unwrap(), &shared)));
            }
        });
        Self { url, shared }
    }

    /// Returns how often each message was answered.
    fn answered(&self) -> BTreeMap<String, usize> {
        self.shared.answered.lock().unwrap().clone()
    }

    /// Waits until so many answers are given.
    fn wait_for(&self, count: usize) {
        let answered = self.shared.answered.lock().unwrap();
        let is_less = |answered: &mut BTreeMap<String, usize>| answered.values().sum::<usize>() < count;
        let waited = self.shared.changed.wait_timeout_while(answered, Duration::from_secs(60), is_less).unwrap();
        assert!(!waited.1.timed_out());
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body)?;
        let message = body["messages"][0]["content"].as_str().unwrap().to_owned();
        let is_enough = {
            let mut answered = shared.answered.lock().unwrap();
            let is_enough = answered.values().sum::<usize>() >= shared.enough.load(Ordering::SeqCst);
            if !is_enough {
                *answered.entry(message.clone()).or_default() += 1;
            }
            is_enough
        };
        if is_enough {
            // Until the client is gone.
            let _ = reader.read_line(&mut String::new());
            return Ok(());
        }
        let answer = json!({
            "model": body["model"], "choices": [{"message": {"content": format!("{message} to ada@example.com")}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}},
        });
        let answer = answer.to_string();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())?;
        shared.changed.notify_all();
    }
}

/// A project with an eval of so many greetings.
fn project(cases: usize, configuration: &str) -> Project {
    let project = Project::new();
    project.replace("prompts/support/greeting.yaml", "tags: [support]\n", "tags: [support]\nevals: [evals/greeting.yaml]\n");
    project.write("promptops.toml", configuration);
    project.write(
        "evals/greeting.yaml",
        "prompt: support.greeting\ndataset: names.csv\nmetrics:\n  - {name: greets, scorer: {type: contains, value: Write}, margin: 0.1, minimum: 0.5}\n",
    );
    let names: String = (0..cases).map(|index| format!("name {index}\n")).collect();
    project.write("evals/names.csv", format!("name\n{names}"));
    project.git(["init", "--quiet", "--initial-branch=main"]);
    project.commit("Begin");
    project
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_goes_on_without_asking_twice() {
    let (project, model) = (project(40, ""), Model::start(17));
    let arguments = ["eval", "--concurrency", "4", "--url", &model.url];
    let mut child = project.promptops(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    model.wait_for(17);
    // What was answered is in the journal as soon as it has been read.
    let journal = project.path("evals/recordings/greeting.journal");
    let since = Instant::now();
    while lines(&journal) < 17 {
        assert!(since.elapsed() < Duration::from_secs(60), "{}", lines(&journal));
        std::thread::yield_now();
    }
    // SIGKILL: nothing of the process runs any more.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!project.path("evals/recordings/greeting.jsonl").exists());

    model.shared.enough.store(usize::MAX, Ordering::SeqCst);
    let run = project.run(arguments);
    assert_eq!(run.exit, 0, "{run}");
    assert_eq!(run.stderr, "evals/greeting.yaml: 23 calls sent, 17 answers replayed\n");
    let answered = model.answered();
    assert_eq!((answered.len(), answered.values().max()), (40, Some(&1)));
    assert!(!journal.exists());
    assert_eq!(lines(&project.path("evals/recordings/greeting.jsonl")), 40);
}

#[test]
fn a_pipeline_replays_unless_it_is_told_to_ask() {
    let (project, model) = (project(3, ""), Model::start(usize::MAX));
    let in_pipeline = |arguments: &[&str], value: &str| {
        let mut command = project.promptops(arguments);
        command.env("CI", value);
        project.finish(command)
    };
    assert_snapshot!(in_pipeline(&["eval", "--url", &model.url], "true"), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: 3 of 3 answers are not recorded in `[PROJECT]/evals/recordings/greeting.jsonl`, the first for case `1` of `support.greeting@1`
    hint: record them with `promptops eval support.greeting --replay auto` and commit the file
    ");
    assert_eq!(model.answered().len(), 0);
    assert_eq!(in_pipeline(&["eval", "--url", &model.url], "false").exit, 0);
    assert_eq!(in_pipeline(&["eval"], "true").exit, 0);
    assert_eq!(in_pipeline(&["eval", "--replay", "off", "--url", &model.url], "1").exit, 0);
    assert_eq!(model.answered().values().sum::<usize>(), 6);
}

#[test]
fn what_must_not_be_kept_is_neither_recorded_nor_judged() {
    let configuration = "[recordings]\nredact = ['\\S+@example\\.com']\n";
    let (project, model) = (project(2, configuration), Model::start(usize::MAX));
    assert_eq!(project.run(["eval", "--url", &model.url]).exit, 0);
    let kept = std::fs::read_to_string(project.path("evals/recordings/greeting.jsonl")).unwrap();
    assert!(kept.contains(r"greets name 1.\n to [redacted]") && !kept.contains("example.com"), "{kept}");
    project.write("promptops.toml", "[recordings]\nredact = ['(']\n");
    let refused = project.run(["eval"]);
    assert_eq!(refused.exit, 2, "{refused}");
    assert!(
        refused.stderr.contains("unclosed group") && refused.stderr.contains("correct `(` under `[recordings]`"),
        "{refused}"
    );
}

#[test]
fn recordings_of_older_versions_are_pruned() {
    let (project, model) = (project(3, ""), Model::start(usize::MAX));
    let recording = project.path("evals/recordings/greeting.jsonl");
    assert_eq!(project.run(["eval", "--url", &model.url]).exit, 0);
    project.replace("prompts/support/greeting.yaml", "warm sentence", "short sentence");
    assert_eq!(project.run(["eval", "--url", &model.url]).exit, 0);
    assert_eq!(lines(&recording), 6);
    let run = project.run(["eval", "--replay", "only", "--prune-recordings"]);
    assert_eq!(
        run.stderr,
        "evals/greeting.yaml: 3 recorded answers pruned\nevals/greeting.yaml: 0 calls sent, 3 answers replayed\n"
    );
    assert_eq!(lines(&recording), 3);
    assert_eq!(project.run(["eval", "--replay", "only"]).exit, 0);
}

const PRICES: &str = r#"{
  "sample_spec": {"input_cost_per_token": 0},
  "gpt-4o-2024-08-06": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
    "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5e-06},
  "gpt-4o-mini": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07}
}"#;

#[test]
fn prices_come_from_a_dated_table_with_a_source() {
    let (project, model) = (project(4, ""), Model::start(usize::MAX));
    project.write("litellm.json", PRICES);
    let import = ["prices", "import", "litellm.json", "--date", "2026-11-26"];
    assert_snapshot!(project.run([&import[..], &["--dry-run"]].concat()), @r"
    exit: 0
    ----- stdout -----
    prices.json: would take over the prices of 2 models of 2026-11-26
    ----- stderr -----
    ");
    assert!(!project.path("prices.json").exists());
    assert_snapshot!(project.run(import), @r"
    exit: 0
    ----- stdout -----
    prices.json: 2 models, prices of 2026-11-26
    ----- stderr -----
    ");
    assert_snapshot!(std::fs::read_to_string(project.path("prices.json")).unwrap(), @r#"
    {
    "version": 1,
    "sources": [
    {"date":"2026-11-26","source":"LiteLLM's model_prices_and_context_window.json","digest":"sha256:1d6eb54121d734d48d550657d9d2ad2964e95f8bccbb4a84eaac2262d759d466"}
    ],
    "models": {
    "gpt-4o-2024-08-06": [{"from":"2026-11-26","price":{"input":2.5,"output":10.0,"cached_input":1.25,"tiers":{"batch":{"input":1.25,"output":5.0}}}}],
    "gpt-4o-mini": [{"from":"2026-11-26","price":{"input":0.15,"output":0.6}}]
    }
    }
    "#);
    assert_snapshot!(project.run(["prices", "show", "gpt-4o-2024-08-06"]), @r"
    exit: 0
    ----- stdout -----
    gpt-4o-2024-08-06: US dollars for a million tokens
      input         2.5
      cached input  1.25
      output        10
      tier batch
        input         1.25
        output        5
    source: LiteLLM's model_prices_and_context_window.json, 2026-11-26
    ----- stderr -----
    ");
    assert_snapshot!(project.run(["prices", "show", "gpt-4o"]), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the price of `gpt-4o` is not known
    hint: known are `gpt-4o-2024-08-06`, `gpt-4o-mini`
    ");
    project.write("litellm.json", PRICES.replace("2.5e-06", "2e-06").replace("gpt-4o-mini", "gpt-5-mini"));
    assert_snapshot!(project.run(["prices", "import", "litellm.json", "--date", "2026-12-01", "--dry-run"]), @r"
    exit: 0
    ----- stdout -----
    gpt-4o-2024-08-06: input 2.5 → 2, output 10
    models: 1 new, 1 no longer named, whose last prices stay
    prices.json: would take over the prices of 2 models of 2026-12-01
    ----- stderr -----
    ");

    let report = project.promptops(["eval", "--url", &model.url, "--format", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let report = &report["reports"][0];
    // Four times 400 tokens fresh, 600 cached, 100 out.
    let cost = 4.0 * (400.0 * 2.5 + 600.0 * 1.25 + 100.0 * 10.0) / 1e6;
    assert_eq!(report["candidate"]["totals"]["cost_usd"].as_f64(), Some(cost));
    assert_eq!(report["prices"]["date"], "2026-11-26");
    let human = project.run(["eval"]).stdout;
    assert!(human.contains("0.0110 USD (prices: LiteLLM's model_prices_and_context_window.json, 2026-11-26)"), "{human}");
}

#[test]
fn a_file_without_prices_is_refused() {
    let project = Project::new();
    project.write("page.html", "<html>");
    assert_snapshot!(project.run(["prices", "import", "page.html"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the price file cannot be read
      cause: expected value at line 1 column 1
    hint: it must be LiteLLM's model_prices_and_context_window.json, which is in its repository and its Python package
    ");
    assert_snapshot!(project.run(["prices", "import", "none.json"]), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read the prices in `[PROJECT]/none.json`
      cause: No such file or directory (os error [N])
    hint: check the path
    ");
    assert_snapshot!(project.run(["prices", "show", "gpt-4o"]), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: the price of `gpt-4o` is not known
    hint: `promptops prices import` takes over LiteLLM's table
    ");
}

#[cfg(unix)]
#[test]
fn a_program_can_stand_for_a_model() {
    let provider = |command: &str| {
        format!("[providers.own]\nkind = \"command\"\nmodels = [\"gpt-*\"]\ncommand = [\"sh\", \"-c\", '''{command}''']\n")
    };
    let project = project(3, &provider(r#"grep -q greets && printf '{"text": "Write to you"}'"#));
    let run = project.run(["eval"]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, "evals/greeting.yaml: 3 calls sent, 0 answers replayed\n"), "{run}");
    project.write("promptops.toml", "[providers.own]\nkind = \"command\"\nmodels = [\"gpt-*\"]\n");
    assert_snapshot!(project.run(["eval", "--replay", "off"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the provider `own` has no `command`
    hint: name the program and its arguments, as `command = ["python3", "model.py"]`
    "#);
}

#[test]
fn bedrock_needs_a_region() {
    let project = project(1, "[providers.aws]\nkind = \"bedrock\"\nmodels = [\"gpt-*\"]\n");
    let mut command = project.promptops(["eval"]);
    command.env("AWS_ACCESS_KEY_ID", "AKID").env("AWS_SECRET_ACCESS_KEY", "secret");
    assert_snapshot!(project.finish(command), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the region of the provider `aws` is not known
    hint: add `region` to `[providers.aws]`, or set AWS_REGION
    ");
}

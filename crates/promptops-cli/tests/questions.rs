//! Questions to recorded invocations: one of them, a tree of them, the way back to the prompt, and what they cost.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::{Project, Run};

const PARENT: &str = "019f0000-0000-7000-8000-000000000001";
const CHILD: &str = "019f0000-0000-7000-8000-000000000002";

fn well(project: &Project, arguments: &[&str]) -> Run {
    let run = project.run(arguments);
    assert_eq!(run.exit, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
    run
}

/// Runs a command that must succeed and answers with JSON, ids and times as they are.
fn json(project: &Project, arguments: &[&str]) -> serde_json::Value {
    let output = project.promptops(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A published prompt that is live, and the records of an agent that called it twice.
fn recorded() -> Project {
    let project = Project::committed();
    project.write("promptops.toml", "[environments.prod]\n");
    project.write(".gitignore", ".promptops/\n*.jsonl\n");
    project.commit("Have an environment");
    for arguments in [&["registry", "init"][..], &["publish"], &["deploy", "--env", "prod"]] {
        well(&project, arguments);
    }
    let live = json(&project, &["at", "--env", "prod", "0h", "--format", "json"]);
    let digest = live["prompts"]["support.greeting"]["digest"].as_str().unwrap();
    let time = live["time"].as_str().unwrap();
    let record = |more: &str| {
        format!(
            r#"{{"time":"{time}","environment":"prod","prompt_id":"support.greeting","prompt_digest":"{digest}","requested_model":"gpt-4o","latency_ms":250,"input_tokens":1000,"output_tokens":100,{more}}}"#
        )
    };
    let lines = [
        record(&format!(r#""invocation_id":"{PARENT}","prompt_version":1,"agent":"desk","session":"s1","response_id":"chatcmpl-7","cost_usd":0.01"#)),
        record(&format!(
            r#""invocation_id":"{CHILD}","prompt_version":1,"parent_invocation":"{PARENT}","status":"error","error_type":"timeout","output":"evil \u001b[31m\ntext""#
        )),
        r#"{"time":"2026-05-01T12:00:00Z","invocation_id":"019f0000-0000-7000-8000-000000000003","parent_invocation":"019f0000-0000-7000-8000-0000000000ff","session":"s2","requested_model":"unheard-of","input_tokens":5,"output_tokens":5}"#.to_owned(),
    ];
    project.write("calls.jsonl", lines.join("\n"));
    well(&project, &["invocations", "import", "calls.jsonl"]);
    project
}

#[test]
fn one_invocation_is_shown_with_all_that_is_known() {
    let project = recorded();
    let shown = well(&project, &["invocations", "show", CHILD]);
    for line in [
        "call\n",
        "  error_type              timeout\n",
        "  prompt_id               support.greeting\n",
        "  input_tokens            1000\n",
        "content\n  output                  evil ",
    ] {
        assert!(shown.stdout.contains(line), "{line}{}", shown.stdout);
    }
    assert!(!shown.stdout.contains('\u{1b}'), "what a model wrote steers no terminal: {:?}", shown.stdout);
    assert!(!shown.stdout.contains("label"), "what is unknown is left out");
    assert_eq!(json(&project, &["invocations", "show", "chatcmpl-7", "--json"])["invocation_id"], PARENT);

    assert_snapshot!(project.run(["invocations", "show", "019f"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: several invocations are named by `019f`: [ID], [ID], [ID]
    hint: give more of the id; `promptops invocations tree ID` shows a whole trace
    ");
    assert_snapshot!(project.run(["invocations", "show", "nothing-like-it"]), @r"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: `file://.promptops/lake` has no invocation with the id `nothing-like-it`
    hint: an id is an invocation's own or its beginning, the provider's id of the answer, or that of a trace; what was sent in the last seconds may still be on its way
    ");
}

#[test]
fn what_an_agent_did_is_a_tree() {
    let project = recorded();
    assert_snapshot!(project.run(["invocations", "tree", CHILD]), @r"
    exit: 0
    ----- stdout -----
    [ID]  support.greeting@1  agent desk  gpt-4o  250 ms  1000 → 100 tokens  0.010000 USD
    └─ [ID]  support.greeting@1  gpt-4o  error: timeout  250 ms  1000 → 100 tokens
    ----- stderr -----
    2 invocations, 1 failed: 500 ms of calls, 2000 → 200 tokens, 0.010000 USD; 1 without a cost
    ");
    // The same from its session, whose other call does not name it.
    let session = well(&project, &["invocations", "tree", "--session", "s1"]);
    assert!(session.stdout.contains("└─ "), "{}", session.stdout);
    assert_snapshot!(project.run(["invocations", "tree", "--session", "s2"]), @r"
    exit: 0
    ----- stdout -----
    [ID]  no prompt  unheard-of  5 → 5 tokens  caused by [ID], which is not in the lake
    ----- stderr -----
    1 invocation, 0 failed: 0 ms of calls, 5 → 5 tokens; 1 without a cost
    ");
    let tree = json(&project, &["invocations", "tree", PARENT, "--json"]);
    assert_eq!(tree["version"], 1);
    assert_eq!(tree["roots"][0]["children"][0]["invocation"]["invocation_id"], CHILD);
    assert_eq!((&tree["totals"]["invocations"], &tree["totals"]["errors"]), (&2.into(), &1.into()));
    assert_eq!(
        project.run(["invocations", "tree", "--trace", "unknown"]).exit,
        project.run(["invocations", "show", "unknown"]).exit
    );
}

#[test]
fn an_answer_leads_back_to_its_prompt() {
    let project = recorded();
    insta::with_settings!({filters => vec![(r"2\d{3}-\d\d-\d\dT[\d:.]+Z", "[TIME]")]}, {
        assert_snapshot!(project.run(["trace", "chatcmpl-7"]), @r"
        exit: 0
        ----- stdout -----
        answer
          invocation   [ID]
          time         [TIME]
          prompt       support.greeting@1
          environment  prod
        version
          digest       sha256:ddf0c33d217194bb84b238fce1a4b9f038d1dfb59a1533dcac254b82767b61d7
          as recorded  yes: this is what the caller had
          owner        support-team
          published    [TIME] by ada@example.com
          written      by ada@example.com in prompts/support/greeting.yaml ([COMMIT] of first-commit:[COMMIT])
        release
          1  [TIME]  deploy  ada@example.com of prod
          pinned       support.greeting@1
        text
          Write one warm sentence that greets {{ name }}.
        ----- stderr -----
        ");
    });
    let trace = json(&project, &["trace", PARENT, "--format", "json"]);
    assert_eq!(trace["prompt"]["digest_is_recorded"], true);
    assert_eq!(trace["release"]["pinned"], "support.greeting@1");
    assert_eq!(trace["unknown"], serde_json::json!([]));
    // A record that says little: what is missing is said.
    assert_snapshot!(project.run(["trace", "019f0000-0000-7000-8000-000000000003"]), @r"
    exit: 0
    ----- stdout -----
    answer
      invocation   [ID]
      time         2026-05-01T12:00:00.000Z
      prompt       unknown
    not known
      which prompt it was: the record names none
    ----- stderr -----
    ");
}

#[test]
fn costs_are_shown_as_recorded_and_by_a_table_of_prices() {
    let project = recorded();
    let without = well(&project, &["cost"]);
    assert!(without.stderr.contains("there is no table of prices"), "{}", without.stderr);
    project.write("litellm.json", r#"{"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}}"#);
    well(&project, &["prices", "import", "litellm.json", "--date", "2026-01-01", "--source", "a test"]);
    assert_snapshot!(project.run(["cost", "--by", "prompt,model"]), @r"
    exit: 0
    ----- stdout -----
    prompt            model       calls  recorded USD  priced USD  difference  without price
    -                 unheard-of      1             -           -           -              1
    support.greeting  gpt-4o          2        0.0100      0.0070           -              0
    total                             3        0.0100      0.0070           -              1
    ----- stderr -----
    2 of 3 have no recorded cost; the recorded sums are of the others
    1 of 3 have no price: no price is known for `unheard-of`
    ");
    let costs = well(&project, &["cost", "--by", "model", "--format", "json"]);
    let rows: Vec<serde_json::Value> = costs.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["group"]["model"]), (2, &"gpt-4o".into()));
    assert!((rows[0]["priced_usd"].as_f64().unwrap() - 2.0 * 0.0035).abs() < 1e-12, "{rows:?}");
    let sql = well(
        &project,
        &[
            "query",
            "--format",
            "csv",
            "SELECT count(*) AS n, sum(priced_usd) AS usd FROM priced_invocations WHERE no_price IS NULL",
        ],
    );
    assert_eq!(sql.stdout, "n,usd\n2,0.007\n");
}

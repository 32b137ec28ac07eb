//! `promptops invocations`, `stats`, `query` and `drift`: records from files, counted once, asked about and compared.

#![cfg(test)]

mod support;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use insta::assert_snapshot;
use support::Project;

const MAPPING: &str = r#"
[constants]
prompt_id = "support.routing"
prompt_version = 2
environment = "prod"

[columns]
time = { column = "asked" }
responded_model = { column = "model", strip_prefix = "openai/" }
latency_ms = { column = "seconds", scale = 1000 }
input_tokens = { column = "in" }
output_tokens = { column = "out" }
cost_usd = { column = "usd" }
label = { column = "answer" }
status = { column = "answer", matches = "^[a-z]+$" }
"#;

const ANSWERS: &str = "\
asked,model,seconds,in,out,usd,answer
2026-05-01T08:00:00Z,openai/gpt-4o-2024-08-06,0.5,100,2,0.0010,billing
2026-05-01T08:10:00Z,openai/gpt-4o-2024-08-06,0.7,110,2,0.0011,technical
2026-05-01T09:00:00Z,openai/gpt-4o-2024-08-06,1.5,120,40,0.0020,I cannot say
2026-05-02T08:00:00Z,openai/gpt-4o-mini-2024-07-18,0.2,100,2,0.0001,billing
";

fn project() -> Project {
    let project = Project::new();
    project.write("answers.csv", ANSWERS);
    project.write("mapping.toml", MAPPING);
    project
}

fn imported() -> Project {
    let project = project();
    assert_eq!(project.run(["invocations", "import", "answers.csv", "--mapping", "mapping.toml"]).exit, 0);
    project
}

/// One record as the loader's sink writes it.
fn record(minute: u32, id: u32, label: &str) -> String {
    format!(
        "{{\"schema_version\":1,\"time\":\"2026-05-{:02}T{:02}:{:02}:00Z\",\"invocation_id\":\"019f0000-0000-7000-8000-{id:012}\",\
         \"prompt_id\":\"support.routing\",\"prompt_version\":2,\"environment\":\"prod\",\"status\":\"ok\",\"label\":\"{label}\",\
         \"latency_ms\":{},\"valid\":true}}\n",
        1 + minute / 1440,
        minute / 60 % 24,
        minute % 60,
        200 + id % 17,
    )
}

#[test]
fn csv_comes_in_through_a_mapping_and_counts_once() {
    let project = project();
    let import = ["invocations", "import", "answers.csv", "--mapping", "mapping.toml"];
    assert_snapshot!(project.run(import), @r#"
    exit: 0
    ----- stdout -----
    answers.csv: 4 imported, 0 already there, 0 left out
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(import), @r#"
    exit: 0
    ----- stdout -----
    answers.csv: 0 imported, 4 already there, 0 left out
    ----- stderr -----
    "#);
    // The same rows under another name, with one more.
    project.write("more.csv", format!("{ANSWERS}2026-05-02T08:01:00Z,openai/gpt-4o-mini-2024-07-18,0.3,90,2,0.0001,sales\n"));
    assert_snapshot!(project.run(["invocations", "import", "more.csv", "--mapping", "mapping.toml"]), @r#"
    exit: 0
    ----- stdout -----
    more.csv: 1 imported, 4 already there, 0 left out
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["query", "SELECT count(*) AS calls FROM invocations", "--format", "csv"]), @r#"
    exit: 0
    ----- stdout -----
    calls
    5
    ----- stderr -----
    "#);
}

#[test]
fn json_lines_come_in_as_they_are() {
    let project = project();
    project.write("spool.jsonl", [record(0, 1, "billing"), "\n".to_owned(), record(1, 2, "sales")].concat());
    assert_snapshot!(project.run(["invocations", "import", "spool.jsonl"]), @r#"
    exit: 0
    ----- stdout -----
    spool.jsonl: 2 imported, 0 already there, 0 left out
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["invocations", "import", "spool.jsonl", "spool.jsonl"]), @r#"
    exit: 0
    ----- stdout -----
    spool.jsonl: 0 imported, 2 already there, 0 left out
    spool.jsonl: 0 imported, 2 already there, 0 left out
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["invocations", "tail", "--json"]), @r#"
    exit: 0
    ----- stdout -----
    {"schema_version":1,"time":"2026-05-01T00:00:00.000000Z","invocation_id":"[ID]","environment":"prod","prompt_id":"support.routing","prompt_version":2,"latency_ms":201.0,"status":"ok","label":"billing","valid":true,"source":"spool.jsonl"}
    {"schema_version":1,"time":"2026-05-01T00:01:00.000000Z","invocation_id":"[ID]","environment":"prod","prompt_id":"support.routing","prompt_version":2,"latency_ms":202.0,"status":"ok","label":"sales","valid":true,"source":"spool.jsonl"}
    ----- stderr -----
    "#);
}

#[test]
fn rows_that_cannot_be_read_are_named_and_left_out() {
    let project = project();
    project.write(
        "spool.jsonl",
        [
            record(0, 1, "billing"),
            "{\"schema_version\":1,\"time\":\"yesterday\"}\n".to_owned(),
            "[1, 2]\n".to_owned(),
            record(1, 2, "sales").replace("\"schema_version\":1", "\"schema_version\":9"),
            "{\"schema_ver".to_owned(),
        ]
        .concat(),
    );
    project.write("rows.csv", ANSWERS.replace("0.7", "fast").replace("2026-05-02T08:00:00Z", "soon"));
    assert_snapshot!(project.run(["invocations", "import", "spool.jsonl", "--strict"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: 4 rows cannot be read; the first is spool.jsonl:2: `time` is not as `2026-05-01T10:00:00Z`: `yesterday` at column 39
    hint: correct what is wrong, or import without `--strict` to leave it out; nothing of this file was imported
    "#);
    assert_snapshot!(project.run(["stats"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    no invocation fits in `file://.promptops/lake`; `promptops invocations import` brings some
    "#);
    assert_snapshot!(project.run(["invocations", "import", "spool.jsonl"]), @r#"
    exit: 1
    ----- stdout -----
    spool.jsonl: 1 imported, 0 already there, 4 left out
    ----- stderr -----
    warning: spool.jsonl:2: `time` is not as `2026-05-01T10:00:00Z`: `yesterday` at column 39
    warning: spool.jsonl:3: not a JSON object: `[1, 2]`
    warning: spool.jsonl:4: schema version `9` is not the one that is known, `1`
    warning: spool.jsonl:5: EOF while parsing a string at column 12
    "#);
    assert_snapshot!(project.run(["invocations", "import", "rows.csv", "--mapping", "mapping.toml"]), @r#"
    exit: 1
    ----- stdout -----
    rows.csv: 2 imported, 0 already there, 2 left out
    ----- stderr -----
    warning: rows.csv:3: column `seconds`: not a number from 0: `fast`
    warning: rows.csv:5: column `asked`: not a time in the expected format: `soon`
    "#);
}

#[test]
fn of_many_bad_rows_the_first_are_named_and_all_counted() {
    let project = project();
    project.write("spool.jsonl", "not json\n".repeat(150));
    let run = project.run(["invocations", "import", "spool.jsonl"]);
    assert_eq!(run.exit, 1);
    assert_eq!(run.stderr.lines().count(), 101, "{run}");
    assert!(run.stderr.contains("… and 50 more rows"), "{run}");
    assert_eq!(run.stdout, "spool.jsonl: 0 imported, 0 already there, 150 left out\n");
}

#[test]
fn a_file_that_does_not_fit_says_what_it_lacks() {
    let project = project();
    assert_snapshot!(project.run(["invocations", "import", "answers.csv"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot import `answers.csv`
      cause: no column is called `time`; the file has `asked`, `model`, `seconds`, `in`, `out`, `usd`, `answer`
    hint: write a mapping and name it with `--mapping`; examples/llmdrift has one
    "#);
    assert_snapshot!(project.run(["invocations", "import", "absent.csv"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/absent.csv`
      cause: No such file or directory (os error [N])
    hint: check the path
    "#);
    assert_snapshot!(project.run(["invocations", "import", "prompts"]), @r"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    warning: no file of the folder ends in `.jsonl`: `prompts`
    ");
    project.write("empty.csv", "");
    assert_snapshot!(project.run(["invocations", "import", "empty.csv", "--mapping", "mapping.toml"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot import `empty.csv`
      cause: the file has no header row
    "#);
    project.write("other.csv", "when,what\n2026-05-01,billing\n");
    assert_snapshot!(project.run(["invocations", "import", "other.csv", "--mapping", "mapping.toml"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot import `other.csv`
      cause: the file has no column `usd`, which the mapping wants for `cost_usd`; it has `when`, `what`
    "#);
    project.write("quote.csv", format!("{ANSWERS}\"2026{}", "x".repeat(17 << 20)));
    assert_snapshot!(project.run(["invocations", "import", "quote.csv", "--mapping", "mapping.toml"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: cannot import `quote.csv`
      cause: the row that begins at line 6 is longer than 16777216 bytes, which suggests a quote that is never closed
    "#);
}

#[test]
fn a_mapping_that_cannot_be_used_says_why() {
    let project = project();
    let with = |mapping: &str| {
        project.write("mapping.toml", mapping);
        project.run(["invocations", "import", "answers.csv", "--mapping", "mapping.toml"])
    };
    assert_snapshot!(with("[columns\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `mapping.toml` is not a mapping
      cause: not a column mapping: TOML parse error at line 1, column 9
      |
    1 | [columns
      |         ^
    unclosed table, expected `]`
    "#);
    assert_snapshot!(with("[columns]\nlabel = { column = \"answer\" }\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `mapping.toml` is not a mapping
      cause: the mapping gives no `time`
    "#);
    assert_snapshot!(with("[columns]\ntime = { column = \"asked\" }\nlatency = { column = \"seconds\" }\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `mapping.toml` is not a mapping
      cause: no field of the invocation record is called `latency`; known are `time`, `invocation_id`, `trace_id`, `span_id`, `parent_invocation`, `agent`, `session`, `service`, `runtime`, `environment`, `prompt_id`, `prompt_version`, `prompt_digest`, `arm`, `input_hash`, `operation`, `provider`, `requested_model`, `responded_model`, `response_id`, `fingerprint`, `service_tier`, `parameters_hash`, `tools_hash`, `latency_ms`, `time_to_first_token_ms`, `input_tokens`, `output_tokens`, `cached_tokens`, `cache_write_tokens`, `reasoning_tokens`, `cost_usd`, `price_table`, `status`, `error_type`, `finish_reason`, `label`, `valid`, `refusal`, `output_length`, `stratum`, `source`, `input`, `output` and `scores.NAME`
    "#);
    assert_snapshot!(with("[columns]\ntime = { column = \"asked\" }\nlabel = { column = \"answer\", pattern = \"(\" }\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `mapping.toml` is not a mapping
      cause: `label`: regex parse error:
        (
        ^
    error: unclosed group
    "#);
    assert_snapshot!(with("[columns]\ntime = { column = \"asked\", scale = 10 }\n"), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: `mapping.toml` is not a mapping
      cause: `time`: `scale` is for numbers
    "#);
    let absent = project.run(["invocations", "import", "answers.csv", "--mapping", "absent.toml"]);
    assert_snapshot!(absent, @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot read `[PROJECT]/absent.toml`
      cause: No such file or directory (os error [N])
    hint: check the path
    "#);
}

#[test]
fn statistics_in_every_format() {
    let project = imported();
    assert_snapshot!(project.run(["stats"]), @r"
    exit: 0
    ----- stdout -----
    prompt           version  model                   calls      errors  p50 ms  p95 ms  p99 ms  tokens in  tokens out  cost USD        last (UTC)
    support.routing  2        gpt-4o-2024-08-06           3  1 (33.3 %)     700    1420    1484        330          44    0.0041  2026-05-01 09:00
    support.routing  2        gpt-4o-mini-2024-07-18      1           0     200     200     200        100           2    0.0001  2026-05-02 08:00
    total                                                 4  1 (25.0 %)     600    1380    1476        430          46    0.0042  2026-05-02 08:00
    ----- stderr -----
    ");
    assert_snapshot!(project.run(["stats", "--format", "json", "--by", "model"]), @r#"
    exit: 0
    ----- stdout -----
    {"group":{"model":"gpt-4o-2024-08-06"},"invocations":3,"errors":1,"error_share":0.3333333333333333,"latency_p50_ms":700.0,"latency_p95_ms":1420.0,"latency_p99_ms":1484.0,"input_tokens":330,"output_tokens":44,"cached_tokens":null,"cost_usd":0.0041,"with_cost":3,"first":"2026-05-01T08:00:00+00:00","last":"2026-05-01T09:00:00+00:00"}
    {"group":{"model":"gpt-4o-mini-2024-07-18"},"invocations":1,"errors":0,"error_share":0.0,"latency_p50_ms":200.0,"latency_p95_ms":200.0,"latency_p99_ms":200.0,"input_tokens":100,"output_tokens":2,"cached_tokens":null,"cost_usd":0.0001,"with_cost":1,"first":"2026-05-02T08:00:00+00:00","last":"2026-05-02T08:00:00+00:00"}
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["stats", "--format", "csv", "--by", "day,label"]), @r"
    exit: 0
    ----- stdout -----
    day,label,invocations,errors,error_share,latency_p50_ms,latency_p95_ms,latency_p99_ms,input_tokens,output_tokens,cached_tokens,cost_usd,with_cost,first,last
    2026-05-01,I cannot say,1,1,1,1500,1500,1500,120,40,,0.002,1,2026-05-01T09:00:00+00:00,2026-05-01T09:00:00+00:00
    2026-05-01,billing,1,0,0,500,500,500,100,2,,0.001,1,2026-05-01T08:00:00+00:00,2026-05-01T08:00:00+00:00
    2026-05-01,technical,1,0,0,700,700,700,110,2,,0.0011,1,2026-05-01T08:10:00+00:00,2026-05-01T08:10:00+00:00
    2026-05-02,billing,1,0,0,200,200,200,100,2,,0.0001,1,2026-05-02T08:00:00+00:00,2026-05-02T08:00:00+00:00
    ----- stderr -----
    ");
    assert_snapshot!(project.run(["stats", "--by", "model", "--since", "2026-05-02", "--until", "2026-05-03"]), @r#"
    exit: 0
    ----- stdout -----
    model                   calls  errors  p50 ms  p95 ms  p99 ms  tokens in  tokens out  cost USD        last (UTC)
    gpt-4o-mini-2024-07-18      1       0     200     200     200        100           2    0.0001  2026-05-02 08:00
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["stats", "--prompt", "support.farewell"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    no invocation fits in `file://.promptops/lake`; `promptops invocations import` brings some
    "#);
    assert_snapshot!(project.run(["stats", "--by", "colour"]), @r"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'colour' for '--by <COLUMN,…>'
      [possible values: prompt, version, owner, arm, model, provider, operation, tier, service, runtime, agent, session, environment, status, error, finish, label, stratum, source, minute, hour, day, week, month]

      tip: a similar value exists: 'hour'

    For more information, try '--help'.
    ");
    let beginning = project.run(["stats", "--since", "90000000000d"]);
    assert_eq!(beginning.to_string(), project.run(["stats"]).to_string(), "longer ago than there is time");
    assert_snapshot!(project.run(["stats", "--since", "lately"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'lately' for '--since <TIME>': write a time as `2026-11-01T03:00Z` or `2026-11-01` (UTC), or how long ago as `24h` or `7d`

    For more information, try '--help'.
    "#);
}

#[test]
fn questions_in_sql() {
    let project = imported();
    let sql =
        "SELECT label, count(*) AS calls, sum(cost_usd) AS usd FROM invocations WHERE day = '2026-05-01' GROUP BY 1 ORDER BY 1";
    assert_snapshot!(project.run(["query", sql]), @r"
    exit: 0
    ----- stdout -----
    label         calls     usd
    I cannot say      1   0.002
    billing           1   0.001
    technical         1  0.0011
    ----- stderr -----
    3 rows
    ");
    assert_snapshot!(project.run(["query", sql, "--format", "json"]), @r#"
    exit: 0
    ----- stdout -----
    {"label":"I cannot say","calls":1,"usd":0.002}
    {"label":"billing","calls":1,"usd":0.001}
    {"label":"technical","calls":1,"usd":0.0011}
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["query", sql, "--format", "csv"]), @r#"
    exit: 0
    ----- stdout -----
    label,calls,usd
    I cannot say,1,0.002
    billing,1,0.001
    technical,1,0.0011
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["query", "SELECT label FROM invocations WHERE false"]), @r"
    exit: 0
    ----- stdout -----
    label
    ----- stderr -----
    0 rows
    ");
}

#[test]
fn a_question_that_cannot_be_answered_says_why() {
    let project = imported();
    assert_snapshot!(project.run(["query", "SELEC 1"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: syntax error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1
    hint: the table is `invocations`; `promptops query "DESCRIBE invocations"` lists its columns
    "#);
    assert_snapshot!(project.run(["query", "SELECT lable FROM invocations"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: no column is called `lable`; did you mean `label`?
    hint: the table is `invocations`; `promptops query "DESCRIBE invocations"` lists its columns
    "#);
    assert_snapshot!(project.run(["query", "SELECT * FROM calls"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: table 'calls' not found
    hint: the table is `invocations`; `promptops query "DESCRIBE invocations"` lists its columns
    "#);
    assert_snapshot!(project.run(["query", "DROP TABLE invocations"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: only queries are answered, and this statement would change something
    hint: the table is `invocations`; `promptops query "DESCRIBE invocations"` lists its columns
    "#);
    assert_eq!(project.run(["query", "DESCRIBE invocations"]).exit, 0, "the hint names it");
    assert_snapshot!(project.run(["query", ""]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the statement is empty
    hint: the table is `invocations`; `promptops query "DESCRIBE invocations"` lists its columns
    "#);
}

#[test]
fn an_empty_lake_answers_with_nothing() {
    let project = Project::new();
    assert_snapshot!(project.run(["query", "SELECT count(*) AS calls FROM invocations", "--format", "csv"]), @r#"
    exit: 0
    ----- stdout -----
    calls
    0
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["stats"]), @r#"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    no invocation fits in `file://.promptops/lake`; `promptops invocations import` brings some
    "#);
    assert_snapshot!(project.run(["invocations", "tail"]), @r#"
    exit: 0
    ----- stdout -----
    time (UTC)  prompt  model  status  label  ms  in  out  USD
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["drift"]), @r#"
    exit: 3
    ----- stdout -----
    ----- stderr -----
    error: a window holds no invocation: `baseline`
    hint: widen the window, or drop a filter; `promptops stats --by day` shows what there is
    "#);
    assert!(!project.path(".promptops/lake").exists(), "a question made the lake");
}

#[test]
fn the_latest_records() {
    let project = imported();
    assert_snapshot!(project.run(["invocations", "tail", "-n", "2"]), @r#"
    exit: 0
    ----- stdout -----
    time (UTC)           prompt             model                   status  label           ms   in  out       USD
    2026-05-01 09:00:00  support.routing@2  gpt-4o-2024-08-06       error   I cannot say  1500  120   40  0.002000
    2026-05-02 08:00:00  support.routing@2  gpt-4o-mini-2024-07-18  ok      billing        200  100    2  0.000100
    ----- stderr -----
    "#);
    assert_eq!(project.run(["invocations", "tail", "--json"]).stdout.lines().count(), 4);
}

#[test]
fn records_are_shown_as_they_come() {
    let project = imported();
    project.write("new.jsonl", [record(0, 1, "bil\\u001b[2Jling"), record(1, 2, "sales")].concat());
    let follow = |arguments: &[&str]| {
        let mut command = project.promptops(["invocations", "tail", "--follow", "--every", "1"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        (child, lines)
    };
    let (mut for_people, mut text) = follow(&["-n", "1"]);
    let (mut for_programs, mut json) = follow(&["-n", "1", "--json", "--prompt", "support.routing"]);
    let first: Vec<String> = text.by_ref().take(2).collect();
    assert!(first[0].starts_with("time (UTC)") && first[1].contains("gpt-4o-mini"), "{first:?}");
    assert!(json.next().unwrap().contains("2026-05-02T08:00:00"));

    assert_eq!(project.run(["invocations", "import", "new.jsonl"]).exit, 0);
    let new: Vec<String> = text.by_ref().take(2).collect();
    assert_eq!(
        new,
        [
            r"2026-05-01 00:00:00  support.routing@2  -                       ok      bil\u{1b}[2Jling  201    -    -         -",
            "2026-05-01 00:01:00  support.routing@2  -                       ok      sales             202    -    -         -",
        ]
    );
    assert_eq!(json.by_ref().take(2).filter(|line| line.contains("019f0000-0000-7000-8000-00000000000")).count(), 2);

    // It ends when nobody reads; who asks for something else is told so at once.
    drop(json);
    project.write("newer.jsonl", record(2, 3, "sales"));
    assert_eq!(project.run(["invocations", "import", "newer.jsonl"]).exit, 0);
    assert!(for_programs.wait().unwrap().success());
    assert!(text.next().unwrap().contains("00:02:00"));
    for_people.kill().unwrap();
    for_people.wait().unwrap();
    assert!(project.run(["invocations", "tail", "--every", "1"]).stderr.contains("--follow"));
}

#[test]
fn a_damaged_file_of_the_lake_is_named() {
    let project = imported();
    let (path, bytes) = project.files(".promptops/lake").into_iter().find(|(path, _)| path.extension().is_some()).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    for command in [&["stats"][..], &["query", "SELECT label FROM invocations"], &["invocations", "tail"]] {
        let run = project.run(command);
        assert_eq!(run.exit, 7, "{run}");
        assert!(run.stderr.contains("Parquet file of invocations: `invocations/day=2026-05-0"), "{run}");
        assert!(run.stderr.contains("hint: restore the file"), "{run}");
    }
}

#[test]
fn drift_between_two_windows() {
    let project = Project::new();
    let mut spool = String::new();
    for number in 0..600 {
        // In the second day `sales` takes over from `billing`.
        let label = match (number / 300, number % 10) {
            (0, 0..7) | (1, 0..2) => "billing",
            _ => "sales",
        };
        write!(spool, "{}", record(number / 300 * 1440 + number % 300, number, label)).unwrap();
    }
    project.write("spool.jsonl", spool);
    assert_eq!(project.run(["invocations", "import", "spool.jsonl"]).exit, 0);
    assert_snapshot!(project.run(["drift", "--since", "2026-05-02", "--until", "2026-05-03"]), @r#"
    exit: 1
    ----- stdout -----
    baseline  300 calls, 2026-05-01 00:00 – 2026-05-01 04:59 UTC
    current   300 calls, 2026-05-02 00:00 – 2026-05-02 04:59 UTC

    signal                 baseline  current  difference  interval
    error_share               0.0 %    0.0 %     +0.0 pp  -2.0 pp … +2.0 pp at 98.8 %    no change shown
    valid_share             100.0 %  100.0 %     +0.0 pp  -2.0 pp … +2.0 pp at 98.8 %    no change shown
    refusal_share                 -        -           -  -                              too few calls to say
    label_share `sales`      30.0 %   80.0 %    +50.0 pp  +40.0 pp … +58.4 pp at 99.2 %  changed
    label_share `billing`    70.0 %   20.0 %    -50.0 pp  -58.4 pp … -40.0 pp at 99.2 %  changed
    output_length                 -        -           -  -                              too few calls to say
    input_tokens                  -        -           -  -                              too few calls to say
    output_tokens                 -        -           -  -                              too few calls to say
    cost_usd                      -        -           -  -                              too few calls to say
    slow_share                0.0 %    0.0 %     +0.0 pp  -2.0 pp … +2.0 pp at 98.8 %    no change shown
    latency_median_ms         208.0    208.0        +0.0  -1.4 … +1.4 at 98.8 %          no change shown

    2 of 6 signals changed (chance of any false call at most 5 %)
    ----- stderr -----
    "#);
    let same = ["drift", "--baseline-until", "2026-05-01T02:00Z", "--since", "2026-05-01T02:00Z", "--until", "2026-05-01T04:00Z"];
    assert_snapshot!(project.run(same), @r#"
    exit: 0
    ----- stdout -----
    baseline  120 calls, 2026-05-01 00:00 – 2026-05-01 01:59 UTC
    current   120 calls, 2026-05-01 02:00 – 2026-05-01 03:59 UTC

    signal                 baseline  current  difference  interval
    error_share               0.0 %    0.0 %     +0.0 pp  -5.5 pp … +5.5 pp at 99.2 %    no change shown
    valid_share             100.0 %  100.0 %     +0.0 pp  -5.5 pp … +5.5 pp at 99.2 %    no change shown
    refusal_share                 -        -           -  -                              too few calls to say
    label_share `billing`    70.0 %   70.0 %     +0.0 pp  -15.3 pp … +15.3 pp at 99.2 %  no change shown
    label_share `sales`      30.0 %   30.0 %     +0.0 pp  -15.3 pp … +15.3 pp at 99.2 %  no change shown
    output_length                 -        -           -  -                              too few calls to say
    input_tokens                  -        -           -  -                              too few calls to say
    output_tokens                 -        -           -  -                              too few calls to say
    cost_usd                      -        -           -  -                              too few calls to say
    slow_share                0.0 %    0.0 %     +0.0 pp  -5.5 pp … +5.5 pp at 99.2 %    no change shown
    latency_median_ms         208.0    208.0        +0.0  -2.8 … +2.8 at 99.2 %          no change shown

    no signal of 6 changed (chance of a false call at most 5 %)
    ----- stderr -----
    "#);
    assert_snapshot!(project.run(["drift", "--since", "2027-01-01", "--until", "2027-01-02"]), @r#"
    exit: 3
    ----- stdout -----
    ----- stderr -----
    error: a window holds no invocation: `current`
    hint: widen the window, or drop a filter; `promptops stats --by day` shows what there is
    "#);
    assert_snapshot!(project.run(["drift", "--since", "2026-05-01", "--until", "2026-05-02"]), @r#"
    exit: 3
    ----- stdout -----
    ----- stderr -----
    error: a window holds no invocation: `baseline`
    hint: widen the window, or drop a filter; `promptops stats --by day` shows what there is
    "#);
    assert_snapshot!(project.run(["drift", "--since", "2026-05-02", "--alpha", "1.5"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: alpha lies strictly between 0 and 0.5, not at `1.5`
    "#);
    let json = project.run(["drift", "--since", "2026-05-02", "--until", "2026-05-03", "--json"]);
    assert_eq!(json.exit, 1);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["baseline"]["rows"], 300, "{document:#}");
}

#[test]
fn a_plan_names_who_called_a_prompt_lately() {
    let project = Project::committed();
    let plan = ["plan", "--env", "prod", "support.greeting"];
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    assert_eq!(project.run(["publish"]).exit, 0);
    let nobody = project.run(plan);
    assert!(nobody.exit == 0 && !nobody.stdout.contains("called lately"), "without a lake nothing is said: {nobody}");
    // No test knows the time: what is dated far ahead was called later than a week ago, and what lies in the past was not.
    let call = |id: u32, day: &str, environment: &str, service: &str| {
        format!(
            "{{\"schema_version\":1,\"time\":\"{day}T10:0{id}:00Z\",\"invocation_id\":\"019f0000-0000-7000-8000-{id:012}\",\
             \"prompt_id\":\"support.greeting\",\"prompt_version\":1,\"environment\":\"{environment}\",\"status\":\"ok\"{service}}}\n"
        )
    };
    let calls = [
        call(1, "2190-05-01", "prod", ",\"service\":\"inbox\""),
        call(2, "2190-05-01", "prod", ",\"service\":\"inbox\""),
        call(3, "2190-05-02", "prod", ""),
        call(4, "2190-05-02", "staging", ",\"service\":\"elsewhere\""),
        call(5, "2020-05-01", "prod", ",\"service\":\"long-ago\""),
    ];
    project.write("calls.jsonl", calls.concat());
    assert_eq!(project.run(["invocations", "import", "calls.jsonl"]).exit, 0);
    let shown = project.run(plan);
    let callers = "    called lately by inbox (2 calls, the last 2190-05-01T10:02Z), \
                   a service without a name (1 call, the last 2190-05-02T10:03Z)\n";
    assert!(shown.stdout.contains(callers), "{shown}");
    assert!(!shown.stdout.contains("elsewhere") && !shown.stdout.contains("long-ago"), "{shown}");
    // A lake that cannot be read takes nothing away from the plan.
    project.write("promptops.toml", "[lake]\nurl = \"gopher://lake\"\n");
    let without = project.run(plan);
    assert_eq!(without.stdout, nobody.stdout);
}

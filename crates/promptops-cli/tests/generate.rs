//! `promptops generate`: what is written from the prompts that exist, where it goes, and what is refused.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use support::Project;

/// A project with two prompts of two teams, one of which is included by the other.
fn project() -> Project {
    let project = Project::new();
    project.write("promptops.toml", "[environments.prod]\n[environments.staging]\n");
    project.write(
        "prompts/support/triage.yaml",
        "id: support.triage\nversion: 3\nparent: 2\nowner: o'hara\nmodel: gpt-4o\ntags: [support, urgent]\npurpose: Sort \"tickets\"\n\
         metrics: {baseline_error_share: 0.02, baseline_latency_p95_ms: 900, cost_per_call_usd: 0.003, calls_per_hour: 40}\n\
         template: |\n  {% include \"support.greeting@1\" %}\n",
    );
    project
}

#[test]
fn the_lake_becomes_a_table_of_athena() {
    let project = project();
    let run = project.run(["generate", "athena-ddl", "--location", "s3://acme/lake/", "--days", "30", "--database", "calls"]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    let table = run.stdout.split("-- invocations: ").nth(1).unwrap().split("-- ").next().unwrap();
    let without_columns: Vec<&str> = table.lines().filter(|line| !line.contains(" COMMENT ")).collect();
    assert_snapshot!(without_columns.join("\n"), @r#"
    the table of invocations
    CREATE EXTERNAL TABLE IF NOT EXISTS `calls`.`invocations` (
    )
    PARTITIONED BY (
    )
    STORED AS PARQUET
    LOCATION 's3://acme/lake/invocations/'
    TBLPROPERTIES (
      'projection.enabled' = 'true',
      'projection.day.type' = 'date',
      'projection.day.format' = 'yyyy-MM-dd',
      'projection.day.range' = 'NOW-30DAYS,NOW+1DAYS',
      'projection.day.interval' = '1',
      'projection.day.interval.unit' = 'DAYS',
      'projection.hour.type' = 'integer',
      'projection.hour.range' = '0,23',
      'projection.hour.digits' = '2',
      'storage.location.template' = 's3://acme/lake/invocations/day=${day}/hour=${hour}/'
    );
    "#);
    let owners = run.stdout.split("-- prompt_owners: ").nth(1).unwrap().split("-- ").next().unwrap();
    assert_snapshot!(owners, @r#"
    the owner of each prompt, when this was generated
    CREATE OR REPLACE VIEW calls.prompt_owners AS
    SELECT prompt_id, owner
    FROM (VALUES
      ('support.greeting', 'support-team'),
      ('support.triage', 'o''hara')
    ) AS owned (prompt_id, owner);
    "#);
}

#[test]
fn statements_are_one_script_or_a_folder_of_files() {
    let project = project();
    let write = ["generate", "spark-ddl", "--location", "s3://acme/lake", "--out", "spark"];
    let run = project.run(write);
    assert_snapshot!(run, @r#"
    exit: 0
    ----- stdout -----
    wrote spark/table/01-invocations.sql
    wrote spark/table/02-invocations-last-day.sql
    wrote spark/table/03-prompt-owners.sql
    wrote spark/queries/01-by-prompt.sql
    wrote spark/queries/02-cost-by-owner.sql
    wrote spark/queries/03-errors.sql
    wrote spark/queries/04-slowest.sql
    wrote spark/queries/05-versions.sql
    wrote spark/queries/06-silent.sql
    wrote spark/queries/07-labels.sql
    wrote spark/queries/08-scores.sql
    wrote spark/queries/09-quality.sql
    wrote spark/queries/10-duplicates.sql
    ----- stderr -----
    "#);
    assert_eq!(project.files("spark").len(), run.stdout.lines().count());
    let check = [&write[..], &["--check"]].concat();
    assert_eq!(project.run(&check).exit, 0);

    project.replace("spark/table/01-invocations.sql", "latency_ms", "latency");
    std::fs::remove_file(project.path("spark/queries/01-by-prompt.sql")).unwrap();
    let run = project.run(&check);
    assert_eq!(run.exit, 1);
    let stale: Vec<&str> = run.stdout.lines().filter(|line| !line.ends_with("is up to date")).collect();
    assert_snapshot!(stale.join("\n"), @r#"
    spark/table/01-invocations.sql differs
    spark/queries/01-by-prompt.sql is missing
    "#);
    assert_snapshot!(run.stderr, @"the same command without `--check` writes what is generated now");
}

#[test]
fn a_lake_that_no_engine_reaches_is_refused_or_said() {
    let project = project();
    let refused = ["lake", "s3://", "://x", "s3://a/${day}", "s3://a/'b", "s3://a/b\nc"];
    for location in refused {
        let run = project.run(["generate", "trino-ddl", "--location", location]);
        assert_eq!(run.exit, 2, "{location}: {}", run.stdout);
    }
    assert_snapshot!(project.run(["generate", "athena-ddl", "--location", "lake"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the lake cannot be a table at `lake`
    hint: give its URL as `--location s3://bucket/lake`
    "#);
    assert_snapshot!(project.run(["generate", "athena-ddl", "--location", "s3://lake", "--table", "My-Table"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'My-Table' for '--table <NAME>': a name has lower-case letters, digits and `_`, and does not begin with a digit

    For more information, try '--help'.
    "#);
    let local = project.run(["generate", "spark-ddl"]);
    assert_eq!(local.exit, 0);
    assert_snapshot!(local.stderr, @"warning: the lake is on this machine alone, `file://[PROJECT]/.promptops/lake`; `--location` names another");
    assert!(local.stdout.contains("OPTIONS (path 'file://"), "{}", local.stdout);
}

#[test]
fn a_text_of_a_prompt_ends_no_statement() {
    let project = project();
    project.write(
        "prompts/support/odd.yaml",
        "id: support.odd\nversion: 1\nowner: \"a'); DROP TABLE x; -- \\\\\"\nmodel: m\ntags: [support]\ntemplate: x\n",
    );
    let owner_in = |engine: &str| {
        let run = project.run(["generate", engine, "--location", "s3://acme/lake"]);
        run.stdout.lines().find(|line| line.contains("support.odd")).unwrap_or_default().to_owned()
    };
    assert_snapshot!(owner_in("athena-ddl"), @r#"  ('support.odd', 'a''); DROP TABLE x; -- \'),"#);
    assert_snapshot!(owner_in("trino-ddl"), @r#"  ('support.odd', 'a''); DROP TABLE x; -- \'),"#);
    assert_snapshot!(owner_in("spark-ddl"), @r#"  ('support.odd', 'a\'); DROP TABLE x; -- \\'),"#);
}

/// What one rule, alarm or query of a generated file says, by the words it begins with.
fn lines_with(text: &str, words: &[&str]) -> String {
    let is_meant = |line: &&str| words.iter().any(|word| line.trim_start().trim_start_matches("- ").starts_with(word));
    text.lines().filter(is_meant).map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_baseline_becomes_alarms() {
    let project = project();
    let run = project.run(["generate", "prometheus-rules", "--env", "prod"]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    assert_snapshot!(lines_with(&run.stdout, &["alert:", "expr:", "for:", "owner:", "summary:"]), @r#"
    expr: "sum by (environment, prompt_id) (increase(promptops_invocations_total[15m]))"
    expr: "(sum by (environment, prompt_id) (increase(promptops_invocations_total{status=\"error\"}[15m])) or 0 * sum by (environment, prompt_id) (increase(promptops_invocations_total[15m]))) / sum by (environment, prompt_id) (increase(promptops_invocations_total[15m]))"
    expr: "histogram_quantile(0.95, sum by (environment, prompt_id, le) (rate(promptops_invocation_latency_seconds_bucket[15m])))"
    expr: "sum by (environment, prompt_id) (increase(promptops_invocation_cost_usd_total[1h]))"
    - alert: "PromptErrors"
    expr: "prompt:promptops_invocation_errors:ratio15m{environment=\"prod\",prompt_id=\"support.triage\"} > 0.04 and prompt:promptops_invocations:increase15m{environment=\"prod\",prompt_id=\"support.triage\"} >= 20"
    for: "5m"
    owner: "o'hara"
    summary: "support.triage in prod: {{ $value | humanizePercentage }} of calls fail, more than 4 %"
    - alert: "PromptLatency"
    expr: "prompt:promptops_invocation_latency_seconds:p95_15m{environment=\"prod\",prompt_id=\"support.triage\"} > 1.8 and prompt:promptops_invocations:increase15m{environment=\"prod\",prompt_id=\"support.triage\"} >= 20"
    for: "5m"
    owner: "o'hara"
    summary: "support.triage in prod: the 95th percentile of latency is {{ $value | humanizeDuration }}, more than 1800 ms"
    - alert: "PromptCost"
    expr: "prompt:promptops_invocation_cost_usd:increase1h{environment=\"prod\",prompt_id=\"support.triage\"} > 0.24"
    for: "5m"
    owner: "o'hara"
    summary: "support.triage in prod: the last hour cost {{ $value | printf \"%.2f\" }} USD, more than 0.24"
    - alert: "PromptSilent"
    expr: "sum by (environment, prompt_id) (increase(promptops_invocations_total{environment=\"prod\",prompt_id=\"support.triage\"}[1h])) == 0 and on (environment, prompt_id) promptops_invocations_total{environment=\"prod\",prompt_id=\"support.triage\"} offset 1h or absent_over_time(promptops_invocations_total{environment=\"prod\",prompt_id=\"support.triage\"}[1h]) and on () promptops_invocations_recorded_total offset 1h"
    for: "5m"
    owner: "o'hara"
    summary: "support.triage in prod: no call for 1 h or more"
    "#);
    let run = project.run(["generate", "cloudwatch", "--alarms", "--format", "json", "--env", "prod"]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    let words =
        ["\"AlarmName\"", "\"AlarmDescription\"", "\"Expression\"", "\"Threshold\"", "\"EvaluationPeriods\"", "\"TreatMissing"];
    assert_snapshot!(lines_with(&run.stdout, &words), @r#"
    "AlarmDescription": "support.triage in prod: more than 4 % of calls fail. Owner: o'hara. Sort \"tickets\".",
    "Threshold": 0.04,
    "EvaluationPeriods": 2,
    "TreatMissingData": "notBreaching",
    "Expression": "IF(calls >= 20, errors / calls, 0)",
    "AlarmName": "promptops-prod-support.triage-errors"
    "AlarmDescription": "support.triage in prod: the 95th percentile of latency is above 1800 ms. Owner: o'hara. Sort \"tickets\".",
    "Threshold": 1800.0,
    "EvaluationPeriods": 2,
    "TreatMissingData": "notBreaching",
    "Expression": "IF(calls >= 20, latency, 0)",
    "AlarmName": "promptops-prod-support.triage-latency"
    "AlarmDescription": "support.triage in prod: an hour costs more than 0.24 US dollars. Owner: o'hara. Sort \"tickets\".",
    "Threshold": 0.24,
    "EvaluationPeriods": 1,
    "TreatMissingData": "notBreaching",
    "AlarmName": "promptops-prod-support.triage-cost"
    "AlarmDescription": "support.triage in prod: no call for 1 h. Owner: o'hara. Sort \"tickets\".",
    "Threshold": 1.0,
    "EvaluationPeriods": 1,
    "TreatMissingData": "breaching",
    "AlarmName": "promptops-prod-support.triage-silence"
    "#);
}

#[test]
fn what_has_no_baseline_has_no_alarm_and_that_is_said() {
    let project = project();
    let run = project.run(["generate", "prometheus-rules", "--prompt", "support.greeting"]);
    assert_eq!(run.exit, 0);
    assert_snapshot!(run.stderr, @r#"
    no alarm about latency for `support.greeting`: it takes `baseline_latency_p95_ms` in its `metrics`, or `--max-latency-ms`
    no alarm about cost for `support.greeting`: it takes `cost_per_call_usd` and `calls_per_hour` in its `metrics`, or `--max-cost-per-hour`
    no alarm about silence for `support.greeting`: it takes `calls_per_hour` in its `metrics`, of ten a day or more
    "#);
    assert_eq!(run.stdout.matches("alert: ").count(), 2, "errors alone, in two environments: {}", run.stdout);
    let limits = ["--max-latency-ms", "3000", "--max-cost-per-hour", "5", "--max-error-share", "0.2", "--env", "prod"];
    let run = project.run([&["generate", "prometheus-rules", "--prompt", "support.greeting"], &limits[..]].concat());
    assert_snapshot!(lines_with(&run.stdout, &["expr: \"prompt:", "alert:"]), @r#"
    - alert: "PromptErrors"
    expr: "prompt:promptops_invocation_errors:ratio15m{environment=\"prod\",prompt_id=\"support.greeting\"} > 0.2 and prompt:promptops_invocations:increase15m{environment=\"prod\",prompt_id=\"support.greeting\"} >= 20"
    - alert: "PromptLatency"
    expr: "prompt:promptops_invocation_latency_seconds:p95_15m{environment=\"prod\",prompt_id=\"support.greeting\"} > 3 and prompt:promptops_invocations:increase15m{environment=\"prod\",prompt_id=\"support.greeting\"} >= 20"
    - alert: "PromptCost"
    expr: "prompt:promptops_invocation_cost_usd:increase1h{environment=\"prod\",prompt_id=\"support.greeting\"} > 5"
    "#);
    project.replace("prompts/support/triage.yaml", "baseline_error_share: 0.02", "baseline_error_share: 2");
    assert_snapshot!(project.run(["generate", "grafana", "--env", "prod", "--quiet"]).stderr, @"warning: `metrics.baseline_error_share` of `support.triage` is not a number that it can be, and is not used: `2`");
}

#[test]
fn prompts_that_are_not_there_are_refused() {
    let project = project();
    assert_snapshot!(project.run(["generate", "grafana", "--prompt", "support.absent"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no prompt `support.absent` is in the prompt files
    "#);
    assert_snapshot!(project.run(["generate", "grafana", "--owner", "nobody"]), @r#"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    error: no prompt is to be watched
    hint: `promptops list` shows what there is
    "#);
    assert_snapshot!(project.run(["generate", "cloudwatch", "--format", "json"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: a dashboard written as JSON names the region of its metrics
    hint: give `--region`, or set AWS_REGION
    "#);
    assert_snapshot!(project.run(["generate", "cloudwatch", "--format", "json", "--region", "eu-central-1"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: these are 3 files: `dashboards/promptops-prod-support.json`, `dashboards/promptops-staging-support.json`, `alarms.json`
    hint: name a folder for them with `--out`
    "#);
    assert_snapshot!(project.run(["generate", "cloudwatch", "--tolerance", "1"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value '1' for '--tolerance <FACTOR>': it must be more than one

    For more information, try '--help'.
    "#);
    project.write("promptops.toml", "");
    assert_snapshot!(project.run(["generate", "cloudwatch"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: no environment is named in `promptops.toml`
    hint: give `--env prod`, or add a table `[environments.prod]`
    "#);
    project.write("prompts/support/triage.yaml", "id: [");
    assert_snapshot!(project.run(["generate", "grafana", "--env", "prod"]), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: these files are no valid prompts:
      - prompts/support/triage.yaml
    hint: `promptops check` shows what is wrong with them
    "#);
}

#[test]
fn only_what_is_released_is_watched_when_that_is_asked() {
    let project = Project::committed();
    project.write("prompts/support/other.yaml", support::GREETING.replace("support.greeting", "support.other"));
    project.commit("Greet others");
    for command in [
        &["registry", "init"][..],
        &["publish"],
        &["plan", "--env", "prod", "support.other", "--out", "plan.json"],
        &["deploy", "plan.json"],
    ] {
        let run = project.run(command);
        assert_eq!(run.exit, 0, "{command:?}: {run}");
    }
    let run = project.run(["generate", "prometheus-rules", "--released"]);
    assert_eq!(run.exit, 0, "{run}");
    assert_snapshot!(lines_with(&run.stdout, &["name:", "environment:", "prompt_id:"]), @r#"
    - name: "promptops"
    - name: "promptops: support.other"
    environment: "prod"
    prompt_id: "support.other"
    "#);
}

#[test]
fn the_modules_of_the_repository_are_what_is_generated() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    for (kind, format, folder) in [
        ("cloudwatch", "cloudformation", "deploy/cloudformation"),
        ("cloudwatch", "terraform", "deploy/terraform/monitoring"),
        ("athena-ddl", "cloudformation", "deploy/cloudformation"),
        ("athena-ddl", "terraform", "deploy/terraform/lake-table"),
    ] {
        let out = format!("{root}/{folder}");
        let mut arguments = vec!["generate", kind, "--format", format, "--out", &out, "--check"];
        if kind == "athena-ddl" {
            arguments.extend(["--location", "s3://larkspur-prompts/lake"]);
        } else {
            arguments.extend(["--max-latency-ms", "5000", "--max-cost-per-hour", "5"]);
        }
        let mut command = std::process::Command::new(support::PROMPTOPS);
        let output = command.args(arguments).current_dir(format!("{root}/examples/support-desk")).output().unwrap();
        assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

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

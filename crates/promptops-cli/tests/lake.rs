//! `promptops lake`: compaction, retention and verification, as a user sees them.

#![cfg(test)]
#![cfg(feature = "lake")]

mod support;

use std::fmt::Write as _;

use support::Project;

fn records(project: &Project, times: &[&str]) {
    let mut lines = String::new();
    for (number, time) in times.iter().enumerate() {
        writeln!(lines, "{{\"time\":\"{time}\",\"invocation_id\":\"019f0000-0000-7000-8000-{number:012}\",\"prompt_id\":\"support.greeting\"}}")
            .unwrap();
    }
    project.write("records.jsonl", lines);
    assert_eq!(project.run(["invocations", "import", "records.jsonl"]).exit, 0);
}

#[test]
fn an_empty_lake_is_in_order() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(["lake", "compact"]), @"
    exit: 0
    ----- stdout -----
    0 invocations put into 0 files of 0 hours; 0 invocations waiting
    ----- stderr -----
    ");
    insta::assert_snapshot!(project.run(["lake", "verify"]), @"
    exit: 0
    ----- stdout -----
    sound: 0 files read, 0 invocations in hours, 0 waiting
    ----- stderr -----
    ");
    assert!(project.run(["lake", "expire", "--days", "30"]).stdout.starts_with("nothing is older than 30 days"));
}

#[test]
fn old_hours_are_deleted_when_the_project_says_so() {
    let project = Project::new();
    records(&project, &["2020-05-01T12:10:00Z", "2020-05-01T13:10:00Z", "2199-05-01T13:10:00Z"]);
    insta::assert_snapshot!(project.run(["lake", "expire"]), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: nothing says how long invocations are kept
    hint: give `--days N`, or set `retention_days` under `[lake]` in promptops.toml
    ");
    project.write("promptops.toml", "[lake]\nretention_days = 400\n");
    insta::assert_snapshot!(project.run(["lake", "expire", "--dry-run"]), @"
    exit: 0
    ----- stdout -----
    would delete 2 hours from 2020-05-01 12:00 to 2020-05-01 14:00 UTC: 2 files, 0.0 MB
    ----- stderr -----
    ");
    insta::assert_snapshot!(project.run(["lake", "expire"]), @"
    exit: 0
    ----- stdout -----
    deleted 2 hours from 2020-05-01 12:00 to 2020-05-01 14:00 UTC: 2 files, 0.0 MB
    ----- stderr -----
    ");
    insta::assert_snapshot!(project.run(["query", "SELECT day FROM invocations", "--format", "csv"]), @"
    exit: 0
    ----- stdout -----
    day
    2199-05-01
    ----- stderr -----
    ");
}

#[test]
fn damage_is_found() {
    let project = Project::new();
    records(&project, &["2026-05-01T12:10:00Z", "2026-05-01T13:10:00Z"]);
    let file = project.path(".promptops/lake/invocations/day=2026-05-01/hour=12/0000000001.parquet");
    let elsewhere = project.path(".promptops/lake/invocations/day=2026-05-01/hour=13/0000000002.parquet");
    std::fs::copy(&file, &elsewhere).unwrap();
    insta::assert_snapshot!(project.run(["lake", "verify"]), @"
    exit: 1
    ----- stdout -----
    wrong-hour invocations/day=2026-05-01/hour=13/0000000002.parquet: 1 of 1 records
      to do: move it out of the lake, and bring its records in again with `promptops invocations import`
    damaged: 3 files read, 3 invocations in hours, 0 waiting
    ----- stderr -----
    ");
    let report = project.run(["lake", "verify", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!((&report["sound"], &report["problems"][0]["kind"]), (&false.into(), &"wrong-hour".into()));
}

#[test]
fn a_full_disk_is_said_and_costs_nothing() {
    let project = Project::new();
    let Some(disk) = support::SmallDisk::mount(&project, "disk", "size=2m") else {
        println!("skipped: this process may not mount a file system");
        return;
    };
    project.write("promptops.toml", "[lake]\nurl = \"file://disk/lake\"\n");
    records(&project, &["2026-05-01T12:10:00Z"]);
    // What a server landed: the same file in another folder.
    let lake = project.path("disk/lake");
    std::fs::create_dir_all(lake.join("landing")).unwrap();
    std::fs::rename(lake.join("invocations/day=2026-05-01/hour=12/0000000001.parquet"), lake.join("landing/a.parquet")).unwrap();
    disk.fill();
    let full = project.run(["lake", "compact"]);
    assert_eq!(full.exit, 8, "{}", full.stderr);
    assert!(full.stderr.contains("failed to write"), "{}", full.stderr);
    let count = ["query", "SELECT count(*) AS n FROM invocations", "--format", "csv"];
    assert_eq!(project.run(count).stdout, "n\n1\n");
    disk.empty();
    assert_eq!(project.run(["lake", "compact"]).exit, 0);
    assert_eq!(project.run(count).stdout, "n\n1\n");
    assert_eq!(project.run(["lake", "verify"]).exit, 0);
    assert_eq!(std::fs::read_dir(lake.join("landing")).unwrap().count(), 0);
}

//! Several processes append to one JSONL file without mixing or losing lines.

use std::collections::BTreeSet;
use std::process::Command;

use promptops_telemetry::sink::{JsonlSink, Sink};
use promptops_telemetry::{Invocation, Uuid};

const PROCESSES: u128 = 4;
const RECORDS: u128 = 500;

/// Runs as a child of the test below, which names the file; does nothing when run with the other tests.
#[test]
fn child_process() {
    #[expect(clippy::disallowed_methods, reason = "the parent test passes the file's name")]
    let Some(task) = std::env::var_os("PROMPTOPS_JSONL_CHILD") else { return };
    let task = task.into_string().unwrap();
    let (number, path) = task.split_once(':').unwrap();
    let number: u128 = number.parse().unwrap();
    let sink = JsonlSink::open(path.as_ref()).unwrap();
    for record in 0..RECORDS {
        sink.record(&Invocation {
            // Lines of very different length, some beyond a page.
            output: Some("é".repeat(usize::try_from(record * 11 % 6000).unwrap())),
            ..Invocation::new(chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(number * RECORDS + record))
        });
    }
    assert_eq!(sink.dropped(), 0);
}

#[test]
fn processes_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new folder/invocations.jsonl");
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child_process"])
                .env("PROMPTOPS_JSONL_CHILD", format!("{number}:{}", path.display()))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }

    let text = std::fs::read_to_string(&path).unwrap();
    let ids: BTreeSet<u128> = text
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["invocation_id"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128()
        })
        .collect();
    assert_eq!(text.lines().count() as u128, PROCESSES * RECORDS);
    assert_eq!(ids, (0..PROCESSES * RECORDS).collect());
}

//! A writer that is killed at any moment leaves whole files, and its records count once when it is run again.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use promptops_lake::{Filter, Lake};
use promptops_telemetry::{Invocation, Uuid};

const VARIABLE: &str = "PROMPTOPS_LAKE_CHILD";
const BATCHES: u128 = 40;
const PER_BATCH: u128 = 50;

fn batch(number: u128) -> Vec<Invocation> {
    (number * PER_BATCH..(number + 1) * PER_BATCH)
        .map(|id| Invocation {
            output: Some(format!("{id} ").repeat(200)),
            ..Invocation::new("2026-05-01T12:00:00Z".parse().unwrap(), Uuid::from_u128(id))
        })
        .collect()
}

/// Runs as a child of the test below, which names the folder; does nothing when run with the other tests.
#[tokio::test]
async fn child_process() {
    #[expect(clippy::disallowed_methods, reason = "the parent test passes the folder's name")]
    let Some(folder) = std::env::var_os(VARIABLE) else { return };
    let lake = Lake::open_folder(Path::new(&folder)).unwrap();
    for number in 0..BATCHES {
        lake.append(&batch(number)).await.unwrap();
        println!("appended");
    }
}

#[tokio::test]
async fn a_killed_writer_leaves_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    for kill_after in [1, 3, 7, 12] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let seen = output.lines().map_while(Result::ok).filter(|line| line.ends_with("appended")).take(kill_after).count();
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the writer was killed before its end");
        assert_eq!(seen, kill_after);

        let lake = Lake::open_folder(folder.path()).unwrap();
        let records = lake.scan(&Filter::default()).await.unwrap();
        assert_eq!(records.len() as u128 % PER_BATCH, 0, "no batch is there in part");
        assert!(records.len() as u128 >= kill_after as u128 * PER_BATCH, "what was acknowledged is there");
    }
    let lake = Lake::open_folder(folder.path()).unwrap();
    for number in 0..BATCHES {
        lake.append(&batch(number)).await.unwrap();
    }
    let expected: Vec<Invocation> = (0..BATCHES).flat_map(batch).collect();
    assert_eq!(lake.scan(&Filter::default()).await.unwrap(), expected);
}

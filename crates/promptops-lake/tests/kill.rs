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

/// Runs as a child of the test below: lands one batch after another and compacts after each.
#[tokio::test]
async fn child_process_that_compacts() {
    #[expect(clippy::disallowed_methods, reason = "the parent test passes the folder's name")]
    let Some(folder) = std::env::var_os(VARIABLE) else { return };
    let lake = Lake::open_folder(Path::new(&folder)).unwrap();
    for number in 0..BATCHES {
        lake.land(&spread(number)).await.unwrap();
        println!("landed {number}");
        lake.compact("2026-05-02T00:00:00Z".parse().unwrap(), None).await.unwrap();
    }
    println!("over");
}

/// A batch in three hours.
fn spread(number: u128) -> Vec<Invocation> {
    let hour = |id: u128| format!("2026-05-01T{:02}:00:00Z", id % 3).parse().unwrap();
    batch(number).into_iter().map(|call| Invocation { time: hour(call.invocation_id.as_u128()), ..call }).collect()
}

#[tokio::test]
async fn a_killed_compaction_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut landed = 0;
    let mut kills = 0;
    // The child begins anew each time, so what was landed and compacted before is landed again.
    for pause in (0..60).map(|step| std::time::Duration::from_micros(700 * step)) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process_that_compacts", "--nocapture"])
            .env(VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.by_ref().find_map(|line| line.rsplit_once("landed ")?.1.parse::<u128>().ok());
        landed = landed.max(told.map_or(0, |number| number + 1));
        // Somewhere within the compaction that follows.
        std::thread::sleep(pause);
        child.kill().unwrap();
        kills += u32::from(!child.wait().unwrap().success());
        landed = lines
            .filter_map(|line| line.rsplit_once("landed ")?.1.parse::<u128>().ok())
            .fold(landed, |all, one| all.max(one + 1));

        let lake = Lake::open_folder(folder.path()).unwrap();
        let records = lake.scan(&Filter::default()).await.unwrap();
        let distinct: std::collections::BTreeSet<Uuid> = records.iter().map(|record| record.invocation_id).collect();
        assert_eq!(records.len(), distinct.len(), "none counts twice");
        assert!(records.len() as u128 >= landed * PER_BATCH, "what was landed is there");
        assert_eq!(records.len() as u128 % PER_BATCH, 0, "no batch is there in part");
        let verified = lake.verify().await.unwrap();
        assert!(verified.is_sound(), "{verified:?}");
        assert_eq!(u128::from(verified.records + verified.waiting), records.len() as u128);
    }
    assert!(kills > 50, "{kills}");
    let lake = Lake::open_folder(folder.path()).unwrap();
    for number in 0..BATCHES {
        lake.land(&spread(number)).await.unwrap();
    }
    lake.compact("2026-05-02T00:00:00Z".parse().unwrap(), None).await.unwrap();
    let verified = lake.verify().await.unwrap();
    assert_eq!((u128::from(verified.records), verified.waiting), (BATCHES * PER_BATCH, 0));
    let mut expected: Vec<Invocation> = (0..BATCHES).flat_map(spread).collect();
    expected.sort_by_key(|record| (record.time, record.invocation_id));
    assert_eq!(lake.scan(&Filter::default()).await.unwrap(), expected);
}

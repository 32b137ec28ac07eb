//! Landing and compaction: each record counts once at every moment, for our readers and for engines that list the folder.

#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![expect(clippy::disallowed_methods, reason = "files that were just written have the time of the clock")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use object_store::memory::InMemory;
use promptops_lake::{CompactSettings, Compacted, Filter, GroupBy, Lake, RowFormat};
use promptops_telemetry::{Invocation, Uuid};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn invocation(number: u128, at: &str) -> Invocation {
    let prompt_id = Some(format!("prompt-{}", number % 3));
    Invocation { prompt_id, latency_ms: Some(1.0), ..Invocation::new(time(at), Uuid::from_u128(number)) }
}

fn memory_lake() -> Lake {
    Lake::new(Arc::new(InMemory::new()), "some/prefix".into(), "memory")
}

async fn ids(lake: &Lake) -> Vec<u128> {
    lake.scan(&Filter::default()).await.unwrap().iter().map(|record| record.invocation_id.as_u128()).collect()
}

/// The files below a folder, by name.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    let name = |path: std::path::PathBuf| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = found.into_iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_landed_is_read_at_once_and_counts_once() {
    for lake in [memory_lake(), Lake::open_folder(tempfile::tempdir().unwrap().path()).unwrap()] {
        let noon = |number| invocation(number, "2026-05-01T12:00:00Z");
        lake.append(&[noon(1), noon(2)]).await.unwrap();
        assert!(lake.land(&[noon(3), noon(4), invocation(5, "1999-12-31T23:59:59Z")]).await.unwrap());
        assert!(!lake.land(&[noon(3), noon(4), invocation(5, "1999-12-31T23:59:59Z")]).await.unwrap(), "the same segment again");
        assert!(lake.land(&[noon(2), noon(4), noon(6)]).await.unwrap(), "half of it is elsewhere already");
        assert_eq!(ids(&lake).await, [5, 1, 2, 3, 4, 6]);

        let count = lake.ask("SELECT day, hour, count(*) AS n FROM invocations GROUP BY 1, 2 ORDER BY 1").await.unwrap();
        let mut csv = Vec::new();
        count.write(RowFormat::Csv, &mut csv).await.unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "day,hour,n\n1999-12-31,23,1\n2026-05-01,12,5\n");
        let rows = lake.statistics(&Filter::default(), &[GroupBy::Day]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [1, 5]);
        let since = Filter { since: Some(time("2026-05-01T00:00:00Z")), ..Filter::default() };
        assert_eq!(lake.statistics(&since, &[]).await.unwrap()[0].count, 5);
    }
}

#[tokio::test]
async fn compaction_puts_records_into_their_hours_once() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let noon = |number| invocation(number, "2026-05-01T12:00:00Z");
    lake.append(&[noon(1)]).await.unwrap();
    lake.land(&[noon(1), noon(2), invocation(3, "2026-05-01T13:00:00Z")]).await.unwrap();
    lake.land(&[noon(2), noon(4)]).await.unwrap();
    let done = lake.compact(time("2026-05-01T13:30:00Z"), None).await.unwrap();
    assert_eq!(done, Compacted { hours: 2, files: 2, records: 3, segments: 2, ..Compacted::default() });
    assert_eq!(
        files(folder.path()),
        [
            "invocations/day=2026-05-01/hour=12/0000000001.parquet",
            "invocations/day=2026-05-01/hour=12/0000000002.parquet",
            "invocations/day=2026-05-01/hour=13/0000000001.parquet",
        ]
    );
    assert_eq!(ids(&lake).await, [1, 2, 4, 3]);
    // Landed again after its compaction, as by a server that was killed before it heard.
    assert!(lake.land(&[noon(2), noon(4)]).await.unwrap());
    assert_eq!(ids(&lake).await, [1, 2, 4, 3]);
    let done = lake.compact(time("2026-05-01T13:30:00Z"), None).await.unwrap();
    assert_eq!(done, Compacted { segments: 1, ..Compacted::default() });
    assert_eq!(lake.compact(time("2026-05-01T13:30:00Z"), None).await.unwrap(), Compacted::default());
}

#[tokio::test]
async fn rows_are_sorted_and_files_have_the_right_size() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    for segment in 0..4_u128 {
        let records: Vec<Invocation> = (0..2500)
            .map(|place| {
                let number = segment * 2500 + (place * 7919) % 2500;
                let noise = Uuid::from_u128(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
                Invocation { input_hash: Some(noise.to_string()), ..invocation(number, "2026-05-01T12:00:00Z") }
            })
            .collect();
        lake.land(&records).await.unwrap();
    }
    let settings = CompactSettings { file_bytes: 100_000, sort_bytes: 32 << 20, ..CompactSettings::default() };
    // The hour is not over, and holds enough for files.
    let done = lake.compact(time("2026-05-01T12:30:00Z"), Some(settings)).await.unwrap();
    assert_eq!((done.hours, done.records, done.segments, done.waiting), (1, 10_000, 4, 0));
    assert!((2..=8).contains(&done.files), "{done:?}");
    let rows = lake.query("SELECT prompt_id, invocation_id FROM invocations WHERE hour = 12").await.unwrap();
    assert_eq!(rows.row_count(), 10_000);
    let first = lake.ask("SELECT count(DISTINCT invocation_id) AS n FROM invocations").await.unwrap();
    let mut text = Vec::new();
    first.write(RowFormat::Csv, &mut text).await.unwrap();
    assert_eq!(text, b"n\n10000\n");
}

#[tokio::test]
async fn hours_wait_until_they_are_over_and_late_records_for_more() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let now = Utc::now();
    let at = |hours: i64| now - TimeDelta::hours(hours);
    let records: Vec<Invocation> = [0, 3, 24 * 365 * 20, -24 * 365 * 70]
        .into_iter()
        .zip(1..)
        .map(|(hours, id)| Invocation::new(at(hours), Uuid::from_u128(id)))
        .collect();
    lake.land(&records).await.unwrap();
    let settings = Some(CompactSettings::default());
    let done = lake.compact(now, settings).await.unwrap();
    assert_eq!((done.hours, done.records, done.segments), (2, 2, 0), "the hours that are over");
    assert_eq!((done.waiting, done.ahead), (2, 1), "the present hour, and one of 2096");
    // One more for an hour that has a file waits, and is read meanwhile.
    lake.land(&[Invocation::new(at(3), Uuid::from_u128(9))]).await.unwrap();
    let done = lake.compact(now, settings).await.unwrap();
    assert_eq!((done.hours, done.waiting), (0, 3));
    assert_eq!(ids(&lake).await.len(), 5);
    let done = lake.compact(now + TimeDelta::days(2), settings).await.unwrap();
    assert_eq!((done.hours, done.records, done.segments, done.waiting), (3, 3, 2, 0));
    assert_eq!(ids(&lake).await.len(), 5);
    assert!(files(folder.path()).iter().all(|name| name.starts_with("invocations/")));
}

#[tokio::test]
async fn a_clock_that_jumps_about_makes_a_bounded_number_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let records: Vec<Invocation> = (0..300)
        .map(|number| Invocation::new(time("1999-01-01T00:00:00Z") + TimeDelta::hours(number), Uuid::from_u128(number as u128)))
        .collect();
    lake.land(&records).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1, "one file, whatever the clock says");
    let done = lake.compact(time("2026-05-01T12:30:00Z"), None).await.unwrap();
    assert_eq!((done.files, done.waiting, done.segments), (256, 44, 0));
    assert_eq!(ids(&lake).await, (0..300).collect::<Vec<u128>>());
    let done = lake.compact(time("2026-05-01T12:30:00Z"), None).await.unwrap();
    assert_eq!((done.files, done.waiting, done.segments), (44, 0, 1));
    let left = files(folder.path());
    assert_eq!((left.len(), left[0].starts_with("invocations/")), (300, true));
    assert_eq!(ids(&lake).await, (0..300).collect::<Vec<u128>>());
}

/// What an engine sees that knows nothing of us: the files below `invocations`, in one listing.
async fn outsider(folder: &Path) -> Vec<String> {
    let only = tempfile::tempdir().unwrap();
    for name in files(folder).iter().filter(|name| name.starts_with("invocations/") && name.ends_with(".parquet")) {
        let to = only.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::hard_link(folder.join(name), to).unwrap();
    }
    let lake = Lake::open_folder(only.path()).unwrap();
    let rows = lake.scan(&Filter::default()).await.unwrap();
    rows.iter().map(|record| record.invocation_id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_each_record_once_while_servers_land_and_compact() {
    const SERVERS: u128 = 2;
    const SEGMENTS: u128 = 30;
    const RECORDS: u128 = 20;
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let compactions = (0..2).map(|_| {
        let (lake, is_over) = (lake.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            while !is_over.load(Ordering::Acquire) {
                lake.compact(Utc::now(), None).await.unwrap();
            }
        })
    });
    let compactions: Vec<_> = compactions.collect();
    let servers: Vec<_> = (0..SERVERS)
        .map(|server| {
            let lake = lake.clone();
            tokio::spawn(async move {
                for segment in 0..SEGMENTS {
                    // Every second record was sent to both servers.
                    let records: Vec<Invocation> = (0..RECORDS)
                        .map(|place| {
                            let number = segment * RECORDS + place;
                            let id = if place % 2 == 0 { number } else { number + server * 1_000_000 };
                            invocation(id, if place < 10 { "2026-05-01T12:00:00Z" } else { "2026-05-01T13:00:00Z" })
                        })
                        .collect();
                    lake.land(&records).await.unwrap();
                }
            })
        })
        .collect();
    let mut seen = 0;
    while !servers.iter().all(tokio::task::JoinHandle::is_finished) {
        let all = ids(&lake).await;
        let distinct: BTreeSet<u128> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len(), "our readers count none twice");
        assert!(all.len() >= seen, "our readers lose none: {} after {seen}", all.len());
        seen = all.len();
        let others = outsider(folder.path()).await;
        assert_eq!(others.len(), others.iter().collect::<BTreeSet<_>>().len(), "other engines count none twice");
    }
    for server in servers {
        server.await.unwrap();
    }
    is_over.store(true, Ordering::Release);
    for compaction in compactions {
        compaction.await.unwrap();
    }
    let expected = SEGMENTS * RECORDS / 2 + SERVERS * SEGMENTS * RECORDS / 2;
    assert_eq!(ids(&lake).await.len() as u128, expected);
    lake.compact(Utc::now(), None).await.unwrap();
    assert_eq!(outsider(folder.path()).await.len() as u128, expected);
    assert!(files(folder.path()).iter().all(|name| name.starts_with("invocations/")), "nothing waits");
}

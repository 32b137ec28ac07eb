//! What is wrong with the files of a lake is found and named.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use promptops_lake::{Filter, Lake, ProblemKind, Verified};
use promptops_telemetry::{Invocation, Uuid};

fn invocation(number: u128, at: &str) -> Invocation {
    Invocation::new(at.parse().unwrap(), Uuid::from_u128(number))
}

fn problems(verified: &Verified) -> Vec<(&str, ProblemKind, &str)> {
    verified.problems.iter().map(|problem| (problem.file.as_str(), problem.kind, problem.detail.as_str())).collect()
}

#[tokio::test]
async fn a_sound_lake_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    assert_eq!(lake.verify().await.unwrap(), Verified::default());
    lake.append(&[invocation(1, "2026-05-01T12:00:00Z"), invocation(2, "2026-05-01T13:00:00Z")]).await.unwrap();
    lake.land(&[invocation(1, "2026-05-01T12:00:00Z"), invocation(3, "2026-05-01T12:00:00Z")]).await.unwrap();
    let verified = lake.verify().await.unwrap();
    assert_eq!((verified.files, verified.records, verified.waiting), (3, 2, 1));
    assert!(verified.is_sound() && verified.problems.is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    lake.append(&[invocation(1, "2026-05-01T12:00:00Z"), invocation(2, "2026-05-01T13:00:00Z")]).await.unwrap();
    let day = folder.path().join("invocations/day=2026-05-01");
    let noon = fs::read(day.join("hour=12/0000000001.parquet")).unwrap();
    fs::write(day.join("hour=13/0000000002.parquet"), &noon).unwrap();
    fs::write(day.join("hour=12/part-0.parquet"), &noon).unwrap();
    fs::write(day.join("hour=12/cut.parquet"), &noon[..noon.len() - 10]).unwrap();
    fs::write(day.join("hour=12/empty.parquet"), "").unwrap();
    fs::write(day.join("elsewhere.parquet"), &noon).unwrap();
    fs::write(day.join("hour=12/0000000009.parquet#1"), &noon[..100]).unwrap();

    let verified = lake.verify().await.unwrap();
    assert!(!verified.is_sound());
    let found = problems(&verified);
    let file = |name: &str| format!("invocations/day=2026-05-01/{name}");
    let named = |name: &str| found.iter().filter(|one| one.0 == file(name)).map(|one| (one.1, one.2)).collect::<Vec<_>>();
    assert_eq!(named("hour=13/0000000002.parquet"), [(ProblemKind::WrongHour, "1 of 1 records")]);
    assert_eq!(named("hour=12/part-0.parquet"), [(ProblemKind::Duplicate, "1 of 1 records")]);
    assert_eq!(named("hour=12/cut.parquet")[0].0, ProblemKind::Unreadable);
    assert_eq!(named("hour=12/empty.parquet")[0].0, ProblemKind::Unreadable);
    assert_eq!(named("elsewhere.parquet"), [(ProblemKind::Stray, "it is in the folder of no hour")]);
    assert_eq!(found.iter().filter(|one| one.1 == ProblemKind::Leftover).count(), 1);
    assert_eq!(found.len(), 6, "{found:?}");
}

#[tokio::test]
async fn what_a_later_version_wrote_is_read_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    lake.land(&[invocation(1, "2026-05-01T12:00:00Z")]).await.unwrap();
    let file = fs::read_dir(folder.path().join("landing")).unwrap().next().unwrap().unwrap().path();
    let batch =
        ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&file).unwrap()).unwrap().build().unwrap().next().unwrap();
    let batch = batch.unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("mood", DataType::Utf8, true)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec!["merry"])) as ArrayRef);
    let later = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(&file).unwrap(), later.schema(), None).unwrap();
    writer.write(&later).unwrap();
    writer.close().unwrap();

    let done = lake.compact("2026-05-02T00:00:00Z".parse().unwrap(), None).await.unwrap();
    assert_eq!((done.newer, done.files, done.segments), (1, 0, 0));
    assert!(file.exists());
    assert_eq!(lake.scan(&Filter::default()).await.unwrap().len(), 1, "it is read");
    let verified = lake.verify().await.unwrap();
    assert!(verified.is_sound());
    assert_eq!(problems(&verified)[0].1, ProblemKind::UnknownColumn);
    assert_eq!(problems(&verified)[0].2, "`mood`");
}

#[tokio::test]
async fn whole_hours_expire() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let records =
        [invocation(1, "2026-05-01T11:30:00Z"), invocation(2, "2026-05-01T12:30:00Z"), invocation(3, "2026-05-01T13:30:00Z")];
    lake.append(&records).await.unwrap();
    let before = "2026-05-01T13:59:59Z".parse().unwrap();
    let planned = lake.expired(before).await.unwrap();
    assert_eq!(lake.scan(&Filter::default()).await.unwrap().len(), 3, "nothing is deleted yet");
    assert_eq!((planned.hours, planned.files), (2, 2));
    assert_eq!(planned.first, Some("2026-05-01T11:00:00Z".parse().unwrap()));
    assert_eq!(planned.last, Some("2026-05-01T13:00:00Z".parse().unwrap()));
    assert_eq!(lake.expire(before).await.unwrap(), planned);
    assert_eq!(lake.scan(&Filter::default()).await.unwrap(), records[2..]);
    assert_eq!(lake.expire(before).await.unwrap().files, 0);
}

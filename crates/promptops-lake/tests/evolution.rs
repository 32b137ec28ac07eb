//! Files of the lake that earlier and later versions wrote, beside new ones.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::printer::print_schema;
use promptops_lake::{Filter, GroupBy, Lake, RowFormat};
use promptops_telemetry::import::Import;
use promptops_telemetry::{Invocation, Uuid};
use tempfile::TempDir;

/// What the first version wrote, which knew of no operation, provider, id of an answer, tier, or tokens written to a cache.
const EARLIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/earlier");

fn hour(folder: &Path) -> PathBuf {
    folder.join("invocations/day=2026-05-01/hour=12")
}

/// A lake with the file of the earlier version.
fn earlier() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(hour(folder.path())).unwrap();
    fs::copy(format!("{EARLIER}/invocations.parquet"), hour(folder.path()).join("0000000001.parquet")).unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    (folder, lake)
}

fn new(number: u128) -> Invocation {
    Invocation {
        prompt_id: Some("support.intent".to_owned()),
        prompt_version: Some(1),
        operation: Some("chat".to_owned()),
        provider: Some("anthropic".to_owned()),
        response_id: Some("msg_01".to_owned()),
        service_tier: Some("batch".to_owned()),
        cache_write_tokens: Some(8),
        input_tokens: Some(10),
        ..Invocation::new("2026-05-01T12:30:00Z".parse().unwrap(), Uuid::from_u128(number))
    }
}

async fn csv(lake: &Lake, sql: &str) -> String {
    let mut text = Vec::new();
    lake.ask(sql).await.unwrap().write(RowFormat::Csv, &mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn files_of_an_earlier_version_are_read_beside_new_ones() {
    let (_folder, lake) = earlier();
    lake.append(&[new(1), new(2)]).await.unwrap();
    let records = lake.scan(&Filter::default()).await.unwrap();
    assert_eq!(records.len(), 5);
    let first = &records[0];
    assert_eq!((first.arm.as_deref(), first.label.as_deref(), first.scores["judge"]), (Some("control"), Some("billing"), 0.75));
    assert_eq!(
        (&first.operation, &first.provider, &first.response_id, &first.service_tier, first.cache_write_tokens),
        (&None, &None, &None, &None, None)
    );
    assert_eq!(records[4], new(2));
    let counted = csv(
        &lake,
        "SELECT provider, count(*) AS calls, sum(input_tokens) AS input, sum(cache_write_tokens) AS written FROM invocations \
         WHERE day = '2026-05-01' GROUP BY provider ORDER BY provider",
    )
    .await;
    let expected = "provider,calls,input,written\nanthropic,2,20,16\n,3,250,\n";
    assert_eq!(counted, expected);
    let statistics = lake.statistics(&Filter::default(), &[GroupBy::Prompt]).await.unwrap();
    assert_eq!((statistics.len(), statistics[0].count), (1, 5));
}

#[tokio::test]
async fn what_an_earlier_version_has_already_counts_once() {
    let (_folder, lake) = earlier();
    let lines = fs::read(format!("{EARLIER}/invocations.jsonl")).unwrap();
    let records: Vec<Invocation> = Import::jsonl(&lines[..], "earlier.jsonl").map(Result::unwrap).collect();
    assert_eq!(records.len(), 3);
    let appended = lake.append(&records).await.unwrap();
    assert_eq!((appended.written, appended.duplicates), (0, 3));
    let mut more = records;
    more.push(new(1));
    assert_eq!(lake.append(&more).await.unwrap().written, 1);
    let read = lake.scan(&Filter::default()).await.unwrap();
    assert_eq!(read, more, "the file and the lines say the same");
}

/// Writes a file as a later version may: more columns, in another order.
fn write_later(earlier: &Path, later: &Path, changed: impl Fn(Uuid) -> Uuid) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(earlier).unwrap()).unwrap().build().unwrap();
    let mut writer: Option<ArrowWriter<File>> = None;
    for batch in reader {
        let batch = batch.unwrap();
        let mut columns: Vec<(Arc<Field>, ArrayRef)> =
            batch.schema().fields().iter().cloned().zip(batch.columns().iter().cloned()).rev().collect();
        for (field, column) in &mut columns {
            if field.name() == "invocation_id" {
                let ids = column.as_any().downcast_ref::<StringArray>().unwrap();
                let ids = ids.iter().map(|id| id.map(|id| changed(id.parse().unwrap()).to_string()));
                *column = Arc::new(ids.collect::<StringArray>());
            }
        }
        let colours: ArrayRef = Arc::new(StringArray::from(vec!["red"; batch.num_rows()]));
        columns.insert(3, (Arc::new(Field::new("colour", DataType::Utf8, true)), colours));
        let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let writer =
            writer.get_or_insert_with(|| ArrowWriter::try_new(File::create(later).unwrap(), batch.schema(), None).unwrap());
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
}

#[tokio::test]
async fn columns_of_a_later_version_are_ignored() {
    let (folder, lake) = earlier();
    lake.append(&[new(1), new(2)]).await.unwrap();
    let hour = hour(folder.path());
    let ours = fs::read_dir(&hour).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.ends_with("0000000002.parquet"));
    write_later(&ours.unwrap(), &hour.join("0000000003.parquet"), |id| Uuid::from_u128(id.as_u128() + 10));
    let records = lake.scan(&Filter::default()).await.unwrap();
    assert_eq!(records[3..], [new(1), new(2), new(11), new(12)]);
    let answer = csv(
        &lake,
        "SELECT count(*) AS calls, count(DISTINCT provider) AS providers FROM invocations WHERE service_tier = 'batch'",
    )
    .await;
    assert_eq!(answer, "calls,providers\n4,1\n");
    assert_eq!(lake.statistics(&Filter::default(), &[]).await.unwrap()[0].count, 7);
    assert_eq!(lake.append(&[new(11), new(13)]).await.unwrap().written, 1);
}

/// The columns of the files as Parquet names them are committed, so that whoever reads them elsewhere sees a change of them.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment to write what it expects")]
async fn the_documented_columns_are_those_that_are_written() {
    let folder = tempfile::tempdir().unwrap();
    Lake::open_folder(folder.path()).unwrap().append(&[new(1)]).await.unwrap();
    let file = File::open(hour(folder.path()).join("0000000001.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let mut written = Vec::new();
    print_schema(&mut written, reader.metadata().file_metadata().schema());
    let written = String::from_utf8(written).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/schemas/invocations.parquet.txt");
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        fs::write(path, &written).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), written, "run `PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-lake`");
}

//! Real answers of four dated models, imported and compared with a computation that shares no code with the lake.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Utc};
use promptops_lake::{Appended, Filter, GroupBy, Lake, RowFormat, StatisticsRow};
use promptops_telemetry::Invocation;
use promptops_telemetry::import::{ColumnMapping, Import};
use serde_json::Value;

const ROWS: u64 = 6024;

/// Finds the data beside the repository, where it is not part of it.
fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("../shared/data/llmdrift/OPINIONQA_EVAL.csv");
    if file.is_file() {
        return Some(file);
    }
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    {
        eprintln!("SKIPPED: the LLMDrift data is not at {}, so nothing was compared", file.display());
    }
    None
}

fn import(file: &Path) -> Vec<Invocation> {
    let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/llmdrift/opinionqa.mapping.toml");
    let mapping = ColumnMapping::parse(&std::fs::read_to_string(mapping).unwrap()).unwrap();
    let reader = BufReader::new(File::open(file).unwrap());
    let mut rows = Import::csv(reader, &mapping, "OPINIONQA_EVAL.csv").unwrap();
    let records: Vec<Invocation> = rows.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.rejected().count, 0, "{:?}", rows.rejected());
    records
}

/// Runs the independent computation.
fn expected(file: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/llmdrift_expected.py");
    let output = Command::new("python3").arg(script).arg(file).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn close(actual: f64, expected: f64, what: &str) {
    let tolerance = 1e-12 * expected.abs().max(1.0);
    assert!((actual - expected).abs() <= tolerance, "{what}: {actual} is not {expected}");
}

fn compare_row(row: &StatisticsRow, expected: &Value) {
    let what = format!("{:?}", row.group);
    assert_eq!(row.count, expected["count"].as_u64().unwrap(), "{what}");
    assert_eq!((row.errors, row.error_share), (0, 0.0), "{what}");
    let latency = row.latency_ms.unwrap();
    for (place, actual) in [latency.p50, latency.p95, latency.p99].into_iter().enumerate() {
        close(actual, expected["latency_ms"][place].as_f64().unwrap(), &what);
    }
    assert_eq!(row.input_tokens, None, "{what}");
    assert_eq!(row.output_tokens, expected["output_tokens"].as_u64(), "{what}");
    close(row.cost_usd.unwrap(), expected["cost_usd"].as_f64().unwrap(), &what);
    let time = |name: &str| expected[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!((row.first, row.last), (time("first"), time("last")), "{what}");
}

fn compare(rows: &[StatisticsRow], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(rows.len(), expected.len());
    for pair in expected {
        let group: Vec<Option<&str>> = pair[0].as_array().unwrap().iter().map(Value::as_str).collect();
        let row = rows.iter().find(|row| row.group.iter().map(Option::as_deref).eq(group.iter().copied()));
        compare_row(row.unwrap_or_else(|| panic!("no row for {group:?}")), &pair[1]);
    }
}

async fn json(lake: &Lake, sql: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    lake.ask(sql).await.unwrap().write(RowFormat::JsonLines, &mut lines).await.unwrap();
    String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_lake_agrees_with_an_independent_computation() {
    let Some(file) = data() else { return };
    let expected = expected(&file);
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let records = import(&file);

    // In chunks, as a command that reads a large file would; then everything once more.
    let mut total = Appended::default();
    for chunk in records.chunks(1000) {
        total.written += lake.append(chunk).await.unwrap().written;
    }
    assert_eq!(total.written, ROWS);
    let again = lake.append(&import(&file)).await.unwrap();
    assert_eq!(again, Appended { written: 0, duplicates: ROWS, files: 0 });

    let all = Filter::default();
    let statistics = async |group_by: &[GroupBy]| lake.statistics(&all, group_by).await.unwrap();
    compare_row(&statistics(&[]).await[0], &expected["all"]);
    compare(&statistics(&[GroupBy::Model]).await, &expected["model"]);
    compare(&statistics(&[GroupBy::Model, GroupBy::Label]).await, &expected["model_label"]);
    compare(&statistics(&[GroupBy::Day]).await, &expected["day"]);

    let hours = json(&lake, "SELECT DISTINCT day, hour FROM invocations ORDER BY day, hour").await;
    let hours: Vec<String> = hours
        .iter()
        .map(|row| format!("day={}/hour={:02}", row["day"].as_str().unwrap(), row["hour"].as_i64().unwrap()))
        .collect();
    assert_eq!(serde_json::json!(hours), expected["hours"]);

    let shares = json(
        &lake,
        "SELECT requested_model AS model, avg(CASE WHEN valid THEN 1.0 ELSE 0.0 END) AS share \
         FROM invocations GROUP BY requested_model",
    )
    .await;
    assert_eq!(shares.len(), expected["valid_share"].as_object().unwrap().len());
    for row in shares {
        let model = row["model"].as_str().unwrap();
        close(row["share"].as_f64().unwrap(), expected["valid_share"][model].as_f64().unwrap(), model);
    }

    let content = json(
        &lake,
        "SELECT count(DISTINCT input_hash) AS inputs, count(DISTINCT input) AS texts, sum(output_length) AS characters, \
         sum(character_length(output)) AS counted FROM invocations",
    )
    .await;
    assert_eq!(content[0]["inputs"], expected["distinct_inputs"]);
    assert_eq!(content[0]["texts"], expected["distinct_inputs"]);
    assert_eq!(content[0]["characters"], expected["output_characters"]);
    assert_eq!(content[0]["counted"], expected["output_characters"]);

    let slow = json(
        &lake,
        "SELECT requested_model AS model, CAST(output_tokens AS VARCHAR) AS tokens FROM invocations \
         WHERE latency_ms > 10000 AND cost_usd > 0.003 ORDER BY model, tokens",
    )
    .await;
    let slow: Vec<Value> = slow.iter().map(|row| serde_json::json!([row["model"], row["tokens"]])).collect();
    assert!(!slow.is_empty());
    assert_eq!(Value::from(slow), expected["slow_dear"]);
}

#[tokio::test]
async fn every_record_comes_back_unchanged() {
    let Some(file) = data() else { return };
    let lake = Lake::new(std::sync::Arc::new(object_store::memory::InMemory::new()), "".into(), "memory");
    let mut records = import(&file);
    lake.append(&records).await.unwrap();
    records.sort_by_key(|record| (record.time, record.invocation_id));
    assert_eq!(lake.scan(&Filter::default()).await.unwrap(), records);

    let model = Filter { model: Some("gpt-4-0613".into()), ..Filter::default() };
    let answered = lake.scan(&model).await.unwrap();
    assert_eq!(answered.len() as u64, ROWS / 4);
    let valid = answered.iter().filter(|record| record.valid == Some(true)).count();
    // The paper's finding: this model chooses an option for 23 % of the questions, its predecessor for 98 %.
    assert_eq!(valid, 351);
}

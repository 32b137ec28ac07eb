//! Writing, querying and reading back, with the failures that a disk and other writers bring.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::memory::InMemory;
use promptops_lake::{Appended, Filter, GroupBy, Lake, LakeError, PromptOwners, RowFormat};
use promptops_store::StoreOptions;
use promptops_telemetry::{Invocation, Status, Uuid};
use tempfile::TempDir;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn invocation(number: u128, at: &str) -> Invocation {
    Invocation::new(time(at), Uuid::from_u128(number))
}

/// A record with every field set.
fn full(number: u128) -> Invocation {
    let text = |name: &str| Some(format!("{name} é\n{number}"));
    Invocation {
        trace_id: text("trace"),
        span_id: text("span"),
        parent_invocation: Some(Uuid::from_u128(number + 1000)),
        agent: text("agent"),
        session: text("session"),
        service: text("service"),
        runtime: text("runtime"),
        environment: text("environment"),
        prompt_id: text("prompt"),
        prompt_version: Some(2_147_483_647),
        prompt_digest: text("digest"),
        arm: text("arm"),
        input_hash: text("hash"),
        operation: text("chat"),
        provider: text("provider"),
        requested_model: text("requested"),
        responded_model: text("responded"),
        response_id: text("response"),
        fingerprint: text("fingerprint"),
        service_tier: text("batch"),
        parameters_hash: text("parameters"),
        tools_hash: text("tools"),
        latency_ms: Some(0.1),
        time_to_first_token_ms: Some(1e-9),
        input_tokens: Some(i64::MAX as u64),
        output_tokens: Some(0),
        cached_tokens: Some(3),
        cache_write_tokens: Some(5),
        reasoning_tokens: Some(4),
        cost_usd: Some(0.003),
        price_table: text("table"),
        status: Status::Error,
        error_type: text("error"),
        finish_reason: text("finish"),
        label: text("label"),
        valid: Some(false),
        refusal: Some(true),
        output_length: Some(5),
        scores: BTreeMap::from([("judge".to_owned(), 0.25), ("é".to_owned(), -1.0)]),
        stratum: text("stratum"),
        source: text("source"),
        input: text("input"),
        output: text("output"),
        ..invocation(number, "2026-05-01T12:00:00.123456Z")
    }
}

fn folder_lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(&folder.path().join("a lake é")).unwrap();
    (folder, lake)
}

fn memory_lake() -> Lake {
    Lake::new(Arc::new(InMemory::new()), "some/prefix".into(), "memory")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

async fn csv(lake: &Lake, sql: &str) -> String {
    let mut text = Vec::new();
    lake.ask(sql).await.unwrap().write(RowFormat::Csv, &mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

async fn sql_error(lake: &Lake, sql: &str) -> String {
    match lake.query(sql).await {
        Err(LakeError::Query(text)) => text,
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test]
async fn records_come_back_as_they_were() {
    for lake in [memory_lake(), folder_lake().1] {
        let records = vec![invocation(1, "2026-05-01T11:59:59.999999Z"), full(2), invocation(3, "2026-05-02T00:00:00Z")];
        let appended = lake.append(&records).await.unwrap();
        assert_eq!(appended, Appended { written: 3, duplicates: 0, files: 3 });
        assert_eq!(lake.scan(&Filter::default()).await.unwrap(), records);
        assert_eq!(lake.latest(&Filter::default(), 2).await.unwrap(), records[1..]);
    }
}

#[tokio::test]
async fn files_lie_in_utc_hours() {
    let (folder, lake) = folder_lake();
    lake.append(&[invocation(1, "2026-05-01T01:30:00+02:00"), invocation(2, "2026-05-01T05:00:00Z")]).await.unwrap();
    let root = folder.path().join("a lake é");
    let names: Vec<PathBuf> = files(&root).iter().map(|file| file.strip_prefix(&root).unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            Path::new("invocations/day=2026-04-30/hour=23/0000000001.parquet"),
            Path::new("invocations/day=2026-05-01/hour=05/0000000001.parquet"),
        ]
    );
    // A condition on a folder finds it however it is written.
    for condition in ["hour = 5", "hour = 5 AND day = '2026-05-01'", "day > '2026-04-30'", "hour < 23", "hour IN (4, 5)"] {
        let sql = format!("SELECT count(*) AS n, max(hour) AS h FROM invocations WHERE {condition}");
        assert_eq!(csv(&lake, &sql).await, "n,h\n1,5\n", "{condition}");
    }
}

#[tokio::test]
async fn an_empty_lake_is_an_empty_table() {
    let (folder, lake) = folder_lake();
    assert_eq!(csv(&lake, "SELECT count(*) AS n FROM invocations").await, "n\n0\n");
    let result = lake.query("SELECT time, prompt_id, day, hour FROM invocations").await.unwrap();
    assert_eq!(result.row_count(), 0);
    assert_eq!(csv(&lake, "SELECT time, prompt_id, day, hour FROM invocations").await, "time,prompt_id,day,hour\n");
    assert_eq!(lake.scan(&Filter::default()).await.unwrap(), []);
    assert_eq!(lake.statistics(&Filter::default(), &[GroupBy::Model]).await.unwrap(), []);
    assert_eq!(lake.append(&[]).await.unwrap(), Appended::default());
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "reading creates nothing");
}

#[tokio::test]
async fn the_table_has_every_field_and_the_folders() {
    let lake = memory_lake();
    let result = lake.query("SELECT * FROM invocations").await.unwrap();
    let names: Vec<&str> = result.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let record = promptops_telemetry::v1::to_line(&full(1));
    let wire: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&record).unwrap();
    let mut expected: Vec<&str> = wire.keys().map(String::as_str).filter(|name| *name != "schema_version").collect();
    expected.extend(["day", "hour"]);
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sorted(names), sorted(expected));
}

#[tokio::test]
async fn duplicates_count_once() {
    let (folder, lake) = folder_lake();
    let record = |number| invocation(number, "2026-05-01T12:00:00Z");
    let first = lake.append(&[record(1), record(2), record(1)]).await.unwrap();
    assert_eq!(first, Appended { written: 2, duplicates: 1, files: 1 });
    let before = files(folder.path());

    let again = lake.append(&[record(2), record(1)]).await.unwrap();
    assert_eq!(again, Appended { written: 0, duplicates: 2, files: 0 });
    assert_eq!(files(folder.path()), before, "a repeated import changes nothing");

    let changed = Invocation { label: Some("late".into()), ..record(2) };
    let overlapping = lake.append(&[changed, record(3)]).await.unwrap();
    assert_eq!(overlapping, Appended { written: 1, duplicates: 1, files: 1 });
    let all = lake.scan(&Filter::default()).await.unwrap();
    assert_eq!(all, [record(1), record(2), record(3)], "the first that was written stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_count_each_record_once() {
    let (_folder, on_disk) = folder_lake();
    for lake in [on_disk, memory_lake()] {
        // Eight writers, each with 60 of 130 records, so that all overlap with others.
        let writers = (0..8_u128).map(|writer| {
            let lake = lake.clone();
            tokio::spawn(async move {
                let mut total = Appended::default();
                for chunk in 0..6 {
                    let begin = writer * 10 + chunk * 10;
                    let records: Vec<Invocation> =
                        (begin..begin + 10).map(|number| invocation(number, "2026-05-01T12:00:00Z")).collect();
                    let appended = lake.append(&records).await.unwrap();
                    total.written += appended.written;
                    total.duplicates += appended.duplicates;
                }
                total
            })
        });
        let mut written = 0;
        let mut duplicates = 0;
        for writer in writers.collect::<Vec<_>>() {
            let total = writer.await.unwrap();
            written += total.written;
            duplicates += total.duplicates;
        }
        assert_eq!((written, duplicates), (130, 8 * 60 - 130));
        assert_eq!(
            csv(&lake, "SELECT count(*) AS n, count(DISTINCT invocation_id) AS d FROM invocations").await,
            "n,d\n130,130\n"
        );
    }
}

#[tokio::test]
async fn values_that_no_column_holds_are_refused_before_anything_is_written() {
    let (folder, lake) = folder_lake();
    let good = invocation(1, "2026-05-01T12:00:00Z");
    for (bad, message) in [
        (
            Invocation { input_tokens: Some(u64::MAX), ..good.clone() },
            "`input_tokens` is out of range: `18446744073709551615` in invocation `00000000-0000-0000-0000-000000000001`",
        ),
        (
            Invocation { prompt_version: Some(u32::MAX), ..good.clone() },
            "`prompt_version` is out of range: `4294967295` in invocation `00000000-0000-0000-0000-000000000001`",
        ),
        (
            invocation(1, "1969-12-31T23:59:59Z"),
            "the year of `time` is not within 1970 to 9999: `1969-12-31T23:59:59+00:00` in invocation `00000000-0000-0000-0000-000000000001`",
        ),
    ] {
        let error = lake.append(&[good.clone(), bad]).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn numbers_that_are_not_finite_become_null() {
    let lake = memory_lake();
    let odd = Invocation {
        latency_ms: Some(f64::NAN),
        cost_usd: Some(f64::INFINITY),
        scores: BTreeMap::from([("judge".to_owned(), f64::NAN)]),
        ..invocation(1, "2026-05-01T12:00:00Z")
    };
    lake.append(&[odd]).await.unwrap();
    assert_eq!(lake.scan(&Filter::default()).await.unwrap(), [invocation(1, "2026-05-01T12:00:00Z")]);
}

#[tokio::test]
async fn filters_choose_records() {
    let lake = memory_lake();
    let start = time("2026-05-01T23:59:58Z");
    let records: Vec<Invocation> = (0..6_u32)
        .map(|number| Invocation {
            prompt_id: Some(if number % 2 == 0 { "even" } else { "it's \"odd\"" }.to_owned()),
            prompt_version: Some(number),
            environment: (number > 2).then(|| "prod".to_owned()),
            service: Some(format!("service {number}")),
            requested_model: Some("asked".into()),
            responded_model: (number == 4).then(|| "answered".to_owned()),
            ..Invocation::new(start + TimeDelta::seconds(i64::from(number)), Uuid::from_u128(number.into()))
        })
        .collect();
    lake.append(&records).await.unwrap();
    let chosen = async |filter: Filter| -> Vec<u32> {
        lake.scan(&filter).await.unwrap().iter().map(|record| record.prompt_version.unwrap()).collect()
    };
    assert_eq!(chosen(Filter::default()).await, [0, 1, 2, 3, 4, 5]);
    assert_eq!(chosen(Filter { prompt_id: Some("it's \"odd\"".into()), ..Filter::default() }).await, [1, 3, 5]);
    assert_eq!(chosen(Filter { prompt_version: Some(3), ..Filter::default() }).await, [3]);
    assert_eq!(chosen(Filter { environment: Some("prod".into()), ..Filter::default() }).await, [3, 4, 5]);
    assert_eq!(chosen(Filter { service: Some("service 1".into()), ..Filter::default() }).await, [1]);
    assert_eq!(chosen(Filter { model: Some("answered".into()), ..Filter::default() }).await, [4]);
    assert_eq!(chosen(Filter { model: Some("asked".into()), ..Filter::default() }).await, [0, 1, 2, 3, 5]);
    let window =
        Filter { since: Some(time("2026-05-02T01:59:59+02:00")), until: Some(time("2026-05-02T00:00:02Z")), ..Filter::default() };
    assert_eq!(chosen(window.clone()).await, [1, 2, 3], "from the first, up to but without the last");
    assert_eq!(chosen(Filter { environment: Some("prod".into()), ..window }).await, [3]);
    assert_eq!(chosen(Filter { prompt_id: Some("none".into()), ..Filter::default() }).await, Vec::<u32>::new());
}

#[tokio::test]
async fn statistics_of_groups() {
    let lake = memory_lake();
    let record = |number: u32, version, latency, cost, status| Invocation {
        prompt_version: version,
        latency_ms: latency,
        cost_usd: cost,
        output_tokens: latency.map(|_| 10),
        status,
        ..invocation(number.into(), &format!("2026-05-0{}T12:00:00Z", 1 + number % 2))
    };
    lake.append(&[
        record(0, Some(10), Some(1.0), Some(0.1), Status::Ok),
        record(1, Some(10), Some(2.0), Some(0.2), Status::Ok),
        record(2, Some(10), Some(4.0), None, Status::Ok),
        record(3, Some(10), Some(8.0), Some(0.3), Status::Error),
        record(4, Some(9), None, None, Status::Error),
        record(5, None, Some(7.0), Some(0.0), Status::Ok),
    ])
    .await
    .unwrap();
    let rows = lake.statistics(&Filter::default(), &[GroupBy::Version]).await.unwrap();
    let groups: Vec<_> = rows.iter().map(|row| row.group[0].as_deref()).collect();
    assert_eq!(groups, [None, Some("9"), Some("10")], "versions sort as numbers");

    let ten = &rows[2];
    assert_eq!((ten.count, ten.errors, ten.error_share), (4, 1, 0.25));
    let latency = ten.latency_ms.unwrap();
    // numpy.percentile([1, 2, 4, 8], [50, 95, 99])
    for (actual, expected) in [(latency.p50, 3.0), (latency.p95, 7.4), (latency.p99, 7.88)] {
        assert!((actual - expected).abs() < 1e-12, "{latency:?}");
    }
    assert!((ten.cost_usd.unwrap() - 0.6).abs() < 1e-15);
    assert_eq!((ten.input_tokens, ten.output_tokens), (None, Some(40)));
    assert_eq!((ten.first, ten.last), (time("2026-05-01T12:00:00Z"), time("2026-05-02T12:00:00Z")));

    let nine = &rows[1];
    assert_eq!((nine.count, nine.error_share, nine.latency_ms, nine.cost_usd), (1, 1.0, None, None));

    let all = lake.statistics(&Filter::default(), &[]).await.unwrap();
    assert_eq!((all.len(), all[0].count, all[0].group.len()), (1, 6, 0));

    let filter = Filter { prompt_version: Some(10), ..Filter::default() };
    let days = lake.statistics(&filter, &[GroupBy::Day, GroupBy::Version, GroupBy::Label]).await.unwrap();
    let groups: Vec<Vec<Option<&str>>> = days.iter().map(|row| row.group.iter().map(Option::as_deref).collect()).collect();
    assert_eq!(groups, [[Some("2026-05-01"), Some("10"), None], [Some("2026-05-02"), Some("10"), None]]);
    assert_eq!(days.iter().map(|row| row.count).collect::<Vec<_>>(), [2, 2]);
    for group in GroupBy::ALL {
        let counted: u64 = lake.statistics(&Filter::default(), &[group]).await.unwrap().iter().map(|row| row.count).sum();
        assert_eq!(counted, 6, "{}", group.as_str());
        let statistics = lake.statistics_with_total(&Filter::default(), &[group]).await.unwrap();
        assert_eq!(statistics.total.as_ref(), all.first(), "{}", group.as_str());
        assert_eq!(statistics.rows, lake.statistics(&Filter::default(), &[group]).await.unwrap());
    }
    let nobody = Filter { model: Some("m".to_owned()), ..Filter::default() };
    assert_eq!(lake.statistics_with_total(&nobody, &[GroupBy::Version]).await.unwrap().total, None);
}

#[tokio::test]
async fn records_are_grouped_by_who_owned_the_version() {
    let lake = memory_lake();
    let record = |number: u32, prompt: Option<&str>, version| Invocation {
        prompt_id: prompt.map(str::to_owned),
        prompt_version: version,
        ..invocation(number.into(), "2026-05-01T12:00:00Z")
    };
    lake.append(&[
        record(1, Some("a.b"), Some(1)),
        record(2, Some("a.b"), Some(2)),
        record(3, Some("a.b"), None),
        record(4, Some("a.c"), Some(1)),
        record(5, None, None),
    ])
    .await
    .unwrap();
    let by_owner = async |lake: &Lake, filter: &Filter| {
        let rows = lake.statistics(filter, &[GroupBy::Owner]).await.unwrap();
        rows.into_iter().map(|mut row| (row.group.remove(0), row.count)).collect::<Vec<_>>()
    };
    assert_eq!(by_owner(&lake, &Filter::default()).await, [(None, 5)], "nobody said who owns what");

    let mut owners = PromptOwners::default();
    owners.insert("a.b", 1, "ada");
    owners.insert("a.b", 2, "bob");
    let lake = lake.with_owners(owners);
    let owner = |name: &str| Some(name.to_owned());
    assert_eq!(by_owner(&lake, &Filter::default()).await, [(None, 2), (owner("ada"), 1), (owner("bob"), 2)]);
    let of_bob = Filter { owner: owner("bob"), ..Filter::default() };
    assert_eq!(by_owner(&lake, &of_bob).await, [(owner("bob"), 2)]);
    let ids = lake.latest(&of_bob, 9).await.unwrap().iter().map(|record| record.prompt_version).collect::<Vec<_>>();
    assert_eq!(ids, [Some(2), None]);
    assert_eq!(
        csv(&lake, "SELECT owner(prompt_id, prompt_version) AS owner, count(*) AS calls FROM invocations GROUP BY 1 ORDER BY 1")
            .await,
        "owner,calls\nada,1\nbob,2\n,2\n"
    );
}

#[tokio::test]
async fn sql_reaches_every_kind_of_column() {
    let lake = memory_lake();
    lake.append(&[full(1), invocation(2, "2026-05-01T12:00:01Z")]).await.unwrap();
    assert_eq!(
        csv(
            &lake,
            "SELECT time, scores['judge'] AS judge, valid, status, input_tokens, prompt_version FROM invocations ORDER BY time"
        )
        .await,
        "time,judge,valid,status,input_tokens,prompt_version\n\
         2026-05-01T12:00:00.123456Z,0.25,false,error,9223372036854775807,2147483647\n\
         2026-05-01T12:00:01Z,,,ok,,\n"
    );
    assert_eq!(
        csv(&lake, "SELECT count(*) AS n FROM invocations WHERE time >= '2026-05-01T12:00:01Z' AND regexp_like(status, '^o')")
            .await,
        "n\n1\n"
    );
    assert!(csv(&lake, "SHOW TABLES").await.contains("public,invocations,VIEW"));
    let mut json = Vec::new();
    let answer = lake.ask("SELECT scores, label FROM invocations ORDER BY time").await.unwrap();
    answer.write(RowFormat::JsonLines, &mut json).await.unwrap();
    assert_eq!(String::from_utf8(json).unwrap(), "{\"scores\":{\"judge\":0.25,\"é\":-1.0},\"label\":\"label é\\n1\"}\n{}\n");
}

#[tokio::test]
async fn sorting_goes_to_the_disk_where_memory_does_not_suffice() {
    const BYTES: usize = 300;
    let record = |number: u128| {
        // Of a text that counts backwards, the order of the records is the wrong one everywhere.
        let session = format!("{:0BYTES$}", 1_000_000 - number);
        Invocation { session: Some(session), ..invocation(number, "2026-05-01T12:00:00Z") }
    };
    let lake = memory_lake().with_memory_limit(32 << 20);
    for part in 0..16 {
        let records: Vec<_> = (part * 10_000..(part + 1) * 10_000).map(record).collect();
        lake.append(&records).await.unwrap();
    }
    let sorted = csv(&lake, "SELECT session FROM invocations ORDER BY session").await;
    assert!(sorted.len() > 160_000 * BYTES, "more than the memory that it may take");
    let lines: Vec<_> = sorted.lines().skip(1).collect();
    assert_eq!(lines.len(), 160_000);
    assert!(lines.is_sorted());
}

#[tokio::test]
async fn bad_sql_is_explained() {
    let lake = memory_lake();
    lake.append(&[full(1)]).await.unwrap();
    let only_queries = "only queries are answered, and this statement would change something";
    for (sql, message) in [
        ("SELEC 1", "syntax error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1"),
        ("SELECT avg(latency_ms FROM invocations", "syntax error: Expected: ), found: FROM at Line: 1, Column: 23"),
        ("SELECT 'abc", "syntax error: Unterminated string literal at Line: 1, Column: 8"),
        ("", "the statement is empty"),
        ("SELECT 1; SELECT 2", "only one statement is answered at a time"),
        ("SELECT promt_id FROM invocations", "no column is called `promt_id`; did you mean `prompt_id`?"),
        ("SELECT 1 FROM invocation", "table 'invocation' not found"),
        ("SELECT sum(label) FROM invocations", "no function takes these types: `sum(Utf8)`"),
        ("SELECT round(label) FROM invocations", "no function takes these types: `round(Utf8)`"),
        ("SELECT label + 1 FROM invocations", "Cannot coerce arithmetic expression Utf8 + Int64 to valid types"),
        ("SELECT CAST(label AS INT) FROM invocations", "Cannot cast string 'label é\n1' to value of Int32 type"),
        ("SELECT 1 / 0", "division by zero"),
        (
            "SELECT 1 FROM invocations WHERE time > 'yesterday'",
            "Error parsing timestamp from 'yesterday': timestamp must contain at least 10 characters",
        ),
        ("CREATE TABLE x AS SELECT 1", only_queries),
        ("DROP TABLE invocations", only_queries),
        ("INSERT INTO invocations SELECT * FROM invocations", only_queries),
        ("DELETE FROM invocations", only_queries),
        ("COPY invocations TO '/tmp/x.csv'", only_queries),
        ("SET datafusion.execution.batch_size = 1", only_queries),
        ("SELECT * FROM '/etc/passwd'", "table '/etc/passwd' not found"),
    ] {
        assert_eq!(sql_error(&lake, sql).await, message, "{sql}");
    }
    let unknown = sql_error(&lake, "SELECT colour FROM invocations").await;
    assert!(unknown.starts_with("no column is called `colour`; known are time, invocation_id, trace_id,"), "{unknown}");
    let unit = sql_error(&lake, "SELECT date_trunc('fortnight', time) FROM invocations").await;
    assert!(unit.starts_with("Unsupported date_trunc granularity: 'fortnight'. Supported"), "{unit}");
    let function = sql_error(&lake, "SELECT foo(1) FROM invocations").await;
    assert!(function.starts_with("Invalid function 'foo'"), "{function}");
}

#[tokio::test]
async fn a_corrupt_file_is_named() {
    let (folder, lake) = folder_lake();
    let records: Vec<Invocation> = (0..2000).map(full).collect();
    lake.append(&records).await.unwrap();
    lake.append(&[invocation(1, "2026-05-02T12:00:00Z")]).await.unwrap();
    let damaged = files(folder.path())[0].clone();
    let whole = std::fs::read(&damaged).unwrap();
    let mut middle = whole.clone();
    for byte in &mut middle[100..4000] {
        *byte = !*byte;
    }
    let mut foot = whole.clone();
    let length = foot.len();
    foot[length - 200..].fill(b'x');
    for (name, bytes) in [("empty", Vec::new()), ("cut", whole[..whole.len() / 2].to_vec()), ("middle", middle), ("foot", foot)] {
        std::fs::write(&damaged, bytes).unwrap();
        let errors = [
            ("query", lake.query("SELECT count(DISTINCT invocation_id), max(output) FROM invocations").await.err()),
            ("scan", lake.scan(&Filter::default()).await.err()),
            ("statistics", lake.statistics(&Filter::default(), &[GroupBy::Prompt]).await.err()),
            ("append", lake.append(&[full(1)]).await.err()),
        ];
        for (action, error) in errors {
            if name == "middle" && action != "scan" && action != "query" {
                continue; // They do not read the damaged column.
            }
            let error = error.unwrap_or_else(|| panic!("{action} takes a file that is damaged: {name}"));
            assert_eq!(
                error.to_string(),
                "not a readable Parquet file of invocations: `invocations/day=2026-05-01/hour=12/0000000001.parquet`",
                "{name} {action}"
            );
            assert!(error.source().is_some() && error.hint().is_some());
        }
    }
    std::fs::write(&damaged, whole).unwrap();
    assert_eq!(lake.scan(&Filter::default()).await.unwrap().len(), 2001);
}

#[tokio::test]
async fn a_staged_file_left_behind_is_invisible_and_in_nobodys_way() {
    let (folder, lake) = folder_lake();
    lake.append(&[invocation(1, "2026-05-01T12:00:00Z")]).await.unwrap();
    let first = files(folder.path())[0].clone();
    // What a process that is killed between writing and linking leaves: half of the file under the staging name.
    let half = &std::fs::read(&first).unwrap()[..500];
    std::fs::write(first.with_file_name("0000000002.parquet#1"), half).unwrap();
    assert_eq!(lake.scan(&Filter::default()).await.unwrap().len(), 1);
    assert_eq!(csv(&lake, "SELECT count(*) AS n FROM invocations").await, "n\n1\n");
    assert_eq!(lake.append(&[invocation(2, "2026-05-01T12:00:00Z")]).await.unwrap().written, 1);
    assert_eq!(lake.scan(&Filter::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_path_and_its_url_are_the_same_lake() {
    let base = tempfile::tempdir().unwrap();
    let options = StoreOptions { base_dir: base.path().to_owned(), ..StoreOptions::default() };
    let by_path = Lake::open("a lake", &options).unwrap();
    by_path.append(&[invocation(1, "2026-05-01T12:00:00Z")]).await.unwrap();
    let url = format!("file://{}/a%20lake", base.path().display());
    for lake in [Lake::open(&url, &options).unwrap(), Lake::open_folder(&base.path().join("a lake")).unwrap()] {
        assert_eq!(lake.scan(&Filter::default()).await.unwrap().len(), 1, "{}", lake.name());
    }
    for (url, message) in [
        ("ftp://host/lake", "unknown scheme, known are file, memory, s3, gs, az and https: `ftp://host/lake`"),
        ("s3:///lake", "the URL names no bucket: `s3:///lake`"),
    ] {
        let error = Lake::open(url, &options).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn places_that_are_no_lake() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Lake::open_folder(file.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("a file, not a folder: `{}`", file.path().display()));
    // A file where a folder must be: the store fails and says where.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("invocations"), "").unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    let error = lake.append(&[invocation(1, "2026-05-01T12:00:00Z")]).await.unwrap_err();
    assert!(matches!(error, LakeError::Store { .. }), "{error}");
}

#[tokio::test]
async fn records_are_found_by_any_of_their_ids() {
    let lake = memory_lake();
    let parent = Invocation {
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
        response_id: Some("chatcmpl-AbC".into()),
        ..invocation(0xa1, "2026-05-01T12:00:00Z")
    };
    let child = Invocation {
        trace_id: parent.trace_id.clone(),
        parent_invocation: Some(parent.invocation_id),
        ..invocation(0xb2, "2026-05-01T13:00:01Z")
    };
    let other = invocation(0xb3, "2026-05-01T12:00:02Z");
    lake.append(&[child.clone(), parent.clone(), other.clone()]).await.unwrap();
    let found = async |id: &str| lake.find(id, 10).await.unwrap();
    assert_eq!(found("chatcmpl-AbC").await, std::slice::from_ref(&parent));
    assert_eq!(found("chatcmpl-abc").await, [], "a provider's id is taken as it is");
    assert_eq!(found("0AF7651916CD43DD8448EB211C80319C").await, [parent.clone(), child.clone()]);
    assert_eq!(found("00000000-0000-0000-0000-0000000000B").await, [other.clone(), child.clone()]);
    assert_eq!(lake.find("0000", 1).await.unwrap(), std::slice::from_ref(&parent));
    assert_eq!(found("%").await, []);
    assert_eq!(lake.related(&[parent.invocation_id]).await.unwrap(), [parent, child]);
    assert_eq!(lake.related(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn an_id_that_says_its_time_is_looked_for_there_first() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_folder(folder.path()).unwrap();
    // 2026-05-01T12:00:00Z and three milliseconds.
    let id = |last: u8| format!("019de368-f603-7000-8000-0000000000{last:02x}").parse::<Uuid>().unwrap();
    let then = Invocation::new(time("2026-05-01T12:00:00.003Z"), id(1));
    let stamped_late = Invocation::new(time("2026-05-03T12:00:00Z"), id(2));
    lake.append(&[then.clone(), stamped_late.clone()]).await.unwrap();
    assert_eq!(lake.find(&id(1).to_string(), 10).await.unwrap(), std::slice::from_ref(&then));
    assert_eq!(lake.find(&id(2).to_string(), 10).await.unwrap(), [stamped_late], "its clock was wrong, and it is found");

    let other = files(folder.path()).into_iter().find(|path| path.to_string_lossy().contains("2026-05-03")).unwrap();
    std::fs::write(other, "no Parquet").unwrap();
    assert_eq!(lake.find(&id(1).to_string().to_uppercase(), 10).await.unwrap(), [then], "no other hour is read");
    assert!(matches!(lake.find("019de368", 10).await.unwrap_err(), LakeError::Corrupt { .. }));
}

//! Imports of JSON lines and CSV, good and bad.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

use promptops_telemetry::import::{ColumnMapping, Import, ImportError, MAX_REASONS, MAX_ROW_BYTES, MappingError, Rejected};
use promptops_telemetry::sink::{JsonlSink, Sink};
use promptops_telemetry::{Invocation, Status, Uuid, content_hash, v1};

const MAPPING: &str = r#"
absent = ["NA"]

[constants]
prompt_id = "survey"
prompt_version = 1

[columns]
time = { column = "when", format = "%m/%d/%Y, %H:%M:%S" }
requested_model = { column = "model", strip_prefix = "openaichat/" }
latency_ms = { column = "latency", scale = 1000 }
output_tokens = { column = "tokens" }
label = { column = "answer", pattern = '^\((\w)\)' }
valid = { column = "answer", matches = '^\(\w\)' }
input = { column = "query" }
output = { column = "answer" }
"scores.judge" = { column = "grade" }
"#;

const HEADER: &str = "when,model,latency,tokens,query,answer,grade\n";

fn jsonl(bytes: &[u8]) -> (Vec<Invocation>, Rejected) {
    let mut import = Import::jsonl(bytes, "test.jsonl");
    let records = import.by_ref().collect::<Result<_, _>>().unwrap();
    (records, import.rejected().clone())
}

fn csv_with(mapping: &str, text: &[u8]) -> (Vec<Invocation>, Rejected) {
    let mapping = ColumnMapping::parse(mapping).unwrap();
    let mut import = Import::csv(text, &mapping, "test.csv").unwrap();
    let records = import.by_ref().collect::<Result<_, _>>().unwrap();
    (records, import.rejected().clone())
}

fn csv(rows: &str) -> (Vec<Invocation>, Rejected) {
    csv_with(MAPPING, format!("{HEADER}{rows}").as_bytes())
}

fn reasons(rejected: &Rejected) -> Vec<(u64, &str)> {
    rejected.first.iter().map(|row| (row.line, row.reason.as_str())).collect()
}

#[test]
fn what_a_sink_wrote_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let sink = JsonlSink::open(&path).unwrap();
    let written: Vec<Invocation> = (1..=3)
        .map(|number| Invocation {
            source: Some("sdk".into()),
            label: Some("refund\n\"ünïcode\"".into()),
            ..Invocation::new("2026-05-01T12:00:00.000001Z".parse().unwrap(), Uuid::from_u128(number))
        })
        .collect();
    written.iter().for_each(|record| sink.record(record));
    let (read, rejected) = jsonl(&std::fs::read(&path).unwrap());
    assert_eq!(read, written);
    assert_eq!(rejected.count, 0);
}

#[test]
fn bad_json_lines_are_reported_and_the_others_read() {
    let text = concat!(
        "\u{feff}{\"time\":\"2026-05-01T12:00:00Z\"}\n",
        "\n",
        "{\"time\":\"2026-05-01T12:00:00Z\"\n",
        "{\"time\":\"yesterday\"}\n",
        "{\"label\":\"a\"}\n",
        "{\"time\":\"2026-05-01T12:00:00Z\",\"input_tokens\":-1}\n",
        "{\"time\":\"2026-05-01T12:00:00Z\",\"latency_ms\":-1}\n",
        "{\"time\":\"2026-05-01T12:00:00Z\",\"prompt_version\":0}\n",
        "{\"time\":\"2026-05-01T12:00:00Z\",\"schema_version\":2}\n",
        "{\"time\":\"2026-05-01T12:00:00Z\",\"label\":\"a\",\"label\":\"b\"}\n",
        "[1]\r\n",
        "{\"time\":\"2026-05-01T14:00:00+02:00\",\"input\":\"hé\",\"output\":\"é!\",\"source\":\"sdk\"}",
    );
    let (records, rejected) = jsonl(text.as_bytes());
    assert_eq!(
        reasons(&rejected),
        [
            (3, "EOF while parsing an object at column 30"),
            (4, "`time` is not as `2026-05-01T10:00:00Z`: `yesterday` at column 20"),
            (5, "missing field `time` at column 13"),
            (6, "invalid value: integer `-1`, expected u64 at column 48"),
            (7, "`latency_ms` is negative: `-1`"),
            (8, "`prompt_version` begins at 1, not `0`"),
            (9, "schema version `2` is not the one that is known, `1`"),
            (10, "duplicate field `label` at column 50"),
            (11, "not a JSON object: `[1]`"),
        ]
    );
    assert_eq!(rejected.count, 9);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].source.as_deref(), Some("test.jsonl"));
    assert_eq!(records[1].time.to_rfc3339(), "2026-05-01T12:00:00+00:00");
    assert_eq!(records[1].source.as_deref(), Some("sdk"));
    assert_eq!(records[1].input_hash, Some(content_hash("hé")));
    assert_eq!(records[1].output_length, Some(2));
}

#[test]
fn invalid_utf8_is_a_rejected_row() {
    let mut bytes = br#"{"time":"2026-05-01T12:00:00Z","label":"#.to_vec();
    bytes.extend(b"\"\xff\"}\n");
    bytes.extend(br#"{"time":"2026-05-01T12:00:00Z"}"#);
    let (records, rejected) = jsonl(&bytes);
    assert_eq!(records.len(), 1);
    assert_eq!(reasons(&rejected), [(1, "invalid UTF-8 at byte 41")]);

    let mut bytes = HEADER.as_bytes().to_vec();
    bytes.extend(b"\"07/26/2023, 21:03:32\",m,1,4,q,\xff,1\n");
    bytes.extend(b"\"07/26/2023, 21:03:32\",\xff,1,4,q,(A),1\n");
    let (records, rejected) = csv_with(MAPPING, &bytes);
    assert_eq!(records.len(), 0);
    assert_eq!(
        reasons(&rejected),
        [(2, "column `answer`: invalid UTF-8 at byte 1"), (3, "column `model`: invalid UTF-8 at byte 1")]
    );
}

#[test]
fn reasons_are_bounded_and_all_rows_counted() {
    let text = "nonsense\n".repeat(MAX_REASONS + 50);
    let (records, rejected) = jsonl(text.as_bytes());
    assert_eq!((records.len(), rejected.count, rejected.first.len()), (0, MAX_REASONS as u64 + 50, MAX_REASONS));
}

#[test]
fn an_endless_line_is_rejected_without_being_kept() {
    let endless = io::repeat(b'x').take(10 * MAX_ROW_BYTES as u64);
    let rest = b"\n{\"time\":\"2026-05-01T12:00:00Z\"}\n".as_slice();
    let mut import = Import::jsonl(BufReader::new(endless.chain(rest)), "long");
    assert!(import.next().unwrap().is_ok());
    assert!(import.next().is_none());
    assert_eq!(reasons(import.rejected()), [(1, "the line is longer than 16777216 bytes")]);
}

#[test]
fn an_unclosed_quote_ends_the_import_with_its_line() {
    let begin = format!("{HEADER}\"07/26/2023, 21:03:32\",m,1,4,q,(A),1\n\"07/26/2023,");
    let endless = io::repeat(b'x').take(10 * MAX_ROW_BYTES as u64);
    let mapping = ColumnMapping::parse(MAPPING).unwrap();
    let mut import = Import::csv(BufReader::new(begin.as_bytes().chain(endless)), &mapping, "long").unwrap();
    assert!(import.next().unwrap().is_ok());
    let error = import.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the row that begins at line 3 is longer than 16777216 bytes, which suggests a quote that is never closed"
    );
    assert!(import.next().is_none());
}

#[test]
fn csv_columns_become_fields() {
    let (records, rejected) = csv("\"07/26/2023, 21:03:32\",openaichat/gpt-4-0314,0.25,4.0,\"one,\ntwo\",(B) No,-1\n");
    assert_eq!(rejected.count, 0);
    let record = &records[0];
    assert_eq!(record.time.to_rfc3339(), "2023-07-26T21:03:32+00:00");
    assert_eq!(record.requested_model.as_deref(), Some("gpt-4-0314"));
    assert_eq!(record.latency_ms, Some(250.0));
    assert_eq!(record.output_tokens, Some(4));
    assert_eq!(record.label.as_deref(), Some("B"));
    assert_eq!(record.valid, Some(true));
    assert_eq!(record.scores["judge"], -1.0);
    assert_eq!(record.prompt_id.as_deref(), Some("survey"));
    assert_eq!(record.prompt_version, Some(1));
    assert_eq!(record.status, Status::Ok);
    assert_eq!(record.source.as_deref(), Some("test.csv"));
    assert_eq!(record.input_hash, Some(content_hash("one,\ntwo")));
    assert_eq!(record.output_length, Some(6));
    assert_eq!((&record.input, &record.output), (&None, &None), "content is off unless the mapping keeps it");

    let kept =
        csv_with(&format!("keep_content = true\n{MAPPING}"), format!("{HEADER}\"07/26/2023, 21:03:32\",m,1,4,q,a,1").as_bytes());
    assert_eq!(kept.0[0].input.as_deref(), Some("q"));
    assert_eq!(kept.0[0].output.as_deref(), Some("a"));
}

#[test]
fn absent_values_stay_unknown() {
    let (records, rejected) = csv("\"07/26/2023, 21:03:32\",,NA,,q,I cannot say,\n");
    assert_eq!(rejected.count, 0);
    let record = &records[0];
    assert_eq!((&record.requested_model, record.latency_ms, record.output_tokens), (&None, None, None));
    assert_eq!(record.label, None, "the pattern found nothing");
    assert_eq!(record.valid, Some(false));
    assert!(record.scores.is_empty());
}

#[test]
fn bad_csv_rows_are_reported_and_the_others_read() {
    let (records, rejected) = csv(concat!(
        "2023-07-26,m,1,4,q,(A),1\n",
        "\"07/26/2023, 21:03:32\",m,fast,4,\"a\nb\",(A),1\n",
        "\"07/26/2023, 21:03:32\",m,1,4\n",
        "\"07/26/2023, 21:03:32\",m,1,4.5,q,(A),1\n",
        ",m,1,4,q,(A),1\n",
        "\"07/26/2023, 21:03:32\",m,1,4,q,(A),1\n",
    ));
    assert_eq!(records.len(), 1);
    assert_eq!(
        reasons(&rejected),
        [
            (2, "column `when`: not a time in the expected format: `2023-07-26`"),
            (3, "column `latency`: not a number from 0: `fast`"),
            (5, "the row has 4 fields, the header 7"),
            (6, "column `tokens`: not a whole number from 0: `4.5`"),
            (7, "column `when`: the time is absent"),
        ]
    );
}

#[test]
fn ids_depend_on_row_and_place_only() {
    let row = "\"07/26/2023, 21:03:32\",m,1,4,q,(A),1\n";
    let ids = |name: &str, mapping: &str, rows: &str| -> Vec<Uuid> {
        let text = format!("{HEADER}{rows}");
        let mapping = ColumnMapping::parse(mapping).unwrap();
        Import::csv(text.as_bytes(), &mapping, name).unwrap().map(|record| record.unwrap().invocation_id).collect()
    };
    let twice = ids("a.csv", MAPPING, &row.repeat(2));
    assert_ne!(twice[0], twice[1], "equal rows are different invocations");
    assert_eq!(twice, ids("b.csv", &format!("keep_content = true\n{MAPPING}"), &row.repeat(2)));
    assert_eq!(twice[0], ids("a.csv", MAPPING, row)[0], "a file that grew keeps its ids");
    assert_ne!(twice[0], ids("a.csv", MAPPING, &row.replace("(A)", "(B)"))[0]);

    let (lines, _) = jsonl("{\"time\":\"2026-05-01T12:00:00Z\"}\n".repeat(50).as_bytes());
    let distinct: BTreeSet<Uuid> = lines.iter().map(|record| record.invocation_id).collect();
    assert_eq!(distinct.len(), 50);
}

#[test]
fn a_given_id_is_kept() {
    let mapping = "[columns]\ntime = { column = \"t\" }\ninvocation_id = { column = \"id\" }";
    let text = b"t,id\n2026-05-01,019f0000-0000-7000-8000-000000000001\n2026-05-01,req_1\n2026-05-01,req_1\n2026-05-01,\n";
    let (records, _) = csv_with(mapping, text);
    let ids: Vec<Uuid> = records.iter().map(|record| record.invocation_id).collect();
    assert_eq!(ids[0].to_string(), "019f0000-0000-7000-8000-000000000001");
    assert_eq!(ids[1], ids[2], "the same foreign id is the same invocation");
    assert_ne!(ids[2], ids[3], "without an id the row is its own");
}

#[test]
fn status_by_pattern_and_constant_time() {
    let mapping = "[constants]\ntime = 2026-05-01T12:00:00+02:00\n[columns]\nstatus = { column = \"code\", matches = \"^2\" }";
    let (records, _) = csv_with(mapping, "\u{feff}code\n200\n503\n".as_bytes());
    assert_eq!(records.iter().map(|record| record.status).collect::<Vec<_>>(), [Status::Ok, Status::Error]);
    assert_eq!(records[0].time.to_rfc3339(), "2026-05-01T10:00:00+00:00");
}

#[test]
fn without_a_mapping_columns_are_fields_of_the_same_name() {
    let text = b"time,label,colour,scores.judge,input\n2026-05-01 12:00:00,refund,red,0.5,hello\n";
    let mut import = Import::csv(text.as_slice(), &ColumnMapping::same_names(), "x").unwrap();
    let record = import.next().unwrap().unwrap();
    assert_eq!(record.label.as_deref(), Some("refund"));
    assert_eq!(record.scores["judge"], 0.5);
    assert_eq!(record.input.as_deref(), Some("hello"));
    let error = Import::csv(b"when,label\n".as_slice(), &ColumnMapping::same_names(), "x").err().unwrap();
    assert_eq!(error.to_string(), "no column is called `time`; the file has `when`, `label`");
}

#[test]
fn files_that_do_not_fit_are_errors() {
    let mapping = ColumnMapping::parse(MAPPING).unwrap();
    let error = Import::csv(b"".as_slice(), &mapping, "x").err().unwrap();
    assert!(matches!(error, ImportError::NoHeader), "{error}");
    let error = Import::csv(b"when,model\n".as_slice(), &mapping, "x").err().unwrap();
    assert_eq!(error.to_string(), "the file has no column `query`, which the mapping wants for `input`; it has `when`, `model`");
    let mut header_only = Import::csv(HEADER.as_bytes(), &mapping, "x").unwrap();
    assert!(header_only.next().is_none());
    assert_eq!(header_only.rejected().count, 0);
}

#[test]
fn a_disk_that_fails_is_an_error_with_its_line() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("bad sector"))
        }
    }
    let line = b"{\"time\":\"2026-05-01T12:00:00Z\"}\n".as_slice();
    let mut import = Import::jsonl(BufReader::new(line.chain(Broken)), "x");
    assert!(import.next().unwrap().is_ok());
    assert_eq!(import.next().unwrap().unwrap_err().to_string(), "reading stopped at line 2");
    assert!(import.next().is_none());
}

#[test]
fn wrong_mappings_say_what_is_wrong() {
    let message = |text: &str| ColumnMapping::parse(text).unwrap_err().to_string();
    assert_eq!(message("[columns]\nlabel = { column = \"a\" }"), "the mapping gives no `time`");
    let time = "[columns]\ntime = { column = \"t\" }\n";
    let with = |rule: &str| message(&format!("{time}{rule}"));
    assert!(
        with("colour = { column = \"a\" }")
            .starts_with("no field of the invocation record is called `colour`; known are `time`, `invocation_id`, `trace_id`,")
    );
    assert_eq!(with("label = { column = \"a\", scale = 2 }"), "`label`: `scale` is for numbers");
    assert_eq!(with("cost_usd = { column = \"a\", scale = 0 }"), "`cost_usd`: `scale` is a number other than 0");
    assert_eq!(with("label = { column = \"a\", matches = \"x\" }"), "`label`: `matches` is for `valid`, `refusal` and `status`");
    assert_eq!(with("label = { column = \"a\", format = \"%Y\" }"), "`label`: `format` and `utc_offset` are for `time`");
    assert!(with("label = { column = \"a\", pattern = \"(\" }").starts_with("`label`: regex parse error"));
    assert_eq!(with("[constants]\ntime = \"now\""), "`time` is both a column and a constant");
    assert_eq!(with("[constants]\nprompt_version = 0"), "`prompt_version`: not a version, which is a whole number from 1: `0`");
    assert_eq!(with("[constants]\ninvocation_id = \"x\""), "`invocation_id`: one id for all records would make them one");
    assert!(matches!(ColumnMapping::parse("columns = 3"), Err(MappingError::Syntax(_))));
    assert!(with("label = { colunm = \"a\" }").contains("unknown field `colunm`"));
}

#[test]
fn the_wire_form_of_an_import_is_readable_again() {
    let (records, _) = csv("\"07/26/2023, 21:03:32\",m,0.1,4,q,(A),1\n");
    let (again, _) = jsonl(v1::to_line(&records[0]).as_bytes());
    assert_eq!(again, records);
}

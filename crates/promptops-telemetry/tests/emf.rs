//! What `EmfSink` writes obeys the published format and limits of CloudWatch, coded here from its documentation.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use promptops_telemetry::sink::{EmfSink, Sink};
use promptops_telemetry::{Invocation, Status, Uuid};
use serde_json::Value;

const NOW: &str = "2026-05-01T12:00:00Z";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn emit(invocations: &[Invocation]) -> (Vec<String>, u64) {
    let shared = Shared::default();
    let sink = EmfSink::new(shared.clone(), "PromptOps", now).unwrap();
    for invocation in invocations {
        sink.record(invocation);
    }
    sink.flush();
    let written = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    (written.lines().map(str::to_owned).collect(), sink.dropped())
}

fn one(invocation: &Invocation) -> Value {
    let (lines, dropped) = emit(std::slice::from_ref(invocation));
    assert_eq!((lines.len(), dropped), (1, 0));
    check(&lines[0]);
    serde_json::from_str(&lines[0]).unwrap()
}

fn full() -> Invocation {
    Invocation {
        prompt_id: Some("support.intent".into()),
        prompt_version: Some(2),
        environment: Some("prod".into()),
        requested_model: Some("claude-3-5-sonnet".into()),
        latency_ms: Some(412.5),
        input_tokens: Some(120),
        output_tokens: Some(3),
        cost_usd: Some(0.003),
        input: Some("secret question".into()),
        output: Some("secret answer".into()),
        ..Invocation::new(now(), Uuid::from_u128(1))
    }
}

/// The rules of the specification and of its JSON schema.
fn check(line: &str) {
    assert!(line.len() < 256 * 1024, "event of {} bytes", line.len());
    let root: Value = serde_json::from_str(line).unwrap();
    let aws = root["_aws"].as_object().unwrap();
    let timestamp = aws["Timestamp"].as_i64().expect("Timestamp is an integer of milliseconds");
    let age = now().timestamp_millis() - timestamp;
    assert!((-2 * 3_600_000..=14 * 24 * 3_600_000).contains(&age), "age {age} ms");

    for directive in aws["CloudWatchMetrics"].as_array().unwrap() {
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!((1..=256).contains(&namespace.chars().count()));

        let definitions = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&definitions.len()));
        let mut targets = BTreeSet::new();
        for definition in definitions {
            let name = definition["Name"].as_str().unwrap();
            assert!((1..=1024).contains(&name.len()));
            assert!(["Milliseconds", "Count", "None"].contains(&definition["Unit"].as_str().unwrap()));
            let value = root[name].as_f64().unwrap_or_else(|| panic!("{name} is not a number in the root"));
            assert!(value.is_finite());
            assert!(targets.insert(name), "{name} is defined twice");
        }

        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(!sets.is_empty());
        let mut seen = BTreeSet::new();
        for set in sets {
            let names: Vec<&str> = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert!((1..=30).contains(&names.len()));
            assert!(seen.insert(names.clone()), "the set {names:?} is there twice");
            for name in names {
                assert!((1..=250).contains(&name.len()) && name.is_ascii() && !name.starts_with(':'));
                assert!(!targets.contains(name), "{name} is metric and dimension");
                let value = root[name].as_str().unwrap_or_else(|| panic!("{name} is not a string in the root"));
                assert!((1..=1024).contains(&value.len()), "{name} has {} characters", value.len());
                assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{value:?}");
                assert!(!value.trim().is_empty());
            }
        }
    }
}

#[test]
fn a_full_record() {
    let (lines, _) = emit(&[full()]);
    check(&lines[0]);
    assert_eq!(
        lines[0],
        concat!(
            r#"{"_aws":{"Timestamp":1777636800000,"CloudWatchMetrics":[{"Namespace":"PromptOps","#,
            r#""Dimensions":[["prompt_id","environment"],["prompt_id","prompt_version","environment"]],"#,
            r#""Metrics":[{"Name":"Invocations","Unit":"Count"},{"Name":"Errors","Unit":"Count"},"#,
            r#"{"Name":"Latency","Unit":"Milliseconds"},{"Name":"InputTokens","Unit":"Count"},"#,
            r#"{"Name":"OutputTokens","Unit":"Count"},{"Name":"CostUSD","Unit":"None"}]}]},"#,
            r#""Invocations":1.0,"Errors":0.0,"Latency":412.5,"InputTokens":120.0,"OutputTokens":3.0,"CostUSD":0.003,"#,
            r#""prompt_id":"support.intent","environment":"prod","prompt_version":"2","#,
            r#""invocation_id":"00000000-0000-0000-0000-000000000001","#,
            r#""requested_model":"claude-3-5-sonnet","status":"ok"}"#,
        )
    );
    assert!(!lines[0].contains("secret"), "content never enters the event");
}

#[test]
fn an_error_counts_one() {
    let event = one(&Invocation { status: Status::Error, error_type: Some("timeout".into()), ..full() });
    assert_eq!(event["Errors"], 1.0);
    assert_eq!(event["error_type"], "timeout");
}

#[test]
fn unknown_and_broken_numbers_are_left_out() {
    let event = one(&Invocation {
        latency_ms: Some(f64::NAN),
        cost_usd: Some(f64::INFINITY),
        input_tokens: None,
        output_tokens: Some(u64::MAX),
        ..full()
    });
    let names: Vec<&str> = event["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|definition| definition["Name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Invocations", "Errors", "OutputTokens"]);
    assert_eq!(event.get("Latency"), None);
    assert_eq!(event.get("CostUSD"), None);
    assert_eq!(one(&Invocation { cost_usd: Some(-1.0), ..full() }).get("CostUSD"), None);
    assert_eq!(one(&Invocation { cost_usd: Some(f64::MAX), ..full() }).get("CostUSD"), None);
}

#[test]
fn odd_dimension_values_are_made_acceptable_and_stay_distinct() {
    let environment = |value: Option<&str>| {
        let event = one(&Invocation { environment: value.map(str::to_owned), ..full() });
        event["environment"].as_str().unwrap().to_owned()
    };
    assert_eq!(environment(None), "unknown");
    assert_eq!(environment(Some("")), "unknown");
    assert_eq!(environment(Some(" \u{a0}\t")), "unknown");
    assert_eq!(environment(Some("préprod")), "pr%C3%A9prod");
    assert_eq!(environment(Some("pr%C3%A9prod")), "pr%25C3%25A9prod");
    assert_eq!(environment(Some("a\nb\u{0}")), "a%0Ab%00");
    let long = environment(Some(&"é".repeat(1000)));
    assert_eq!(long.len(), 1024);
    assert_ne!(long, environment(Some(&"é".repeat(1001))));
}

#[test]
fn without_a_version_there_is_one_dimension_set() {
    let event = one(&Invocation { prompt_id: None, prompt_version: None, ..full() });
    assert_eq!(event["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([["prompt_id", "environment"]]));
    assert_eq!(event["prompt_id"], "unknown");
}

#[test]
fn the_longest_record_stays_below_the_limit() {
    // U+0001 takes six bytes in JSON, as long as one character can get.
    let long = Some("\u{1}".repeat(100_000));
    one(&Invocation {
        trace_id: long.clone(),
        span_id: long.clone(),
        agent: long.clone(),
        session: long.clone(),
        service: long.clone(),
        environment: long.clone(),
        prompt_id: long.clone(),
        prompt_digest: long.clone(),
        arm: long.clone(),
        input_hash: long.clone(),
        requested_model: long.clone(),
        responded_model: long.clone(),
        error_type: long.clone(),
        finish_reason: long.clone(),
        label: long.clone(),
        stratum: long.clone(),
        input: long.clone(),
        output: long,
        ..full()
    });
}

#[test]
fn times_that_cloudwatch_refuses_are_dropped_and_counted() {
    let at = |offset: TimeDelta| Invocation { time: now() + offset, ..full() };
    let (lines, dropped) = emit(&[
        at(-TimeDelta::days(14)),
        at(-TimeDelta::days(14) - TimeDelta::seconds(1)),
        at(TimeDelta::hours(2)),
        at(TimeDelta::hours(2) + TimeDelta::seconds(1)),
    ]);
    assert_eq!((lines.len(), dropped), (2, 2));
    lines.iter().for_each(|line| check(line));
}

#[test]
fn a_failing_writer_is_counted() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let sink = EmfSink::new(Broken, "PromptOps", now).unwrap();
    sink.record(&full());
    sink.flush();
    assert_eq!(sink.dropped(), 1);
}

#[test]
fn namespaces_that_cloudwatch_refuses_are_refused() {
    for namespace in ["", ":a", "a b", "é", "a\nb", &"a".repeat(257)] {
        assert!(EmfSink::new(io::sink(), namespace, now).is_err(), "{namespace:?}");
    }
    for namespace in ["PromptOps", "team/Prompt-Ops_1.x#y:z", &"a".repeat(256)] {
        assert!(EmfSink::new(io::sink(), namespace, now).is_ok(), "{namespace:?}");
    }
    let error = EmfSink::new(io::sink(), "a b", now).err().unwrap();
    assert_eq!(
        error.to_string(),
        "a CloudWatch namespace has 1 to 256 characters of `A-Z a-z 0-9 . - _ / # :` and does not begin with a colon, not `a b`"
    );
}

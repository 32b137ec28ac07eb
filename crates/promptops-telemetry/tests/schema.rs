//! The JSON Schema of the record says what the reader takes.

#![cfg(test)]

use std::path::Path;

use promptops_telemetry::v1::{self, InvocationV1};
use promptops_telemetry::{Invocation, Uuid, schema};
use serde_json::{Value, json};

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment to write what it expects")]
fn the_committed_schema_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/schemas/invocation.schema.json");
    let generated = serde_json::to_string_pretty(&schema::record()).unwrap() + "\n";
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, generated, "run `PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-telemetry`");
}

#[test]
fn every_member_has_a_meaning_and_a_type() {
    let schema = schema::record();
    let source = include_str!("../../../spec/invocation.md");
    let table = source.split("## Members").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.keys().map(String::as_str).collect::<Vec<_>>(), listed, "in the order of the specification");
    for (name, member) in properties {
        assert!(!member["description"].as_str().unwrap().is_empty(), "{name}");
        assert!(member.as_object().unwrap().len() > 1, "{name}");
    }
}

#[test]
fn the_schema_and_the_reader_agree() {
    let validator = jsonschema::options().should_validate_formats(true).build(&schema::record()).unwrap();
    let record = Invocation {
        valid: Some(true),
        input_tokens: Some(7),
        ..Invocation::new("2026-05-01T12:00:00Z".parse().unwrap(), Uuid::from_u128(1))
    };
    let line: Value = serde_json::from_str(&v1::to_line(&record)).unwrap();
    assert!(validator.is_valid(&line), "{:?}", validator.iter_errors(&line).next());
    let schema = schema::record();
    let members = schema["properties"].as_object().unwrap();
    let (mut taken, mut refused) = (0, 0);
    for name in members.keys() {
        for value in [
            json!(1),
            json!(-1),
            json!(1.5),
            json!("x"),
            json!(true),
            json!(null),
            json!([1]),
            json!({"a": 1}),
            json!({"a": "x"}),
        ] {
            let mut changed = line.clone();
            changed[name] = value.clone();
            let is_read = serde_json::from_value::<InvocationV1>(changed.clone()).is_ok();
            let is_valid = validator.is_valid(&changed);
            // What the reader takes as it is and the specification rules out: hashes of another form, numbers below zero.
            let is_looser = is_read && !is_valid && (value == json!("x") || value == json!(-1) || name == "schema_version");
            assert!(is_read == is_valid || is_looser, "`{name}`: {value} is read: {is_read}, and valid: {is_valid}");
            if is_read { taken += 1 } else { refused += 1 }
        }
    }
    assert!(taken > 60 && refused > 100, "{taken} taken, {refused} refused");
    for (changed, is_valid) in [
        (json!({"time": "2026-05-01T12:00:00+02:00", "later": {"deep": [1]}}), true),
        (json!({"invocation_id": "019de368-f600-7000-8000-000000000001"}), false),
        (json!({"time": "yesterday"}), false),
        (json!({"time": "2026-05-01T12:00:00Z", "schema_version": 2}), false),
    ] {
        assert_eq!(validator.is_valid(&changed), is_valid, "{changed}");
    }
}

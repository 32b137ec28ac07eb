//! The JSON Schema of eval files beside the reader of eval files.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;

use promptops_eval::{Spec, scorer, spec};
use serde_json::{Value, json};

/// Returns the definition of a scorer.
fn definition(kind: &str) -> Value {
    let schema = spec::schema();
    let all = schema["$defs"]["scorer"]["oneOf"].as_array().unwrap();
    all.iter().find(|one| one["properties"]["type"]["const"] == kind).unwrap().clone()
}

fn file(scorer: &str) -> String {
    format!("prompt: a.b\ndataset: d.csv\nmetrics:\n  - {{name: m, margin: 0.1, scorer: {scorer}}}\n")
}

#[test]
fn each_scorer_has_the_fields_that_its_reader_asks_for() {
    for kind in scorer::names() {
        let (_, findings) = Spec::parse("e.yaml", &file(&format!("{{type: {kind}, zzz: 1}}")));
        let told = findings.iter().find(|finding| finding.message == "the scorer has no field `zzz`").unwrap();
        let hint = told.hint.as_deref().unwrap().strip_prefix("its fields are ").unwrap();
        let asked: BTreeSet<&str> = hint.split(", ").map(|name| name.trim_matches('`')).collect();
        let definition = definition(kind);
        let stated: BTreeSet<&str> = definition["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(asked, stated, "{kind}");
    }
}

#[test]
fn what_the_reader_takes_the_schema_takes_and_what_the_schema_refuses_the_reader_refuses() {
    let validator = jsonschema::validator_for(&spec::schema()).unwrap();
    let scorers = [
        "{type: equals, expected: x}",
        "{type: equals, value: [1], not: true}",
        "{type: equals, valu: x}",
        "{type: contains-any, value: [a, b]}",
        "{type: contains-any, value: []}",
        "{type: icontains, value: a, ignore_case: true}",
        "{type: regex}",
        "{type: regex, pattern: x}",
        "{type: numeric, value: 7, absolute: 0.5, pick: last}",
        "{type: numeric, value: 7, pick: middle}",
        "{type: rouge-n, value: a, n: 2, measure: recall, threshold: 0.4}",
        "{type: rouge-n, value: a, n: 10}",
        "{type: tokens, count: output, threshold: 100}",
        "{type: command, command: [python3, x.py], timeout: 5}",
        "{type: command}",
        "{type: judge, prompt: a.judge@1, range: [1, 5], calibration: {dataset: l.csv}}",
        "{type: judge, prompt: a.judge@1, scores: {good: 1, bad: 0}}",
        "{type: judge, prompt: a.judge@1, scores: {good: 1}}",
        "{type: pairwise, prompt: a.judge@1, first: A, second: B}",
        "{type: set, of: [{type: refusal, weight: 2}, {type: json-valid}]}",
        "{type: set, of: []}",
        "{type: refusal, weight: 2}",
        "{type: nonsense}",
    ];
    let files = scorers.iter().map(|scorer| file(scorer)).chain([
        "prompt: a.b\ndataset: {from: lake, since: 2026-05-01, limit: 10}\ncase: id\ninputs: {x: y}\nrepeats: 2\nmust_pass: m\ncluster: c\nstratum: s\nweight: w\nslices: [l]\nmax_error_share: 0.1\nearly_stop: true\nmetrics:\n  - {name: m, scorer: {type: latency}, margin: {ratio: 0.1}, maximum: 900, guarded: false}\n".to_owned(),
        file("{type: refusal}").replace("d.csv", "{from: pond}"),
        file("{type: refusal}").replace("margin: 0.1", "margin: 0"),
        file("{type: refusal}").replace("prompt: a.b\n", ""),
    ]);
    let (mut taken, mut refused) = (0, 0);
    for text in files {
        let (node, _) = promptops_prompt::yaml::parse(&text);
        let json = node.unwrap().to_json(&mut Vec::new());
        let (_, findings) = Spec::parse("e.yaml", &text);
        let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert_eq!(findings.is_empty(), errors.is_empty(), "{text}\nreader: {findings:?}\nschema: {errors:?}");
        if findings.is_empty() { taken += 1 } else { refused += 1 }
    }
    assert!(taken > 12 && refused > 10, "{taken} {refused}");
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/schemas/eval.schema.json");
    let generated = serde_json::to_string_pretty(&spec::schema()).unwrap() + "\n";
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment to write what it expects")]
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, generated, "run `PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-eval --test schema`");
    assert_eq!(json!(serde_json::from_str::<Value>(&committed).unwrap()), spec::schema());
}

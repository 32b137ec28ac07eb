//! The JSON Schema of prompt files agrees with the reader, and the committed copy is the generated one.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and is told by the environment to update")]

use std::fs;
use std::path::Path;

use promptops_prompt::draft::Draft;
use promptops_prompt::finding::Severity;
use promptops_prompt::{schema, yaml};

fn schema() -> serde_json::Value {
    serde_json::to_value(schema::prompt_file()).unwrap()
}

/// Every prompt of the check cases: `(name, text)`.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for section in text.split("=== ").skip(1) {
            let (name, body) = section.split_once('\n').unwrap();
            if name.ends_with(".yaml") && !name.contains("owners") {
                files.push((name.to_owned(), body.to_owned()));
            }
        }
    }
    files
}

#[test]
fn the_schema_says_what_the_reader_says() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for (name, text) in files() {
        let (node, mut problems) = yaml::parse(&text);
        let Some(node) = node.filter(|_| problems.is_empty()) else { continue };
        let json = node.to_json(&mut problems);
        let (_, mut findings) = Draft::parse(&name, &text);
        // Of comments the schema knows nothing.
        findings.retain(|finding| finding.check != "suppression-form");
        // A misspelt field is a warning for the reader, since it loads all the same; editors should underline it.
        let reader_accepts = findings.is_empty();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        if reader_accepts {
            assert_eq!(errors, Vec::<String>::new(), "{name} is read, but the schema refuses it");
            accepted += 1;
        } else {
            // The schema cannot say everything: white space alone, both bodies at once, names of variables, times of the calendar.
            let beyond_schema = ["is empty", "not both", "no variable name"];
            let is_beyond = findings.iter().all(|finding| beyond_schema.iter().any(|part| finding.message.contains(part)));
            let has_error = findings.iter().any(|finding| finding.severity == Severity::Error);
            assert!(
                !errors.is_empty() || is_beyond,
                "{name} is refused by the reader ({has_error}), but not by the schema: {findings:#?}"
            );
            refused += 1;
        }
    }
    assert!(accepted > 20 && refused > 5, "{accepted} accepted, {refused} refused");
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/schemas/prompt.schema.json");
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert_eq!(committed, generated, "run `PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-prompt`");
}

//! The format holds: the playbook's example loads unchanged, and digests (G1) never change by accident.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use promptops_prompt::check::check_file;
use promptops_prompt::draft::Draft;
use promptops_prompt::{Content, Severity};
use serde_json::Value;

fn vector(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name)).unwrap()
}

#[test]
fn the_playbooks_example_loads_unchanged() {
    let text = vector("playbook-intent-classifier.yaml");
    let in_folder = "customer-support/intent-classifier.yaml";
    let report = check_file(&format!("prompts/{in_folder}"), in_folder, &text);
    let errors: Vec<_> = report.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let prompt = Draft::parse(in_folder, &text).0.prompt().unwrap();
    assert_eq!(prompt.reference().to_string(), "customer-support.intent-classifier@2");
    assert_eq!(prompt.metadata.metrics["baseline_accuracy"], 0.94);
    // Computed with Python's json and hashlib. Another value here means that every published digest is another.
    let digest = Content::new(&prompt, BTreeMap::new()).digest();
    assert_eq!(digest.to_string(), "sha256:ced36063112138d5405931cfce06e1d66369815157982bc28cff8e18b1fe4e2b");
}

#[test]
fn digests_are_those_of_the_vectors() {
    let vectors: Value = serde_json::from_str(&vector("digests.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let (draft, findings) = Draft::parse("a.yaml", case["text"].as_str().unwrap());
        let prompt = draft.prompt().unwrap_or_else(|| panic!("{name}: {findings:?}"));
        let includes = case["includes"].as_object().unwrap().iter();
        let includes =
            includes.map(|(target, digest)| (target.parse().unwrap(), digest.as_str().unwrap().parse().unwrap())).collect();
        let content = Content::new(&prompt, includes);
        assert_eq!(String::from_utf8(content.to_bytes()).unwrap(), case["content"].as_str().unwrap(), "{name}");
        assert_eq!(content.digest().to_string(), case["digest"].as_str().unwrap(), "{name}");
        assert_eq!(Content::from_verified_bytes(&content.to_bytes(), content.digest()).unwrap(), content, "{name}");
    }
}

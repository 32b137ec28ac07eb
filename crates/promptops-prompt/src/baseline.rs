//! The baseline: findings that were there when a project began to check, so that only new ones are refused.
//!
//! A finding is known again by its fingerprint, which is over the check, the path, what the message names and the line of source at
//! its place. So it survives that lines move and that messages are reworded.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::finding::Finding;

/// The name of the file beside `promptops.toml`.
pub const BASELINE_FILE: &str = "promptops-baseline.json";
/// Names this way of making fingerprints.
pub const FINGERPRINT_KIND: &str = "promptops/v1";

/// Known findings. The wire form: fields are added under the same version, never changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineV1 {
    /// 1.
    pub version: u32,
    /// The findings, by path.
    pub findings: Vec<KnownV1>,
}

/// A known finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownV1 {
    /// The check.
    pub check: String,
    /// The file, from the project's root.
    pub path: String,
    /// What was wrong when it was written down; for people only.
    pub message: String,
    /// By what it is known again.
    pub fingerprint: String,
}

/// Findings held against a baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Those that are not in it.
    pub new: Vec<Finding>,
    /// Those that are.
    pub known: Vec<Finding>,
    /// What is in it and was not found again.
    pub vanished: Vec<KnownV1>,
}

/// Returns the fingerprint of each finding. `texts` holds the files by path, secrets masked: a fingerprint is committed, and must not
/// help to guess one.
pub fn fingerprints(findings: &[Finding], texts: &HashMap<String, String>) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let name = |finding: &Finding| {
        let location = &finding.primary.location;
        let line = texts.get(&location.path).and_then(|text| line_at(text, location.span.start)).unwrap_or_default();
        let mut hasher = Sha256::new();
        // Every other part stands in backticks.
        let named = finding.message.split('`').skip(1).step_by(2);
        for part in [finding.check.as_str(), location.path.as_str(), line.trim()].into_iter().chain(named) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize()[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let mut numbered = |name: String| {
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        format!("{name}:{count}")
    };
    findings.iter().map(|finding| numbered(name(finding))).collect()
}

/// Returns the line that holds a byte. A place of a whole file has none that would tell more.
fn line_at(text: &str, byte: usize) -> Option<&str> {
    let before = text.get(..byte).filter(|_| byte > 0)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    text[start..].lines().next()
}

impl BaselineV1 {
    /// Returns the baseline of these findings.
    pub fn of(findings: &[Finding], texts: &HashMap<String, String>) -> Self {
        let known = |(finding, fingerprint): (&Finding, String)| KnownV1 {
            check: finding.check.clone(),
            path: finding.primary.location.path.clone(),
            message: finding.message.clone(),
            fingerprint,
        };
        Self { version: 1, findings: findings.iter().zip(fingerprints(findings, texts)).map(known).collect() }
    }

    /// Holds findings against the baseline. What `has_run` denies cannot have vanished.
    pub fn compare(&self, findings: Vec<Finding>, texts: &HashMap<String, String>, has_run: impl Fn(&str) -> bool) -> Compared {
        let fingerprints = fingerprints(&findings, texts);
        let known: HashSet<&str> = self.findings.iter().map(|known| known.fingerprint.as_str()).collect();
        let found: HashSet<&str> = fingerprints.iter().map(String::as_str).collect();
        let is_gone = |known: &&KnownV1| !found.contains(known.fingerprint.as_str()) && has_run(&known.check);
        let vanished = self.findings.iter().filter(is_gone).cloned().collect();
        let mut compared = Compared { vanished, ..Compared::default() };
        for (finding, fingerprint) in findings.into_iter().zip(&fingerprints) {
            let side = if known.contains(fingerprint.as_str()) { &mut compared.known } else { &mut compared.new };
            side.push(finding);
        }
        compared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    fn findings(text: &str) -> (Vec<Finding>, HashMap<String, String>) {
        let findings = check::check_file("prompts/a.yaml", "a.yaml", text).findings;
        (findings, HashMap::from([("prompts/a.yaml".to_owned(), text.to_owned())]))
    }

    const FLAWED: &str =
        "id: a\nversion: 1\nowner: t\nmodel: gpt-4o\ncolour: red\ncolor: red\ntags: []\ntemplate: |\n  {{ x }} {{ y }}\n";

    #[test]
    fn a_finding_is_known_again_when_lines_move() {
        let (before, texts) = findings(FLAWED);
        assert!(before.len() >= 5, "{before:?}");
        let baseline = BaselineV1::of(&before, &texts);
        let distinct: HashSet<_> = baseline.findings.iter().map(|known| &known.fingerprint).collect();
        assert_eq!(distinct.len(), before.len());
        let (moved, texts) =
            findings(&FLAWED.replace("model:", "# a comment\n\nmodel:").replace("  {{ x", "  New words.\n  {{ x"));
        let compared = baseline.compare(moved, &texts, |_| true);
        assert_eq!((compared.new.len(), compared.known.len(), compared.vanished.len()), (0, before.len(), 0));
    }

    #[test]
    fn what_is_new_is_new_and_what_is_mended_has_vanished() {
        let (before, texts) = findings(FLAWED);
        let baseline = BaselineV1::of(&before, &texts);
        let (now, texts) = findings(&FLAWED.replace("colour: red\n", "hue: red\n").replace("gpt-4o", "gpt-5"));
        let compared = baseline.compare(now.clone(), &texts, |_| true);
        let names = |findings: &[Finding]| findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>();
        assert_eq!(names(&compared.new), ["the model name `gpt-5` is an alias that can change", "the field `hue` is not known"]);
        let vanished: Vec<&str> = compared.vanished.iter().map(|known| known.message.as_str()).collect();
        assert_eq!(vanished, ["the model name `gpt-4o` is an alias that can change", "the field `colour` is not known"]);
        assert_eq!(baseline.compare(now, &texts, |check| check != "unknown-field").vanished.len(), 1);
    }

    #[test]
    fn of_findings_about_the_whole_file_each_is_its_own() {
        let (before, texts) = findings("id: a\nversion: 1\ntags: []\ntemplate: x\n");
        let (now, now_texts) = findings("id: a\nversion: 1\nowner: t\nmodel: m\ntemplate: x\n");
        let compared = BaselineV1::of(&before, &texts).compare(now, &now_texts, |_| true);
        assert_eq!(compared.new[0].message, "the field `tags` is missing");
        assert_eq!(compared.vanished.len(), 2);
    }
}

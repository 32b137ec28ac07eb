//! Findings as SARIF 2.1.0, which code scanning reads.
//!
//! Lines count from 1, columns from 1 in units of UTF-16. What is suppressed or known is there too, marked as such.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use promptops_prompt::baseline::{FINGERPRINT_KIND, fingerprints};
use promptops_prompt::check::{CHECKS, Check, DOCUMENTATION};
use promptops_prompt::finding::{Finding, Fix, Label, Severity};
use serde_json::{Value, json};

use crate::checks::Checked;
use crate::text_position::utf16;

/// The schema that the document fulfils.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What a path may hold as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// Makes the document. `prefix` leads from the repository to the project, and is empty or ends in `/`.
pub fn document(checked: &Checked, prefix: &str) -> Value {
    let view = View { texts: &checked.texts, prefix };
    let mut results: Vec<Value> = Vec::new();
    let open = checked.findings.iter().map(|finding| (finding, None));
    let suppressed =
        checked.suppressed.iter().map(|one| (&one.finding, Some(json!([{"kind": "inSource", "justification": one.reason}]))));
    let known = checked
        .known
        .iter()
        .map(|finding| (finding, Some(json!([{"kind": "external", "justification": "it is in the baseline"}]))));
    let all: Vec<(&Finding, Option<Value>)> = open.chain(suppressed).chain(known).collect();
    let findings: Vec<Finding> = all.iter().map(|(finding, _)| (*finding).clone()).collect();
    for ((finding, suppressions), fingerprint) in all.into_iter().zip(fingerprints(&findings, &checked.texts)) {
        let mut result = view.result(finding, &fingerprint);
        if let Some(suppressions) = suppressions {
            result["suppressions"] = suppressions;
        }
        results.push(result);
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "promptops",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": CHECKS.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "utf16CodeUnits",
            "automationDetails": {"id": "promptops/check/"},
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

fn rule(check: &Check) -> Value {
    json!({
        "id": check.id,
        "shortDescription": {"text": check.summary},
        "fullDescription": {"text": check.why},
        "help": {"text": format!("{}\n\n{}", check.why, check.fix), "markdown": check.page()},
        "helpUri": format!("{DOCUMENTATION}/{}.md", check.id),
        "defaultConfiguration": {"level": level(check.severity)},
    })
}

struct View<'a> {
    texts: &'a HashMap<String, String>,
    prefix: &'a str,
}

impl View<'_> {
    fn result(&self, finding: &Finding, fingerprint: &str) -> Value {
        let message = match &finding.hint {
            Some(hint) => format!("{}\n{hint}", finding.message),
            None => finding.message.clone(),
        };
        let mut result = json!({
            "ruleId": finding.check,
            "level": level(finding.severity),
            "message": {"text": message},
            "locations": [self.location(&finding.primary)],
            "partialFingerprints": {FINGERPRINT_KIND: fingerprint},
        });
        if let Some(index) = CHECKS.iter().position(|check| check.id == finding.check) {
            result["ruleIndex"] = index.into();
        }
        if !finding.related.is_empty() {
            result["relatedLocations"] = finding.related.iter().map(|label| self.location(label)).collect();
        }
        if !finding.fixes.is_empty() {
            let path = &finding.primary.location.path;
            result["fixes"] = finding.fixes.iter().filter_map(|fix| self.fix(path, fix)).collect();
        }
        result
    }

    fn artifact(&self, path: &str) -> Value {
        let uri = utf8_percent_encode(&format!("{}{path}", self.prefix), PATH).to_string();
        json!({"uri": uri, "uriBaseId": "%SRCROOT%"})
    }

    fn location(&self, label: &Label) -> Value {
        let location = &label.location;
        // A file that could not be read has a first line at least.
        let region = self.region(&location.path, location.span.clone()).unwrap_or_else(|| json!({"startLine": 1}));
        let mut shown = json!({"physicalLocation": {"artifactLocation": self.artifact(&location.path), "region": region}});
        if !label.text.is_empty() {
            shown["message"] = json!({"text": label.text});
        }
        shown
    }

    fn region(&self, path: &str, span: std::ops::Range<usize>) -> Option<Value> {
        let text = self.texts.get(path)?;
        let (start, end) = (utf16(text, span.start), utf16(text, span.end.max(span.start)));
        Some(json!({"startLine": start.0 + 1, "startColumn": start.1 + 1, "endLine": end.0 + 1, "endColumn": end.1 + 1}))
    }

    fn fix(&self, path: &str, fix: &Fix) -> Option<Value> {
        let replacement = |edit: &promptops_prompt::finding::Edit| {
            let region = self.region(path, edit.span.clone())?;
            Some(json!({"deletedRegion": region, "insertedContent": {"text": edit.replacement}}))
        };
        let replacements: Vec<Value> = fix.edits.iter().map(replacement).collect::<Option<_>>()?;
        let change = json!({"artifactLocation": self.artifact(path), "replacements": replacements});
        Some(json!({"description": {"text": fix.title}, "artifactChanges": [change]}))
    }
}

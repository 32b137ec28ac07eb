//! Findings for programs: one JSON document, versioned.

use std::collections::HashMap;

use promptops_prompt::finding::{Finding, Label};
use serde::Serialize;

use super::line_and_column;

/// The document. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
pub struct FindingsV1<'a> {
    version: u32,
    files: usize,
    findings: Vec<FindingV1<'a>>,
}

#[derive(Debug, Serialize)]
struct FindingV1<'a> {
    check: &'a str,
    severity: &'static str,
    message: &'a str,
    place: PlaceV1<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<PlaceV1<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixV1<'a>>,
}

#[derive(Debug, Serialize)]
struct PlaceV1<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    start_byte: usize,
    end_byte: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
}

#[derive(Debug, Serialize)]
struct FixV1<'a> {
    title: &'a str,
    path: &'a str,
    start_byte: usize,
    end_byte: usize,
    replacement: &'a str,
}

/// Makes the document. Lines and columns count from 1, columns in characters.
pub fn document<'a>(findings: &'a [Finding], texts: &HashMap<String, String>, files: usize) -> FindingsV1<'a> {
    let place = |label: &'a Label| {
        let span = &label.location.span;
        let (line, column) = texts.get(&label.location.path).map_or((1, 1), |text| line_and_column(text, span.start));
        PlaceV1 { path: &label.location.path, line, column, start_byte: span.start, end_byte: span.end, label: &label.text }
    };
    let findings = findings.iter().map(|finding| FindingV1 {
        check: &finding.check,
        severity: finding.severity.name(),
        message: &finding.message,
        place: place(&finding.primary),
        related: finding.related.iter().map(place).collect(),
        hint: finding.hint.as_deref(),
        fix: finding.fix.as_ref().map(|fix| FixV1 {
            title: &fix.title,
            path: &fix.location.path,
            start_byte: fix.location.span.start,
            end_byte: fix.location.span.end,
            replacement: &fix.replacement,
        }),
    });
    FindingsV1 { version: 1, files, findings: findings.collect() }
}

//! Findings for programs: one JSON document, versioned.

use std::collections::HashMap;

use promptops_prompt::baseline::fingerprints;
use promptops_prompt::finding::{Edit, Fix, Label};
use serde::Serialize;

use crate::checks::Checked;
use crate::text_position::line_and_column;

/// The document. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
pub struct FindingsV1<'a> {
    version: u32,
    files: usize,
    findings: Vec<FindingV1<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressed: Vec<SuppressedV1<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<BaselineStateV1<'a>>,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<FixV1<'a>>,
    fingerprint: String,
}

#[derive(Debug, Serialize)]
struct SuppressedV1<'a> {
    check: &'a str,
    message: &'a str,
    place: PlaceV1<'a>,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct BaselineStateV1<'a> {
    /// Findings that are in the baseline.
    known: usize,
    /// What is in it and was not found again.
    vanished: Vec<VanishedV1<'a>>,
}

#[derive(Debug, Serialize)]
struct VanishedV1<'a> {
    check: &'a str,
    path: &'a str,
    message: &'a str,
    fingerprint: &'a str,
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
    is_safe: bool,
    edits: Vec<EditV1<'a>>,
}

#[derive(Debug, Serialize)]
struct EditV1<'a> {
    path: &'a str,
    start_byte: usize,
    end_byte: usize,
    replacement: &'a str,
}

/// Makes the document. Lines and columns count from 1, columns in characters.
pub fn document(checked: &Checked) -> FindingsV1<'_> {
    let texts = &checked.texts;
    let place = |label| place_v1(label, texts);
    let fingerprints = fingerprints(&checked.findings, texts);
    let findings = checked.findings.iter().zip(fingerprints).map(|(finding, fingerprint)| FindingV1 {
        check: &finding.check,
        severity: finding.severity.name(),
        message: &finding.message,
        place: place(&finding.primary),
        related: finding.related.iter().map(place).collect(),
        hint: finding.hint.as_deref(),
        fixes: finding.fixes.iter().map(|fix| fix_v1(&finding.primary.location.path, fix)).collect(),
        fingerprint,
    });
    let suppressed = checked.suppressed.iter().map(|one| SuppressedV1 {
        check: &one.finding.check,
        message: &one.finding.message,
        place: place(&one.finding.primary),
        reason: &one.reason,
    });
    let has_baseline = !checked.known.is_empty() || !checked.vanished.is_empty();
    let vanished = checked.vanished.iter().map(|known| VanishedV1 {
        check: &known.check,
        path: &known.path,
        message: &known.message,
        fingerprint: &known.fingerprint,
    });
    let baseline = has_baseline.then(|| BaselineStateV1 { known: checked.known.len(), vanished: vanished.collect() });
    FindingsV1 { version: 1, files: checked.file_count, findings: findings.collect(), suppressed: suppressed.collect(), baseline }
}

fn place_v1<'a>(label: &'a Label, texts: &HashMap<String, String>) -> PlaceV1<'a> {
    let span = &label.location.span;
    let (line, column) = texts.get(&label.location.path).map_or((1, 1), |text| line_and_column(text, span.start));
    PlaceV1 { path: &label.location.path, line, column, start_byte: span.start, end_byte: span.end, label: &label.text }
}

fn fix_v1<'a>(path: &'a str, fix: &'a Fix) -> FixV1<'a> {
    let edit =
        |edit: &'a Edit| EditV1 { path, start_byte: edit.span.start, end_byte: edit.span.end, replacement: &edit.replacement };
    FixV1 { title: &fix.title, is_safe: fix.is_safe, edits: fix.edits.iter().map(edit).collect() }
}

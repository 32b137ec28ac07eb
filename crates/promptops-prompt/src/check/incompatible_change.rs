//! `incompatible-change`: a new version keeps the promise of its namespace to callers and consumers.
//!
//! What a version breaks shows in its content and in that of those before it, which summaries do not hold. So whoever has
//! both compares, and this says what was found.

use super::{Check, Summary, check as define};
use crate::compatibility::{Break, Level};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = define(
    "incompatible-change",
    Severity::Error,
    "A new version can take the place of those before it, as far as the level of its namespace demands.",
);

/// Says that a version breaks those before it.
pub fn breaks(summary: &Summary, level: Level, breaks: &[Break]) -> Finding {
    let reference = &summary.reference;
    let reasons: Vec<String> = breaks.iter().map(|one| format!("\n  - {one}")).collect();
    let message = format!("`{reference}` breaks what its namespace promises (level `{level}`):{}", reasons.concat());
    let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, summary.version_span.clone(), message);
    finding.hint(format!(
        "change it so that callers need no change, or write what they have to do: `breaking: {{{}: …}}`; \
         `promptops compat --explain` shows examples",
        reference.version
    ))
}

/// Says that it could not be told what a version breaks.
pub fn undetermined(summary: &Summary, reason: &str) -> Finding {
    let message = format!("it cannot be told what `{}` breaks: {reason}", summary.reference);
    Finding::new(CHECK.id, Severity::Warning, &summary.path, summary.version_span.clone(), message)
}

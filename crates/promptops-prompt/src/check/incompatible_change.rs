//! `incompatible-change`: a new version keeps the promise of its namespace to callers and consumers.
//!
//! What a version breaks shows in its content and in that of those before it, which summaries do not hold. So whoever has
//! both compares, and this says what was found.

use super::{Check, FoundBy, Summary};
use crate::compatibility::{Break, Level};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "incompatible-change",
    severity: Severity::Error,
    summary: "A new version can take the place of those before it, as far as the level of its namespace demands.",
    why: "Callers give inputs and read answers by what an earlier version declared. A new version that demands another \
          input breaks them at the moment it is deployed. Checked with `--base`.",
    fix: "Give the new input a default, or keep what is removed. If the break is meant, write what callers have to do: \
          `breaking: {2: pass language}`. `promptops compat --explain` shows an example of what breaks.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: r#"=== base prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/greeting.yaml
id: greeting
version: 2
parent: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string}}
template: "Greet {{ name }}."
"#,
    good: r#"=== base prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/greeting.yaml
id: greeting
version: 2
parent: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string, default: you}}
template: "Greet {{ name }}."
"#,
};

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

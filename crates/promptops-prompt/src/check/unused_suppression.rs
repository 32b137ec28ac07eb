//! `unused-suppression`: every suppression suppresses something.
//!
//! Found by [`crate::suppression`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "unused-suppression",
    severity: Severity::Warning,
    summary: "Every suppression suppresses something.",
    why: "One that is left over hides the next mistake at its place, and says something of the file that is no longer true.",
    fix: "Remove the comment, or the name of the check from it. `promptops check --fix` does.",
    is_firm: false,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
# promptops: allow floating-model -- the demo shows what the newest model says
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

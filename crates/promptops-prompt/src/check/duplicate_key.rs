//! `duplicate-key`: no key stands twice in a mapping.
//!
//! Found by [`crate::yaml`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "duplicate-key",
    severity: Severity::Error,
    summary: "No key stands twice in a mapping.",
    why: "YAML readers disagree on which of the two counts. What one person reviews would not be what another program loads.",
    fix: "Remove one of the two. When both have the same value, `promptops check --fix` removes the second.",
    is_firm: true,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
owner: support-team
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

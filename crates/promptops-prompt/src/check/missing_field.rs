//! `missing-field`: the required fields are there, an owner above all.
//!
//! Found by [`crate::draft`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "missing-field",
    severity: Severity::Error,
    summary: "The required fields are there, an owner above all.",
    why: "Without an id and a version nothing can name the prompt, without a model nothing can run it, and without an \
          owner nobody answers when it misbehaves.",
    fix: "Add the field. `promptops check --fix` writes an `id` that is missing, since the path says it.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
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

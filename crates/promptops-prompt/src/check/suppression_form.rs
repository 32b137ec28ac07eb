//! `suppression-form`: a suppression names checks that exist, and a reason.
//!
//! Found by [`crate::suppression`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "suppression-form",
    severity: Severity::Error,
    summary: "A suppression names checks that exist, and a reason.",
    why: "A suppression says that a finding is no mistake. Without a reason, nobody can tell later whether that is still \
          so. One that is misspelt suppresses nothing.",
    fix: "Write `# promptops: allow CHECK -- reason`, beside what it is about or on the line above. Checks without which a \
          file holds no version cannot be suppressed.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
# promptops: allow floating-model
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
# promptops: allow floating-model -- the demo shows what the newest model says
model: gpt-4o
tags: [support]
template: Write one warm sentence.
",
};

//! `unreadable-file`: what is named like a prompt is a file that can be read.
//!
//! Found by whoever reads the prompts folder.

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "unreadable-file",
    severity: Severity::Error,
    summary: "What is named like a prompt is a file that can be read.",
    why: "A link, a folder or a file without permission below the prompts folder looks like a prompt, and none of the \
          checks can see it.",
    fix: "Put the file itself there, or give it another name.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== folder prompts/welcome.yaml
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== folder prompts/welcome
",
};

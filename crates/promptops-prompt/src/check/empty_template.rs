//! `empty-template`: a prompt says something.
//!
//! Found by [`crate::draft`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "empty-template",
    severity: Severity::Error,
    summary: "A prompt says something.",
    why: "An empty message is refused by some providers and silently dropped by others, so the same prompt behaves \
          differently from model to model.",
    fix: "Write the text, or remove the message.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: r#"=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: " "
"#,
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

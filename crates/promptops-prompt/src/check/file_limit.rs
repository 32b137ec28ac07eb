//! `file-limit`: size, nesting and aliases stay within the documented bounds.
//!
//! Found by [`crate::yaml`], and by whoever reads the file.

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "file-limit",
    severity: Severity::Error,
    summary: "Size, nesting and aliases stay within the documented bounds.",
    why: "Prompts come from pull requests, so from anybody. A file that unfolds into gigabytes must not stop the check, a \
          server or a service that loads it.",
    fix: "Move data out of the prompt into an input or a dataset, and write out what nested aliases repeat.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
output: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
output: {enum: [warm, cold]}
template: Write one warm sentence.
",
};

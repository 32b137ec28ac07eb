//! `yaml-syntax`: the file is one YAML 1.2 document in UTF-8.
//!
//! Found by [`crate::yaml`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "yaml-syntax",
    severity: Severity::Error,
    summary: "The file is one YAML 1.2 document in UTF-8.",
    why: "A file that is no YAML holds no prompt: nothing in it can be checked, published or loaded.",
    fix: "Look at the place that is named, and at the line before it: a bracket, a quote or an indentation is missing \
          there. A text with `: ` or ` #` in it needs quotes, or a block with `|`.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support
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

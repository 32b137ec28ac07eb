//! `wrong-type`: every field has its documented type.
//!
//! Found by [`crate::draft`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "wrong-type",
    severity: Severity::Error,
    summary: "Every field has its documented type.",
    why: "A version in quotes or a list that is a text is read in one way by one program and in another by the next. There \
          is one type for each field, so that all read the same.",
    fix: "Write the value as the message says. `promptops check --fix` takes the quotes off a number, puts a single value \
          into a list, and puts quotes around a number that has to be a text.",
    is_firm: true,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: r#"=== prompts/greeting.yaml
id: greeting
version: "1"
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
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

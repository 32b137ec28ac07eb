//! `unknown-field`: no field is misspelt.
//!
//! Found by [`crate::draft`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "unknown-field",
    severity: Severity::Warning,
    summary: "No field is misspelt.",
    why: "A field that nothing reads looks as if it did something. `parametrs: {temperature: 0}` leaves the temperature at \
          the provider's default.",
    fix: "Correct the name, or remove the field. `promptops check --fix` corrects a name that is one or two letters off.",
    is_firm: false,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
purpse: Greet a customer
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
purpose: Greet a customer
template: Write one warm sentence.
",
};

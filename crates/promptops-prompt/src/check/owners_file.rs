//! `owners-file`: `owners.yaml` has the documented form, and its teams have members that exist.
//!
//! Found by [`crate::owners`].

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "owners-file",
    severity: Severity::Error,
    summary: "`owners.yaml` has the documented form, and its teams have members that exist.",
    why: "Approvals are counted by this file: a team whose member is misspelt has one voice less than everybody believes.",
    fix: "Write the field or the name as the message says.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== owners.yaml
people: {ana: {name: Ana}}
teams: {support-team: {members: [anna]}}
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== owners.yaml
people: {ana: {name: Ana}}
teams: {support-team: {members: [ana]}}
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

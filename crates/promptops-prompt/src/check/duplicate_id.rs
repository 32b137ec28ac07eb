//! `duplicate-id`: an id belongs to one file. Found on the way by [`super::duplicate_prompt`].

use super::{Check, FoundBy, Summary};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "duplicate-id",
    severity: Severity::Error,
    summary: "An id belongs to one file.",
    why: "Whoever names the id would get one of the two, and nobody could say which.",
    fix: "Give one of them another id, or remove the file that is left over; `greeting.yml` beside `greeting.yaml` is the \
          usual case.",
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
=== prompts/greeting.yml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write two sentences.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/farewell.yaml
id: farewell
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write two sentences.
",
};

/// Says that the id of one file is the id of an earlier one.
pub(super) fn taken(summary: &Summary, first: &Summary) -> Finding {
    let message = format!("the id `{}` is taken", summary.reference.id);
    let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, summary.id_span.clone(), message);
    finding.related(&first.path, first.id_span.clone(), "first here").hint("give one of them another id")
}

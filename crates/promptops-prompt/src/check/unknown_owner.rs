//! `unknown-owner`: the owner is a team or person of `owners.yaml`.

use super::{Check, FoundBy, Summary};
use crate::finding::{Edit, Finding, Severity};
use crate::owners::Owners;

pub(super) const CHECK: Check = Check {
    id: "unknown-owner",
    severity: Severity::Error,
    summary: "The owner is a team or a person of `owners.yaml`.",
    why: "When a prompt misbehaves, somebody must be found. A name that is in no list is nobody. Checked when there is an \
          `owners.yaml`.",
    fix: "Correct the name, or add the team or person. An editor offers the name that is closest.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== owners.yaml
teams: {support-team: {members: []}}
=== prompts/greeting.yaml
id: greeting
version: 1
owner: suport-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== owners.yaml
teams: {support-team: {members: []}}
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

pub(super) fn check(summaries: &[&Summary], owners: &Owners, findings: &mut Vec<Finding>) {
    for &summary in summaries {
        let Some((owner, span)) = &summary.owner else { continue };
        if owners.knows(owner) {
            continue;
        }
        let finding = Finding::new(
            CHECK.id,
            CHECK.severity,
            &summary.path,
            span.clone(),
            format!("the owner `{owner}` is not in `owners.yaml`"),
        );
        findings.push(match owners.closest(owner) {
            Some(close) => finding
                .hint(format!("did you mean `{close}`?"))
                .suggest(format!("write `{close}`"), vec![Edit::new(span.clone(), close)]),
            None => finding.hint("add the team or person to `owners.yaml`"),
        });
    }
}

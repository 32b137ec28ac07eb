//! `unknown-owner`: the owner is a team or person of `owners.yaml`.

use super::{Check, Summary, check as define};
use crate::finding::{Finding, Severity};
use crate::owners::Owners;

pub(super) const CHECK: Check = define("unknown-owner", Severity::Error, "The owner is a team or a person of `owners.yaml`.");

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
            Some(close) => finding.hint(format!("did you mean `{close}`?")),
            None => finding.hint("add the team or person to `owners.yaml`"),
        });
    }
}

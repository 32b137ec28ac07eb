//! `immutable-version`: a version that stands at the base revision keeps its content (G2), and versions count up by one.

use std::cmp::Ordering;

use super::{Base, Check, Summary, check as define};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check =
    define("immutable-version", Severity::Error, "What is under a version number never changes; a change is the next version.");

pub(super) fn check(summaries: &[&Summary], base: &Base, findings: &mut Vec<Finding>) {
    for &summary in summaries {
        let Some(before) = base.get(&summary.reference.id) else { continue };
        let (old, new) = (before.version.number(), summary.reference.version.number());
        let finding =
            |message: String| Finding::new(CHECK.id, CHECK.severity, &summary.path, summary.version_span.clone(), message);
        match new.cmp(&old) {
            Ordering::Equal => {
                let is_changed = matches!((before.content_key, summary.content_key), (Some(old), Some(new)) if old != new);
                if is_changed {
                    findings.push(
                        finding(format!("the content of `{}` changed under the same version", summary.reference))
                            .hint(format!("write `version: {}` and `parent: {old}`", old + 1))
                            .fix("count the version up", summary.version_span.clone(), (old + 1).to_string()),
                    );
                }
            }
            Ordering::Less => findings.push(
                finding(format!("the version goes back from {old} to {new}"))
                    .hint(format!("to return to an old text, publish it again as version {} with `parent: {new}`", old + 1)),
            ),
            Ordering::Greater if new > old + 1 => {
                findings.push(
                    finding(format!("the version jumps from {old} to {new}")).hint(format!("the next version is {}", old + 1)),
                );
            }
            Ordering::Greater => {}
        }
    }
}

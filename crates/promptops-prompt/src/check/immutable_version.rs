//! `immutable-version`: a version that stands at the base revision keeps its content (G2), and versions count up by one.

use std::cmp::Ordering;

use super::{Base, Check, FoundBy, Summary};
use crate::finding::{Edit, Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "immutable-version",
    severity: Severity::Error,
    summary: "What is under a version number never changes; a change is the next version.",
    why: "A version names one content for ever: locks, records of calls, evaluations and approvals all point at it. If its \
          text could change underneath, none of them would say what ran. Checked with `--base`, and again by the registry.",
    fix: "Count `version` up by one and let `parent` name the version before. `promptops check --base REVISION --fix` does both.",
    is_firm: true,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: "=== base prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write two warm sentences.
",
    good: "=== base prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/greeting.yaml
id: greeting
version: 2
parent: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write two warm sentences.
",
};

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
                    let finding = finding(format!("the content of `{}` changed under the same version", summary.reference))
                        .hint(format!("write `version: {}` and `parent: {old}`", old + 1));
                    findings.push(match next_version(summary, old) {
                        Some(edits) => finding.fix("count the version up and name its parent", edits),
                        None => finding,
                    });
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

/// Returns the changes that make the next version of `old`; none where a `parent` cannot be put in.
fn next_version(summary: &Summary, old: u32) -> Option<Vec<Edit>> {
    let parent = match &summary.parent {
        Some((_, span)) => Edit::new(span.clone(), old.to_string()),
        None => summary.after_version?.insert(&format!("parent: {old}")),
    };
    Some(vec![Edit::new(summary.version_span.clone(), (old + 1).to_string()), parent])
}

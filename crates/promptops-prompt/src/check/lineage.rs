//! `lineage`: every version but the first names its parent, and the parent is older.

use std::collections::HashMap;

use super::{Base, Check, FileView, FoundBy, Summary};
use crate::finding::{Finding, Severity};
use crate::id::{PromptId, Version};

pub(super) const CHECK: Check = Check {
    id: "lineage",
    severity: Severity::Error,
    summary: "A version after the first names its parent, an older version or the prompt it was forked from.",
    why: "The parent is what a version is compared with: its evaluation is paired with the parent's, its diff is the diff \
          to the parent, and a rollback goes there.",
    fix: "Write `parent` with the version that this one was made from. `promptops check --fix` writes the version before \
          this one where none is named.",
    is_firm: false,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 2
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 2
parent: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    let (Some(id), Some(version)) = (&view.draft.id, &view.draft.version) else { return };
    let finding = |span, message: String| Finding::new(CHECK.id, CHECK.severity, &view.draft.path, span, message);
    match &view.draft.parent {
        None if version.value == Version::FIRST || view.draft.names_parent => {}
        None => {
            let previous = version.value.number() - 1;
            let finding = finding(version.span.clone(), format!("version {} names no parent", version.value))
                .hint(format!("write `parent: {previous}`, or the version that it came from"));
            findings.push(match view.draft.after_version {
                Some(line) => {
                    finding.fix(format!("write `parent: {previous}`"), vec![line.insert(&format!("parent: {previous}"))])
                }
                None => finding,
            });
        }
        Some(parent) if parent.value.id == id.value && parent.value.version >= version.value => {
            findings.push(
                finding(
                    parent.span.clone(),
                    format!("version {} cannot come from version {}", version.value, parent.value.version),
                )
                .related(&view.draft.path, version.span.clone(), "the version")
                .hint("a parent is an older version"),
            );
        }
        Some(_) => {}
    }
}

/// A fork's parent is a prompt that exists, here or at the base revision.
pub(super) fn check_parents(summaries: &[&Summary], base: Option<&Base>, findings: &mut Vec<Finding>) {
    let newest: HashMap<&PromptId, Version> =
        summaries.iter().map(|summary| (&summary.reference.id, summary.reference.version)).collect();
    for &summary in summaries {
        let Some((parent, span)) = &summary.parent else { continue };
        if parent.id == summary.reference.id {
            continue;
        }
        if let Some(newest) = newest.get(&parent.id) {
            if parent.version > *newest {
                let message = format!("the parent `{}` has no version {}; the newest is {newest}", parent.id, parent.version);
                let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, span.clone(), message);
                findings.push(finding.hint("name the version that it was forked from"));
            }
            continue;
        }
        if base.is_some_and(|base| base.contains_key(&parent.id)) {
            continue;
        }
        let finding = Finding::new(
            CHECK.id,
            CHECK.severity,
            &summary.path,
            span.clone(),
            format!("the parent `{parent}` is no prompt of this project"),
        );
        findings.push(finding.hint("check the id, or drop `parent` if this is not a fork"));
    }
}

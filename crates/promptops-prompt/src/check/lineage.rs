//! `lineage`: every version but the first names its parent, and the parent is older.

use std::collections::HashMap;

use super::{Base, Check, FileView, Summary, check as define};
use crate::finding::{Finding, Severity};
use crate::id::{PromptId, Version};

pub(super) const CHECK: Check = define(
    "lineage",
    Severity::Error,
    "A version after the first names its parent, an older version or the prompt it was forked from.",
);

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    let (Some(id), Some(version)) = (&view.draft.id, &view.draft.version) else { return };
    let finding = |span, message: String| Finding::new(CHECK.id, CHECK.severity, &view.draft.path, span, message);
    match &view.draft.parent {
        None if version.value == Version::FIRST || view.draft.names_parent => {}
        None => {
            let previous = version.value.number() - 1;
            findings.push(
                finding(version.span.clone(), format!("version {} names no parent", version.value))
                    .hint(format!("write `parent: {previous}`, or the version that it came from")),
            );
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

//! `duplicate-id` and `duplicate-prompt`: one prompt, one place.

use std::collections::HashMap;

use super::{Check, ContentKey, Summary, check as define};
use crate::finding::{Finding, Severity};
use crate::id::PromptId;

pub(super) const ID: Check = define("duplicate-id", Severity::Error, "An id belongs to one file.");
pub(super) const PROMPT: Check = define("duplicate-prompt", Severity::Warning, "No two prompts have the same content.");

pub(super) fn check(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    let mut by_id: HashMap<&PromptId, &Summary> = HashMap::with_capacity(summaries.len());
    let mut by_digest: HashMap<ContentKey, &Summary> = HashMap::with_capacity(summaries.len());
    for &summary in summaries {
        if let Some(first) = by_id.insert(&summary.reference.id, summary) {
            let message = format!("the id `{}` is taken", summary.reference.id);
            let finding = Finding::new(ID.id, ID.severity, &summary.path, summary.id_span.clone(), message);
            findings.push(finding.related(&first.path, first.id_span.clone(), "first here").hint("give one of them another id"));
            continue;
        }
        let Some(digest) = summary.content_key else { continue };
        let Some(first) = by_digest.insert(digest, summary) else { continue };
        let message = format!("`{}` has the same content as `{}`", summary.reference.id, first.reference.id);
        let finding = Finding::new(PROMPT.id, PROMPT.severity, &summary.path, summary.id_span.clone(), message);
        findings
            .push(finding.related(&first.path, first.id_span.clone(), "the other").hint("call the one prompt from both places"));
    }
}

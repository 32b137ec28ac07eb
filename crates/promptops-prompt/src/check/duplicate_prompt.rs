//! `duplicate-prompt`: one text, one prompt.

use std::collections::HashMap;

use super::{Check, ContentKey, FoundBy, Summary, duplicate_id};
use crate::finding::{Finding, Severity};
use crate::id::PromptId;

pub(super) const CHECK: Check = Check {
    id: "duplicate-prompt",
    severity: Severity::Warning,
    summary: "No two prompts have the same content.",
    why: "A correction of one leaves the other as it was. Two names for one text also halve what is known of it: records, \
          evaluations and costs are kept by id.",
    fix: "Call the one prompt from both places.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/welcome.yaml
id: welcome
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
=== prompts/welcome.yaml
id: welcome
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write two sentences that welcome a new customer.
",
};

pub(super) fn check(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    let mut by_id: HashMap<&PromptId, &Summary> = HashMap::with_capacity(summaries.len());
    let mut by_digest: HashMap<ContentKey, &Summary> = HashMap::with_capacity(summaries.len());
    for &summary in summaries {
        if let Some(first) = by_id.insert(&summary.reference.id, summary) {
            findings.push(duplicate_id::taken(summary, first));
            continue;
        }
        let Some(digest) = summary.content_key else { continue };
        let Some(first) = by_digest.insert(digest, summary) else { continue };
        let message = format!("`{}` has the same content as `{}`", summary.reference.id, first.reference.id);
        let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, summary.id_span.clone(), message);
        findings
            .push(finding.related(&first.path, first.id_span.clone(), "the other").hint("call the one prompt from both places"));
    }
}

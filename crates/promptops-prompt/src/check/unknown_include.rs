//! `unknown-include`: what is included exists, in that version, and is a template.

use std::collections::{HashMap, HashSet};

use super::{Base, Check, FoundBy, Summary, include_input};
use crate::finding::{Edit, Finding, Severity};
use crate::id::{PromptId, PromptRef};

pub(super) const CHECK: Check = Check {
    id: "unknown-include",
    severity: Severity::Error,
    summary: "What is included exists, in that version, and is a template.",
    why: "An include that is not there cannot be rendered, and a prompt of several messages has no one text that could be \
          taken in.",
    fix: "Correct the id or the version, or add the prompt first. An editor offers the newest version.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: r#"=== prompts/tone.yaml
id: tone
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Be warm and brief.
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  {% include "tone@4" %} Greet the customer.
"#,
    good: r#"=== prompts/tone.yaml
id: tone
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Be warm and brief.
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  {% include "tone@1" %} Greet the customer.
"#,
};

pub(super) fn check(summaries: &[&Summary], base: Option<&Base>, findings: &mut Vec<Finding>) {
    if summaries.iter().all(|summary| summary.includes.is_empty()) {
        return;
    }
    let by_id: HashMap<&PromptId, &Summary> = summaries.iter().copied().map(|summary| (&summary.reference.id, summary)).collect();
    let by_reference = by_reference(summaries);
    for &summary in summaries {
        let mut seen = HashSet::new();
        for (target, span) in summary.includes.iter().filter(|(target, _)| seen.insert(target)) {
            let finding =
                |check: Check, message: String| Finding::new(check.id, check.severity, &summary.path, span.clone(), message);
            let Some(included) = by_id.get(&target.id) else {
                if base.is_some_and(|base| base.contains_key(&target.id)) {
                    let removed = finding(CHECK, format!("`{}` is removed by this change but still included", target.id));
                    findings.push(removed.hint("keep that prompt, or take its text in here"));
                } else {
                    let unknown = finding(CHECK, format!("there is no prompt `{}`", target.id));
                    findings.push(unknown.hint("check the id, or add the prompt"));
                }
                continue;
            };
            if target.version > included.reference.version {
                let newest = included.reference.version;
                let unknown =
                    finding(CHECK, format!("`{}` has no version {}; the newest is {newest}", target.id, target.version));
                let unknown = unknown.hint(format!("include `{}@{newest}`, or add that version first", target.id));
                // In quotes; where the place is not known so closely, it is the whole text.
                findings.push(match span.len() == target.to_string().len() + 2 {
                    true => {
                        let name = Edit::new(span.start + 1..span.end - 1, included.reference.to_string());
                        unknown.suggest(format!("include `{}`", included.reference), vec![name])
                    }
                    false => unknown,
                });
            } else if target.version == included.reference.version {
                findings.extend(matching_version(summary, included, target, &by_reference, &finding));
            }
        }
    }
}

/// Checks an include whose very version is in the tree. An older one was checked when it was.
fn matching_version(
    summary: &Summary,
    included: &Summary,
    target: &PromptRef,
    by_reference: &HashMap<&PromptRef, &Summary>,
    finding: &dyn Fn(Check, String) -> Finding,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if included.has_messages {
        let messages = finding(CHECK, format!("`{target}` has messages; only a prompt with a `template` can be included"));
        findings.push(messages.hint("move the text that both need into a prompt with a `template`"));
    }
    include_input::check(summary, included, target, by_reference, finding, &mut findings);
    findings
}

fn by_reference<'a>(summaries: &[&'a Summary]) -> HashMap<&'a PromptRef, &'a Summary> {
    summaries.iter().copied().map(|summary| (&summary.reference, summary)).collect()
}

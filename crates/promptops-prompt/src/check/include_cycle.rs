//! `include-cycle`: includes end.

use std::collections::{HashMap, HashSet};

use super::{Check, FoundBy, Summary};
use crate::finding::{Finding, Severity};
use crate::id::PromptRef;

pub(super) const CHECK: Check = Check {
    id: "include-cycle",
    severity: Severity::Error,
    summary: "No prompt includes itself, directly or through others.",
    why: "Its text would have no end.",
    fix: "Move the text that both need into a third prompt, and include that.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: r#"=== prompts/tone.yaml
id: tone
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  {% include "greeting@1" %} Be warm.
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  {% include "tone@1" %} Greet the customer.
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

pub(super) fn check(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    let by_reference: HashMap<&PromptRef, &Summary> =
        summaries.iter().copied().map(|summary| (&summary.reference, summary)).collect();
    let mut done: HashSet<&PromptRef> = HashSet::new();
    let mut reported: HashSet<PromptRef> = HashSet::new();
    for start in summaries.iter().copied().filter(|summary| !summary.includes.is_empty()) {
        // Depth first without recursion: a chain of includes may be as long as the project.
        let mut path: Vec<(&Summary, usize)> = vec![(start, 0)];
        let mut on_path: HashSet<&PromptRef> = [&start.reference].into();
        while let Some((summary, next)) = path.last_mut() {
            let Some((target, span)) = summary.includes.get(*next) else {
                done.insert(&summary.reference);
                on_path.remove(&summary.reference);
                path.pop();
                continue;
            };
            *next += 1;
            let from: &Summary = summary;
            let first =
                if on_path.contains(target) { path.iter().position(|(member, _)| member.reference == *target) } else { None };
            if let Some(first) = first {
                let members: Vec<String> = path[first..].iter().map(|(member, _)| member.reference.to_string()).collect();
                if path[first..].iter().all(|(member, _)| !reported.contains(&member.reference)) {
                    let message = format!("the includes form a cycle: {} → {target}", members.join(" → "));
                    let finding = Finding::new(CHECK.id, CHECK.severity, &from.path, span.clone(), message);
                    findings.push(finding.hint("move what both need into a third prompt"));
                }
                reported.extend(path[first..].iter().map(|(member, _)| member.reference.clone()));
            } else if let Some(included) = by_reference.get(target).filter(|included| !done.contains(&included.reference)) {
                on_path.insert(&included.reference);
                path.push((included, 0));
            }
        }
    }
}

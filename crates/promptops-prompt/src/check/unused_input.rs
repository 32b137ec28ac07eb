//! `unused-input`: a declared variable is used by the prompt or by what it includes.

use std::collections::{HashMap, HashSet};

use super::{Check, FileView, FoundBy, Summary, UnusedInput};
use crate::finding::{Edit, Finding, Severity};
use crate::id::PromptRef;

pub(super) const CHECK: Check = Check {
    id: "unused-input",
    severity: Severity::Warning,
    summary: "Every declared variable is used, here or in an include.",
    why: "Callers collect and pass a value that has no effect. Often it is the rest of a text that was removed, or a \
          variable that is misspelt in the template.",
    fix: "Use it in the template, or remove it. Removing one is a change of the interface, so it is left to you; an editor \
          offers it.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string}}
template: Write one warm sentence.
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string}}
template: |
  Greet {{ name }}.
",
};

/// Returns the declared variables that the prompt's own templates do not use. While a template has a syntax error nothing is
/// known, and nothing is said.
pub(super) fn unused(view: &FileView<'_>) -> Vec<UnusedInput> {
    if view.uses.iter().any(Option::is_none) || view.uses.is_empty() {
        return Vec::new();
    }
    let used: HashSet<&str> =
        view.uses.iter().flatten().flat_map(|used| &used.variables).map(|(used, _)| used.as_str()).collect();
    let inputs = view.draft.inputs.iter().enumerate().filter(|(_, (name, _))| !used.contains(name.value.as_str()));
    let unused = inputs.map(|(index, (name, _))| UnusedInput {
        name: name.value.clone(),
        span: name.span.clone(),
        lines: view.draft.input_lines.get(index).cloned().flatten(),
    });
    unused.collect()
}

pub(super) fn check(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    let with_unused: Vec<&Summary> = summaries.iter().copied().filter(|summary| !summary.unused_inputs.is_empty()).collect();
    if with_unused.is_empty() {
        return;
    }
    let by_reference: HashMap<&PromptRef, &Summary> =
        summaries.iter().copied().map(|summary| (&summary.reference, summary)).collect();
    for summary in with_unused {
        let Some(used_by_includes) = inputs_of_includes(summary, &by_reference) else { continue };
        for UnusedInput { name, span, lines } in &summary.unused_inputs {
            if used_by_includes.contains(name.as_str()) {
                continue;
            }
            let finding =
                Finding::new(CHECK.id, CHECK.severity, &summary.path, span.clone(), format!("the input `{name}` is never used"))
                    .hint("use it in the template, or remove it: a caller must not be asked for what has no effect");
            findings.push(match lines {
                Some(lines) => finding.suggest(format!("remove `{name}`"), vec![Edit::new(lines.clone(), "")]),
                None => finding,
            });
        }
    }
}

/// So many includes of one prompt are followed, so that long chains of includes cost no more than many prompts.
const MAX_FOLLOWED: usize = 500;

/// Returns what the includes declare, or nothing when one of them is an older version that the tree does not hold.
pub(super) fn inputs_of_includes<'a>(
    summary: &'a Summary,
    by_reference: &HashMap<&PromptRef, &'a Summary>,
) -> Option<HashSet<&'a str>> {
    let mut names = HashSet::new();
    let mut seen: HashSet<&PromptRef> = HashSet::new();
    let mut waiting: Vec<&PromptRef> = summary.includes.iter().map(|(reference, _)| reference).collect();
    while let Some(reference) = waiting.pop() {
        if !seen.insert(reference) {
            continue;
        }
        if seen.len() > MAX_FOLLOWED {
            return None;
        }
        let included = by_reference.get(reference)?;
        names.extend(included.inputs.iter().map(|(name, _)| name.as_str()));
        waiting.extend(included.includes.iter().map(|(reference, _)| reference));
    }
    Some(names)
}

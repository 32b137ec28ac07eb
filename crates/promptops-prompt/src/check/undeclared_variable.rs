//! `undeclared-variable`: a template uses declared variables only.

use std::collections::HashSet;

use super::{Check, FileView, FoundBy};
use crate::finding::{Edit, Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "undeclared-variable",
    severity: Severity::Error,
    summary: "Every variable of a template is declared in `inputs`.",
    why: "The inputs are the interface: what is not declared is not validated, not documented, and not seen when a change \
          breaks callers. Rendering refuses it, so it fails in production and not in review.",
    fix: "Correct the name, or declare the variable. `promptops check --fix` corrects nothing here, since both can be \
          meant; an editor offers both.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: |
  Greet {{ name }}.
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

/// So many findings say enough about a file.
const MAX_FINDINGS: usize = 100;
/// With so many names a misspelt one is looked for.
const MAX_COMPARED: usize = 500;

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    let declared: HashSet<&str> = view.draft.inputs.iter().map(|(input, _)| input.value.as_str()).collect();
    let mut seen: HashSet<&str> = HashSet::new();
    for (part, used) in view.draft.templates.iter().zip(view.uses) {
        for (name, place) in used.iter().flat_map(|used| &used.variables) {
            if declared.contains(name.as_str()) || seen.len() == MAX_FINDINGS || !seen.insert(name) {
                continue;
            }
            let exact = part.place(view.text, place.clone());
            let mut finding = Finding::new(
                CHECK.id,
                CHECK.severity,
                &view.draft.path,
                exact.clone(),
                format!("the variable `{name}` is not declared"),
            );
            let close = view
                .draft
                .inputs
                .iter()
                .take(MAX_COMPARED)
                .map(|(input, _)| (strsim::damerau_levenshtein(&input.value, name), &input.value))
                .min();
            finding = match close {
                Some((distance, input)) if distance <= 2 && distance < name.len() => {
                    let finding = finding.hint(format!("did you mean `{input}`?"));
                    // Where the place is not known closely, the whole text would be replaced.
                    match view.text.get(exact.clone()) == Some(name.as_str()) {
                        true => finding.suggest(format!("write `{input}`"), vec![Edit::new(exact, input)]),
                        false => finding,
                    }
                }
                _ => finding.hint(format!("declare it: `inputs: {{{name}: {{type: string}}}}`")),
            };
            findings.push(match &view.draft.declare_at {
                Some(place) => finding.suggest(format!("declare `{name}` as a text"), vec![place.declare(name)]),
                None => finding,
            });
        }
    }
}

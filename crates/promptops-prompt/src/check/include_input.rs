//! `include-input`: a prompt declares what its includes need. Found on the way by [`super::unknown_include`].

use std::collections::HashMap;

use super::{Check, FoundBy, Summary, unused_input};
use crate::finding::{Finding, Severity};
use crate::id::PromptRef;

pub(super) const CHECK: Check = Check {
    id: "include-input",
    severity: Severity::Error,
    summary: "A prompt declares the variables that its includes need.",
    why: "An included text reads its variables from the prompt around it. Callers see the inputs of that prompt alone, so \
          it must declare them, with its own defaults.",
    fix: "Declare the variable, with the schema that the included prompt gives it. An editor offers to \
          declare it as a text.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: r#"=== prompts/tone.yaml
id: tone
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {mood: {type: string}}
template: |
  Be {{ mood }} and brief.
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
inputs: {mood: {type: string}}
template: |
  Be {{ mood }} and brief.
=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {mood: {type: string, default: warm}}
template: |
  {% include "tone@1" %} Greet the customer.
"#,
};

/// Looks for variables of `included` that `summary` does not declare.
pub(super) fn check(
    summary: &Summary,
    included: &Summary,
    target: &PromptRef,
    by_reference: &HashMap<&PromptRef, &Summary>,
    finding: &dyn Fn(Check, String) -> Finding,
    findings: &mut Vec<Finding>,
) {
    // What the included text does not use itself it may declare for its own includes. While they are not known nothing is said.
    let used_by_its_includes = unused_input::inputs_of_includes(included, by_reference).unwrap_or_default();
    let is_declared = |name: &str| summary.inputs.iter().any(|(input, _)| input == name);
    // The included text reads its variables from the prompt around it, and that prompt's defaults apply, not its own.
    for (name, _) in included.inputs.iter().filter(|(name, _)| !is_declared(name)) {
        let is_used = included.unused_inputs.iter().all(|unused| unused.name != *name);
        if is_used || used_by_its_includes.contains(name.as_str()) {
            let finding = finding(CHECK, format!("`{target}` uses the variable `{name}`, which is not declared here"))
                .hint(format!("declare it: `inputs: {{{name}: {{type: string}}}}`"));
            findings.push(match &summary.declare_at {
                Some(place) => finding.suggest(format!("declare `{name}` as a text"), vec![place.declare(name)]),
                None => finding,
            });
        }
    }
}

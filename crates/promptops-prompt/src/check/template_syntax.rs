//! `template-syntax`: the template parses.

use super::{Check, FoundBy};
use crate::draft::{Draft, TemplateText};
use crate::finding::{Finding, Severity};
use crate::template::SyntaxError;

pub(super) const CHECK: Check = Check {
    id: "template-syntax",
    severity: Severity::Error,
    summary: "The template is valid Jinja2.",
    why: "A template that does not parse fails when a customer waits for the answer.",
    fix: "Close the tag or the block that is named. Braces that the model shall see stand between `{% raw %}` and `{% \
          endraw %}`.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string}}
template: |
  Greet {{ name.
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

pub(super) fn finding(draft: &Draft, part: &TemplateText, file: &str, error: &SyntaxError) -> Finding {
    let place = part.place(file, error.place.clone());
    Finding::new(
        CHECK.id,
        CHECK.severity,
        &draft.path,
        place,
        format!("`{}` is not a valid template: {}", part.name, error.message),
    )
}

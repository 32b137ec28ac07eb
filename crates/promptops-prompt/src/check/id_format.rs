//! `id-format`: the id follows the pattern.
//!
//! Found by [`crate::draft`]; what to write is known here, where the path is.

use super::{Check, FileView, FoundBy};
use crate::finding::{Edit, Finding, Severity};
use crate::id::PromptId;

pub(super) const CHECK: Check = Check {
    id: "id-format",
    severity: Severity::Error,
    summary: "The id follows the pattern.",
    why: "An id is a file name, a part of a URL, a column of the lake and a key in the registry at once. Lower-case \
          letters, digits and `-`, in parts joined by `.`, are safe in all of them.",
    fix: "Write it in lower case, with `-` in place of spaces and underscores. `promptops check --fix` writes the id that \
          the path of the file says, if that one is valid.",
    is_firm: true,
    has_fix: true,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: Greeting
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
",
};

/// Adds the id that the path of the file says to findings about an id that is wrong or missing.
pub(super) fn mend(view: &FileView<'_>, findings: &mut [Finding]) {
    if view.draft.id.is_some() {
        return;
    }
    let Ok(by_path) =
        view.path_in_folder.trim_end_matches(".yaml").trim_end_matches(".yml").replace('/', ".").parse::<PromptId>()
    else {
        return;
    };
    let written = format!("id: {by_path}");
    for finding in findings {
        let edit = match (finding.check.as_str(), view.draft.first_field) {
            ("id-format", _) if is_beside_its_key(view.text, &finding.primary.location.span) => {
                Edit::new(finding.primary.location.span.clone(), by_path.as_str())
            }
            ("missing-field", Some(first)) if finding.message.contains("`id`") => first.insert(&written),
            _ => continue,
        };
        *finding = finding.clone().fix(format!("write `{written}`, which the path says"), vec![edit]);
    }
}

/// Tells whether a value stands on the line of its key with nothing between, so that it can be replaced there.
fn is_beside_its_key(text: &str, span: &std::ops::Range<usize>) -> bool {
    let before = &text[..span.start];
    let line = before[before.rfind('\n').map_or(0, |end| end + 1)..].trim_end();
    !text[span.clone()].contains('\n') && line.ends_with(':')
}

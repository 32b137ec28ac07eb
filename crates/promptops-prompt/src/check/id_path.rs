//! `id-path`: the id names the file, so that a prompt is found without an index.

use super::{Check, FileView, FoundBy};
use crate::finding::{Edit, Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "id-path",
    severity: Severity::Error,
    summary: "The id is the file's path below the prompts folder, with dots.",
    why: "A prompt is found by its id without an index, two prompts cannot claim one id, and a review of a folder is a \
          review of a namespace.",
    fix: "Move the file to the path that is named, or write the id that the path says. The first keeps the prompt's \
          history, the second makes a new prompt.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: support.greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
    good: "=== prompts/support/greeting.yaml
id: support.greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
",
};

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    let Some(id) = &view.draft.id else { return };
    let expected = id.value.file_path();
    if view.path_in_folder == expected || view.path_in_folder == expected.replace(".yaml", ".yml") {
        return;
    }
    let stem = view.path_in_folder.trim_end_matches(".yaml").trim_end_matches(".yml");
    let by_path = stem.replace('/', ".");
    let finding = Finding::new(
        CHECK.id,
        CHECK.severity,
        &view.draft.path,
        id.span.clone(),
        format!("the id `{}` does not fit the path", id.value),
    )
    .label(format!("belongs in `{expected}`"));
    findings.push(match by_path.parse::<crate::id::PromptId>() {
        Ok(_) => finding
            .hint(format!("move the file, or write `id: {by_path}` if it is a new prompt"))
            .suggest(format!("write `id: {by_path}`, which makes it a new prompt"), vec![Edit::new(id.span.clone(), by_path)]),
        Err(_) => finding.hint("move the file"),
    });
}

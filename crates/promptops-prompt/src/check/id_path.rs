//! `id-path`: the id names the file, so that a prompt is found without an index.

use super::{Check, FileView, check as define};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check =
    define("id-path", Severity::Error, "The id is the file's path below the prompts folder, with dots.");

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
        Ok(_) => finding.hint(format!("move the file, or write `id: {by_path}` if it is a new prompt")),
        Err(_) => finding.hint("move the file"),
    });
}

//! What a single template must fulfil: it parses, uses declared variables, and pins its includes.

use std::collections::HashSet;

use super::{Check, FileView, check as define};
use crate::draft::{Draft, TemplateText};
use crate::finding::{Finding, Severity};
use crate::template::SyntaxError;

pub(super) const SYNTAX: Check = define("template-syntax", Severity::Error, "The template is valid Jinja2.");
pub(super) const UNDECLARED: Check =
    define("undeclared-variable", Severity::Error, "Every variable of a template is declared in `inputs`.");
pub(super) const UNPINNED: Check =
    define("unpinned-include", Severity::Error, "An include names `id@version`, so that the text cannot change underneath.");

/// So many findings of one kind say enough about a file.
const MAX_FINDINGS: usize = 100;
/// With so many names a misspelt one is looked for.
const MAX_COMPARED: usize = 500;

pub(super) fn syntax(draft: &Draft, part: &TemplateText, file: &str, error: &SyntaxError) -> Finding {
    let place = part.place(file, error.place.clone());
    Finding::new(
        SYNTAX.id,
        SYNTAX.severity,
        &draft.path,
        place,
        format!("`{}` is not a valid template: {}", part.name, error.message),
    )
}

pub(super) fn undeclared(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    let declared: HashSet<&str> = view.draft.inputs.iter().map(|(input, _)| input.value.as_str()).collect();
    let mut seen: HashSet<&str> = HashSet::new();
    for (part, used) in view.draft.templates.iter().zip(view.uses) {
        for (name, place) in used.iter().flat_map(|used| &used.variables) {
            if declared.contains(name.as_str()) || seen.len() == MAX_FINDINGS || !seen.insert(name) {
                continue;
            }
            let place = part.place(view.text, place.clone());
            let finding = Finding::new(
                UNDECLARED.id,
                UNDECLARED.severity,
                &view.draft.path,
                place,
                format!("the variable `{name}` is not declared"),
            );
            let close = view
                .draft
                .inputs
                .iter()
                .take(MAX_COMPARED)
                .map(|(input, _)| (strsim::damerau_levenshtein(&input.value, name), &input.value))
                .min();
            findings.push(match close {
                Some((distance, input)) if distance <= 2 && distance < name.len() => {
                    finding.hint(format!("did you mean `{input}`?"))
                }
                _ => finding.hint(format!("declare it: `inputs: {{{name}: {{type: string}}}}`")),
            });
        }
    }
}

pub(super) fn unpinned(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    for (part, used) in view.draft.templates.iter().zip(view.uses) {
        let Some(used) = used else { continue };
        let unpinned = used.includes.iter().filter_map(|include| Some((include, include.target.as_ref().err()?)));
        for (include, error) in unpinned.take(MAX_FINDINGS) {
            let place = part.place(view.text, include.place.clone());
            findings.push(
                Finding::new(
                    UNPINNED.id,
                    UNPINNED.severity,
                    &view.draft.path,
                    place,
                    format!("the include is not pinned: {error}"),
                )
                .hint("write `{% include \"shared.tone@3\" %}` with the version that was tested"),
            );
        }
        for (tag, place) in used.unsupported.iter().take(MAX_FINDINGS) {
            let place = part.place(view.text, place.clone());
            findings.push(
                Finding::new(
                    UNPINNED.id,
                    UNPINNED.severity,
                    &view.draft.path,
                    place,
                    format!("`{{% {tag} %}}` reaches for another template without a version"),
                )
                .hint("use `{% include \"id@version\" %}`"),
            );
        }
    }
}

//! `unpinned-include`: an include names the version that was tested.

use std::collections::HashMap;

use super::{Check, FileView, FoundBy, Summary};
use crate::finding::{Edit, Finding, Severity};
use crate::id::PromptId;
use crate::template::Include;

pub(super) const CHECK: Check = Check {
    id: "unpinned-include",
    severity: Severity::Error,
    summary: "An include names `id@version`, so that the text cannot change underneath.",
    why: "A version is what was evaluated and approved. If an include followed the newest text, every prompt that uses it \
          would change without a review.",
    fix: "Name the version that was tested. `promptops check --fix` writes the version that the project holds.",
    is_firm: false,
    has_fix: true,
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
  {% include "tone" %} Greet the customer.
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

const HINT: &str = "write `{% include \"shared.tone@3\" %}` with the version that was tested";

/// So many findings of one kind say enough about a file.
const MAX_FINDINGS: usize = 100;

pub(super) fn check(view: &FileView<'_>, findings: &mut Vec<Finding>) {
    for (part, used) in view.draft.templates.iter().zip(view.uses) {
        let Some(used) = used else { continue };
        let is_left = |include: &&Include| !is_for_the_project(view) || id_alone(include).is_none();
        let unpinned = used.includes.iter().filter(is_left);
        let unpinned = unpinned.filter_map(|include| Some((include, include.target.as_ref().err()?)));
        for (include, error) in unpinned.take(MAX_FINDINGS) {
            let place = part.place(view.text, include.place.clone());
            findings.push(
                Finding::new(CHECK.id, CHECK.severity, &view.draft.path, place, format!("the include is not pinned: {error}"))
                    .hint(HINT),
            );
        }
        for (tag, place) in used.unsupported.iter().take(MAX_FINDINGS) {
            let place = part.place(view.text, place.clone());
            findings.push(
                Finding::new(
                    CHECK.id,
                    CHECK.severity,
                    &view.draft.path,
                    place,
                    format!("`{{% {tag} %}}` reaches for another template without a version"),
                )
                .hint("use `{% include \"id@version\" %}`"),
            );
        }
    }
}

/// Tells whether the project will look at this file, and so can say which version an include without one means.
fn is_for_the_project(view: &FileView<'_>) -> bool {
    view.draft.id.is_some() && view.draft.version.is_some()
}

/// Returns the id of an include that names nothing else.
fn id_alone(include: &Include) -> Option<(PromptId, std::ops::Range<usize>)> {
    let (name, place) = include.name.as_ref()?;
    let is_missing_version = include.target.is_err() && !name.contains('@');
    Some((name.parse().ok().filter(|_| is_missing_version)?, place.clone()))
}

/// Returns the includes of a file that name an id alone, with the places of the names.
pub(super) fn ids_alone(view: &FileView<'_>) -> Vec<(PromptId, std::ops::Range<usize>)> {
    let parts = view.draft.templates.iter().zip(view.uses);
    let includes =
        parts.flat_map(|(part, used)| used.iter().flat_map(move |used| used.includes.iter().map(move |one| (part, one))));
    let named = includes.filter_map(|(part, include)| {
        let (id, place) = id_alone(include)?;
        Some((id, part.place(view.text, place)))
    });
    named.take(MAX_FINDINGS).collect()
}

/// Looks at includes that name an id alone: the version to name is the one that the project holds.
pub(super) fn check_ids_alone(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    if summaries.iter().all(|summary| summary.unpinned.is_empty()) {
        return;
    }
    let newest: HashMap<&PromptId, &Summary> = summaries.iter().map(|summary| (&summary.reference.id, *summary)).collect();
    for &summary in summaries {
        for (id, span) in &summary.unpinned {
            let message = format!("the include is not pinned: `{id}` names no version");
            let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, span.clone(), message).hint(HINT);
            // In quotes; where the place is not known so closely, it is the whole text.
            let is_exact = span.len() == id.as_str().len() + 2;
            findings.push(match newest.get(id).filter(|included| is_exact && !included.has_messages) {
                Some(included) => {
                    let name = Edit::new(span.start + 1..span.end - 1, included.reference.to_string());
                    finding.fix(format!("include `{}`", included.reference), vec![name])
                }
                None => finding,
            });
        }
    }
}

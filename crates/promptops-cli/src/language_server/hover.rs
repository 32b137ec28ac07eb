//! What is under the pointer: a finding's check, a variable's schema, an include's text, a suppression's checks.

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};
use promptops_prompt::PromptRef;
use promptops_prompt::check::Check;
use promptops_prompt::draft::Draft;
use promptops_prompt::template;
use std::ops::Range;

use super::View;
use crate::project::Project;
use crate::prompt_history::PromptHistory;

/// The most bytes of an included text that are shown.
const MAX_SHOWN_BYTES: usize = 4000;

/// Says what there is to say of a place.
pub fn hover(view: &View<'_>, byte: usize) -> Option<Hover> {
    let (draft, _) = Draft::parse(view.path, &view.document.text);
    let mut parts = Vec::new();
    let mut place: Option<Range<usize>> = None;
    if let Some((reference, span)) = include_at(view, &draft, byte) {
        parts.push(included(view, &reference));
        place = Some(span);
    } else if let Some((name, span)) = variable_at(view, &draft, byte) {
        parts.extend(variable(&draft, &name));
        place = Some(span);
    }
    for finding in view.workspace.checked.iter().flat_map(|checked| &checked.findings) {
        let location = &finding.primary.location;
        if location.path == view.path && touches(&location.span, byte) {
            place = place.or_else(|| Some(location.span.clone()));
            parts.extend(Check::find(&finding.check).map(explained));
        }
    }
    if let Some((check, span)) = suppressed_check_at(view, byte) {
        parts.push(explained(check));
        place = Some(span);
    }
    parts.dedup();
    if parts.is_empty() {
        return None;
    }
    let contents = MarkupContent { kind: MarkupKind::Markdown, value: parts.join("\n\n---\n\n") };
    Some(Hover { contents: HoverContents::Markup(contents), range: place.map(|span| view.document.range(&span)) })
}

fn touches(span: &Range<usize>, byte: usize) -> bool {
    span.start <= byte && byte <= span.end
}

fn explained(check: &Check) -> String {
    let name = format!("[{}]({})", check.id, check.url());
    format!("**{name}**: {}\n\n{}\n\n{}", check.summary, check.why, check.fix)
}

/// Returns the pinned include whose name stands at a place.
pub fn include_at(view: &View<'_>, draft: &Draft, byte: usize) -> Option<(PromptRef, Range<usize>)> {
    let text = &view.document.text;
    for part in draft.templates.iter().filter(|part| touches(&part.span(), byte)) {
        let Ok(used) = template::analyse(part.text()) else { continue };
        for include in used.includes {
            let (Ok(target), Some((name, place))) = (include.target, include.name) else { continue };
            let span = part.place(text, place);
            // Where the place is not known closely it is the whole text, which says nothing of this one.
            let is_exact =
                text.get(span.clone()).is_some_and(|written| written.contains(&name) && written.len() == name.len() + 2);
            if is_exact && touches(&span, byte) {
                return Some((target, span));
            }
        }
    }
    None
}

/// Returns the word at a place inside of a tag of a template, if it is a declared variable.
pub fn variable_at(view: &View<'_>, draft: &Draft, byte: usize) -> Option<(String, Range<usize>)> {
    let text = &view.document.text;
    let part = draft.templates.iter().find(|part| touches(&part.span(), byte))?;
    if !is_in_tag(&text[part.span().start..byte]) {
        return None;
    }
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let start = text[..byte].rfind(|character| !is_word(character)).map_or(0, |at| at + 1);
    // A letter beyond ASCII ends a word, and takes more than one byte.
    let start = text.ceil_char_boundary(start);
    let end = byte + text[byte..].find(|character| !is_word(character)).unwrap_or(text.len() - byte);
    let word = text.get(start..end)?;
    let is_attribute = text[..start].ends_with('.');
    let is_declared = draft.inputs.iter().any(|(name, _)| name.value == word);
    (is_declared && !is_attribute).then(|| (word.to_owned(), start..end))
}

/// Tells whether a text ends inside of a tag.
pub fn is_in_tag(before: &str) -> bool {
    let last = |marks: [&str; 2]| marks.into_iter().filter_map(|mark| before.rfind(mark)).max();
    match (last(["{{", "{%"]), last(["}}", "%}"])) {
        (Some(opened), Some(closed)) => opened > closed,
        (opened, None) => opened.is_some(),
        (None, Some(_)) => false,
    }
}

fn variable(draft: &Draft, name: &str) -> Option<String> {
    let (_, schema) = draft.inputs.iter().find(|(input, _)| input.value == name)?;
    let kind = match schema.get("default") {
        Some(default) => format!("optional, `{default}` if it is not given"),
        None => "required".to_owned(),
    };
    let schema = serde_json::to_string_pretty(schema).ok()?;
    Some(format!("**{name}**: input, {kind}\n\n```json\n{schema}\n```"))
}

/// Shows the text that an include takes in: of the working tree if it holds that version, else from Git.
fn included(view: &View<'_>, reference: &PromptRef) -> String {
    let text = in_tree(view, reference).or_else(|| committed(view, reference));
    match text {
        Some(mut text) => {
            if text.len() > MAX_SHOWN_BYTES {
                text.truncate(text.floor_char_boundary(MAX_SHOWN_BYTES));
                text.push_str("\n…");
            }
            // A text with a fence of its own needs a longer one around it.
            let mut fence = "```".to_owned();
            while text.contains(&fence) {
                fence.push('`');
            }
            format!("**{reference}**\n\n{fence}jinja\n{}\n{fence}", text.trim_end())
        }
        None => format!("**{reference}**: neither the working tree nor the history of Git has this version"),
    }
}

fn in_tree(view: &View<'_>, reference: &PromptRef) -> Option<String> {
    let summaries = &view.workspace.checked.as_ref()?.summaries;
    let path = &summaries.iter().find(|summary| summary.reference == *reference)?.path;
    let text = text_of(view, path)?;
    Draft::parse(path, &text).0.templates.first().map(|part| part.text().to_owned())
}

/// Returns the text of a file of the project, as it is being typed or as it is stored.
pub fn text_of(view: &View<'_>, path: &str) -> Option<String> {
    match view.workspace.documents.get(path) {
        Some(document) => Some(document.text.clone()),
        None => std::fs::read_to_string(view.root.join(path)).ok(),
    }
}

fn committed(view: &View<'_>, reference: &PromptRef) -> Option<String> {
    let project = Project::find(view.root).ok()?;
    let history = PromptHistory::read(&project, "HEAD", Some(&reference.id)).ok()?;
    let version = history.get(reference)?;
    Draft::parse(&version.path, &version.text).0.templates.first().map(|part| part.text().to_owned())
}

/// Returns the check whose id stands at a place of a suppression.
fn suppressed_check_at(view: &View<'_>, byte: usize) -> Option<(&'static Check, Range<usize>)> {
    let text = &view.document.text;
    if !view.document.line_before(byte).contains("promptops: allow ") {
        return None;
    }
    let is_id = |character: char| character.is_ascii_lowercase() || character == '-';
    let start = text[..byte].rfind(|character| !is_id(character)).map_or(0, |at| at + 1);
    let end = byte + text[byte..].find(|character| !is_id(character)).unwrap_or(text.len() - byte);
    Some((Check::find(text.get(start..end)?)?, start..end))
}

//! Where something is written: an include, a variable, a parent, an eval file.

use lsp_types::{GotoDefinitionResponse, Location};
use promptops_prompt::PromptId;
use promptops_prompt::draft::Draft;
use std::ops::Range;

use super::View;
use super::document::{range, uri_of};
use super::hover::{include_at, text_of, variable_at};

/// Goes to what a place names.
pub fn definition(view: &View<'_>, byte: usize) -> Option<GotoDefinitionResponse> {
    let (draft, _) = Draft::parse(view.path, &view.document.text);
    let stands_at = |span: &Range<usize>| span.start <= byte && byte <= span.end;
    let location = if let Some((reference, _)) = include_at(view, &draft, byte) {
        prompt(view, &reference.id)?
    } else if let Some((name, _)) = variable_at(view, &draft, byte) {
        let (declared, _) = draft.inputs.iter().find(|(input, _)| input.value == name)?;
        Location::new(view.document.uri.clone(), view.document.range(&declared.span))
    } else if let Some(parent) = draft.parent.as_ref().filter(|parent| stands_at(&parent.span)) {
        prompt(view, &parent.value.id)?
    } else {
        let eval = draft.evals.iter().find(|eval| stands_at(&eval.span))?;
        let path = view.root.join(&eval.value);
        Location::new(uri_of(&path).filter(|_| path.is_file())?, lsp_types::Range::default())
    };
    Some(GotoDefinitionResponse::Scalar(location))
}

/// Returns the place of the id in the file of a prompt.
fn prompt(view: &View<'_>, id: &PromptId) -> Option<Location> {
    let summaries = &view.workspace.checked.as_ref()?.summaries;
    let summary = summaries.iter().find(|summary| summary.reference.id == *id)?;
    let text = text_of(view, &summary.path)?;
    Some(Location::new(uri_of(&view.root.join(&summary.path))?, range(&text, &summary.id_span)))
}

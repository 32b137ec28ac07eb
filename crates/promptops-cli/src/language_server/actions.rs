//! What can be done about findings: fixes, and suppressions.

use std::collections::HashMap;

use lsp_types::{CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, Diagnostic, TextEdit, WorkspaceEdit};
use promptops_prompt::check::Check;
use promptops_prompt::finding::{Edit, Finding};
use promptops_prompt::suppression;

use super::View;
use super::diagnostics::diagnostic;
use crate::fixes::safe_edits;

/// Returns what can be done about the findings of a part of a document, and about all of it.
pub fn actions(view: &View<'_>, params: &CodeActionParams) -> Vec<CodeActionOrCommand> {
    let (start, end) = (view.document.byte(params.range.start), view.document.byte(params.range.end));
    let is_wanted = |kind: &CodeActionKind| match &params.context.only {
        Some(only) => only.iter().any(|wanted| kind.as_str().starts_with(wanted.as_str())),
        None => true,
    };
    let in_file = || {
        let findings = view.workspace.checked.iter().flat_map(|checked| &checked.findings);
        findings.filter(|finding| finding.primary.location.path == view.path)
    };
    let mut actions = Vec::new();
    let touched = in_file().filter(|finding| {
        let span = &finding.primary.location.span;
        span.start <= end && start <= span.end
    });
    if is_wanted(&CodeActionKind::QUICKFIX) {
        for finding in touched {
            let diagnostic = diagnostic(view.root, view.workspace, finding);
            for fix in &finding.fixes {
                actions.push(action(view, fix.title.clone(), &fix.edits, &diagnostic, fix.is_safe));
            }
            actions.extend(suppress(view, finding, &diagnostic));
        }
    }
    if is_wanted(&CodeActionKind::SOURCE_FIX_ALL) {
        let (edits, titles) = safe_edits(in_file());
        if !titles.is_empty() {
            actions.push(CodeAction {
                title: "mend everything that everybody would mend in the same way".to_owned(),
                kind: Some(CodeActionKind::SOURCE_FIX_ALL),
                edit: Some(workspace_edit(view, &edits)),
                ..CodeAction::default()
            });
        }
    }
    actions.into_iter().map(CodeActionOrCommand::CodeAction).collect()
}

fn action(view: &View<'_>, title: String, edits: &[Edit], diagnostic: &Diagnostic, is_preferred: bool) -> CodeAction {
    CodeAction {
        title,
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostic.clone()]),
        edit: Some(workspace_edit(view, edits)),
        is_preferred: Some(is_preferred),
        ..CodeAction::default()
    }
}

/// Puts a suppression above the entry. The reason is left to be written, and demanded until it is.
fn suppress(view: &View<'_>, finding: &Finding, diagnostic: &Diagnostic) -> Option<CodeAction> {
    let check = Check::find(&finding.check).filter(|check| !check.is_firm && check.id != "unused-suppression")?;
    let text = &view.document.text;
    let (at, indentation) = suppression::place_for(text, finding.primary.location.span.start);
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let comment = format!("{indentation}{}{end}", suppression::written(&[check.id], ""));
    let title = format!("suppress `{}` here, and write why", check.id);
    Some(action(view, title, &[Edit::new(at..at, comment)], diagnostic, false))
}

// The map's key is what the protocol prescribes; its hidden cell is only written when it is made.
#[expect(clippy::mutable_key_type, reason = "the protocol's own type")]
fn workspace_edit(view: &View<'_>, edits: &[Edit]) -> WorkspaceEdit {
    let edit = |edit: &Edit| TextEdit { range: view.document.range(&edit.span), new_text: edit.replacement.clone() };
    let changes = HashMap::from([(view.document.uri.clone(), edits.iter().map(edit).collect())]);
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

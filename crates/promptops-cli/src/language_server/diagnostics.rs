//! Findings as the editor shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lsp_server::Notification;
use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString,
    PublishDiagnosticsParams,
};
use promptops_prompt::check::Check;
use promptops_prompt::finding::{Finding, Label, Severity};

use super::Workspace;
use super::document::{range, uri_of};

/// Of so many files that are not open findings are shown.
const MAX_CLOSED_FILES: usize = 500;

/// Returns what the editor has to be told after a look, and remembers it.
pub fn changed(root: &Path, workspace: &mut Workspace) -> Vec<Notification> {
    let mut now: BTreeMap<String, Vec<Diagnostic>> = workspace.documents.keys().map(|path| (path.clone(), Vec::new())).collect();
    let most = now.len() + MAX_CLOSED_FILES;
    for finding in workspace.checked.iter().flat_map(|checked| &checked.findings) {
        let path = &finding.primary.location.path;
        if now.len() < most || now.contains_key(path) {
            let diagnostic = diagnostic(root, workspace, finding);
            now.entry(path.clone()).or_default().push(diagnostic);
        }
    }
    let paths: BTreeSet<String> = now.keys().chain(workspace.published.keys()).cloned().collect();
    let mut told = Vec::new();
    for path in paths {
        let diagnostics = now.get(&path).cloned().unwrap_or_default();
        if workspace.published.get(&path) == Some(&diagnostics) {
            continue;
        }
        let uri = workspace.documents.get(&path).map(|document| document.uri.clone()).or_else(|| uri_of(&root.join(&path)));
        if let Some(uri) = uri {
            let params = PublishDiagnosticsParams { uri, diagnostics, version: None };
            told.push(Notification::new("textDocument/publishDiagnostics".to_owned(), params));
        }
    }
    now.retain(|path, diagnostics| !diagnostics.is_empty() || workspace.documents.contains_key(path));
    workspace.published = now;
    told
}

/// Shows one finding.
pub fn diagnostic(root: &Path, workspace: &Workspace, finding: &Finding) -> Diagnostic {
    let message = match &finding.hint {
        Some(hint) => format!("{}\n{hint}", finding.message),
        None => finding.message.clone(),
    };
    let related: Vec<DiagnosticRelatedInformation> = finding
        .related
        .iter()
        .filter_map(|label| {
            let location = Location::new(uri_of(&root.join(&label.location.path))?, place(workspace, label));
            let message = if label.text.is_empty() { "related".to_owned() } else { label.text.clone() };
            Some(DiagnosticRelatedInformation { location, message })
        })
        .collect();
    let page = Check::find(&finding.check).and_then(|check| check.url().parse().ok());
    Diagnostic {
        range: place(workspace, &finding.primary),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Note => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(finding.check.clone())),
        code_description: page.map(|href| CodeDescription { href }),
        source: Some("promptops".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        tags: None,
        data: None,
    }
}

fn place(workspace: &Workspace, label: &Label) -> lsp_types::Range {
    let path = &label.location.path;
    let open = workspace.documents.get(path).map(|document| document.text.as_str());
    let text = open.or_else(|| workspace.checked.as_ref()?.texts.get(path).map(String::as_str));
    text.map_or_else(lsp_types::Range::default, |text| range(text, &label.location.span))
}

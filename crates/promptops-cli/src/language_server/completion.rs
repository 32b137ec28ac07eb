//! What may come next: prompts and versions in an include, variables in a tag, checks in a suppression, owners, fields.

use std::collections::BTreeSet;
use std::ops::Range;

use lsp_types::{CompletionItem, CompletionItemKind, CompletionResponse, CompletionTextEdit, Documentation, TextEdit};
use promptops_prompt::check::CHECKS;
use promptops_prompt::draft::FIELDS;
use promptops_prompt::owners::Owners;

use super::View;
use super::hover::{is_in_tag, text_of};
use crate::checks::OWNERS_FILE;

/// Completes what is being typed at a place.
pub fn complete(view: &View<'_>, byte: usize) -> Option<CompletionResponse> {
    let line = view.document.line_before(byte);
    let items = if let Some(typed) = include_name(line) {
        includes(view, typed, byte - typed.len()..byte)
    } else if let Some(typed) = suppressed(line) {
        checks(view, byte - typed.len()..byte)
    } else if is_in_tag(tail(&view.document.text, byte)) {
        variables(view, byte)
    } else if let Some(typed) = line.strip_prefix("owner:") {
        let typed = typed.trim_start();
        owners(view, byte - typed.len()..byte)
    } else if line.bytes().all(|byte| byte.is_ascii_lowercase()) {
        fields(view, byte - line.len()..byte)
    } else {
        Vec::new()
    };
    (!items.is_empty()).then_some(CompletionResponse::Array(items))
}

/// So far back a tag that is still open may begin.
const MAX_TAG_BYTES: usize = 2000;

fn tail(text: &str, byte: usize) -> &str {
    &text[text.ceil_char_boundary(byte.saturating_sub(MAX_TAG_BYTES))..byte]
}

/// So many earlier versions of a prompt are offered.
const MAX_EARLIER: usize = 20;

fn item(view: &View<'_>, span: Range<usize>, label: String, kind: CompletionItemKind, detail: Option<String>) -> CompletionItem {
    let edit = TextEdit { range: view.document.range(&span), new_text: label.clone() };
    CompletionItem {
        label,
        kind: Some(kind),
        detail,
        text_edit: Some(CompletionTextEdit::Edit(edit)),
        ..CompletionItem::default()
    }
}

/// Returns what is typed of the name of an include, if the line ends in one.
fn include_name(line: &str) -> Option<&str> {
    let tag = &line[line.rfind("{%")?..];
    let rest = tag[2..].trim_start_matches('-').trim_start().strip_prefix("include")?.trim_start();
    // In a text of YAML in double quotes, the quote is written `\"`.
    let name = rest.strip_prefix("\\\"").or_else(|| rest.strip_prefix(['"', '\'']))?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-@".contains(&byte)).then_some(name)
}

/// Offers every prompt in the version that the project holds, and once an id is typed its earlier versions, too.
fn includes(view: &View<'_>, typed: &str, span: Range<usize>) -> Vec<CompletionItem> {
    let Some(checked) = &view.workspace.checked else { return Vec::new() };
    let mut items = Vec::new();
    for summary in checked.summaries.iter().filter(|summary| !summary.has_messages && summary.path != view.path) {
        let inputs: Vec<&str> = summary.inputs.iter().map(|(name, _)| name.as_str()).collect();
        let detail = if inputs.is_empty() { None } else { Some(format!("needs {}", inputs.join(", "))) };
        items.push(item(view, span.clone(), summary.reference.to_string(), CompletionItemKind::MODULE, detail));
        let id = summary.reference.id.as_str();
        if typed.split_once('@').is_some_and(|(before, _)| before == id) {
            let earlier = (1..summary.reference.version.number()).rev().take(MAX_EARLIER);
            items.extend(earlier.map(|version| {
                item(
                    view,
                    span.clone(),
                    format!("{id}@{version}"),
                    CompletionItemKind::MODULE,
                    Some("an earlier version".to_owned()),
                )
            }));
        }
    }
    items
}

/// Returns what is typed of the id of a check, if the line ends in a suppression that has no reason yet.
fn suppressed(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("promptops:")?;
    let checks = rest.trim_start().strip_prefix("allow ")?;
    if checks.contains("--") {
        return None;
    }
    Some(checks.rsplit([',', ' ']).next().unwrap_or_default())
}

fn checks(view: &View<'_>, span: Range<usize>) -> Vec<CompletionItem> {
    let can_be_suppressed = CHECKS.iter().filter(|check| !check.is_firm && check.id != "unused-suppression");
    let items = can_be_suppressed.map(|check| {
        let found =
            item(view, span.clone(), check.id.to_owned(), CompletionItemKind::ENUM_MEMBER, Some(check.summary.to_owned()));
        CompletionItem { documentation: Some(Documentation::String(check.why.to_owned())), ..found }
    });
    items.collect()
}

fn variables(view: &View<'_>, byte: usize) -> Vec<CompletionItem> {
    let text = &view.document.text;
    let typed = text[..byte].bytes().rev().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let start = byte - typed;
    // After a dot it is a part of a value, and in quotes a text.
    if text[..start].ends_with(['.', '"', '\'']) {
        return Vec::new();
    }
    let detail = |schema: &serde_json::Value| schema.get("type").and_then(serde_json::Value::as_str).map(str::to_owned);
    let inputs = view.document.inputs.iter();
    inputs.map(|(name, schema)| item(view, start..byte, name.clone(), CompletionItemKind::VARIABLE, detail(schema))).collect()
}

fn owners(view: &View<'_>, span: Range<usize>) -> Vec<CompletionItem> {
    let Some(text) = text_of(view, OWNERS_FILE) else { return Vec::new() };
    let (owners, _) = Owners::parse(OWNERS_FILE, &text);
    let known: BTreeSet<&String> = owners.teams.keys().chain(owners.people.keys()).collect();
    known.into_iter().map(|name| item(view, span.clone(), name.clone(), CompletionItemKind::VALUE, None)).collect()
}

fn fields(view: &View<'_>, span: Range<usize>) -> Vec<CompletionItem> {
    let is_there = |field: &&str| view.document.text.lines().any(|line| line.starts_with(&format!("{field}:")));
    let missing = FIELDS.into_iter().filter(|field| !is_there(field));
    missing.map(|field| item(view, span.clone(), field.to_owned(), CompletionItemKind::FIELD, None)).collect()
}

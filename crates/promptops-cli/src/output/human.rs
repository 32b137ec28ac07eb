//! Findings for people: like a compiler's, with the source around the place.

use std::collections::HashMap;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use promptops_prompt::finding::{Finding, Label, Severity};

use crate::text_position::line_and_column;

/// Shows one finding. `texts` holds the files by path; a place in another file is named without its source.
pub fn render(finding: &Finding, texts: &HashMap<String, String>, is_coloured: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    // A key must not be printed into the log of a build just because it was found.
    let hides_source = finding.check == "secret";
    let mut group = level.primary_title(finding.message.as_str()).id(finding.check.as_str()).element_or_origin(
        &finding.primary,
        texts,
        hides_source,
    );
    for related in &finding.related {
        if related.location.path == finding.primary.location.path {
            continue;
        }
        group = push(group, related, AnnotationKind::Context, texts, false);
    }
    let mut report = vec![group];
    if let Some(hint) = &finding.hint {
        report.push(Group::with_title(Level::HELP.secondary_title(hint.as_str())));
    }
    let renderer = if is_coloured { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&report)
}

trait ElementOrOrigin<'a> {
    fn element_or_origin(self, label: &'a Label, texts: &'a HashMap<String, String>, hides_source: bool) -> Group<'a>;
}

impl<'a> ElementOrOrigin<'a> for annotate_snippets::Title<'a> {
    fn element_or_origin(self, label: &'a Label, texts: &'a HashMap<String, String>, hides_source: bool) -> Group<'a> {
        push(Group::with_title(self), label, AnnotationKind::Primary, texts, hides_source)
    }
}

fn push<'a>(
    group: Group<'a>,
    label: &'a Label,
    kind: AnnotationKind,
    texts: &'a HashMap<String, String>,
    hides_source: bool,
) -> Group<'a> {
    let path = label.location.path.as_str();
    let Some(text) = texts.get(path) else { return group.element(Origin::path(path)) };
    let span = clamp(text, &label.location.span);
    if hides_source || text.is_empty() {
        let (line, column) = line_and_column(text, span.start);
        return group.element(Origin::path(path).line(line).char_column(column));
    }
    let mut annotation = kind.span(span);
    if !label.text.is_empty() {
        annotation = annotation.label(label.text.as_str());
    }
    group.element(Snippet::source(text.as_str()).path(path).annotation(annotation))
}

/// Keeps a place inside the text, on the borders of characters, and on one line when it is a long block.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |mut byte: usize| {
        byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    };
    let start = floor(span.start);
    let end = floor(span.end).max(start);
    let first_line = text[start..end].find('\n').map_or(end, |at| start + at);
    start..first_line
}

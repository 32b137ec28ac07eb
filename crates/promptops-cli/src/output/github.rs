//! Findings as workflow commands of GitHub Actions, which become annotations of the pull request.

use std::collections::HashMap;

use promptops_prompt::finding::{Finding, Severity};

use crate::text_position::line_and_column;

/// Shows one finding as one line.
///
/// `prefix` leads from the repository to the project, and is empty or ends in `/`: the runner knows no project.
pub fn render(finding: &Finding, texts: &HashMap<String, String>, prefix: &str) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let location = &finding.primary.location;
    let place = |byte: usize| texts.get(&location.path).map_or((1, 1), |text| line_and_column(text, byte));
    let ((line, column), (end_line, end_column)) = (place(location.span.start), place(location.span.end));
    // The runner takes a last column only together with one line.
    let end = if end_line == line { format!(",endColumn={end_column}") } else { format!(",endLine={end_line}") };
    let message = match &finding.hint {
        Some(hint) => format!("{}\nhint: {hint}", finding.message),
        None => finding.message.clone(),
    };
    let (file, title) = (property(&format!("{prefix}{}", location.path)), property(&format!("promptops: {}", finding.check)));
    format!("::{command} file={file},line={line},col={column}{end},title={title}::{}", data(&message))
}

/// Escapes the text of a command, as the runner unescapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command, as the runner unescapes it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

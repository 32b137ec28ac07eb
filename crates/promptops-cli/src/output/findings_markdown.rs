//! Findings as Markdown: a table for a pull request or the summary of a job.

use std::fmt::Write as _;

use promptops_prompt::check::Check;

use super::markdown::{code, prose, text as plain};
use crate::checks::Checked;
use crate::text_position::line_and_column;

/// Shows the findings. `summary` is one line that says how it went.
pub fn document(checked: &Checked, summary: &str) -> String {
    let mut text = format!("{}\n", prose(summary));
    if !checked.findings.is_empty() {
        text.push_str("\n| | Check | Place | What |\n|---|---|---|---|\n");
    }
    for finding in &checked.findings {
        let location = &finding.primary.location;
        let place = match checked.texts.get(&location.path) {
            Some(file) => format!("{}:{}", location.path, line_and_column(file, location.span.start).0),
            None => location.path.clone(),
        };
        let check = match Check::find(&finding.check) {
            Some(check) => format!("[{}]({})", check.id, check.url()),
            None => plain(&finding.check),
        };
        let lines = finding.message.lines().chain(finding.hint.iter().flat_map(|hint| hint.lines()));
        let what = lines.map(prose).collect::<Vec<_>>().join("<br>");
        let _ = writeln!(text, "| {} | {check} | {} | {what} |", finding.severity.name(), code(&place));
    }
    if !checked.vanished.is_empty() {
        text.push_str("\nGone since the baseline was written:\n\n");
        for known in &checked.vanished {
            let _ = writeln!(text, "- {} in {}: {}", plain(&known.check), code(&known.path), prose(&known.message));
        }
    }
    text
}

//! Findings as Markdown: a table for a pull request or the summary of a job.

use std::fmt::Write as _;

use promptops_prompt::check::Check;

use crate::checks::Checked;
use crate::text_position::line_and_column;

/// Shows the findings. `summary` is one line that says how it went.
pub fn document(checked: &Checked, summary: &str) -> String {
    let mut text = format!("{}\n", escape(summary));
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
            None => finding.check.clone(),
        };
        let mut what = escape(&finding.message);
        what.extend(finding.hint.iter().map(|hint| format!("<br>{}", escape(hint))));
        let _ = writeln!(text, "| {} | {check} | `{}` | {what} |", finding.severity.name(), place.replace('`', "'"));
    }
    if !checked.vanished.is_empty() {
        text.push_str("\nGone since the baseline was written:\n\n");
        for known in &checked.vanished {
            let _ = writeln!(text, "- {} in `{}`: {}", known.check, known.path.replace('`', "'"), escape(&known.message));
        }
    }
    text
}

/// Keeps what people wrote from ending a cell or beginning a tag. Words in backticks stay code.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut is_code = false;
    for character in text.chars() {
        match character {
            '`' => {
                is_code = !is_code;
                escaped.push('`');
            }
            '|' => escaped.push_str("\\|"),
            '\n' => escaped.push_str("<br>"),
            '\r' => {}
            '<' if !is_code => escaped.push_str("&lt;"),
            '*' | '_' | '[' | ']' if !is_code => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_in_its_cell() {
        assert_eq!(escape("a | b\n<b> `x < |y|` *z*"), "a \\| b<br>&lt;b> `x < \\|y\\|` \\*z\\*");
    }
}

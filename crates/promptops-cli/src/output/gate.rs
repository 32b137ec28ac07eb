//! The report of the gate: for people and for a pull request. The last lines say how it ended and why.

use std::fmt::Write as _;

use promptops_prompt::change::Class;

use super::markdown::{code, fence, prose};
use super::visible::one_line;
use super::{eval_human, eval_markdown};
use crate::gate::{ChangedV1, CheckV1, GateV1};
use crate::printer::{BOLD, DIM, GREEN, Printer, RED, YELLOW};

/// Shows the report to people.
pub fn human(report: &GateV1, printer: &Printer) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} against {}", printer.paint(BOLD, "gate"), report.base);
    let check = &report.check;
    let _ = writeln!(text, "  {}", checked(check));
    if report.prompts.is_empty() {
        text.push_str("  no prompt changed\n");
    }
    for changed in &report.prompts {
        let style = match changed.class {
            Class::Breaking => RED,
            Class::Behavioural => YELLOW,
            Class::Compatible => GREEN,
            Class::Metadata => DIM,
        };
        let _ = writeln!(text, "  {}: {}", step(changed), printer.paint(style, changed.class.name()));
        for change in &changed.changes {
            let _ = writeln!(text, "    {} {}: {}", change.class, change.part, one_line(&change.reason));
        }
    }
    for report in &report.reports {
        text.push('\n');
        text.push_str(&eval_human::render(report, printer));
    }
    if !report.notes.is_empty() {
        text.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {}", one_line(note));
    }
    let style = match report.verdict {
        "passed" => GREEN,
        "inconclusive" => YELLOW,
        _ => RED,
    };
    let _ = writeln!(text, "\ngate {}", printer.paint(style, report.verdict));
    for reason in &report.reasons {
        let _ = writeln!(text, "  {}", one_line(reason));
    }
    text
}

/// Shows the report as Markdown; `findings` are those of the checks, as people see them.
pub fn markdown(report: &GateV1, findings: &str) -> String {
    let mut text = format!("## Prompt gate: {}\n\n", report.verdict);
    for reason in &report.reasons {
        let _ = writeln!(text, "- {}", prose(reason));
    }
    if !report.reasons.is_empty() {
        text.push('\n');
    }
    let check = &report.check;
    let _ = writeln!(text, "{}.", checked(check));
    if !findings.trim().is_empty() {
        let _ = writeln!(text, "\n<details><summary>Findings</summary>\n\n{}\n</details>", fence(findings));
    }
    if !report.prompts.is_empty() {
        text.push_str("\n| prompt | class | changes |\n|---|---|---|\n");
    }
    for changed in &report.prompts {
        let changes: Vec<String> =
            changed.changes.iter().map(|change| format!("{}: {}", change.part, prose(&change.reason))).collect();
        let _ = writeln!(text, "| {} | {} | {} |", code(&step(changed)), changed.class, changes.join("<br>"));
    }
    for report in &report.reports {
        text.push('\n');
        text.push_str(&eval_markdown::render(report));
    }
    if !report.notes.is_empty() {
        text.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(text, "- note: {}", prose(note));
    }
    text
}

fn checked(check: &CheckV1) -> String {
    let (files, errors) = (counted(check.files, "prompt"), counted(check.errors, "error"));
    format!("{files} checked: {errors}, {}", counted(check.warnings, "warning"))
}

/// Writes a number of things.
pub fn counted(count: usize, name: &str) -> String {
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

fn step(changed: &ChangedV1) -> String {
    match (&changed.from, &changed.to) {
        (Some(from), Some(to)) if from == to => to.to_string(),
        (Some(from), Some(to)) => format!("{from} → {}", to.version),
        (None, Some(to)) => format!("{to} (new)"),
        (from, None) => format!("{} (removed)", from.as_ref().map_or_else(|| changed.id.to_string(), ToString::to_string)),
    }
}

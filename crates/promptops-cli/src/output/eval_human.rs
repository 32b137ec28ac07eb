//! A report of an evaluation for people.

use std::fmt::Write as _;

use promptops_eval::report::v1::{Change, EarlyStop, Flip, Metric, Outcome, Prices, Report, Side};

use super::visible::one_line;
use crate::printer::{BOLD, DIM, GREEN, Printer, RED, YELLOW};

/// How many changed cases are shown in each direction.
const SHOWN_FLIPS: usize = 5;
/// How much of a text is shown.
const SHOWN_CHARACTERS: usize = 100;

/// Shows one report: the figures, what changed, what it took, the verdict.
pub fn render(report: &Report, printer: &Printer) -> String {
    let mut text = String::new();
    let against = report.parent.as_ref().map_or_else(|| "no parent".to_owned(), |parent| format!("against {}", parent.prompt));
    let title = printer.paint(BOLD, &report.candidate.prompt.to_string());
    let repeats = if report.dataset.repeats > 1 { format!(" × {}", report.dataset.repeats) } else { String::new() };
    let _ = writeln!(text, "{title} {against} · {} · {} cases{repeats}", report.eval, report.dataset.cases);
    let _ = writeln!(text, "{}", models(report));
    text.push('\n');
    text.push_str(&table(report, printer));
    let note = format!(
        "  Differences in points of 100, paired by case, with {:.0}% intervals. Detects: the smallest true loss found {:.0} times of 100.\n",
        100.0 * report.level,
        100.0 * report.power
    );
    if report.parent.is_some() {
        text.push_str(&printer.paint(DIM, &note));
    }
    if let Some(early_stop) = &report.early_stop {
        let _ = writeln!(text, "  {}", early_stop_text(early_stop));
    }
    text.push_str(&labels(report));
    for metric in &report.metrics {
        if let Some(judge) = metric.judge_text() {
            let _ = writeln!(text, "  {}: {judge}", one_line(&metric.name));
        }
    }
    text.push_str(&slices(report));
    text.push_str(&flips(report));
    text.push_str(&must_pass(report));
    text.push('\n');
    for side in [Some(&report.candidate), report.parent.as_ref()].into_iter().flatten() {
        let _ = writeln!(text, "  {}", totals(side, report.prices.as_ref()));
    }
    text.push('\n');
    text.push_str(&verdict(report, printer));
    text
}

fn models(report: &Report) -> String {
    let sides = [Some(&report.candidate), report.parent.as_ref()].into_iter().flatten();
    let mut names: Vec<String> = Vec::new();
    for answered in sides.flat_map(|side| &side.answered_by) {
        let note = answered.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        let name = one_line(&format!("{}{note}", answered.model));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { "no model answered".to_owned() } else { format!("answered by {}", names.join(" and ")) }
}

fn table(report: &Report, printer: &Printer) -> String {
    let header = ["metric", "parent", "candidate", "difference", "margin", "detects", "verdict"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(report.metrics.iter().map(row));
    let widths: Vec<usize> = (0..7).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => line.push_str(&format!(" {cell:<width$}")),
                6 if index > 0 => line.push_str(&format!("  {}", printer.paint(style(cell), cell))),
                6 => line.push_str(&format!("  {cell}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row(metric: &Metric) -> [String; 7] {
    let dash = || "-".to_owned();
    [
        one_line(&metric.name),
        metric.parent.as_ref().map_or_else(dash, |parent| metric.value_text(parent)),
        metric.value_text(&metric.candidate),
        metric.difference.as_ref().map_or_else(dash, |difference| metric.difference_text(difference)),
        if metric.guarded { metric.amount_text(metric.margin) } else { dash() },
        metric.minimum_detectable_effect.map_or_else(dash, |effect| metric.amount_text(effect)),
        metric.verdict.clone(),
    ]
}

fn style(verdict: &str) -> anstyle::Style {
    match verdict {
        "pass" => GREEN,
        "regressed" | "below-minimum" | "above-maximum" | "refused" => RED,
        _ => YELLOW,
    }
}

/// Says how far a run went that could stop early.
pub fn early_stop_text(early_stop: &EarlyStop) -> String {
    let EarlyStop { cases, of_cases, .. } = early_stop;
    if early_stop.stopped {
        return format!(
            "Stopped after {cases} of {of_cases} cases, in random order: the verdict stands. Intervals hold at every moment."
        );
    }
    format!("Looked at under way, and no verdict stood before all {of_cases} cases were asked.")
}

/// Shows the slices that are worse, and counts the others.
fn slices(report: &Report) -> String {
    let mut text = String::new();
    for slice in report.slices.iter().filter(|slice| slice.worse) {
        let Some(metric) = report.metrics.iter().find(|metric| metric.name == slice.metric) else { continue };
        let difference = metric.difference_text(&slice.difference);
        let place = one_line(&format!("{} is `{}`: {}", slice.column, slice.value, slice.metric));
        let _ = writeln!(text, "  worse where {place} {difference}");
    }
    let others = report.slices.iter().filter(|slice| !slice.worse).count();
    if others > 0 {
        let of = if report.slices.len() == 1 { "comparison" } else { "comparisons" };
        let _ = writeln!(text, "  slices: {others} of {} {of} show no loss of their own", report.slices.len());
    }
    text
}

fn labels(report: &Report) -> String {
    let mut text = String::new();
    for metric in &report.metrics {
        let Some(labels) = &metric.labels else { continue };
        let share = |f1: Option<f64>| f1.map_or_else(|| "-".to_owned(), |f1| format!("{f1:.3}"));
        let parent = labels.parent.as_ref().map_or_else(String::new, |parent| format!("{} → ", share(parent.macro_f1)));
        let _ = writeln!(text, "  {}: macro-F1 {parent}{}", one_line(&metric.name), share(labels.candidate.macro_f1));
    }
    text
}

fn flips(report: &Report) -> String {
    let mut text = String::new();
    for metric in &report.metrics {
        for (change, word) in [(Change::PassToFail, "lost"), (Change::FailToPass, "won")] {
            let flips: Vec<&Flip> =
                report.flips.iter().filter(|flip| flip.metric == metric.name && flip.change == change).collect();
            if flips.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n  {}: {word} {}", one_line(&metric.name), cases(flips.len()));
            for flip in flips.iter().take(SHOWN_FLIPS) {
                let critical = if flip.must_pass { " (must pass)" } else { "" };
                let _ = writeln!(text, "    {}{critical}: {}", one_line(&flip.case), input(flip));
                let _ = writeln!(text, "      parent {} · candidate {}", outcome(&flip.parent), outcome(&flip.candidate));
            }
            if flips.len() > SHOWN_FLIPS {
                let _ = writeln!(text, "    … and {} more; `--format json` has them all", flips.len() - SHOWN_FLIPS);
            }
        }
    }
    text
}

/// Shows the variables of a case: the value alone where there is only one.
pub fn input(flip: &Flip) -> String {
    let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = match flip.input.len() {
        1 => flip.input.values().map(shown).collect::<String>(),
        _ => flip.input.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>().join(", "),
    };
    format!("“{}”", clip(&text))
}

/// Shows what became of a case: the answer, or why there is none.
pub fn outcome(outcome: &Outcome) -> String {
    match (&outcome.answer, &outcome.note) {
        (Some(answer), _) => format!("`{}`", clip(answer)),
        (None, Some(note)) => clip(note),
        (None, None) => "no answer".to_owned(),
    }
}

/// Returns the beginning of a text, on one line.
pub fn clip(text: &str) -> String {
    let line = one_line(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    match line.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn must_pass(report: &Report) -> String {
    let must_pass = &report.must_pass;
    if must_pass.cases == 0 {
        return String::new();
    }
    let mut text = String::new();
    let passed = must_pass.cases - must_pass.failures();
    let _ = writeln!(text, "\n  must pass: {passed} of {} do", must_pass.cases);
    for failed in must_pass.failed.iter().take(SHOWN_FLIPS) {
        let note = failed.note.as_deref().unwrap_or("fails");
        let (case, metrics) = (one_line(&failed.case), one_line(&failed.metrics.join(", ")));
        let _ = writeln!(text, "    {case} (line {}): {metrics}: {}", failed.line, clip(note));
    }
    text
}

/// Says what a run took, and by which prices it cost that.
pub fn totals(side: &Side, prices: Option<&Prices>) -> String {
    let totals = &side.totals;
    let mut parts = vec![format!("{}: {} answers", side.prompt, totals.calls)];
    if let Some(tokens) = totals.tokens {
        parts.push(format!("{} tokens in, {} out", tokens.input, tokens.output));
    }
    if let (Some(p50), Some(p95)) = (totals.latency_ms_p50, totals.latency_ms_p95) {
        parts.push(format!("latency p50 {p50:.0} ms, p95 {p95:.0} ms"));
    }
    if let (Some(p50), Some(p95)) = (totals.first_token_ms_p50, totals.first_token_ms_p95) {
        parts.push(format!("first token p50 {p50:.0} ms, p95 {p95:.0} ms"));
    }
    if let Some(cost) = totals.cost_usd {
        let by = prices.map_or_else(String::new, |prices| format!(" (prices: {}, {})", prices.source, prices.date));
        parts.push(format!("{cost:.4} USD{by}"));
    }
    for (class, count) in &totals.failures {
        parts.push(format!("{count} failed ({class})"));
    }
    parts.join(" · ")
}

/// Says the verdict and why, last.
pub fn verdict(report: &Report, printer: &Printer) -> String {
    let name = printer.paint(style(&report.verdict), &report.verdict);
    let mut text = format!("{}: {name}\n", report.candidate.prompt);
    for reason in &report.reasons {
        let _ = writeln!(text, "  {}", one_line(reason));
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  {}: {}", printer.paint(YELLOW, "warning"), one_line(warning));
    }
    text
}

/// Writes a number of cases.
pub fn cases(count: usize) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

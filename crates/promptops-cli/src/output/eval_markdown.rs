//! A report of an evaluation as Markdown, for a pull request.

use std::fmt::Write as _;

use promptops_eval::report::v1::{Change, Outcome, Report};

use super::eval_human::{cases, clip, early_stop_text, input};
use super::markdown::{code, prose, text as plain};

/// How many changed cases are shown in each direction.
const SHOWN_FLIPS: usize = 20;

/// Shows one report.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let against = report.parent.as_ref().map_or_else(|| "no parent".to_owned(), |parent| format!("against `{}`", parent.prompt));
    let _ = writeln!(text, "### `{}` {against}: {}\n", report.candidate.prompt, report.verdict);
    for reason in &report.reasons {
        let _ = writeln!(text, "- {}", prose(reason));
    }
    if !report.reasons.is_empty() {
        text.push('\n');
    }
    text.push_str("| metric | parent | candidate | difference | margin | detects | verdict |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---|\n");
    for metric in &report.metrics {
        let dash = || "–".to_owned();
        let cells = [
            plain(&metric.name),
            metric.parent.as_ref().map_or_else(dash, |parent| metric.value_text(parent)),
            metric.value_text(&metric.candidate),
            metric.difference.as_ref().map_or_else(dash, |difference| metric.difference_text(difference)),
            if metric.guarded { metric.amount_text(metric.margin) } else { dash() },
            metric.minimum_detectable_effect.map_or_else(dash, |effect| metric.amount_text(effect)),
            format!("**{}**", metric.verdict),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for metric in &report.metrics {
        if let Some(judge) = metric.judge_text() {
            let _ = writeln!(text, "\n{}: {}", plain(&metric.name), prose(&judge));
        }
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "\n⚠ {}", prose(warning));
    }
    if let Some(early_stop) = &report.early_stop {
        let _ = writeln!(text, "\n{}", early_stop_text(early_stop));
    }
    let models: Vec<String> = report
        .candidate
        .answered_by
        .iter()
        .map(|model| {
            let note = model.note.as_ref().map_or_else(String::new, |note| format!(" ({})", plain(note)));
            format!("{}{note}", code(&model.model))
        })
        .collect();
    let _ = writeln!(
        text,
        "\n{} of {}, answered by {}. Differences in points of 100, paired by case, with {:.0}% intervals.",
        cases(usize::try_from(report.dataset.cases).unwrap_or(usize::MAX)),
        code(&report.dataset.path),
        if models.is_empty() { "no model".to_owned() } else { models.join(", ") },
        100.0 * report.level
    );
    text.push_str(&costs(report));
    text.push_str(&flips(report));
    text
}

/// Shows what either version takes: it may be as good and cost twice as much.
fn costs(report: &Report) -> String {
    let mut text =
        "\n| version | answers | tokens in | tokens out | cost | latency p50 | p95 |\n|---|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for side in report.parent.iter().chain([&report.candidate]) {
        let totals = &side.totals;
        let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let milliseconds = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), |time| format!("{time:.0} ms"));
        let failed: u64 = totals.failures.values().sum();
        let answers = if failed == 0 { totals.calls.to_string() } else { format!("{} ({failed} failed)", totals.calls) };
        let _ = writeln!(
            text,
            "| `{}` | {answers} | {} | {} | {} | {} | {} |",
            side.prompt,
            number(totals.tokens.map(|tokens| tokens.input)),
            number(totals.tokens.map(|tokens| tokens.output)),
            totals.cost_usd.map_or_else(|| "–".to_owned(), |cost| format!("{cost:.4} USD")),
            milliseconds(totals.latency_ms_p50),
            milliseconds(totals.latency_ms_p95),
        );
    }
    text
}

fn flips(report: &Report) -> String {
    let mut text = String::new();
    for (change, word) in [(Change::PassToFail, "Lost"), (Change::FailToPass, "Won")] {
        let flips: Vec<_> = report.flips.iter().filter(|flip| flip.change == change).collect();
        if flips.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n<details><summary>{word}: {}</summary>\n", cases(flips.len()));
        text.push_str("| metric | case | input | parent | candidate |\n|---|---|---|---|---|\n");
        for flip in flips.iter().take(SHOWN_FLIPS) {
            let said = [plain(&flip.metric), plain(&flip.case), plain(&input(flip))];
            let cells = [said.as_slice(), &[outcome(&flip.parent), outcome(&flip.candidate)]].concat();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if flips.len() > SHOWN_FLIPS {
            let _ = writeln!(text, "\n… and {} more", flips.len() - SHOWN_FLIPS);
        }
        text.push_str("\n</details>\n");
    }
    text
}

/// Shows what became of a case: the answer, or why there is none.
fn outcome(outcome: &Outcome) -> String {
    match (&outcome.answer, &outcome.note) {
        (Some(answer), _) => code(&clip(answer)),
        (None, Some(note)) => prose(&clip(note)),
        (None, None) => "no answer".to_owned(),
    }
}

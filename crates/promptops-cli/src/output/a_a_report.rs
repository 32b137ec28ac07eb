//! What came of holding a version against itself.

use std::fmt::Write as _;

use promptops_eval::Spec;
use promptops_eval::compare::ALARM;
use promptops_eval::compare::a_a::FalseAlarms;
use promptops_prompt::PromptRef;
use serde::Serialize;

use crate::printer::{BOLD, GREEN, Printer, RED};

/// The result as JSON. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
pub struct AaV1 {
    /// The eval file.
    pub eval: String,
    /// The version.
    pub prompt: PromptRef,
    /// `repeats` or `cases`.
    pub split: &'static str,
    /// Comparisons that were made.
    pub comparisons: u64,
    /// Cases in each of them.
    pub cases: u64,
    /// Those that were refused: false alarms.
    pub false_alarms: u64,
    /// Their rate.
    pub rate: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// The rate that the gate promises.
    pub promised: f64,
    /// Whether the promise is kept, as far as so many comparisons can tell.
    pub kept: bool,
    /// Comparisons in which every metric passed.
    pub passed: u64,
    /// Comparisons without a verdict.
    pub inconclusive: u64,
    /// False alarms by metric.
    pub by_metric: Vec<MetricAlarmsV1>,
}

/// False alarms of one metric.
#[derive(Debug, Serialize)]
pub struct MetricAlarmsV1 {
    /// Its name.
    pub name: String,
    /// How many.
    pub false_alarms: u64,
}

impl AaV1 {
    /// Writes down what was measured.
    pub fn new(spec: &Spec, prompt: PromptRef, found: &FalseAlarms) -> Self {
        let by_metric = spec.metrics.iter().zip(&found.by_metric);
        Self {
            eval: spec.path.clone(),
            prompt,
            split: found.split.as_str(),
            comparisons: found.comparisons,
            cases: found.cases as u64,
            false_alarms: found.regressed,
            rate: found.regressed as f64 / found.comparisons as f64,
            interval: [found.interval.low, found.interval.high],
            promised: ALARM,
            kept: found.interval.low <= ALARM,
            passed: found.passed,
            inconclusive: found.inconclusive,
            by_metric: by_metric
                .map(|(metric, alarms)| MetricAlarmsV1 { name: metric.name.value.clone(), false_alarms: *alarms })
                .collect(),
        }
    }

    /// Shows it to people.
    pub fn render(&self, printer: &Printer) -> String {
        let mut text = String::new();
        let [low, high] = self.interval.map(|end| 100.0 * end);
        let (title, count) = (printer.paint(BOLD, &self.prompt.to_string()), self.comparisons);
        let _ = writeln!(text, "{title} against itself · {} · {count} random splits by {}", self.eval, self.split);
        let _ = writeln!(text, "  {} cases a side", self.cases);
        let style = if self.kept { GREEN } else { RED };
        let alarms = printer.paint(style, &format!("{} called regressed", self.false_alarms));
        let promised = 100.0 * self.promised;
        let _ = writeln!(text, "  {alarms}: {:.1}% [{low:.1}, {high:.1}], promised is at most {promised:.0}%", 100.0 * self.rate);
        let _ = writeln!(text, "  {} passed, {} inconclusive", self.passed, self.inconclusive);
        if self.by_metric.len() > 1 {
            for metric in &self.by_metric {
                let _ = writeln!(text, "    {}: {} called regressed", metric.name, metric.false_alarms);
            }
        }
        text
    }
}

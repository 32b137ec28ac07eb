//! What an eval file can show before it is run, and how many cases it takes.

use std::fmt::Write as _;

use promptops_eval::Spec;
use promptops_eval::compare::plan::MetricPlan;
use promptops_eval::compare::{ALPHA, POWER};
use promptops_eval::dataset::Dataset;
use promptops_eval::spec::MarginScale;
use promptops_prompt::PromptRef;
use serde::Serialize;

use super::table::{Align, Table};
use crate::printer::{BOLD, DIM, Printer};

/// The plan of one eval file as JSON. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
pub struct PlanV1 {
    /// The eval file.
    pub eval: String,
    /// The version.
    pub prompt: PromptRef,
    /// Cases of the dataset.
    pub cases: u64,
    /// Answers per case.
    pub repeats: u32,
    /// The share of cases on which two versions are taken to differ where nothing was seen.
    pub assumed_discordance: f64,
    /// The metrics that decide.
    pub metrics: Vec<MetricPlanV1>,
}

/// The plan of one metric.
#[derive(Debug, Serialize)]
pub struct MetricPlanV1 {
    /// Its name.
    pub name: String,
    /// How much worse a version may be.
    pub margin: f64,
    /// `absolute` or `ratio`.
    pub margin_scale: &'static str,
    /// `observed` in recorded answers, `assumed`, or `unknown` for a quantity that was never measured.
    pub basis: &'static str,
    /// The variance of one case's difference.
    pub variance: Option<f64>,
    /// How much larger clusters make the variance of the mean.
    pub design_effect: Option<f64>,
    /// The smallest true loss that the dataset finds with probability 0.8.
    pub minimum_detectable_effect: Option<f64>,
    /// The chance that a version which is exactly as good as its parent passes.
    pub pass_when_equal: Option<f64>,
    /// Cases without which nothing can pass.
    pub cases_to_pass: Option<u64>,
    /// Cases that make that chance 0.8, by the number of repeats.
    pub required: Vec<RequiredV1>,
}

/// Cases that are required.
#[derive(Debug, Serialize)]
pub struct RequiredV1 {
    /// Answers per case.
    pub repeats: u32,
    /// Cases.
    pub cases: u64,
}

impl PlanV1 {
    /// Writes down what was worked out.
    pub fn new(spec: &Spec, dataset: &Dataset, prompt: PromptRef, assumed_discordance: f64, plans: &[MetricPlan]) -> Self {
        let metric = |found: &MetricPlan| {
            let metric = &spec.metrics[found.metric];
            let plan = found.plan.as_ref();
            let assumption = found.assumption.as_ref();
            MetricPlanV1 {
                name: metric.name.value.clone(),
                margin: metric.margin,
                margin_scale: match metric.scale {
                    MarginScale::Absolute => "absolute",
                    MarginScale::Ratio => "ratio",
                },
                basis: match (assumption, found.is_observed) {
                    (None, _) => "unknown",
                    (Some(_), true) => "observed",
                    (Some(_), false) => "assumed",
                },
                variance: assumption.map(|known| known.variance.deviation(known.repeats, known.repeats).powi(2)),
                design_effect: assumption.map(|known| known.design_effect),
                minimum_detectable_effect: plan.map(|plan| plan.minimum_detectable),
                pass_when_equal: plan.map(|plan| plan.pass_when_equal),
                cases_to_pass: plan.and_then(|plan| plan.cases_to_pass),
                required: plan.map_or_else(Vec::new, |plan| {
                    plan.cases_by_repeats.iter().map(|(repeats, cases)| RequiredV1 { repeats: *repeats, cases: *cases }).collect()
                }),
            }
        };
        Self {
            eval: spec.path.clone(),
            prompt,
            cases: dataset.len() as u64,
            repeats: spec.repeats,
            assumed_discordance,
            metrics: plans.iter().map(metric).collect(),
        }
    }

    /// Shows the plan to people.
    pub fn render(&self, printer: &Printer) -> String {
        let mut text = String::new();
        let repeats = if self.repeats > 1 { format!(" × {}", self.repeats) } else { String::new() };
        let title = printer.paint(BOLD, &self.prompt.to_string());
        let _ = writeln!(text, "{title} · {} · {} cases{repeats}\n", self.eval, self.cases);
        let columns = ["margin", "detects", "passes if equal", "cases needed"].map(|name| (name, Align::Right));
        let mut table = Table::new(&[&[("metric", Align::Left)], &columns[..], &[("variance", Align::Left)]].concat());
        self.metrics.iter().for_each(|metric| table.row(metric.row(self.repeats)));
        text.push_str(&table.render(printer));
        let _ = writeln!(
            text,
            "\n{}",
            printer.paint(
                DIM,
                &format!(
                    "  Detects: the smallest true loss found {:.0} times of 100. Cases needed: so many that a version exactly as good as\n  \
                     its parent passes {:.0} times of 100; one that is worse by the margin passes at most {:.0} times.",
                    100.0 * POWER,
                    100.0 * POWER,
                    100.0 * ALPHA
                )
            )
        );
        for metric in &self.metrics {
            text.push_str(&metric.advice(self));
        }
        text
    }
}

impl MetricPlanV1 {
    fn amount(&self, value: f64) -> String {
        match self.margin_scale {
            "ratio" => format!("{:.1} %", 100.0 * value),
            // Margins of shares are below one; those of quantities are in their unit.
            _ if self.margin < 1.0 => format!("{:.1}", 100.0 * value),
            _ => format!("{value:.0}"),
        }
    }

    fn row(&self, repeats: u32) -> Vec<String> {
        let dash = || "-".to_owned();
        let needed = self.required.iter().find(|required| required.repeats == repeats);
        vec![
            self.name.clone(),
            self.amount(self.margin),
            self.minimum_detectable_effect.map_or_else(dash, |effect| self.amount(effect)),
            self.pass_when_equal.map_or_else(dash, |chance| format!("{:.0}%", 100.0 * chance)),
            needed.map_or_else(dash, |needed| needed.cases.to_string()),
            self.variance.map_or_else(|| self.basis.to_owned(), |variance| format!("{variance:.4} {}", self.basis)),
        ]
    }

    fn advice(&self, plan: &PlanV1) -> String {
        let mut text = String::new();
        match self.basis {
            "unknown" => {
                let _ = writeln!(text, "  {}: how much it varies is known after a first run", self.name);
            }
            "assumed" => {
                let share = 100.0 * plan.assumed_discordance;
                let _ = writeln!(
                    text,
                    "  {}: two versions are taken to differ on {share:.0}% of the cases; `--discordance` sets another share, and recorded \
                     answers of both versions show the real one",
                    self.name
                );
            }
            _ => {}
        }
        if let Some(floor) = self.cases_to_pass.filter(|floor| *floor > plan.cases) {
            let _ = writeln!(text, "  {}: with fewer than {floor} cases nothing passes, even if no answer changes", self.name);
        }
        let others: Vec<String> = self
            .required
            .iter()
            .filter(|required| required.repeats != plan.repeats)
            .map(|required| format!("{} with {} repeats", required.cases, required.repeats))
            .collect();
        if !others.is_empty() {
            let _ = writeln!(text, "  {}: cases needed would be {}", self.name, others.join(", "));
        }
        text
    }
}

//! Version 1 of the report, as JSON. Fields may be added; none changes its meaning.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use promptops_prompt::{Digest, PromptRef};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::client::{ErrorClass, Usage};
use crate::scorer::Unit;

/// The value of [`Report::format`].
pub const FORMAT: &str = "promptops-eval/1";

/// What one evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// The eval file.
    pub eval: String,
    /// `pass`, `refused`, `inconclusive` or `no-baseline`.
    pub verdict: String,
    /// Why it is not a pass, in sentences with figures.
    pub reasons: Vec<String>,
    /// The confidence level of every interval. Where the run could stop early those of differences hold at every moment at once.
    pub level: f64,
    /// The chance that a version which is not worse is called regressed on any metric.
    pub alarm: f64,
    /// The probability with which the minimum detectable effect would be found.
    pub power: f64,
    /// What was asked.
    pub dataset: Dataset,
    /// The digest of everything that turns answers into scores.
    pub scorers: Digest,
    /// The version that is proposed.
    pub candidate: Side,
    /// The version it is held against.
    pub parent: Option<Side>,
    /// What was measured, in the order of the eval file.
    pub metrics: Vec<Metric>,
    /// Parts of the dataset, each compared by itself.
    pub slices: Vec<Slice>,
    /// What does not decide and should be looked at: losses within the margin, slices that are worse.
    pub warnings: Vec<String>,
    /// Answers about which nothing is known.
    pub errors: Errors,
    /// How far the run went, where it could stop as soon as its verdict stood.
    pub early_stop: Option<EarlyStop>,
    /// The cases that must pass.
    pub must_pass: MustPass,
    /// The cases that pass on one side only; those that the candidate loses come first.
    pub flips: Vec<Flip>,
    /// Cases that pass on one side alone and are not listed, because there are too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_flips: u64,
    /// Where the prices come from by which costs are counted, where one is from a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// The path.
    pub path: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its cases.
    pub cases: u64,
    /// How often each was asked.
    pub repeats: u32,
}

/// One version and its run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The version.
    pub prompt: PromptRef,
    /// The digest of its content.
    pub digest: Digest,
    /// The model that was asked for.
    pub model: String,
    /// The models that answered, as the provider names them.
    pub answered_by: Vec<AnsweredBy>,
    /// The digest of parameters and tools.
    pub parameters: Digest,
    /// Runs with equal keys had the same dataset, scorers, repeats, models and parameters: only the prompts differ.
    pub comparability_key: Digest,
    /// What the run took.
    pub totals: Totals,
}

/// A model that answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// Its name, as the provider states it.
    pub model: String,
    /// The backend's fingerprint, where there is one.
    pub fingerprint: Option<String>,
    /// Answers it gave.
    pub calls: u64,
    /// What a reader must know about it.
    pub note: Option<String>,
}

/// What a run took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Answers that were needed: cases times repeats.
    pub calls: u64,
    /// Those that were not given, by class.
    pub failures: BTreeMap<ErrorClass, u64>,
    /// Tokens, where the provider counts them.
    pub tokens: Option<Usage>,
    /// Median latency in milliseconds.
    pub latency_ms_p50: Option<f64>,
    /// 95th percentile of the latency in milliseconds.
    pub latency_ms_p95: Option<f64>,
    /// Median time to the first piece of an answer in milliseconds, where answers were streamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms_p50: Option<f64>,
    /// 95th percentile of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms_p95: Option<f64>,
    /// US dollars, where the price is known.
    pub cost_usd: Option<f64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A table of prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// Where it comes from, for people.
    pub source: String,
    /// The day for which it states prices.
    pub date: NaiveDate,
    /// The digest of the file that was taken over.
    pub digest: Digest,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// `pass`, `regressed`, `below-minimum`, `above-maximum`, `inconclusive`, `no-baseline` or `unguarded`.
    pub verdict: String,
    /// Why, where it is not plainly a pass.
    pub reason: Option<String>,
    /// What values are measured in.
    pub unit: Unit,
    /// Whether the metric decides.
    pub guarded: bool,
    /// How much worse the candidate may be.
    pub margin: f64,
    /// Whether margin, difference and detectable effect are in the metric's unit or shares of the parent's value.
    pub margin_scale: Scale,
    /// The lowest accepted value.
    pub minimum: Option<f64>,
    /// The highest accepted value.
    pub maximum: Option<f64>,
    /// Whether the candidate is surely better.
    pub improved: bool,
    /// Whether the candidate is surely worse although it passes: by less than the margin.
    pub worse_within_margin: bool,
    /// The candidate's value.
    pub candidate: Value,
    /// The parent's value.
    pub parent: Option<Value>,
    /// Candidate minus parent, paired by case.
    pub difference: Option<Difference>,
    /// The smallest true loss that this comparison would find with [`Report::power`].
    pub minimum_detectable_effect: Option<f64>,
    /// The probability of a loss as large as the one seen if both versions were equally good.
    pub p_worse: Option<f64>,
    /// The same, adjusted for the number of guarded metrics (Holm): a metric is called regressed at [`Report::alarm`] or below.
    pub p_worse_adjusted: Option<f64>,
    /// The same by a test that assumes less (McNemar's exact one, or random signs by cluster); it decides nothing.
    pub p_exact: Option<f64>,
    /// Details of a classification.
    pub labels: Option<Labels>,
    /// How far the judge agrees with people, where it is held against them.
    pub judge: Option<Judge>,
}

/// A judge held against people, and the share of answers that pass once its errors are taken out (Rogan and Gladen).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// Answers that people have judged.
    pub labelled: u64,
    /// Those about which the judge said nothing of use.
    pub unjudged: u64,
    /// The share of good answers that the judge passes (q1).
    pub sensitivity: f64,
    /// The share of bad answers that the judge fails (q0).
    pub specificity: f64,
    /// Cohen's kappa; none where all are judged alike.
    pub kappa: Option<f64>,
    /// The candidate's corrected share; its interval counts the uncertainty of the calibration. None for a judge that is no better
    /// than a coin.
    pub candidate: Option<Value>,
    /// The parent's corrected share.
    pub parent: Option<Value>,
    /// The difference of the metric divided by `sensitivity + specificity - 1`: what it is if the judge errs alike on both sides.
    pub difference: Option<f64>,
}

/// Whether a figure is in the metric's unit or relative to the parent's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// In the metric's unit.
    Absolute,
    /// A share of the parent's value.
    Ratio,
}

/// One metric on a part of the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The column whose value the cases share.
    pub column: String,
    /// The value.
    pub value: String,
    /// The metric.
    pub metric: String,
    /// Candidate minus parent.
    pub difference: Difference,
    /// The smallest true loss that would be found with [`Report::power`].
    pub minimum_detectable_effect: Option<f64>,
    /// The probability of a loss as large as the one seen, adjusted for the number of slices and metrics (Benjamini and
    /// Hochberg).
    pub p_worse_adjusted: f64,
    /// Whether the slice is called worse.
    pub worse: bool,
}

/// Answers about which nothing is known, for reasons outside the prompt: not given, or not judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Of the candidate.
    pub candidate: u64,
    /// Of the parent.
    pub parent: u64,
    /// The larger of the two shares.
    pub share: f64,
    /// The share above which there is no verdict.
    pub allowed: f64,
}

/// How far a run went that could stop early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyStop {
    /// Whether it stopped before its last case.
    pub stopped: bool,
    /// Cases that were asked.
    pub cases: u64,
    /// Cases there are.
    pub of_cases: u64,
}

/// A value with its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The mean over cases: of a share, that of the answers that pass. None when nothing could be judged.
    pub estimate: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
}

/// Candidate minus parent, or the ratio of both less one. Of a quantity more is worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The mean over cases.
    pub estimate: f64,
    /// Its interval.
    pub interval: [f64; 2],
    /// The method behind the interval.
    pub method: String,
    /// Cases that entered.
    pub cases: u64,
    /// Independent units: clusters, or cases.
    pub units: u64,
    /// Cases on which the candidate is worse.
    pub worse: u64,
    /// Cases on which the candidate is better.
    pub better: u64,
}

/// Details of a classification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// The labels, naming rows and columns of the matrices.
    pub labels: Vec<String>,
    /// The candidate's answers.
    pub candidate: Confusion,
    /// The parent's answers.
    pub parent: Option<Confusion>,
}

/// What was answered where each label was right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The mean of the labels' F1.
    pub macro_f1: Option<f64>,
    /// `counts[right][answered]`; the last column counts answers that are no label.
    pub counts: Vec<Vec<u64>>,
}

/// The cases that must pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MustPass {
    /// How many there are.
    pub cases: u64,
    /// Those that fail; of very many the first.
    pub failed: Vec<MustPassFailure>,
    /// How many more fail.
    pub more: u64,
}

impl MustPass {
    /// Returns how many fail.
    pub fn failures(&self) -> u64 {
        self.failed.len() as u64 + self.more
    }
}

/// A case that must pass and does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MustPassFailure {
    /// The case.
    pub case: String,
    /// Its line in the dataset, from 1.
    pub line: u64,
    /// The metrics it fails.
    pub metrics: Vec<String>,
    /// Whether only failures outside the prompt are to blame.
    pub outside: bool,
    /// What the scorer says.
    pub note: Option<String>,
}

/// A case that passes on one side only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// The metric.
    pub metric: String,
    /// The case.
    pub case: String,
    /// Its line in the dataset, from 1.
    pub line: u64,
    /// In which direction.
    pub change: Change,
    /// Whether it must pass.
    pub must_pass: bool,
    /// The variables that were filled in.
    pub input: Map<String, serde_json::Value>,
    /// What became of it with the parent.
    pub parent: Outcome,
    /// What became of it with the candidate.
    pub candidate: Outcome,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The candidate loses the case.
    PassToFail,
    /// The candidate wins the case.
    FailToPass,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The share of the repeats that pass.
    pub share: f64,
    /// An answer that came out as most did; none where the call failed.
    pub answer: Option<String>,
    /// What the scorer says about it.
    pub note: Option<String>,
}

impl Metric {
    /// Says in one sentence how the metric stands, with the figures that decide.
    pub fn sentence(&self) -> String {
        let mut text = format!("{}: {}", self.name, self.verdict);
        match (&self.parent, &self.difference) {
            (Some(parent), Some(difference)) => text.push_str(&format!(
                ", {} → {}, difference {} of {} cases, margin {}",
                self.value_text(parent),
                self.value_text(&self.candidate),
                self.difference_text(difference),
                difference.cases,
                self.amount_text(self.margin),
            )),
            _ => text.push_str(&format!(", {}", self.value_text(&self.candidate))),
        }
        if let Some(reason) = &self.reason {
            text.push_str(&format!(" ({reason})"));
        }
        text
    }

    /// Writes a value in the metric's unit.
    pub fn value_text(&self, value: &Value) -> String {
        let Some(estimate) = value.estimate else { return "-".to_owned() };
        match self.unit {
            Unit::Share => percent(estimate),
            unit => format!("{}{}", digits(estimate), sign_of(unit)),
        }
    }

    /// Says how far the judge of this metric agrees with people, and what the values are without its errors; nothing where no judge
    /// was held against people.
    pub fn judge_text(&self) -> Option<String> {
        let judge = self.judge.as_ref()?;
        let (good, bad) = (percent(judge.sensitivity), percent(judge.specificity));
        let mut text = format!("of {} answers that people judged, the judge passes {good} of the good ones", judge.labelled);
        text.push_str(&format!(" and fails {bad} of the bad ones"));
        if let Some(kappa) = judge.kappa {
            text.push_str(&format!(", kappa {kappa:.2}"));
        }
        if judge.unjudged > 0 {
            text.push_str(&format!("; about {} it said nothing of use", judge.unjudged));
        }
        match (&judge.parent, &judge.candidate) {
            (_, None) => text.push_str("; that is no better than a coin, and corrects nothing"),
            (None, Some(candidate)) => text.push_str(&format!("; without its errors {}", self.value_text(candidate))),
            (Some(parent), Some(candidate)) => {
                let (parent, candidate) = (self.value_text(parent), self.value_text(candidate));
                text.push_str(&format!("; without its errors {parent} → {candidate}"));
            }
        }
        if let Some(difference) = judge.difference {
            text.push_str(&format!(", a difference of {}", points(difference)));
        }
        Some(text)
    }

    /// Writes a difference with its interval: in points of a hundred for shares, in percent for ratios, else in the unit.
    pub fn difference_text(&self, difference: &Difference) -> String {
        let [low, high] = difference.interval;
        let signed = |value: f64| match (self.unit, self.margin_scale) {
            (Unit::Share, _) => points(value),
            (_, Scale::Ratio) => points(value),
            _ if value < 0.0 => format!("-{}", digits(-value)),
            _ => format!("+{}", digits(value)),
        };
        let text = format!("{} [{}, {}]", signed(difference.estimate), signed(low), signed(high));
        match (self.unit, self.margin_scale) {
            (Unit::Share, _) => text,
            (_, Scale::Ratio) => format!("{text} %"),
            (unit, Scale::Absolute) => format!("{text}{}", sign_of(unit)),
        }
    }

    /// Writes a margin or a detectable effect, likewise.
    pub fn amount_text(&self, amount: f64) -> String {
        match (self.unit, self.margin_scale) {
            (Unit::Share, _) => unsigned_points(amount),
            (_, Scale::Ratio) => format!("{} %", unsigned_points(amount)),
            (unit, Scale::Absolute) => format!("{}{}", digits(amount), sign_of(unit)),
        }
    }
}

fn sign_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "",
        Unit::Milliseconds => " ms",
        Unit::UsDollars => " USD",
        Unit::Tokens => " tokens",
    }
}

/// Writes a positive number with three significant digits, and never fewer than its whole part.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = 2 - value.abs().log10().floor() as i32;
    format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
}

/// Writes a share as a percentage with one decimal.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// Writes a difference of shares in points of a hundred, signed, with one decimal.
pub fn points(difference: f64) -> String {
    let text = format!("{:+.1}", 100.0 * difference);
    // A rounded zero has no sign.
    if text == "-0.0" { "+0.0".to_owned() } else { text }
}

/// Writes a positive difference of shares in points of a hundred with one decimal.
pub fn unsigned_points(difference: f64) -> String {
    format!("{:.1}", 100.0 * difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!((percent(0.8952), percent(1.0)), ("89.5%".to_owned(), "100.0%".to_owned()));
        assert_eq!([digits(812.4), digits(0.003_124), digits(15.26)], ["812", "0.00312", "15.3"]);
        assert_eq!((points(-0.0301), points(0.02), points(-0.0001)), ("-3.0".into(), "+2.0".into(), "+0.0".into()));
    }
}

//! The verdict: a candidate beside its parent, metric by metric, paired by case.
//!
//! For every metric the means over the repeats are compared case by case, and the interval of the mean difference decides:
//! *pass* when it excludes a loss of the margin or more, *regressed* when it shows a loss beyond doubt and does not exclude that
//! it is as large as the margin, otherwise *inconclusive*. A version passes when **every** guarded metric does; that needs no
//! correction for their number. A metric is only called *regressed* when its loss still shows after Holm's correction, so that
//! a version which is not worse is refused at most as often as [`ALARM`] says, however many metrics there are. Where cases came with the proposal, every metric is also held to the others alone: easy
//! cases beside a loss do not hide it. A floor or ceiling and the cases that must pass are hard rules. Slices are scanned and warn; they do not decide.
//!
//! What could not be answered or judged for a reason outside the prompt is an error, neither a pass nor a fail: it stays out of
//! the means. It may not decide either: the verdict is also computed as if all that is unknown of one side had been good and
//! that of the other bad, and the other way round, and where these differ it is *inconclusive*. A request that the provider refuses
//! is a bad answer, for the prompt wrote it; but nobody knows that for sure, so it counts as an error too where these are limited:
//! when more than a set share are errors, or a side has no answer at all, there is no verdict.

pub mod a_a;
pub mod early_stop;
mod metric;
mod must_pass;
mod outcomes;
pub mod plan;
pub mod slices;
mod standing;

use promptops_stats::{Interval, PairedComparison, StatsError, holm};

pub use must_pass::MustPassFailure;
pub(crate) use must_pass::failures as must_pass_failures;
pub use outcomes::{Answers, Observed, Outcomes};

use crate::dataset::Heads;
use crate::error::EvalError;
use crate::scorer::Unit;
use crate::spec::Metric;
use slices::{Slice, SliceResult};

/// The chance that a version which is worse by the margin passes: intervals are at level `1 - 2 ALPHA`.
pub const ALPHA: f64 = 0.05;
/// The chance that a version which is not worse is called regressed, over all metrics together.
///
/// Smaller than [`ALPHA`], because *regressed* accuses, and because it costs little: what is probably worse is inconclusive
/// instead, which does not pass either.
pub const ALARM: f64 = 0.01;
/// The probability with which the minimum detectable effect would be found.
pub const POWER: f64 = 0.8;
/// The seed of what is drawn for a comparison: permutations, bootstraps. A constant, so that equal answers give equal reports.
const SEED: u64 = 0;

/// What is said about one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricVerdict {
    /// Not worse than the parent by the margin, and within its limit. Without a parent: within its limit.
    Pass,
    /// The metric is shown and does not decide.
    Unguarded,
    /// Without a parent and without a limit there is nothing to hold the metric to.
    NoBaseline,
    /// The evidence does not suffice.
    Inconclusive,
    /// Worse than the parent.
    Regressed,
    /// Below the floor.
    BelowMinimum,
    /// Above the ceiling.
    AboveMaximum,
}

impl MetricVerdict {
    /// Returns the name that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unguarded => "unguarded",
            Self::NoBaseline => "no-baseline",
            Self::Inconclusive => "inconclusive",
            Self::Regressed => "regressed",
            Self::BelowMinimum => "below-minimum",
            Self::AboveMaximum => "above-maximum",
        }
    }

    /// Tells whether it refuses the version.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Regressed | Self::BelowMinimum | Self::AboveMaximum)
    }
}

/// What is said about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every guarded metric is good enough, and every case that must pass does.
    Pass,
    /// There is neither a parent nor a limit: nothing was held against the version.
    NoBaseline,
    /// The evidence does not suffice for at least one metric. Not a pass.
    Inconclusive,
    /// A metric is worse than the parent or beyond its limit, or a case that must pass fails.
    Refused,
}

impl Verdict {
    /// Returns the name that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NoBaseline => "no-baseline",
            Self::Inconclusive => "inconclusive",
            Self::Refused => "refused",
        }
    }
}

/// The value of a metric in one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The weighted mean over cases of the mean over repeats; none when nothing could be judged.
    pub estimate: Option<f64>,
    /// Its interval, where the cases allow one.
    pub interval: Option<Interval>,
}

/// The candidate beside its parent on one metric. Signs are those of the metric: of a cost, more is positive and worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The parent's value.
    pub parent: Value,
    /// The paired comparison; none where there are too few cases for one.
    pub paired: Option<PairedComparison>,
    /// The smallest true loss that would be found with probability [`POWER`].
    pub minimum_detectable: Option<f64>,
    /// The probability of a loss as large as the one seen if both were equally good, by the method of the interval (at every
    /// moment at once, where the run could stop early).
    pub p_worse: f64,
    /// The same, adjusted for the number of guarded metrics (Holm).
    pub p_worse_adjusted: f64,
    /// The same by a test that assumes less: McNemar's exact test, or random signs by cluster. For reports; decides nothing.
    pub p_exact: Option<f64>,
}

/// All there is to say about one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricResult {
    /// The candidate's value.
    pub candidate: Value,
    /// The comparison with the parent, where there is one.
    pub difference: Option<Difference>,
    /// The verdict.
    pub verdict: MetricVerdict,
    /// Why, where it is not plainly a pass.
    pub reason: Option<String>,
    /// Whether the candidate is surely worse although it passes: by less than the margin.
    pub is_worse_within_margin: bool,
    /// Whether the candidate is surely better.
    pub is_improved: bool,
}

/// How much is not known of the two runs, for reasons outside the prompt or because the provider refused the request.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Errors {
    /// Answers of the candidate that were not given or not judged.
    pub candidate: u64,
    /// The same of the parent.
    pub parent: u64,
    /// The larger of the two shares.
    pub share: f64,
}

/// The comparison of two runs, or one run held to its limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// One for each metric, in the order of the eval file.
    pub metrics: Vec<MetricResult>,
    /// Parts of the dataset, each with its own differences.
    pub slices: Vec<SliceResult>,
    /// How many cases must pass.
    pub must_pass: usize,
    /// Those that do not.
    pub must_pass_failures: Vec<MustPassFailure>,
    /// What is not known.
    pub errors: Errors,
    /// Why there is no verdict although metrics have theirs: too many answers are errors, or a side has none.
    pub too_many_errors: Option<String>,
    /// What is said about the version.
    pub verdict: Verdict,
}

/// What a comparison is made on: the same for both runs.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The cases of the runs, in their order.
    pub heads: &'a Heads,
    /// What is measured.
    pub metrics: &'a [Metric],
    /// What each metric is measured in.
    pub units: &'a [Unit],
    /// Whether each case was drawn at random; the others were asked because they must pass, and are no part of any mean. None where
    /// all were drawn.
    pub drawn: Option<&'a [bool]>,
    /// Whether each case stood at the base already, where others came with the proposal: metrics are held to these alone, too. None where
    /// all stood there, or nothing is known of a base.
    pub standing: Option<&'a [bool]>,
    /// The parts of the dataset to look at besides the whole.
    pub slices: &'a [Slice],
    /// The share of unknown answers above which there is no verdict.
    pub max_error_share: f64,
    /// What was looked at while the run went on; none where there is one look, at the end.
    pub looks: Option<&'a early_stop::Looks>,
    /// Whether tests that decide nothing are carried out too; drawing signs takes its time.
    pub with_exact_tests: bool,
}

impl<'a> Basis<'a> {
    /// Returns a basis of cases that were all drawn, without slices and looks.
    pub fn of(heads: &'a Heads, metrics: &'a [Metric], units: &'a [Unit], max_error_share: f64) -> Self {
        Self {
            heads,
            metrics,
            units,
            drawn: None,
            standing: None,
            slices: &[],
            max_error_share,
            looks: None,
            with_exact_tests: true,
        }
    }
}

/// Holds a run against that of its parent. Both runs must be over the cases of `basis`, with one scorer for each metric.
///
/// # Errors
/// [`EvalError::Statistics`].
pub fn compare(basis: &Basis<'_>, candidate: &Outcomes, parent: Option<&Outcomes>) -> Result<Comparison, EvalError> {
    let mut results = results(basis, candidate, parent, None)?;
    if let Some(standing) = basis.standing {
        standing::hold(basis, &mut results, &self::results(basis, candidate, parent, Some(standing))?);
    }
    let slices = match parent {
        Some(parent) => slices::compare(basis, candidate, parent)?,
        None => Vec::new(),
    };
    let must_pass_failures = must_pass::failures(basis, candidate);
    let errors = errors(candidate, parent);
    let too_many_errors = too_many_errors(basis, candidate, parent, errors);
    let verdict = match &too_many_errors {
        // Whatever the rest shows: it is a choice of cases that nobody made.
        Some(_) => Verdict::Inconclusive,
        None => overall(&results, &must_pass_failures),
    };
    let must_pass = (0..basis.heads.len()).filter(|case| basis.heads.must_pass(*case)).count();
    Ok(Comparison { metrics: results, slices, must_pass, must_pass_failures, errors, too_many_errors, verdict })
}

/// Returns what is said about each metric, over all cases or over those of `members`.
fn results(
    basis: &Basis<'_>,
    candidate: &Outcomes,
    parent: Option<&Outcomes>,
    members: Option<&[bool]>,
) -> Result<Vec<MetricResult>, EvalError> {
    let mut results = Vec::new();
    for (index, metric) in basis.metrics.iter().enumerate() {
        let sides = metric::Sides::new(basis, index, candidate, parent);
        let result = match members {
            Some(members) => sides.of_members(members).result(),
            None => sides.result(),
        };
        results.push(result.map_err(|source| statistics(metric, source))?);
    }
    name_culprits(basis.metrics, &mut results);
    Ok(results)
}

fn statistics(metric: &Metric, source: StatsError) -> EvalError {
    EvalError::Statistics { metric: metric.name.value.clone(), source }
}

/// Adjusts the p-values for the number of guarded metrics, and takes back each *regressed* that does not stand it.
fn name_culprits(metrics: &[Metric], results: &mut [MetricResult]) {
    let mut tested: Vec<(&mut Difference, &mut MetricVerdict, &mut Option<String>)> = metrics
        .iter()
        .zip(results)
        .filter(|(metric, _)| metric.guarded)
        .filter_map(|(_, result)| Some((result.difference.as_mut()?, &mut result.verdict, &mut result.reason)))
        .collect();
    let values: Vec<f64> = tested.iter().map(|(difference, ..)| difference.p_worse).collect();
    // A probability is between 0 and 1 by construction, so there is no error to report.
    let Ok(adjusted) = holm(&values) else { return };
    let count = tested.len();
    for ((difference, verdict, reason), adjusted) in tested.iter_mut().zip(adjusted) {
        difference.p_worse_adjusted = adjusted;
        if **verdict == MetricVerdict::Regressed && adjusted > ALARM {
            **verdict = MetricVerdict::Inconclusive;
            let among = if count > 1 { format!(" among {count} metrics") } else { String::new() };
            **reason = Some(format!("probably worse, but{among} not beyond doubt (p = {adjusted:.3}, doubted above {ALARM})"));
        }
    }
}

fn errors(candidate: &Outcomes, parent: Option<&Outcomes>) -> Errors {
    let (candidate, parent) = (candidate.answers(), parent.map(Outcomes::answers).unwrap_or_default());
    let share = candidate.error_share().max(parent.error_share());
    Errors { candidate: candidate.errors, parent: parent.errors, share }
}

/// Says why there is no verdict, where too little was answered for one.
fn too_many_errors(basis: &Basis<'_>, candidate: &Outcomes, parent: Option<&Outcomes>, errors: Errors) -> Option<String> {
    for (side, run) in [("the candidate", Some(candidate)), ("the parent", parent)] {
        if run.is_some_and(|run| run.answers().given == 0) {
            return Some(format!("{side} gave no answer at all"));
        }
    }
    (errors.share > basis.max_error_share).then(|| {
        format!(
            "{:.1}% of the answers were not given or could not be judged, more than the {:.1}% that `max_error_share` allows",
            100.0 * errors.share,
            100.0 * basis.max_error_share
        )
    })
}

fn overall(metrics: &[MetricResult], failures: &[MustPassFailure]) -> Verdict {
    let is_any = |verdict| metrics.iter().any(|metric| metric.verdict == verdict);
    if failures.iter().any(|failure| !failure.is_outside) || metrics.iter().any(|metric| metric.verdict.refuses()) {
        Verdict::Refused
    } else if !failures.is_empty() || is_any(MetricVerdict::Inconclusive) {
        Verdict::Inconclusive
    } else if is_any(MetricVerdict::Pass) {
        Verdict::Pass
    } else {
        Verdict::NoBaseline
    }
}

#[cfg(test)]
mod tests;

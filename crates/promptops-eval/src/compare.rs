//! The verdict: a candidate beside its parent, metric by metric, paired by case.
//!
//! For every metric the shares of the repeats that pass are compared case by case, and the interval of the mean difference
//! decides: *pass* when it excludes a loss of the margin or more, *regressed* when it shows a loss and does not exclude that
//! it is as large as the margin, otherwise *inconclusive*. A floor (`minimum`) and the cases that must pass are hard rules.
//!
//! A call that failed for a reason outside the prompt (a timeout, a rate limit) counts as a failed answer, but may not decide:
//! the verdict is also computed as if all such calls of one side had passed and those of the other had failed, and the other
//! way round, and where these differ it is *inconclusive*.

use promptops_stats::{
    ClusteredShare, Interval, Margin, MeanEstimate, MetricRange, PairedCase, PairedComparison, PairedMethod, Proportion,
    StatsError, Verdict as Paired, compare_paired, holm, mcnemar_exact, sign_flip, wilson, wilson_clustered,
};

use crate::dataset::Dataset;
use crate::error::EvalError;
use crate::run::{Attempt, CaseResult, Run};
use crate::spec::Metric;

/// The error rate of every verdict: intervals are at level `1 - 2 ALPHA`.
pub const ALPHA: f64 = 0.05;
/// The probability with which the minimum detectable effect would be found.
pub const POWER: f64 = 0.8;
/// The largest number of cases that [`cases_to_pass`] looks at.
pub const MOST_CASES: usize = 100_000;
/// Draws of a permutation test, where one is needed.
const DRAWS: u32 = 9_999;

/// What is said about one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricVerdict {
    /// Not worse than the parent by the margin, and not below the floor. Without a parent: not below the floor.
    Pass,
    /// Without a parent and without a floor there is nothing to hold the metric to.
    NoBaseline,
    /// The evidence does not suffice.
    Inconclusive,
    /// Worse than the parent.
    Regressed,
    /// Below the floor.
    BelowMinimum,
}

impl MetricVerdict {
    /// Returns the name that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NoBaseline => "no-baseline",
            Self::Inconclusive => "inconclusive",
            Self::Regressed => "regressed",
            Self::BelowMinimum => "below-minimum",
        }
    }
}

/// What is said about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every metric is good enough, and every case that must pass does.
    Pass,
    /// There is neither a parent nor a floor: nothing was held against the version.
    NoBaseline,
    /// The evidence does not suffice for at least one metric. Not a pass.
    Inconclusive,
    /// A metric is worse than the parent or below its floor, or a case that must pass fails.
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
    /// The mean over cases of the share of repeats that pass.
    pub estimate: f64,
    /// Its interval, where the cases allow one.
    pub interval: Option<Interval>,
}

/// The candidate beside its parent on one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The parent's value.
    pub parent: Value,
    /// The paired comparison; none where there are too few cases for one.
    pub paired: Option<PairedComparison>,
    /// The smallest true loss that would be found with probability [`POWER`].
    pub minimum_detectable: Option<f64>,
    /// The probability of a loss as large as the one seen if both were equally good.
    pub p_worse: f64,
    /// The same, adjusted for the number of metrics (Holm).
    pub p_worse_adjusted: f64,
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
}

/// A case that must pass and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MustPassFailure {
    /// The number of the case in the dataset.
    pub case: usize,
    /// The numbers of the metrics that it fails.
    pub metrics: Vec<usize>,
    /// Whether only failures outside the prompt are to blame, so that nothing is known yet.
    pub is_outside: bool,
}

/// The comparison of two runs, or one run held to its floors.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// One for each metric, in the order of the eval file.
    pub metrics: Vec<MetricResult>,
    /// How many cases must pass.
    pub must_pass: usize,
    /// Those that do not.
    pub must_pass_failures: Vec<MustPassFailure>,
    /// What is said about the version.
    pub verdict: Verdict,
}

/// Holds a run against that of its parent. Both runs must be over `dataset`, with one scorer for each of `metrics`.
///
/// # Errors
/// [`EvalError::Statistics`].
pub fn compare(dataset: &Dataset, metrics: &[Metric], candidate: &Run, parent: Option<&Run>) -> Result<Comparison, EvalError> {
    let clusters = cluster_numbers(dataset);
    let mut results = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        let sides =
            Sides { index, clusters: &clusters, candidate: &candidate.cases, parent: parent.map(|run| run.cases.as_slice()) };
        let result = sides.result(metric);
        results.push(result.map_err(|source| EvalError::Statistics { metric: metric.name.value.clone(), source })?);
    }
    adjust(&mut results);
    let must_pass_failures = must_pass_failures(dataset, &candidate.cases, metrics.len());
    let verdict = overall(&results, &must_pass_failures);
    let must_pass = dataset.heads.iter().filter(|case| case.must_pass).count();
    Ok(Comparison { metrics: results, must_pass, must_pass_failures, verdict })
}

/// Numbers the clusters by first appearance.
fn cluster_numbers(dataset: &Dataset) -> Vec<Option<u32>> {
    let mut names: Vec<&str> = Vec::new();
    let mut numbers = std::collections::HashMap::new();
    let mut result = Vec::new();
    for case in &dataset.heads {
        result.push(case.cluster.as_deref().map(|name| {
            *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            })
        }));
    }
    result
}

/// What calls that failed outside the prompt are taken for.
#[derive(Clone, Copy)]
enum Outside {
    /// What they are: no answer.
    Fail,
    /// The good answers that they might have been.
    Pass,
}

/// The two sides of one metric.
struct Sides<'a> {
    index: usize,
    clusters: &'a [Option<u32>],
    candidate: &'a [CaseResult],
    parent: Option<&'a [CaseResult]>,
}

impl Sides<'_> {
    fn result(&self, metric: &Metric) -> Result<MetricResult, StatsError> {
        let shares = self.shares(self.candidate, Outside::Fail);
        let candidate = self.value(&shares)?;
        let difference = match self.parent {
            Some(parent) => Some(self.difference(&shares, parent)?),
            None => None,
        };
        let compared = match (&difference, self.parent) {
            (Some(difference), Some(parent)) => self.paired_verdict(metric, difference, parent)?,
            _ if metric.minimum.is_some() => (MetricVerdict::Pass, None),
            _ => (MetricVerdict::NoBaseline, Some("no parent to compare with and no `minimum`".to_owned())),
        };
        let (verdict, reason) = match (self.floor(metric, &candidate), compared) {
            (Some((verdict, reason)), (MetricVerdict::Regressed, _)) => {
                (verdict, Some(format!("{reason}, and worse than the parent")))
            }
            (Some((verdict, reason)), _) => (verdict, Some(reason)),
            (None, compared) => compared,
        };
        Ok(MetricResult { candidate, difference, verdict, reason })
    }

    /// Returns the share of each case's repeats that pass.
    fn shares(&self, cases: &[CaseResult], outside: Outside) -> Vec<f64> {
        let share = |case: &CaseResult| match outside {
            Outside::Fail => case.share(self.index),
            Outside::Pass => {
                let unknown = case.attempts.iter().filter(|attempt| attempt.is_unknown(self.index)).count();
                let mended = unknown as f64 / case.attempts.len() as f64;
                (case.share(self.index) + mended).min(1.0)
            }
        };
        cases.iter().map(share).collect()
    }

    fn value(&self, shares: &[f64]) -> Result<Value, StatsError> {
        let estimate = shares.iter().sum::<f64>() / shares.len() as f64;
        match self.interval(shares) {
            Ok(interval) => Ok(Value { estimate, interval: Some(interval) }),
            // Too small or too even a sample has a value all the same.
            Err(StatsError::TooFew { .. } | StatsError::TooFewClusters { .. } | StatsError::NoVariation) => {
                Ok(Value { estimate, interval: None })
            }
            Err(error) => Err(error),
        }
    }

    fn interval(&self, shares: &[f64]) -> Result<Interval, StatsError> {
        let level = 1.0 - 2.0 * ALPHA;
        let is_binary = shares.iter().all(|share| *share == 0.0 || *share == 1.0);
        let clusters = self.full_clusters();
        match (is_binary, clusters) {
            (true, None) => {
                let passed = shares.iter().filter(|share| **share == 1.0).count() as u64;
                wilson(Proportion::new(passed, shares.len() as u64)?, level)
            }
            (true, Some(clusters)) => {
                let passed: Vec<bool> = shares.iter().map(|share| *share == 1.0).collect();
                wilson_clustered(&ClusteredShare::of(&passed, &clusters)?, level)
            }
            (false, None) => MeanEstimate::of(shares)?.interval(level),
            (false, Some(clusters)) => MeanEstimate::of_clusters(shares, &clusters)?.interval(level),
        }
    }

    /// Returns a cluster number for every case, or nothing when no two cases share one.
    fn full_clusters(&self) -> Option<Vec<u32>> {
        let taken: Vec<u32> = self.clusters.iter().flatten().copied().collect();
        let mut free = taken.iter().max().map_or(0, |largest| largest + 1)..;
        let full: Vec<u32> = self.clusters.iter().map(|cluster| cluster.or_else(|| free.next()).unwrap_or(u32::MAX)).collect();
        let distinct: std::collections::HashSet<u32> = full.iter().copied().collect();
        (distinct.len() < full.len()).then_some(full)
    }

    fn pairs(&self, parent: &[f64], candidate: &[f64]) -> Vec<PairedCase> {
        let pairs = parent.iter().zip(candidate).zip(self.clusters);
        pairs
            .map(|((parent, candidate), cluster)| PairedCase { cluster: *cluster, ..PairedCase::new(*parent, *candidate) })
            .collect()
    }

    fn difference(&self, candidate: &[f64], parent: &[CaseResult]) -> Result<Difference, StatsError> {
        let parent = self.shares(parent, Outside::Fail);
        let pairs = self.pairs(&parent, candidate);
        let paired = paired(&pairs)?;
        let minimum_detectable = match &paired {
            Some(paired) => Some(paired.minimum_detectable_effect(POWER)?),
            None => None,
        };
        let p_worse = match &paired {
            Some(paired) if paired.method == PairedMethod::Tango => mcnemar_exact(paired.discordance).worse,
            _ => {
                let differences: Vec<f64> = pairs.iter().map(|pair| pair.candidate - pair.parent).collect();
                sign_flip(&differences, self.full_clusters().as_deref(), DRAWS, 0)?.worse
            }
        };
        let parent = self.value(&parent)?;
        Ok(Difference { parent, paired, minimum_detectable, p_worse, p_worse_adjusted: p_worse })
    }

    fn floor(&self, metric: &Metric, candidate: &Value) -> Option<(MetricVerdict, String)> {
        let minimum = metric.minimum.filter(|minimum| candidate.estimate < *minimum)?;
        let hopeful = self.shares(self.candidate, Outside::Pass);
        if hopeful.iter().sum::<f64>() / hopeful.len() as f64 >= minimum {
            let reason = format!("below the minimum of {minimum}, but only because calls failed outside the prompt");
            return Some((MetricVerdict::Inconclusive, reason));
        }
        Some((MetricVerdict::BelowMinimum, format!("below the minimum of {minimum}")))
    }

    fn paired_verdict(
        &self,
        metric: &Metric,
        difference: &Difference,
        parent: &[CaseResult],
    ) -> Result<(MetricVerdict, Option<String>), StatsError> {
        let margin = Margin::new(metric.margin)?;
        let Some(paired) = &difference.paired else {
            return Ok((MetricVerdict::Inconclusive, Some("too few independent cases to compare".to_owned())));
        };
        let decision = margin.decide(&paired.interval);
        let has_unknown = self.candidate.iter().chain(parent).any(|case| case.has_unknown(self.index));
        if has_unknown && !self.is_robust(margin, decision.verdict, parent)? {
            let reason = "calls failed outside the prompt, and their answers could change the verdict";
            return Ok((MetricVerdict::Inconclusive, Some(reason.to_owned())));
        }
        Ok(match decision.verdict {
            Paired::Pass if decision.worse_within_margin => {
                (MetricVerdict::Pass, Some("worse than the parent, but within the margin".to_owned()))
            }
            Paired::Pass => (MetricVerdict::Pass, None),
            Paired::Regressed => (MetricVerdict::Regressed, Some("worse than the parent".to_owned())),
            Paired::Inconclusive => (MetricVerdict::Inconclusive, Some(why_inconclusive(metric.margin, paired))),
        })
    }

    /// Tells whether the verdict stands whatever the calls that failed outside the prompt would have answered.
    ///
    /// The interval moves with the scores, so the two extremes bound everything between them.
    fn is_robust(&self, margin: Margin, verdict: Paired, parent: &[CaseResult]) -> Result<bool, StatsError> {
        for (for_parent, for_candidate) in [(Outside::Fail, Outside::Pass), (Outside::Pass, Outside::Fail)] {
            let pairs = self.pairs(&self.shares(parent, for_parent), &self.shares(self.candidate, for_candidate));
            let other = paired(&pairs)?.map(|paired| margin.decide(&paired.interval).verdict);
            if other != Some(verdict) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Says why there is no verdict, and, where no case changed at all, how many cases it would take.
fn why_inconclusive(margin: f64, paired: &PairedComparison) -> String {
    let unchanged = paired.discordance.losses + paired.discordance.wins == 0;
    match cases_to_pass(margin).filter(|_| unchanged && paired.units == paired.cases) {
        Some(needed) => format!(
            "no case changed, but {} cases cannot exclude a loss of {margin}; that takes {needed} cases or a wider margin",
            paired.cases
        ),
        None => "a loss as large as the margin is neither shown nor excluded".to_owned(),
    }
}

/// Returns the smallest number of independent cases that lets a candidate pass when not one of them changes.
///
/// Tango's interval without discordant cases reaches `z²/(n + z²)` either way, with `z` the normal quantile of the level;
/// the search asks the method itself rather than the formula. Nothing above [`MOST_CASES`].
pub fn cases_to_pass(margin: f64) -> Option<usize> {
    let passes = |count: usize| {
        let same = PairedCase::new(1.0, 1.0);
        compare_paired(&vec![same; count], MetricRange::UNIT, ALPHA).is_ok_and(|paired| paired.interval.low > -margin)
    };
    if !passes(MOST_CASES) {
        return None;
    }
    let (mut low, mut high) = (1, MOST_CASES);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if passes(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// Compares pairs; nothing when there are too few of them.
fn paired(pairs: &[PairedCase]) -> Result<Option<PairedComparison>, StatsError> {
    match compare_paired(pairs, MetricRange::UNIT, ALPHA) {
        Ok(paired) => Ok(Some(paired)),
        Err(StatsError::TooFew { .. } | StatsError::TooFewClusters { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adjusts the p-values for the number of metrics, so that a culprit is named with the stated error rate.
fn adjust(results: &mut [MetricResult]) {
    let values: Vec<f64> = results.iter().filter_map(|result| result.difference.as_ref()).map(|found| found.p_worse).collect();
    // A probability is between 0 and 1 by construction, so there is no error to report.
    let Ok(adjusted) = holm(&values) else { return };
    for (difference, adjusted) in results.iter_mut().filter_map(|result| result.difference.as_mut()).zip(adjusted) {
        difference.p_worse_adjusted = adjusted;
    }
}

fn must_pass_failures(dataset: &Dataset, cases: &[CaseResult], metrics: usize) -> Vec<MustPassFailure> {
    let mut failures = Vec::new();
    for (index, (case, result)) in dataset.heads.iter().zip(cases).enumerate() {
        let fails = |metric: &usize| result.attempts.iter().any(|attempt| !attempt.passes(*metric));
        let failed: Vec<usize> = (0..metrics).filter(|metric| case.must_pass && fails(metric)).collect();
        if failed.is_empty() {
            continue;
        }
        let is_fault = |attempt: &Attempt| (0..metrics).any(|metric| !attempt.passes(metric) && !attempt.is_unknown(metric));
        let is_outside = !result.attempts.iter().any(is_fault);
        failures.push(MustPassFailure { case: index, metrics: failed, is_outside });
    }
    failures
}

fn overall(metrics: &[MetricResult], failures: &[MustPassFailure]) -> Verdict {
    let is_any = |verdict| metrics.iter().any(|metric| metric.verdict == verdict);
    if failures.iter().any(|failure| !failure.is_outside)
        || is_any(MetricVerdict::Regressed)
        || is_any(MetricVerdict::BelowMinimum)
    {
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

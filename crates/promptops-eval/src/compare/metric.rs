//! One metric: its values, the paired comparison, and what follows from it.

use promptops_stats::{
    Interval, Margin, MetricRange, PairedCase, PairedComparison, PairedMethod, Proportion, Scale, StatsError, Unit as Weighted,
    Verdict as Paired, compare_paired, compare_quantity, mcnemar_exact, ratio_of_sums, sign_flip, wilson,
};

use super::early_stop::Seen;
use super::plan::cases_to_pass;
use super::{ALPHA, Basis, Difference, MetricResult, MetricVerdict, Observed, Outcomes, POWER, SEED, Value};
use crate::dataset::Heads;
use crate::scorer::Unit;
use crate::spec::{MarginScale, Metric};

/// Draws of a permutation test, where one is needed.
const DRAWS: u32 = 9_999;

/// Said where a side has no value.
const NOTHING_KNOWN: &str = "no answer was given and judged, so there is nothing to go by";

/// The two sides of one metric.
pub(super) struct Sides<'a> {
    metric: &'a Metric,
    unit: Unit,
    /// The error rate that is left for the end: half of it is spent on looking where the run could stop early.
    alpha: f64,
    seen: Option<Seen>,
    with_exact_tests: bool,
    heads: &'a Heads,
    index: usize,
    candidate: &'a Outcomes,
    parent: Option<&'a Outcomes>,
    /// Whether each case was drawn at random; none where all were.
    drawn: Option<&'a [bool]>,
    /// Whether each case belongs to the slice that is looked at; none where all do.
    members: Option<&'a [bool]>,
    max_error_share: f64,
}

/// What both runs say about one case.
#[derive(Clone, Copy)]
struct Pair {
    candidate: Observed,
    parent: Option<Observed>,
    cluster: Option<u32>,
    weight: f64,
}

/// A verdict with its reason, before the limits are looked at.
struct Compared {
    verdict: MetricVerdict,
    reason: Option<String>,
    is_worse: bool,
    is_improved: bool,
}

impl Compared {
    fn new(verdict: MetricVerdict, reason: impl Into<Option<String>>) -> Self {
        Self { verdict, reason: reason.into(), is_worse: false, is_improved: false }
    }
}

impl<'a> Sides<'a> {
    pub(super) fn new(basis: &Basis<'a>, index: usize, candidate: &'a Outcomes, parent: Option<&'a Outcomes>) -> Self {
        Self {
            metric: &basis.metrics[index],
            unit: basis.units[index],
            alpha: if basis.looks.is_some() { 0.5 * ALPHA } else { ALPHA },
            seen: basis.looks.and_then(|looks| looks.seen(index)),
            with_exact_tests: basis.with_exact_tests,
            heads: basis.heads,
            index,
            candidate,
            parent,
            drawn: basis.drawn,
            members: None,
            max_error_share: basis.max_error_share,
        }
    }

    /// Looks at the cases of a slice alone.
    pub(super) fn of_members(self, members: &'a [bool]) -> Self {
        Self { members: Some(members), ..self }
    }

    /// Returns what both runs say about every case that is looked at.
    fn cases(&self) -> impl Iterator<Item = Pair> {
        let is_among = |cases: Option<&[bool]>, case: usize| cases.is_none_or(|cases| cases.get(case) == Some(&true));
        let is_meant = move |case: &usize| is_among(self.drawn, *case) && is_among(self.members, *case);
        (0..self.heads.len()).filter(is_meant).map(|case| Pair {
            candidate: self.candidate.observed(case, self.index),
            parent: self.parent.map(|run| run.observed(case, self.index)),
            cluster: self.heads.cluster_number(case),
            weight: self.heads.weight(case),
        })
    }

    pub(super) fn result(&self) -> Result<MetricResult, StatsError> {
        let candidate = self.value(|pair| Some(pair.candidate))?;
        let difference = if self.parent.is_some() { Some(self.difference()?) } else { None };
        let compared = match &difference {
            Some(_) if candidate.estimate.is_none() => Compared::new(MetricVerdict::Inconclusive, NOTHING_KNOWN.to_owned()),
            Some(difference) => self.paired_verdict(difference)?,
            None if candidate.estimate.is_none() => Compared::new(MetricVerdict::Inconclusive, NOTHING_KNOWN.to_owned()),
            None if self.metric.minimum.is_some() || self.metric.maximum.is_some() => Compared::new(MetricVerdict::Pass, None),
            None => {
                Compared::new(MetricVerdict::NoBaseline, "no parent to compare with and no `minimum` or `maximum`".to_owned())
            }
        };
        let unmeasured = self.unmeasured_share();
        let (verdict, reason) = match (self.limit(&candidate), &compared.verdict) {
            _ if !self.metric.guarded => (MetricVerdict::Unguarded, None),
            // Whatever the rest shows: who fails where it is expensive is not cheap.
            _ if candidate.estimate.is_some() && unmeasured > self.max_error_share => {
                let reason = format!(
                    "{:.1}% of the answers were not given, so that nothing is known of what they take",
                    100.0 * unmeasured
                );
                (MetricVerdict::Inconclusive, Some(reason))
            }
            (Some((verdict, reason)), MetricVerdict::Regressed) => {
                (verdict, Some(format!("{reason}, and worse than the parent")))
            }
            (Some((verdict, reason)), _) => (verdict, Some(reason)),
            (None, _) => (compared.verdict, compared.reason),
        };
        Ok(MetricResult {
            candidate,
            difference,
            verdict,
            reason,
            is_worse_within_margin: compared.is_worse,
            is_improved: compared.is_improved,
        })
    }

    /// Returns the share of a quantity that was not measured, on the side where that is more.
    fn unmeasured_share(&self) -> f64 {
        if self.unit == Unit::Share {
            return 0.0;
        }
        let share = |side: &dyn Fn(&Pair) -> Option<Observed>| {
            let counts = self.cases().filter_map(|pair| side(&pair)).fold((0_u64, 0_u64), |(missing, all), one| {
                let unmeasured = u64::from(one.unmeasured + one.unknown);
                (missing + unmeasured, all + unmeasured + u64::from(one.known))
            });
            counts.0 as f64 / counts.1.max(1) as f64
        };
        share(&|pair| Some(pair.candidate)).max(share(&|pair| pair.parent))
    }

    /// Returns the mean of one side with its interval.
    fn value(&self, side: impl Fn(&Pair) -> Option<Observed>) -> Result<Value, StatsError> {
        let known = self.cases().filter_map(|pair| Some((pair, side(&pair)?.mean?)));
        // Of just the size that is needed: there may be very many.
        let mut cases = Vec::with_capacity(self.heads.len());
        cases.extend(known.map(|(pair, mean)| paired_case(&pair, 0.0, mean)));
        let (sum, weight) =
            cases.iter().fold((0.0, 0.0), |total, case| (total.0 + case.weight * case.candidate, total.1 + case.weight));
        if cases.is_empty() {
            return Ok(Value { estimate: None, interval: None });
        }
        let interval = match interval(&cases, self.unit, 1.0 - 2.0 * self.alpha) {
            Ok(interval) => Some(interval),
            // Too small or too even a sample has a value all the same.
            Err(StatsError::TooFew { .. } | StatsError::TooFewClusters { .. } | StatsError::NoVariation) => None,
            Err(error) => return Err(error),
        };
        Ok(Value { estimate: Some(sum / weight), interval })
    }

    /// Pairs the cases of which both sides are known.
    fn pairs(&self) -> Vec<PairedCase> {
        let known = self.cases().filter_map(|pair| Some((pair, pair.parent?.mean?, pair.candidate.mean?)));
        let mut pairs = Vec::with_capacity(self.heads.len());
        pairs.extend(known.map(|(pair, parent, candidate)| paired_case(&pair, parent, candidate)));
        pairs
    }

    fn compare(&self, pairs: &[PairedCase]) -> Result<Option<PairedComparison>, StatsError> {
        let found = match (self.unit, self.metric.scale) {
            (Unit::Share, MarginScale::Absolute) => compare_paired(pairs, MetricRange::UNIT, self.alpha),
            (_, MarginScale::Absolute) => compare_quantity(pairs, Scale::Difference, self.alpha, SEED),
            (_, MarginScale::Ratio) => compare_quantity(pairs, Scale::Ratio, self.alpha, SEED),
        };
        match found {
            Ok(paired) => Ok(Some(paired)),
            Err(StatsError::TooFew { .. } | StatsError::TooFewClusters { .. }) => Ok(None),
            // A ratio to nothing: every case of the parent cost zero.
            Err(StatsError::Magnitude(_)) if self.metric.scale == MarginScale::Ratio => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn difference(&self) -> Result<Difference, StatsError> {
        let pairs = self.pairs();
        let mut paired = self.compare(&pairs)?;
        let minimum_detectable = match &paired {
            Some(paired) => Some(paired.minimum_detectable_effect(POWER)?),
            None => None,
        };
        // A run that stopped before a metric had cases enough for what holds at every moment shows nothing of it.
        paired = paired.filter(|_| self.seen.is_none_or(|seen| !seen.has_stopped || seen.interval.width().is_finite()));
        let mut p_worse = paired.as_ref().map_or(1.0, |paired| self.p_worse(paired));
        if let (Some(paired), Some(seen)) = (&mut paired, &self.seen) {
            // Once the run could stop at any moment, only what holds at every moment may be said of a stop.
            if seen.has_stopped {
                paired.interval = seen.interval;
                p_worse = 2.0 * seen.p_worse;
            } else {
                p_worse = 2.0 * p_worse.min(seen.p_worse);
            }
            p_worse = p_worse.min(1.0);
        }
        let p_exact = match &paired {
            Some(paired) if paired.method == PairedMethod::Tango => Some(mcnemar_exact(paired.discordance).worse),
            Some(_) if self.with_exact_tests => Some(self.sign_flip(&pairs)?),
            _ => None,
        };
        let parent = self.value(|pair| pair.parent)?;
        Ok(Difference { parent, paired, minimum_detectable, p_worse, p_worse_adjusted: p_worse, p_exact })
    }

    fn p_worse(&self, paired: &PairedComparison) -> f64 {
        if self.unit.less_is_better() { paired.p_upper } else { paired.p_lower }
    }

    fn sign_flip(&self, pairs: &[PairedCase]) -> Result<f64, StatsError> {
        let difference = |pair: &PairedCase| pair.weight * (pair.candidate - pair.parent);
        let differences: Vec<f64> = pairs.iter().map(difference).collect();
        let test = sign_flip(&differences, full_clusters(pairs).as_deref(), DRAWS, SEED)?;
        Ok(if self.unit.less_is_better() { test.better } else { test.worse })
    }

    /// Returns the interval of the gain: positive is better, whatever the metric's direction.
    fn gain(&self, interval: &Interval) -> Interval {
        if self.unit.less_is_better() { interval.negated() } else { *interval }
    }

    /// Returns the candidate's mean as if all that is unknown had this value.
    fn filled(&self, unknown: f64) -> f64 {
        let sum: f64 = self.cases().map(|pair| pair.weight * pair.candidate.filled(unknown)).sum();
        sum / self.cases().map(|pair| pair.weight).sum::<f64>()
    }

    fn limit(&self, candidate: &Value) -> Option<(MetricVerdict, String)> {
        let estimate = candidate.estimate?;
        if let Some(minimum) = self.metric.minimum.filter(|minimum| estimate < *minimum && self.filled(1.0) < *minimum) {
            return Some((MetricVerdict::BelowMinimum, format!("below the minimum of {minimum}")));
        }
        if let Some(minimum) = self.metric.minimum.filter(|minimum| estimate < *minimum || self.filled(0.0) < *minimum) {
            let reason = format!("answers that were not given or not judged decide whether it is below the minimum of {minimum}");
            return Some((MetricVerdict::Inconclusive, reason));
        }
        let maximum = self.metric.maximum.filter(|maximum| estimate > *maximum)?;
        Some((MetricVerdict::AboveMaximum, format!("above the maximum of {maximum}")))
    }

    fn paired_verdict(&self, difference: &Difference) -> Result<Compared, StatsError> {
        let margin = Margin::new(self.metric.margin)?;
        let Some(paired) = &difference.paired else {
            let reason = match difference.parent.estimate {
                Some(0.0) if self.metric.scale == MarginScale::Ratio => "the parent's mean is zero: nothing is a share of it",
                None => NOTHING_KNOWN,
                _ => "too few independent cases to compare",
            };
            return Ok(Compared::new(MetricVerdict::Inconclusive, reason.to_owned()));
        };
        let decision = margin.decide(&self.gain(&paired.interval));
        if !self.is_robust(margin, decision.verdict)? {
            let reason = "answers were not given or not judged, for reasons outside the prompt, and could change the verdict";
            return Ok(Compared::new(MetricVerdict::Inconclusive, reason.to_owned()));
        }
        let (verdict, reason) = match decision.verdict {
            Paired::Pass if decision.worse_within_margin => {
                (MetricVerdict::Pass, Some("worse than the parent, but within the margin".to_owned()))
            }
            Paired::Pass => (MetricVerdict::Pass, None),
            Paired::Regressed => (MetricVerdict::Regressed, Some("worse than the parent".to_owned())),
            Paired::Inconclusive => (MetricVerdict::Inconclusive, Some(self.why_inconclusive(paired))),
        };
        Ok(Compared { verdict, reason, is_worse: decision.worse_within_margin, is_improved: decision.improved })
    }

    /// Tells whether the verdict stands whatever the answers that are unknown would have been.
    ///
    /// The interval moves with the scores, so the two extremes bound everything between them; that of a run which stopped early was
    /// bounded by them while it went on. A quantity has no worst value; there only the share of errors is limited.
    fn is_robust(&self, margin: Margin, verdict: Paired) -> Result<bool, StatsError> {
        let is_known = |pair: &Pair| pair.candidate.unknown == 0 && pair.parent.is_none_or(|parent| parent.unknown == 0);
        if self.unit != Unit::Share || self.seen.is_some_and(|seen| seen.has_stopped) || self.cases().all(|pair| is_known(&pair))
        {
            return Ok(true);
        }
        for (for_parent, for_candidate) in [(0.0, 1.0), (1.0, 0.0)] {
            let filled = self.cases().filter_map(|pair| {
                Some(paired_case(&pair, pair.parent?.filled(for_parent), pair.candidate.filled(for_candidate)))
            });
            let other = self.compare(&filled.collect::<Vec<_>>())?.map(|paired| margin.decide(&paired.interval).verdict);
            if other != Some(verdict) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says why there is no verdict, and, where no case changed at all, how many cases it would take.
    fn why_inconclusive(&self, paired: &PairedComparison) -> String {
        let unchanged = paired.discordance.losses + paired.discordance.wins == 0;
        let margin = self.metric.margin;
        let is_plain = self.unit == Unit::Share && unchanged && paired.units == paired.cases && self.seen.is_none();
        match cases_to_pass(margin).filter(|_| is_plain) {
            Some(needed) => format!(
                "no case changed, but {} cases cannot exclude a loss of {margin}; that takes {needed} cases or a wider margin",
                paired.cases
            ),
            None => "a loss as large as the margin is neither shown nor excluded".to_owned(),
        }
    }
}

fn paired_case(pair: &Pair, parent: f64, candidate: f64) -> PairedCase {
    PairedCase { parent, candidate, cluster: pair.cluster, weight: pair.weight }
}

/// Returns the interval of the mean of the candidates.
fn interval(cases: &[PairedCase], unit: Unit, level: f64) -> Result<Interval, StatsError> {
    let is_binary = cases.iter().all(|case| case.candidate == 0.0 || case.candidate == 1.0);
    let is_even = cases.iter().all(|case| case.weight == cases[0].weight);
    let clusters = full_clusters(cases);
    if unit == Unit::Share && is_binary && is_even && clusters.is_none() {
        let passed = cases.iter().filter(|case| case.candidate == 1.0).count() as u64;
        return wilson(Proportion::new(passed, cases.len() as u64)?, level);
    }
    let units: Vec<Weighted> =
        cases.iter().map(|case| Weighted { sum: case.weight * case.candidate, weight: case.weight }).collect();
    let found = ratio_of_sums(&Weighted::group(&units, clusters.as_deref())?)?.interval(level)?;
    Ok(match unit {
        Unit::Share => Interval { low: found.low.max(0.0), high: found.high.min(1.0), ..found },
        _ => found,
    })
}

/// Returns a cluster number for every case, or nothing when no two cases share one.
fn full_clusters(cases: &[PairedCase]) -> Option<Vec<u32>> {
    let taken: Vec<u32> = cases.iter().filter_map(|case| case.cluster).collect();
    let mut free = taken.iter().max().map_or(0, |largest| largest + 1)..;
    let full: Vec<u32> = cases.iter().map(|case| case.cluster.or_else(|| free.next()).unwrap_or(u32::MAX)).collect();
    let distinct: std::collections::HashSet<u32> = full.iter().copied().collect();
    (distinct.len() < full.len()).then_some(full)
}

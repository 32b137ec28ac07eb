//! The paired comparison of a candidate with its parent over the same cases.

use std::collections::BTreeSet;

use crate::bootstrap::{Bootstrap, bca};
use crate::error::{StatsError, check_alpha, check_finite};
use crate::interval::Interval;
use crate::mcnemar::Discordance;
use crate::mean::{MeanEstimate, around};
use crate::power::{Sides, minimum_detectable_effect};
use crate::special::{normal_cdf, student_upper, student_upper_tail};
use crate::tango::tango;
use crate::unit::{Unit, effective_units, ratio_of_sums};

/// Standard errors below this share of the metric's range are rounding, not variation.
const ROUNDING: f64 = 1e-12;
/// Below this number of units the bootstrap resamples too little; from the second number on Student's t has converged.
const BOOTSTRAP_UNITS: std::ops::RangeInclusive<usize> = 20..=10_000;
/// Draws of the bootstrap.
const BOOTSTRAP_DRAWS: u32 = 4_999;

/// Holds the scores of parent and candidate on one case.
///
/// Where a case was run several times, the score is the mean of its repeats: repeats are never cases of their own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedCase {
    /// Score of the parent.
    pub parent: f64,
    /// Score of the candidate.
    pub candidate: f64,
    /// Number of the cluster (document, template, conversation) the case comes from; a case without stands alone.
    pub cluster: Option<u32>,
    /// How much the case counts in the mean; positive.
    pub weight: f64,
}

impl PairedCase {
    /// Creates a case that stands alone and counts once.
    #[must_use]
    pub fn new(parent: f64, candidate: f64) -> Self {
        Self { parent, candidate, cluster: None, weight: 1.0 }
    }
}

/// Says what the candidate is held against where a metric is a quantity without a largest value, such as a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// The difference of the means, in the metric's unit.
    Difference,
    /// The ratio of the candidate's mean to the parent's, less one: 0.1 is ten in a hundred more.
    Ratio,
}

/// Holds the smallest and the largest value that a metric can take, such as 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricRange {
    low: f64,
    high: f64,
}

impl MetricRange {
    /// The range of a metric that is a share, or that is 0 or 1 for each case.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };

    /// Creates a range.
    ///
    /// # Errors
    /// [`StatsError::Range`] unless both ends are finite and `low < high`.
    pub fn new(low: f64, high: f64) -> Result<Self, StatsError> {
        if low < high && (high - low).is_finite() { Ok(Self { low, high }) } else { Err(StatsError::Range { low, high }) }
    }

    /// Returns the largest difference that two values can have.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    fn check(&self, value: f64) -> Result<(), StatsError> {
        if value >= self.low && value <= self.high {
            return Ok(());
        }
        if value.is_finite() {
            return Err(StatsError::OutsideRange { value, low: self.low, high: self.high });
        }
        Err(StatsError::NotFinite(value))
    }

    fn is_end(&self, value: f64) -> bool {
        value == self.low || value == self.high
    }
}

/// Names the method behind the interval of a [`PairedComparison`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairedMethod {
    /// Student's t over the differences of independent cases.
    StudentT,
    /// Student's t over clusters, with the cluster-robust standard error.
    ClusteredT,
    /// Tango's score interval: every score is at an end of the range and cases are independent.
    Tango,
    /// Clopper–Pearson bound on the share of cases that would differ: no variation was seen.
    ClopperPearson,
    /// BCa bootstrap over cases or clusters, of a quantity.
    Bca,
}

impl PairedMethod {
    /// Returns the name that reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StudentT => "paired t",
            Self::ClusteredT => "clustered t",
            Self::Tango => "tango",
            Self::ClopperPearson => "clopper-pearson",
            Self::Bca => "bca bootstrap",
        }
    }
}

/// Holds how a candidate compares with its parent on one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedComparison {
    /// Cases that entered.
    pub cases: usize,
    /// Independent units: clusters, or `cases` where no two share one.
    pub units: usize,
    /// Cases on which the candidate scores higher, and those on which it scores lower.
    pub discordance: Discordance,
    /// Weighted mean of `candidate - parent`, in the metric's unit, or the ratio of the means less one.
    pub estimate: f64,
    /// Standard error of the estimate; zero when no variation was seen.
    pub standard_error: f64,
    /// Degrees of freedom of the standard error, `units - 1`.
    pub degrees_of_freedom: f64,
    /// Interval of the true mean difference at level `1 - 2 alpha`; never of zero width.
    pub interval: Interval,
    /// Method that the interval comes from.
    pub method: PairedMethod,
    /// Probability of an estimate at most as large as the one seen if the truth is zero, by the method of the interval: it is
    /// below `alpha` exactly when the interval lies below zero. Beside the bootstrap's, Student's t is asked too and the larger
    /// probability counts, so that it is below `alpha` only when the interval lies below zero.
    pub p_lower: f64,
    /// The same of an estimate at least as large.
    pub p_upper: f64,
}

impl PairedComparison {
    /// Computes the smallest true loss that a comparison of this precision finds with probability `power`.
    ///
    /// One-sided at the `alpha` of the interval. The standard error is the one that the interval implies (half its width over
    /// the critical value), so that a comparison that saw no variation does not claim to detect everything. Print it with
    /// every verdict: an inconclusive result beside a large value says that the data set is too small.
    ///
    /// # Errors
    /// [`StatsError::Power`] unless `power` lies strictly between `alpha` and 1.
    pub fn minimum_detectable_effect(&self, power: f64) -> Result<f64, StatsError> {
        let alpha = 0.5 * (1.0 - self.interval.level);
        let freedom = self.degrees_of_freedom;
        let implied = 0.5 * self.interval.width() / student_upper(alpha, freedom);
        minimum_detectable_effect(implied, freedom, alpha, power, Sides::One)
    }
}

/// Compares candidate and parent case by case, with an interval at level `1 - 2 alpha`.
///
/// With `d_i = candidate - parent`, in this order:
///
/// 1. **Tango.** Every score is an end of the range, no two cases share a cluster and all weigh the same: [`tango`], scaled to
///    the range.
/// 2. **Clopper–Pearson.** No variation was seen (all `d_i` equal, or all clusters with the same residual): the standard error
///    is zero, which says nothing about cases not yet seen. With `q = 1 - alpha^(1/units)`, the upper limit on the share of
///    units that would differ, and `W` the width of the range, the interval is `d - q(d + W)` to `d + q(W - d)`: at most that
///    share may differ, by at most what the range allows. Units of unequal weight count as Kish's effective number of them.
/// 3. **Clustered t.** Some cases share a cluster: the standard error of [`ratio_of_sums`], `df = clusters - 1`.
/// 4. **Student's t**, `df = cases - 1`, likewise with weights.
///
/// The t intervals are approximate when few cases differ at all: see `docs/concepts/statistics.md`.
///
/// # Errors
/// [`StatsError::TooFew`] below two cases, [`StatsError::TooFewClusters`] when all cases share one cluster,
/// [`StatsError::OutsideRange`] and [`StatsError::NotFinite`] on scores, [`StatsError::Magnitude`] on weights that are not
/// positive, [`StatsError::Alpha`] outside (0, 0.5).
pub fn compare_paired(cases: &[PairedCase], range: MetricRange, alpha: f64) -> Result<PairedComparison, StatsError> {
    check_alpha(alpha)?;
    for case in cases {
        range.check(case.parent)?;
        range.check(case.candidate)?;
    }
    let given = Given::new(cases)?;
    let units = given.units(|case| Unit { sum: case.weight * (case.candidate - case.parent), weight: case.weight })?;
    let mean = ratio_of_sums(&units)?;
    let binary = cases.iter().all(|case| range.is_end(case.parent) && range.is_end(case.candidate));
    if binary && given.clusters.is_none() && given.is_even() {
        let shares = tango(given.discordance, cases.len() as u64, 1.0 - 2.0 * alpha)?;
        let (wins, losses) = (given.discordance.wins as f64, given.discordance.losses as f64);
        // The score statistic of no difference; without discordant cases nothing speaks against it.
        let score = (wins - losses) / (wins + losses).sqrt();
        let p_lower = if score.is_nan() { 1.0 } else { normal_cdf(score) };
        let p_upper = if score.is_nan() { 1.0 } else { normal_cdf(-score) };
        let mean =
            if mean.standard_error <= ROUNDING * range.width() { MeanEstimate { standard_error: 0.0, ..mean } } else { mean };
        return Ok(given.comparison(&mean, PairedMethod::Tango, shares.scaled(range.width()), (p_lower, p_upper)));
    }
    if mean.standard_error <= ROUNDING * range.width() {
        return Ok(given.unvaried(&mean, &units, range.width(), alpha));
    }
    Ok(given.student(&mean, alpha))
}

/// Compares candidate and parent on a quantity that has no largest value, with an interval at level `1 - 2 alpha`.
///
/// The [BCa bootstrap](bca) over cases or clusters follows the skewness of costs and latencies. Where it is not defined or not
/// worth it (fewer than 20 units, or more than 10,000) Student's t takes its place, on a ratio with the delta method. Where no
/// unit differs from another the interval is that of [`compare_paired`] with the largest value seen as the width of the range:
/// an assumption, as nothing else bounds the quantity.
///
/// # Errors
/// As [`compare_paired`]; [`StatsError::Magnitude`] when the parent's mean is not positive and a ratio is asked for.
pub fn compare_quantity(cases: &[PairedCase], scale: Scale, alpha: f64, seed: u64) -> Result<PairedComparison, StatsError> {
    check_alpha(alpha)?;
    for case in cases {
        check_finite(&[case.parent, case.candidate])?;
    }
    let given = Given::new(cases)?;
    let units = given.units(|case| match scale {
        Scale::Difference => Unit { sum: case.weight * (case.candidate - case.parent), weight: case.weight },
        // The ratio less one is the same sum over other weights.
        Scale::Ratio => Unit { sum: case.weight * (case.candidate - case.parent), weight: case.weight * case.parent },
    })?;
    let mean = ratio_of_sums(&units)?;
    let largest = cases.iter().fold(0.0_f64, |largest, case| largest.max(case.parent.abs()).max(case.candidate.abs()));
    let width = match scale {
        Scale::Difference => largest,
        Scale::Ratio => 1.0,
    };
    if mean.standard_error <= ROUNDING * width {
        return Ok(given.unvaried(&mean, &units, width, alpha));
    }
    let student = given.student(&mean, alpha);
    if !BOOTSTRAP_UNITS.contains(&units.len()) {
        return Ok(student);
    }
    match bca(&units, BOOTSTRAP_DRAWS, seed, 1.0 - 2.0 * alpha) {
        Ok(found) => {
            let Bootstrap { interval, p_lower, p_upper, .. } = found;
            // Far out the bootstrap is a little too sure of small samples, and Student's t may show a loss that the interval does not. A
            // loss is beyond doubt where neither doubts it.
            let (p_lower, p_upper) = (p_lower.max(student.p_lower), p_upper.max(student.p_upper));
            Ok(PairedComparison { interval, method: PairedMethod::Bca, p_lower, p_upper, ..student })
        }
        Err(StatsError::NoVariation | StatsError::Magnitude(_)) => Ok(student),
        Err(error) => Err(error),
    }
}

/// The cases of a comparison, and how they belong together.
struct Given<'a> {
    cases: &'a [PairedCase],
    /// A cluster number for each case, where any two share one.
    clusters: Option<Vec<u32>>,
    discordance: Discordance,
}

impl<'a> Given<'a> {
    fn new(cases: &'a [PairedCase]) -> Result<Self, StatsError> {
        if cases.len() < 2 {
            return Err(StatsError::TooFew { needed: 2, given: cases.len() });
        }
        if let Some(case) = cases.iter().find(|case| !(case.weight > 0.0 && case.weight.is_finite())) {
            return Err(StatsError::Magnitude(case.weight));
        }
        let (clusters, shared) = cluster_numbers(cases);
        let count = |is_one: fn(&PairedCase) -> bool| cases.iter().filter(|case| is_one(case)).count() as u64;
        let discordance =
            Discordance { losses: count(|case| case.candidate < case.parent), wins: count(|case| case.candidate > case.parent) };
        Ok(Self { cases, clusters: shared.then_some(clusters), discordance })
    }

    fn units(&self, unit: impl Fn(&PairedCase) -> Unit) -> Result<Vec<Unit>, StatsError> {
        let units = Unit::group(&self.cases.iter().map(unit).collect::<Vec<_>>(), self.clusters.as_deref())?;
        if units.len() < 2 { Err(StatsError::TooFewClusters { given: units.len() }) } else { Ok(units) }
    }

    /// Tells whether all cases weigh the same.
    fn is_even(&self) -> bool {
        self.cases.iter().all(|case| case.weight == self.cases[0].weight)
    }

    fn student(&self, mean: &MeanEstimate, alpha: f64) -> PairedComparison {
        let freedom = mean.degrees_of_freedom();
        let method = if self.clusters.is_some() { PairedMethod::ClusteredT } else { PairedMethod::StudentT };
        let interval = around(mean.mean, mean.standard_error, freedom, 1.0 - 2.0 * alpha);
        let statistic = mean.mean / mean.standard_error;
        let tail = student_upper_tail(statistic.abs(), freedom);
        let p_values = if statistic < 0.0 { (tail, 1.0 - tail) } else { (1.0 - tail, tail) };
        self.comparison(mean, method, interval, p_values)
    }

    /// Bounds the mean difference by what the unseen units may do.
    fn unvaried(&self, mean: &MeanEstimate, units: &[Unit], width: f64, alpha: f64) -> PairedComparison {
        let effective = effective_units(units);
        let share = 1.0 - alpha.powf(1.0 / effective);
        let centre = mean.mean;
        let interval = Interval {
            low: centre - share * (centre + width),
            high: centre + share * (width - centre),
            level: 1.0 - 2.0 * alpha,
        };
        // The error rate at which the interval would just reach zero.
        let reaching = (width / (width + centre.abs())).powf(effective);
        let p_values = if centre < 0.0 { (reaching, 1.0) } else { (1.0, reaching) };
        let mean = MeanEstimate { standard_error: 0.0, ..*mean };
        self.comparison(&mean, PairedMethod::ClopperPearson, interval, p_values)
    }

    fn comparison(
        &self,
        mean: &MeanEstimate,
        method: PairedMethod,
        interval: Interval,
        p_values: (f64, f64),
    ) -> PairedComparison {
        PairedComparison {
            cases: self.cases.len(),
            units: mean.units,
            discordance: self.discordance,
            estimate: mean.mean,
            standard_error: mean.standard_error,
            degrees_of_freedom: mean.degrees_of_freedom(),
            interval,
            method,
            p_lower: p_values.0,
            p_upper: p_values.1,
        }
    }
}

/// Returns a cluster number for each case, and whether any two cases share one.
fn cluster_numbers(cases: &[PairedCase]) -> (Vec<u32>, bool) {
    let taken: BTreeSet<u32> = cases.iter().filter_map(|case| case.cluster).collect();
    let mut free = (0..=u32::MAX).filter(|number| !taken.contains(number));
    let numbers: Vec<u32> = cases.iter().filter_map(|case| case.cluster.or_else(|| free.next())).collect();
    let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
    let shared = distinct.len() < cases.len();
    (numbers, shared)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cases(pairs: &[(f64, f64)]) -> Vec<PairedCase> {
        pairs.iter().map(|(parent, candidate)| PairedCase::new(*parent, *candidate)).collect()
    }

    #[test]
    fn sleep_is_the_textbook_paired_t() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let pairs: Vec<(f64, f64)> = first.into_iter().zip(second).collect();
        let range = MetricRange::new(-10.0, 10.0).unwrap();
        let comparison = compare_paired(&cases(&pairs), range, 0.025).unwrap();
        assert_eq!(comparison.method, PairedMethod::StudentT);
        assert_eq!(comparison.degrees_of_freedom, 9.0);
        let t = comparison.estimate / comparison.standard_error;
        assert!((t - 4.0621).abs() < 5e-5, "{comparison:?}");
        // R: t.test(paired = TRUE) prints 0.7001142 2.4598858.
        assert!((comparison.interval.low - 0.700_114_2).abs() < 1e-7);
        assert!((comparison.interval.high - 2.459_885_8).abs() < 1e-7);
        assert_eq!(comparison.discordance, Discordance { losses: 0, wins: 9 });
    }

    #[test]
    fn agresti_approval_is_a_loss_of_four_points() {
        let mut pairs = vec![(1.0, 1.0); 794];
        pairs.extend(vec![(1.0, 0.0); 150]);
        pairs.extend(vec![(0.0, 1.0); 86]);
        pairs.extend(vec![(0.0, 0.0); 570]);
        let comparison = compare_paired(&cases(&pairs), MetricRange::UNIT, 0.025).unwrap();
        assert_eq!(comparison.method, PairedMethod::Tango);
        assert!((comparison.estimate + 0.04).abs() < 1e-12);
        assert!((comparison.standard_error - 0.009_549).abs() < 5e-6, "{comparison:?}");
        // Agresti's Wald interval is (-.0587, -.0213); the score interval agrees to three digits at this size.
        assert!((comparison.interval.low + 0.0587).abs() < 5e-4, "{comparison:?}");
        assert!((comparison.interval.high + 0.0213).abs() < 5e-4, "{comparison:?}");
    }

    #[test]
    fn equal_differences_never_make_a_point() {
        // 0.3 - 0.2 and 0.4 - 0.3 differ by rounding only; 1e-17 of spread is none.
        let pairs: Vec<(f64, f64)> = [(0.2, 0.3), (0.3, 0.4), (0.5, 0.6)].repeat(10);
        let comparison = compare_paired(&cases(&pairs), MetricRange::UNIT, 0.05).unwrap();
        assert_eq!(comparison.method, PairedMethod::ClopperPearson);
        assert_eq!(comparison.standard_error, 0.0);
        let share = 1.0 - 0.05_f64.powf(1.0 / 30.0);
        assert!((comparison.interval.low - (0.1 - share * 1.1)).abs() < 1e-12);
        assert!((comparison.interval.high - (0.1 + share * 0.9)).abs() < 1e-12);
        assert!(comparison.minimum_detectable_effect(0.8).unwrap() > 0.05);
    }

    #[test]
    fn clusters_whose_cases_cancel_saw_no_variation_either() {
        let mut paired = cases(&[(0.5, 0.7), (0.5, 0.3)].repeat(6));
        for (index, case) in paired.iter_mut().enumerate() {
            case.cluster = Some(index as u32 / 2);
        }
        let comparison = compare_paired(&paired, MetricRange::UNIT, 0.05).unwrap();
        assert_eq!(comparison.method, PairedMethod::ClopperPearson);
        assert_eq!((comparison.cases, comparison.units), (12, 6));
        assert!(comparison.interval.width() > 0.5, "{comparison:?}");
    }

    #[test]
    fn binary_scores_in_clusters_use_clusters() {
        let mut paired = cases(&[(1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 1.0)].repeat(5));
        for (index, case) in paired.iter_mut().enumerate() {
            case.cluster = (index > 1).then_some(index as u32 / 3);
        }
        let comparison = compare_paired(&paired, MetricRange::UNIT, 0.05).unwrap();
        assert_eq!(comparison.method, PairedMethod::ClusteredT);
        assert_eq!(comparison.units, 9);
        assert_eq!(comparison.degrees_of_freedom, 8.0);
    }

    #[test]
    fn weights_leave_tango_and_count_in_the_mean() {
        let mut paired = cases(&[(1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 1.0)].repeat(5));
        paired[0].weight = 3.0;
        let comparison = compare_paired(&paired, MetricRange::UNIT, 0.05).unwrap();
        assert_eq!(comparison.method, PairedMethod::StudentT);
        assert!((comparison.estimate + 2.0 / 22.0).abs() < 1e-15, "{comparison:?}");
        paired[0].weight = 0.0;
        assert_eq!(compare_paired(&paired, MetricRange::UNIT, 0.05), Err(StatsError::Magnitude(0.0)));
    }

    #[test]
    fn a_quantity_is_compared_as_a_ratio_or_a_difference() {
        // Every call costs a tenth more, and the costs differ: the ratio is 1.1 without any variation.
        let costs: Vec<(f64, f64)> = (1..=40).map(|cost| (f64::from(cost), 1.1 * f64::from(cost))).collect();
        let ratio = compare_quantity(&cases(&costs), Scale::Ratio, 0.05, 1).unwrap();
        assert_eq!(ratio.method, PairedMethod::ClopperPearson);
        assert!((ratio.estimate - 0.1).abs() < 1e-12 && ratio.interval.width() > 0.0, "{ratio:?}");
        let difference = compare_quantity(&cases(&costs), Scale::Difference, 0.05, 1).unwrap();
        assert_eq!(difference.method, PairedMethod::Bca);
        assert!((difference.estimate - 2.05).abs() < 1e-12 && difference.p_upper <= 1.0 / 5000.0, "{difference:?}");
        let few = compare_quantity(&cases(&costs[..9]), Scale::Difference, 0.05, 1).unwrap();
        assert_eq!(few.method, PairedMethod::StudentT);
        let free = cases(&[(0.0, 1.0), (0.0, 2.0)]);
        assert_eq!(compare_quantity(&free, Scale::Ratio, 0.05, 1), Err(StatsError::Magnitude(0.0)));
    }

    #[test]
    fn refuses_what_it_cannot_answer() {
        let compare = |pairs: &[(f64, f64)], alpha| compare_paired(&cases(pairs), MetricRange::UNIT, alpha).unwrap_err();
        assert_eq!(compare(&[], 0.05), StatsError::TooFew { needed: 2, given: 0 });
        assert_eq!(compare(&[(0.0, 1.0)], 0.05), StatsError::TooFew { needed: 2, given: 1 });
        assert_eq!(compare(&[(0.0, 1.0)], 0.5), StatsError::Alpha(0.5));
        let outside = StatsError::OutsideRange { value: 1.2, low: 0.0, high: 1.0 };
        assert_eq!(compare(&[(0.0, 1.2)], 0.05), outside);
        assert!(matches!(compare(&[(f64::NAN, 0.0)], 0.05), StatsError::NotFinite(_)));
        assert_eq!(MetricRange::new(1.0, 1.0), Err(StatsError::Range { low: 1.0, high: 1.0 }));
        let one = PairedCase { cluster: Some(1), ..PairedCase::new(0.0, 0.5) };
        assert_eq!(compare_paired(&[one, one], MetricRange::UNIT, 0.05), Err(StatsError::TooFewClusters { given: 1 }));
    }

    proptest! {
        #[test]
        fn raising_the_candidate_raises_the_interval(
            scores in prop::collection::vec((0.0..0.5_f64, 0.0..0.5_f64), 2..40), gain in 0.0..0.5_f64,
        ) {
            let raised: Vec<(f64, f64)> = scores.iter().map(|(a, b)| (*a, b + gain)).collect();
            let before = compare_paired(&cases(&scores), MetricRange::UNIT, 0.05).unwrap();
            let after = compare_paired(&cases(&raised), MetricRange::UNIT, 0.05).unwrap();
            prop_assert!((after.interval.low - before.interval.low - gain).abs() < 1e-9);
            prop_assert!((after.interval.high - before.interval.high - gain).abs() < 1e-9);
        }

        #[test]
        fn the_interval_holds_the_estimate_and_has_width(
            scores in prop::collection::vec((0_u8..4, 0_u8..4, prop::option::of(0_u32..9)), 2..60),
        ) {
            let paired: Vec<PairedCase> = scores
                .iter()
                .map(|(a, b, cluster)| PairedCase { cluster: *cluster, ..PairedCase::new(f64::from(*a), f64::from(*b)) })
                .collect();
            let range = MetricRange::new(0.0, 3.0).unwrap();
            match compare_paired(&paired, range, 0.05) {
                Ok(comparison) => {
                    prop_assert!(comparison.interval.contains(comparison.estimate));
                    prop_assert_eq!(comparison.interval.high < 0.0, comparison.p_lower < 0.05);
                    prop_assert_eq!(comparison.interval.low > 0.0, comparison.p_upper < 0.05);
                    prop_assert!(comparison.interval.width() > 0.0);
                }
                Err(error) => prop_assert_eq!(error, StatsError::TooFewClusters { given: 1 }),
            }
        }
    }
}

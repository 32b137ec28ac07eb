//! The paired comparison of a candidate with its parent over the same cases.

use std::collections::BTreeSet;

use crate::error::{StatsError, check_alpha};
use crate::interval::Interval;
use crate::mcnemar::Discordance;
use crate::mean::{MeanEstimate, around};
use crate::power::{Sides, minimum_detectable_effect};
use crate::proportion::{Proportion, clopper_pearson_upper};
use crate::special::student_upper;
use crate::tango::tango;

/// Standard errors below this share of the metric's range are rounding, not variation.
const ROUNDING: f64 = 1e-12;

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
    /// Mean of `candidate - parent`, in the metric's unit.
    pub estimate: f64,
    /// Standard error of the estimate; zero when no variation was seen.
    pub standard_error: f64,
    /// Degrees of freedom of the standard error, `units - 1`.
    pub degrees_of_freedom: f64,
    /// Interval of the true mean difference at level `1 - 2 alpha`; never of zero width.
    pub interval: Interval,
    /// Method that the interval comes from.
    pub method: PairedMethod,
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
/// 1. **Tango.** Every score is an end of the range and no two cases share a cluster: [`tango`], scaled to the range.
/// 2. **Clopper–Pearson.** No variation was seen (all `d_i` equal, or all clusters with the same residual): the standard error
///    is zero, which says nothing about cases not yet seen. With `q = 1 - alpha^(1/units)`, the upper limit on the share of
///    units that would differ, and `W` the width of the range, the interval is `d - q(d + W)` to `d + q(W - d)`: at most that
///    share may differ, by at most what the range allows. Clusters count as units of equal weight.
/// 3. **Clustered t.** Some cases share a cluster: the standard error of [`MeanEstimate::of_clusters`], `df = clusters - 1`.
/// 4. **Student's t**, `df = cases - 1`.
///
/// The t intervals are approximate when few cases differ at all: see `docs/concepts/statistics.md`.
///
/// # Errors
/// [`StatsError::TooFew`] below two cases, [`StatsError::TooFewClusters`] when all cases share one cluster,
/// [`StatsError::OutsideRange`] and [`StatsError::NotFinite`] on scores, [`StatsError::Alpha`] outside (0, 0.5).
pub fn compare_paired(cases: &[PairedCase], range: MetricRange, alpha: f64) -> Result<PairedComparison, StatsError> {
    check_alpha(alpha)?;
    for case in cases {
        range.check(case.parent)?;
        range.check(case.candidate)?;
    }
    let differences: Vec<f64> = cases.iter().map(|case| case.candidate - case.parent).collect();
    let (clusters, shared) = cluster_numbers(cases);
    let mean = if shared { MeanEstimate::of_clusters(&differences, &clusters)? } else { MeanEstimate::of(&differences)? };
    let discordance = Discordance {
        losses: differences.iter().filter(|difference| **difference < 0.0).count() as u64,
        wins: differences.iter().filter(|difference| **difference > 0.0).count() as u64,
    };
    let binary = cases.iter().all(|case| range.is_end(case.parent) && range.is_end(case.candidate));
    let unvaried = mean.standard_error <= ROUNDING * range.width();
    let level = 1.0 - 2.0 * alpha;
    let freedom = mean.degrees_of_freedom();
    let (method, interval) = if binary && !shared {
        let shares = tango(discordance, cases.len() as u64, level)?;
        (PairedMethod::Tango, shares.scaled(range.width()))
    } else if unvaried {
        (PairedMethod::ClopperPearson, unvaried_interval(&mean, range, alpha)?)
    } else {
        let method = if shared { PairedMethod::ClusteredT } else { PairedMethod::StudentT };
        (method, around(mean.mean, mean.standard_error, freedom, level))
    };
    Ok(PairedComparison {
        cases: cases.len(),
        units: mean.units,
        discordance,
        estimate: mean.mean,
        standard_error: if unvaried { 0.0 } else { mean.standard_error },
        degrees_of_freedom: freedom,
        interval,
        method,
    })
}

/// Bounds the mean difference by what the unseen units may do.
fn unvaried_interval(mean: &MeanEstimate, range: MetricRange, alpha: f64) -> Result<Interval, StatsError> {
    let share = clopper_pearson_upper(Proportion::new(0, mean.units as u64)?, alpha)?;
    let (centre, width) = (mean.mean, range.width());
    Ok(Interval { low: centre - share * (centre + width), high: centre + share * (width - centre), level: 1.0 - 2.0 * alpha })
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
        pairs.iter().map(|(parent, candidate)| PairedCase { parent: *parent, candidate: *candidate, cluster: None }).collect()
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
    fn refuses_what_it_cannot_answer() {
        let compare = |pairs: &[(f64, f64)], alpha| compare_paired(&cases(pairs), MetricRange::UNIT, alpha).unwrap_err();
        assert_eq!(compare(&[], 0.05), StatsError::TooFew { needed: 2, given: 0 });
        assert_eq!(compare(&[(0.0, 1.0)], 0.05), StatsError::TooFew { needed: 2, given: 1 });
        assert_eq!(compare(&[(0.0, 1.0)], 0.5), StatsError::Alpha(0.5));
        let outside = StatsError::OutsideRange { value: 1.2, low: 0.0, high: 1.0 };
        assert_eq!(compare(&[(0.0, 1.2)], 0.05), outside);
        assert!(matches!(compare(&[(f64::NAN, 0.0)], 0.05), StatsError::NotFinite(_)));
        assert_eq!(MetricRange::new(1.0, 1.0), Err(StatsError::Range { low: 1.0, high: 1.0 }));
        let one = PairedCase { parent: 0.0, candidate: 0.5, cluster: Some(1) };
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
                .map(|(a, b, cluster)| PairedCase {
                    parent: f64::from(*a), candidate: f64::from(*b), cluster: *cluster,
                })
                .collect();
            let range = MetricRange::new(0.0, 3.0).unwrap();
            match compare_paired(&paired, range, 0.05) {
                Ok(comparison) => {
                    prop_assert!(comparison.interval.contains(comparison.estimate));
                    prop_assert!(comparison.interval.width() > 0.0);
                }
                Err(error) => prop_assert_eq!(error, StatsError::TooFewClusters { given: 1 }),
            }
        }
    }
}

//! Intervals of a proportion and of the difference of two independent proportions.

use std::collections::BTreeMap;

use crate::error::{StatsError, check_level};
use crate::interval::{Interval, hybrid_difference};
use crate::special::{beta_quantile, normal_upper, student_upper};

/// Holds a count of successes out of a count of trials, of which there is at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    successes: u64,
    trials: u64,
}

impl Proportion {
    /// Creates a proportion.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] without trials, [`StatsError::Successes`] when there are more successes than trials.
    pub fn new(successes: u64, trials: u64) -> Result<Self, StatsError> {
        if trials == 0 {
            return Err(StatsError::TooFew { needed: 1, given: 0 });
        }
        if successes > trials {
            return Err(StatsError::Successes { successes, trials });
        }
        Ok(Self { successes, trials })
    }

    /// Returns the number of successes.
    #[must_use]
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// Returns the number of trials.
    #[must_use]
    pub fn trials(&self) -> u64 {
        self.trials
    }

    /// Returns successes divided by trials, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.successes as f64 / self.trials as f64
    }
}

/// Computes Wilson's score interval of a proportion.
///
/// `(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)` (E. B. Wilson, JASA 22, 1927). Coverage is near the level on
/// average over p and dips below it for some p; use [`clopper_pearson`] where the level must be a lower bound.
///
/// # Errors
/// [`StatsError::Level`] for a level outside (0, 1).
pub fn wilson(proportion: Proportion, level: f64) -> Result<Interval, StatsError> {
    check_level(level)?;
    let critical = normal_upper(0.5 * (1.0 - level));
    let (low, high) = score_limits(proportion.share(), proportion.trials as f64, critical);
    Ok(Interval { low, high, level })
}

/// Computes the exact interval of Clopper and Pearson: it covers with at least the level for every true proportion.
///
/// The ends are beta quantiles: `B(a/2; k, n-k+1)` and `B(1-a/2; k+1, n-k)`, and 0 or 1 when no trial or every trial
/// succeeded (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934).
///
/// # Errors
/// [`StatsError::Level`] for a level outside (0, 1).
pub fn clopper_pearson(proportion: Proportion, level: f64) -> Result<Interval, StatsError> {
    check_level(level)?;
    let tail = 0.5 * (1.0 - level);
    let (successes, failures) = (proportion.successes as f64, (proportion.trials - proportion.successes) as f64);
    let low = if successes == 0.0 { 0.0 } else { beta_quantile(tail, successes, failures + 1.0) };
    Ok(Interval { low, high: upper_limit(successes, failures, tail), level })
}

/// Computes the one-sided upper limit of Clopper and Pearson: the truth exceeds it with probability at most `tail`.
///
/// Of `n` trials without a success it is `1 - tail^(1/n)`, the "rule of three" made exact.
///
/// # Errors
/// [`StatsError::Probability`] for a tail outside (0, 1).
pub fn clopper_pearson_upper(proportion: Proportion, tail: f64) -> Result<f64, StatsError> {
    if !(tail > 0.0 && tail < 1.0) {
        return Err(StatsError::Probability(tail));
    }
    let failures = (proportion.trials - proportion.successes) as f64;
    Ok(upper_limit(proportion.successes as f64, failures, tail))
}

fn upper_limit(successes: f64, failures: f64, tail: f64) -> f64 {
    if failures == 0.0 { 1.0 } else { 1.0 - beta_quantile(tail, failures, successes + 1.0) }
}

/// Computes Newcombe's hybrid score interval of the difference `current - baseline` of two independent proportions.
///
/// From the Wilson limits `l, u` of each: `d - sqrt((p1-l1)² + (u0-p0)²)` to `d + sqrt((u1-p1)² + (p0-l0)²)`
/// (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10). It never leaves [-1, 1] and never has zero width.
///
/// # Errors
/// [`StatsError::Level`] for a level outside (0, 1).
pub fn newcombe(baseline: Proportion, current: Proportion, level: f64) -> Result<Interval, StatsError> {
    let (first, second) = (wilson(baseline, level)?, wilson(current, level)?);
    Ok(hybrid_difference((baseline.share(), &first), (current.share(), &second)))
}

/// Returns Wilson's limits; `trials` may be an effective number that is not whole.
fn score_limits(share: f64, trials: f64, critical: f64) -> (f64, f64) {
    let square = critical * critical;
    let centre = share + square / (2.0 * trials);
    let reach = critical * (share * (1.0 - share) / trials + square / (4.0 * trials * trials)).sqrt();
    let scale = 1.0 + square / trials;
    // At the ends of the range the limits are 0 and 1, which the subtraction would miss by a rounding error.
    let low = if share == 0.0 { 0.0 } else { ((centre - reach) / scale).max(0.0) };
    let high = if share == 1.0 { 1.0 } else { ((centre + reach) / scale).min(1.0) };
    (low, high)
}

/// Holds a share of rows of which those in one cluster, such as a session, depend on each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusteredShare {
    /// Rows that succeeded, and all rows.
    pub proportion: Proportion,
    /// Distinct clusters; at least 2.
    pub clusters: usize,
    /// Number of independent rows that would tell as much; at most the number of rows.
    pub effective_trials: f64,
}

impl ClusteredShare {
    /// Counts successes by cluster and computes the effective number of trials.
    ///
    /// `n_eff = n / max(1, D)`, where the design effect `D` is the squared clustered standard error (see
    /// [`crate::MeanEstimate::of_clusters`]) over `p(1-p)/n`. Where no row or every row succeeded `D` cannot be estimated; then
    /// each cluster counts once, the most cautious answer.
    ///
    /// # Errors
    /// [`StatsError::Lengths`] when the slices differ in length, [`StatsError::TooFewClusters`] below two clusters.
    pub fn of(successes: &[bool], clusters: &[u32]) -> Result<Self, StatsError> {
        if successes.len() != clusters.len() {
            return Err(StatsError::Lengths { left: successes.len(), right: clusters.len() });
        }
        let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (success, cluster) in successes.iter().zip(clusters) {
            let count = counts.entry(*cluster).or_default();
            count.0 += u64::from(*success);
            count.1 += 1;
        }
        if counts.len() < 2 {
            return Err(StatsError::TooFewClusters { given: counts.len() });
        }
        let total = counts.values().map(|count| count.0).sum();
        let proportion = Proportion::new(total, successes.len() as u64)?;
        let (share, trials, units) = (proportion.share(), successes.len() as f64, counts.len() as f64);
        let squares: f64 = counts.values().map(|(success, size)| (*success as f64 - share * *size as f64).powi(2)).sum();
        let spread = share * (1.0 - share);
        let effective_trials = if spread == 0.0 {
            units
        } else {
            let design = units / (units - 1.0) * squares / (trials * spread);
            trials / design.max(1.0)
        };
        Ok(Self { proportion, clusters: counts.len(), effective_trials })
    }
}

/// Computes Wilson's interval with the effective number of trials and Student's t with `clusters - 1` degrees of freedom.
///
/// Wilson's analogue of the interval of E. L. Korn and B. I. Graubard (Survey Methodology 24, 1998).
///
/// # Errors
/// [`StatsError::Level`] for a level outside (0, 1).
pub fn wilson_clustered(share: &ClusteredShare, level: f64) -> Result<Interval, StatsError> {
    check_level(level)?;
    let critical = student_upper(0.5 * (1.0 - level), share.clusters as f64 - 1.0);
    let (low, high) = score_limits(share.proportion.share(), share.effective_trials, critical);
    Ok(Interval { low, high, level })
}

/// Computes Newcombe's interval of `current - baseline` from [`wilson_clustered`] limits.
///
/// # Errors
/// [`StatsError::Level`] for a level outside (0, 1).
pub fn newcombe_clustered(baseline: &ClusteredShare, current: &ClusteredShare, level: f64) -> Result<Interval, StatsError> {
    let (first, second) = (wilson_clustered(baseline, level)?, wilson_clustered(current, level)?);
    let (p0, p1) = (baseline.proportion.share(), current.proportion.share());
    Ok(hybrid_difference((p0, &first), (p1, &second)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proportion(successes: u64, trials: u64) -> Proportion {
        Proportion::new(successes, trials).unwrap()
    }

    #[test]
    fn refuses_impossible_counts() {
        assert_eq!(Proportion::new(0, 0), Err(StatsError::TooFew { needed: 1, given: 0 }));
        let error = Proportion::new(3, 2).unwrap_err();
        assert_eq!(error.to_string(), "there are more successes than trials: 3 of `2`");
        assert_eq!(wilson(proportion(1, 2), 0.0), Err(StatsError::Level(0.0)));
    }

    #[test]
    fn newcombe_gives_the_values_of_his_table() {
        // R. G. Newcombe (1998), table II, case (a) 56/70 - 48/80: method 10 gives 0.0524 to 0.3339.
        let interval = newcombe(proportion(48, 80), proportion(56, 70), 0.95).unwrap();
        assert!((interval.low - 0.0524).abs() < 5e-5, "{interval:?}");
        assert!((interval.high - 0.3339).abs() < 5e-5, "{interval:?}");
    }

    #[test]
    fn no_success_in_n_trials_has_a_closed_upper_limit() {
        let limit = clopper_pearson_upper(proportion(0, 59), 0.05).unwrap();
        assert!((limit - (1.0 - 0.05_f64.powf(1.0 / 59.0))).abs() < 1e-14);
        assert_eq!(clopper_pearson_upper(proportion(4, 4), 0.05), Ok(1.0));
    }

    #[test]
    fn clusters_of_copies_count_once_each() {
        // Fifty clusters of four equal rows tell as much as fifty rows, up to the factor (G-1)/G.
        let clusters: Vec<u32> = (0..200).map(|row| row / 4).collect();
        let successes: Vec<bool> = clusters.iter().map(|cluster| cluster % 5 == 0).collect();
        let share = ClusteredShare::of(&successes, &clusters).unwrap();
        assert_eq!(share.clusters, 50);
        assert!((share.effective_trials - 49.0).abs() < 1e-9, "{share:?}");
        let none = ClusteredShare::of(&[false; 200], &clusters).unwrap();
        assert_eq!(none.effective_trials, 50.0);
        let alone: Vec<u32> = (0..200).collect();
        let share = ClusteredShare::of(&successes, &alone).unwrap();
        assert!((share.effective_trials - 199.0).abs() < 1e-9, "{share:?}");
    }

    proptest! {
        #[test]
        fn limits_hold_the_share_and_widen_with_the_level(
            trials in 1_u64..3000, part in 0.0..=1.0_f64, level in 0.5..0.98_f64,
        ) {
            let given = proportion((part * trials as f64) as u64, trials);
            for method in [wilson, clopper_pearson] {
                let narrow = method(given, level).unwrap();
                let wide = method(given, level + 0.01).unwrap();
                prop_assert!(narrow.contains(given.share()));
                prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
                prop_assert!(0.0 <= narrow.low && narrow.high <= 1.0 && narrow.width() > 0.0);
            }
        }

        #[test]
        fn exchanging_the_samples_negates_the_difference(
            n0 in 1_u64..500, n1 in 1_u64..500, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64,
        ) {
            let first = proportion((a * n0 as f64) as u64, n0);
            let second = proportion((b * n1 as f64) as u64, n1);
            let forward = newcombe(first, second, 0.9).unwrap();
            let backward = newcombe(second, first, 0.9).unwrap().negated();
            prop_assert!((forward.low - backward.low).abs() < 1e-12);
            prop_assert!((forward.high - backward.high).abs() < 1e-12);
            prop_assert!(-1.0 - 1e-12 <= forward.low && forward.high <= 1.0 + 1e-12);
            prop_assert!(forward.contains(second.share() - first.share()));
        }
    }
}

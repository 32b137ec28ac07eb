//! Quantiles of a sample, their intervals by order statistics, and the difference of two.

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::{Interval, hybrid_difference};
use crate::special::binomial_cdf;

/// Holds at least one finite value in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct SortedSample {
    values: Vec<f64>,
}

impl SortedSample {
    /// Sorts the values.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] without values, [`StatsError::NotFinite`] on infinities and NaN.
    pub fn new(mut values: Vec<f64>) -> Result<Self, StatsError> {
        check_finite(&values)?;
        if values.is_empty() {
            return Err(StatsError::TooFew { needed: 1, given: 0 });
        }
        values.sort_by(f64::total_cmp);
        Ok(Self { values })
    }

    /// Returns the values in ascending order; there is at least one.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Computes the sample quantile by linear interpolation between order statistics.
    ///
    /// Type 7 of Hyndman and Fan (1996), the default of NumPy and R.
    ///
    /// # Errors
    /// [`StatsError::Probability`] for a probability outside [0, 1].
    pub fn quantile(&self, probability: f64) -> Result<f64, StatsError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(StatsError::Probability(probability));
        }
        let position = probability * (self.values.len() - 1) as f64;
        let below = position.floor() as usize;
        let (low, high) = (self.values[below], self.values[(below + 1).min(self.values.len() - 1)]);
        Ok(low + (position - below as f64) * (high - low))
    }

    /// Computes the interval of a quantile between two order statistics.
    ///
    /// Covers with at least the level, whatever the distribution: the number of values below the true quantile is
    /// binomial, and the ranks leave at most `(1-level)/2` in either tail (W. J. Conover, *Practical Nonparametric
    /// Statistics*, §3.2; `scipy.stats.quantile_test`). An end for which the sample is too small is infinite.
    ///
    /// # Errors
    /// [`StatsError::Probability`] for a probability outside (0, 1), [`StatsError::Level`] for a level outside (0, 1).
    pub fn interval(&self, probability: f64, level: f64) -> Result<Interval, StatsError> {
        check_level(level)?;
        if !(probability > 0.0 && probability < 1.0) {
            return Err(StatsError::Probability(probability));
        }
        let trials = self.values.len() as u64;
        let tail = 0.5 * (1.0 - level);
        let count = trials as usize;
        // Ranks from 1: the largest with P(B < rank) <= tail, the smallest with P(B >= rank) <= tail; 0 and n+1 if none.
        let low_rank = partition(count, |rank| binomial_cdf(rank as u64, trials, probability) <= tail);
        let high_rank = 1 + partition(count, |rank| {
            // P(B >= rank+1) as a lower tail of the failures, which keeps its digits when it is small.
            binomial_cdf(trials - rank as u64 - 1, trials, 1.0 - probability) > tail
        });
        Ok(Interval { low: self.at_rank(low_rank), high: self.at_rank(high_rank), level })
    }

    /// Computes the interval of a quantile from limits of the share of values at or below it (R. S. Woodruff, JASA 47, 1952).
    ///
    /// For values that depend on each other: estimate the share with its clustered standard error, form its limits at
    /// `level`, and read both off the sample. An end whose share reaches 0 or 1 is infinite.
    #[must_use]
    pub fn interval_of_share(&self, low_share: f64, high_share: f64, level: f64) -> Interval {
        let count = self.values.len() as f64;
        let rank = |share: f64| (share.clamp(0.0, 1.0) * count).floor() as usize;
        Interval { low: self.at_rank(rank(low_share)), high: self.at_rank(rank(high_share) + 1), level }
    }

    /// Returns the value at a rank from 1; infinite beyond either end.
    fn at_rank(&self, rank: usize) -> f64 {
        match rank.checked_sub(1) {
            None => f64::NEG_INFINITY,
            Some(index) => self.values.get(index).copied().unwrap_or(f64::INFINITY),
        }
    }
}

/// Computes an interval of the difference `current - baseline` of a quantile of two independent samples.
///
/// The order-statistic intervals of both samples are combined by squaring and adding (Zou and Donner 2008), as Newcombe's
/// interval combines Wilson's: no density is estimated and nothing is resampled. Infinite where either sample is too
/// small for the level. Coverage is approximate; `docs/concepts/statistics.md` states what was measured.
///
/// # Errors
/// As [`SortedSample::interval`].
pub fn quantile_difference(
    baseline: &SortedSample,
    current: &SortedSample,
    probability: f64,
    level: f64,
) -> Result<Interval, StatsError> {
    let first = baseline.interval(probability, level)?;
    let second = current.interval(probability, level)?;
    Ok(hybrid_difference((baseline.quantile(probability)?, &first), (current.quantile(probability)?, &second)))
}

/// Returns how many of the indices from 0 satisfy a predicate that is true first and false after.
fn partition(count: usize, predicate: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if predicate(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_values_bound_their_median_between_the_second_and_the_ninth() {
        let sample = SortedSample::new((1..=10).rev().map(f64::from).collect()).unwrap();
        assert_eq!(sample.quantile(0.5), Ok(5.5));
        let interval = sample.interval(0.5, 0.95).unwrap();
        assert_eq!((interval.low, interval.high), (2.0, 9.0));
    }

    #[test]
    fn a_small_sample_leaves_an_end_open() {
        let sample = SortedSample::new(vec![3.0, 1.0, 2.0]).unwrap();
        let interval = sample.interval(0.5, 0.95).unwrap();
        assert_eq!((interval.low, interval.high), (f64::NEG_INFINITY, f64::INFINITY));
        let difference = quantile_difference(&sample, &sample, 0.5, 0.95).unwrap();
        assert_eq!(difference.width(), f64::INFINITY);
        // P(all three below the 0.9 quantile) = 0.729, so the top value bounds nothing but the lowest does.
        let interval = sample.interval(0.9, 0.8).unwrap();
        assert_eq!((interval.low, interval.high), (2.0, f64::INFINITY));
    }

    #[test]
    fn share_limits_are_read_off_the_sample() {
        let sample = SortedSample::new((1..=100).map(f64::from).collect()).unwrap();
        let interval = sample.interval_of_share(0.4, 0.6, 0.95);
        assert_eq!((interval.low, interval.high), (40.0, 61.0));
        assert_eq!(sample.interval_of_share(-0.1, 1.2, 0.95).width(), f64::INFINITY);
    }

    #[test]
    fn refuses_empty_samples_and_strange_probabilities() {
        assert_eq!(SortedSample::new(vec![]), Err(StatsError::TooFew { needed: 1, given: 0 }));
        let sample = SortedSample::new(vec![1.0]).unwrap();
        assert_eq!(sample.quantile(1.5), Err(StatsError::Probability(1.5)));
        assert_eq!(sample.interval(1.0, 0.9), Err(StatsError::Probability(1.0)));
        assert_eq!(sample.quantile(0.3), Ok(1.0));
    }

    proptest! {
        #[test]
        fn intervals_hold_the_estimate_and_follow_a_shift(
            values in prop::collection::vec(-1e3..1e3_f64, 1..80),
            probability in 0.05..0.95_f64,
            shift in -50.0..50.0_f64,
        ) {
            let sample = SortedSample::new(values.clone()).unwrap();
            let interval = sample.interval(probability, 0.9).unwrap();
            let estimate = sample.quantile(probability).unwrap();
            prop_assert!(interval.contains(estimate));
            let moved = SortedSample::new(values.iter().map(|value| value + shift).collect()).unwrap();
            let difference = quantile_difference(&sample, &moved, probability, 0.9).unwrap();
            prop_assert!(difference.low - 1e-9 <= shift && shift <= difference.high + 1e-9);
            prop_assert!(sample.quantile(0.1).unwrap() <= sample.quantile(0.9).unwrap());
        }
    }
}

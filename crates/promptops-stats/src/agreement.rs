//! How far two raters, such as a judge and a person, agree beyond chance, and what a rater's known errors do to a rate.

use crate::error::{StatsError, check_level};
use crate::interval::Interval;
use crate::proportion::Proportion;
use crate::special::normal_upper;

/// Computes Cohen's kappa of two raters who put the same items into categories.
///
/// `(p_o - p_e)/(1 - p_e)`, with `p_o` the share of items on which they agree and `p_e` that expected of two raters who draw
/// from their own marginal shares (J. Cohen, Educational and Psychological Measurement 20, 1960; statsmodels `cohens_kappa`).
///
/// # Errors
/// [`StatsError::Lengths`] when the lists differ in length, [`StatsError::TooFew`] without items, [`StatsError::NoVariation`]
/// when both use the same single category, which shows nothing about agreement.
pub fn cohens_kappa(first: &[u32], second: &[u32]) -> Result<f64, StatsError> {
    if first.len() != second.len() {
        return Err(StatsError::Lengths { left: first.len(), right: second.len() });
    }
    if first.is_empty() {
        return Err(StatsError::TooFew { needed: 1, given: 0 });
    }
    let count = first.len() as f64;
    let agreed = first.iter().zip(second).filter(|(one, other)| one == other).count() as f64 / count;
    let share = |ratings: &[u32], category: u32| ratings.iter().filter(|one| **one == category).count() as f64 / count;
    let mut categories: Vec<u32> = first.iter().chain(second).copied().collect();
    categories.sort_unstable();
    categories.dedup();
    let expected: f64 = categories.iter().map(|category| share(first, *category) * share(second, *category)).sum();
    if categories.len() < 2 {
        return Err(StatsError::NoVariation);
    }
    Ok((agreed - expected) / (1.0 - expected))
}

/// Holds how often a judge was right on items whose truth is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// Items that are good, and how many of them the judge passed.
    pub good: Proportion,
    /// Items that are bad, and how many of them the judge failed.
    pub bad: Proportion,
}

impl Calibration {
    /// Returns the slope `sensitivity + specificity - 1` (Youden's index): 1 for a faultless judge, 0 for a coin.
    #[must_use]
    pub fn slope(&self) -> f64 {
        self.good.share() + self.bad.share() - 1.0
    }

    /// Corrects a pass rate for the judge's known errors, with an interval that counts the uncertainty of the calibration.
    ///
    /// `(p + q0 - 1)/(q0 + q1 - 1)` with specificity `q0` and sensitivity `q1`, kept in [0, 1] (W. J. Rogan, B. Gladen, American
    /// Journal of Epidemiology 107, 1978). The variance is that of the delta method over the three independent shares, each
    /// with one success and one failure added, so that a share of one still has an error.
    ///
    /// # Errors
    /// [`StatsError::Magnitude`] when the judge is no better than a coin, [`StatsError::Level`] for a level outside (0, 1).
    pub fn corrected(&self, judged: Proportion, level: f64) -> Result<(f64, Interval), StatsError> {
        self.corrected_share(judged.share(), smoothed_variance(judged), level)
    }

    /// Corrects a pass rate whose variance is known from elsewhere: of cases that weigh differently or depend on each other.
    ///
    /// # Errors
    /// As [`Calibration::corrected`]; [`StatsError::Probability`] for a share outside [0, 1], [`StatsError::Magnitude`] for a
    /// variance below zero.
    pub fn corrected_share(&self, judged: f64, variance: f64, level: f64) -> Result<(f64, Interval), StatsError> {
        check_level(level)?;
        if !(0.0..=1.0).contains(&judged) {
            return Err(StatsError::Probability(judged));
        }
        if !(variance >= 0.0 && variance.is_finite()) {
            return Err(StatsError::Magnitude(variance));
        }
        let slope = self.slope();
        if slope <= 0.0 {
            return Err(StatsError::Magnitude(slope));
        }
        let estimate = (judged + self.bad.share() - 1.0) / slope;
        let of_calibration =
            (1.0 - estimate).powi(2) * smoothed_variance(self.bad) + estimate.powi(2) * smoothed_variance(self.good);
        let spread = variance + of_calibration;
        let reach = normal_upper(0.5 * (1.0 - level)) * spread.sqrt() / slope;
        let inside = |value: f64| value.clamp(0.0, 1.0);
        let interval = Interval { low: inside(estimate - reach), high: inside(estimate + reach), level };
        Ok((inside(estimate), interval))
    }
}

/// Returns the variance of a share with one success and one failure added.
fn smoothed_variance(share: Proportion) -> f64 {
    let (successes, trials) = (share.successes() as f64 + 1.0, share.trials() as f64 + 2.0);
    let smoothed = successes / trials;
    smoothed * (1.0 - smoothed) / trials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_of_the_textbook_table() {
        // 20 and 15 of 50 agreed on, 5 and 10 not: kappa is 0.4.
        let table = [(0, 0, 20), (0, 1, 5), (1, 0, 10), (1, 1, 15)];
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (one, other, count) in table {
            first.extend(vec![one; count]);
            second.extend(vec![other; count]);
        }
        assert!((cohens_kappa(&first, &second).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(cohens_kappa(&[3, 3], &[3, 3]), Err(StatsError::NoVariation));
        assert_eq!(cohens_kappa(&[3], &[]), Err(StatsError::Lengths { left: 1, right: 0 }));
    }

    #[test]
    fn a_faultless_judge_changes_nothing_and_a_coin_is_refused() {
        let share = |successes, trials| Proportion::new(successes, trials).unwrap();
        let faultless = Calibration { good: share(500, 500), bad: share(500, 500) };
        let (estimate, interval) = faultless.corrected(share(80, 100), 0.95).unwrap();
        assert!((estimate - 0.8).abs() < 1e-12 && interval.contains(0.8));
        let coin = Calibration { good: share(50, 100), bad: share(50, 100) };
        assert_eq!(coin.corrected(share(80, 100), 0.95), Err(StatsError::Magnitude(0.0)));
    }

    #[test]
    fn a_variance_from_elsewhere_takes_the_place_of_that_of_independent_cases() {
        let share = |successes, trials| Proportion::new(successes, trials).unwrap();
        let judge = Calibration { good: share(90, 100), bad: share(80, 100) };
        let independent = judge.corrected(share(150, 200), 0.95).unwrap();
        let smoothed = 151.0 / 202.0;
        assert_eq!(judge.corrected_share(0.75, smoothed * (1.0 - smoothed) / 202.0, 0.95).unwrap(), independent);
        let clustered = judge.corrected_share(0.75, 0.01, 0.95).unwrap();
        assert!(clustered.0 == independent.0 && clustered.1.width() > 1.5 * independent.1.width(), "{clustered:?}");
        assert_eq!(judge.corrected_share(1.5, 0.0, 0.95), Err(StatsError::Probability(1.5)));
        assert_eq!(judge.corrected_share(0.5, -1.0, 0.95), Err(StatsError::Magnitude(-1.0)));
        assert_eq!(judge.corrected_share(0.5, 0.0, 1.0), Err(StatsError::Level(1.0)));
    }

    #[test]
    fn a_lenient_judge_is_corrected_downwards() {
        let share = |successes, trials| Proportion::new(successes, trials).unwrap();
        let lenient = Calibration { good: share(98, 100), bad: share(60, 100) };
        let (estimate, interval) = lenient.corrected(share(850, 1000), 0.95).unwrap();
        assert!((estimate - 0.45 / 0.58).abs() < 1e-12, "{estimate}");
        assert!(interval.low < 0.72 && interval.high > 0.82, "{interval:?}");
    }
}

//! The three-way verdict on a candidate: pass, regressed, inconclusive.

use std::fmt;

use crate::error::StatsError;
use crate::interval::Interval;

/// Holds how much worse a candidate may be before it counts as a regression: a positive number in the metric's unit.
///
/// Fix it before looking at the data; a margin chosen afterwards voids the error rates.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Margin(f64);

/// Says what the data show about a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The data exclude that the candidate is worse by the margin or more.
    Pass,
    /// The data show that the candidate is worse, and do not exclude that it is so by the margin or more.
    Regressed,
    /// The data show neither: collect more of them, or let a policy decide.
    Inconclusive,
}

impl Verdict {
    /// Returns the name that reports use: `pass`, `regressed` or `inconclusive`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Holds a verdict with what else the interval shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the data show that the candidate is better; only with [`Verdict::Pass`].
    pub improved: bool,
    /// Whether the data show that the candidate is worse, though by less than the margin; only with [`Verdict::Pass`].
    pub worse_within_margin: bool,
}

impl Margin {
    /// Creates a margin.
    ///
    /// # Errors
    /// [`StatsError::Margin`] unless the value is positive and finite.
    pub fn new(value: f64) -> Result<Self, StatsError> {
        if value > 0.0 && value.is_finite() { Ok(Self(value)) } else { Err(StatsError::Margin(value)) }
    }

    /// Returns the margin in the metric's unit.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// Decides from the interval `[L, U]` of `candidate - parent`, of a metric of which more is better.
    ///
    /// * `L > -margin`: [`Verdict::Pass`], `improved` if also `L > 0`, `worse_within_margin` if also `U < 0`.
    /// * `U < 0` and `L <= -margin`: [`Verdict::Regressed`].
    /// * otherwise: [`Verdict::Inconclusive`].
    ///
    /// With an interval at level `1 - 2 alpha` a candidate whose true difference is the margin or worse passes with
    /// probability at most `alpha`, and one that is not worse at all is called regressed with probability at most `alpha`, as
    /// far as the interval holds its level. That a difference is "not significant" never makes a pass: a small data set
    /// leaves a wide interval, and a wide interval is inconclusive. For a metric of which less is better pass
    /// [`Interval::negated`].
    #[must_use]
    pub fn decide(self, interval: &Interval) -> Decision {
        let within = interval.low > -self.0;
        let worse = interval.high < 0.0;
        let verdict = match (within, worse) {
            (true, _) => Verdict::Pass,
            (false, true) => Verdict::Regressed,
            (false, false) => Verdict::Inconclusive,
        };
        Decision { verdict, improved: within && interval.low > 0.0, worse_within_margin: within && worse }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decide(low: f64, high: f64) -> Decision {
        Margin::new(0.02).unwrap().decide(&Interval { low, high, level: 0.9 })
    }

    #[test]
    fn each_region_has_its_verdict() {
        let plain = |verdict| Decision { verdict, improved: false, worse_within_margin: false };
        assert_eq!(decide(-0.01, 0.03), plain(Verdict::Pass));
        assert_eq!(decide(0.01, 0.03), Decision { improved: true, ..plain(Verdict::Pass) });
        assert_eq!(decide(-0.015, -0.001), Decision { worse_within_margin: true, ..plain(Verdict::Pass) });
        assert_eq!(decide(-0.05, -0.001), plain(Verdict::Regressed));
        assert_eq!(decide(-0.05, 0.0), plain(Verdict::Inconclusive));
        assert_eq!(decide(-0.02, 0.5), plain(Verdict::Inconclusive));
        assert_eq!(decide(f64::NEG_INFINITY, f64::INFINITY), plain(Verdict::Inconclusive));
    }

    #[test]
    fn a_margin_is_positive() {
        for value in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(Margin::new(value), Err(StatsError::Margin(_))));
        }
    }

    proptest! {
        #[test]
        fn better_data_never_worsen_the_verdict(
            low in -1.0..1.0_f64, width in 0.0..1.0_f64, gain in 0.0..1.0_f64,
        ) {
            let rank = |verdict| match verdict {
                Verdict::Regressed => 0,
                Verdict::Inconclusive => 1,
                Verdict::Pass => 2,
            };
            let before = decide(low, low + width);
            let after = decide(low + gain, low + width + gain);
            prop_assert!(rank(after.verdict) >= rank(before.verdict));
            prop_assert!(!(after.improved && after.worse_within_margin));
        }

        #[test]
        fn an_interval_around_the_whole_margin_is_inconclusive(low in 0.02..1.0_f64, high in 0.0..1.0_f64) {
            prop_assert_eq!(decide(-low, high).verdict, Verdict::Inconclusive);
        }
    }
}

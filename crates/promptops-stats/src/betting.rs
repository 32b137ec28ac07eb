//! Anytime-valid intervals of a bounded mean, by betting.
//!
//! Whoever looks at a comparison after every case and stops when it looks good has more chances to be wrong than the error
//! rate says. A *confidence sequence* holds at all times at once: the chance that its interval ever misses the truth, at any
//! sample size, is at most alpha, so stopping at any moment and for any reason keeps the rate.

use crate::error::{StatsError, check_alpha};
use crate::interval::Interval;
use crate::unit::Unit;

/// Numbers of units for which one of the bets is sized, as shares of the cases there are.
///
/// A bet sized for the whole dataset is the best at its end and slow before, one sized for a small part the other way round.
/// The mean of the wealths of several is itself the wealth of a fair game, and little worse than the best of them.
const HORIZONS: [f64; 4] = [1.0, 0.4, 0.15, 0.05];
/// Never more than this share of the wealth is at stake, so that no single unit can lose all of it.
const MOST_AT_STAKE: f64 = 0.75;

/// Holds the wealth of two gamblers for every possible mean: one bets that it is larger, one that it is smaller.
///
/// If the mean is `m`, then betting on the deviations from `m` is a fair game, whose wealth reaches `1/alpha` with probability
/// at most `alpha` over all time (Ville's inequality). The interval holds each `m` at which neither gambler got that rich.
///
/// Units must come in random order and be independent draws; each is the `sum` of the weighted values and the `weight` of one
/// case or one cluster. Bets are sized from earlier units alone, by the predictable plug-in of I. Waudby-Smith and A. Ramdas
/// ("Estimating means of bounded random variables by betting", JRSS B 86, 2024; arXiv 2010.09686, §4), with the mean over
/// [several horizons](HORIZONS) in place of one. Nothing is assumed but that values lie in the range: no distribution, no
/// minimum sample size.
#[derive(Debug, Clone)]
pub struct BettingSequence {
    low: f64,
    high: f64,
    alpha: f64,
    /// The largest weight that a unit has; the deviations of the others are scaled down by it.
    most_weight: f64,
    horizons: [f64; HORIZONS.len()],
    terms: Vec<Term>,
    squares: f64,
    total: Unit,
}

/// One unit, with the stakes that were fixed before it was seen.
#[derive(Debug, Clone, Copy)]
struct Term {
    unit: Unit,
    stakes: [f64; HORIZONS.len()],
}

/// Which gambler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Gains when the mean is larger than supposed.
    Above,
    /// Gains when the mean is smaller than supposed.
    Below,
}

/// Holds the wealth of one gambler against one supposed mean, brought up to date unit by unit.
#[derive(Debug, Clone, Copy)]
pub struct Wealth {
    supposed: f64,
    side: Side,
    logarithms: [f64; HORIZONS.len()],
    most: f64,
    taken: usize,
}

impl BettingSequence {
    /// Begins without units.
    ///
    /// `low` and `high` are the ends of a value's range (-1 and 1 for the difference of two shares); `alpha` the error rate on
    /// either side, so that intervals are at level `1 - 2 alpha`; `units` how many there are at most; `most_weight` the largest
    /// weight of a unit (1 for cases without weights and clusters), known before the first is seen.
    ///
    /// # Errors
    /// [`StatsError::Range`], [`StatsError::Alpha`], [`StatsError::TooFew`] below one unit, [`StatsError::Magnitude`] for a
    /// weight that is not positive.
    pub fn new(low: f64, high: f64, alpha: f64, units: usize, most_weight: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        if !(low < high && (high - low).is_finite()) {
            return Err(StatsError::Range { low, high });
        }
        if units == 0 {
            return Err(StatsError::TooFew { needed: 1, given: 0 });
        }
        if !(most_weight > 0.0 && most_weight.is_finite()) {
            return Err(StatsError::Magnitude(most_weight));
        }
        let horizons = HORIZONS.map(|share| (share * units as f64).max(1.0));
        let total = Unit { sum: 0.0, weight: 0.0 };
        Ok(Self { low, high, alpha, most_weight, horizons, terms: Vec::new(), squares: 0.0, total })
    }

    /// Takes the next unit.
    ///
    /// # Errors
    /// [`StatsError::OutsideRange`] when its mean value lies outside the range, [`StatsError::Magnitude`] when its weight is not
    /// positive or above the largest that was announced.
    pub fn push(&mut self, unit: Unit) -> Result<(), StatsError> {
        if !(unit.weight > 0.0 && unit.weight <= self.most_weight) {
            return Err(StatsError::Magnitude(unit.weight));
        }
        let value = unit.sum / unit.weight;
        let slack = 1e-9 * (self.high - self.low);
        if !(value >= self.low - slack && value <= self.high + slack) {
            return Err(StatsError::OutsideRange { value, low: self.low, high: self.high });
        }
        let seen = self.terms.len() as f64;
        let width = self.high - self.low;
        // The variance so far, with one unit of the largest possible variance as a prior.
        let variance = (0.25 * width * width + self.squares) / (seen + 1.0);
        let log = (1.0 / self.alpha).ln();
        let stakes = self.horizons.map(|horizon| (2.0 * log / (variance * horizon)).sqrt());
        self.terms.push(Term { unit, stakes });
        self.total.sum += unit.sum;
        self.total.weight += unit.weight;
        let mean = self.estimate();
        self.squares += ((unit.sum - mean * unit.weight) / self.most_weight).powi(2);
        Ok(())
    }

    /// Returns the units so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Returns whether no unit was taken yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Returns the mean so far; the middle of the range before the first unit.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        if self.total.weight > 0.0 { self.total.sum / self.total.weight } else { 0.5 * (self.low + self.high) }
    }

    /// Returns the gambler who gains where the mean is larger than `supposed`.
    #[must_use]
    pub fn above(&self, supposed: f64) -> Wealth {
        self.against(supposed, Side::Above)
    }

    /// Returns the gambler who gains where the mean is smaller than `supposed`.
    #[must_use]
    pub fn below(&self, supposed: f64) -> Wealth {
        self.against(supposed, Side::Below)
    }

    fn against(&self, supposed: f64, side: Side) -> Wealth {
        let mut wealth = Wealth { supposed, side, logarithms: [0.0; HORIZONS.len()], most: 0.0, taken: 0 };
        wealth.advance(self);
        wealth
    }

    /// Returns the interval after the units so far, at level `1 - 2 alpha`. Costs some hundred passes over the units.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let rich = (1.0 / self.alpha).ln();
        let is_out = |supposed: f64, side| self.against(supposed, side).now() >= rich;
        let (mut low, mut high) = (self.low, self.high);
        let estimate = self.estimate().clamp(self.low, self.high);
        if is_out(low, Side::Above) {
            low = boundary(low, estimate, |supposed| is_out(supposed, Side::Above));
        }
        if is_out(high, Side::Below) {
            high = boundary(high, estimate, |supposed| is_out(supposed, Side::Below));
        }
        Interval { low, high, level: 1.0 - 2.0 * self.alpha }
    }
}

/// Bisects between a supposed mean that is out and one that is not; returns the end that is out, to be cautious.
fn boundary(out: f64, within: f64, is_out: impl Fn(f64) -> bool) -> f64 {
    let (mut out, mut within) = (out, within);
    for _ in 0..60 {
        let middle = 0.5 * (out + within);
        if is_out(middle) {
            out = middle;
        } else {
            within = middle;
        }
    }
    out
}

impl Wealth {
    /// Brings the wealth up to date with the units that the sequence took since.
    pub fn advance(&mut self, sequence: &BettingSequence) {
        for term in &sequence.terms[self.taken..] {
            let deviation = (term.unit.sum - self.supposed * term.unit.weight) / sequence.most_weight;
            // The worst that one unit can do to this gambler.
            let (gain, worst) = match self.side {
                Side::Above => (deviation, self.supposed - sequence.low),
                Side::Below => (-deviation, sequence.high - self.supposed),
            };
            for (logarithm, stake) in self.logarithms.iter_mut().zip(term.stakes) {
                let stake = if worst > 0.0 { stake.min(MOST_AT_STAKE / worst) } else { stake };
                *logarithm += (stake * gain).ln_1p();
            }
            self.most = self.most.max(self.now());
        }
        self.taken = sequence.terms.len();
    }

    /// Returns the natural logarithm of the wealth now.
    #[must_use]
    pub fn now(&self) -> f64 {
        let most = self.logarithms.iter().fold(f64::NEG_INFINITY, |most, logarithm| most.max(*logarithm));
        let mean = self.logarithms.iter().map(|logarithm| (logarithm - most).exp()).sum::<f64>() / HORIZONS.len() as f64;
        most + mean.ln()
    }

    /// Returns a p-value that holds at every time: one over the largest wealth so far, at most 1.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        (-self.most).exp().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn sequence(units: usize) -> BettingSequence {
        BettingSequence::new(-1.0, 1.0, 0.05, units, 1.0).unwrap()
    }

    fn case(value: f64) -> Unit {
        Unit { sum: value, weight: 1.0 }
    }

    #[test]
    fn before_the_first_case_nothing_is_excluded() {
        let interval = sequence(10).interval();
        assert_eq!((interval.low, interval.high, interval.level), (-1.0, 1.0, 0.9));
    }

    #[test]
    fn the_interval_and_the_wealth_tell_the_same() {
        let mut random = SplitMix64::new(4);
        let mut sequence = sequence(400);
        let (mut above, mut below) = (sequence.above(-0.1), sequence.below(0.0));
        for _ in 0..400 {
            let value = if random.unit() < 0.25 { -1.0 } else { f64::from(u8::from(random.unit() < 0.1)) };
            sequence.push(case(value)).unwrap();
            above.advance(&sequence);
            below.advance(&sequence);
        }
        let interval = sequence.interval();
        assert!(interval.contains(sequence.estimate()));
        let rich = 20.0_f64.ln();
        assert_eq!(interval.low > -0.1, above.now() >= rich);
        assert_eq!(interval.high < 0.0, below.now() >= rich);
        assert!(interval.high < 0.0 && below.p_value() < 0.05, "{interval:?}");
        assert!(above.p_value() > 0.05);
    }

    #[test]
    fn cases_that_never_change_narrow_the_interval() {
        let mut sequence = sequence(300);
        let mut widths = Vec::new();
        for index in 1..=300 {
            sequence.push(case(0.0)).unwrap();
            if index % 100 == 0 {
                widths.push(sequence.interval().width());
            }
        }
        assert!(widths[0] > widths[1] && widths[1] > widths[2], "{widths:?}");
        assert!(widths[2] < 0.12, "{widths:?}");
    }

    #[test]
    fn refuses_what_breaks_the_game() {
        assert_eq!(BettingSequence::new(0.0, 0.0, 0.05, 3, 1.0).unwrap_err(), StatsError::Range { low: 0.0, high: 0.0 });
        assert_eq!(BettingSequence::new(0.0, 1.0, 0.5, 3, 1.0).unwrap_err(), StatsError::Alpha(0.5));
        assert_eq!(BettingSequence::new(0.0, 1.0, 0.05, 3, 0.0).unwrap_err(), StatsError::Magnitude(0.0));
        let mut sequence = sequence(3);
        assert!(matches!(sequence.push(case(1.5)), Err(StatsError::OutsideRange { .. })));
        assert_eq!(sequence.push(Unit { sum: 1.0, weight: 2.0 }), Err(StatsError::Magnitude(2.0)));
        assert!(sequence.is_empty());
    }
}

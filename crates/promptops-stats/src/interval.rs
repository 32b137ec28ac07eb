//! The interval type that every method returns.

/// Holds a two-sided confidence interval, ends included.
///
/// An end may be infinite where a sample is too small to bound it at the level asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end, in the unit of the estimate.
    pub low: f64,
    /// Upper end; never below `low`.
    pub high: f64,
    /// Confidence level, strictly between 0 and 1: the share of repetitions in which the interval holds the truth.
    pub level: f64,
}

impl Interval {
    /// Returns whether the value lies inside the interval, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Returns the distance between the ends; infinite when an end is.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// Returns the interval of the negated quantity: for metrics of which less is better, such as cost.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self { low: -self.high, high: -self.low, level: self.level }
    }

    /// Returns the interval of the quantity multiplied by a positive factor.
    #[must_use]
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor, level: self.level }
    }
}

/// Combines the intervals of two independent estimates into that of their difference, `current - baseline`.
///
/// Each argument is an estimate with its own interval; both intervals have the same level, which the result takes over.
/// With estimates `e` and ends `l`, `u`: `d - sqrt((e1-l1)² + (u0-e0)²)` to `d + sqrt((u1-e1)² + (e0-l0)²)` (G. Y. Zou,
/// A. Donner, Statistics in Medicine 27, 2008, "method of variance estimates recovery"). On Wilson's intervals of two
/// proportions this is Newcombe's interval.
#[must_use]
pub fn hybrid_difference(baseline: (f64, &Interval), current: (f64, &Interval)) -> Interval {
    let ((first, first_limits), (second, second_limits)) = (baseline, current);
    let difference = second - first;
    let below = (second - second_limits.low).hypot(first_limits.high - first);
    let above = (second_limits.high - second).hypot(first - first_limits.low);
    let level = first_limits.level.min(second_limits.level);
    Interval { low: difference - below, high: difference + above, level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_belong_to_the_interval() {
        let interval = Interval { low: -1.0, high: 2.0, level: 0.9 };
        assert!(interval.contains(-1.0) && interval.contains(2.0));
        assert!(!interval.contains(2.1) && !interval.contains(-1.1));
        assert_eq!(interval.negated(), Interval { low: -2.0, high: 1.0, level: 0.9 });
        assert_eq!(interval.width(), 3.0);
    }
}

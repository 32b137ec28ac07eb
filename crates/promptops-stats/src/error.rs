//! Why a statistic cannot be computed.

use thiserror::Error;

/// Says why a statistic cannot be computed from what was given.
///
/// The first group is a mistake of the caller: correct the argument. The second says that the data cannot answer the
/// question: collect more of it, or report that there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum StatsError {
    /// A confidence level is not strictly between 0 and 1.
    #[error("a confidence level lies strictly between 0 and 1, not at `{0}`")]
    Level(f64),
    /// An error rate is not strictly between 0 and one half.
    #[error("an error rate alpha lies strictly between 0 and 0.5, not at `{0}`")]
    Alpha(f64),
    /// A wanted power is not strictly between the error rate and 1.
    #[error("a wanted power lies strictly between alpha and 1, not at `{0}`")]
    Power(f64),
    /// A probability is not in the range that the function takes.
    #[error("a probability lies between 0 and 1, not at `{0}`")]
    Probability(f64),
    /// A margin is not a positive finite number.
    #[error("a margin is a positive number, not `{0}`")]
    Margin(f64),
    /// An effect, deviation or standard error has no usable value.
    #[error("an effect or deviation is a positive number, not `{0}`")]
    Magnitude(f64),
    /// A count of successes exceeds its number of trials.
    #[error("there are more successes than trials: {successes} of `{trials}`")]
    Successes {
        /// Successes that were given.
        successes: u64,
        /// Trials that were given.
        trials: u64,
    },
    /// A value is infinite or not a number.
    #[error("a value is not a finite number: `{0}`")]
    NotFinite(f64),
    /// The ends of a metric's range are not two finite numbers in ascending order.
    #[error("a metric's range has a low end below its high end, not {low} to `{high}`")]
    Range {
        /// Low end that was given.
        low: f64,
        /// High end that was given.
        high: f64,
    },
    /// A value lies outside the range that its metric was declared with.
    #[error("a value lies outside the metric's range of {low} to {high}: `{value}`")]
    OutsideRange {
        /// The value.
        value: f64,
        /// Low end of the range.
        low: f64,
        /// High end of the range.
        high: f64,
    },
    /// Two slices that belong together differ in length.
    #[error("two lists that belong together differ in length: {left} and `{right}`")]
    Lengths {
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// The sample is too small for the method.
    #[error("the method needs at least {needed} values, not `{given}`")]
    TooFew {
        /// Values that the method needs.
        needed: usize,
        /// Values that were given.
        given: usize,
    },
    /// Fewer than two clusters: the variation between clusters cannot be estimated.
    #[error("the method needs at least 2 clusters, not `{given}`")]
    TooFewClusters {
        /// Clusters that were given.
        given: usize,
    },
    /// All values are equal, so that a standard error of zero would claim certainty the data cannot give.
    #[error("all values are equal, so their spread is unknown")]
    NoVariation,
}

/// Refuses a confidence level outside (0, 1).
pub(crate) fn check_level(level: f64) -> Result<(), StatsError> {
    if level > 0.0 && level < 1.0 { Ok(()) } else { Err(StatsError::Level(level)) }
}

/// Refuses an error rate outside (0, 0.5).
pub(crate) fn check_alpha(alpha: f64) -> Result<(), StatsError> {
    if alpha > 0.0 && alpha < 0.5 { Ok(()) } else { Err(StatsError::Alpha(alpha)) }
}

/// Refuses infinities and NaN.
pub(crate) fn check_finite(values: &[f64]) -> Result<(), StatsError> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(StatsError::NotFinite(*value)),
        None => Ok(()),
    }
}

//! What a comparison may assume and risk.

use crate::comparison::DriftError;

/// Holds the error rate and the minimum sizes of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Probability of one or more false calls among all signals of a comparison; strictly between 0 and 0.5.
    pub alpha: f64,
    /// Rows with a value that each window needs for a signal to be tested; at least 2.
    ///
    /// The default of 30 is where Student's t becomes usable for the moderate skew of tokens and costs.
    pub min_rows: usize,
    /// Independent units (sessions, and rows without one) that each window needs where rows share sessions; at least 2.
    pub min_units: usize,
    /// Quantile of the baseline's latency that marks a slow call; strictly between 0 and 1.
    ///
    /// The tail share is tested when each window has rows enough for five slow calls to be expected, 100 for 0.95.
    pub latency_quantile: f64,
    /// Labels that are signals of their own; the rarer ones are pooled.
    pub max_labels: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha: 0.05, min_rows: 30, min_units: 10, latency_quantile: 0.95, max_labels: 20 }
    }
}

impl Options {
    /// Refuses options with which no guarantee could be given.
    pub(crate) fn check(&self) -> Result<(), DriftError> {
        let inside = |value: f64, high: f64| value > 0.0 && value < high;
        if !inside(self.alpha, 0.5) {
            return Err(DriftError::Alpha(self.alpha));
        }
        if !inside(self.latency_quantile, 1.0) {
            return Err(DriftError::LatencyQuantile(self.latency_quantile));
        }
        match self.min_rows.min(self.min_units) {
            least @ (0 | 1) => Err(DriftError::Minimum(least)),
            _ => Ok(()),
        }
    }

    /// Returns the rows that the latency tail needs in each window.
    pub(crate) fn min_tail_rows(&self) -> usize {
        // A hair is taken off first: 5 / (1 - 0.95) is a rounding error above 100.
        let expected = (5.0 / (1.0 - self.latency_quantile) - 1e-6).ceil();
        self.min_rows.max(expected as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_needs_five_expected_slow_calls() {
        assert_eq!(Options::default().min_tail_rows(), 100);
        assert_eq!(Options { latency_quantile: 0.5, ..Options::default() }.min_tail_rows(), 30);
        assert_eq!(Options { latency_quantile: 0.99, ..Options::default() }.min_tail_rows(), 500);
    }

    #[test]
    fn refuses_options_without_a_guarantee() {
        assert!(Options::default().check().is_ok());
        let error = Options { alpha: 0.5, ..Options::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "alpha lies strictly between 0 and 0.5, not at `0.5`");
        assert!(matches!(Options { latency_quantile: 1.0, ..Options::default() }.check(), Err(DriftError::LatencyQuantile(_))));
        assert!(matches!(Options { min_units: 1, ..Options::default() }.check(), Err(DriftError::Minimum(1))));
    }
}

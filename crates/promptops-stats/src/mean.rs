//! Intervals of a mean and of the difference of two means.

use std::collections::BTreeMap;

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;
use crate::special::student_upper;

/// Holds a mean with its standard error, from independent values or from clusters of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanEstimate {
    /// Values that entered.
    pub count: usize,
    /// Independent units: the clusters, or `count` where each value stands alone.
    pub units: usize,
    /// Mean of the values.
    pub mean: f64,
    /// Standard error of the mean; zero when all values (or all cluster residuals) are equal.
    pub standard_error: f64,
}

impl MeanEstimate {
    /// Computes the mean of independent values.
    ///
    /// The standard error is `sqrt(sum (x_i - mean)^2 / (n (n-1)))`.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] below two values, [`StatsError::NotFinite`] on infinities and NaN, and when the values are too
    /// large to be squared.
    pub fn of(values: &[f64]) -> Result<Self, StatsError> {
        check_finite(values)?;
        if values.len() < 2 {
            return Err(StatsError::TooFew { needed: 2, given: values.len() });
        }
        let count = values.len() as f64;
        let mean = mean_of(values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = (squares / (count * (count - 1.0))).sqrt();
        check_finite(&[mean, standard_error])?;
        Ok(Self { count: values.len(), units: values.len(), mean, standard_error })
    }

    /// Computes the mean of values of which those with the same cluster number depend on each other.
    ///
    /// The standard error is the cluster-robust sandwich with the finite-sample correction `G/(G-1)`:
    /// `(1/n) sqrt(G/(G-1) sum_g (sum_{i in g} (x_i - mean))^2)`, with `G` clusters. It equals that of an ordinary
    /// least-squares fit of a constant with clustered covariance (statsmodels `cov_type="cluster"`), and, when each value
    /// is its own cluster, that of [`MeanEstimate::of`].
    ///
    /// # Errors
    /// [`StatsError::TooFewClusters`] below two clusters, [`StatsError::Lengths`] when the slices differ in length,
    /// [`StatsError::NotFinite`] on infinities and NaN.
    pub fn of_clusters(values: &[f64], clusters: &[u32]) -> Result<Self, StatsError> {
        check_finite(values)?;
        if values.len() != clusters.len() {
            return Err(StatsError::Lengths { left: values.len(), right: clusters.len() });
        }
        if values.is_empty() {
            return Err(StatsError::TooFewClusters { given: 0 });
        }
        let mean = mean_of(values);
        let mut residuals: BTreeMap<u32, f64> = BTreeMap::new();
        for (value, cluster) in values.iter().zip(clusters) {
            *residuals.entry(*cluster).or_default() += value - mean;
        }
        if residuals.len() < 2 {
            return Err(StatsError::TooFewClusters { given: residuals.len() });
        }
        let units = residuals.len() as f64;
        let squares: f64 = residuals.values().map(|residual| residual * residual).sum();
        let standard_error = (units / (units - 1.0) * squares).sqrt() / values.len() as f64;
        check_finite(&[mean, standard_error])?;
        Ok(Self { count: values.len(), units: residuals.len(), mean, standard_error })
    }

    /// Returns the degrees of freedom of the standard error: independent units less one.
    #[must_use]
    pub fn degrees_of_freedom(&self) -> f64 {
        self.units as f64 - 1.0
    }

    /// Returns Student's t interval of the mean, `mean ± t se` with [`MeanEstimate::degrees_of_freedom`].
    ///
    /// Exact for normal values; approximate for others, the better the more units and the less skewed they are.
    ///
    /// # Errors
    /// [`StatsError::NoVariation`] when the standard error is zero, [`StatsError::Level`] for a level outside (0, 1).
    pub fn interval(&self, level: f64) -> Result<Interval, StatsError> {
        check_level(level)?;
        if self.standard_error == 0.0 {
            return Err(StatsError::NoVariation);
        }
        Ok(around(self.mean, self.standard_error, self.degrees_of_freedom(), level))
    }
}

/// Computes Welch's interval of the difference `current - baseline` of the means of two independent samples.
///
/// Degrees of freedom by Welch–Satterthwaite: `(v0 + v1)^2 / (v0^2/f0 + v1^2/f1)` with `v` the squared standard errors and
/// `f` their degrees of freedom, so clustered estimates may enter as well (B. L. Welch, Biometrika 34, 1947).
///
/// # Errors
/// [`StatsError::NoVariation`] when both standard errors are zero, [`StatsError::Level`] for a level outside (0, 1).
pub fn mean_difference(baseline: &MeanEstimate, current: &MeanEstimate, level: f64) -> Result<Interval, StatsError> {
    check_level(level)?;
    let (first, second) = (baseline.standard_error.powi(2), current.standard_error.powi(2));
    let total = first + second;
    if total == 0.0 {
        return Err(StatsError::NoVariation);
    }
    // Shares rather than fourth powers, which would underflow for costs of micro-dollars.
    let freedom =
        1.0 / ((first / total).powi(2) / baseline.degrees_of_freedom() + (second / total).powi(2) / current.degrees_of_freedom());
    Ok(around(current.mean - baseline.mean, total.sqrt(), freedom, level))
}

/// Returns `estimate ± t standard_error` at the level.
pub(crate) fn around(estimate: f64, standard_error: f64, freedom: f64, level: f64) -> Interval {
    let reach = student_upper(0.5 * (1.0 - level), freedom) * standard_error;
    Interval { low: estimate - reach, high: estimate + reach, level }
}

/// Returns the mean of at least one value; of equal values exactly that value, which a rounded sum would miss.
fn mean_of(values: &[f64]) -> f64 {
    if values.iter().all(|value| *value == values[0]) {
        return values[0];
    }
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Extra hours of sleep under two drugs, ten patients each (Student 1908; `sleep` in R).
    const FIRST: [f64; 10] = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const SECOND: [f64; 10] = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

    #[test]
    fn welch_on_the_sleep_data_is_what_r_prints() {
        let baseline = MeanEstimate::of(&FIRST).unwrap();
        let current = MeanEstimate::of(&SECOND).unwrap();
        let interval = mean_difference(&baseline, &current, 0.95).unwrap();
        // R: t.test(extra ~ group) gives -3.3654832 0.2054832 for group 1 less group 2.
        assert!((interval.low + 0.205_483_2).abs() < 1e-7, "{interval:?}");
        assert!((interval.high - 3.365_483_2).abs() < 1e-7, "{interval:?}");
    }

    #[test]
    fn singleton_clusters_are_independent_values() {
        let clusters: Vec<u32> = (0..10).collect();
        let alone = MeanEstimate::of(&FIRST).unwrap();
        let clustered = MeanEstimate::of_clusters(&FIRST, &clusters).unwrap();
        assert!((alone.standard_error - clustered.standard_error).abs() < 1e-15);
        assert_eq!(alone.units, clustered.units);
    }

    #[test]
    fn equal_values_have_no_interval() {
        let estimate = MeanEstimate::of(&[0.1; 7]).unwrap();
        assert_eq!(estimate.standard_error, 0.0);
        assert_eq!(estimate.interval(0.95), Err(StatsError::NoVariation));
        assert_eq!(mean_difference(&estimate, &estimate, 0.95), Err(StatsError::NoVariation));
    }

    #[test]
    fn refuses_what_it_cannot_answer() {
        assert_eq!(MeanEstimate::of(&[1.0]), Err(StatsError::TooFew { needed: 2, given: 1 }));
        assert!(matches!(MeanEstimate::of(&[1e200, -1e200]), Err(StatsError::NotFinite(_))));
        assert!(matches!(MeanEstimate::of(&[1.0, f64::NAN]), Err(StatsError::NotFinite(_))));
        assert_eq!(MeanEstimate::of_clusters(&[1.0, 2.0], &[3, 3]), Err(StatsError::TooFewClusters { given: 1 }));
        assert_eq!(MeanEstimate::of_clusters(&[1.0, 2.0], &[3]), Err(StatsError::Lengths { left: 2, right: 1 }));
        assert_eq!(MeanEstimate::of(&FIRST).unwrap().interval(1.0), Err(StatsError::Level(1.0)));
    }
}

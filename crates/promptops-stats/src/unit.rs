//! Independent units: what cases become once those that depend on each other are put together.

use std::collections::BTreeMap;

use crate::error::{StatsError, check_finite};
use crate::mean::MeanEstimate;

/// Holds what one independent unit (a case, or all cases of a cluster) adds to a ratio of two sums.
///
/// Weighted means, means over clusters and ratios of means all are `sum of sums / sum of weights` over units. For the mean of
/// weighted values, `sum` is the total of `weight * value` in the unit and `weight` that of its weights; for the ratio of two
/// paired means, `sum` is the candidate's total and `weight` the parent's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// What the unit adds to the numerator.
    pub sum: f64,
    /// What the unit adds to the denominator.
    pub weight: f64,
}

impl Unit {
    /// Puts cases into units: one for each cluster number, or one for each case where there are none.
    ///
    /// Units are in the order of their numbers.
    ///
    /// # Errors
    /// [`StatsError::Lengths`] when the lists differ in length.
    pub fn group(cases: &[Self], clusters: Option<&[u32]>) -> Result<Vec<Self>, StatsError> {
        let Some(clusters) = clusters else { return Ok(cases.to_vec()) };
        if cases.len() != clusters.len() {
            return Err(StatsError::Lengths { left: cases.len(), right: clusters.len() });
        }
        let mut units: BTreeMap<u32, Self> = BTreeMap::new();
        for (case, cluster) in cases.iter().zip(clusters) {
            let unit = units.entry(*cluster).or_insert(Self { sum: 0.0, weight: 0.0 });
            unit.sum += case.sum;
            unit.weight += case.weight;
        }
        Ok(units.into_values().collect())
    }
}

/// Returns the totals of numerator and denominator.
pub(crate) fn totals(units: &[Unit]) -> (f64, f64) {
    units.iter().fold((0.0, 0.0), |(sum, weight), unit| (sum + unit.sum, weight + unit.weight))
}

/// Computes the ratio of the sums with its standard error, `sqrt(G/(G-1) sum (s_g - R w_g)²) / sum w_g`.
///
/// The linearised (delta-method) error of a ratio over `G` units. With one unit for each case and weights of one it is the
/// standard error of a mean; with clusters it is the cluster-robust sandwich; with weights that of a weighted least-squares fit
/// of a constant (statsmodels `WLS(...).fit(cov_type="cluster")`).
///
/// # Errors
/// [`StatsError::TooFew`] below two units, [`StatsError::Magnitude`] when the weights do not add up to a positive number,
/// [`StatsError::NotFinite`] on infinities and NaN.
pub fn ratio_of_sums(units: &[Unit]) -> Result<MeanEstimate, StatsError> {
    if units.len() < 2 {
        return Err(StatsError::TooFew { needed: 2, given: units.len() });
    }
    let (sum, weight) = totals(units);
    check_finite(&[sum, weight])?;
    if weight <= 0.0 {
        return Err(StatsError::Magnitude(weight));
    }
    let ratio = sum / weight;
    let count = units.len() as f64;
    let squares: f64 = units.iter().map(|unit| (unit.sum - ratio * unit.weight).powi(2)).sum();
    let standard_error = (count / (count - 1.0) * squares).sqrt() / weight;
    check_finite(&[ratio, standard_error])?;
    Ok(MeanEstimate { count: units.len(), units: units.len(), mean: ratio, standard_error })
}

/// Returns how many units of equal weight would tell as much, `(sum w)² / sum w²` (L. Kish, *Survey Sampling*, 1965).
pub(crate) fn effective_units(units: &[Unit]) -> f64 {
    let (_, weight) = totals(units);
    let squares: f64 = units.iter().map(|unit| unit.weight * unit.weight).sum();
    if squares > 0.0 { weight * weight / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(pairs: &[(f64, f64)]) -> Vec<Unit> {
        pairs.iter().map(|(sum, weight)| Unit { sum: *sum, weight: *weight }).collect()
    }

    #[test]
    fn a_case_of_weight_two_is_two_cases_in_one_cluster() {
        let weighted = ratio_of_sums(&units(&[(0.4, 1.0), (1.8, 2.0), (0.1, 1.0)])).unwrap();
        let copies = units(&[(0.4, 1.0), (0.9, 1.0), (0.9, 1.0), (0.1, 1.0)]);
        let grouped = Unit::group(&copies, Some(&[4, 2, 2, 9])).unwrap();
        let clustered = ratio_of_sums(&grouped).unwrap();
        assert!((weighted.mean - 0.575).abs() < 1e-15);
        assert!((weighted.standard_error - clustered.standard_error).abs() < 1e-15);
        assert_eq!(effective_units(&grouped), 16.0 / 6.0);
    }

    #[test]
    fn weights_that_cancel_are_refused() {
        assert_eq!(ratio_of_sums(&units(&[(1.0, 1.0)])), Err(StatsError::TooFew { needed: 2, given: 1 }));
        assert_eq!(ratio_of_sums(&units(&[(1.0, 0.0), (1.0, 0.0)])), Err(StatsError::Magnitude(0.0)));
        let error = Unit::group(&units(&[(1.0, 1.0)]), Some(&[1, 2])).unwrap_err();
        assert_eq!(error, StatsError::Lengths { left: 1, right: 2 });
    }
}

//! Adjusting p-values for the number of questions asked.

use crate::error::StatsError;

/// Adjusts p-values by Holm's step-down method, in the order given.
///
/// Calling "changed" whatever has an adjusted value of at most `alpha` makes one or more false calls with probability at
/// most `alpha`, whatever the dependence between the tests. The k-th smallest of `m` values is multiplied by `m - k + 1`,
/// made non-decreasing and capped at 1 (S. Holm, Scandinavian Journal of Statistics 6, 1979).
///
/// # Errors
/// [`StatsError::Probability`] for a value outside [0, 1].
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, StatsError> {
    let order = ascending(p_values)?;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (step, index) in order.iter().enumerate() {
        let factor = (p_values.len() - step) as f64;
        largest = largest.max(factor * p_values[*index]).min(1.0);
        adjusted[*index] = largest;
    }
    Ok(adjusted)
}

/// Adjusts p-values by Benjamini and Hochberg's step-up method, in the order given.
///
/// Calling "changed" whatever has an adjusted value of at most `q` keeps the expected share of false calls among all calls
/// at most `q` for independent (or positively dependent) tests. For scanning many slices or cases, not for a gate. The k-th
/// smallest of `m` is multiplied by `m / k` and made non-decreasing from the top (Journal of the Royal Statistical Society B
/// 57, 1995).
///
/// # Errors
/// [`StatsError::Probability`] for a value outside [0, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>, StatsError> {
    let order = ascending(p_values)?;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (step, index) in order.iter().enumerate().rev() {
        let factor = p_values.len() as f64 / (step + 1) as f64;
        smallest = smallest.min(factor * p_values[*index]);
        adjusted[*index] = smallest;
    }
    Ok(adjusted)
}

/// Returns the indices of the values in ascending order of value.
fn ascending(p_values: &[f64]) -> Result<Vec<usize>, StatsError> {
    if let Some(value) = p_values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(StatsError::Probability(*value));
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|left, right| p_values[*left].total_cmp(&p_values[*right]));
    Ok(order)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_probability() {
        assert_eq!(holm(&[0.5, 1.5]), Err(StatsError::Probability(1.5)));
        assert!(matches!(benjamini_hochberg(&[f64::NAN]), Err(StatsError::Probability(_))));
        assert_eq!(holm(&[]), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn adjusting_only_raises_and_keeps_the_order(p in prop::collection::vec(0.0..=1.0_f64, 1..30)) {
            let (holm, bh) = (holm(&p).unwrap(), benjamini_hochberg(&p).unwrap());
            for left in 0..p.len() {
                prop_assert!(p[left] <= bh[left] + 1e-15 && bh[left] <= holm[left] + 1e-15 && holm[left] <= 1.0);
                for right in 0..p.len() {
                    if p[left] <= p[right] {
                        prop_assert!(holm[left] <= holm[right] && bh[left] <= bh[right]);
                    }
                }
            }
        }
    }
}

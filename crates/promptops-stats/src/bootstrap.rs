//! The bias-corrected and accelerated bootstrap of a mean, a weighted mean or a ratio of means.

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;
use crate::quantile::SortedSample;
use crate::random::SplitMix64;
use crate::special::{normal_cdf, normal_upper};
use crate::unit::{Unit, totals};

/// Holds an interval by the BCa bootstrap.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// The ratio of the sums over the units as they are.
    pub estimate: f64,
    /// The interval.
    pub interval: Interval,
    /// The bias correction `z0`.
    pub bias: f64,
    /// The acceleration `a`.
    pub acceleration: f64,
    /// The error rate at which the upper end of the interval would just reach zero: below `alpha` exactly when the interval at level
    /// `1 - 2 alpha` lies below zero. Never below one over the draws and one more, of which fewer cannot tell.
    pub p_lower: f64,
    /// The same of the lower end.
    pub p_upper: f64,
}

/// Draws units with replacement, with one estimate for each draw, in the order drawn.
///
/// The draws depend on `seed` and on nothing else, on every platform alike.
///
/// # Errors
/// [`StatsError::TooFew`] below two units or without draws; [`StatsError::Magnitude`] when the weights do not add up to a
/// positive number in the sample or in a draw.
pub fn resample(units: &[Unit], draws: u32, seed: u64) -> Result<Vec<f64>, StatsError> {
    if units.len() < 2 || draws == 0 {
        return Err(StatsError::TooFew { needed: 2, given: units.len().min(draws as usize) });
    }
    let mut random = SplitMix64::new(seed);
    let mut estimates = Vec::with_capacity(draws as usize);
    for _ in 0..draws {
        let (mut sum, mut weight) = (0.0, 0.0);
        for _ in 0..units.len() {
            let unit = units[random.below(units.len() as u64) as usize];
            sum += unit.sum;
            weight += unit.weight;
        }
        if weight <= 0.0 {
            return Err(StatsError::Magnitude(weight));
        }
        estimates.push(sum / weight);
    }
    check_finite(&estimates)?;
    Ok(estimates)
}

/// Computes the BCa interval of the ratio of the sums by resampling units (cases or clusters, never repeats).
///
/// With `z0` the normal quantile of the share of draws below the estimate (ties count half) and `a` a sixth of the skewness of
/// the jackknife, the ends are the quantiles of the draws at `Phi(z0 + (z0 + z)/(1 - a(z0 + z)))`. Second-order accurate:
/// unlike Student's t it follows the skewness of costs and latencies (B. Efron, JASA 82, 1987;
/// `scipy.stats.bootstrap(method="BCa")`, to which it is equal on equal draws).
///
/// # Errors
/// [`StatsError::NoVariation`] where the method is not defined: all units tell the same, or all draws lie on one side of the
/// estimate. The caller then falls back to another interval. Otherwise as [`resample`].
pub fn bca(units: &[Unit], draws: u32, seed: u64, level: f64) -> Result<Bootstrap, StatsError> {
    check_level(level)?;
    let (sum, weight) = totals(units);
    let estimates = resample(units, draws, seed)?;
    if weight <= 0.0 {
        return Err(StatsError::Magnitude(weight));
    }
    let estimate = sum / weight;
    // A draw that is a permutation of all units differs from the estimate by rounding only: it is a tie.
    let tie = 1e-13 * estimate.abs();
    let below = estimates.iter().filter(|drawn| **drawn < estimate - tie).count() as f64;
    let at_most = estimates.iter().filter(|drawn| **drawn <= estimate + tie).count() as f64;
    let share = (below + at_most) / (2.0 * f64::from(draws));
    if share <= 0.0 || share >= 1.0 {
        return Err(StatsError::NoVariation);
    }
    let bias = -normal_upper(share);
    let acceleration = acceleration(units, sum, weight)?;
    let draws = SortedSample::new(estimates)?;
    let end = |z: f64| {
        let shifted = bias + z;
        draws.quantile(normal_cdf(bias + shifted / (1.0 - acceleration * shifted)))
    };
    let reach = normal_upper(0.5 * (1.0 - level));
    let interval = Interval { low: end(-reach)?, high: end(reach)?, level };
    if interval.width() == 0.0 {
        return Err(StatsError::NoVariation);
    }
    let (p_lower, p_upper) = tails(&draws, bias, acceleration)?;
    Ok(Bootstrap { estimate, interval, bias, acceleration, p_lower, p_upper })
}

/// Returns the error rates at which the upper and the lower end would just reach zero, by turning the formula of the ends round.
fn tails(draws: &SortedSample, bias: f64, acceleration: f64) -> Result<(f64, f64), StatsError> {
    let count = draws.values().len() as f64;
    let least = 1.0 / (count + 1.0);
    // The share of the draws that lies below zero, as their quantiles have it: the largest, and the smallest, that still does.
    let below = share_where(|share| Ok(draws.quantile(share)? < 0.0))?;
    let not_above = share_where(|share| Ok(draws.quantile(share)? <= 0.0))?;
    let z = |share: f64| {
        if share <= 0.0 || share >= 1.0 {
            return (share - 0.5) * f64::INFINITY;
        }
        let shifted = -normal_upper(share) - bias;
        let stretch = 1.0 + acceleration * shifted;
        // Beyond what the formula reaches.
        if stretch <= 0.0 { shifted.signum() * f64::INFINITY } else { shifted / stretch - bias }
    };
    Ok((normal_cdf(-z(below)).max(least), normal_cdf(z(not_above)).max(least)))
}

/// Bisects for the largest share at which something is so; 0 where it never is, 1 where it always is. What is so at a share is so
/// at every smaller one.
fn share_where(is_so: impl Fn(f64) -> Result<bool, StatsError>) -> Result<f64, StatsError> {
    if !is_so(0.0)? {
        return Ok(0.0);
    }
    if is_so(1.0)? {
        return Ok(1.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if is_so(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

/// Returns `sum u³ / (6 (sum u²)^1.5)` with `u` the jackknife's mean less its value without one unit.
fn acceleration(units: &[Unit], sum: f64, weight: f64) -> Result<f64, StatsError> {
    let left_out: Vec<f64> = units.iter().map(|unit| (sum - unit.sum) / (weight - unit.weight)).collect();
    check_finite(&left_out)?;
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (mut squares, mut cubes, mut largest) = (0.0, 0.0, 0.0_f64);
    for value in left_out {
        let influence = mean - value;
        squares += influence * influence;
        cubes += influence.powi(3);
        largest = largest.max(value.abs());
    }
    // Influences that are rounding errors of equal values are none.
    if squares.sqrt() <= 1e-14 * largest * (units.len() as f64).sqrt() {
        return Err(StatsError::NoVariation);
    }
    Ok(cubes / (6.0 * squares.powf(1.5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(values: &[f64]) -> Vec<Unit> {
        values.iter().map(|value| Unit { sum: *value, weight: 1.0 }).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values = alone(&[1.0, 2.5, 0.3, 9.0, 4.0, 4.4, 0.9, 1.1]);
        let once = bca(&values, 999, 7, 0.9).unwrap();
        assert_eq!(once, bca(&values, 999, 7, 0.9).unwrap());
        assert_ne!(once.interval, bca(&values, 999, 8, 0.9).unwrap().interval);
        assert!(once.interval.contains(once.estimate));
    }

    #[test]
    fn the_tails_and_the_interval_tell_the_same() {
        let mut random = SplitMix64::new(11);
        let mut excluded = 0;
        for round in 0..60 {
            // Skewed, and from clearly above zero to clearly below.
            let shift = 1.6 - 0.02 * f64::from(round);
            let values: Vec<f64> = (0..30).map(|_| (1.2 * normal_upper(random.unit().max(1e-9))).exp() - shift).collect();
            for alpha in [0.005, 0.025, 0.05, 0.2] {
                let found = bca(&alone(&values), 999, round as u64, 1.0 - 2.0 * alpha).unwrap();
                assert_eq!(found.p_lower < alpha, found.interval.high < 0.0, "{found:?}");
                assert_eq!(found.p_upper < alpha, found.interval.low > 0.0, "{found:?}");
                excluded += u32::from(found.interval.high < 0.0 || found.interval.low > 0.0);
            }
        }
        assert!((20..220).contains(&excluded), "{excluded}");
        // Where no draw comes near zero, no more is claimed than the draws can tell.
        let found = bca(&alone(&[5.0, 6.0, 7.5, 8.0, 5.5]), 99, 1, 0.9).unwrap();
        assert_eq!((found.p_lower, found.p_upper), (1.0, 0.01));
    }

    #[test]
    fn a_long_right_tail_moves_the_interval_to_the_right() {
        let mut values = vec![1.0; 30];
        values.extend([5.0, 9.0, 30.0]);
        let found = bca(&alone(&values), 4_999, 1, 0.9).unwrap();
        assert!(found.acceleration > 0.05, "{found:?}");
        let reach = (found.estimate - found.interval.low, found.interval.high - found.estimate);
        assert!(reach.1 > 1.5 * reach.0, "{found:?}");
    }

    #[test]
    fn equal_values_have_no_bootstrap() {
        for value in [0.0, 0.1, 1e9] {
            assert_eq!(bca(&alone(&[value; 12]), 99, 1, 0.9), Err(StatsError::NoVariation));
        }
        assert_eq!(bca(&alone(&[1.0]), 99, 1, 0.9), Err(StatsError::TooFew { needed: 2, given: 1 }));
        assert_eq!(bca(&alone(&[1.0, 2.0]), 99, 1, 1.0), Err(StatsError::Level(1.0)));
    }
}

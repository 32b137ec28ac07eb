//! What a comparison of a given size can detect, and which size detects a given effect.

use crate::error::{StatsError, check_alpha};
use crate::special::{noncentral_student_cdf, normal_upper, student_upper};

/// Says whether an effect is looked for in one direction or in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sides {
    /// One direction, with the whole error rate.
    One,
    /// Both directions, with half the error rate each.
    Two,
}

/// Holds where the variance of one case's difference comes from, all in the metric's squared unit.
///
/// Follows E. Miller, "Adding Error Bars to Evals" (2024): repeats shrink the noise of the answers and never the
/// variation between cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaseVariance {
    /// Variance between cases of the true difference.
    pub between: f64,
    /// Variance between repeats of the parent on one case.
    pub parent: f64,
    /// Variance between repeats of the candidate on one case.
    pub candidate: f64,
}

impl CaseVariance {
    /// Returns the standard deviation of a case's difference when each side is the mean of so many repeats.
    ///
    /// `sqrt(between + parent/repeats + candidate/repeats)`. No repeats are taken as one.
    #[must_use]
    pub fn deviation(&self, parent_repeats: u32, candidate_repeats: u32) -> f64 {
        let parent = self.parent / f64::from(parent_repeats.max(1));
        let candidate = self.candidate / f64::from(candidate_repeats.max(1));
        (self.between + parent + candidate).sqrt()
    }
}

/// Computes the probability that a t test finds an effect.
///
/// The statistic is noncentral t with shift `effect / standard_error`. With `degrees_of_freedom` infinite it is the
/// normal approximation. Two-sided power counts both tails, as `statsmodels.stats.power.TTestPower` does.
///
/// By symmetry this is also the chance that a candidate equal to its parent passes a margin of `effect`
/// ([`Sides::One`], `alpha` the one of the interval).
///
/// # Errors
/// [`StatsError::Magnitude`] unless effect, standard error and degrees of freedom are positive (the first two finite),
/// [`StatsError::Alpha`] for alpha outside (0, 0.5).
pub fn power(effect: f64, standard_error: f64, degrees_of_freedom: f64, alpha: f64, sides: Sides) -> Result<f64, StatsError> {
    check_alpha(alpha)?;
    check_magnitude(effect)?;
    check_magnitude(standard_error)?;
    check_freedom(degrees_of_freedom)?;
    Ok(power_at_shift(effect / standard_error, degrees_of_freedom, alpha, sides))
}

/// Computes the smallest true effect that a t test finds with probability `power`.
///
/// # Errors
/// [`StatsError::Power`] unless `power` lies strictly between `alpha` and 1; otherwise as [`power()`].
pub fn minimum_detectable_effect(
    standard_error: f64,
    degrees_of_freedom: f64,
    alpha: f64,
    power: f64,
    sides: Sides,
) -> Result<f64, StatsError> {
    check_alpha(alpha)?;
    check_power(alpha, power)?;
    check_magnitude(standard_error)?;
    check_freedom(degrees_of_freedom)?;
    let reaches = |shift: f64| power_at_shift(shift, degrees_of_freedom, alpha, sides) >= power;
    let (mut low, mut high) = (0.0, 8.0);
    while !reaches(high) && high < 1e9 {
        low = high;
        high *= 2.0;
    }
    while high - low > 1e-13 * high {
        let middle = 0.5 * (low + high);
        if reaches(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high * standard_error)
}

/// Computes how many cases a paired t test needs to find `effect` with probability `power`.
///
/// `deviation` is the standard deviation of the cases' differences; see [`CaseVariance::deviation`]. At least 2.
///
/// # Errors
/// As [`minimum_detectable_effect`].
pub fn required_cases(deviation: f64, effect: f64, alpha: f64, power: f64, sides: Sides) -> Result<u64, StatsError> {
    let normal = required_cases_normal(deviation, effect, alpha, power, sides)?;
    let reaches = |cases: u64| {
        let cases = cases as f64;
        power_at_shift(effect / deviation * cases.sqrt(), cases - 1.0, alpha, sides) >= power
    };
    // The t test needs a little more than the normal formula; far less than twice as much plus ten.
    let (mut low, mut high) = (normal.max(2) / 2, 2 * normal + 10);
    if low < 2 || reaches(low) {
        low = 1;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reaches(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

/// Computes the number of cases by the normal formula, `(z_alpha + z_power)² deviation² / effect²`, rounded up.
///
/// The formula of Miller (2024), for figures that must agree with it; [`required_cases`] is exact for normal differences.
///
/// # Errors
/// As [`minimum_detectable_effect`].
pub fn required_cases_normal(deviation: f64, effect: f64, alpha: f64, power: f64, sides: Sides) -> Result<u64, StatsError> {
    check_alpha(alpha)?;
    check_power(alpha, power)?;
    check_magnitude(deviation)?;
    check_magnitude(effect)?;
    let total = normal_upper(tail(alpha, sides)) + normal_upper(1.0 - power);
    Ok((total * deviation / effect).powi(2).ceil() as u64)
}

fn power_at_shift(shift: f64, freedom: f64, alpha: f64, sides: Sides) -> f64 {
    let critical = student_upper(tail(alpha, sides), freedom);
    // The upper tail at a shift is the lower tail mirrored; taken so it keeps its digits.
    let found = noncentral_student_cdf(-critical, freedom, -shift);
    match sides {
        Sides::One => found,
        Sides::Two => found + noncentral_student_cdf(-critical, freedom, shift),
    }
}

fn tail(alpha: f64, sides: Sides) -> f64 {
    match sides {
        Sides::One => alpha,
        Sides::Two => 0.5 * alpha,
    }
}

fn check_power(alpha: f64, power: f64) -> Result<(), StatsError> {
    if power > alpha && power < 1.0 { Ok(()) } else { Err(StatsError::Power(power)) }
}

/// Refuses what are no degrees of freedom; infinitely many are.
fn check_freedom(value: f64) -> Result<(), StatsError> {
    if value > 0.0 { Ok(()) } else { Err(StatsError::Magnitude(value)) }
}

fn check_magnitude(value: f64) -> Result<(), StatsError> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(StatsError::Magnitude(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLER: CaseVariance = CaseVariance { between: 1.0 / 9.0, parent: 1.0 / 6.0, candidate: 1.0 / 6.0 };

    #[test]
    fn miller_needs_969_cases_at_best() {
        let needed = |repeats| {
            let deviation = MILLER.deviation(repeats, repeats);
            required_cases_normal(deviation, 0.03, 0.05, 0.8, Sides::Two).unwrap()
        };
        assert_eq!((needed(1), needed(10), needed(u32::MAX)), (3876, 1260, 969));
    }

    #[test]
    fn detectable_effects_of_small_sets_are_large() {
        // Percentage points at n = 100 and 500, one and ten repeats, by the normal formula.
        for (cases, repeats, points) in [(100.0, 1, 18.7), (100.0, 10, 10.6), (500.0, 1, 8.4), (500.0, 10, 4.8)] {
            let error = MILLER.deviation(repeats, repeats) / f64::sqrt(cases);
            let effect = minimum_detectable_effect(error, f64::INFINITY, 0.05, 0.8, Sides::Two).unwrap();
            assert!((100.0 * effect - points).abs() < 0.05, "{effect} at {cases}, {repeats}");
        }
    }

    #[test]
    fn required_cases_are_the_first_that_reach_the_power() {
        for (deviation, effect) in [(1.0, 0.5), (0.4, 0.02), (0.1, 1.0), (1.0, 3.0)] {
            let cases = required_cases(deviation, effect, 0.05, 0.8, Sides::One).unwrap();
            let reached = |cases: u64| {
                let cases = cases as f64;
                power(effect, deviation / cases.sqrt(), cases - 1.0, 0.05, Sides::One).unwrap()
            };
            assert!(reached(cases) >= 0.8, "{cases}");
            assert!(cases == 2 || reached(cases - 1) < 0.8, "{cases}");
        }
    }

    #[test]
    fn refuses_strange_wishes() {
        let effect = |se, alpha, power| minimum_detectable_effect(se, 9.0, alpha, power, Sides::One);
        assert_eq!(effect(0.0, 0.05, 0.8), Err(StatsError::Magnitude(0.0)));
        assert_eq!(effect(1.0, 0.05, 1.0), Err(StatsError::Power(1.0)));
        assert_eq!(effect(1.0, 0.05, 0.04), Err(StatsError::Power(0.04)));
        assert_eq!(effect(1.0, 0.0, 0.8), Err(StatsError::Alpha(0.0)));
        assert_eq!(power(1.0, 1.0, 0.0, 0.05, Sides::One), Err(StatsError::Magnitude(0.0)));
    }
}

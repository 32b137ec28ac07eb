//! Tango's score interval of the difference of two paired proportions.

use crate::error::{StatsError, check_level};
use crate::interval::Interval;
use crate::mcnemar::Discordance;
use crate::special::normal_upper;

/// Computes Tango's score interval of `P(candidate passes) - P(parent passes)` over paired cases.
///
/// The interval holds each difference `D` that the score test does not reject: with `x` wins, `y` losses among `n` cases,
/// `|x - y - nD| <= z sqrt(n (2q + D(1-D)))`, where `q` is the probability of a loss that fits the data best given `D`. It
/// stays inside [-1, 1], and it has a sensible width even without discordant cases, `z²/(n+z²)` either way, where
/// McNemar's Wald interval has none. Source: T. Tango, Statistics in Medicine 17, 1998.
///
/// # Errors
/// [`StatsError::Level`] for a level outside (0, 1), [`StatsError::TooFew`] without cases, [`StatsError::Successes`] when
/// there are more discordant cases than cases.
pub fn tango(discordance: Discordance, cases: u64, level: f64) -> Result<Interval, StatsError> {
    check_level(level)?;
    if cases == 0 {
        return Err(StatsError::TooFew { needed: 1, given: 0 });
    }
    let discordant = discordance.wins + discordance.losses;
    if discordant > cases {
        return Err(StatsError::Successes { successes: discordant, trials: cases });
    }
    let critical = normal_upper(0.5 * (1.0 - level));
    let (wins, losses, n) = (discordance.wins as f64, discordance.losses as f64, cases as f64);
    let high = upper_limit(wins, losses, n, critical);
    // Exchanging the sides negates the difference.
    let low = -upper_limit(losses, wins, n, critical);
    Ok(Interval { low, high, level })
}

/// Bisects for the difference above the estimate at which the score statistic reaches `-critical`.
fn upper_limit(wins: f64, losses: f64, n: f64, critical: f64) -> f64 {
    let (mut low, mut high) = ((wins - losses) / n, 1.0);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if score(wins, losses, n, middle) > -critical {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Returns the score statistic of the hypothesis that the difference of the proportions is `difference`.
fn score(wins: f64, losses: f64, n: f64, difference: f64) -> f64 {
    let spread = difference * (1.0 - difference);
    let (a, b, c) = (2.0 * n, (2.0 * n - wins + losses) * difference - wins - losses, -losses * spread);
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    // The larger root, in the form that does not cancel.
    let loss = if b > 0.0 { -2.0 * c / (b + root) } else { (root - b) / (2.0 * a) };
    let variance = (n * (2.0 * loss + spread)).max(0.0);
    (wins - losses - n * difference) / variance.sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_discordant_cases_the_limits_have_a_closed_form() {
        let none = Discordance { losses: 0, wins: 0 };
        let interval = tango(none, 44, 0.95).unwrap();
        let square = normal_upper(0.025).powi(2);
        assert!((interval.high - square / (44.0 + square)).abs() < 1e-14, "{interval:?}");
        assert_eq!(interval.low, -interval.high);
    }

    #[test]
    fn all_wins_reach_the_end_of_the_range() {
        let interval = tango(Discordance { losses: 0, wins: 30 }, 30, 0.95).unwrap();
        assert_eq!(interval.high, 1.0);
        assert!((0.7..0.9).contains(&interval.low), "{interval:?}");
    }

    #[test]
    fn refuses_impossible_counts() {
        let many = Discordance { losses: 2, wins: 2 };
        assert_eq!(tango(many, 3, 0.9), Err(StatsError::Successes { successes: 4, trials: 3 }));
        assert_eq!(tango(many, 0, 0.9), Err(StatsError::TooFew { needed: 1, given: 0 }));
    }

    proptest! {
        #[test]
        fn holds_the_estimate_and_mirrors(
            wins in 0_u64..60, losses in 0_u64..60, same in 0_u64..200, level in 0.5..0.99_f64,
        ) {
            let cases = wins + losses + same;
            prop_assume!(cases > 0);
            let interval = tango(Discordance { losses, wins }, cases, level).unwrap();
            let mirror = tango(Discordance { losses: wins, wins: losses }, cases, level).unwrap();
            let estimate = (wins as f64 - losses as f64) / cases as f64;
            prop_assert!(interval.contains(estimate) && interval.width() > 0.0);
            prop_assert!(-1.0 <= interval.low && interval.high <= 1.0);
            prop_assert_eq!(mirror.negated(), interval);
        }
    }
}

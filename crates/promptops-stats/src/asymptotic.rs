//! Anytime-valid intervals of a mean without a known range, valid in the long run.

use crate::error::{StatsError, check_alpha};
use crate::interval::Interval;
use crate::mean::MeanEstimate;

/// Computes the interval of an asymptotic confidence sequence around a mean, at level `1 - alpha`.
///
/// `mean ± se sqrt((n v + 1)/(n v) ln((n v + 1)/alpha²))` with `v` chosen so that the interval is narrowest, relative to others, at
/// `tuned_for` units (I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy, A. Ramdas, "Time-uniform central limit theory and
/// asymptotic confidence sequences", Annals of Statistics 2024; arXiv 2103.06476, theorem 2.2 and eq. (13), two-sided). It is
/// for quantities without a bound, such as costs, where [`crate::BettingSequence`] cannot be used. Its guarantee is that of
/// the central limit theorem, at all times at once from some size on: do not look before a few dozen units are there.
///
/// # Errors
/// [`StatsError::NoVariation`] when the standard error is zero, [`StatsError::Alpha`] for alpha outside (0, 0.5),
/// [`StatsError::TooFew`] when it is tuned for no unit.
pub fn asymptotic_sequence(estimate: &MeanEstimate, alpha: f64, tuned_for: usize) -> Result<Interval, StatsError> {
    check_alpha(alpha)?;
    if tuned_for == 0 {
        return Err(StatsError::TooFew { needed: 1, given: 0 });
    }
    if estimate.standard_error == 0.0 {
        return Err(StatsError::NoVariation);
    }
    let log = -2.0 * alpha.ln();
    let tuning = (log + log.ln_1p()) / tuned_for as f64;
    let scaled = estimate.units as f64 * tuning + 1.0;
    let factor = (scaled / (scaled - 1.0) * (scaled / (alpha * alpha)).ln()).sqrt();
    let reach = factor * estimate.standard_error;
    Ok(Interval { low: estimate.mean - reach, high: estimate.mean + reach, level: 1.0 - alpha })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(units: usize) -> MeanEstimate {
        MeanEstimate { count: units, units, mean: 0.0, standard_error: 1.0 / (units as f64).sqrt() }
    }

    #[test]
    fn is_wider_than_a_single_look_and_least_so_where_it_is_tuned() {
        let reach = |units| asymptotic_sequence(&estimate(units), 0.05, 500).unwrap().high * (units as f64).sqrt();
        // A single look reaches 1.96 standard errors.
        assert!((2.7..3.3).contains(&reach(500)), "{}", reach(500));
        assert!(reach(30) > reach(500) && reach(50_000) > reach(500));
    }

    #[test]
    fn refuses_what_it_cannot_answer() {
        let same = MeanEstimate { standard_error: 0.0, ..estimate(9) };
        assert_eq!(asymptotic_sequence(&same, 0.05, 9), Err(StatsError::NoVariation));
        assert_eq!(asymptotic_sequence(&estimate(9), 0.0, 9), Err(StatsError::Alpha(0.0)));
        assert_eq!(asymptotic_sequence(&estimate(9), 0.05, 0), Err(StatsError::TooFew { needed: 1, given: 0 }));
    }
}

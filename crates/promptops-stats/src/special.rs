//! Tails and quantiles of the distributions that the methods need.
//!
//! `libm` supplies the log-gamma and error functions. `statrs` was tried and left: its complementary error function is
//! good to 11 digits only (constants shortened to ten), and its incomplete beta function stops after 140 terms of the
//! continued fraction, which does not converge near the mean for the sample sizes of a drift window (some 10^5 rows), and
//! takes the leading factor as a difference of log-gammas, which loses digits at the same sizes. Here the leading factor is
//! Loader's saddle-point form and the fraction runs until it converges.
//!
//! Sources: C. Loader, "Fast and Accurate Computation of Binomial Probabilities" (2000); W. Press et al., *Numerical
//! Recipes*, §6.4 (continued fraction by the modified Lentz method); M. Abramowitz, I. Stegun, 26.2.23 (first guess of the
//! normal quantile).

use std::f64::consts::{LN_2, PI, SQRT_2};

use libm::{erfc, lgamma};

/// Bounds every iteration; the continued fraction needs some `sqrt(max(a, b))` terms, so this covers 10^10 trials.
const MOST_TERMS: u32 = 200_000;
const MOST_STEPS: u32 = 400;

/// Returns `ln n! - ln(sqrt(2 pi n) (n/e)^n)`, the error of Stirling's formula, for `n > 0`.
fn stirling_error(n: f64) -> f64 {
    if n <= 15.0 {
        return lgamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * (2.0 * PI).ln();
    }
    let square = n * n;
    let inner = 1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - inner / square) / square) / n
}

/// Returns the deviance part `x ln(x/m) + m - x` without cancellation when `x` is near `m`.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let ratio = (x - m) / (x + m);
    let square = ratio * ratio;
    let mut sum = (x - m) * ratio;
    let mut term = 2.0 * x * ratio;
    for index in 1..1000_u32 {
        term *= square;
        let next = sum + term / f64::from(2 * index + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// Returns `x^a y^b / B(a, b)` for `y = 1 - x`, both strictly inside (0, 1).
fn beta_weight(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let exponent = stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
    exponent.exp() * (a * b / (2.0 * PI * n)).sqrt()
}

/// Evaluates the continued fraction of the incomplete beta function; converges fast for `x < (a+1)/(a+b+2)`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..MOST_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

/// Returns lower and upper tail of the beta distribution at `x`, with `y = 1 - x` given so that neither loses digits.
pub(crate) fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let weight = beta_weight(a, b, x, y);
    if x < (a + 1.0) / (a + b + 2.0) {
        let lower = weight * beta_fraction(a, b, x) / a;
        (lower, 1.0 - lower)
    } else {
        let upper = weight * beta_fraction(b, a, y) / b;
        (1.0 - upper, upper)
    }
}

/// Returns `x` with lower tail `probability` in (0, 1), by Newton steps kept inside a shrinking bracket.
pub(crate) fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = a / (a + b);
    for _ in 0..MOST_STEPS {
        let y = 1.0 - x;
        let excess = beta_tails(a, b, x, y).0 - probability;
        if excess > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let newton = x - excess * x * y / beta_weight(a, b, x, y);
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= f64::EPSILON * next {
            return next;
        }
        x = next;
    }
    x
}

/// Returns `P(X <= successes)` for a binomial variable.
pub(crate) fn binomial_cdf(successes: u64, trials: u64, probability: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    let (failures, next) = ((trials - successes) as f64, successes as f64 + 1.0);
    beta_tails(failures, next, 1.0 - probability, probability).0
}

/// Returns `P(Z <= x)` for a standard normal variable.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x / SQRT_2)
}

/// Returns the point that a standard normal variable exceeds with probability `tail`, for `tail` in (0, 1).
pub(crate) fn normal_upper(tail: f64) -> f64 {
    if tail > 0.5 {
        return -normal_upper(1.0 - tail);
    }
    let root = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + root * (0.802_853 + root * 0.010_328);
    let below = 1.0 + root * (1.432_788 + root * (0.189_269 + root * 0.001_308));
    let mut x = root - above / below;
    // The guess is good to 4.5e-4 and each of Halley's steps triples the digits.
    for _ in 0..3 {
        let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        if density == 0.0 {
            break;
        }
        let step = (normal_cdf(-x) - tail) / density;
        x += step / (1.0 - 0.5 * x * step);
    }
    x
}

/// Returns `P(T > t)` for Student's t with `freedom` degrees of freedom, which may be infinite; `t >= 0`.
///
/// From a million degrees of freedom on by Wallace's normal transformation (D. L. Wallace, 1959), whose relative error
/// falls with the square of `freedom` and is there below 3e-11 up to `t = 6`; the beta tails begin to lose digits.
pub(crate) fn student_upper_tail(t: f64, freedom: f64) -> f64 {
    if freedom.is_infinite() {
        return normal_cdf(-t);
    }
    if freedom >= 1e6 {
        let shrink = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0);
        return normal_cdf(-shrink * (freedom * (t * t / freedom).ln_1p()).sqrt());
    }
    let total = freedom + t * t;
    0.5 * beta_tails(0.5 * freedom, 0.5, freedom / total, t * t / total).0
}

/// Returns the point that Student's t exceeds with probability `tail`, for `tail` in (0, 0.5).
///
/// The tail is convex and the normal point lies below the answer, so Newton steps rise to it without overshooting. From
/// one half on it is 0, where rounding ends.
pub(crate) fn student_upper(tail: f64, freedom: f64) -> f64 {
    let mut t = normal_upper(tail);
    if freedom.is_infinite() || t <= 0.0 {
        return t.max(0.0);
    }
    for _ in 0..MOST_STEPS {
        let total = freedom + t * t;
        let (x, y) = (freedom / total, t * t / total);
        let weight = beta_weight(0.5 * freedom, 0.5, x, y);
        let density = weight / (x * y) * t * freedom / (total * total);
        let step = (student_upper_tail(t, freedom) - tail) / density;
        t += step;
        if step.abs() <= 4.0 * f64::EPSILON * t {
            break;
        }
    }
    t
}

/// Returns `P(T <= t)` for the noncentral t distribution, by Simpson's rule over the distribution of the scale.
///
/// `T = (Z + shift) / S` with `S = sqrt(chi2(freedom) / freedom)`, so the answer is the mean of `Phi(t S - shift)`.
pub(crate) fn noncentral_student_cdf(t: f64, freedom: f64, shift: f64) -> f64 {
    if freedom.is_infinite() {
        return normal_cdf(t - shift);
    }
    // With few degrees of freedom the scale spreads wide while a small part near zero decides the tail.
    let panels = if freedom < 10.0 { 40_000_u32 } else { 4000 };
    let half = 0.5 * freedom;
    let spread = 12.0 / (2.0 * freedom).sqrt();
    let (low, high) = ((1.0 - spread).max(0.0), 1.0 + spread);
    let width = (high - low) / f64::from(panels);
    // ln of half^half / Gamma(half) is taken apart as half + this constant.
    let constant = LN_2 - 0.5 * (2.0 * PI / half).ln() - stirling_error(half);
    let integrand = |s: f64| {
        if s <= 0.0 {
            // Only one degree of freedom has density at a scale of zero.
            return if freedom == 1.0 { (2.0 / PI).sqrt() * normal_cdf(-shift) } else { 0.0 };
        }
        let exponent = constant + half * (1.0 - s * s + 2.0 * s.ln()) - s.ln();
        exponent.exp() * normal_cdf(t * s - shift)
    };
    let mut sum = integrand(low) + integrand(high);
    for panel in 1..panels {
        let weight = if panel % 2 == 1 { 4.0 } else { 2.0 };
        sum += weight * integrand(low + f64::from(panel) * width);
    }
    (sum * width / 3.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64, tolerance: f64) {
        let error = (actual - expected).abs() / expected.abs().max(1e-300);
        assert!(error <= tolerance, "{actual} is not {expected}: relative error {error:e}");
    }

    #[test]
    fn quantiles_invert_tails() {
        for freedom in [1.0, 2.0, 3.5, 30.0, 1e3, 1e6, 1e9] {
            for tail in [0.4, 0.1, 0.025, 1e-4, 1e-9] {
                close(student_upper_tail(student_upper(tail, freedom), freedom), tail, 1e-11);
            }
        }
        for (a, b) in [(0.5, 0.5), (1.0, 40.0), (3.0, 1.0), (250.0, 31.0), (4e5, 6e5)] {
            for probability in [1e-9, 0.025, 0.5, 0.975] {
                let x = beta_quantile(probability, a, b);
                close(beta_tails(a, b, x, 1.0 - x).0, probability, 1e-8);
            }
        }
    }

    #[test]
    fn levels_at_the_ends_of_their_range_stay_numbers() {
        for freedom in [1.0, 9.0, 1e5, 1e7, f64::INFINITY] {
            for tail in [0.5, 0.5 - 1e-16, 0.5 - 1e-12, 0.5 - 1e-7] {
                let t = student_upper(tail, freedom);
                assert!((0.0..1e-6).contains(&t), "{t} at {tail}, {freedom}");
            }
            assert!(student_upper(1e-16, freedom) > 8.0);
        }
    }

    #[test]
    fn a_large_binomial_has_half_its_mass_below_its_mean() {
        // The sum of all but the central term, halved: 1/2 + P(X = n/2)/2, and P(X = n/2) ~ sqrt(2/(pi n)).
        let n = 1_000_000_u64;
        let centre = (2.0 / (PI * n as f64)).sqrt() * (1.0 - 0.25 / n as f64);
        close(binomial_cdf(n / 2, n, 0.5), 0.5 + 0.5 * centre, 1e-12);
    }

    #[test]
    fn noncentral_with_no_shift_is_central() {
        for freedom in [1.0, 2.0, 7.0, 99.0, 5000.0] {
            close(1.0 - noncentral_student_cdf(2.0, freedom, 0.0), student_upper_tail(2.0, freedom), 1e-9);
        }
    }

    #[test]
    fn known_points_of_the_normal_and_t_distributions() {
        close(normal_upper(0.025), 1.959_963_984_540_054, 1e-14);
        close(normal_upper(1e-9), 5.997_807_015_007_686, 1e-13);
        close(student_upper(0.025, 9.0), 2.262_157_162_798_205, 1e-13);
        close(student_upper(0.001, 1.0), 318.308_838_985_550_44, 1e-13);
        // SciPy 1.17.1, either side of the change of method.
        close(student_upper_tail(1.96, 1e6), 0.024_998_033_792_634_926, 1e-11);
        close(student_upper(0.025, 1e9), 1.959_963_986_912_325_3, 1e-12);
        close(student_upper(0.2, 2.0), 1.060_660_171_779_821_2, 1e-13);
    }
}

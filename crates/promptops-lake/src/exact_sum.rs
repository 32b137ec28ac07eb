//! A sum that does not depend on the order of what is added.

/// One of the units in which a sum is kept, 2⁻⁸⁰ dollars.
#[expect(clippy::cast_precision_loss, reason = "a power of two")]
const UNIT: f64 = 1.0 / (1_u128 << 80) as f64;
/// Values from here on are kept apart, so that 2²⁷ smaller ones fit in, and any number of the size of costs.
const LARGE: f64 = 1_048_576.0;

/// A sum of finite numbers.
///
/// Numbers of the size of costs are added as integers, so that the sum of a million small ones is right to the last digit, and the
/// same whatever the order in which files and threads bring them. Values of a million and more are kept, and sorted in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExactSum {
    units: i128,
    count: u64,
    large: Vec<f64>,
}

impl ExactSum {
    #[expect(clippy::cast_possible_truncation, reason = "a part below the unit is below any digit of a cost")]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        if value.abs() < LARGE {
            // Exact: a power of two changes the exponent alone.
            self.units += (value / UNIT) as i128;
        } else {
            self.large.push(value);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.units += other.units;
        self.count += other.count;
        self.large.extend(other.large);
    }

    /// Returns how many numbers were added.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum; `None` when nothing was added.
    #[expect(clippy::cast_precision_loss, reason = "this is where the sum is rounded, once")]
    pub(crate) fn total(mut self) -> Option<f64> {
        self.large.push(self.units as f64 * UNIT);
        self.large.sort_unstable_by(f64::total_cmp);
        (self.count > 0).then(|| compensated(&self.large))
    }
}

/// Sum with Neumaier's compensation.
fn compensated(values: &[f64]) -> f64 {
    let mut sum = 0.0_f64;
    let mut lost = 0.0_f64;
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    #[test]
    fn small_values_are_not_lost() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]).total(), Some(2.0));
        assert_eq!(sum(&[0.1; 10]).total(), Some(1.0));
        // As Python adds them: math.fsum([1e-7] * 1_000_000).
        assert_eq!(sum(&[1e-7; 1_000_000]).total(), Some(0.099_999_999_999_999_99));
        assert_eq!(sum(&[0.0]).total(), Some(0.0));
        assert_eq!(sum(&[]).total(), None);
    }

    proptest! {
        #[test]
        fn no_order_gives_another_sum(values in prop::collection::vec(prop_oneof![-2e6..2e6, 0.0..1e-3], 1..60), cut in 0_usize..60) {
            let forth = sum(&values).total();
            let mut back = values.clone();
            back.reverse();
            let cut = cut.min(back.len());
            let mut halves = sum(&back[cut..]);
            halves.merge(sum(&back[..cut]));
            prop_assert_eq!(halves.total(), forth);
            let plain: f64 = values.iter().sum();
            prop_assert!((forth.unwrap() - plain).abs() <= 1e-9 * values.iter().map(|value| value.abs()).sum::<f64>());
        }
    }
}

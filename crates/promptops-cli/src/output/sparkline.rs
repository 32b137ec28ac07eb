//! A row of numbers as a row of characters, which needs no colour.

/// Eight heights.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What stands where there is no number.
const NONE: char = '.';

/// Draws numbers from zero to the highest of them, one character each.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let highest = known().fold(0.0, f64::max);
    let bar = |value: f64| {
        if highest <= 0.0 || value <= 0.0 {
            return BARS[0];
        }
        let eighth = (value / highest * 8.0).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 8")]
        BARS[(eighth.clamp(1.0, 8.0) as usize) - 1]
    };
    values.iter().map(|value| value.filter(|value| value.is_finite()).map_or(NONE, bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_full_and_nothing_is_a_dot() {
        assert_eq!(sparkline(&[Some(0.0), Some(1.0), None, Some(4.0), Some(8.0), Some(f64::NAN)]), "▁▁.▄█.");
        assert_eq!(sparkline(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(sparkline(&[Some(1e-300), Some(1e-300)]), "██");
        assert_eq!(sparkline(&[Some(0.001), Some(9.0)]), "▁█");
        assert_eq!(sparkline(&[]), "");
    }
}

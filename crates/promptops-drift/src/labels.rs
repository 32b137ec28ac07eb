//! Which labels are signals of their own.

use std::collections::BTreeMap;

use promptops_stats::{Divergence, StatsError, divergence};

use crate::column::Column;

/// Rows that a label is expected to have in the smaller window, to be a signal of its own.
const EXPECTED_ROWS: f64 = 5.0;

/// Chooses the labels to report on by themselves, the most frequent first.
///
/// A label is chosen when its share of both windows together, times the rows of the smaller window, is at least five, and
/// among those the `most` most frequent. The rule looks at both windows together and so favours neither.
pub(crate) fn frequent<'a>(baseline: &Column<&'a str>, current: &Column<&'a str>, most: usize) -> Vec<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for label in baseline.values.iter().chain(&current.values) {
        *counts.entry(label).or_default() += 1;
    }
    let total = baseline.values.len() + current.values.len();
    let smaller = baseline.values.len().min(current.values.len());
    let mut chosen: Vec<(&str, usize)> =
        counts.into_iter().filter(|(_, count)| *count as f64 * smaller as f64 >= EXPECTED_ROWS * total as f64).collect();
    chosen.sort_by(|(left, left_count), (right, right_count)| right_count.cmp(left_count).then(left.cmp(right)));
    chosen.into_iter().take(most).map(|(label, _)| label).collect()
}

/// Returns whether any row has a label that was not chosen.
pub(crate) fn any_other(column: &Column<&str>, chosen: &[&str]) -> bool {
    column.values.iter().any(|label| !chosen.contains(label))
}

/// Computes the distance between the label distributions, all labels not chosen in one bin.
pub(crate) fn label_divergence(
    baseline: &Column<&str>,
    current: &Column<&str>,
    chosen: &[&str],
) -> Result<Option<Divergence>, StatsError> {
    if baseline.values.is_empty() || current.values.is_empty() {
        return Ok(None);
    }
    let counts = |column: &Column<&str>| {
        let mut bins = vec![0_u64; chosen.len() + 1];
        for label in &column.values {
            bins[chosen.iter().position(|other| other == label).unwrap_or(chosen.len())] += 1;
        }
        if !any_other(baseline, chosen) && !any_other(current, chosen) {
            bins.truncate(chosen.len());
        }
        bins
    };
    divergence(&counts(baseline), &counts(current)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(counts: &[(&'static str, usize)]) -> Column<&'static str> {
        let values: Vec<&str> = counts.iter().flat_map(|(label, count)| vec![*label; *count]).collect();
        let units: Vec<u32> = (0..values.len() as u32).collect();
        Column { distinct: values.len(), values, units, missing: 0 }
    }

    #[test]
    fn rare_labels_are_pooled() {
        let baseline = column(&[("a", 60), ("b", 35), ("rare", 5)]);
        let current = column(&[("a", 20), ("b", 25), ("c", 11), ("rare", 4)]);
        // "rare" has 9 of 160 rows: 3.4 expected in the smaller window. "c", 11 of 160, has 4.1.
        assert_eq!(frequent(&baseline, &current, 20), ["a", "b"]);
        assert_eq!(frequent(&baseline, &current, 1), ["a"]);
        assert!(any_other(&current, &["a", "b"]));
        assert!(!any_other(&current, &["a", "b", "c", "rare"]));
    }

    #[test]
    fn a_label_that_only_one_window_has_is_a_signal() {
        let (baseline, current) = (column(&[("a", 100)]), column(&[("a", 80), ("new", 20)]));
        assert_eq!(frequent(&baseline, &current, 20), ["a", "new"]);
        let distance = label_divergence(&baseline, &current, &["a", "new"]).unwrap().unwrap();
        assert!(distance.jensen_shannon > 0.05);
        assert_eq!(label_divergence(&column(&[]), &current, &[]), Ok(None));
    }
}

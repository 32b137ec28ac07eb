//! Slices: parts of the dataset looked at by themselves, with a correction for how many there are.

use std::collections::BTreeMap;

use promptops_stats::{PairedComparison, benjamini_hochberg};

use super::metric::Sides;
use super::{ALPHA, Basis, Outcomes, statistics};
use crate::dataset::{Dataset, DatasetError};
use crate::error::EvalError;

/// The most values of one column that become slices. A column with more is an id and no part of anything.
pub const MOST_VALUES: usize = 50;

/// A part of the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The column whose value the cases share.
    pub column: String,
    /// The value.
    pub value: String,
    /// Whether each case belongs to it.
    pub members: Vec<bool>,
}

/// One metric on one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceResult {
    /// The number of the slice in [`Basis::slices`].
    pub slice: usize,
    /// The number of the metric.
    pub metric: usize,
    /// The comparison.
    pub paired: PairedComparison,
    /// The smallest true loss that would be found with probability [`super::POWER`].
    pub minimum_detectable: Option<f64>,
    /// The probability of a loss as large as the one seen if both were equally good, adjusted for the number of slices and
    /// metrics (Benjamini and Hochberg).
    pub p_worse_adjusted: f64,
    /// Whether the slice is called worse: of all that are, at most [`ALPHA`] are called so wrongly, in the long run.
    pub is_worse: bool,
}

/// Reads the slices that columns make. A column with more than [`MOST_VALUES`] values makes none; its name is returned instead.
///
/// # Errors
/// As [`Dataset::rows`].
pub fn read(dataset: &Dataset, columns: &[String]) -> Result<(Vec<Slice>, Vec<String>), DatasetError> {
    let mut found: Vec<BTreeMap<String, Vec<usize>>> = vec![BTreeMap::new(); columns.len()];
    if columns.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    for (index, case) in dataset.rows().enumerate() {
        let case = case?;
        for (column, values) in columns.iter().zip(&mut found) {
            let Some(value) = case.text(column).filter(|value| !value.is_empty()) else { continue };
            if values.len() <= MOST_VALUES {
                values.entry(value).or_default().push(index);
            }
        }
    }
    let (mut slices, mut too_many) = (Vec::new(), Vec::new());
    for (column, values) in columns.iter().zip(found) {
        if values.len() > MOST_VALUES {
            too_many.push(column.clone());
            continue;
        }
        slices.extend(values.into_iter().map(|(value, cases)| {
            let mut members = vec![false; dataset.len()];
            cases.iter().for_each(|case| members[*case] = true);
            Slice { column: column.clone(), value, members }
        }));
    }
    Ok((slices, too_many))
}

/// Compares every guarded metric on every slice that has cases enough for an interval.
pub(super) fn compare(basis: &Basis<'_>, candidate: &Outcomes, parent: &Outcomes) -> Result<Vec<SliceResult>, EvalError> {
    // What holds at every moment holds for the whole only; on a slice there is one look, at the end.
    let basis = Basis { standing: None, looks: None, with_exact_tests: false, ..*basis };
    let (mut results, mut values) = (Vec::new(), Vec::new());
    for (number, slice) in basis.slices.iter().enumerate() {
        for (index, metric) in basis.metrics.iter().enumerate().filter(|(_, metric)| metric.guarded) {
            let sides = Sides::new(&basis, index, candidate, Some(parent)).of_members(&slice.members);
            let result = sides.result().map_err(|source| statistics(metric, source))?;
            let Some((difference, paired)) = result.difference.and_then(|difference| Some((difference, difference.paired?)))
            else {
                continue;
            };
            values.push(difference.p_worse);
            results.push(SliceResult {
                slice: number,
                metric: index,
                paired,
                minimum_detectable: difference.minimum_detectable,
                p_worse_adjusted: difference.p_worse,
                is_worse: false,
            });
        }
    }
    // A probability is between 0 and 1 by construction, so there is no error to report.
    for (result, adjusted) in results.iter_mut().zip(benjamini_hochberg(&values).unwrap_or(values)) {
        result.p_worse_adjusted = adjusted;
        result.is_worse = adjusted <= ALPHA;
    }
    Ok(results)
}

//! Cases that must pass: hard rules beside the averages, which a few of them would never move.

use super::{Basis, Outcomes};

/// A case that must pass and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MustPassFailure {
    /// The number of the case in the dataset.
    pub case: usize,
    /// The numbers of the metrics that it fails.
    pub metrics: Vec<usize>,
    /// Whether only failures outside the prompt are to blame, so that nothing is known yet.
    pub is_outside: bool,
}

/// Returns the cases that must pass and fail a metric at least once. Quantities have no pass; they have a margin and a maximum.
pub(crate) fn failures(basis: &Basis<'_>, candidate: &Outcomes) -> Vec<MustPassFailure> {
    let mut failures = Vec::new();
    for index in (0..basis.heads.len()).filter(|case| basis.heads.must_pass(*case)) {
        let is_bad = |metric: &usize| candidate.fails(index, *metric).bad;
        let failed = |metric: &usize| is_bad(metric) || candidate.fails(index, *metric).unknown;
        let guarded = (0..basis.metrics.len()).filter(|metric| basis.metrics[*metric].guarded);
        let metrics: Vec<usize> = guarded.filter(failed).collect();
        if !metrics.is_empty() {
            let is_outside = !metrics.iter().any(is_bad);
            failures.push(MustPassFailure { case: index, metrics, is_outside });
        }
    }
    failures
}

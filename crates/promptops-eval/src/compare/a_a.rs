//! A/A: the gate held against a version that differs from itself by nothing, to measure its own false alarms.

use promptops_stats::{Interval, Proportion, SplitMix64, clopper_pearson};

use super::outcomes::shuffle;
use super::{Basis, MetricVerdict, Outcomes, Verdict, compare};
use crate::dataset::Head;
use crate::error::EvalError;

/// How a run was split into two that differ by nothing but chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The repeats of each case, at random: the noise of the answers.
    Repeats,
    /// The cases, at random, each paired with another one: the noise of the choice of cases. Wider than that of a real
    /// comparison, where both sides answer the same cases.
    Cases,
}

impl Split {
    /// Returns the name that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repeats => "repeats",
            Self::Cases => "cases",
        }
    }
}

/// How often the gate said what about pairs that are equal.
#[derive(Debug, Clone, PartialEq)]
pub struct FalseAlarms {
    /// How the run was split.
    pub split: Split,
    /// Comparisons that were made.
    pub comparisons: u64,
    /// Cases in each of them.
    pub cases: usize,
    /// Those in which a metric was called regressed: false alarms.
    pub regressed: u64,
    /// Those in which every metric passed.
    pub passed: u64,
    /// Those that were inconclusive.
    pub inconclusive: u64,
    /// False alarms by metric, in the order of the eval file.
    pub by_metric: Vec<u64>,
    /// The interval of the rate of false alarms, at 95 %: splits of one run overlap, so it tells how sure the count is, not
    /// how another run would come out.
    pub interval: Interval,
}

/// Splits runs of one version, one for each repeat, at random and compares the halves, so often.
///
/// Limits and cases that must pass are left out: they would say the same of every split.
///
/// # Errors
/// As [`compare()`]; [`EvalError::CannotSplit`] when there is nothing to split.
pub fn measure(basis: &Basis<'_>, repeats: &[Outcomes], comparisons: u32, seed: u64) -> Result<FalseAlarms, EvalError> {
    let split = if repeats.len() >= 2 { Split::Repeats } else { Split::Cases };
    let has_clusters = basis.heads.iter().any(|head| head.cluster.is_some());
    if repeats.is_empty() || basis.heads.len() < 4 || (split == Split::Cases && has_clusters) {
        return Err(EvalError::CannotSplit { has_clusters });
    }
    let metrics: Vec<_> =
        basis.metrics.iter().map(|metric| crate::spec::Metric { minimum: None, maximum: None, ..metric.clone() }).collect();
    let mut random = SplitMix64::new(seed);
    let mut found = FalseAlarms {
        split,
        comparisons: comparisons.into(),
        cases: 0,
        regressed: 0,
        passed: 0,
        inconclusive: 0,
        by_metric: vec![0; metrics.len()],
        interval: Interval { low: 0.0, high: 1.0, level: 0.95 },
    };
    for _ in 0..comparisons {
        let (parent, candidate, heads) = match split {
            Split::Repeats => {
                let (left, right) = Outcomes::halves(repeats, &mut random);
                (left, right, basis.heads.to_vec())
            }
            Split::Cases => pair_cases(&repeats[0], basis.heads, &mut random),
        };
        let heads: Vec<Head> = heads.into_iter().map(|head| Head { must_pass: false, ..head }).collect();
        let basis = Basis { heads: &heads, metrics: &metrics, slices: &[], looks: None, with_exact_tests: false, ..*basis };
        let comparison = compare(&basis, &candidate, Some(&parent))?;
        found.cases = heads.len();
        match comparison.verdict {
            Verdict::Refused => found.regressed += 1,
            Verdict::Pass => found.passed += 1,
            Verdict::Inconclusive | Verdict::NoBaseline => found.inconclusive += 1,
        }
        for (count, metric) in found.by_metric.iter_mut().zip(&comparison.metrics) {
            *count += u64::from(metric.verdict == MetricVerdict::Regressed);
        }
    }
    let rate = Proportion::new(found.regressed, found.comparisons);
    let interval = rate.and_then(|rate| clopper_pearson(rate, 0.95));
    found.interval = interval.map_err(|source| EvalError::Statistics { metric: "A/A".to_owned(), source })?;
    Ok(found)
}

/// Pairs each case of a random half with one of the other half.
fn pair_cases(run: &Outcomes, heads: &[Head], random: &mut SplitMix64) -> (Outcomes, Outcomes, Vec<Head>) {
    let mut order: Vec<usize> = (0..heads.len()).collect();
    shuffle(&mut order, random);
    let half = heads.len() / 2;
    let (left, right) = (&order[..half], &order[half..2 * half]);
    // Both cases of a pair have a weight; the pair has that of the first, for it is the one that stands in the dataset.
    let heads = left.iter().map(|case| heads[*case].clone()).collect();
    (run.of_cases(left), run.of_cases(right), heads)
}

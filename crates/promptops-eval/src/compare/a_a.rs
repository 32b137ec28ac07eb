//! A/A: the gate held against a version that differs from itself by nothing, to measure its own false alarms.

use std::collections::BTreeMap;

use promptops_stats::{Interval, Proportion, SplitMix64, clopper_pearson};

use super::outcomes::shuffle;
use super::{Basis, MetricVerdict, Outcomes, Verdict, compare};
use crate::dataset::Heads;
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
    let groups = groups(basis.heads);
    let independent = if split == Split::Repeats { basis.heads.len() } else { groups.len() };
    if repeats.is_empty() || independent < 4 {
        return Err(EvalError::CannotSplit { has_clusters: basis.heads.has_clusters() });
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
                (left, right, basis.heads.clone())
            }
            Split::Cases => pair_cases(&repeats[0], basis.heads, groups.clone(), &mut random),
        };
        let heads = heads.without_must_pass();
        let basis = Basis {
            heads: &heads,
            metrics: &metrics,
            standing: None,
            slices: &[],
            looks: None,
            with_exact_tests: false,
            ..*basis
        };
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

/// Returns the cases of every cluster; a case without one is alone.
fn groups(heads: &Heads) -> Vec<Vec<usize>> {
    let mut clusters: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut groups = Vec::new();
    for case in 0..heads.len() {
        match heads.cluster_number(case) {
            Some(cluster) => clusters.entry(cluster).or_default().push(case),
            None => groups.push(vec![case]),
        }
    }
    groups.extend(clusters.into_values());
    groups
}

/// Pairs the cases of each cluster of a random half with those of a cluster of the other half, so that cases which depend on
/// each other stay on one side. Of two clusters of different size the larger one loses cases.
fn pair_cases(
    run: &Outcomes,
    heads: &Heads,
    mut groups: Vec<Vec<usize>>,
    random: &mut SplitMix64,
) -> (Outcomes, Outcomes, Heads) {
    groups.iter_mut().for_each(|group| shuffle(group, random));
    shuffle(&mut groups, random);
    // Stable, so that chance decides among those of one size.
    groups.sort_by_key(Vec::len);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for pair in groups.chunks_exact(2) {
        let (first, second) = if random.below(2) == 0 { (&pair[0], &pair[1]) } else { (&pair[1], &pair[0]) };
        let both = first.len().min(second.len());
        left.extend(&first[..both]);
        right.extend(&second[..both]);
    }
    // Both cases of a pair have a weight; the pair has that of the first, for it is the one that stands in the dataset.
    (run.of_cases(&left), run.of_cases(&right), heads.of_cases(&left))
}

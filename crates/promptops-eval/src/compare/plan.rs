//! How many cases an eval needs before it is run: from its margin, the error rate, and how often answers change.

use std::collections::HashMap;

use promptops_stats::{
    CaseVariance, MetricRange, PairedCase, Sides, StatsError, Unit as Weighted, compare_paired, minimum_detectable_effect, power,
    ratio_of_sums, required_cases,
};

use super::{ALPHA, Basis, Outcomes, POWER, statistics};
use crate::error::EvalError;
use crate::scorer::Unit;
use crate::spec::MarginScale;

/// The largest number of cases that [`cases_to_pass`] looks at.
pub const MOST_CASES: usize = 100_000;
/// The share of cases on which two versions are taken to differ where nothing is known.
pub const ASSUMED_DISCORDANCE: f64 = 0.1;
/// How alike the differences of cases in one cluster are taken to be where nothing is known: the correlation between them.
pub const ASSUMED_CORRELATION: f64 = 0.2;

/// What is known, or assumed, of a metric before the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumption {
    /// How much worse a version may be.
    pub margin: f64,
    /// Where the variance of one case's difference comes from.
    pub variance: CaseVariance,
    /// How much larger the variance of the mean is because cases share clusters; 1 where they do not.
    pub design_effect: f64,
    /// The cases there are.
    pub cases: u64,
    /// Answers per case.
    pub repeats: u32,
}

/// What an eval can show, and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The smallest true loss that the dataset as it is finds with probability [`POWER`].
    pub minimum_detectable: f64,
    /// The chance that a version which is exactly as good as its parent passes, with the dataset as it is.
    pub pass_when_equal: f64,
    /// Cases that make that chance [`POWER`], by the number of repeats.
    pub cases_by_repeats: Vec<(u32, u64)>,
    /// Cases without which nothing can pass, even if no answer changes; none above [`MOST_CASES`].
    pub cases_to_pass: Option<u64>,
}

/// The plan of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPlan {
    /// The number of the metric.
    pub metric: usize,
    /// What the plan rests on; none where a quantity was never measured.
    pub assumption: Option<Assumption>,
    /// Whether that was seen in answers that are there already.
    pub is_observed: bool,
    /// What follows.
    pub plan: Option<Plan>,
}

/// Plans every guarded metric: from both versions' outcomes, one for each repeat, where they are known; else from a share of
/// cases on which two versions are taken to differ.
///
/// # Errors
/// [`EvalError::Statistics`].
pub fn metrics(
    basis: &Basis<'_>,
    repeats: u32,
    observed: Option<(&[Outcomes], &[Outcomes])>,
    discordance: f64,
) -> Result<Vec<MetricPlan>, EvalError> {
    let mut plans = Vec::new();
    for (index, metric) in basis.metrics.iter().enumerate().filter(|(_, metric)| metric.guarded) {
        let seen = match observed {
            Some((parent, candidate)) => seen(basis, index, parent, candidate).map_err(|source| statistics(metric, source))?,
            None => None,
        };
        let is_observed = seen.is_some();
        let assumed =
            || (basis.units[index] == Unit::Share).then(|| (variance_of_discordance(discordance), assumed_effect(basis)));
        let assumption = seen.or_else(assumed).map(|(variance, design_effect)| Assumption {
            margin: metric.margin,
            variance,
            design_effect,
            cases: basis.heads.len() as u64,
            repeats,
        });
        let plan = match &assumption {
            Some(assumption) => Some(plan(assumption).map_err(|source| statistics(metric, source))?),
            None => None,
        };
        plans.push(MetricPlan { metric: index, assumption, is_observed, plan });
    }
    Ok(plans)
}

/// Takes variance and design effect from outcomes; nothing where too few cases are known or a quantity did not vary.
fn seen(
    basis: &Basis<'_>,
    metric: usize,
    parent: &[Outcomes],
    candidate: &[Outcomes],
) -> Result<Option<(CaseVariance, f64)>, StatsError> {
    let (mut differences, mut noise, mut numbers, mut parents) = (Vec::new(), (Vec::new(), Vec::new()), Vec::new(), Vec::new());
    for case in 0..basis.heads.len() {
        let values = |side: &[Outcomes]| -> Vec<f64> { side.iter().filter_map(|run| run.observed(case, metric).mean).collect() };
        let (before, after) = (values(parent), values(candidate));
        if before.is_empty() || after.is_empty() {
            continue;
        }
        differences.push(mean(&after) - mean(&before));
        parents.push(mean(&before));
        noise.0.extend(variance(&before));
        noise.1.extend(variance(&after));
        // A case without a cluster is one of its own.
        numbers.push(basis.heads.cluster_number(case).unwrap_or(u32::MAX - case as u32));
    }
    if differences.len() < 2 {
        return Ok(None);
    }
    if basis.metrics[metric].scale == MarginScale::Ratio {
        let level = mean(&parents);
        let scale = |values: &mut Vec<f64>, by: f64| values.iter_mut().for_each(|value| *value /= by);
        scale(&mut differences, level);
        scale(&mut noise.0, level * level);
        scale(&mut noise.1, level * level);
    }
    let repeats = u32::try_from(parent.len().min(candidate.len())).unwrap_or(u32::MAX);
    let mut found = variance_of_run(&differences, &noise.0, &noise.1, repeats)?;
    let cases: Vec<Weighted> = differences.iter().map(|sum| Weighted { sum: *sum, weight: 1.0 }).collect();
    let alone = ratio_of_sums(&cases)?.standard_error;
    let design_effect = match Weighted::group(&cases, Some(&numbers)).and_then(|units| ratio_of_sums(&units)) {
        Ok(together) if alone > 0.0 => (together.standard_error / alone).powi(2).max(1.0),
        _ => 1.0,
    };
    if found.deviation(repeats, repeats) == 0.0 {
        if basis.units[metric] != Unit::Share {
            return Ok(None);
        }
        // That none of n cases differed does not say that none ever will: one in n + 2 is Laplace's guess.
        found.between = 1.0 / (differences.len() as f64 + 2.0);
    }
    Ok(Some((found, design_effect)))
}

/// The design effect of clusters that were never seen, `1 + (m - 1) correlation` with `m` the size of a case's cluster.
fn assumed_effect(basis: &Basis<'_>) -> f64 {
    let mut sizes: HashMap<u32, f64> = HashMap::new();
    let numbers = (0..basis.heads.len()).filter_map(|case| basis.heads.cluster_number(case));
    numbers.for_each(|number| *sizes.entry(number).or_default() += 1.0);
    let total = basis.heads.len().max(1) as f64;
    let pairs: f64 = sizes.values().map(|size| size * (size - 1.0)).sum();
    1.0 + pairs / total * ASSUMED_CORRELATION
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Returns the variance between repeats; nothing of one.
fn variance(values: &[f64]) -> Option<f64> {
    let centre = mean(values);
    (values.len() > 1).then(|| values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0))
}

/// The variance of one case's difference when each side passes or fails and so large a share of the cases differ.
///
/// Of two equally good versions each difference is 1, -1 or 0, with variance `discordance`. How much of it is noise of the
/// answers, which repeats shrink, is only known from a run with repeats; without, none of it is taken to be.
pub fn variance_of_discordance(discordance: f64) -> CaseVariance {
    CaseVariance { between: discordance, parent: 0.0, candidate: 0.0 }
}

/// Takes the variance of one case's difference apart, from the means and the variances over repeats of an earlier run.
///
/// `differences` are those of the means over repeats; `parent` and `candidate` hold, for each case, the variance between its
/// repeats. The variance between cases is what is left of the first after the noise of the means is taken away, at least 0.
///
/// # Errors
/// [`StatsError::TooFew`] below two cases.
pub fn variance_of_run(differences: &[f64], parent: &[f64], candidate: &[f64], repeats: u32) -> Result<CaseVariance, StatsError> {
    if differences.len() < 2 {
        return Err(StatsError::TooFew { needed: 2, given: differences.len() });
    }
    let centre = mean(differences);
    let total = differences.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (differences.len() as f64 - 1.0);
    let (parent, candidate) = (mean(parent), mean(candidate));
    let noise = (parent + candidate) / f64::from(repeats.max(1));
    Ok(CaseVariance { between: (total - noise).max(0.0), parent, candidate })
}

/// Works out what a dataset can show.
///
/// # Errors
/// [`StatsError`] when the margin or the variance is not positive.
pub fn plan(assumption: &Assumption) -> Result<Plan, StatsError> {
    let deviation = |repeats: u32| assumption.variance.deviation(repeats, repeats) * assumption.design_effect.max(1.0).sqrt();
    let now = deviation(assumption.repeats);
    let cases = assumption.cases.max(2) as f64;
    let (error, freedom) = (now / cases.sqrt(), cases - 1.0);
    let mut repeats: Vec<u32> = vec![1, 3, 5, 10];
    if !repeats.contains(&assumption.repeats) {
        repeats.push(assumption.repeats);
        repeats.sort_unstable();
    }
    let is_noisy = assumption.variance.parent + assumption.variance.candidate > 0.0;
    // Where repeats change nothing that is known, they are not advised.
    repeats.retain(|count| is_noisy || *count == assumption.repeats);
    let mut cases_by_repeats = Vec::new();
    let floor = cases_to_pass(assumption.margin).map(|cases| cases as u64);
    for count in repeats {
        let needed = required_cases(deviation(count), assumption.margin, ALPHA, POWER, Sides::One)?;
        cases_by_repeats.push((count, needed.max(floor.unwrap_or(0))));
    }
    Ok(Plan {
        minimum_detectable: minimum_detectable_effect(error, freedom, ALPHA, POWER, Sides::One)?,
        pass_when_equal: power(assumption.margin, error, freedom, ALPHA, Sides::One)?,
        cases_by_repeats,
        cases_to_pass: floor,
    })
}

/// Returns the smallest number of independent cases that lets a candidate pass when not one of them changes.
///
/// Tango's interval without discordant cases reaches `z²/(n + z²)` either way, with `z` the normal quantile of the level;
/// the search asks the method itself rather than the formula. Nothing above [`MOST_CASES`].
pub fn cases_to_pass(margin: f64) -> Option<usize> {
    let passes = |count: usize| {
        let same = PairedCase::new(1.0, 1.0);
        compare_paired(&vec![same; count], MetricRange::UNIT, ALPHA).is_ok_and(|paired| paired.interval.low > -margin)
    };
    if !passes(MOST_CASES) {
        return None;
    }
    let (mut low, mut high) = (1, MOST_CASES);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if passes(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assumption(cases: u64) -> Assumption {
        Assumption { margin: 0.03, variance: variance_of_discordance(0.1), design_effect: 1.0, cases, repeats: 1 }
    }

    #[test]
    fn a_small_golden_set_cannot_see_three_points() {
        let small = plan(&assumption(100)).unwrap();
        // (1.645 + 0.842) sqrt(0.1 / 100) is 7.9 points.
        assert!((0.075..0.085).contains(&small.minimum_detectable), "{small:?}");
        assert!(small.pass_when_equal < 0.3, "{small:?}");
        let [(1, needed)] = small.cases_by_repeats[..] else { panic!("{small:?}") };
        // 2.486² 0.1 / 0.03² is 687.
        assert!((687..695).contains(&needed), "{needed}");
        let enough = plan(&assumption(needed)).unwrap();
        assert!(enough.pass_when_equal >= 0.8 && enough.minimum_detectable <= 0.0301, "{enough:?}");
    }

    #[test]
    fn clusters_take_more_cases_and_repeats_take_fewer() {
        let plain = plan(&assumption(500)).unwrap();
        let clustered = plan(&Assumption { design_effect: 3.0, ..assumption(500) }).unwrap();
        assert!(clustered.cases_by_repeats[0].1 > 2 * plain.cases_by_repeats[0].1);
        let variance = CaseVariance { between: 1.0 / 9.0, parent: 1.0 / 6.0, candidate: 1.0 / 6.0 };
        let noisy = plan(&Assumption { variance, ..assumption(500) }).unwrap();
        let needed: Vec<u64> = noisy.cases_by_repeats.iter().map(|(_, cases)| *cases).collect();
        assert_eq!(noisy.cases_by_repeats.iter().map(|(repeats, _)| *repeats).collect::<Vec<_>>(), [1, 3, 5, 10]);
        assert!(needed.windows(2).all(|pair| pair[0] > pair[1]), "{needed:?}");
        // Never below what it takes when no answer changes.
        let still = plan(&Assumption { variance: variance_of_discordance(1e-4), ..assumption(500) }).unwrap();
        assert_eq!(still.cases_by_repeats, [(1, 88)]);
    }

    #[test]
    fn the_noise_of_repeats_is_taken_apart_from_the_cases() {
        // Differences that vary by no more than their noise leave nothing between cases.
        let found = variance_of_run(&[0.1, -0.1, 0.1, -0.1], &[0.2; 4], &[0.2; 4], 3).unwrap();
        assert_eq!(found.between, 0.0);
        assert!((found.parent - 0.2).abs() < 1e-15 && (found.candidate - 0.2).abs() < 1e-15);
        assert!(variance_of_run(&[1.0], &[], &[], 1).is_err());
    }

    #[test]
    fn what_a_dataset_cannot_show_takes_a_number_of_cases() {
        // z² (1 - margin) / margin with z² = 2.7055: 267.8 and 87.5.
        assert_eq!(cases_to_pass(0.01), Some(268));
        assert_eq!(cases_to_pass(0.03), Some(88));
        assert_eq!(cases_to_pass(1e-6), None);
    }
}

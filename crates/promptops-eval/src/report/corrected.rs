//! The share of answers that pass once the errors of a judge are taken out.

use promptops_stats::{Calibration, Interval, Proportion, StatsError, Unit as Weighted, ratio_of_sums};

use crate::compare;
use crate::dataset::Heads;
use crate::error::EvalError;
use crate::run::Run;

/// Returns the corrected share of a run on a metric and its interval, over the cases that were judged: what could not be judged is
/// neither good nor bad. None where nothing was judged, or the judge is no better than a coin.
///
/// Cases that weigh differently or depend on each other have the standard error that the metric itself has.
pub(super) fn share(
    calibration: &Calibration,
    (run, metric): (&Run, usize),
    heads: &Heads,
    drawn: Option<&[bool]>,
) -> Result<Option<(f64, Interval)>, EvalError> {
    let (mut units, mut groups, mut passed) = (Vec::new(), Vec::new(), 0);
    for (number, case) in run.cases.iter().enumerate() {
        let Some(passes) = case?.passes(metric).filter(|_| drawn.is_none_or(|drawn| drawn[number])) else { continue };
        let weight = heads.weight(number);
        units.push(Weighted { sum: if passes { weight } else { 0.0 }, weight });
        // Behind the numbers of clusters, of which there are no more than cases.
        let alone = u32::try_from(heads.len() + 1 + number).unwrap_or(u32::MAX);
        groups.push(heads.cluster_number(number).unwrap_or(alone));
        passed += u64::from(passes);
    }
    let level = 1.0 - 2.0 * compare::ALPHA;
    let is_even = units.iter().all(|unit| unit.weight == units[0].weight);
    let corrected = if is_even && !heads.has_clusters() {
        Proportion::new(passed, units.len() as u64).and_then(|judged| calibration.corrected(judged, level))
    } else {
        depending(&units, &groups).and_then(|(share, variance)| calibration.corrected_share(share, variance, level))
    };
    // Nothing was judged, or all of it is one cluster: there is no error to tell.
    Ok(corrected.ok())
}

/// Returns the share that passes among cases with weights and clusters, and its variance; never none, as of a share one success and
/// one failure are added.
fn depending(units: &[Weighted], groups: &[u32]) -> Result<(f64, f64), StatsError> {
    let mean = ratio_of_sums(&Weighted::group(units, Some(groups))?)?;
    let share = mean.mean.clamp(0.0, 1.0);
    let count = mean.units as f64;
    let smoothed = (share * count + 1.0) / (count + 2.0);
    let least = if mean.standard_error > 0.0 { 0.0 } else { smoothed * (1.0 - smoothed) / (count + 2.0) };
    Ok((share, mean.standard_error.powi(2).max(least)))
}

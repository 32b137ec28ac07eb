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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Head;
    use crate::run::{Attempt, CaseResult, Cases, Served, Told};
    use crate::scorer::{Score, Unjudged, UnjudgedClass};

    /// A run of which a judge said this about each case: good, bad, or nothing of use.
    fn run(said: &[Option<bool>]) -> Run {
        let mut cases = Cases::absent(said.len());
        for (number, said) in said.iter().enumerate() {
            let nonsense = Unjudged { class: UnjudgedClass::JudgeAnswer, message: "nonsense".into() };
            let score = said.map(|good| if good { Score::pass() } else { Score::fail("bad") }).ok_or(nonsense);
            cases
                .set(number, &CaseResult { attempts: vec![Attempt { answer: Ok(()), scores: vec![score], cost_usd: None }] })
                .unwrap();
        }
        Run { reference: "a.b@1".parse().unwrap(), cases, told: Told::default(), served: Served::default() }
    }

    fn heads(count: usize, head: impl Fn(usize) -> (Option<usize>, f64)) -> Heads {
        let head = |number: usize| {
            let (cluster, weight) = head(number);
            let cluster = cluster.map(|cluster| cluster.to_string().into());
            Head { name: number.to_string(), line: 1, must_pass: false, cluster, stratum: None, weight }
        };
        (0..count).map(head).collect()
    }

    fn faultless() -> Calibration {
        let all = Proportion::new(500, 500).unwrap();
        Calibration { good: all, bad: all }
    }

    #[test]
    fn what_was_not_judged_is_neither_good_nor_bad() {
        let said: Vec<Option<bool>> = (0..60).map(|number| (number < 40).then_some(true)).collect();
        let heads = heads(60, |_| (None, 1.0));
        let (estimate, interval) = share(&faultless(), (&run(&said), 0), &heads, None).unwrap().unwrap();
        assert!(estimate == 1.0 && interval.low > 0.9, "{estimate} {interval:?}");
        assert_eq!(share(&faultless(), (&run(&[None; 9]), 0), &heads, None).unwrap(), None);
        // Nor is what was asked besides because it must pass.
        let mut said = said;
        said[50..].fill(Some(false));
        let drawn: Vec<bool> = (0..60).map(|number| number < 50).collect();
        assert_eq!(share(&faultless(), (&run(&said), 0), &heads, Some(&drawn)).unwrap(), Some((estimate, interval)));
        let coin = Calibration { good: Proportion::new(5, 10).unwrap(), bad: Proportion::new(5, 10).unwrap() };
        assert_eq!(share(&coin, (&run(&said), 0), &heads, None).unwrap(), None);
    }

    #[test]
    fn weights_and_clusters_count_as_in_the_metric() {
        let said: Vec<Option<bool>> = (0..60).map(|number| Some(number < 45)).collect();
        let found = |head: &dyn Fn(usize) -> (Option<usize>, f64)| {
            share(&faultless(), (&run(&said), 0), &heads(60, head), None).unwrap().unwrap()
        };
        let alone = found(&|_| (None, 1.0));
        assert_eq!(alone.0, 0.75);
        // Ten cases of each cluster say the same: six pieces of evidence and not sixty.
        let clustered = found(&|number| (Some(number / 10), 1.0));
        assert!(clustered.0 == 0.75 && clustered.1.width() > 2.0 * alone.1.width(), "{clustered:?} {alone:?}");
        let weighted = found(&|number| (None, if number < 45 { 1.0 } else { 3.0 }));
        assert!((weighted.0 - 0.5).abs() < 1e-12, "{weighted:?}");
        // Of clusters that are all good one would not say that all there are must be.
        let good = share(&faultless(), (&run(&[Some(true); 60]), 0), &heads(60, |number| (Some(number / 10), 1.0)), None);
        assert!(good.unwrap().unwrap().1.low < 0.95);
    }
}

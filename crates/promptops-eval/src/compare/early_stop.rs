//! Stopping early: the verdict may be looked at after every case, and a run ends as soon as it stands.
//!
//! Cases come in random order, seeded by what is compared. Each guarded metric is watched by a method whose error rate holds
//! at every moment at once: by betting for shares, whose range is known, and by an asymptotic confidence sequence for
//! quantities. Half of the error rate is spent on that, and half is kept for one ordinary look at the end, so that a run
//! which does not stop loses little. `docs/decisions/0010-stopping-early.md` says why.
//!
//! An answer about which nothing is known counts as the worst one where a loss is to be excluded and as the best one where a loss is
//! to be shown, so that errors neither stop a run nor decide it.

mod limit;

use std::collections::BTreeMap;
use std::sync::Arc;

use promptops_stats::{
    BettingSequence, Interval, SplitMix64, StatsError, Unit as Weighted, Wealth, asymptotic_sequence, holm, ratio_of_sums,
};

use self::limit::Limit;
use super::outcomes::{Observed, shuffle};
use super::{ALARM, ALPHA, Basis, Outcomes};
use crate::dataset::Heads;
use crate::scorer::Unit;
use crate::spec::{MarginScale, Metric};

/// The error rate on either side that is spent on looking; the rest is for the end.
const LOOKING_ALPHA: f64 = 0.5 * ALPHA;
/// Units below which the central limit theorem is not leaned on.
const FEWEST_UNITS: usize = 50;

/// What the looks at one metric showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The interval of candidate less parent (or of their ratio less one) that holds at every moment.
    pub interval: Interval,
    /// A p-value of "not worse" that holds at every moment.
    pub p_worse: f64,
    /// Whether the run stopped early, so that this is all there is.
    pub has_stopped: bool,
}

/// What all looks showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Looks {
    metrics: Vec<Option<Seen>>,
    /// Whether the run stopped before its end.
    pub has_stopped: bool,
    /// Cases that were asked.
    pub cases: usize,
    /// Cases there are.
    pub of_cases: usize,
}

impl Looks {
    /// Returns what was seen of a metric; none of one that is not watched.
    pub fn seen(&self, metric: usize) -> Option<Seen> {
        self.metrics[metric]
    }
}

/// Returns the cases in random order, those of one cluster together: the order in which they are asked.
pub fn order(heads: &Heads, seed: u64) -> Vec<Vec<usize>> {
    let mut clusters: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (index, head) in heads.iter().enumerate() {
        match head.cluster {
            Some(cluster) => clusters.entry(cluster).or_default().push(index),
            None => units.push(vec![index]),
        }
    }
    units.extend(clusters.into_values());
    shuffle(&mut units, &mut SplitMix64::new(seed));
    units
}

/// Watches a run as its units come in.
#[derive(Debug)]
pub struct Watch<'a> {
    metrics: &'a [Metric],
    units: &'a [Unit],
    watched: Vec<Option<Watched>>,
    max_error_share: f64,
    cases: usize,
    of_cases: usize,
}

/// Why a run may end before its last case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Every guarded metric passes, and is within its limit.
    Passes,
    /// One is worse beyond doubt and does not pass.
    Worse,
}

/// One metric that is watched.
#[derive(Debug)]
struct Watched {
    method: Method,
    limit: Option<Limit>,
    /// The narrowest ends so far: each holds at every moment, so all hold together.
    low: f64,
    high: f64,
    p_worse: f64,
    passes: bool,
}

#[derive(Debug)]
enum Method {
    /// A share: differences lie in [-1, 1]. What is unknown is the worst for the candidate in `lowest` and the best in `highest`, which
    /// is the same as long as nothing is.
    Betting { lowest: Box<BettingSequence>, highest: Option<Box<BettingSequence>>, within: Wealth, worse: Wealth },
    /// A quantity: of what is unknown nothing can be supposed, so that it must not be much.
    Asymptotic { units: Vec<Weighted>, tuned_for: usize, parent: Measured, candidate: Measured },
}

/// How many answers of one side were measured.
#[derive(Debug, Default)]
struct Measured {
    known: u64,
    unknown: u64,
}

impl Measured {
    fn take(&mut self, observed: Observed) {
        self.known += u64::from(observed.known);
        self.unknown += u64::from(observed.unknown + observed.unmeasured);
    }

    fn unknown_share(&self) -> f64 {
        self.unknown as f64 / (self.known + self.unknown).max(1) as f64
    }
}

impl<'a> Watch<'a> {
    /// Begins to watch a run over the cases of `basis`; `order` is that in which they are asked.
    ///
    /// # Errors
    /// [`StatsError`] when there is no case.
    pub fn new(basis: &Basis<'a>, order: &[Vec<usize>]) -> Result<Self, StatsError> {
        let Basis { metrics, units, heads, max_error_share, .. } = *basis;
        let weight = |unit: &Vec<usize>| unit.iter().map(|case| heads.weight(*case)).sum::<f64>();
        let most_weight = order.iter().map(weight).fold(0.0, f64::max);
        let mut watched = Vec::new();
        for (metric, unit) in metrics.iter().zip(units) {
            if !metric.guarded {
                watched.push(None);
                continue;
            }
            let method = if *unit == Unit::Share {
                let lowest = BettingSequence::new(-1.0, 1.0, LOOKING_ALPHA, order.len(), most_weight)?;
                let (within, worse) = (lowest.above(-metric.margin), lowest.below(0.0));
                Method::Betting { lowest: Box::new(lowest), highest: None, within, worse }
            } else {
                let (parent, candidate) = (Measured::default(), Measured::default());
                Method::Asymptotic { units: Vec::new(), tuned_for: order.len().div_ceil(2), parent, candidate }
            };
            let limit = Limit::of(metric, *unit, order.len(), most_weight)?;
            watched.push(Some(Watched {
                method,
                limit,
                low: f64::NEG_INFINITY,
                high: f64::INFINITY,
                p_worse: 1.0,
                passes: false,
            }));
        }
        Ok(Self { metrics, units, watched, max_error_share, cases: 0, of_cases: heads.len() })
    }

    /// Takes one unit: the numbers of its cases in `heads` and in both outcomes.
    ///
    /// # Errors
    /// [`StatsError`] when a score lies outside its range.
    pub fn take(&mut self, heads: &Heads, cases: &[usize], candidate: &Outcomes, parent: &Outcomes) -> Result<(), StatsError> {
        self.cases += cases.len();
        for (index, watched) in self.watched.iter_mut().enumerate() {
            let Some(watched) = watched else { continue };
            let is_ratio = self.metrics[index].scale == MarginScale::Ratio;
            let pairs = cases.iter().map(|case| Paired {
                parent: parent.observed(*case, index),
                candidate: candidate.observed(*case, index),
                weight: heads.weight(*case),
            });
            watched.take(pairs, is_ratio)?;
            if let Some(limit) = &mut watched.limit {
                limit.take(cases.iter().map(|case| (candidate.observed(*case, index), heads.weight(*case))))?;
            }
        }
        Ok(())
    }

    /// Looks: returns whether the verdict stands, so that the run may end, and which one.
    pub fn stands(&mut self) -> Option<Stand> {
        for ((watched, metric), unit) in self.watched.iter_mut().zip(self.metrics).zip(self.units) {
            if let Some(watched) = watched {
                watched.look(metric.margin, *unit);
            }
        }
        let watched: Vec<&Watched> = self.watched.iter().flatten().collect();
        if watched.is_empty() {
            return None;
        }
        // Twice, as half of the error rate is spent here.
        let values: Vec<f64> = watched.iter().map(|watched| (2.0 * watched.p_worse).min(1.0)).collect();
        let is_culprit = |(watched, adjusted): (&&Watched, f64)| !watched.passes && adjusted <= ALARM;
        let named = holm(&values).is_ok_and(|adjusted| watched.iter().zip(adjusted).any(is_culprit));
        if named {
            return Some(Stand::Worse);
        }
        let is_kept = |limit: &Option<Limit>| limit.as_ref().is_none_or(Limit::is_kept);
        let passes =
            |watched: &&Watched| watched.passes && is_kept(&watched.limit) && watched.unmeasured_share() <= self.max_error_share;
        watched.iter().all(passes).then_some(Stand::Passes)
    }

    /// Ends the watch; `has_stopped` tells whether the run ended before its last case.
    pub fn end(self, has_stopped: bool) -> Looks {
        let seen = |watched: Watched| {
            let now = watched.interval_now();
            let (low, high) = (watched.low.max(now.low), watched.high.min(now.high));
            // Ends that passed each other mean that one of them, rarely enough, is wrong: the later look has seen more.
            let (low, high) = if low <= high { (low, high) } else { (now.low, now.high) };
            Seen { interval: Interval { low, high, ..now }, p_worse: watched.p_worse, has_stopped }
        };
        let metrics = self.watched.into_iter().map(|watched| watched.map(seen)).collect();
        Looks { metrics, has_stopped, cases: self.cases, of_cases: self.of_cases }
    }
}

/// What both sides came to in one case.
struct Paired {
    parent: Observed,
    candidate: Observed,
    weight: f64,
}

impl Watched {
    /// Takes the cases of one unit.
    fn take(&mut self, pairs: impl Iterator<Item = Paired>, is_ratio: bool) -> Result<(), StatsError> {
        let nothing = Weighted { sum: 0.0, weight: 0.0 };
        let add = |unit: &mut Weighted, weight: f64, change: f64, per: f64| {
            unit.sum += weight * change;
            unit.weight += weight * per;
        };
        match &mut self.method {
            Method::Betting { lowest, highest, within, worse } => {
                let (mut low, mut high) = (nothing, nothing);
                for Paired { parent, candidate, weight } in pairs {
                    add(&mut low, weight, candidate.filled(0.0) - parent.filled(1.0), 1.0);
                    add(&mut high, weight, candidate.filled(1.0) - parent.filled(0.0), 1.0);
                }
                if low.weight > 0.0 {
                    if highest.is_none() && low != high {
                        *highest = Some(lowest.clone());
                    }
                    lowest.push(low)?;
                    within.advance(lowest);
                    match highest {
                        Some(highest) => {
                            highest.push(high)?;
                            worse.advance(highest);
                        }
                        None => worse.advance(lowest),
                    }
                }
            }
            Method::Asymptotic { units, parent: of_parent, candidate: of_candidate, .. } => {
                let mut unit = nothing;
                for Paired { parent, candidate, weight } in pairs {
                    of_parent.take(parent);
                    of_candidate.take(candidate);
                    if let (Some(before), Some(after)) = (parent.mean, candidate.mean) {
                        add(&mut unit, weight, after - before, if is_ratio { before } else { 1.0 });
                    }
                }
                if unit.weight > 0.0 {
                    units.push(unit);
                }
            }
        }
        Ok(())
    }

    /// Returns the share of a quantity that was not measured, on the side where that is more.
    fn unmeasured_share(&self) -> f64 {
        match &self.method {
            Method::Betting { .. } => 0.0,
            Method::Asymptotic { parent, candidate, .. } => parent.unknown_share().max(candidate.unknown_share()),
        }
    }

    fn look(&mut self, margin: f64, measured_in: Unit) {
        let rich = (1.0 / LOOKING_ALPHA).ln();
        match &self.method {
            Method::Betting { within, worse, .. } => {
                self.p_worse = self.p_worse.min(worse.p_value());
                if !self.passes && within.now() >= rich {
                    self.passes = true;
                    let interval = self.interval_now();
                    (self.low, self.high) = (interval.low, interval.high);
                }
            }
            Method::Asymptotic { units, tuned_for, .. } => {
                if units.len() < FEWEST_UNITS {
                    return;
                }
                let Ok(estimate) = ratio_of_sums(units) else { return };
                let worse_end = |interval: &Interval| if measured_in.less_is_better() { -interval.low } else { interval.high };
                let excludes_zero = |alpha: f64| {
                    asymptotic_sequence(&estimate, alpha, *tuned_for).is_ok_and(|interval| worse_end(&interval) < 0.0)
                };
                self.p_worse = self.p_worse.min(0.5 * smallest_level(excludes_zero));
                let interval = self.interval_now();
                let gain = if measured_in.less_is_better() { interval.negated() } else { interval };
                self.passes |= gain.low > -margin;
                (self.low, self.high) = (self.low.max(interval.low), self.high.min(interval.high));
            }
        }
    }

    fn interval_now(&self) -> Interval {
        let level = 1.0 - 2.0 * LOOKING_ALPHA;
        match &self.method {
            Method::Betting { lowest, highest, .. } => {
                let low = lowest.interval();
                Interval { high: highest.as_ref().map_or(low.high, |highest| highest.interval().high), ..low }
            }
            Method::Asymptotic { units, tuned_for, .. } => ratio_of_sums(units)
                .and_then(|estimate| asymptotic_sequence(&estimate, 2.0 * LOOKING_ALPHA, *tuned_for))
                .unwrap_or(Interval { low: f64::NEG_INFINITY, high: f64::INFINITY, level }),
        }
    }
}

/// Bisects for the smallest error rate, to three digits, at which something is shown; 1 when it is not shown at one half.
fn smallest_level(shows: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (1e-12_f64.ln(), 0.499_f64.ln());
    if !shows(high.exp()) {
        return 1.0;
    }
    while high - low > 1e-3 {
        let middle = 0.5 * (low + high);
        if shows(middle.exp()) { high = middle } else { low = middle }
    }
    high.exp()
}

#[cfg(test)]
mod tests {
    use promptops_prompt::draft::Spanned;
    use promptops_prompt::yaml;

    use super::*;
    use crate::client::ErrorClass;
    use crate::dataset::Head;
    use crate::run::{Attempt, Failure};
    use crate::scorer::Score;
    use crate::scorer::ScorerSpec;
    use crate::spec::fields::Findings;

    fn heads(count: usize, cluster: impl Fn(usize) -> Option<usize>) -> Heads {
        let head = |index: usize| Head {
            name: index.to_string(),
            line: index as u64 + 1,
            must_pass: false,
            cluster: cluster(index).map(|number| number.to_string().into()),
            stratum: None,
            weight: 1.0,
        };
        (0..count).map(head).collect()
    }

    fn metric(margin: f64, scale: MarginScale) -> Metric {
        let mut findings = Findings::new("e.yaml");
        let scorer = ScorerSpec::read(&yaml::parse("{type: regex, pattern: x}").0.unwrap(), &mut findings).unwrap();
        Metric {
            name: Spanned { value: "metric".into(), span: 0..0 },
            scorer,
            scorer_span: 0..0,
            margin,
            scale,
            margin_span: 0..0,
            minimum: None,
            maximum: None,
            guarded: true,
        }
    }

    /// Runs until the verdict stands, with a look after every `some` units; draws both values of each case for every metric.
    fn run(
        metrics: &[Metric],
        units: &[Unit],
        heads: &Heads,
        (seed, some): (u64, usize),
        mut draw: impl FnMut(&mut SplitMix64) -> Vec<(f64, f64)>,
    ) -> Looks {
        let order = order(heads, seed);
        let mut random = SplitMix64::new(seed ^ 77);
        let (mut parent, mut candidate) = (Outcomes::new(units.to_vec()), Outcomes::new(units.to_vec()));
        for _ in heads.iter() {
            let (before, after): (Vec<f64>, Vec<f64>) = draw(&mut random).into_iter().unzip();
            parent.push_values(&before);
            candidate.push_values(&after);
        }
        let mut watch = Watch::new(&basis(metrics, units, heads), &order).unwrap();
        for part in order.chunks(some) {
            for unit in part {
                watch.take(heads, unit, &candidate, &parent).unwrap();
            }
            if watch.stands().is_some() && watch.cases < heads.len() {
                return watch.end(true);
            }
        }
        watch.end(false)
    }

    fn basis<'a>(metrics: &'a [Metric], units: &'a [Unit], heads: &'a Heads) -> Basis<'a> {
        Basis { with_exact_tests: false, ..Basis::of(heads, metrics, units, 0.05) }
    }

    fn share(random: &mut SplitMix64, rate: f64) -> f64 {
        f64::from(u8::from(random.unit() < rate))
    }

    #[test]
    fn every_case_is_asked_once_and_clusters_stay_together() {
        let heads = heads(60, |index| (index % 3 == 0).then_some(index / 12));
        let found = order(&heads, 5);
        let mut all: Vec<usize> = found.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        assert_eq!(found.iter().filter(|unit| unit.len() == 4).count(), 5);
        assert_eq!(found, order(&heads, 5));
        assert_ne!(found, order(&heads, 6));
    }

    #[test]
    fn what_is_plain_ends_early_and_what_is_not_runs_to_the_end() {
        let (heads, metrics) = (heads(1000, |_| None), [metric(0.05, MarginScale::Absolute)]);
        let looks = |loss: f64, gain: f64| {
            run(&metrics, &[Unit::Share], &heads, (3, 20), |random| {
                let before = share(random, 0.8);
                let flip = if before == 1.0 { loss } else { gain };
                vec![(before, if random.unit() < flip { 1.0 - before } else { before })]
            })
        };
        let worse = looks(0.3, 0.05);
        assert!(worse.has_stopped && worse.cases <= 200, "{worse:?}");
        let seen = worse.seen(0).unwrap();
        assert!(seen.interval.high < 0.0 && seen.p_worse < 0.025, "{seen:?}");
        let same = looks(0.0, 0.0);
        assert!(same.has_stopped && same.cases <= 500, "{same:?}");
        assert!(same.seen(0).unwrap().interval.low > -0.05);
        let near = looks(0.2, 0.8);
        assert!(!near.has_stopped && near.cases == 1000, "{near:?}");
    }

    #[test]
    fn a_quantity_is_watched_as_well_and_one_metric_that_is_worse_is_enough() {
        let heads = heads(1000, |_| None);
        let metrics = [metric(0.05, MarginScale::Absolute), metric(0.1, MarginScale::Ratio)];
        let units = [Unit::Share, Unit::Milliseconds];
        let looks = |factor: f64| {
            run(&metrics, &units, &heads, (3, 20), |random| {
                let before = 200.0 + 300.0 * random.unit();
                vec![(1.0, 1.0), (before, factor * before * (0.9 + 0.2 * random.unit()))]
            })
        };
        let slower = looks(1.3);
        assert!(slower.has_stopped && slower.cases <= 100, "{slower:?}");
        assert!(slower.seen(1).unwrap().interval.low > 0.1);
        let same = looks(1.0);
        assert!(same.has_stopped && same.seen(1).unwrap().interval.high < 0.1, "{same:?}");
    }

    #[test]
    fn a_run_stops_with_a_pass_only_where_it_shows_that_limits_are_kept() {
        let heads = heads(1000, |_| None);
        let looks = |metric: Metric, unit: Unit| {
            run(&[metric], &[unit], &heads, (3, 20), |random| {
                let value = if unit == Unit::Share { share(random, 0.8) } else { 200.0 + 300.0 * random.unit() };
                vec![(value, value + if unit == Unit::Share { 0.0 } else { random.unit() })]
            })
        };
        let floor = |minimum| looks(Metric { minimum, ..metric(0.05, MarginScale::Absolute) }, Unit::Share);
        assert!(floor(None).has_stopped && floor(Some(0.5)).has_stopped);
        // The floor is just what the version has: some hundred cases cannot tell on which side of it the whole lies.
        assert!(!floor(Some(0.8)).has_stopped && !floor(Some(1.0)).has_stopped);
        let ceiling = |maximum| looks(Metric { maximum, ..metric(20.0, MarginScale::Absolute) }, Unit::Milliseconds);
        assert!(ceiling(None).has_stopped && ceiling(Some(600.0)).has_stopped);
        assert!(!ceiling(Some(350.0)).has_stopped);
    }

    /// Watches runs over a thousand cases in which every answer is `value` but those of the candidate to every n-th case, which fail.
    fn stand_with_failures(unit: Unit, class: ErrorClass, every: usize, margin: f64) -> Option<(Stand, usize)> {
        let (metrics, units, heads) = ([metric(margin, MarginScale::Absolute)], [unit], heads(1000, |_| None));
        let (mut parent, mut candidate) = (Outcomes::new(units.to_vec()), Outcomes::new(units.to_vec()));
        for case in 0..1000 {
            let value = if unit == Unit::Share { 1.0 } else { 300.0 + (case % 7) as f64 };
            let answered = |answer: Result<(), Failure>, value: f64| {
                let score = Score { value: if answer.is_ok() { value } else { 0.0 }, passed: answer.is_ok(), ..Score::pass() };
                Attempt { answer, scores: vec![Ok(score)], cost_usd: None }
            };
            let failure = Failure { class, message: "no".into() };
            parent.push(&[answered(Ok(()), if unit == Unit::Share { 1.0 } else { 303.0 })]);
            candidate.push(&[answered(if case % every == 0 { Err(failure) } else { Ok(()) }, value)]);
        }
        let order = order(&heads, 1);
        let mut watch = Watch::new(&basis(&metrics, &units, &heads), &order).unwrap();
        for (number, unit) in (1..).zip(&order) {
            watch.take(&heads, unit, &candidate, &parent).unwrap();
            if number % 25 == 0
                && let Some(stand) = watch.stands()
            {
                return Some((stand, watch.cases));
            }
        }
        None
    }

    #[test]
    fn errors_neither_stop_a_run_nor_decide_it() {
        // Without errors a share passes after a good hundred cases; one answer in twenty-five that nobody knows could be a loss of
        // four points.
        let (stand, cases) = stand_with_failures(Unit::Share, ErrorClass::Timeout, 1001, 0.05).unwrap();
        assert!(stand == Stand::Passes && cases < 200, "{stand:?} after {cases}");
        assert_eq!(stand_with_failures(Unit::Share, ErrorClass::Timeout, 25, 0.05), None);
        // Where the margin bears that, they only take more cases, and an error is no loss that names a culprit.
        let (stand, cases) = stand_with_failures(Unit::Share, ErrorClass::Timeout, 25, 0.2).unwrap();
        assert!(stand == Stand::Passes && cases > 20, "{stand:?} after {cases}");
        assert_eq!(stand_with_failures(Unit::Share, ErrorClass::Timeout, 3, 0.05), None);
        // A bad answer is one.
        let (stand, _) = stand_with_failures(Unit::Share, ErrorClass::Render, 3, 0.05).unwrap();
        assert_eq!(stand, Stand::Worse);
    }

    #[test]
    fn a_quantity_of_which_much_was_not_measured_stops_nothing() {
        for class in [ErrorClass::Timeout, ErrorClass::Render] {
            assert_eq!(stand_with_failures(Unit::Milliseconds, class, 3, 30.0), None);
            assert_eq!(stand_with_failures(Unit::Milliseconds, class, 100, 30.0).map(|(stand, _)| stand), Some(Stand::Passes));
        }
    }

    #[test]
    fn looking_often_keeps_the_error_rates() {
        let metrics = [metric(0.1, MarginScale::Absolute)];
        let heads = heads(300, |index| (index < 100).then_some(index / 2));
        let (mut false_passes, mut false_alarms, runs) = (0, 0, 400);
        for seed in 0..runs {
            let looks = |gain: f64, loss: f64| {
                run(&metrics, &[Unit::Share], &heads, (seed, 5), |random| {
                    let change = random.unit();
                    vec![if change < gain {
                        (0.0, 1.0)
                    } else if change < gain + loss {
                        (1.0, 0.0)
                    } else {
                        (1.0, 1.0)
                    }]
                })
            };
            // A loss of just the margin must not pass, and no loss must not be called one.
            let at_margin = looks(0.05, 0.15);
            false_passes += u32::from(at_margin.has_stopped && at_margin.seen(0).unwrap().interval.low > -0.1);
            let none = looks(0.1, 0.1);
            false_alarms += u32::from(none.has_stopped && none.seen(0).unwrap().interval.high < 0.0);
        }
        // Half of the error rate of 5 % is spent on looking: at most 10 of 400 on average, and 20 with three standard errors.
        assert!(false_passes <= 20 && false_alarms <= 20, "{false_passes} and {false_alarms} of {runs}");
    }
}

//! What a run comes to, case by case and metric by metric: all that a comparison looks at.

use promptops_stats::SplitMix64;

use crate::run::{Attempt, Run};
use crate::scorer::Unit;

/// The repeats of one case on one metric, put together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// The mean over the repeats that were judged; none when none was.
    pub mean: Option<f64>,
    /// Repeats that were judged.
    pub known: u32,
    /// Repeats about which nothing is known, for a reason outside the prompt.
    pub unknown: u32,
}

impl Observed {
    /// Puts the repeats of a case together.
    ///
    /// A call that the prompt itself let fail is a bad answer to a share; of a quantity it says nothing, for an answer that was
    /// not given took no tokens and is not the cheapest of all.
    pub fn of(attempts: &[Attempt], metric: usize, unit: Unit) -> Self {
        let (mut sum, mut known, mut unknown) = (0.0, 0, 0);
        for attempt in attempts {
            match &attempt.scores[metric] {
                _ if attempt.is_unknown(metric) => unknown += 1,
                Ok(_) if unit != Unit::Share && attempt.answer.is_err() => {}
                Ok(score) => {
                    sum += score.value;
                    known += 1;
                }
                Err(_) => unknown += 1,
            }
        }
        Self { mean: (known > 0).then(|| sum / f64::from(known)), known, unknown }
    }

    /// Returns the mean of a share as if all that is unknown had this value.
    pub fn filled(&self, unknown: f64) -> f64 {
        let known = self.mean.unwrap_or_default() * f64::from(self.known);
        let count = f64::from(self.known + self.unknown);
        if count > 0.0 { (known + unknown * f64::from(self.unknown)) / count } else { unknown }
    }

    /// Puts what is known of other repeats of the same case to it.
    fn add(&mut self, other: &Self) {
        let sum = |one: &Self| one.mean.unwrap_or_default() * f64::from(one.known);
        let (total, known) = (sum(self) + sum(other), self.known + other.known);
        *self = Self { mean: (known > 0).then(|| total / f64::from(known)), known, unknown: self.unknown + other.unknown };
    }
}

/// The metrics that a case fails at least once. Of shares only: a quantity has no pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fails {
    /// Because of a bad answer.
    pub bad: Vec<usize>,
    /// Because nothing is known of an answer, for a reason outside the prompt.
    pub unknown: Vec<usize>,
}

/// What a run comes to. Holds a few numbers for each case and no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    units: Vec<Unit>,
    /// One for each case and metric, those of one case together.
    observed: Vec<Observed>,
    fails: Vec<Fails>,
    answers: u64,
    unknown: u64,
}

impl Outcomes {
    /// Begins without cases; metrics are measured in `units`.
    pub fn new(units: Vec<Unit>) -> Self {
        Self { units, observed: Vec::new(), fails: Vec::new(), answers: 0, unknown: 0 }
    }

    /// Takes the next case, with one value for each metric.
    #[cfg(test)]
    pub(super) fn push_values(&mut self, values: &[f64]) {
        self.observed.extend(values.iter().map(|value| Observed { mean: Some(*value), known: 1, unknown: 0 }));
        self.fails.push(Fails::default());
        self.answers += 1;
    }

    /// Takes all cases of a run.
    pub fn of(run: &Run, units: Vec<Unit>) -> Self {
        let mut outcomes = Self::new(units);
        run.cases.iter().for_each(|case| outcomes.push(&case.attempts));
        outcomes
    }

    /// Takes all cases of a run, once for each of its repeats.
    pub fn by_repeat(run: &Run, units: &[Unit]) -> Vec<Self> {
        let repeats = run.cases.iter().map(|case| case.attempts.len()).min().unwrap_or(0);
        let one = |repeat: usize| {
            let mut outcomes = Self::new(units.to_vec());
            run.cases.iter().for_each(|case| outcomes.push(&case.attempts[repeat..=repeat]));
            outcomes
        };
        (0..repeats).map(one).collect()
    }

    /// Takes the repeats of the next case.
    pub fn push(&mut self, attempts: &[Attempt]) {
        let mut fails = Fails::default();
        for (metric, unit) in self.units.iter().enumerate() {
            self.observed.push(Observed::of(attempts, metric, *unit));
            if *unit != Unit::Share {
                continue;
            }
            let failed = attempts.iter().filter(|attempt| !attempt.passes(metric));
            let (unknown, bad): (Vec<&Attempt>, Vec<&Attempt>) = failed.partition(|attempt| attempt.is_unknown(metric));
            if !bad.is_empty() {
                fails.bad.push(metric);
            }
            if !unknown.is_empty() {
                fails.unknown.push(metric);
            }
        }
        self.fails.push(fails);
        self.answers += attempts.len() as u64;
        let is_unknown = |attempt: &&Attempt| (0..self.units.len()).any(|metric| attempt.is_unknown(metric));
        self.unknown += attempts.iter().filter(is_unknown).count() as u64;
    }

    /// Returns the cases so far.
    pub fn len(&self) -> usize {
        self.fails.len()
    }

    /// Tells whether there is no case yet.
    pub fn is_empty(&self) -> bool {
        self.fails.is_empty()
    }

    /// Returns what is known of a case on a metric.
    pub fn observed(&self, case: usize, metric: usize) -> Observed {
        self.observed[case * self.units.len() + metric]
    }

    /// Returns the metrics that a case fails.
    pub fn fails(&self, case: usize) -> &Fails {
        &self.fails[case]
    }

    /// Returns the answers that were asked for, and those of which nothing is known.
    pub fn answers(&self) -> (u64, u64) {
        (self.answers, self.unknown)
    }

    /// Returns what the metrics are measured in.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Returns these cases alone, in this order.
    pub fn of_cases(&self, cases: &[usize]) -> Self {
        let width = self.units.len();
        let rows = cases.iter().flat_map(|case| &self.observed[case * width..(case + 1) * width]);
        Self {
            units: self.units.clone(),
            observed: rows.copied().collect(),
            fails: cases.iter().map(|case| self.fails[*case].clone()).collect(),
            // Answers are counted for whole runs; a part has its share of them.
            answers: self.answers * cases.len() as u64 / self.len().max(1) as u64,
            unknown: self.unknown * cases.len() as u64 / self.len().max(1) as u64,
        }
    }

    /// Splits runs over the same cases, one for each repeat, into two of half as many repeats: for each case at random, so
    /// that nothing but chance tells them apart.
    pub(super) fn halves(repeats: &[Self], random: &mut SplitMix64) -> (Self, Self) {
        let half = repeats.len() / 2;
        let empty = || Self { observed: Vec::new(), fails: Vec::new(), ..repeats[0].clone() };
        let (mut left, mut right) = (empty(), empty());
        for case in 0..repeats[0].len() {
            let mut order: Vec<usize> = (0..repeats.len()).collect();
            shuffle(&mut order, random);
            for (side, chosen) in [(&mut left, &order[..half]), (&mut right, &order[half..2 * half])] {
                side.take_means(repeats, case, chosen);
            }
        }
        (left, right)
    }

    /// Takes one case as the mean over some of its repeats.
    fn take_means(&mut self, repeats: &[Self], case: usize, chosen: &[usize]) {
        for metric in 0..self.units.len() {
            let mut mean = repeats[chosen[0]].observed(case, metric);
            for other in &chosen[1..] {
                mean.add(&repeats[*other].observed(case, metric));
            }
            self.observed.push(mean);
        }
        let mut fails = Fails::default();
        for repeat in chosen {
            fails.bad.extend(&repeats[*repeat].fails(case).bad);
            fails.unknown.extend(&repeats[*repeat].fails(case).unknown);
        }
        self.fails.push(fails);
    }
}

/// Brings a list into random order (Fisher and Yates).
pub(super) fn shuffle<T>(list: &mut [T], random: &mut SplitMix64) {
    for last in (1..list.len()).rev() {
        list.swap(last, random.below(last as u64 + 1) as usize);
    }
}

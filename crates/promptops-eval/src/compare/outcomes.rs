//! What a run comes to, case by case and metric by metric: all that a comparison looks at.

use promptops_stats::SplitMix64;

use crate::error::EvalError;
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

/// Whether a case fails a metric at least once. A quantity has no pass, so that no case fails it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fails {
    /// Because of a bad answer.
    pub bad: bool,
    /// Because nothing is known of an answer, for a reason outside the prompt.
    pub unknown: bool,
}

/// One case and metric, in as few bytes as hold it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cell {
    /// Means nothing where nothing is known.
    mean: f64,
    known: u16,
    unknown: u16,
    fails: Fails,
}

impl Cell {
    fn new(observed: Observed, fails: Fails) -> Self {
        let count = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        let (known, unknown) = (count(observed.known), count(observed.unknown));
        Self { mean: observed.mean.unwrap_or_default(), known, unknown, fails }
    }

    fn observed(&self) -> Observed {
        let mean = (self.known > 0).then_some(self.mean);
        Observed { mean, known: self.known.into(), unknown: self.unknown.into() }
    }
}

/// What a run comes to. Holds a few numbers for each case and no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    units: Vec<Unit>,
    /// One for each case and metric, those of one case together.
    cells: Vec<Cell>,
    cases: usize,
    answers: u64,
    unknown: u64,
}

impl Outcomes {
    /// Begins without cases; metrics are measured in `units`.
    pub fn new(units: Vec<Unit>) -> Self {
        Self { units, cells: Vec::new(), cases: 0, answers: 0, unknown: 0 }
    }

    /// Takes the next case, with one value for each metric.
    #[cfg(test)]
    pub(super) fn push_values(&mut self, values: &[f64]) {
        let observed = values.iter().map(|value| Observed { mean: Some(*value), known: 1, unknown: 0 });
        self.cells.extend(observed.map(|observed| Cell::new(observed, Fails::default())));
        self.cases += 1;
        self.answers += 1;
    }

    /// Takes all cases of a run.
    ///
    /// # Errors
    /// [`EvalError::Spool`].
    pub fn of(run: &Run, units: Vec<Unit>) -> Result<Self, EvalError> {
        let mut outcomes = Self::new(units);
        for case in run.cases.iter() {
            outcomes.push(&case?.attempts);
        }
        Ok(outcomes)
    }

    /// Takes all cases of a run, once for each of its repeats.
    ///
    /// # Errors
    /// [`EvalError::Spool`].
    pub fn by_repeat(run: &Run, units: &[Unit]) -> Result<Vec<Self>, EvalError> {
        let mut outcomes: Vec<Self> = Vec::new();
        for case in run.cases.iter() {
            let attempts = case?.attempts;
            // Every case was asked equally often.
            outcomes.resize_with(attempts.len(), || Self::new(units.to_vec()));
            for (repeat, outcomes) in outcomes.iter_mut().enumerate() {
                outcomes.push(&attempts[repeat..=repeat]);
            }
        }
        Ok(outcomes)
    }

    /// Takes the repeats of the next case.
    pub fn push(&mut self, attempts: &[Attempt]) {
        for (metric, unit) in self.units.iter().enumerate() {
            let mut fails = Fails::default();
            for attempt in attempts.iter().filter(|attempt| *unit == Unit::Share && !attempt.passes(metric)) {
                let is_unknown = attempt.is_unknown(metric);
                fails = Fails { bad: fails.bad || !is_unknown, unknown: fails.unknown || is_unknown };
            }
            self.cells.push(Cell::new(Observed::of(attempts, metric, *unit), fails));
        }
        self.cases += 1;
        self.answers += attempts.len() as u64;
        let is_unknown = |attempt: &&Attempt| (0..self.units.len()).any(|metric| attempt.is_unknown(metric));
        self.unknown += attempts.iter().filter(is_unknown).count() as u64;
    }

    /// Returns the cases so far.
    pub fn len(&self) -> usize {
        self.cases
    }

    /// Tells whether there is no case yet.
    pub fn is_empty(&self) -> bool {
        self.cases == 0
    }

    /// Returns what is known of a case on a metric.
    pub fn observed(&self, case: usize, metric: usize) -> Observed {
        self.cells[case * self.units.len() + metric].observed()
    }

    /// Returns whether a case fails a metric.
    pub fn fails(&self, case: usize, metric: usize) -> Fails {
        self.cells[case * self.units.len() + metric].fails
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
        let rows = cases.iter().flat_map(|case| &self.cells[case * width..(case + 1) * width]);
        Self {
            units: self.units.clone(),
            cells: rows.copied().collect(),
            cases: cases.len(),
            // Answers are counted for whole runs; a part has its share of them.
            answers: self.answers * cases.len() as u64 / self.len().max(1) as u64,
            unknown: self.unknown * cases.len() as u64 / self.len().max(1) as u64,
        }
    }

    /// Splits runs over the same cases, one for each repeat, into two of half as many repeats: for each case at random, so
    /// that nothing but chance tells them apart.
    pub(super) fn halves(repeats: &[Self], random: &mut SplitMix64) -> (Self, Self) {
        let half = repeats.len() / 2;
        let Self { ref units, answers, unknown, .. } = repeats[0];
        let empty = || Self { answers, unknown, ..Self::new(units.clone()) };
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
            let any = |is: fn(Fails) -> bool| chosen.iter().any(|repeat| is(repeats[*repeat].fails(case, metric)));
            let fails = Fails { bad: any(|fails| fails.bad), unknown: any(|fails| fails.unknown) };
            self.cells.push(Cell::new(mean, fails));
        }
        self.cases += 1;
    }
}

/// Brings a list into random order (Fisher and Yates).
pub(super) fn shuffle<T>(list: &mut [T], random: &mut SplitMix64) {
    for last in (1..list.len()).rev() {
        list.swap(last, random.below(last as u64 + 1) as usize);
    }
}

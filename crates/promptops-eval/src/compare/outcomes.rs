//! What a run comes to, case by case and metric by metric: all that a comparison looks at.

use promptops_stats::SplitMix64;

use crate::client::ErrorClass;
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
    /// Repeats that the prompt let fail, of a quantity: there was nothing to measure.
    pub unmeasured: u32,
}

impl Observed {
    /// Puts the repeats of a case together.
    ///
    /// A call that the prompt itself let fail is a bad answer to a share; of a quantity it says nothing, for an answer that was
    /// not given took no tokens and is not the cheapest of all.
    pub fn of(attempts: &[Attempt], metric: usize, unit: Unit) -> Self {
        let (mut sum, mut known, mut unknown, mut unmeasured) = (0.0, 0, 0, 0);
        for attempt in attempts {
            match &attempt.scores[metric] {
                _ if attempt.is_unknown(metric) => unknown += 1,
                Ok(_) if unit != Unit::Share && attempt.answer.is_err() => unmeasured += 1,
                Ok(score) => {
                    sum += score.value;
                    known += 1;
                }
                Err(_) => unknown += 1,
            }
        }
        Self { mean: (known > 0).then(|| sum / f64::from(known)), known, unknown, unmeasured }
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
        *self = Self {
            mean: (known > 0).then(|| total / f64::from(known)),
            known,
            unknown: self.unknown + other.unknown,
            unmeasured: self.unmeasured + other.unmeasured,
        };
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
    unmeasured: u16,
    fails: Fails,
}

impl Cell {
    fn new(observed: Observed, fails: Fails) -> Self {
        let count = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        let (known, unknown, unmeasured) = (count(observed.known), count(observed.unknown), count(observed.unmeasured));
        Self { mean: observed.mean.unwrap_or_default(), known, unknown, unmeasured, fails }
    }

    fn observed(&self) -> Observed {
        let mean = (self.known > 0).then_some(self.mean);
        Observed { mean, known: self.known.into(), unknown: self.unknown.into(), unmeasured: self.unmeasured.into() }
    }
}

/// How many answers a run asked for, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// Answers that were asked for.
    pub asked: u64,
    /// Those that were given.
    pub given: u64,
    /// Those that were not given or not judged: for a reason outside the prompt, or because the provider refused the request. A
    /// refusal counts as a bad answer where it is rare; many are no evidence, for nobody knows whether the prompt is to blame.
    pub errors: u64,
}

impl Answers {
    /// Returns the share that were errors.
    pub fn error_share(&self) -> f64 {
        self.errors as f64 / self.asked.max(1) as f64
    }

    /// Returns the counts of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { asked: self.asked + other.asked, given: self.given + other.given, errors: self.errors + other.errors }
    }

    /// Returns the part that so many of so many cases have of them.
    fn part(self, cases: usize, of_cases: usize) -> Self {
        let part = |count: u64| count * cases as u64 / of_cases.max(1) as u64;
        Self { asked: part(self.asked), given: part(self.given), errors: part(self.errors) }
    }
}

/// What a run comes to. Holds a few numbers for each case and no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    units: Vec<Unit>,
    /// One for each case and metric, those of one case together.
    cells: Vec<Cell>,
    cases: usize,
    answers: Answers,
}

impl Outcomes {
    /// Begins without cases; metrics are measured in `units`.
    pub fn new(units: Vec<Unit>) -> Self {
        Self { units, cells: Vec::new(), cases: 0, answers: Answers::default() }
    }

    /// Takes the next case, with one value for each metric.
    #[cfg(test)]
    pub(super) fn push_values(&mut self, values: &[f64]) {
        let observed = values.iter().map(|value| Observed { mean: Some(*value), known: 1, unknown: 0, unmeasured: 0 });
        self.cells.extend(observed.map(|observed| Cell::new(observed, Fails::default())));
        self.cases += 1;
        self.answers = self.answers.and(Answers { asked: 1, given: 1, errors: 0 });
    }

    /// Takes all cases of a run.
    ///
    /// # Errors
    /// [`EvalError::Spool`].
    pub fn of(run: &Run, units: Vec<Unit>) -> Result<Self, EvalError> {
        let mut outcomes = Self::new(units);
        outcomes.cells.reserve_exact(run.cases.len() * outcomes.units.len());
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
        let count = |is: &dyn Fn(&Attempt) -> bool| attempts.iter().filter(|attempt| is(attempt)).count() as u64;
        let is_refused =
            |attempt: &Attempt| attempt.answer.as_ref().is_err_and(|failure| failure.class == ErrorClass::BadRequest);
        let is_unknown = |attempt: &Attempt| (0..self.units.len()).any(|metric| attempt.is_unknown(metric));
        let given = count(&|attempt| attempt.answer.is_ok());
        let errors = count(&|attempt| is_refused(attempt) || is_unknown(attempt));
        self.answers = self.answers.and(Answers { asked: attempts.len() as u64, given, errors });
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

    /// Returns how many answers were asked for, and what became of them.
    pub fn answers(&self) -> Answers {
        self.answers
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
            answers: self.answers.part(cases.len(), self.len()),
        }
    }

    /// Splits runs over the same cases, one for each repeat, into two of half as many repeats: for each case at random, so
    /// that nothing but chance tells them apart.
    pub(super) fn halves(repeats: &[Self], random: &mut SplitMix64) -> (Self, Self) {
        let half = repeats.len() / 2;
        let Self { ref units, answers, .. } = repeats[0];
        let empty = || Self { answers, ..Self::new(units.clone()) };
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

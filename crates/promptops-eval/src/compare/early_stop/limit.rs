//! The floor or ceiling of a metric while a run goes on. At its end the mean of all cases is held against it; a run that stops early has
//! not seen them all, so it may only stop where its cases show that the limit is kept.

use promptops_stats::{BettingSequence, StatsError, Unit as Weighted, Wealth, asymptotic_sequence, ratio_of_sums};

use super::{FEWEST_UNITS, LOOKING_ALPHA, Observed};
use crate::scorer::Unit;
use crate::spec::Metric;

/// A limit, and what the cases so far say about it.
#[derive(Debug)]
pub(super) enum Limit {
    /// Of a share. What is unknown counts as nothing.
    Floor { sequence: Box<BettingSequence>, above: Wealth },
    /// Of a quantity. What is unknown is left out; there may not be much of it.
    Ceiling { units: Vec<Weighted>, tuned_for: usize, maximum: f64 },
}

impl Limit {
    /// Returns the limit of a metric, if it has one, for a run of so many units, of which none weighs more than `most_weight`.
    pub(super) fn of(metric: &Metric, measured_in: Unit, units: usize, most_weight: f64) -> Result<Option<Self>, StatsError> {
        Ok(match (measured_in, metric.minimum, metric.maximum) {
            (Unit::Share, Some(minimum), _) if minimum > 0.0 => {
                let sequence = BettingSequence::new(0.0, 1.0, LOOKING_ALPHA, units, most_weight)?;
                let above = sequence.above(minimum);
                Some(Self::Floor { sequence: Box::new(sequence), above })
            }
            (Unit::Milliseconds | Unit::UsDollars | Unit::Tokens, _, Some(maximum)) => {
                Some(Self::Ceiling { units: Vec::new(), tuned_for: units.div_ceil(2), maximum })
            }
            _ => None,
        })
    }

    /// Takes the cases of one unit, each with its weight.
    pub(super) fn take(&mut self, cases: impl Iterator<Item = (Observed, f64)>) -> Result<(), StatsError> {
        let mut unit = Weighted { sum: 0.0, weight: 0.0 };
        for (observed, weight) in cases {
            let value = match self {
                Self::Floor { .. } => Some(observed.filled(0.0)),
                Self::Ceiling { .. } => observed.mean,
            };
            if let Some(value) = value {
                unit.sum += weight * value;
                unit.weight += weight;
            }
        }
        match self {
            _ if unit.weight <= 0.0 => {}
            Self::Floor { sequence, above } => {
                sequence.push(unit)?;
                above.advance(sequence);
            }
            Self::Ceiling { units, .. } => units.push(unit),
        }
        Ok(())
    }

    /// Tells whether the cases so far show that the limit is kept, by a method that holds at every moment.
    pub(super) fn is_kept(&self) -> bool {
        match self {
            Self::Floor { above, .. } => above.now() >= (1.0 / LOOKING_ALPHA).ln(),
            Self::Ceiling { units, tuned_for, maximum } => {
                let interval =
                    || ratio_of_sums(units).and_then(|mean| asymptotic_sequence(&mean, 2.0 * LOOKING_ALPHA, *tuned_for));
                units.len() >= FEWEST_UNITS && interval().is_ok_and(|interval| interval.high < *maximum)
            }
        }
    }
}

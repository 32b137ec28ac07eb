//! One signal's values in one window, with the units they come from.

use std::collections::BTreeSet;
use std::collections::HashMap;

use promptops_telemetry::{Invocation, Status};

use crate::comparison::Side;

/// Larger numbers are no measurements, and their squares would overflow.
const LARGEST: f64 = 1e100;

/// Holds the rows of a window with the number of the unit (session, or the row alone) that each belongs to.
pub(crate) struct Rows<'a> {
    rows: Vec<(&'a Invocation, u32)>,
}

/// Holds the values of one signal in one window.
pub(crate) struct Column<T> {
    pub(crate) values: Vec<T>,
    /// Unit of each value.
    pub(crate) units: Vec<u32>,
    /// Distinct units.
    pub(crate) distinct: usize,
    /// Rows without a value.
    pub(crate) missing: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(invocations: &'a [Invocation]) -> Self {
        let mut sessions: HashMap<&str, u32> = HashMap::new();
        let mut next = 0_u32;
        let mut fresh = || {
            next = next.wrapping_add(1);
            next
        };
        let rows = invocations
            .iter()
            .map(|invocation| match &invocation.session {
                Some(session) => (invocation, *sessions.entry(session).or_insert_with(&mut fresh)),
                None => (invocation, fresh()),
            })
            .collect();
        Self { rows }
    }

    /// Returns the distinct units of all rows.
    pub(crate) fn units(&self) -> usize {
        distinct(self.rows.iter().map(|(_, unit)| *unit))
    }

    /// Reads a signal off every row.
    pub(crate) fn all<T>(&self, read: impl Fn(&'a Invocation) -> Option<T>) -> Column<T> {
        self.column(|_| true, read)
    }

    /// Reads a signal off the rows with an answer; a failed call says nothing about outputs, and is an error already.
    pub(crate) fn answered<T>(&self, read: impl Fn(&'a Invocation) -> Option<T>) -> Column<T> {
        self.column(|invocation| invocation.status == Status::Ok, read)
    }

    /// Reads a number off the rows with an answer; what is not finite, or too large to be squared, counts as missing.
    pub(crate) fn numbers(&self, read: impl Fn(&'a Invocation) -> Option<f64>) -> Column<f64> {
        self.answered(|invocation| read(invocation).filter(|value| value.abs() < LARGEST))
    }

    fn column<T>(&self, counts: impl Fn(&Invocation) -> bool, read: impl Fn(&'a Invocation) -> Option<T>) -> Column<T> {
        let (mut values, mut units, mut missing) = (Vec::new(), Vec::new(), 0);
        for (invocation, unit) in &self.rows {
            if !counts(invocation) {
                continue;
            }
            match read(invocation) {
                Some(value) => {
                    values.push(value);
                    units.push(*unit);
                }
                None => missing += 1,
            }
        }
        let distinct = distinct(units.iter().copied());
        Column { values, units, distinct, missing }
    }
}

impl<T> Column<T> {
    /// Returns whether any two values come from one unit.
    pub(crate) fn shares_units(&self) -> bool {
        self.distinct < self.values.len()
    }

    /// Describes the column with its value.
    pub(crate) fn side(&self, value: Option<f64>) -> Side {
        Side { rows: self.values.len(), missing: self.missing, units: self.distinct, value }
    }

    /// Replaces each value, keeping units and missing rows.
    pub(crate) fn map<U>(&self, convert: impl Fn(&T) -> U) -> Column<U> {
        Column {
            values: self.values.iter().map(convert).collect(),
            units: self.units.clone(),
            distinct: self.distinct,
            missing: self.missing,
        }
    }
}

fn distinct(units: impl Iterator<Item = u32>) -> usize {
    units.collect::<BTreeSet<u32>>().len()
}

#[cfg(test)]
mod tests {
    use promptops_telemetry::Uuid;

    use super::*;

    fn row(session: Option<&str>, latency_ms: Option<f64>, status: Status) -> Invocation {
        let time = "2026-05-01T12:00:00Z".parse().unwrap();
        let session = session.map(str::to_owned);
        Invocation { session, latency_ms, status, ..Invocation::new(time, Uuid::from_u128(1)) }
    }

    #[test]
    fn rows_of_a_session_are_one_unit_and_rows_without_stand_alone() {
        let invocations = [
            row(Some("a"), Some(1.0), Status::Ok),
            row(None, Some(2.0), Status::Ok),
            row(Some("a"), None, Status::Ok),
            row(Some("b"), Some(f64::NAN), Status::Ok),
            row(Some("b"), Some(1e300), Status::Ok),
            row(None, Some(9.0), Status::Error),
        ];
        let rows = Rows::new(&invocations);
        assert_eq!(rows.units(), 4);
        let column = rows.numbers(|invocation| invocation.latency_ms);
        assert_eq!(column.values, [1.0, 2.0]);
        assert_eq!((column.missing, column.distinct, column.shares_units()), (3, 2, false));
        let all = rows.all(|invocation| Some(invocation.status));
        assert_eq!((all.values.len(), all.missing, all.shares_units()), (6, 0, true));
    }
}

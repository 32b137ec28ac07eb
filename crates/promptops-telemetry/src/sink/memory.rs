//! A sink for tests.

use std::sync::{Mutex, PoisonError};

use super::Sink;
use crate::record::Invocation;

/// Keeps every record in memory, in order. Meant for tests: it grows without bound.
#[derive(Debug, Default)]
pub struct MemorySink {
    records: Mutex<Vec<Invocation>>,
}

impl MemorySink {
    /// Returns a copy of the records taken so far, in order.
    #[must_use]
    pub fn records(&self) -> Vec<Invocation> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for MemorySink {
    fn record(&self, invocation: &Invocation) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(invocation.clone());
    }

    fn flush(&self) {}

    fn dropped(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn keeps_records_in_order() {
        let sink = MemorySink::default();
        for number in 0..3 {
            sink.record(&Invocation::new(chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(number)));
        }
        let ids: Vec<u128> = sink.records().iter().map(|record| record.invocation_id.as_u128()).collect();
        assert_eq!(ids, [0, 1, 2]);
    }
}

//! Where invocation records go.

mod batched;
mod emf;
mod jsonl;
mod memory;
#[cfg(feature = "otlp-sink")]
pub mod otlp;
mod queued;
mod spool;

pub use batched::{BatchLimits, BatchedSink, Carrier, Occasion, Patience};
pub use emf::{EmfSink, InvalidNamespace};
pub use jsonl::JsonlSink;
pub use memory::MemorySink;
pub use queued::QueuedSink;
pub use spool::{Spool, SpoolCarrier, SpoolLimits};

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::record::Invocation;

/// Takes invocation records without ever failing towards the caller.
///
/// A call of a model must not fail because its record could not be written: `record` and `flush` return nothing and do
/// not panic, and whatever is lost is counted by `dropped`. The sinks that write do so on the calling thread, one
/// `write` for each record; wrap one in a [`QueuedSink`] where even a slow disk must not hold up the caller.
pub trait Sink: Send + Sync {
    /// Takes one record.
    fn record(&self, invocation: &Invocation);

    /// Hands everything taken so far to the operating system, as far as that is possible.
    ///
    /// It does not promise that data survive a power failure.
    fn flush(&self);

    /// Does what is possible until `deadline`, when the process ends. Records may come all the same.
    fn end(&self, deadline: Instant) {
        let _ = deadline;
        self.flush();
    }

    /// Returns how many records this sink has lost since it was made.
    fn dropped(&self) -> u64;
}

/// A count that only grows.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add_one(&self) {
        self.add(1);
    }

    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

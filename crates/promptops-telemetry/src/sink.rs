//! Where invocation records go.

mod emf;
mod jsonl;
mod memory;
mod queued;

pub use emf::{EmfSink, InvalidNamespace};
pub use jsonl::JsonlSink;
pub use memory::MemorySink;
pub use queued::QueuedSink;

use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Returns how many records this sink has lost since it was made.
    fn dropped(&self) -> u64;
}

/// A count that only grows.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

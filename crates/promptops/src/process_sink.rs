//! A sink that each process has of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use promptops_telemetry::Invocation;
use promptops_telemetry::sink::Sink;

/// Opens a sink; nothing when it cannot be opened.
pub(crate) type Open = Box<dyn Fn() -> Option<Arc<dyn Sink>> + Send + Sync>;

/// Opens its sink anew in the child of a `fork`: that of the parent may be locked by a thread that the child does not have, which
/// would hold up its first record for ever.
pub(crate) struct ProcessSink {
    open: Open,
    opened: ArcSwap<Opened>,
    /// Records that came while there was no sink.
    lost: AtomicU64,
}

struct Opened {
    process: u32,
    sink: Option<Arc<dyn Sink>>,
}

impl ProcessSink {
    /// Wraps a sink that was opened, and what opens it.
    pub(crate) fn new(sink: Arc<dyn Sink>, open: Open) -> Self {
        let opened = Opened { process: std::process::id(), sink: Some(sink) };
        Self { open, opened: ArcSwap::from_pointee(opened), lost: AtomicU64::new(0) }
    }

    fn of_this_process(&self) -> Arc<Opened> {
        let (opened, process) = (self.opened.load_full(), std::process::id());
        if opened.process == process {
            return opened;
        }
        // Of several threads that come first, each writes whole lines, wherever it opened them.
        let own = Arc::new(Opened { process, sink: (self.open)() });
        // That of the parent is never ended here: what waits in it is the parent's to send.
        std::mem::forget(self.opened.swap(Arc::clone(&own)));
        own
    }
}

impl Sink for ProcessSink {
    fn record(&self, invocation: &Invocation) {
        match &self.of_this_process().sink {
            Some(sink) => sink.record(invocation),
            None => drop(self.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn flush(&self) {
        if let Some(sink) = &self.of_this_process().sink {
            sink.flush();
        }
    }

    fn end(&self, deadline: Instant) {
        if let Some(sink) = &self.of_this_process().sink {
            sink.end(deadline);
        }
    }

    fn dropped(&self) -> u64 {
        let of_sink = self.of_this_process().sink.as_ref().map_or(0, |sink| sink.dropped());
        of_sink + self.lost.load(Ordering::Relaxed)
    }
}

//! What is done when the process ends.

use std::sync::{Arc, LazyLock, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::call::Recorder;

/// Those of all loaders that are open. Without a lock, since a fork may come at any time.
static RECORDERS: LazyLock<ArcSwap<Vec<Weak<Recorder>>>> = LazyLock::new(ArcSwap::default);

/// Keeps in mind that a recorder has to be ended with the process.
pub(crate) fn remember(recorder: &Arc<Recorder>) {
    RECORDERS.rcu(|known| {
        let mut known: Vec<_> = known.iter().filter(|known| known.strong_count() > 0).cloned().collect();
        known.push(Arc::downgrade(recorder));
        known
    });
}

/// Has the sinks of every loader of this process deliver what they hold, within [`Settings::flush_limit`](crate::Settings::flush_limit).
///
/// Call it when the process is about to end, or may be ended: what is dropped with its loader is delivered anyhow, and a loader that
/// lies in a `static` is never dropped. What is not taken by then goes to the spool, where there is one, and is lost otherwise. The
/// bindings of Python and Node call it by themselves.
pub fn end() {
    let recorders: Vec<Arc<Recorder>> = RECORDERS.load().iter().filter_map(Weak::upgrade).collect();
    let now = Instant::now();
    // One that does not answer takes nothing from the time of the others.
    std::thread::scope(|scope| {
        for recorder in &recorders {
            let deadline = now + recorder.flush_limit;
            for sink in &recorder.sinks {
                let end = move || {
                    // A foreign sink that panics must not take the end of the process with it.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sink.end(deadline)));
                };
                if std::thread::Builder::new().spawn_scoped(scope, end).is_err() {
                    end();
                }
            }
        }
    });
}

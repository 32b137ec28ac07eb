//! A bounded queue, and a thread that carries what is in it away in batches.

use std::collections::VecDeque;
use std::mem::replace;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::{Counter, Sink};
use crate::record::Invocation;

/// About what a record takes without its content, bytes.
const RECORD_BYTES: usize = 1024;

/// How much waits, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The most records that wait; one more is dropped and counted.
    pub waiting_records: usize,
    /// About the most bytes that wait; see `waiting_records`.
    pub waiting_bytes: usize,
    /// The most records of a batch. So many that wait are carried at once.
    pub batch_records: usize,
    /// About the most bytes of a batch. So many that wait are carried at once.
    pub batch_bytes: usize,
    /// How long a record waits for others at most.
    pub interval: Duration,
    /// How long `flush`, and the end of the sink, wait at most.
    pub flush: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            waiting_records: 10_000,
            waiting_bytes: 32 << 20,
            batch_records: 500,
            batch_bytes: 1 << 20,
            interval: Duration::from_secs(1),
            flush: Duration::from_secs(5),
        }
    }
}

/// Why a [`Carrier`] is asked to see to what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The time has come that it asked for.
    Due,
    /// Somebody waits until everything is away. Nothing of the sink waits any more.
    Flush,
}

/// Carries batches of records to where they belong. All of it runs on the thread of its [`BatchedSink`].
pub trait Carrier: Send {
    /// Carries records, oldest first, and returns how many of them are lost for good.
    ///
    /// It may take its time and try again: meanwhile records wait, and those for which there is no room are dropped. It pauses by
    /// [`Patience::pause`].
    fn carry(&mut self, batch: &[Invocation], patience: &Patience<'_>) -> u64;

    /// Sees to what the carrier keeps, and returns how many records are lost by that.
    fn settle(&mut self, occasion: Occasion, patience: &Patience<'_>) -> u64;

    /// Returns when [`Carrier::settle`] is next due, if ever.
    fn due(&self) -> Option<Instant>;
}

/// How long a [`Carrier`] may take.
pub struct Patience<'a> {
    shared: &'a Shared,
}

impl Patience<'_> {
    /// Waits before something is tried again, and tells whether it may be: not when the process or the sink ends and its time is up.
    #[must_use]
    pub fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = self.shared.state();
        loop {
            let now = Instant::now();
            match state.ends {
                // It is tried once more, at once, and then no more: the process is about to end.
                Some(_) => return !replace(&mut state.is_last_try, true),
                None if now >= until => return true,
                None => state = self.shared.wait(&self.shared.wake, state, until - now),
            }
        }
    }

    /// Returns until when everything has to be away, when the process or the sink is about to end.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.shared.state().ends
    }
}

/// Hands records to a [`Carrier`] on a thread of its own, so that the caller waits for nothing.
///
/// The thread is started by the first record. What finds no room is dropped and counted. `flush` has everything that was taken
/// before it carried, and waits for that no longer than [`BatchLimits::flush`]; so does the end of the sink. In the child of a `fork`
/// the sink must not be used: the thread is not there, and the lock may be held for ever.
pub struct BatchedSink {
    shared: Arc<Shared>,
    process: u32,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes whoever waits for a flush.
    flushed: Condvar,
    limits: BatchLimits,
    dropped: Counter,
}

struct State {
    worker: Worker,
    queue: VecDeque<Invocation>,
    queued_bytes: usize,
    /// When the oldest record came.
    oldest: Option<Instant>,
    /// Records that were taken and that are away or lost, since the sink was made.
    taken: u64,
    done: u64,
    /// What was taken when the last flush was asked for, and how much of that was seen to.
    flush_asked: u64,
    flush_done: u64,
    /// Until when everything has to be away, because the process or the sink ends.
    ends: Option<Instant>,
    is_last_try: bool,
    is_closed: bool,
}

enum Worker {
    /// Not needed yet.
    Idle(Box<dyn Carrier>),
    Running,
    /// No thread could be started, or it ended before its time.
    Gone,
}

/// What the thread does next.
enum Next {
    Carry(Vec<Invocation>),
    Settle(Occasion, u64),
    End,
}

impl BatchedSink {
    /// Creates a sink in front of a carrier. No thread is started yet.
    #[must_use]
    pub fn new(carrier: Box<dyn Carrier>, limits: BatchLimits) -> Self {
        let state = State {
            worker: Worker::Idle(carrier),
            queue: VecDeque::new(),
            queued_bytes: 0,
            oldest: None,
            taken: 0,
            done: 0,
            flush_asked: 0,
            flush_done: 0,
            ends: None,
            is_last_try: false,
            is_closed: false,
        };
        let (state, wake, flushed) = (Mutex::new(state), Condvar::new(), Condvar::new());
        let shared = Shared { state, wake, flushed, limits, dropped: Counter::default() };
        Self { shared: Arc::new(shared), process: std::process::id() }
    }

    fn flush_until(&self, until: Instant) {
        let mut state = self.shared.state();
        let target = state.taken;
        state.flush_asked = target;
        self.shared.wake.notify_all();
        while state.flush_done < target && !matches!(state.worker, Worker::Gone) {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else { return };
            state = self.shared.wait(&self.shared.flushed, state, left);
        }
    }

    fn end_by(&self, until: Instant, is_closed: bool) {
        {
            let mut state = self.shared.state();
            (state.ends, state.is_last_try, state.is_closed) = (Some(until), false, is_closed);
        }
        self.flush_until(until);
        let mut state = self.shared.state();
        if !is_closed {
            state.ends = None;
        }
    }
}

impl Sink for BatchedSink {
    fn record(&self, invocation: &Invocation) {
        let bytes = weight(invocation);
        let limits = &self.shared.limits;
        let mut state = self.shared.state();
        let has_room = state.queue.len() < limits.waiting_records && state.queued_bytes + bytes <= limits.waiting_bytes;
        if !has_room || state.is_closed || !self.shared.ensure_worker(&mut state) {
            self.shared.dropped.add(1);
            return;
        }
        let is_first = state.queue.is_empty();
        if is_first {
            state.oldest = Some(Instant::now());
        }
        state.queue.push_back(invocation.clone());
        state.queued_bytes += bytes;
        state.taken += 1;
        let is_batch = state.queue.len() == limits.batch_records || state.queued_bytes >= limits.batch_bytes;
        drop(state);
        if is_first || is_batch {
            self.shared.wake.notify_one();
        }
    }

    fn flush(&self) {
        self.flush_until(Instant::now() + self.shared.limits.flush);
    }

    fn end(&self, deadline: Instant) {
        self.end_by(deadline, false);
    }

    fn dropped(&self) -> u64 {
        self.shared.dropped.get()
    }
}

impl Drop for BatchedSink {
    fn drop(&mut self) {
        // In the child of a fork the records are the parent's.
        if self.process == std::process::id() {
            self.end_by(Instant::now() + self.shared.limits.flush, true);
        }
    }
}

/// Returns about how many bytes a record takes.
fn weight(invocation: &Invocation) -> usize {
    let content = [&invocation.input, &invocation.output];
    RECORD_BYTES + content.into_iter().flatten().map(String::len).sum::<usize>()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, what: &Condvar, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        what.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Starts the thread if there is none yet, and tells whether there is one.
    fn ensure_worker(self: &Arc<Self>, state: &mut State) -> bool {
        match replace(&mut state.worker, Worker::Gone) {
            Worker::Idle(carrier) => {
                let shared = Arc::clone(self);
                let spawned = Builder::new().name("promptops-sink".into()).spawn(move || shared.work(carrier));
                state.worker = if spawned.is_ok() { Worker::Running } else { Worker::Gone };
            }
            Worker::Running => state.worker = Worker::Running,
            Worker::Gone => {}
        }
        matches!(state.worker, Worker::Running)
    }

    fn work(&self, mut carrier: Box<dyn Carrier>) {
        // A carrier promises not to panic; one that does costs the records and not the process.
        let _ = catch_unwind(AssertUnwindSafe(|| self.feed(carrier.as_mut())));
        let mut state = self.state();
        let lost = state.taken - state.done;
        self.dropped.add(lost);
        state.queue.clear();
        (state.done, state.worker) = (state.taken, Worker::Gone);
        drop(state);
        self.flushed.notify_all();
    }

    fn feed(&self, carrier: &mut dyn Carrier) {
        let patience = Patience { shared: self };
        loop {
            match self.next(carrier.due()) {
                Next::Carry(batch) => {
                    let lost = carrier.carry(&batch, &patience);
                    self.dropped.add(lost);
                    self.state().done += batch.len() as u64;
                }
                Next::Settle(occasion, flushing) => {
                    let lost = carrier.settle(occasion, &patience);
                    self.dropped.add(lost);
                    if occasion == Occasion::Flush {
                        self.state().flush_done = flushing;
                        self.flushed.notify_all();
                    }
                }
                Next::End => return,
            }
        }
    }

    /// Waits for something to do.
    fn next(&self, due: Option<Instant>) -> Next {
        let limits = &self.limits;
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let is_flushing = state.flush_asked > state.flush_done;
            let batch_is_due = state.oldest.map(|oldest| oldest + limits.interval);
            let is_full = state.queue.len() >= limits.batch_records || state.queued_bytes >= limits.batch_bytes;
            let is_late = batch_is_due.is_some_and(|due| due <= now);
            if !state.queue.is_empty() && (is_full || is_late || is_flushing || state.is_closed) {
                return Next::Carry(state.take_batch(limits));
            }
            // What was taken after the flush was asked for may wait still.
            if is_flushing && state.done >= state.flush_asked {
                return Next::Settle(Occasion::Flush, state.flush_asked);
            }
            if state.is_closed && state.queue.is_empty() {
                return Next::End;
            }
            if due.is_some_and(|due| due <= now) {
                return Next::Settle(Occasion::Due, 0);
            }
            let until = batch_is_due.into_iter().chain(due).min();
            state = match until {
                Some(until) => self.wait(&self.wake, state, until.saturating_duration_since(now)),
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl State {
    fn take_batch(&mut self, limits: &BatchLimits) -> Vec<Invocation> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < limits.batch_records && bytes < limits.batch_bytes {
            let Some(invocation) = self.queue.pop_front() else { break };
            bytes += weight(&invocation);
            batch.push(invocation);
        }
        self.queued_bytes -= bytes;
        // Those that are left came later; that they count from now makes them wait no longer than twice the interval.
        self.oldest = (!self.queue.is_empty()).then(Instant::now);
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use uuid::Uuid;

    fn invocation(number: u128) -> Invocation {
        Invocation::new(chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(number))
    }

    /// Carries to the test, which has it wait for a word each time.
    struct Told {
        carried: Sender<Vec<u128>>,
        go: Option<Receiver<u64>>,
        settled: Sender<Occasion>,
    }

    impl Carrier for Told {
        fn carry(&mut self, batch: &[Invocation], _: &Patience<'_>) -> u64 {
            self.carried.send(batch.iter().map(|record| record.invocation_id.as_u128()).collect()).unwrap();
            self.go.as_ref().map_or(0, |go| go.recv().unwrap())
        }

        fn settle(&mut self, occasion: Occasion, _: &Patience<'_>) -> u64 {
            self.settled.send(occasion).unwrap();
            0
        }

        fn due(&self) -> Option<Instant> {
            None
        }
    }

    const SLOW: BatchLimits = BatchLimits {
        waiting_records: 5,
        waiting_bytes: 1 << 20,
        batch_records: 3,
        batch_bytes: 1 << 20,
        interval: Duration::from_secs(600),
        flush: Duration::from_secs(60),
    };

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn told(go: Option<Receiver<u64>>) -> (Box<Told>, Receiver<Vec<u128>>, Receiver<Occasion>) {
        let ((carried, seen), (settled, occasions)) = (channel(), channel());
        (Box::new(Told { carried, go, settled }), seen, occasions)
    }

    #[test]
    fn so_many_records_are_a_batch_and_a_flush_carries_the_rest() {
        let (carrier, carried, settled) = told(None);
        let sink = BatchedSink::new(carrier, SLOW);
        for number in 0..4 {
            sink.record(&invocation(number));
        }
        assert_eq!(carried.recv().unwrap(), [0, 1, 2]);
        sink.flush();
        assert_eq!(carried.try_recv().unwrap(), [3]);
        assert_eq!(settled.try_recv().unwrap(), Occasion::Flush);
        sink.flush();
        assert!(settled.try_recv().is_err(), "nothing came since");
        assert_eq!(sink.dropped(), 0);
    }

    #[test]
    fn a_record_waits_no_longer_than_the_interval() {
        let (carrier, carried, _settled) = told(None);
        let sink = BatchedSink::new(carrier, BatchLimits { interval: Duration::from_millis(1), ..SLOW });
        sink.record(&invocation(7));
        assert_eq!(carried.recv_timeout(Duration::from_secs(60)).unwrap(), [7]);
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_without_waiting() {
        let (go, wait) = channel();
        let (carrier, carried, _settled) = told(Some(wait));
        let sink = BatchedSink::new(carrier, SLOW);
        for number in 0..3 {
            sink.record(&invocation(number));
        }
        assert_eq!(carried.recv().unwrap(), [0, 1, 2]);
        // The carrier is stuck with these three; five more wait.
        for number in 3..10 {
            sink.record(&invocation(number));
        }
        assert_eq!(sink.dropped(), 2);
        let large = Invocation { input: Some("x".repeat(1 << 20)), ..invocation(99) };
        for lost in [2, 0, 0] {
            go.send(lost).unwrap();
        }
        sink.flush();
        assert_eq!(carried.try_iter().collect::<Vec<_>>(), [vec![3, 4, 5], vec![6, 7]]);
        assert_eq!(sink.dropped(), 4, "two found no room, and the carrier lost two");
        sink.record(&large);
        assert_eq!(sink.dropped(), 5, "bytes are bounded too");
    }

    #[test]
    fn no_thread_is_started_before_the_first_record() {
        let (carrier, _carried, _settled) = told(None);
        let sink = BatchedSink::new(carrier, SLOW);
        sink.flush();
        sink.end(soon());
        assert!(matches!(sink.shared.state().worker, Worker::Idle(_)));
    }

    #[test]
    fn the_end_of_the_sink_carries_everything() {
        let (carrier, carried, settled) = told(None);
        let sink = BatchedSink::new(carrier, SLOW);
        sink.record(&invocation(1));
        drop(sink);
        assert_eq!(carried.try_recv().unwrap(), [1]);
        assert_eq!(settled.try_recv().unwrap(), Occasion::Flush);
    }

    #[test]
    fn a_sink_can_be_used_after_what_may_have_been_the_end() {
        let (carrier, carried, _settled) = told(None);
        let sink = BatchedSink::new(carrier, SLOW);
        sink.record(&invocation(1));
        sink.end(soon());
        sink.record(&invocation(2));
        sink.end(soon());
        assert_eq!(carried.try_iter().collect::<Vec<_>>(), [[1], [2]]);
    }

    /// Fails for ever, as when nobody answers.
    struct Failing;

    impl Carrier for Failing {
        fn carry(&mut self, batch: &[Invocation], patience: &Patience<'_>) -> u64 {
            while patience.pause(Duration::from_secs(600)) {}
            batch.len() as u64
        }

        fn settle(&mut self, _: Occasion, _: &Patience<'_>) -> u64 {
            0
        }

        fn due(&self) -> Option<Instant> {
            None
        }
    }

    #[test]
    fn a_carrier_that_would_try_for_ever_does_not_hold_up_the_end() {
        let sink = BatchedSink::new(Box::new(Failing), SLOW);
        sink.record(&invocation(1));
        sink.end(soon());
        assert_eq!(sink.dropped(), 1);
        let stuck = BatchedSink::new(Box::new(Failing), BatchLimits { flush: Duration::from_millis(10), ..SLOW });
        stuck.record(&invocation(1));
        stuck.flush();
        assert_eq!(stuck.dropped(), 0, "the flush waits no longer, and the carrier goes on");
    }

    struct Panicking;

    impl Carrier for Panicking {
        fn carry(&mut self, _: &[Invocation], _: &Patience<'_>) -> u64 {
            panic!("a carrier with a defect")
        }

        fn settle(&mut self, _: Occasion, _: &Patience<'_>) -> u64 {
            0
        }

        fn due(&self) -> Option<Instant> {
            None
        }
    }

    #[test]
    fn a_carrier_that_panics_costs_records_and_nothing_else() {
        let sink = BatchedSink::new(Box::new(Panicking), SLOW);
        for number in 0..2 {
            sink.record(&invocation(number));
        }
        sink.flush();
        sink.record(&invocation(3));
        assert_eq!(sink.dropped(), 3);
    }
}

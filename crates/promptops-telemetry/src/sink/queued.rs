//! A bounded queue in front of another sink.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use super::{Counter, Sink};
use crate::record::Invocation;

/// Longest time that `flush` and `drop` wait for the thread.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Hands records to another sink on its own thread, so that the caller never waits for a disk.
///
/// At most `capacity` records wait; one more is dropped and counted. `flush` waits until everything taken before it has
/// been handed on, but never longer than five seconds. Dropping the sink flushes it. Not meant for AWS Lambda, where
/// threads stop between requests: there call `flush` before the handler returns, or use the inner sink directly.
pub struct QueuedSink {
    sender: SyncSender<Message>,
    inner: Arc<dyn Sink>,
    dropped: Counter,
}

enum Message {
    Record(Box<Invocation>),
    Flush(SyncSender<()>),
}

impl QueuedSink {
    /// Starts the thread that feeds `inner`.
    ///
    /// # Errors
    ///
    /// The operating system's error when it refuses a thread.
    pub fn new(inner: Arc<dyn Sink>, capacity: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(capacity);
        let target = Arc::clone(&inner);
        Builder::new().name("promptops-sink".into()).spawn(move || feed(&receiver, target.as_ref()))?;
        Ok(Self { sender, inner, dropped: Counter::default() })
    }
}

/// Runs until the [`QueuedSink`], and with it the sender, is gone.
fn feed(receiver: &Receiver<Message>, inner: &dyn Sink) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Record(invocation) => inner.record(&invocation),
            Message::Flush(done) => {
                inner.flush();
                // Nobody listens any more when the flush took too long.
                let _ = done.try_send(());
            }
        }
    }
}

impl Sink for QueuedSink {
    fn record(&self, invocation: &Invocation) {
        match self.sender.try_send(Message::Record(Box::new(invocation.clone()))) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.dropped.add_one(),
        }
    }

    fn flush(&self) {
        let (done, wait) = sync_channel(1);
        // A full queue drains as fast as the inner sink writes; `send` would wait for that without a limit.
        let mut message = Message::Flush(done);
        let step = Duration::from_millis(5);
        let mut left = FLUSH_LIMIT;
        loop {
            match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(returned)) => {
                    if left.is_zero() {
                        return;
                    }
                    message = returned;
                    std::thread::park_timeout(step);
                    left = left.saturating_sub(step);
                }
            }
        }
        let _ = wait.recv_timeout(left);
    }

    fn dropped(&self) -> u64 {
        self.dropped.get() + self.inner.dropped()
    }
}

impl Drop for QueuedSink {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::MemorySink;
    use std::sync::Barrier;
    use uuid::Uuid;

    fn invocation(number: u128) -> Invocation {
        Invocation::new(chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(number))
    }

    /// Holds the thread inside its first record until the test lets it go.
    struct Gate {
        entered: Barrier,
        leave: Barrier,
        memory: MemorySink,
    }

    impl Sink for Gate {
        fn record(&self, invocation: &Invocation) {
            if invocation.invocation_id.is_nil() {
                self.entered.wait();
                self.leave.wait();
            }
            self.memory.record(invocation);
        }

        fn flush(&self) {}

        fn dropped(&self) -> u64 {
            10
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts_without_waiting() {
        let gate = Arc::new(Gate { entered: Barrier::new(2), leave: Barrier::new(2), memory: MemorySink::default() });
        let sink = QueuedSink::new(Arc::clone(&gate) as Arc<dyn Sink>, 2).unwrap();
        sink.record(&invocation(0));
        gate.entered.wait();
        for number in 1..=5 {
            sink.record(&invocation(number));
        }
        assert_eq!(sink.dropped(), 10 + 3, "two wait, three are dropped, ten the inner sink lost");
        gate.leave.wait();
        sink.flush();
        let ids: Vec<u128> = gate.memory.records().iter().map(|record| record.invocation_id.as_u128()).collect();
        assert_eq!(ids, [0, 1, 2]);
    }

    #[test]
    fn dropping_the_sink_hands_everything_on() {
        let memory = Arc::new(MemorySink::default());
        let sink = QueuedSink::new(Arc::clone(&memory) as Arc<dyn Sink>, 1000).unwrap();
        for number in 0..500 {
            sink.record(&invocation(number));
        }
        drop(sink);
        assert_eq!(memory.records().len(), 500);
    }
}

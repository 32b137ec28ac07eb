//! From requests to the lake: the log that acknowledges, and the task that ships its segments.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use promptops_registry::api::v1::KindV1;
use promptops_telemetry::Invocation;
use promptops_telemetry::ingest::{IngestLog, IngestSettings, NotTaken, Received, Segment, SegmentError};
use promptops_telemetry::otlp::Keep;
use promptops_telemetry::sink::Sink;
use promptops_telemetry::v1;
use tokio::sync::{Notify, oneshot};

use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// How often the log is asked for sealed segments.
const LOOK: Duration = Duration::from_millis(200);
/// The wait after the lake did not take a segment; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What senders are asked to wait when the lake is behind.
const SPOOL_WAIT_S: u64 = 30;

/// Why a lake did not take records.
#[derive(Debug)]
pub struct NotStored(
    /// The lake's own reason.
    pub Box<dyn Error + Send + Sync>,
);

/// Where invocations go in the end. It takes one with an id that it has already as the same, and does not count it again.
pub trait InvocationLake: Send + Sync {
    /// Stores records, and returns how many of them it did not have.
    fn store<'a>(&'a self, records: &'a [Invocation]) -> BoxFuture<'a, Result<u64, NotStored>>;
}

/// How invocations are recorded.
#[derive(Clone)]
pub struct Ingest {
    /// The log in which they are acknowledged.
    pub log: IngestSettings,
    /// The lake to which they are shipped.
    pub lake: Arc<dyn InvocationLake>,
    /// What is kept of spans that come by OTLP.
    pub spans: Keep,
}

/// Hands what agents did to the log of the server.
pub(crate) struct RecordingSink {
    recording: Arc<Recording>,
    dropped: AtomicU64,
}

impl RecordingSink {
    pub(crate) fn new(recording: Arc<Recording>) -> Self {
        Self { recording, dropped: AtomicU64::new(0) }
    }
}

impl Sink for RecordingSink {
    fn record(&self, invocation: &Invocation) {
        if !self.recording.take(invocation) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("there was no room for an invocation of an agent");
        }
    }

    /// The log writes by itself, and is closed when the server ends.
    fn flush(&self) {}

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// An open log, shared by requests and the task that ships.
pub(crate) struct Recording {
    /// Gone when the server has ended.
    log: Mutex<Option<IngestLog>>,
    lake: Arc<dyn InvocationLake>,
    metrics: Arc<Metrics>,
    ending: Notify,
    spans: Keep,
}

impl Recording {
    pub(crate) fn open(ingest: Ingest, metrics: Arc<Metrics>) -> Result<Self, SegmentError> {
        let log = IngestLog::open(ingest.log)?;
        let left: u64 = log.sealed().iter().map(Segment::bytes).sum();
        if left > 0 {
            tracing::info!(bytes = left, "invocations of an earlier process go to the lake now");
        }
        Ok(Self { log: Mutex::new(Some(log)), lake: ingest.lake, metrics, ending: Notify::new(), spans: ingest.spans })
    }

    /// Returns what is kept of spans.
    pub(crate) fn keep(&self) -> Keep {
        self.spans
    }

    fn with_log<T>(&self, act: impl FnOnce(&mut IngestLog) -> T) -> Option<T> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }

    /// Completes when the records are on the disk, and returns how many they were.
    pub(crate) async fn record(&self, received: Received) -> Result<usize, Refusal> {
        let records = received.records();
        let (told, hear) = oneshot::channel();
        // Nobody hears it who went away meanwhile; the records are taken all the same.
        let acknowledge = Box::new(move |written| drop(told.send(written)));
        match self.with_log(|log| log.append(received, acknowledge)).unwrap_or(Err(NotTaken::Closed)) {
            Ok(()) => {}
            Err(NotTaken::QueueFull) => return Err(Refusal::no_room("more invocations are sent than the disk takes", 1)),
            Err(NotTaken::SpoolFull) => {
                return Err(Refusal::no_room(
                    "the lake has not taken invocations for a while, and the log is full",
                    SPOOL_WAIT_S,
                ));
            }
            Err(NotTaken::Closed) => return Err(Refusal::overloaded()),
        }
        match hear.await {
            Ok(Ok(())) => {
                self.metrics.recorded.inc_by(records as u64);
                Ok(records)
            }
            Ok(Err(failed)) => {
                tracing::error!(error = %failed, "invocations were not written");
                let is_full = matches!(failed.kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
                Err(Refusal::not_written(if is_full { KindV1::Full } else { KindV1::Unavailable }))
            }
            Err(_) => Err(Refusal::not_written(KindV1::Corrupt)),
        }
    }

    /// Takes a record of the server's own without waiting for the disk; returns whether there was room.
    fn take(self: &Arc<Self>, invocation: &Invocation) -> bool {
        let Ok(received) = Received::json(v1::to_line(invocation).as_bytes()) else { return false };
        let recording = Arc::clone(self);
        let acknowledge = Box::new(move |written: Result<(), _>| match written {
            Ok(()) => recording.metrics.recorded.inc(),
            Err(failed) => tracing::error!(error = %failed, "an invocation of an agent was not written"),
        });
        matches!(self.with_log(|log| log.append(received, acknowledge)), Some(Ok(())))
    }

    /// Ships segments until the server ends.
    pub(crate) async fn ship(&self) {
        let mut wait = FIRST_WAIT;
        loop {
            let pause = if self.ship_sealed().await {
                wait = FIRST_WAIT;
                LOOK
            } else {
                let pause = wait;
                wait = (wait * 2).min(LONGEST_WAIT);
                pause
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ending.notified() => return,
            }
        }
    }

    /// Ends [`Recording::ship`] after the segment that it is at.
    pub(crate) fn tell_to_end(&self) {
        self.ending.notify_one();
    }

    /// Writes and ships what is left, once no request is under way and nobody ships. What the lake does not take stays for the
    /// next process.
    pub(crate) async fn end(&self) {
        self.with_log(IngestLog::close);
        self.ship_sealed().await;
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ships every sealed segment, the oldest first; returns false when one stayed.
    async fn ship_sealed(&self) -> bool {
        let mut all_taken = true;
        for segment in self.with_log(|log| log.sealed()).unwrap_or_default() {
            let reading = segment.clone();
            let taken = match tokio::task::spawn_blocking(move || reading.read()).await {
                Ok(Ok(records)) => self.ship_one(&segment, &records).await,
                // The others are none the worse for it.
                Ok(Err(error)) => {
                    tracing::error!(error = %error, "a segment cannot be read; its invocations are not in the lake");
                    all_taken = false;
                    continue;
                }
                Err(error) => Err(NotStored(error.into())),
            };
            if let Err(error) = taken {
                self.metrics.shipping_failures.inc();
                let (segment, bytes) = (segment.number(), self.spooled_bytes());
                tracing::warn!(segment, bytes, error = %error.0, "the lake did not take invocations; they wait in the log");
                all_taken = false;
                break;
            }
        }
        self.metrics.spooled_bytes.set(i64::try_from(self.spooled_bytes()).unwrap_or(i64::MAX));
        all_taken
    }

    fn spooled_bytes(&self) -> u64 {
        self.with_log(|log| log.spooled_bytes()).unwrap_or_default()
    }

    async fn ship_one(&self, segment: &Segment, records: &[Invocation]) -> Result<(), NotStored> {
        let new = self.lake.store(records).await?;
        self.metrics.invocations.count(records);
        self.metrics.shipped.inc_by(new);
        self.metrics.shipped_again.inc_by((records.len() as u64).saturating_sub(new));
        self.with_log(|log| log.remove(segment)).unwrap_or(Ok(())).map_err(|error| NotStored(error.into()))
    }
}

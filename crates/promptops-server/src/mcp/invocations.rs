//! Invocations under way: each begins when an agent gets a prompt and is recorded once, when the agent reports on it, when its
//! session ends, or after a time.
//!
//! A record counts once by its id, so it is written when all that will be known of it is known.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use promptops_telemetry::sink::Sink;
use promptops_telemetry::{Invocation, Status, Uuid};
use tokio_util::sync::CancellationToken;

use super::visitor::Principal;

/// How long an agent may take to report.
pub(crate) const OPEN_TIME: Duration = Duration::from_secs(15 * 60);
/// Invocations that are open at the same time; beyond it the oldest is recorded as it is.
const MAX_OPEN: usize = 10_000;
/// How often those that are open for too long are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// What an agent says came of an invocation.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) error_type: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) valid: Option<bool>,
    pub(crate) refusal: Option<bool>,
    pub(crate) scores: BTreeMap<String, f64>,
    pub(crate) model: Option<String>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) latency_ms: Option<f64>,
    pub(crate) cost_usd: Option<f64>,
}

struct Open {
    begun: Instant,
    /// Who began it: nobody else reports on it.
    by: Principal,
    connection: Option<Uuid>,
    invocation: Invocation,
}

/// The invocations that are not recorded yet.
pub(crate) struct OpenInvocations {
    sinks: Vec<Arc<dyn Sink>>,
    open: Mutex<HashMap<Uuid, Open>>,
}

impl OpenInvocations {
    /// Must be called within a runtime, which looks for those that are open for too long.
    pub(crate) fn start(sinks: Vec<Arc<dyn Sink>>, closing: CancellationToken) -> Arc<Self> {
        let invocations = Arc::new(Self { sinks, open: Mutex::default() });
        if invocations.are_recorded() {
            tokio::spawn(sweep(Arc::downgrade(&invocations), closing));
        }
        invocations
    }

    /// Tells whether anything is recorded.
    pub(crate) fn are_recorded(&self) -> bool {
        !self.sinks.is_empty()
    }

    /// Begins one. `connection` is what ends it, when it ends before an agent reports.
    pub(crate) fn begin(&self, invocation: Invocation, by: Principal, connection: Option<Uuid>) {
        if !self.are_recorded() {
            return;
        }
        let oldest = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = (open.len() >= MAX_OPEN)
                .then(|| open.iter().min_by_key(|(_, one)| one.begun).map(|(id, _)| *id))
                .flatten()
                .and_then(|id| open.remove(&id));
            open.insert(invocation.invocation_id, Open { begun: Instant::now(), by, connection, invocation });
            oldest
        };
        self.record(oldest);
    }

    /// Ends one with what its agent says of it. Returns nothing for one that is not open, or was begun by somebody else.
    pub(crate) fn report(&self, id: &Uuid, by: &Principal, report: Report) -> Option<Invocation> {
        let mut ended = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.get(id).filter(|one| one.by == *by)?;
            open.remove(id)?
        };
        let elapsed_ms = ended.begun.elapsed().as_secs_f64() * 1e3;
        fill(&mut ended.invocation, report, elapsed_ms);
        let invocation = ended.invocation.clone();
        self.record([ended]);
        Some(invocation)
    }

    /// Ends those of a connection, as they are.
    pub(crate) fn end_connection(&self, connection: Uuid) {
        self.end(|one| one.connection == Some(connection));
    }

    /// Ends all, as they are, and hands every record to the operating system.
    pub(crate) fn end_all(&self) {
        self.end(|_| true);
        for sink in &self.sinks {
            sink.flush();
        }
    }

    fn end(&self, is_over: impl Fn(&Open) -> bool) {
        let over: Vec<Open> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let ids: Vec<Uuid> = open.iter().filter(|(_, one)| is_over(one)).map(|(id, _)| *id).collect();
            ids.iter().filter_map(|id| open.remove(id)).collect()
        };
        self.record(over);
    }

    fn record(&self, ended: impl IntoIterator<Item = Open>) {
        let mut ended: Vec<Open> = ended.into_iter().collect();
        ended.sort_by_key(|one| one.invocation.time);
        for one in &ended {
            for sink in &self.sinks {
                sink.record(&one.invocation);
            }
        }
    }
}

fn fill(invocation: &mut Invocation, report: Report, elapsed_ms: f64) {
    if let Some(error_type) = report.error_type {
        invocation.status = Status::Error;
        invocation.error_type = Some(error_type);
    }
    // What lies between getting a prompt and reporting is the agent's call of the model, as far as anybody else can tell.
    invocation.latency_ms = report.latency_ms.or(Some(elapsed_ms));
    invocation.label = report.label;
    invocation.valid = report.valid;
    invocation.refusal = report.refusal;
    invocation.scores = report.scores;
    invocation.responded_model = report.model;
    invocation.finish_reason = report.finish_reason;
    invocation.input_tokens = report.input_tokens;
    invocation.output_tokens = report.output_tokens;
    invocation.cost_usd = report.cost_usd;
}

/// Makes a UUIDv7 of the time an invocation began.
pub(crate) fn new_id(time: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, time.timestamp_subsec_nanos()))
}

async fn sweep(invocations: Weak<OpenInvocations>, closing: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = closing.cancelled() => return,
        }
        let Some(invocations) = invocations.upgrade() else { return };
        invocations.end(|one| one.begun.elapsed() >= OPEN_TIME);
    }
}

#[cfg(test)]
mod tests {
    use promptops_telemetry::sink::MemorySink;

    use super::*;

    fn invocation(number: u128) -> Invocation {
        Invocation::new(DateTime::UNIX_EPOCH, Uuid::from_u128(number))
    }

    fn open(sink: &Arc<MemorySink>) -> OpenInvocations {
        OpenInvocations { sinks: vec![Arc::clone(sink) as Arc<dyn Sink>], open: Mutex::default() }
    }

    #[test]
    fn each_is_recorded_once_by_whoever_began_it() {
        let sink = Arc::new(MemorySink::default());
        let invocations = open(&sink);
        invocations.begin(invocation(1), Principal::Trusted, None);
        let report =
            || Report { label: Some("billing".to_owned()), scores: [("help".to_owned(), 0.5)].into(), ..Report::default() };
        let id = Uuid::from_u128(1);
        assert!(invocations.report(&id, &Principal::Anonymous, report()).is_none(), "it is somebody else's");
        let recorded = invocations.report(&id, &Principal::Trusted, report()).unwrap();
        assert_eq!((recorded.label.as_deref(), recorded.scores["help"]), (Some("billing"), 0.5));
        assert!(recorded.latency_ms.is_some_and(|ms| ms >= 0.));
        assert!(invocations.report(&id, &Principal::Trusted, report()).is_none(), "it is over");
        invocations.end_all();
        assert_eq!(sink.records(), [recorded]);
    }

    #[test]
    fn an_error_is_one_and_what_is_not_said_is_unknown() {
        let sink = Arc::new(MemorySink::default());
        let invocations = open(&sink);
        invocations.begin(invocation(1), Principal::Local, None);
        let report = Report { error_type: Some("timeout".to_owned()), latency_ms: Some(9.), ..Report::default() };
        let recorded = invocations.report(&Uuid::from_u128(1), &Principal::Local, report).unwrap();
        assert_eq!(
            (recorded.status, recorded.error_type.as_deref(), recorded.latency_ms),
            (Status::Error, Some("timeout"), Some(9.))
        );
        assert_eq!((recorded.input_tokens, recorded.valid, recorded.cost_usd), (None, None, None));
    }

    #[test]
    fn those_of_a_connection_end_with_it_and_the_oldest_make_room() {
        let sink = Arc::new(MemorySink::default());
        let invocations = open(&sink);
        let (ended, other) = (Uuid::from_u128(100), Uuid::from_u128(101));
        invocations.begin(invocation(1), Principal::Local, Some(ended));
        invocations.begin(invocation(2), Principal::Local, Some(other));
        invocations.end_connection(ended);
        assert_eq!(sink.records(), [invocation(1)]);
        for number in 3..=(MAX_OPEN as u128 + 2) {
            invocations.begin(invocation(number), Principal::Local, None);
        }
        assert_eq!(sink.records(), [invocation(1), invocation(2)], "it was the oldest");
    }
}

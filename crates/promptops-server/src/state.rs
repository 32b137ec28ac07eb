//! What every request finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use promptops_registry::Registry;
use promptops_registry::api::v1::{KindV1, Problem};
use promptops_registry::index::SNAPSHOT_BOUND;
use tokio::runtime::Handle;
use tokio::task::JoinError;
use tokio_util::task::TaskTracker;

use crate::bodies::Bodies;
use crate::cache::ObjectCache;
use crate::conditional::Sharing;
use crate::ingest::{Recording, RecordingSink};
use crate::key_ring::KeyRing;
use crate::mcp::Agents;
use crate::mcp::http::Mount;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimit;
use crate::refusal::Refusal;
use crate::rules::{HeldRules, Rules};
use crate::server::ServeError;
use crate::settings::{Access, Settings};

/// What every request finds. Clones share it.
pub(crate) type Shared = Arc<ServerState>;

pub(crate) struct ServerState {
    pub(crate) registry: Registry,
    pub(crate) objects: ObjectCache,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) rate: RateLimit,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) settings: Settings,
    /// Requests under way.
    pub(crate) under_way: AtomicUsize,
    /// Whether the server is about to end.
    pub(crate) is_draining: AtomicBool,
    /// What serves agents, where they are served.
    pub(crate) agents: Option<Mount>,
    /// Where invocations are recorded.
    pub(crate) recording: Option<Arc<Recording>>,
    /// The room for bodies of requests that record.
    pub(crate) bodies: Bodies,
    rules: Option<Rules>,
    writes: TaskTracker,
}

/// Does work on a thread of its own, from beginning to end.
///
/// For what reads the index: its futures hold closures over borrowed values, of which the compiler cannot tell that they may
/// go from thread to thread. Remove when it can.
pub(crate) async fn on_one_thread<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work())).await.map_err(|error| bug(&error))
}

pub(crate) fn bug(error: &JoinError) -> Refusal {
    tracing::error!(%error, "a request panicked");
    Problem::new("bug", 500, KindV1::Corrupt, "the server failed; this is a bug, please report it").into()
}

impl ServerState {
    pub(crate) fn new(registry: Registry, mut settings: Settings) -> Result<Self, ServeError> {
        let metrics = Arc::new(Metrics::new()?);
        let recording =
            settings.ingest.take().map(|ingest| Recording::open(ingest, Arc::clone(&metrics))).transpose()?.map(Arc::new);
        if let (Some(agents), Some(recording)) = (&mut settings.agents, &recording) {
            agents.sinks.push(Arc::new(RecordingSink::new(Arc::clone(recording))));
        }
        let agents = settings.agents.take().map(Agents::new).transpose()?;
        let agents = agents.map(|agents| Mount::new(agents, settings.limits.body_bytes));
        Ok(Self {
            agents,
            objects: ObjectCache::new(registry.store().clone(), settings.cache_bytes, Arc::clone(&metrics)),
            keys: Arc::new(KeyRing::new(registry.clone(), settings.hold)),
            rate: RateLimit::new(settings.limits.requests_per_second),
            rules: settings.rules.clone().map(|reader| Rules::new(reader, settings.hold)),
            metrics,
            recording,
            bodies: Bodies::new(settings.limits.body_bytes),
            registry,
            settings,
            under_way: AtomicUsize::new(0),
            is_draining: AtomicBool::new(false),
            writes: TaskTracker::new(),
        })
    }

    /// Returns the rules that hold for what writes, or refuses to write.
    pub(crate) async fn rules(&self) -> Result<Arc<HeldRules>, Refusal> {
        match &self.rules {
            Some(rules) => rules.now().await,
            None => Err(Problem::new("read-only", 403, KindV1::Unavailable, "nothing is written through this server").into()),
        }
    }

    /// Returns where invocations are recorded, or refuses to record any.
    pub(crate) fn recording(&self) -> Result<&Arc<Recording>, Refusal> {
        self.recording.as_ref().ok_or_else(|| {
            let detail = "no invocations are recorded through this server";
            let hint = "start it with `promptops serve --record`, or send them to one that was";
            Problem::new("records-nothing", 403, KindV1::Unavailable, detail).hint(hint).into()
        })
    }

    /// Who may keep what was read.
    pub(crate) fn sharing(&self) -> Sharing {
        match self.settings.access {
            Access::PublicRead => Sharing::Public,
            Access::Keys | Access::Trusted { .. } => Sharing::Private,
        }
    }

    /// Does what writes to its end, also when whoever asked for it went away: cut off in the middle it would be whole only
    /// when somebody repeats it.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.writes.spawn(work).await.map_err(|error| bug(&error))
    }

    /// Writes the next snapshot of the index when it is due. Nobody waits for it, and what was written stands without it.
    pub(crate) fn keep_index(&self) {
        let (registry, runtime) = (self.registry.clone(), Handle::current());
        self.writes.spawn_blocking(move || {
            if let Err(error) = runtime.block_on(registry.refresh_index(SNAPSHOT_BOUND)) {
                tracing::warn!(%error, "the index was not brought up to date; run `promptops registry reindex`");
            }
        });
    }

    /// Waits for everything that writes.
    pub(crate) async fn writes_ended(&self) {
        self.writes.close();
        self.writes.wait().await;
    }
}

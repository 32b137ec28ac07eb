//! The prompts of an environment for agents, by the Model Context Protocol: `promptops mcp`, and `/mcp` of `promptops serve`.
//!
//! A message comes in by [`stdio`] or [`http`] and goes to [`handler`], which finds out whose prompts the caller sees
//! ([`visitor`]): those that a release, a lock or a bundle pins ([`live`]), each verified and compiled once
//! ([`pinned_prompt`]). What an agent is given counts as an invocation, which ends when the agent reports on it
//! ([`invocations`]).
//!
//! **Invariants.** Nothing is shown that is not pinned where the caller is. An outage of the registry takes away nothing that
//! was seen before. Bytes that are no message are answered as JSON-RPC says ([`message`]), and end nothing.

mod arguments;
mod completion;
mod handler;
pub(crate) mod http;
mod invocations;
mod live;
mod message;
mod names;
mod objects;
mod paging;
mod pinned_prompt;
mod stdio;
mod tools;
mod visitor;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use promptops_prompt::Lock;
use promptops_registry::{EnvironmentName, Registry};
use promptops_store::Bundle;
use promptops_telemetry::sink::Sink;
use tokio_util::sync::CancellationToken;

pub use self::stdio::serve as serve_stdio;

use self::invocations::OpenInvocations;
use self::live::Followed;
use self::objects::Objects;

/// Which prompts agents see.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for a process")]
pub enum AgentPrompts {
    /// What the releases of a registry's environments pin, also after the next deploy.
    Environments {
        /// The registry.
        registry: Registry,
        /// The environment of callers whose API key names none; without it they are refused.
        default: Option<EnvironmentName>,
    },
    /// What a lock pins, for as long as the server runs.
    Lock {
        /// The lock, whose proofs were checked.
        lock: Lock,
        /// The registry that it names.
        registry: Registry,
    },
    /// What a bundle holds, for as long as the server runs.
    Bundle(Arc<Bundle>),
}

/// How agents are served.
#[derive(Clone)]
pub struct AgentSettings {
    /// Which prompts they see.
    pub prompts: AgentPrompts,
    /// How often the server looks for a deploy: so late, at most, and the time of one look, it is seen.
    pub poll: Duration,
    /// Prompts on one page of a list.
    pub page: usize,
    /// Where invocations are recorded. Without any, agents are not asked to report.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Service that is recorded with invocations.
    pub service: Option<String>,
    /// The clock, UTC.
    pub clock: fn() -> DateTime<Utc>,
}

impl AgentSettings {
    /// Returns settings that look every five seconds and record nothing.
    pub fn new(prompts: AgentPrompts, clock: fn() -> DateTime<Utc>) -> Self {
        Self { prompts, poll: Duration::from_secs(5), page: 100, sinks: Vec::new(), service: None, clock }
    }
}

/// Why agents cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// What a bundle pins cannot be read, or is not what was logged.
    #[error("what the bundle pins cannot be used")]
    Bundle(#[source] promptops_registry::RegistryError),
    /// The system gives no thread to read or write with.
    #[error("cannot start a thread for the client's streams")]
    Thread(#[source] std::io::Error),
}

/// What serves agents, whatever they come by. Ends what it began when it is dropped.
pub(crate) struct Agents {
    pub(crate) invocations: Arc<OpenInvocations>,
    pub(crate) closing: CancellationToken,
    pub(crate) page: usize,
    service: Option<String>,
    clock: fn() -> DateTime<Utc>,
    poll: Duration,
    source: Source,
}

/// Where pins come from.
#[expect(clippy::large_enum_variant, reason = "there is one for a process")]
enum Source {
    Environments {
        registry: Registry,
        default: Option<EnvironmentName>,
        followed: Mutex<BTreeMap<EnvironmentName, Arc<Followed>>>,
    },
    Fixed(Arc<Followed>),
}

impl Agents {
    /// Must be called within a runtime: what looks for deploys runs on it.
    pub(crate) fn new(settings: AgentSettings) -> Result<Arc<Self>, AgentsError> {
        let AgentSettings { prompts, poll, page, sinks, service, clock } = settings;
        let source = match prompts {
            AgentPrompts::Environments { registry, default } => {
                Source::Environments { registry, default, followed: Mutex::default() }
            }
            AgentPrompts::Lock { lock, registry } => Source::Fixed(Followed::fixed(lock, Objects::Registry(Box::new(registry)))),
            AgentPrompts::Bundle(bundle) => {
                let lock = objects::lock_of(&bundle).map_err(AgentsError::Bundle)?;
                Source::Fixed(Followed::fixed(lock, Objects::Bundle(bundle)))
            }
        };
        let closing = CancellationToken::new();
        let invocations = OpenInvocations::start(sinks, closing.clone());
        Ok(Arc::new(Self { invocations, closing, page: page.max(1), service, clock, poll, source }))
    }

    /// Returns what an environment pins; nothing where the caller may not see it. `asked` is the environment of the caller's
    /// API key, if it names one.
    pub(crate) fn followed(&self, asked: Option<&EnvironmentName>) -> Option<Arc<Followed>> {
        match &self.source {
            Source::Fixed(fixed) => {
                let is_other = |asked: &EnvironmentName| fixed.environment_name().is_some_and(|own| own != asked.as_str());
                (!asked.is_some_and(is_other)).then(|| Arc::clone(fixed))
            }
            Source::Environments { registry, default, followed } => {
                let name = asked.or(default.as_ref())?;
                let mut followed = followed.lock().unwrap_or_else(PoisonError::into_inner);
                let known = followed.entry(name.clone());
                Some(Arc::clone(known.or_insert_with(|| Followed::environment(registry.clone(), name.clone(), self.poll))))
            }
        }
    }

    /// Returns the time, UTC.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Returns the service that is recorded with invocations.
    pub(crate) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Ends every session and stream, and records every invocation that is open.
    pub(crate) fn close(&self) {
        self.closing.cancel();
        self.invocations.end_all();
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.close();
    }
}

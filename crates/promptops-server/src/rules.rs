//! Whose rules hold on a server: policy and owners of a checkout, read again every few seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promptops_prompt::owners::Owners;
use promptops_registry::api::v1::{KindV1, Problem};
use promptops_registry::{Authority, Policy};
use tokio::sync::Mutex;

use crate::refusal::Refusal;

/// Policy and owners, as a revision has them.
#[derive(Clone, Debug)]
pub struct HeldRules {
    /// The rules.
    pub policy: Policy,
    /// People, keys and teams.
    pub owners: Owners,
    /// The commit that both are of.
    pub revision: String,
}

impl HeldRules {
    /// Returns the rules as the registry takes them.
    pub fn authority(&self) -> Authority<'_> {
        Authority { policy: &self.policy, owners: &self.owners, revision: &self.revision }
    }
}

/// Reads the rules, or says why they cannot be read. May block: it is called on a thread for that.
pub type RulesReader = Arc<dyn Fn() -> Result<HeldRules, String> + Send + Sync>;

/// The rules that hold now.
pub(crate) struct Rules {
    reader: RulesReader,
    hold: Duration,
    held: Mutex<Option<(Instant, Arc<HeldRules>)>>,
}

impl Rules {
    /// Reads rules again when they are as old as `hold`.
    pub(crate) fn new(reader: RulesReader, hold: Duration) -> Self {
        Self { reader, hold, held: Mutex::new(None) }
    }

    /// Returns rules that were read lately enough.
    ///
    /// Rules that cannot be read refuse what asks for them: rules of before may be looser than what was agreed since.
    pub(crate) async fn now(&self) -> Result<Arc<HeldRules>, Refusal> {
        let mut held = self.held.lock().await;
        if let Some((read, rules)) = held.as_ref().filter(|(read, _)| read.elapsed() < self.hold) {
            tracing::trace!(age_ms = read.elapsed().as_millis(), "rules held");
            return Ok(Arc::clone(rules));
        }
        let reader = Arc::clone(&self.reader);
        let read = tokio::task::spawn_blocking(move || reader()).await;
        let reason = match read {
            Ok(Ok(rules)) => {
                let rules = Arc::new(rules);
                if held.as_ref().is_none_or(|(_, before)| before.revision != rules.revision) {
                    tracing::info!(revision = rules.revision, "rules read");
                }
                *held = Some((Instant::now(), Arc::clone(&rules)));
                return Ok(rules);
            }
            Ok(Err(reason)) => reason,
            Err(error) => error.to_string(),
        };
        tracing::error!(reason, "the rules cannot be read");
        let detail = "the server cannot read the policy and owners of its checkout, so nothing is written";
        Err(Problem::new("rules-unreadable", 503, KindV1::Unavailable, detail).hint("the log of the server says why").into())
    }
}

//! Who asks, and what they may do.

use std::sync::Arc;

use promptops_prompt::PromptId;
use promptops_registry::EnvironmentName;
use promptops_registry::keys::{ApiKey, Scope};

use crate::refusal::Refusal;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Somebody without a key, where reading takes none.
    Anonymous,
    /// Whoever has a key.
    Key(Arc<ApiKey>),
    /// The one person on this machine, where no key is needed.
    Trusted(Arc<str>),
}

impl Caller {
    /// Returns who acts in records, or refuses a caller who must not write.
    fn actor(&self, scope: impl FnOnce() -> String, covers: impl Fn(&Scope) -> bool) -> Result<String, Refusal> {
        match self {
            Self::Anonymous => Err(Refusal::unauthenticated("writing takes an API key")),
            Self::Trusted(actor) => Ok(actor.to_string()),
            Self::Key(key) if key.scopes.iter().any(covers) => Ok(key.actor.clone()),
            Self::Key(key) => {
                let scope = scope();
                tracing::warn!(key = %key.id, scope, "out of scope");
                Err(Refusal::forbidden(&scope))
            }
        }
    }

    /// Returns who publishes versions of a prompt.
    pub(crate) fn may_publish(&self, id: &PromptId) -> Result<String, Refusal> {
        self.actor(|| format!("publish:{id}"), |scope| scope.covers_publish(id))
    }

    /// Returns who makes releases of an environment.
    pub(crate) fn may_deploy(&self, environment: &EnvironmentName) -> Result<String, Refusal> {
        self.actor(|| format!("deploy:{environment}"), |scope| scope.covers_deploy(environment))
    }

    /// Returns who stores evidence.
    pub(crate) fn may_record_evidence(&self) -> Result<String, Refusal> {
        self.actor(|| "evidence".to_owned(), Scope::covers_evidence)
    }

    /// Returns who stores approvals.
    pub(crate) fn may_approve(&self) -> Result<String, Refusal> {
        self.actor(|| "approve".to_owned(), Scope::covers_approve)
    }

    /// Refuses a caller who must not record invocations.
    pub(crate) fn may_record_invocations(&self) -> Result<String, Refusal> {
        self.actor(|| "record".to_owned(), Scope::covers_record)
    }

    /// Refuses a caller without a key what is stored about keys: their secrets are safe in it, their names and scopes are
    /// nobody else's business.
    pub(crate) fn may_read_keys(&self) -> Result<(), Refusal> {
        match self {
            Self::Anonymous => Err(Refusal::unauthenticated("what is stored about API keys is shown to holders of one only")),
            Self::Key(_) | Self::Trusted(_) => Ok(()),
        }
    }

    /// Names the caller for the log.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "-",
            Self::Key(key) => &key.name,
            Self::Trusted(actor) => actor,
        }
    }
}

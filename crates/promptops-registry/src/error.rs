//! What can go wrong with a registry, by what the reader can do about it.

use promptops_prompt::compatibility::{Break, Level};
use promptops_prompt::status::StatusRecord;
use promptops_prompt::{Digest, PromptId, PromptRef};
use promptops_store::{BundleError, StoreError};
use thiserror::Error;

use crate::api::v1::Problem;
use crate::environment::EnvironmentName;
use crate::keys::KeyId;
use crate::policy::UnmetDemand;
use crate::status::Uses;

/// A failure of a [`Registry`](crate::Registry). [`RegistryError::kind`] says what class of answer it is,
/// [`RegistryError::hint`] what to do next.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no registry at the URL yet.
    #[error("there is no registry at `{url}`")]
    NotInitialised {
        /// The URL.
        url: String,
    },
    /// An object was written by a newer version of this software.
    #[error("the object has format `{found}`, this version reads format 1: `{key}`")]
    Newer {
        /// Its key.
        key: String,
        /// Its format.
        found: u64,
    },
    /// Stored bytes are not what they should be.
    #[error("{reason}: `{key}`")]
    Corrupt {
        /// Key of the object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No version of the prompt is published.
    #[error("the registry has no prompt `{id}`")]
    PromptNotFound {
        /// The prompt.
        id: PromptId,
    },
    /// The version is not published.
    #[error("the registry has no version `{reference}`")]
    VersionNotFound {
        /// The version.
        reference: PromptRef,
    },
    /// Nothing was ever deployed to the environment, or not yet at that time.
    #[error("nothing is deployed to environment `{environment}`")]
    NothingDeployed {
        /// The environment.
        environment: EnvironmentName,
    },
    /// The environment has no release of that number.
    #[error("environment `{environment}` has no release `{sequence}`")]
    ReleaseNotFound {
        /// The environment.
        environment: EnvironmentName,
        /// The number asked for.
        sequence: u64,
    },
    /// There is no release before the present one, or before the one it went back to.
    #[error("environment `{environment}` has no earlier release to go back to")]
    NoEarlierRelease {
        /// The environment.
        environment: EnvironmentName,
    },
    /// `promptops.toml` names environments, and not this one.
    #[error("the configuration names no environment `{environment}`")]
    UnknownEnvironment {
        /// The environment.
        environment: EnvironmentName,
        /// The environments it names.
        known: Vec<String>,
    },
    /// The name of an environment breaks its pattern.
    #[error("an environment's name is up to 60 lower-case letters, digits and `-`; got `{0}`")]
    EnvironmentName(String),
    /// What should name a release does not.
    #[error("a release is named as `prod@3`, or as `prod` for the one that is live; got `{0}`")]
    ReleaseName(String),
    /// Other content is published as this version (G2).
    #[error("`{reference}` is published with digest `{published}` and cannot become `{offered}`")]
    Immutable {
        /// The version.
        reference: PromptRef,
        /// The digest it has and keeps.
        published: Digest,
        /// The digest of what was offered.
        offered: Digest,
        /// Who published it.
        by: String,
    },
    /// The version is published with another parent.
    #[error("`{reference}` is published with parent {published} and cannot get parent {offered}")]
    LineageChanged {
        /// The version.
        reference: PromptRef,
        /// The parent it has, quoted, or "none".
        published: String,
        /// The parent that was offered.
        offered: String,
    },
    /// A version above 1 names no parent, or its parent is not an earlier version.
    #[error("{reason}: `{reference}`")]
    Lineage {
        /// The version.
        reference: PromptRef,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The parent is not published.
    #[error("`{reference}` comes from `{parent}`, which is not published")]
    ParentMissing {
        /// The version.
        reference: PromptRef,
        /// Its parent.
        parent: PromptRef,
    },
    /// An include is not published.
    #[error("`{reference}` includes `{include}`, which is not published")]
    IncludeMissing {
        /// The version.
        reference: PromptRef,
        /// What it includes.
        include: PromptRef,
    },
    /// A template cannot be read, or includes something that is not pinned.
    #[error("`{reference}` has a template that cannot be published: {reason}")]
    Template {
        /// The version.
        reference: PromptRef,
        /// What is wrong with it.
        reason: String,
    },
    /// The namespace belongs to another source repository.
    #[error("namespace `{namespace}` belongs to {owners}, so `{source_repository}` cannot publish into it")]
    ForeignNamespace {
        /// The namespace.
        namespace: String,
        /// To whom it belongs, quoted.
        owners: String,
        /// Who tried.
        source_repository: String,
    },
    /// The version breaks those before it, which its namespace does not allow.
    #[error("`{reference}` breaks what its namespace promises (level `{level}`): {} {}", .breaks.len(), if .breaks.len() == 1 { "change" } else { "changes" })]
    Incompatible {
        /// The version.
        reference: PromptRef,
        /// The level of its namespace.
        level: Level,
        /// Everything that breaks.
        breaks: Vec<Break>,
    },
    /// Two versions of one prompt were asked for at once.
    #[error("both `{first}` and `{second}` are asked for")]
    TwoVersions {
        /// One version.
        first: PromptRef,
        /// The other.
        second: PromptRef,
    },
    /// A rollout cannot be as it was asked for.
    #[error("the prompt cannot be split like this: {0}")]
    Rollout(String),
    /// The environment moved since the plan was made.
    #[error("environment `{environment}` moved: the plan starts from {planned}, it is at {current}")]
    EnvironmentMoved {
        /// The environment.
        environment: EnvironmentName,
        /// Where the plan starts.
        planned: String,
        /// Where the environment is.
        current: String,
    },
    /// The plan's pins are not what the registry holds.
    #[error("the plan does not fit the registry: {reason}")]
    PlanMismatch {
        /// What does not fit, value last.
        reason: String,
    },
    /// A lock pins something else than what is published.
    #[error("the lock pins other bytes than those published as `{reference}`")]
    LockMismatch {
        /// The version.
        reference: PromptRef,
    },
    /// The bundle cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The plan cannot be read.
    #[error("the plan is not readable")]
    PlanMalformed(#[source] serde_json::Error),
    /// The policy's demands are not met.
    #[error("{} of the policy's demands on environment `{environment}` {} not met", .unmet.len(), if .unmet.len() == 1 { "is" } else { "are" })]
    Refused {
        /// The environment.
        environment: EnvironmentName,
        /// Every unmet demand.
        unmet: Vec<UnmetDemand>,
    },
    /// The version is live, so it cannot be withdrawn.
    #[error("`{reference}` cannot be withdrawn, since it is live in {}", places(uses, reference))]
    StillLive {
        /// The version.
        reference: PromptRef,
        /// Where it is live, and by which pins.
        uses: Uses,
        /// Whether the policy allows forcing it.
        may_force: bool,
    },
    /// Versions are withdrawn, so nothing may begin to use them.
    #[error("{place} cannot pin what is withdrawn: {}", .statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Withdrawn {
        /// What is said of each version.
        statuses: Vec<StatusRecord>,
        /// Whether the policy allows forcing it.
        may_force: bool,
        /// What was to pin them, as "a lock".
        place: String,
    },
    /// A status cannot follow from another, or names a replacement that is none.
    #[error("the status cannot change: {0}")]
    Status(String),
    /// The policy is not valid.
    #[error("the policy is not valid: {0}")]
    Policy(String),
    /// The private key cannot be used for signing.
    #[error("the key cannot sign: {0}")]
    SigningKey(String),
    /// The key, group or author does not allow this approval.
    #[error("the approval would not count: {0}")]
    ApprovalRefused(String),
    /// A statement is not of the documented form.
    #[error("the statement cannot be stored: {0}")]
    Statement(String),
    /// There is no API key with this id.
    #[error("the registry has no API key `{id}`")]
    KeyNotFound {
        /// The id.
        id: KeyId,
    },
    /// What is asked for as an API key is none.
    #[error("the API key cannot be made: {0}")]
    KeyRequest(String),
    /// The server that the registry is behind refused.
    #[error("{}", .0.detail)]
    Server(Box<Problem>),
    /// The answer of the server cannot be used. Check that both are of one version.
    #[error("the answer of the server is not understood: {0}")]
    Answer(String),
    /// A server does not offer this. Do it where the objects can be reached.
    #[error("{what} cannot be done through a server: `{url}`")]
    NotThroughServer {
        /// What was asked for.
        what: &'static str,
        /// The URL.
        url: String,
    },
    /// Others kept writing first. Nothing is lost; try again.
    #[error("other writers were first {attempts} times in a row: `{key}`")]
    Busy {
        /// What was to be appended.
        key: String,
        /// How often it was tried.
        attempts: u32,
    },
}

/// What class of answer a failure is; programs turn it into exit codes and status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request or the configuration is wrong.
    Usage,
    /// The policy says no.
    Refused,
    /// Something does not exist.
    NotFound,
    /// Somebody else was first, or a published version would change.
    Conflict,
    /// The store does not answer or denies access.
    Unavailable,
    /// Stored bytes are not what they should be.
    Corrupt,
    /// The store has no room.
    Full,
}

impl RegistryError {
    /// Returns the class of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => store_kind(error),
            Self::NotInitialised { .. }
            | Self::PromptNotFound { .. }
            | Self::VersionNotFound { .. }
            | Self::NothingDeployed { .. }
            | Self::ReleaseNotFound { .. }
            | Self::NoEarlierRelease { .. }
            | Self::UnknownEnvironment { .. }
            | Self::ParentMissing { .. }
            | Self::IncludeMissing { .. }
            | Self::KeyNotFound { .. } => ErrorKind::NotFound,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Newer { .. }
            | Self::EnvironmentName(_)
            | Self::ReleaseName(_)
            | Self::Lineage { .. }
            | Self::Template { .. }
            | Self::TwoVersions { .. }
            | Self::Rollout(_)
            | Self::PlanMalformed(_)
            | Self::Policy(_)
            | Self::SigningKey(_)
            | Self::KeyRequest(_)
            | Self::NotThroughServer { .. }
            | Self::Status(_)
            | Self::Statement(_) => ErrorKind::Usage,
            Self::Immutable { .. }
            | Self::LineageChanged { .. }
            | Self::EnvironmentMoved { .. }
            | Self::PlanMismatch { .. }
            | Self::LockMismatch { .. } => ErrorKind::Conflict,
            Self::Bundle(BundleError::Unwritable { .. }) => ErrorKind::Full,
            Self::Bundle(_) => ErrorKind::Usage,
            Self::ForeignNamespace { .. }
            | Self::Incompatible { .. }
            | Self::Refused { .. }
            | Self::ApprovalRefused(_)
            | Self::StillLive { .. }
            | Self::Withdrawn { .. } => ErrorKind::Refused,
            Self::Busy { .. } | Self::Answer(_) => ErrorKind::Unavailable,
            Self::Server(problem) => problem.kind.into(),
        }
    }

    /// Returns what to do next, as one sentence for a `hint:` line.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Store(error) => return error.hint().map(str::to_owned),
            Self::Bundle(error) => return error.hint().map(str::to_owned),
            Self::LockMismatch { .. } => "make the lock again with `promptops lock`, and check that it names the right registry",
            Self::NotInitialised { .. } => "run `promptops registry init`, or correct the URL",
            Self::Newer { .. } => "use the version of promptops that wrote it, or a later one",
            Self::Corrupt { .. } => "run `promptops registry verify`, and find out what else writes to this store",
            Self::PromptNotFound { .. } => "run `promptops list` to see what is published",
            Self::VersionNotFound { .. } => "run `promptops publish`, or `promptops list` to see what is published",
            Self::NothingDeployed { .. } => "run `promptops plan`, then `promptops deploy`",
            Self::ReleaseNotFound { .. } | Self::NoEarlierRelease { .. } => {
                "run `promptops environment history` to see its releases"
            }
            Self::UnknownEnvironment { known, .. } => {
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                return Some(format!("it names {}; add a table `[environments.<name>]` for another", known.join(", ")));
            }
            Self::EnvironmentName(_) | Self::ReleaseName(_) => return None,
            Self::Immutable { .. } => {
                "published versions never change: give the new content a new version with this one as parent"
            }
            Self::LineageChanged { .. } => "published lineage never changes: restore `parent`, or publish a new version",
            Self::Lineage { .. } => "set `parent` to the version it was made from, as `2` or `other.prompt@3`",
            Self::Template { .. } => "run `promptops check`, which shows the place",
            Self::ParentMissing { .. } | Self::IncludeMissing { .. } => "publish that version first",
            Self::ForeignNamespace { .. } => {
                "publish from the repository that owns it, choose another prefix, or allow the source in `[policy.namespaces]`"
            }
            Self::Incompatible { reference, .. } => {
                return Some(format!(
                    "change it so that callers need no change; or say in its file what they have to do, as `breaking: {{{}: …}}`; for \
                     a version that is long committed, name it in `[policy.compatibility]` under `accepted`",
                    reference.version
                ));
            }
            Self::TwoVersions { .. } => "name one version of each prompt",
            Self::Rollout(_) => "split as `--split id=2:90,3:10`, the version that most callers have first",
            Self::EnvironmentMoved { .. } => "make a new plan and review it: somebody deployed in between",
            Self::PlanMismatch { .. } | Self::PlanMalformed(_) => "make a new plan with `promptops plan`",
            Self::Refused { .. } => "run the evals and ask the groups for approval, then deploy again",
            Self::StillLive { may_force: true, .. } => {
                "deploy another version there first; the policy also lets you repeat this with `--force`"
            }
            Self::StillLive { .. } => {
                "deploy another version there first; `--force` withdraws it where `policy.withdrawn.force` allows that"
            }
            Self::Withdrawn { may_force: true, .. } => {
                "choose another version; the policy also lets you repeat this with `--force`"
            }
            Self::Withdrawn { .. } => "choose another version; `--force` takes it where `policy.withdrawn.force` allows that",
            Self::Status(_) => "run `promptops yank ID@VERSION --undo --reason TEXT` first, or name another replacement",
            Self::Policy(_) => "correct `promptops.toml`",
            Self::SigningKey(_) => "use an unencrypted Ed25519 key, as `ssh-keygen -t ed25519 -N ''` writes it",
            Self::ApprovalRefused(_) => "see `owners.yaml` for the members of the group and their keys",
            Self::Statement(_) | Self::KeyRequest(_) => return None,
            Self::KeyNotFound { .. } => "run `promptops key list` to see the keys",
            Self::Server(problem) => return problem.hint.clone(),
            Self::Answer(_) => "check the URL, and that the server and this program are of one version",
            Self::NotThroughServer { .. } => "run it with the URL of the store that the server stands before",
            Self::Busy { .. } => "run the same command again: repeating is safe",
        };
        Some(hint.to_owned())
    }
}

/// Says where a version is live, and by which pins where these are not the version itself.
fn places(uses: &Uses, reference: &PromptRef) -> String {
    let place = |(environment, pins): (&EnvironmentName, &Vec<PromptRef>)| {
        let others: Vec<String> = pins.iter().filter(|pin| *pin != reference).map(|pin| format!("`{pin}`")).collect();
        if others.is_empty() { format!("`{environment}`") } else { format!("`{environment}` (with {})", others.join(", ")) }
    };
    uses.iter().map(place).collect::<Vec<_>>().join(", ")
}

fn store_kind(error: &StoreError) -> ErrorKind {
    match error {
        StoreError::InvalidUrl { .. } | StoreError::InvalidSettings { .. } => ErrorKind::Usage,
        StoreError::InvalidKey { .. } | StoreError::TooLarge { .. } => ErrorKind::Usage,
        StoreError::IgnoresCreateOnly { .. } | StoreError::Unsupported { .. } => ErrorKind::Usage,
        StoreError::NotFound { .. } => ErrorKind::NotFound,
        StoreError::Conflict { .. } => ErrorKind::Conflict,
        StoreError::Corrupt { .. } => ErrorKind::Corrupt,
        StoreError::Full { .. } => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    }
}

/// The result of everything that a registry does.
pub type Result<T> = std::result::Result<T, RegistryError>;

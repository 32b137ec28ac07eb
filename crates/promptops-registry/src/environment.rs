//! Environments: create-only sequences of releases, each naming its whole pin set by digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Digest, PromptId, PromptRef};
use promptops_store::{Created, Sequence, StoreError};
use serde::{Deserialize, Serialize};

use crate::approval::Authority;
use crate::audit::{Act, AuditAction};
use crate::error::{RegistryError, Result};
use crate::layout::{self, Key};
use crate::pins::PinSet;
use crate::record::{FORMAT, from_bytes, to_bytes};
use crate::registry::Registry;
use crate::status::{PlannedStatus, refuse_withdrawn};

/// Longest name of an environment, in bytes.
const MAX_NAME_BYTES: usize = 60;
/// Releases read at the same time.
const CONCURRENT_READS: usize = 16;

/// The name of an environment, as `prod`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.bytes().all(is_allowed) {
            return Err(RegistryError::EnvironmentName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> Self {
        name.0
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A release as it is named on the command line: `prod@3`, or `prod` for the one that is live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseName {
    /// The environment.
    pub environment: EnvironmentName,
    /// The number of the release; none for the one that is live.
    pub sequence: Option<u64>,
}

impl FromStr for ReleaseName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self> {
        let Some((environment, number)) = text.split_once('@') else {
            return Ok(Self { environment: text.parse()?, sequence: None });
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(sequence) if is_number && sequence > 0 => Ok(Self { environment: environment.parse()?, sequence: Some(sequence) }),
            _ => Err(RegistryError::ReleaseName(text.to_owned())),
        }
    }
}

/// How a release came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseAction {
    /// A plan was applied.
    Deploy,
    /// The pins of an earlier release were taken again.
    Rollback,
}

/// One release: what is live in an environment from its time on, until the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// [`FORMAT`].
    pub format: u32,
    /// The environment.
    pub environment: EnvironmentName,
    /// The number of the release, from 1.
    pub sequence: u64,
    /// When it took effect, UTC; never before the release it follows.
    pub time: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// How it came about.
    pub action: ReleaseAction,
    /// The release whose pins it took (rollback), or from which the plan started (deploy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub based_on: Option<u64>,
    /// The digest of the plan that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The shards of the pin set, by name.
    pub pins: BTreeMap<String, Digest>,
    /// The revision whose policy and owners the deploy was decided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The stored statements that showed what the policy demanded.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub evidence: BTreeSet<Digest>,
    /// The withdrawn versions that it began to run because somebody insisted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forced: BTreeSet<PromptRef>,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A release that was made, or found made already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The release.
    pub release: Release,
    /// Whether this call made it; if not, an earlier call did, or nothing had to change.
    pub is_new: bool,
}

/// What a new release consists of.
pub(crate) struct Draft<'a> {
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) previous: Option<&'a Release>,
    pub(crate) action: ReleaseAction,
    pub(crate) based_on: Option<u64>,
    pub(crate) plan: Option<Digest>,
    pub(crate) pins: BTreeMap<String, Digest>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) evidence: BTreeSet<Digest>,
    pub(crate) forced: BTreeSet<PromptRef>,
    pub(crate) rules: Option<&'a str>,
}

impl Registry {
    /// Returns the names of all environments that were ever deployed to. One listing.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn environments(&self) -> Result<Vec<EnvironmentName>> {
        let names = self.store.folders(layout::ENVIRONMENTS).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Returns the release that is live, or nothing before the first.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when it is unreadable.
    pub async fn current(&self, environment: &EnvironmentName) -> Result<Option<Release>> {
        match self.releases(environment)?.latest().await? {
            Some((number, bytes)) => Ok(Some(from_bytes(&Key::Release(environment.clone(), number), &bytes)?)),
            None => Ok(None),
        }
    }

    /// Returns one release.
    ///
    /// # Errors
    /// [`RegistryError::ReleaseNotFound`].
    pub async fn release(&self, environment: &EnvironmentName, sequence: u64) -> Result<Release> {
        let not_found = || RegistryError::ReleaseNotFound { environment: environment.clone(), sequence };
        let key = Key::Release(environment.clone(), sequence);
        Ok(self.read(&key).await?.ok_or_else(not_found)?.0)
    }

    /// Returns the release of that name: the numbered one, or the one that is live.
    ///
    /// # Errors
    /// [`RegistryError::ReleaseNotFound`], [`RegistryError::NothingDeployed`].
    pub async fn named_release(&self, name: &ReleaseName) -> Result<Release> {
        match name.sequence {
            Some(sequence) => self.release(&name.environment, sequence).await,
            None => {
                let nothing = || RegistryError::NothingDeployed { environment: name.environment.clone() };
                self.current(&name.environment).await?.ok_or_else(nothing)
            }
        }
    }

    /// Returns every release, oldest first. One call per release.
    ///
    /// # Errors
    /// [`RegistryError::NothingDeployed`] when there is none.
    pub async fn history(&self, environment: &EnvironmentName) -> Result<Vec<Release>> {
        let entries = self.releases(environment)?.entries().await?;
        if entries.is_empty() {
            return Err(RegistryError::NothingDeployed { environment: environment.clone() });
        }
        let read = |(number, bytes): &(u64, bytes::Bytes)| from_bytes(&Key::Release(environment.clone(), *number), bytes);
        entries.iter().map(read).collect()
    }

    /// Returns the release that was live at a time: the last one made at that time or before.
    ///
    /// Reads logarithmically many releases.
    ///
    /// # Errors
    /// [`RegistryError::NothingDeployed`] when nothing was deployed yet.
    pub async fn at(&self, environment: &EnvironmentName, time: DateTime<Utc>) -> Result<Release> {
        let nothing = || RegistryError::NothingDeployed { environment: environment.clone() };
        let current = self.current(environment).await?.ok_or_else(nothing)?;
        if current.time <= time {
            return Ok(current);
        }
        // Times never decrease along the sequence. `first` lies after the time; look for the last that does not.
        let (mut before, mut first, mut found) = (0, current.sequence, None);
        while first - before > 1 {
            let middle = before + (first - before) / 2;
            let release = self.release(environment, middle).await?;
            if release.time <= time {
                before = middle;
                found = Some(release);
            } else {
                first = middle;
            }
        }
        found.ok_or_else(nothing)
    }

    /// Returns what a release pins. One call per shard.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a shard is missing or altered.
    pub async fn pins(&self, release: &Release) -> Result<PinSet> {
        // Made before they are awaited: a stream that makes them from borrowed names could not be sent to another thread.
        let reads: Vec<_> = release.pins.iter().map(|(name, digest)| self.read_shard(name, digest)).collect();
        let shards: Vec<PinSet> = futures::stream::iter(reads).buffered(CONCURRENT_READS).try_collect().await?;
        let mut all = PinSet::default();
        for shard in shards {
            all.prompts.extend(shard.prompts);
        }
        Ok(all)
    }

    /// Returns what a release pins for one prompt. At most one call.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when the shard is missing or altered.
    pub async fn pin(&self, release: &Release, id: &PromptId) -> Result<Option<LockedPrompt>> {
        let name = PinSet::shard_name(id);
        match release.pins.get(&name) {
            Some(digest) => Ok(self.read_shard(&name, digest).await?.prompts.remove(id)),
            None => Ok(None),
        }
    }

    /// Makes a release with the pins of an earlier one: `to`, or the one before the current.
    ///
    /// The pins were live in this environment, so nothing has to be shown again; but what was withdrawn since does not come
    /// back. Repeating an interrupted rollback completes it instead of going back further.
    ///
    /// # Errors
    /// [`RegistryError::NothingDeployed`], [`RegistryError::ReleaseNotFound`], [`RegistryError::NoEarlierRelease`],
    /// [`RegistryError::Withdrawn`], or [`RegistryError::EnvironmentMoved`] when somebody else made a release meanwhile.
    pub async fn rollback(
        &self,
        environment: &EnvironmentName,
        to: Option<u64>,
        actor: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        self.roll_back(environment, to, actor, reason, None, now).await
    }

    /// The same, and brings back what was withdrawn since where the policy allows that.
    ///
    /// # Errors
    /// As [`Registry::rollback`].
    pub async fn force_rollback(
        &self,
        environment: &EnvironmentName,
        to: Option<u64>,
        authority: Authority<'_>,
        actor: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        self.roll_back(environment, to, actor, reason, Some(authority), now).await
    }

    async fn roll_back(
        &self,
        environment: &EnvironmentName,
        to: Option<u64>,
        actor: &str,
        reason: Option<&str>,
        forced_by: Option<Authority<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        let nothing = || RegistryError::NothingDeployed { environment: environment.clone() };
        let current = self.current(environment).await?.ok_or_else(nothing)?;
        if let Some(server) = self.server() {
            let to = match to {
                Some(to) => to,
                None => self.rollback_target(&current).await?,
            };
            return server.rollback(environment, to, forced_by.is_some(), reason).await;
        }
        let was_interrupted = !self.log.has(&release_act(&current)).await?;
        self.log.complete([release_act(&current)], actor).await?;
        if was_interrupted && current.action == ReleaseAction::Rollback && (to.is_none() || to == current.based_on) {
            return Ok(Released { release: current, is_new: false });
        }
        let target = match to {
            Some(sequence) => self.release(environment, sequence).await?,
            None => self.release(environment, self.rollback_target(&current).await?).await?,
        };
        if target.pins == current.pins {
            return Ok(Released { release: current, is_new: false });
        }
        let planned = self.rollback_statuses(&current, &target, now).await?;
        let policy = forced_by.map(|authority| authority.policy);
        let draft = Draft {
            environment,
            previous: Some(&current),
            action: ReleaseAction::Rollback,
            based_on: Some(target.sequence),
            plan: None,
            pins: target.pins,
            reason,
            evidence: BTreeSet::new(),
            forced: refuse_withdrawn(planned, environment, policy, policy)?,
            rules: forced_by.map(|authority| authority.revision),
        };
        self.write_release(draft, actor, now).await
    }

    /// Tells what is said of the versions that a rollback to the pins of an earlier release would bring back.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn rollback_statuses(&self, current: &Release, target: &Release, now: DateTime<Utc>) -> Result<Vec<PlannedStatus>> {
        let mut members = BTreeSet::new();
        for (id, (_, pin)) in self.changed_pins(&current.pins, &target.pins).await? {
            for arm in pin.iter().flat_map(LockedPrompt::arms) {
                members.extend(self.members(&pinned(&id, &arm), &arm.digest).await?);
            }
        }
        self.planned_statuses(members, Some(current), now.max(current.time)).await
    }

    /// Returns the number of the release that a rollback without a target takes the pins of.
    ///
    /// After a rollback to release n, the one before n; otherwise the one before the current. So repeated rollbacks go
    /// back step by step instead of to and fro.
    ///
    /// # Errors
    /// [`RegistryError::NoEarlierRelease`].
    pub async fn rollback_target(&self, current: &Release) -> Result<u64> {
        let mut at = current.clone();
        while let (ReleaseAction::Rollback, Some(source)) = (at.action, at.based_on) {
            at = self.release(&current.environment, source).await?;
        }
        match at.sequence - 1 {
            0 => Err(RegistryError::NoEarlierRelease { environment: current.environment.clone() }),
            before => Ok(before),
        }
    }

    /// Writes a release, and its audit entry after it. Claiming the number is what makes it live.
    pub(crate) async fn write_release(&self, draft: Draft<'_>, actor: &str, now: DateTime<Utc>) -> Result<Released> {
        let sequence = draft.previous.map_or(1, |previous| previous.sequence + 1);
        let release = Release {
            format: FORMAT,
            environment: draft.environment.clone(),
            sequence,
            // A clock that runs behind must not make the history go backwards: `at` searches it by time.
            time: draft.previous.map_or(now, |previous| previous.time.max(now)),
            actor: actor.to_owned(),
            action: draft.action,
            based_on: draft.based_on,
            plan: draft.plan,
            pins: draft.pins,
            rules: draft.rules.map(str::to_owned),
            evidence: draft.evidence,
            forced: draft.forced,
            reason: draft.reason.map(str::to_owned),
        };
        let act = release_act(&release);
        match self.releases(draft.environment)?.append(sequence, to_bytes(&release)).await {
            Ok(Created::New) => {
                self.log.append([act]).await?;
                Ok(Released { release, is_new: true })
            }
            Ok(Created::Same) => {
                self.log.complete([act], actor).await?;
                Ok(Released { release, is_new: false })
            }
            Err(StoreError::Conflict { .. }) => Err(moved(draft.environment, draft.previous, sequence)),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads and checks one shard of a pin set.
    pub(crate) async fn read_shard(&self, name: &str, digest: &Digest) -> Result<PinSet> {
        let key = Key::Pins(*digest);
        let corrupt = |reason: String| RegistryError::Corrupt { key: key.to_string(), reason };
        let bytes = self.store.get(&key.to_string()).await?.ok_or_else(|| corrupt("the pins are missing".to_owned()))?;
        if Digest::of(&bytes) != *digest {
            return Err(corrupt("the pins were altered".to_owned()));
        }
        let set: PinSet = from_bytes(&key, &bytes)?;
        match set.prompts.keys().find(|id| PinSet::shard_name(id) != name) {
            Some(foreign) => Err(corrupt(format!("the shard `{name}` holds `{foreign}`"))),
            None => Ok(set),
        }
    }

    fn releases(&self, environment: &EnvironmentName) -> Result<Sequence> {
        Ok(Sequence::new(&self.store, &layout::releases(environment))?)
    }
}

/// Returns the pinned version of a prompt; while a rollout is under way, its control.
pub fn pinned(id: &PromptId, pin: &LockedPrompt) -> PromptRef {
    id.at(pin.version)
}

/// Says that somebody else made a release meanwhile.
pub(crate) fn moved(environment: &EnvironmentName, planned: Option<&Release>, current: u64) -> RegistryError {
    RegistryError::EnvironmentMoved {
        environment: environment.clone(),
        planned: planned.map_or("nothing deployed".to_owned(), |release| format!("release `{}`", release.sequence)),
        current: format!("release `{current}`"),
    }
}

/// Describes a release by what was stored, so that whoever completes it writes the entry its maker would have.
pub(crate) fn release_act(release: &Release) -> Act {
    let (action, label) = match release.action {
        ReleaseAction::Deploy => (AuditAction::Deploy, "base"),
        ReleaseAction::Rollback => (AuditAction::Rollback, "pins_of"),
    };
    let mut details = BTreeMap::from([("environment".to_owned(), release.environment.to_string())]);
    details.insert("release".to_owned(), release.sequence.to_string());
    if let Some(based_on) = release.based_on {
        details.insert(label.to_owned(), based_on.to_string());
    }
    if let Some(plan) = &release.plan {
        details.insert("plan".to_owned(), plan.to_string());
    }
    if let Some(rules) = &release.rules {
        details.insert("rules".to_owned(), rules.clone());
    }
    if let Some(reason) = &release.reason {
        details.insert("reason".to_owned(), reason.clone());
    }
    if !release.forced.is_empty() {
        let forced: Vec<String> = release.forced.iter().map(ToString::to_string).collect();
        details.insert("forced".to_owned(), forced.join(","));
    }
    Act {
        time: release.time,
        actor: release.actor.clone(),
        action,
        subject: Key::Release(release.environment.clone(), release.sequence),
        digest: Digest::of(&to_bytes(release)),
        details,
    }
}

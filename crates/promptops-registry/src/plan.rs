//! Plans: what a deploy would change, as a file that can be reviewed and then applied exactly.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::change::{Change, Class, classify, classify_metadata, worst};
use promptops_prompt::digest::canonical_json;
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Digest, PromptId, PromptRef};
use serde::{Deserialize, Serialize};

use crate::approval::{Authority, DemandState};
use crate::environment::{Draft, EnvironmentName, Release, ReleaseAction, Released, pinned, release_act};
use crate::error::{RegistryError, Result};
use crate::policy::UnmetDemand;
use crate::record::{FORMAT, VersionRecord, to_bytes};
use crate::registry::Registry;

/// Prompts read at the same time.
const CONCURRENT_READS: usize = 16;

/// What an environment is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Versions to run; prompts that are not named stay as they are.
    pub versions: Vec<PromptRef>,
    /// Prompts to take out.
    pub removals: Vec<PromptId>,
}

/// What a deploy would change in an environment, and whether it may. Wire format 1, as `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// The environment.
    pub environment: EnvironmentName,
    /// The release it starts from; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PlanBase>,
    /// When it was made, UTC.
    pub created: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// Every prompt that changes, by id. Empty when the environment is as wanted.
    pub changes: Vec<PlannedChange>,
}

/// The release that a plan starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBase {
    /// Its number.
    pub sequence: u64,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// What happens to one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedAction {
    /// It was not there.
    Added,
    /// Another version takes its place.
    Changed,
    /// It is taken out.
    Removed,
}

/// The change of one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The prompt.
    pub id: PromptId,
    /// What happens to it.
    pub action: PlannedAction,
    /// What is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LockedPrompt>,
    /// What takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<LockedPrompt>,
    /// What changed, part by part; empty for what is added or removed.
    pub differences: Vec<Change>,
    /// How the policy's demands stood when the plan was made. A deploy decides anew.
    pub demands: Vec<DemandState>,
    /// Live versions that include a version of this prompt, directly or not. Their include is pinned and stays as it is.
    pub dependants: Vec<PromptRef>,
}

impl PlannedChange {
    /// Returns the version that would be live, or for a removal the one that was.
    pub fn reference(&self) -> Option<PromptRef> {
        self.to.as_ref().or(self.from.as_ref()).map(|pin| pinned(&self.id, pin))
    }

    /// Returns the worst class of its differences; nothing for what is added or removed.
    pub fn class(&self) -> Option<Class> {
        worst(&self.differences)
    }

    /// Returns the demands that were not met when the plan was made.
    pub fn unmet(&self) -> impl Iterator<Item = UnmetDemand> {
        let prompt = self.reference();
        self.demands.iter().filter(|state| !state.is_met).filter_map(move |state| {
            Some(UnmetDemand { prompt: prompt.clone()?, demand: state.demand.clone(), reasons: state.reasons.clone() })
        })
    }
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`RegistryError::PlanMalformed`]; [`RegistryError::Newer`] when a newer version wrote it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let json: serde_json::Value = serde_json::from_slice(bytes).map_err(RegistryError::PlanMalformed)?;
        match json.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(FORMAT) => Err(RegistryError::Newer { key: "plan".to_owned(), found }),
            _ => serde_json::from_value(json).map_err(RegistryError::PlanMalformed),
        }
    }

    /// Writes the plan: indented, with a final newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a plan has only string keys");
        bytes.push(b'\n');
        bytes
    }

    /// Returns the digest that names the plan, however the file is laid out.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(&serde_json::to_value(self).expect("a plan has only string keys")))
    }

    /// Returns every demand that was not met when the plan was made.
    pub fn unmet(&self) -> Vec<UnmetDemand> {
        self.changes.iter().flat_map(PlannedChange::unmet).collect()
    }
}

impl Registry {
    /// Says what it would take to have the targets live in an environment. Writes nothing.
    ///
    /// The differences are between the versions as published. Reads every live prompt of the environment once, for the dependants.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`], [`RegistryError::PromptNotFound`] for a removal of what is not live,
    /// [`RegistryError::UnknownEnvironment`].
    pub async fn plan(
        &self,
        environment: &EnvironmentName,
        targets: &Targets,
        authority: Authority<'_>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Plan> {
        authority.policy.check_environment(environment)?;
        let base = self.current(environment).await?;
        let live = match &base {
            Some(release) => self.pins(release).await?.prompts,
            None => BTreeMap::new(),
        };
        let mut wanted: BTreeMap<&PromptId, Option<(LockedPrompt, VersionRecord)>> = BTreeMap::new();
        for reference in &targets.versions {
            let record = self.version(reference).await?;
            // Fails now rather than when a service loads it.
            self.closure_of(&record.digest).await?;
            if let Some(Some((_, other))) = wanted.insert(&reference.id, Some((self.pin_of(&record), record)))
                && other.version != reference.version
            {
                return Err(RegistryError::TwoVersions { first: other.reference(), second: reference.clone() });
            }
        }
        for id in &targets.removals {
            if !live.contains_key(id) {
                return Err(RegistryError::PromptNotFound { id: id.clone() });
            }
            wanted.insert(id, None);
        }
        let mut changes = Vec::new();
        for (id, target) in wanted {
            let from = live.get(id).cloned();
            let to = target.as_ref().map(|(pin, _)| pin.clone());
            if from == to {
                continue;
            }
            let demands = match &target {
                Some((_, record)) => self.demands_of(environment, record, from.as_ref(), authority, now).await?,
                None => Vec::new(),
            };
            let action = match (&from, &to) {
                (None, _) => PlannedAction::Added,
                (Some(_), Some(_)) => PlannedAction::Changed,
                (Some(_), None) => PlannedAction::Removed,
            };
            let differences = self.differences(id, from.as_ref(), target.as_ref().map(|(_, record)| record)).await?;
            let id = id.clone();
            changes.push(PlannedChange { id, action, from, to, differences, demands, dependants: Vec::new() });
        }
        self.add_dependants(&mut changes, &live).await?;
        let base = base.map(|release| PlanBase { sequence: release.sequence, digest: Digest::of(&to_bytes(&release)) });
        Ok(Plan { format: FORMAT, environment: environment.clone(), base, created: now, by: actor.to_owned(), changes })
    }

    /// Applies exactly what a plan says, as one release.
    ///
    /// All or nothing: the pins are written first, the release last. The policy is decided here, on the evidence that is
    /// there now, whatever the plan says about it, so keys of machines obey it too. Repeating an interrupted deploy of the
    /// same plan completes it.
    ///
    /// # Errors
    /// [`RegistryError::EnvironmentMoved`] when a release was made since the plan; [`RegistryError::Refused`] with every
    /// unmet demand; [`RegistryError::PlanMismatch`] when its pins are not what is published.
    pub async fn deploy(
        &self,
        plan: &Plan,
        authority: Authority<'_>,
        actor: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        authority.policy.check_environment(&plan.environment)?;
        let current = self.current(&plan.environment).await?;
        let digest = plan.digest();
        if let Some(release) = &current {
            self.log.complete([release_act(release)], actor).await?;
            if release.plan == Some(digest) {
                return Ok(Released { release: release.clone(), is_new: false });
            }
        }
        check_base(plan, current.as_ref())?;
        let live = current.as_ref().map(|release| release.pins.clone()).unwrap_or_default();
        let mut unmet = Vec::new();
        let mut evidence = BTreeSet::new();
        let mut changes = BTreeMap::new();
        for change in &plan.changes {
            let from = match &current {
                Some(release) => self.pin(release, &change.id).await?,
                None => None,
            };
            if from != change.from {
                return Err(RegistryError::PlanMismatch { reason: format!("another version is live of `{}`", change.id) });
            }
            if let Some(to) = &change.to {
                let record = self.check_pin(&change.id, to).await?;
                let demands = self.demands_of(&plan.environment, &record, from.as_ref(), authority, now).await?;
                evidence.extend(demands.iter().flat_map(|state| &state.shown_by));
                unmet.extend(PlannedChange { demands, ..change.clone() }.unmet());
            }
            if changes.insert(change.id.clone(), change.to.clone()).is_some() {
                return Err(RegistryError::PlanMismatch { reason: format!("it names a prompt twice, `{}`", change.id) });
            }
        }
        if !unmet.is_empty() {
            return Err(RegistryError::Refused { environment: plan.environment.clone(), unmet });
        }
        if changes.is_empty() {
            let nothing = || RegistryError::NothingDeployed { environment: plan.environment.clone() };
            return Ok(Released { release: current.ok_or_else(nothing)?, is_new: false });
        }
        let draft = Draft {
            environment: &plan.environment,
            previous: current.as_ref(),
            action: ReleaseAction::Deploy,
            based_on: current.as_ref().map(|release| release.sequence),
            plan: Some(digest),
            pins: self.write_pins(&live, &changes).await?,
            reason,
            evidence,
            rules: Some(authority.revision),
        };
        self.write_release(draft, actor, now).await
    }

    /// Says what changes between the version that is live and the one that takes its place.
    async fn differences(&self, id: &PromptId, from: Option<&LockedPrompt>, to: Option<&VersionRecord>) -> Result<Vec<Change>> {
        let (Some(from), Some(to)) = (from, to) else { return Ok(Vec::new()) };
        let live = self.version(&pinned(id, from)).await?;
        let mut changes = classify(&self.content(&live.digest).await?, &self.content(&to.digest).await?);
        changes.extend(classify_metadata(&self.metadata(&live).await?, &self.metadata(to).await?));
        Ok(changes)
    }

    /// Returns the pin of a published version.
    pub(crate) fn pin_of(&self, record: &VersionRecord) -> LockedPrompt {
        LockedPrompt { version: record.version, digest: record.digest, record: record.record_digest() }
    }

    /// Refuses a pin that is not what is published, since a plan is a file that anybody can edit.
    async fn check_pin(&self, id: &PromptId, pin: &LockedPrompt) -> Result<VersionRecord> {
        let record = self.version(&pinned(id, pin)).await?;
        if self.pin_of(&record) != *pin {
            let reason = format!("another content is published as `{}`", record.reference());
            return Err(RegistryError::PlanMismatch { reason });
        }
        self.closure_of(&record.digest).await?;
        Ok(record)
    }

    async fn demands_of(
        &self,
        environment: &EnvironmentName,
        record: &VersionRecord,
        live: Option<&LockedPrompt>,
        authority: Authority<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<DemandState>> {
        let replaced = match live {
            Some(pin) => Some(self.version(&pinned(&record.id, pin)).await?),
            None => None,
        };
        self.demands(environment, record, replaced.as_ref(), authority, now).await
    }

    async fn add_dependants(&self, changes: &mut [PlannedChange], live: &BTreeMap<PromptId, LockedPrompt>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let included: Vec<(PromptRef, BTreeSet<PromptId>)> = futures::stream::iter(live)
            .map(|(id, pin)| async move {
                let closure = self.closure_of(&pin.digest).await?;
                let ids = closure.includes.into_keys().map(|include| include.id).collect();
                Ok::<_, RegistryError>((pinned(id, pin), ids))
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        for change in changes {
            let dependants = included.iter().filter(|(_, ids)| ids.contains(&change.id));
            change.dependants = dependants.map(|(reference, _)| reference.clone()).collect();
        }
        Ok(())
    }
}

fn check_base(plan: &Plan, current: Option<&Release>) -> Result<()> {
    let is_same = match (&plan.base, current) {
        (None, None) => true,
        (Some(base), Some(release)) => base.sequence == release.sequence && base.digest == Digest::of(&to_bytes(release)),
        _ => false,
    };
    if is_same {
        return Ok(());
    }
    let name = |sequence: Option<u64>| sequence.map_or("nothing deployed".to_owned(), |number| format!("release `{number}`"));
    Err(RegistryError::EnvironmentMoved {
        environment: plan.environment.clone(),
        planned: name(plan.base.as_ref().map(|base| base.sequence)),
        current: name(current.map(|release| release.sequence)),
    })
}

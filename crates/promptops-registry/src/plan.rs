//! Plans: what a deploy would change, as a file that can be reviewed and then applied exactly.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::change::{Change, Class, classify, classify_metadata, worst};
use promptops_prompt::digest::canonical_json;
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::rollout::{Rollout, Share};
use promptops_prompt::status::StatusRecord;
use promptops_prompt::{Digest, PromptId, PromptRef, Version};
use serde::{Deserialize, Serialize};

use crate::approval::{Authority, DemandState};
use crate::environment::{Draft, EnvironmentName, Release, ReleaseAction, Released, pinned, release_act};
use crate::error::{RegistryError, Result};
use crate::policy::{Policy, UnmetDemand};
use crate::record::{FORMAT, VersionRecord, to_bytes};
use crate::registry::Registry;
use crate::status::{PlannedStatus, refuse_withdrawn};

/// Prompts read at the same time.
const CONCURRENT_READS: usize = 16;
/// Up to so many live prompts are all read for the dependants of a change; of more, only those that the index names.
const READ_ALL: usize = 256;

/// What an environment is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Versions to run; prompts that are not named stay as they are.
    pub versions: Vec<PromptRef>,
    /// Prompts to split between two versions.
    pub splits: Vec<Split>,
    /// Prompts to take out.
    pub removals: Vec<PromptId>,
}

/// A prompt that is to be split between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The version that most callers know, and that those without a key get.
    pub control: PromptRef,
    /// The version that is tried.
    pub candidate: Version,
    /// The candidate's part of all keys.
    pub share: Share,
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

impl PlannedAction {
    /// Tells what happens to a prompt between two pins that differ.
    pub(crate) fn of(from: Option<&LockedPrompt>, to: Option<&LockedPrompt>) -> Self {
        match (from, to) {
            (None, _) => Self::Added,
            (Some(_), Some(_)) => Self::Changed,
            (Some(_), None) => Self::Removed,
        }
    }
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
    /// How the demands on the candidate of a rollout stood, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidate_demands: Vec<DemandState>,
    /// What is said of the version that takes its place and of what that includes, as far as they are not simply in use. A
    /// deploy decides anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<PlannedStatus>,
    /// Live versions that include a version of this prompt, directly or not. Their include is pinned and stays as it is.
    pub dependants: Vec<PromptRef>,
}

impl PlannedChange {
    /// Returns the version that would be live, or for a removal the one that was.
    pub fn reference(&self) -> Option<PromptRef> {
        self.to.as_ref().or(self.from.as_ref()).map(|pin| pinned(&self.id, pin))
    }

    /// Returns the candidate of the rollout that would be under way.
    pub fn candidate(&self) -> Option<PromptRef> {
        let rollout = self.to.as_ref()?.rollout.as_ref()?;
        Some(self.id.at(rollout.version))
    }

    /// Returns every version that would be live.
    pub fn references(&self) -> impl Iterator<Item = PromptRef> {
        self.to.iter().flat_map(LockedPrompt::arms).map(|pin| pinned(&self.id, &pin))
    }

    /// Returns the worst class of its differences; nothing for what is added or removed.
    pub fn class(&self) -> Option<Class> {
        worst(&self.differences)
    }

    /// Returns the demands that were not met when the plan was made.
    pub fn unmet(&self) -> impl Iterator<Item = UnmetDemand> {
        unmet(self.reference(), &self.demands).chain(unmet(self.candidate(), &self.candidate_demands))
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

    /// Returns every version that was withdrawn when the plan was made and that the environment does not run yet, each once.
    pub fn withdrawn(&self) -> BTreeMap<PromptRef, &StatusRecord> {
        let statuses = self.changes.iter().flat_map(|change| &change.statuses).filter(|planned| planned.is_refused);
        statuses.map(|planned| (planned.status.reference(), &planned.status)).collect()
    }
}

/// Returns the demands on a version that are not met.
fn unmet(prompt: Option<PromptRef>, demands: &[DemandState]) -> impl Iterator<Item = UnmetDemand> {
    demands.iter().filter(|state| !state.is_met).filter_map(move |state| {
        Some(UnmetDemand { prompt: prompt.clone()?, demand: state.demand.clone(), reasons: state.reasons.clone() })
    })
}

/// What a deploy would write.
struct Decided {
    changes: BTreeMap<PromptId, Option<LockedPrompt>>,
    evidence: BTreeSet<Digest>,
    forced: BTreeSet<PromptRef>,
}

/// What is wanted of a prompt in an environment.
struct Wanted {
    pin: LockedPrompt,
    /// The versions that are pinned: one, or control and candidate.
    records: Vec<VersionRecord>,
    /// They with everything they include.
    members: BTreeSet<PromptRef>,
}

/// How the policy's demands on what a prompt is to be stand.
#[derive(Default)]
struct Demanded {
    demands: Vec<DemandState>,
    candidate_demands: Vec<DemandState>,
}

impl Registry {
    /// Says what it would take to have the targets live in an environment. Writes nothing.
    ///
    /// The differences are between the versions as published. For the dependants it reads every live prompt of a small
    /// environment; of a large one those that may depend on a change, as the index has them.
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
        // A release is never dated before the one it follows, so nothing is decided by an earlier moment either.
        let moment = base.as_ref().map_or(now, |release| release.time.max(now));
        let mut wanted: BTreeMap<&PromptId, Option<Wanted>> = BTreeMap::new();
        for reference in &targets.versions {
            let target = self.wanted(reference, None).await?;
            if let Some(Some(other)) = wanted.insert(&reference.id, Some(target))
                && other.pin.version != reference.version
            {
                return Err(RegistryError::TwoVersions { first: pinned(&reference.id, &other.pin), second: reference.clone() });
            }
        }
        for split in &targets.splits {
            let id = &split.control.id;
            let target = self.wanted(&split.control, Some(split)).await?;
            check_roles(id, live.get(id), &target.pin)?;
            if let Some(other) = wanted.insert(id, Some(target)) {
                let first = other.map_or_else(|| split.control.clone(), |other| pinned(id, &other.pin));
                return Err(RegistryError::TwoVersions { first, second: id.at(split.candidate) });
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
            let to = target.as_ref().map(|wanted| wanted.pin.clone());
            if from == to {
                continue;
            }
            let (mut differences, mut demanded, mut statuses) = (Vec::new(), Demanded::default(), Vec::new());
            if let Some(Wanted { records, members, .. }) = target {
                differences = self.differences_to_any(id, from.as_ref(), &records).await?;
                demanded = self.demands_of(environment, &records, from.as_ref(), authority, moment).await?;
                statuses = self.planned_statuses(members, base.as_ref(), moment).await?;
            }
            let action = PlannedAction::of(from.as_ref(), to.as_ref());
            let (id, dependants) = (id.clone(), Vec::new());
            let Demanded { demands, candidate_demands } = demanded;
            changes.push(PlannedChange { id, action, from, to, differences, demands, candidate_demands, statuses, dependants });
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
    /// unmet demand; [`RegistryError::Withdrawn`] with every version that is withdrawn and not live there already;
    /// [`RegistryError::PlanMismatch`] when its pins are not what is published.
    pub async fn deploy(
        &self,
        plan: &Plan,
        authority: Authority<'_>,
        actor: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        self.apply(plan, authority, actor, reason, None, now).await
    }

    /// The same, and begins to run what is withdrawn where the policy allows that. Demands must be met all the same.
    ///
    /// # Errors
    /// As [`Registry::deploy`].
    pub async fn force_deploy(
        &self,
        plan: &Plan,
        authority: Authority<'_>,
        actor: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        self.apply(plan, authority, actor, reason, Some(authority.policy), now).await
    }

    /// Decides as [`Registry::deploy`], or when `is_forced` as [`Registry::force_deploy`], and writes nothing. Tells whether a
    /// deploy would make a release.
    ///
    /// # Errors
    /// As [`Registry::deploy`].
    pub async fn check_deploy(&self, plan: &Plan, authority: Authority<'_>, is_forced: bool, now: DateTime<Utc>) -> Result<bool> {
        authority.policy.check_environment(&plan.environment)?;
        let current = self.current(&plan.environment).await?;
        if current.as_ref().is_some_and(|release| release.plan == Some(plan.digest())) {
            return Ok(false);
        }
        let forced_by = is_forced.then_some(authority.policy);
        let decided = self.decide_deploy(plan, current.as_ref(), authority, forced_by, now).await?;
        Ok(!decided.changes.is_empty())
    }

    async fn apply(
        &self,
        plan: &Plan,
        authority: Authority<'_>,
        actor: &str,
        reason: Option<&str>,
        forced_by: Option<&Policy>,
        now: DateTime<Utc>,
    ) -> Result<Released> {
        if let Some(server) = self.server() {
            return server.deploy(plan, forced_by.is_some(), reason).await;
        }
        authority.policy.check_environment(&plan.environment)?;
        let current = self.current(&plan.environment).await?;
        let digest = plan.digest();
        if let Some(release) = &current {
            self.log.complete([release_act(release)], actor).await?;
            if release.plan == Some(digest) {
                return Ok(Released { release: release.clone(), is_new: false });
            }
        }
        let Decided { changes, evidence, forced } = self.decide_deploy(plan, current.as_ref(), authority, forced_by, now).await?;
        if changes.is_empty() {
            let nothing = || RegistryError::NothingDeployed { environment: plan.environment.clone() };
            return Ok(Released { release: current.ok_or_else(nothing)?, is_new: false });
        }
        let live = current.as_ref().map(|release| release.pins.clone()).unwrap_or_default();
        let draft = Draft {
            environment: &plan.environment,
            previous: current.as_ref(),
            action: ReleaseAction::Deploy,
            based_on: current.as_ref().map(|release| release.sequence),
            plan: Some(digest),
            pins: self.write_pins(&live, &changes).await?,
            reason,
            evidence,
            forced,
            rules: Some(authority.revision),
        };
        self.write_release(draft, actor, now).await
    }

    /// Decides whether a plan may be applied to the release that is live.
    async fn decide_deploy(
        &self,
        plan: &Plan,
        current: Option<&Release>,
        authority: Authority<'_>,
        forced_by: Option<&Policy>,
        now: DateTime<Utc>,
    ) -> Result<Decided> {
        check_base(plan, current)?;
        // What counts is the moment that the release will bear, whatever this machine's clock says.
        let now = current.map_or(now, |release| release.time.max(now));
        let (mut unmet, mut statuses) = (Vec::new(), Vec::new());
        let mut evidence = BTreeSet::new();
        let mut changes = BTreeMap::new();
        for change in &plan.changes {
            let from = match current {
                Some(release) => self.pin(release, &change.id).await?,
                None => None,
            };
            if from != change.from {
                return Err(RegistryError::PlanMismatch { reason: format!("another version is live of `{}`", change.id) });
            }
            if let Some(to) = &change.to {
                check_roles(&change.id, from.as_ref(), to)?;
                let (records, members) = self.check_pin(&change.id, to).await?;
                statuses.extend(self.planned_statuses(members, current, now).await?);
                let Demanded { demands, candidate_demands } =
                    self.demands_of(&plan.environment, &records, from.as_ref(), authority, now).await?;
                evidence.extend(demands.iter().chain(&candidate_demands).flat_map(|state| &state.shown_by));
                unmet.extend(PlannedChange { demands, candidate_demands, ..change.clone() }.unmet());
            }
            if changes.insert(change.id.clone(), change.to.clone()).is_some() {
                return Err(RegistryError::PlanMismatch { reason: format!("it names a prompt twice, `{}`", change.id) });
            }
        }
        let forced = refuse_withdrawn(statuses, &plan.environment, forced_by, Some(authority.policy))?;
        if !unmet.is_empty() {
            return Err(RegistryError::Refused { environment: plan.environment.clone(), unmet });
        }
        Ok(Decided { changes, evidence, forced })
    }

    /// Says what changes between the version that is live and the one that takes its place.
    pub(crate) async fn differences(
        &self,
        id: &PromptId,
        from: Option<&LockedPrompt>,
        to: Option<&VersionRecord>,
    ) -> Result<Vec<Change>> {
        let (Some(from), Some(to)) = (from, to) else { return Ok(Vec::new()) };
        let live = self.version(&pinned(id, from)).await?;
        let mut changes = classify(&self.closure_of(&live.digest).await?, &self.closure_of(&to.digest).await?);
        changes.extend(classify_metadata(&self.metadata(&live).await?, &self.metadata(to).await?));
        Ok(changes)
    }

    /// Says what changes between the version that is live and each of those that are to be.
    async fn differences_to_any(&self, id: &PromptId, from: Option<&LockedPrompt>, to: &[VersionRecord]) -> Result<Vec<Change>> {
        let mut changes: Vec<Change> = Vec::new();
        for record in to {
            let further = self.differences(id, from, Some(record)).await?;
            changes.extend(further.into_iter().filter(|change| !changes.contains(change)).collect::<Vec<_>>());
        }
        Ok(changes)
    }

    /// Returns the pin of a published version.
    pub(crate) fn pin_of(&self, record: &VersionRecord) -> LockedPrompt {
        LockedPrompt { version: record.version, digest: record.digest, record: record.record_digest(), rollout: None }
    }

    /// Looks up what is wanted of a prompt: a version, or a split with that version as the control.
    async fn wanted(&self, reference: &PromptRef, split: Option<&Split>) -> Result<Wanted> {
        let record = self.version(reference).await?;
        // Fails now rather than when a service loads it.
        let mut members = self.members(reference, &record.digest).await?;
        let mut wanted = Wanted { pin: self.pin_of(&record), records: vec![record], members: BTreeSet::new() };
        if let Some(split) = split {
            let candidate = self.version(&reference.id.at(split.candidate)).await?;
            members.extend(self.members(&candidate.reference(), &candidate.digest).await?);
            let LockedPrompt { version, digest, record, .. } = self.pin_of(&candidate);
            wanted.pin.rollout = Some(Rollout { version, digest, record, buckets: split.share });
            wanted.records.push(candidate);
        }
        Ok(Wanted { members, ..wanted })
    }

    /// Refuses a pin that is not what is published, since a plan is a file that anybody can edit. Returns the versions, and
    /// them with everything they include.
    async fn check_pin(&self, id: &PromptId, pin: &LockedPrompt) -> Result<(Vec<VersionRecord>, BTreeSet<PromptRef>)> {
        let (mut records, mut members) = (Vec::new(), BTreeSet::new());
        for arm in pin.arms() {
            let record = self.version(&pinned(id, &arm)).await?;
            if self.pin_of(&record) != arm {
                let reason = format!("another content is published as `{}`", record.reference());
                return Err(RegistryError::PlanMismatch { reason });
            }
            members.extend(self.members(&record.reference(), &record.digest).await?);
            records.push(record);
        }
        Ok((records, members))
    }

    /// Tells how the demands on the versions that are to be live stand.
    ///
    /// Of the version that all callers or the control of a rollout have already nothing is demanded anew, so that a rollout can
    /// begin beside it, and end in its favour.
    async fn demands_of(
        &self,
        environment: &EnvironmentName,
        records: &[VersionRecord],
        live: Option<&LockedPrompt>,
        authority: Authority<'_>,
        now: DateTime<Utc>,
    ) -> Result<Demanded> {
        let mut demanded = Demanded::default();
        for (position, record) in records.iter().enumerate() {
            let replaced = match live {
                Some(pin) if pin.version == record.version && pin.digest == record.digest => continue,
                Some(pin) => Some(self.version(&pinned(&record.id, pin)).await?),
                None => None,
            };
            let states = self.demands(environment, record, replaced.as_ref(), authority, now).await?;
            match position {
                0 => demanded.demands = states,
                _ => demanded.candidate_demands = states,
            }
        }
        Ok(demanded)
    }

    async fn add_dependants(&self, changes: &mut [PlannedChange], live: &BTreeMap<PromptId, LockedPrompt>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let candidates = match live.len() {
            0..=READ_ALL => None,
            _ => Some(self.may_depend(changes.iter().map(|change| &change.id)).await?),
        };
        let candidates = live
            .iter()
            .filter(|(id, _)| candidates.as_ref().is_none_or(|ids| ids.contains(*id)))
            .flat_map(|(id, pin)| pin.arms().map(move |arm| (id, arm)));
        let included: Vec<(PromptRef, BTreeSet<PromptId>)> = futures::stream::iter(candidates)
            .map(|(id, pin)| async move {
                let closure = self.closure_of(&pin.digest).await?;
                let ids = closure.includes.into_keys().map(|include| include.id).collect();
                Ok::<_, RegistryError>((pinned(id, &pin), ids))
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

    /// Returns the prompts of which any version includes one of these, directly or not.
    async fn may_depend<'a>(&self, ids: impl Iterator<Item = &'a PromptId>) -> Result<BTreeSet<PromptId>> {
        let catalogue = self.index().await?.catalogue().await?;
        let mut includers: BTreeMap<&PromptId, Vec<&PromptId>> = BTreeMap::new();
        for (id, prompt) in &catalogue {
            for include in &prompt.includes {
                includers.entry(&include.id).or_default().push(id);
            }
        }
        let mut waiting: Vec<&PromptId> = ids.collect();
        let mut found: BTreeSet<PromptId> = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            for includer in includers.get(id).into_iter().flatten() {
                if found.insert((*includer).clone()) {
                    waiting.push(includer);
                }
            }
        }
        Ok(found)
    }
}

/// Refuses a rollout of a version beside itself, and one that turns the rollout that is under way around: the same keys would
/// change sides.
fn check_roles(id: &PromptId, live: Option<&LockedPrompt>, to: &LockedPrompt) -> Result<()> {
    let Some(rollout) = &to.rollout else { return Ok(()) };
    if rollout.version == to.version {
        return Err(RegistryError::Rollout(format!("control and candidate are one version, `{}`", id.at(to.version))));
    }
    let running = live.and_then(|pin| Some((pin.version, pin.rollout.as_ref()?.version)));
    if running == Some((rollout.version, to.version)) {
        let reason = format!("the control of the rollout that is under way is `{}`, so name it first", id.at(rollout.version));
        return Err(RegistryError::Rollout(reason));
    }
    Ok(())
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

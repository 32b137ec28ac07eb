//! The status of a published version: yanked, deprecated from a day on, or in use again.
//!
//! A version slot is never deleted and its bytes never change. What becomes of a version afterwards is said beside it, in a
//! create-only sequence of records per prompt. Nothing may begin to use a version that is withdrawn; whoever pins it still
//! loads it, with a warning.
//!
//! Withdrawing reads what runs and then writes; deploying reads what is withdrawn and then writes. Both read once more after
//! they wrote, so of a withdrawal and a deploy at the same moment at least one tells that they met.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::status::{STATUS_FORMAT, State, StatusRecord, status_of};
use promptops_prompt::{Digest, PromptId, PromptRef, Version};
use promptops_store::{Created, Sequence, StoreError};

use crate::approval::Authority;
use crate::audit::{Act, AuditAction};
use crate::environment::{EnvironmentName, Release, pinned};
use crate::error::{RegistryError, Result};
use crate::layout::{self, Key};
use crate::policy::Policy;
use crate::publish::{foreign, with_ancestors};
use crate::record::{NamespaceRecord, from_bytes, to_bytes};
use crate::registry::Registry;

/// Objects read at the same time.
const CONCURRENT_READS: usize = 32;
/// How often a change of status starts again because somebody else took the number.
const ATTEMPTS: u32 = 100;

/// What is to become of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusChange {
    /// Withdraw it now.
    Yank,
    /// Take a yank back: the version is what it was before.
    Unyank,
    /// Withdraw it from a day on.
    Deprecate {
        /// The day from whose beginning, UTC, it must not be used.
        date: NaiveDate,
        /// What to use in its place.
        replacement: Option<PromptRef>,
    },
    /// Take a deprecation back.
    Undeprecate,
}

/// A change of status that is asked for.
#[derive(Debug, Clone)]
pub struct StatusRequest<'a> {
    /// The version.
    pub reference: &'a PromptRef,
    /// What is to become of it.
    pub change: StatusChange,
    /// Why, for whoever comes across the version.
    pub reason: &'a str,
    /// The source repository that asks, as [`repository_name`](crate::record::repository_name) spells it: the namespace must
    /// belong to it.
    pub source: &'a str,
    /// Whether to withdraw the version although it is live. The policy must allow that for every environment that runs it.
    pub is_forced: bool,
}

/// Which environments run a version, each with the pins that take it along: the version itself, or what includes it.
pub type Uses = BTreeMap<EnvironmentName, Vec<PromptRef>>;

/// What a change of status comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusDecision {
    /// What was said of the version before; nothing when it was in use.
    pub before: Option<StatusRecord>,
    /// The record that changes it; nothing when it is as asked for already.
    pub record: Option<StatusRecord>,
    /// What runs the version, where that matters: it is withdrawn.
    pub uses: Uses,
}

/// A version that would be pinned anew, directly or by an include, and is not simply in use.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlannedStatus {
    /// What is said of it.
    pub status: StatusRecord,
    /// Whether it is withdrawn and the environment does not run it yet, so that pinning it is refused.
    pub is_refused: bool,
}

impl Registry {
    /// Returns every change of status of a prompt's versions, oldest first. One call more than there are changes.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when one is unreadable; otherwise as the store fails.
    pub async fn status_records(&self, id: &PromptId) -> Result<Vec<StatusRecord>> {
        let sequence = self.status_sequence(id)?;
        let mut records = Vec::new();
        // Almost every prompt has none: asking for the first is cheaper than listing.
        while let Some(bytes) = sequence.read(records.len() as u64 + 1).await? {
            records.push(from_bytes(&Key::Status(id.clone(), records.len() as u64 + 1), &bytes)?);
        }
        Ok(records)
    }

    /// Returns what is said of a version; nothing when it is in use.
    ///
    /// # Errors
    /// As [`Registry::status_records`].
    pub async fn status(&self, reference: &PromptRef) -> Result<Option<StatusRecord>> {
        Ok(status_of(&self.status_records(&reference.id).await?, reference.version).cloned())
    }

    /// Returns what is said of versions, in order of their names; those that are in use are left out.
    ///
    /// Calls as [`Registry::status_records`] for each prompt, many at a time.
    ///
    /// # Errors
    /// As [`Registry::status_records`].
    pub async fn statuses(&self, references: impl IntoIterator<Item = PromptRef>) -> Result<Vec<StatusRecord>> {
        let mut versions: BTreeMap<PromptId, BTreeSet<Version>> = BTreeMap::new();
        for reference in references {
            versions.entry(reference.id).or_default().insert(reference.version);
        }
        let found: Vec<Vec<StatusRecord>> = futures::stream::iter(versions)
            .map(|(id, versions)| async move {
                let records = self.status_records(&id).await?;
                let of = |version| status_of(&records, version).cloned();
                Ok::<_, RegistryError>(versions.into_iter().filter_map(of).collect())
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Returns what is said of the versions that a lock pins and of all they include.
    ///
    /// Reads every content that is pinned, many at a time.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a content is missing or altered; otherwise as the store fails.
    pub async fn lock_statuses(&self, pins: &BTreeMap<PromptId, LockedPrompt>) -> Result<Vec<StatusRecord>> {
        let arms = pins.iter().flat_map(|(id, pin)| pin.arms().map(move |arm| (id, arm)));
        let members: Vec<BTreeSet<PromptRef>> = futures::stream::iter(arms)
            .map(|(id, arm)| async move { self.members(&pinned(id, &arm), &arm.digest).await })
            .buffer_unordered(CONCURRENT_READS)
            .try_collect()
            .await?;
        self.statuses(members.into_iter().flatten()).await
    }

    /// Returns which environments run a version, directly or by an include of what they pin.
    ///
    /// Reads every content that is live anywhere once.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn uses(&self, reference: &PromptRef) -> Result<Uses> {
        let mut live = Vec::new();
        for environment in self.environments().await? {
            if let Some(release) = self.current(&environment).await? {
                live.push((environment, self.pins(&release).await?.prompts));
            }
        }
        let digests =
            live.iter().flat_map(|(_, pins)| pins.values().flat_map(LockedPrompt::arms).map(|arm| arm.digest)).collect();
        let including = self.including(reference, digests).await?;
        let uses = live.into_iter().map(|(environment, pins)| (environment, using(reference, &pins, &including)));
        Ok(uses.filter(|(_, pins)| !pins.is_empty()).collect())
    }

    /// Says what a change of status comes to, as [`Registry::set_status`] would decide now. Writes nothing.
    ///
    /// # Errors
    /// As [`Registry::set_status`].
    pub async fn decide_status(
        &self,
        request: &StatusRequest<'_>,
        authority: Authority<'_>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<StatusDecision> {
        self.version(request.reference).await?;
        self.check_namespace(&request.reference.id, request.source, authority.policy).await?;
        let records = self.status_records(&request.reference.id).await?;
        self.decide(request, &records, authority, actor, now).await
    }

    /// Changes the status of a version, and says what that came to. Repeating it is safe and completes what was interrupted.
    ///
    /// # Errors
    /// [`RegistryError::StillLive`] when the version is to be withdrawn now and an environment runs it, unless it is forced
    /// and the policy allows that; [`RegistryError::VersionNotFound`] for the version and for its replacement;
    /// [`RegistryError::ForeignNamespace`]; [`RegistryError::Status`] when one does not follow from the other.
    pub async fn set_status(
        &self,
        request: &StatusRequest<'_>,
        authority: Authority<'_>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<StatusDecision> {
        if let Some(server) = self.server() {
            return server.set_status(request).await;
        }
        self.version(request.reference).await?;
        self.check_namespace(&request.reference.id, request.source, authority.policy).await?;
        let sequence = self.status_sequence(&request.reference.id)?;
        for _ in 0..ATTEMPTS {
            let records = self.status_records(&request.reference.id).await?;
            if let Some(last) = records.last() {
                self.log.complete([status_act(last)], actor).await?;
            }
            let mut decision = self.decide(request, &records, authority, actor, now).await?;
            let Some(record) = &decision.record else { return Ok(decision) };
            match sequence.append(record.sequence, to_bytes(record)).await {
                Ok(Created::New) => self.log.append([status_act(record)]).await?,
                Ok(Created::Same) => self.log.complete([status_act(record)], actor).await?,
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            if record.is_withdrawn(record.time) {
                decision.uses = self.uses(request.reference).await?;
            }
            return Ok(decision);
        }
        Err(RegistryError::Busy { key: layout::statuses(&request.reference.id), attempts: ATTEMPTS })
    }

    /// Tells what is said of the versions that a lock pins and of what they include. Refuses what is withdrawn, unless the
    /// lock that is replaced pins it, an environment runs it, or a policy is given that lets it be forced.
    ///
    /// # Errors
    /// [`RegistryError::Withdrawn`] with every version that cannot be pinned.
    pub async fn check_lock(
        &self,
        pins: &BTreeMap<PromptId, LockedPrompt>,
        replaced: &BTreeMap<PromptId, LockedPrompt>,
        forced_by: Option<&Policy>,
        now: DateTime<Utc>,
    ) -> Result<Vec<StatusRecord>> {
        let (mut found, mut refused) = (BTreeMap::new(), Vec::new());
        for (id, pin) in pins {
            let is_new = replaced.get(id) != Some(pin);
            for status in self.statuses(self.members(&pinned(id, pin), &pin.digest).await?).await? {
                let is_withdrawn = status.is_withdrawn(now);
                if is_new && is_withdrawn && self.uses(&status.reference()).await?.is_empty() {
                    refused.push(status.clone());
                }
                found.insert(status.reference(), status);
            }
        }
        if !refused.is_empty() && !forced_by.is_some_and(|policy| policy.may_force(None)) {
            return Err(RegistryError::Withdrawn { statuses: refused, may_force: false, place: "a lock".to_owned() });
        }
        Ok(found.into_values().collect())
    }

    /// Tells what is said of versions that an environment would run, and whether that refuses them.
    pub(crate) async fn planned_statuses(
        &self,
        members: BTreeSet<PromptRef>,
        current: Option<&Release>,
        now: DateTime<Utc>,
    ) -> Result<Vec<PlannedStatus>> {
        let mut planned = Vec::new();
        for status in self.statuses(members).await? {
            let is_withdrawn = status.is_withdrawn(now);
            let is_refused = is_withdrawn && !self.runs(current, &status.reference()).await?;
            planned.push(PlannedStatus { status, is_refused });
        }
        Ok(planned)
    }

    /// Returns a version with everything it includes, directly or not.
    pub(crate) async fn members(&self, reference: &PromptRef, digest: &Digest) -> Result<BTreeSet<PromptRef>> {
        let closure = self.closure_of(digest).await?;
        Ok(std::iter::once(reference.clone()).chain(closure.includes.into_keys()).collect())
    }

    /// Tells whether a release takes a version along.
    async fn runs(&self, release: Option<&Release>, reference: &PromptRef) -> Result<bool> {
        let Some(release) = release else { return Ok(false) };
        let pins = self.pins(release).await?.prompts;
        let digests = pins.values().flat_map(LockedPrompt::arms).map(|arm| arm.digest).collect();
        let including = self.including(reference, digests).await?;
        Ok(!using(reference, &pins, &including).is_empty())
    }

    /// Returns which of the contents include a version, directly or not.
    async fn including(&self, reference: &PromptRef, digests: BTreeSet<Digest>) -> Result<BTreeSet<Digest>> {
        futures::stream::iter(digests)
            .map(|digest| async move {
                let is_included = self.closure_of(&digest).await?.includes.contains_key(reference);
                Ok::<_, RegistryError>(is_included.then_some(digest))
            })
            .buffer_unordered(CONCURRENT_READS)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    async fn decide(
        &self,
        request: &StatusRequest<'_>,
        records: &[StatusRecord],
        authority: Authority<'_>,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<StatusDecision> {
        let reference = request.reference;
        let before = status_of(records, reference.version).cloned();
        let nothing = StatusDecision { before: before.clone(), record: None, uses: Uses::new() };
        let Some(next) = next(request, before.as_ref(), records)? else { return Ok(nothing) };
        // A clock that runs behind must not make the history go backwards.
        let now = records.last().map_or(now, |last| last.time.max(now));
        let mut record = StatusRecord {
            format: STATUS_FORMAT,
            id: reference.id.clone(),
            sequence: records.len() as u64 + 1,
            version: reference.version,
            state: next.state,
            date: next.date,
            replacement: next.replacement,
            reason: next.reason,
            time: now,
            by: actor.to_owned(),
            rules: authority.revision.to_owned(),
            forced: BTreeSet::new(),
        };
        // What a deprecation named that comes back with an unyank was looked at when it was made.
        if let StatusChange::Deprecate { replacement: Some(replacement), .. } = &request.change {
            self.check_replacement(replacement, reference, now).await?;
        }
        let was_withdrawn = before.as_ref().is_some_and(|before| before.is_withdrawn(now));
        if !record.is_withdrawn(now) || was_withdrawn {
            return Ok(StatusDecision { before, record: Some(record), uses: Uses::new() });
        }
        let uses = self.uses(reference).await?;
        if !uses.is_empty() {
            let may_force = uses.keys().all(|environment| authority.policy.may_force(Some(environment)));
            if !(request.is_forced && may_force) {
                return Err(RegistryError::StillLive { reference: reference.clone(), uses, may_force });
            }
            record.forced = uses.keys().map(ToString::to_string).collect();
        }
        Ok(StatusDecision { before, record: Some(record), uses })
    }

    async fn check_replacement(&self, replacement: &PromptRef, replaced: &PromptRef, now: DateTime<Utc>) -> Result<()> {
        if replacement == replaced {
            return Err(RegistryError::Status(format!("a version cannot replace itself, `{replacement}`")));
        }
        self.version(replacement).await?;
        match self.status(replacement).await? {
            Some(status) if status.is_withdrawn(now) => {
                Err(RegistryError::Status(format!("the replacement is withdrawn itself: {status}")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a source repository to which a prompt's namespace does not belong.
    async fn check_namespace(&self, id: &PromptId, source: &str, policy: &Policy) -> Result<()> {
        let source = source.to_owned();
        if let Some((namespace, owners)) = policy.namespace_owners(id.namespace()) {
            return if owners.contains(&source) { Ok(()) } else { Err(foreign(namespace, owners, &source)) };
        }
        for name in with_ancestors(id.namespace()) {
            if let Some((claim, _)) = self.read::<NamespaceRecord>(&Key::Namespace(name.to_owned())).await? {
                return if claim.source == source { Ok(()) } else { Err(foreign(name, &[claim.source], &source)) };
            }
        }
        Ok(())
    }

    fn status_sequence(&self, id: &PromptId) -> Result<Sequence> {
        Ok(Sequence::new(&self.store, &layout::statuses(id))?)
    }
}

/// Refuses planned versions that are withdrawn, unless they are forced and the policy allows that; returns those forced.
pub(crate) fn refuse_withdrawn(
    planned: Vec<PlannedStatus>,
    environment: &EnvironmentName,
    forced_by: Option<&Policy>,
    policy: Option<&Policy>,
) -> Result<BTreeSet<PromptRef>> {
    let refused: Vec<StatusRecord> =
        planned.into_iter().filter(|planned| planned.is_refused).map(|planned| planned.status).collect();
    let may_force = |policy: Option<&Policy>| policy.is_some_and(|policy| policy.may_force(Some(environment)));
    if refused.is_empty() || may_force(forced_by) {
        return Ok(refused.iter().map(StatusRecord::reference).collect());
    }
    let place = format!("environment `{environment}`");
    Err(RegistryError::Withdrawn { statuses: refused, may_force: may_force(policy), place })
}

/// What a version is to be next.
struct Next {
    state: State,
    date: Option<NaiveDate>,
    replacement: Option<PromptRef>,
    reason: String,
}

impl Next {
    fn of(state: State, reason: &str) -> Self {
        Self { state, date: None, replacement: None, reason: reason.to_owned() }
    }
}

/// Returns what follows from the present status and what is asked for; nothing when the version is as asked for.
fn next(request: &StatusRequest<'_>, before: Option<&StatusRecord>, records: &[StatusRecord]) -> Result<Option<Next>> {
    let state = before.map(|before| before.state);
    Ok(match (&request.change, state) {
        (StatusChange::Yank, Some(State::Yanked)) => None,
        (StatusChange::Yank, _) => Some(Next::of(State::Yanked, request.reason)),
        (StatusChange::Unyank, Some(State::Yanked)) => Some(before_the_yank(request, records)),
        (StatusChange::Unyank, _) => None,
        (StatusChange::Deprecate { .. } | StatusChange::Undeprecate, Some(State::Yanked)) => {
            let reason = format!("`{}` is yanked, so a deprecation would say less", request.reference);
            return Err(RegistryError::Status(reason));
        }
        (StatusChange::Deprecate { date, replacement }, _) => {
            let is_same = before.is_some_and(|before| {
                before.date == Some(*date) && before.replacement == *replacement && before.reason == request.reason
            });
            let (date, replacement) = (Some(*date), replacement.clone());
            let next = Next { date, replacement, ..Next::of(State::Deprecated, request.reason) };
            (!is_same).then_some(next)
        }
        (StatusChange::Undeprecate, Some(_)) => Some(Next::of(State::Restored, request.reason)),
        (StatusChange::Undeprecate, None) => None,
    })
}

/// Returns what a version was before it was yanked. Its deprecation keeps its own reason, since that still stands.
fn before_the_yank(request: &StatusRequest<'_>, records: &[StatusRecord]) -> Next {
    let mut own = records.iter().rev().filter(|record| record.version == request.reference.version);
    let earlier = own.find(|record| record.state != State::Yanked);
    match earlier {
        Some(record) if record.state == State::Deprecated => {
            let reason = format!("{}; the yank was taken back: {}", record.reason, request.reason);
            Next { state: State::Deprecated, date: record.date, replacement: record.replacement.clone(), reason }
        }
        _ => Next::of(State::Restored, request.reason),
    }
}

/// Returns the pins that take a version along.
fn using(reference: &PromptRef, pins: &BTreeMap<PromptId, LockedPrompt>, including: &BTreeSet<Digest>) -> Vec<PromptRef> {
    let is_using = |pin: &PromptRef, digest: &Digest| pin == reference || including.contains(digest);
    pins.iter()
        .flat_map(|(id, pin)| pin.arms().map(move |arm| (pinned(id, &arm), arm.digest)))
        .filter(|(pin, digest)| is_using(pin, digest))
        .map(|(pin, _)| pin)
        .collect()
}

/// Describes a change of status by what was stored, so that whoever completes it writes the entry its maker would have.
fn status_act(record: &StatusRecord) -> Act {
    let mut details = BTreeMap::from([
        ("prompt".to_owned(), record.reference().to_string()),
        ("reason".to_owned(), record.reason.clone()),
        ("rules".to_owned(), record.rules.clone()),
    ]);
    if let Some(date) = record.date {
        details.insert("date".to_owned(), date.to_string());
    }
    if let Some(replacement) = &record.replacement {
        details.insert("replacement".to_owned(), replacement.to_string());
    }
    if !record.forced.is_empty() {
        details.insert("forced".to_owned(), record.forced.iter().cloned().collect::<Vec<_>>().join(","));
    }
    Act {
        time: record.time,
        actor: record.by.clone(),
        action: match record.state {
            State::Yanked => AuditAction::Yank,
            State::Deprecated => AuditAction::Deprecate,
            State::Restored => AuditAction::Restore,
        },
        subject: Key::Status(record.id.clone(), record.sequence),
        digest: Digest::of(&to_bytes(record)),
        details,
    }
}

//! Compatibility on publish: what a version breaks is refused, unless it says so and that is recorded.

use std::collections::BTreeSet;

use promptops_prompt::compatibility::{Break, Level, Predecessors, breaks, compare};
use promptops_prompt::{Closure, Content, Prompt, PromptRef, Version};
use serde::{Deserialize, Serialize};

use crate::error::{RegistryError, Result};
use crate::layout::Key;
use crate::policy::Policy;
use crate::record::VersionRecord;
use crate::registry::Registry;

/// What a version breaks on purpose, as its record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakingRecord {
    /// The level that held for its namespace.
    pub level: Level,
    /// Who accepted that.
    pub accepted_by: Acceptance,
    /// What callers or consumers have to do, where the version says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Everything that breaks.
    pub breaks: Vec<Break>,
}

/// Who says that a version may break its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acceptance {
    /// The version itself, in its field `breaking`.
    Version,
    /// The policy, which names the version.
    Policy,
}

/// Tells who accepts that a version breaks what it comes from, if anybody does.
pub fn acceptance(prompt: &Prompt, policy: &Policy) -> Option<Acceptance> {
    match prompt.breaking() {
        Some(_) => Some(Acceptance::Version),
        None => policy.accepts_break(&prompt.reference()).then_some(Acceptance::Policy),
    }
}

/// Tells whether a published version was accepted as breaking, so that nobody is held against what came before it.
pub fn begins_line(record: &VersionRecord, policy: &Policy) -> bool {
    let declares = record.metadata.breaking.contains_key(&record.version);
    declares || record.breaking.is_some() || policy.accepts_break(&record.reference())
}

impl Registry {
    /// Holds a version that is about to be published against the published ones before it, as the level of its namespace
    /// demands. Returns what its record has to keep, if it breaks something and that is accepted.
    ///
    /// Its parent and its includes have to be published. Costs nothing at level `none` and for a first version; else two
    /// calls for each version it is held against, one more for each include, and a listing where the parent is not the version
    /// just before.
    ///
    /// # Errors
    /// [`RegistryError::Incompatible`] with everything that breaks; [`RegistryError::Corrupt`] when an earlier content is
    /// missing or altered.
    pub(crate) async fn check_compatibility(
        &self,
        prompt: &Prompt,
        content: &Content,
        policy: &Policy,
    ) -> Result<Option<BreakingRecord>> {
        let level = policy.compatibility(&prompt.id).level;
        let found = self.broken_by(prompt, content, policy, level).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let Some(accepted_by) = acceptance(prompt, policy) else {
            return Err(RegistryError::Incompatible { reference: prompt.reference(), level, breaks: found });
        };
        Ok(Some(BreakingRecord { level, accepted_by, reason: prompt.breaking().map(str::to_owned), breaks: found }))
    }

    /// Says what a version that is not published yet would break of the published ones before it.
    ///
    /// # Errors
    /// As the store fails; [`RegistryError::Corrupt`] when an earlier content is missing or altered.
    pub async fn broken_by(&self, prompt: &Prompt, content: &Content, policy: &Policy, level: Level) -> Result<Vec<Break>> {
        if level == Level::None || prompt.version == Version::FIRST {
            return Ok(Vec::new());
        }
        let reference = prompt.reference();
        let newest = self.newest_before(&reference, prompt.parent.as_ref()).await?;
        let mut predecessors = Predecessors::new(&reference, prompt.parent.as_ref(), newest, level);
        let mut found = Vec::new();
        let mut closure: Option<Closure> = None;
        while let Some(earlier) = predecessors.take_next() {
            let Some((record, _)) = self.read::<VersionRecord>(&Key::Version(earlier.clone())).await? else { continue };
            predecessors.found(record.parent.as_ref(), begins_line(&record, policy));
            if record.digest == content.digest() {
                continue;
            }
            let new = match closure.take() {
                Some(known) => known,
                None => self.complete(Closure::of(content.clone())).await?,
            };
            let old = self.closure_of(&record.digest).await?;
            found.extend(breaks(&earlier, &compare(&old, &new, level, &[])));
            closure = Some(new);
        }
        Ok(found)
    }

    /// Returns the newest published version before one. No listing where the parent is the version just before.
    async fn newest_before(&self, reference: &PromptRef, parent: Option<&PromptRef>) -> Result<Option<Version>> {
        let previous = Version::new(reference.version.number() - 1);
        if parent.is_some_and(|parent| parent.id == reference.id && Some(parent.version) == previous) {
            return Ok(previous);
        }
        match self.versions(&reference.id).await {
            Ok(versions) => Ok(versions.into_iter().filter(|version| *version < reference.version).max()),
            Err(RegistryError::PromptNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says which versions a published one is held against, newest first, at a level.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`] when the version is not published; otherwise as the store fails.
    pub async fn predecessors(&self, record: &VersionRecord, policy: &Policy, level: Level) -> Result<Vec<PromptRef>> {
        let reference = record.reference();
        let newest = self.newest_before(&reference, record.parent.as_ref()).await?;
        let mut predecessors = Predecessors::new(&reference, record.parent.as_ref(), newest, level);
        let mut found = BTreeSet::new();
        while let Some(earlier) = predecessors.take_next() {
            if let Some(record) = self.find_version(&earlier).await? {
                predecessors.found(record.parent.as_ref(), begins_line(&record, policy));
                found.insert(earlier);
            }
        }
        Ok(found.into_iter().rev().collect())
    }
}

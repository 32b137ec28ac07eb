//! Comparisons: where the pins of two releases differ.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::change::{Change, Class, worst};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Digest, PromptId};
use serde::{Deserialize, Serialize};

use crate::environment::{Release, pinned};
use crate::error::{RegistryError, Result};
use crate::pins::PinSet;
use crate::plan::PlannedAction;
use crate::registry::Registry;

/// Prompts or shards read at the same time.
const CONCURRENT_READS: usize = 16;

/// One prompt that two releases pin differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PinChange {
    /// The prompt.
    pub id: PromptId,
    /// What happens to it on the way from one release to the other.
    pub action: PlannedAction,
    /// What the one release pins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LockedPrompt>,
    /// What the other release pins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<LockedPrompt>,
    /// What differs, part by part; empty where only one of them pins the prompt.
    pub differences: Vec<Change>,
}

impl PinChange {
    /// Returns the worst class of its differences; nothing where only one release pins the prompt.
    pub fn class(&self) -> Option<Class> {
        worst(&self.differences)
    }
}

impl Registry {
    /// Tells where the pins of two releases differ and what that means, by id. The releases may be of two environments.
    ///
    /// Reads only the shards of the pin sets that differ, and both versions of every prompt that does.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when pins or contents are missing or altered.
    pub async fn compare(&self, from: &Release, to: &Release) -> Result<Vec<PinChange>> {
        futures::stream::iter(self.changed_pins(&from.pins, &to.pins).await?)
            .map(|(id, (from, to))| async move {
                let record = match &to {
                    Some(pin) => Some(self.version(&pinned(&id, pin)).await?),
                    None => None,
                };
                let differences = self.differences(&id, from.as_ref(), record.as_ref()).await?;
                let action = PlannedAction::of(from.as_ref(), to.as_ref());
                Ok::<_, RegistryError>(PinChange { id, action, from, to, differences })
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await
    }

    /// Returns every prompt that two pin sets pin differently, with both pins. Equal shards are not read.
    pub(crate) async fn changed_pins(
        &self,
        before: &BTreeMap<String, Digest>,
        after: &BTreeMap<String, Digest>,
    ) -> Result<BTreeMap<PromptId, (Option<LockedPrompt>, Option<LockedPrompt>)>> {
        let differing = |one: &BTreeMap<String, Digest>, other: &BTreeMap<String, Digest>| -> Vec<(String, Digest)> {
            let shards = one.iter().filter(|(name, digest)| other.get(*name) != Some(*digest));
            shards.map(|(name, digest)| (name.clone(), *digest)).collect()
        };
        let old = self.read_shards(differing(before, after)).await?;
        let mut new = self.read_shards(differing(after, before)).await?;
        let mut changed = BTreeMap::new();
        for (id, pin) in old {
            let other = new.remove(&id);
            if other.as_ref() != Some(&pin) {
                changed.insert(id, (Some(pin), other));
            }
        }
        changed.extend(new.into_iter().map(|(id, pin)| (id, (None, Some(pin)))));
        Ok(changed)
    }

    async fn read_shards(&self, shards: Vec<(String, Digest)>) -> Result<BTreeMap<PromptId, LockedPrompt>> {
        let sets: Vec<PinSet> = futures::stream::iter(shards)
            .map(|(name, digest)| async move { self.read_shard(&name, &digest).await })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(sets.into_iter().flat_map(|set| set.prompts).collect())
    }
}

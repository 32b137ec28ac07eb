//! Pin sets, in shards: moving one prompt writes one small object, whatever the environment holds.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Digest, PromptId};
use serde::{Deserialize, Serialize};

use crate::error::{RegistryError, Result};
use crate::layout::Key;
use crate::record::{FORMAT, to_bytes};
use crate::registry::Registry;

/// Shards written at the same time.
const CONCURRENT_WRITES: usize = 16;

/// Which version of which prompt is live: a whole set, or one shard of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinSet {
    /// [`FORMAT`].
    pub format: u32,
    /// The pins.
    pub prompts: BTreeMap<PromptId, LockedPrompt>,
}

impl Default for PinSet {
    fn default() -> Self {
        Self { format: FORMAT, prompts: BTreeMap::new() }
    }
}

impl PinSet {
    /// Returns the name of the shard that holds a prompt: the first two hexadecimal digits of the SHA-256 of its id.
    pub fn shard_name(id: &PromptId) -> String {
        Digest::of(id.as_str().as_bytes()).hex()[..2].to_owned()
    }
}

impl Registry {
    /// Writes the shards that changes touch and returns the names and digests of all. A change to nothing removes.
    pub(crate) async fn write_pins(
        &self,
        base: &BTreeMap<String, Digest>,
        changes: &BTreeMap<PromptId, Option<LockedPrompt>>,
    ) -> Result<BTreeMap<String, Digest>> {
        let mut by_shard: BTreeMap<String, Vec<(&PromptId, &Option<LockedPrompt>)>> = BTreeMap::new();
        for (id, pin) in changes {
            by_shard.entry(PinSet::shard_name(id)).or_default().push((id, pin));
        }
        let written: Vec<(String, Option<Digest>)> = futures::stream::iter(by_shard)
            .map(|(name, changes)| async move {
                let digest = self.write_shard(&name, base.get(&name), changes).await?;
                Ok::<_, RegistryError>((name, digest))
            })
            .buffered(CONCURRENT_WRITES)
            .try_collect()
            .await?;
        let mut shards = base.clone();
        for (name, digest) in written {
            match digest {
                Some(digest) => shards.insert(name, digest),
                None => shards.remove(&name),
            };
        }
        Ok(shards)
    }

    /// Writes one shard with its changes, and returns its digest; nothing when it became empty.
    async fn write_shard(
        &self,
        name: &str,
        base: Option<&Digest>,
        changes: Vec<(&PromptId, &Option<LockedPrompt>)>,
    ) -> Result<Option<Digest>> {
        let mut set = match base {
            Some(digest) => self.read_shard(name, digest).await?,
            None => PinSet::default(),
        };
        for (id, pin) in changes {
            match pin {
                Some(pin) => set.prompts.insert(id.clone(), pin.clone()),
                None => set.prompts.remove(id),
            };
        }
        if set.prompts.is_empty() {
            return Ok(None);
        }
        let bytes = to_bytes(&set);
        let digest = Digest::of(&bytes);
        self.store.create(&Key::Pins(digest).to_string(), bytes).await?;
        Ok(Some(digest))
    }
}

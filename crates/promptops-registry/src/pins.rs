//! Pin sets, in shards: moving one prompt writes one small object, whatever the environment holds.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::LockedPrompt;
pub use promptops_prompt::lock::PinSet;
use promptops_prompt::{Digest, PromptId};

use crate::error::{RegistryError, Result};
use crate::layout::Key;
use crate::record::to_bytes;
use crate::registry::Registry;

/// Shards written at the same time.
const CONCURRENT_WRITES: usize = 16;

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
        // Made before they are awaited: a stream that makes them from borrowed changes could not be sent to another thread.
        let writes: Vec<_> = by_shard
            .into_iter()
            .map(|(name, changes)| async move {
                let digest = self.write_shard(&name, base.get(&name), changes).await?;
                Ok::<_, RegistryError>((name, digest))
            })
            .collect();
        let written: Vec<(String, Option<Digest>)> =
            futures::stream::iter(writes).buffered(CONCURRENT_WRITES).try_collect().await?;
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

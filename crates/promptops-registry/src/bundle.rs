//! Bundles: the closure of a lock in one file, for applications that cannot reach the registry.
//!
//! ```text
//! bundle.json                    where the pins came from
//! pins/<shard>.json              the pins of the lock, so that one is found without reading all
//! logged/<shard>.json            the log proofs of versions that were named one by one
//! records/<id>/<version>.json    the version records that the lock pins
//! blobs/sha256/<hex>             their contents, and everything those include
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::{BundleHeader, LOCK_FORMAT, LockedPrompt, LoggedSet, PinSet};
use promptops_prompt::{Digest, Lock, PromptId};
use promptops_store::BundleWriter;

use crate::environment::pinned;
use crate::error::{RegistryError, Result};
use crate::layout::Key;
use crate::record::to_bytes;
use crate::registry::Registry;

/// The namespace of the signatures of bundles: `ssh-keygen -Y verify -n promptops-bundle` checks one without this software.
pub const SIGNATURE_NAMESPACE: &str = "promptops-bundle";

/// Prompts read at the same time.
const CONCURRENT_READS: usize = 16;

/// What a bundle needs of one prompt.
struct Part {
    name: String,
    record: Bytes,
    contents: BTreeMap<Digest, Bytes>,
}

impl Registry {
    /// Collects everything a lock pins. Equal locks give equal bundles.
    ///
    /// # Errors
    /// [`RegistryError::LockMismatch`] when the lock pins something else than what is published;
    /// [`RegistryError::Corrupt`] when a content is missing or altered.
    pub async fn bundle(&self, lock: &Lock) -> Result<BundleWriter> {
        let arms = lock.prompts.iter().flat_map(|(id, pin)| pin.arms().map(move |arm| (id, arm)));
        let parts: Vec<Part> = futures::stream::iter(arms)
            .map(|(id, arm)| async move { self.part(id, &arm).await })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let mut bundle = BundleWriter::new();
        let header = BundleHeader { format: LOCK_FORMAT, registry: lock.registry.clone(), release: lock.release.clone() };
        bundle.add(BundleHeader::NAME, to_bytes(&header))?;
        let mut shards: BTreeMap<String, PinSet> = BTreeMap::new();
        for (id, pin) in &lock.prompts {
            shards.entry(PinSet::shard_name(id)).or_default().prompts.insert(id.clone(), pin.clone());
        }
        for (shard, pins) in &shards {
            bundle.add(&BundleHeader::pins_name(shard), to_bytes(pins))?;
        }
        let mut logged: BTreeMap<String, LoggedSet> = BTreeMap::new();
        for (id, proof) in &lock.logged {
            logged.entry(PinSet::shard_name(id)).or_default().prompts.insert(id.clone(), proof.clone());
        }
        for (shard, proofs) in &logged {
            bundle.add(&BundleHeader::logged_name(shard), to_bytes(proofs))?;
        }
        let mut contents = BTreeMap::new();
        for part in parts {
            bundle.add(&part.name, part.record)?;
            contents.extend(part.contents);
        }
        for (digest, bytes) in contents {
            bundle.add(&Key::Blob(digest).to_string(), bytes)?;
        }
        Ok(bundle)
    }

    async fn part(&self, id: &PromptId, pin: &LockedPrompt) -> Result<Part> {
        let reference = pinned(id, pin);
        let record = self.version(&reference).await?;
        let bytes = to_bytes(&record);
        if record.digest != pin.digest || Digest::of(&bytes) != pin.record {
            return Err(RegistryError::LockMismatch { reference });
        }
        let closure = self.closure_of(&record.digest).await?;
        let all = std::iter::once(&closure.root).chain(closure.includes.values());
        // The bytes were verified when they were read, and writing them again gives the same.
        let contents = all.map(|content| (content.digest(), content.to_bytes().into())).collect();
        Ok(Part { name: format!("records/{id}/{}.json", pin.version), record: bytes, contents })
    }
}

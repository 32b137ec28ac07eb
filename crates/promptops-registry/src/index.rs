//! The index: what is published, without asking for every object.
//!
//! It is derived. A snapshot says up to which object of the audit log it holds and names its shards by digest; a reader
//! takes the latest, reads the shards it needs, and carries out what the log says was done since. So a reader sees
//! everything that is in the log, however old the snapshot is, and a registry without a snapshot has an index, too: the log.
//!
//! **Invariant:** nothing that decides anything reads the index. What is published, planned, deployed, locked and loaded is
//! read from the objects themselves, so an index that is missing, late or wrong costs time and is said, and nothing else.

mod changes;
mod entry;
mod format;
#[cfg(test)]
mod simulated_tests;
mod snapshot;

use std::collections::BTreeSet;
use std::sync::Mutex;

use promptops_prompt::PromptId;

pub(crate) use changes::{Change, acts};
pub use entry::{Catalogue, PromptEntry, VersionEntry, Versions};
pub(crate) use format::{CatalogueShard, Formatted, Manifest, ShardNames, VersionsShard, decode, decode_shard};
pub(crate) use snapshot::Known;
pub use snapshot::Refreshed;

use crate::error::{RegistryError, Result};
use crate::layout::{self, Key};
use crate::registry::Registry;

/// How many entries of the audit log may follow the latest snapshot before a writer makes the next.
pub const SNAPSHOT_BOUND: u64 = 256;
/// How many may follow before a reader says that the index is late.
const LATE: u64 = 4 * SNAPSHOT_BOUND;

/// The index as it was when it was opened.
#[derive(Debug)]
pub struct Index<'a> {
    registry: &'a Registry,
    /// Nothing when the index cannot be used, and everything is read from the objects.
    base: Option<Base>,
    notices: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Base {
    manifest: Manifest,
    changes: Vec<Change>,
    /// How many entries of the log the manifest does not hold.
    behind: u64,
}

impl Registry {
    /// Opens the index: the latest snapshot, and what the audit log says was done since.
    ///
    /// An index that cannot be used is no error: everything is read from the objects then, and [`Index::notices`] says so.
    ///
    /// Calls: some twenty that transfer nothing to find the snapshot, less after the first time; one for it; one for each
    /// object of the log since, and two for each version that was published since.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a version that the log names cannot be read; otherwise as the store fails.
    pub async fn index(&self) -> Result<Index<'_>> {
        let index = Index { registry: self, base: None, notices: Mutex::default() };
        match self.open_index().await {
            Ok(base) => {
                let behind = base.behind;
                if behind > LATE {
                    index
                        .note(format!("the index is {behind} entries of the audit log behind; run `promptops registry reindex`"));
                }
                Ok(Index { base: Some(base), ..index })
            }
            Err(error) => {
                index.fall_back(error)?;
                Ok(index)
            }
        }
    }

    async fn open_index(&self) -> Result<Base> {
        let manifest = self.latest_manifest().await?.map(|(_, manifest)| manifest).unwrap_or_default();
        let tail = self.log_after(manifest.position).await?;
        let changes = self.changes(&tail.acts).await?;
        Ok(Base { manifest, changes, behind: tail.acts.len() as u64 })
    }
}

impl Index<'_> {
    /// Returns every prompt. One call for each shard of the catalogue, of which there are 256 at most.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn catalogue(&self) -> Result<Catalogue> {
        if let Some(base) = &self.base {
            match self.registry.read_catalogue(&base.manifest).await {
                Ok(mut catalogue) => {
                    base.changes.iter().for_each(|change| change.apply(&mut catalogue));
                    return Ok(catalogue);
                }
                Err(error) => self.fall_back(error)?,
            }
        }
        let mut catalogue = Catalogue::new();
        for keys in self.registry.keys_by_shard().await?.into_values() {
            let versions = self.registry.versions_under(keys).await?;
            catalogue.extend(versions.into_iter().filter_map(|(id, versions)| {
                let entry = PromptEntry::of(&id, &versions)?;
                Some((id, entry))
            }));
        }
        Ok(catalogue)
    }

    /// Returns every version of a prompt; none when it is not published. At most two calls.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn versions(&self, id: &PromptId) -> Result<Versions> {
        if let Some(base) = &self.base {
            match self.registry.read_versions(&base.manifest, id).await {
                Ok(mut versions) => {
                    let own = base.changes.iter().filter(|change| change.reference().id == *id);
                    own.for_each(|change| change.apply_to_versions(&mut versions));
                    return Ok(versions);
                }
                Err(error) => self.fall_back(error)?,
            }
        }
        let keys = self.registry.store.list(&layout::versions(id)).await?;
        let keys = keys.iter().filter_map(|key| Key::parse(key)).filter(changes::is_indexed).collect();
        Ok(self.registry.versions_under(keys).await?.remove(id).unwrap_or_default())
    }

    /// Returns what a person should know about the index: that it is late, or could not be used.
    pub fn notices(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Takes note of an index that cannot be used; any other failure is one.
    fn fall_back(&self, error: RegistryError) -> Result<()> {
        match &error {
            RegistryError::Corrupt { key, .. } | RegistryError::Newer { key, .. } if is_derived(key) => {
                self.note(format!(
                    "the index cannot be used, so every object is read ({error}); run `promptops registry reindex`"
                ));
                Ok(())
            }
            RegistryError::Corrupt { key, .. } if key.starts_with(layout::LOG) => {
                self.note(format!(
                    "the index cannot be used, so every object is read ({error}); run `promptops registry verify`"
                ));
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn note(&self, text: String) {
        self.lock().insert(text);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        // A panic while a text is inserted leaves a set that is as good as before.
        self.notices.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn is_derived(key: &str) -> bool {
    key.split_once('/').is_some_and(|(folder, _)| folder == layout::INDEX)
}

//! Snapshots: finding the latest, reading its shards, writing the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::lock::Mutex;
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::{Digest, PromptId, PromptRef};
use promptops_store::{Created, Sequence, StoreError};

use super::changes::{Change, Tail, is_indexed};
use super::entry::{Catalogue, PromptEntry, Versions};
use super::format::{CatalogueShard, Formatted, Manifest, Shard, ShardNames, VersionsShard, decode, decode_shard};
use crate::error::{RegistryError, Result};
use crate::layout::{INDEX, Key, PROMPTS};
use crate::record::{FORMAT, to_bytes};
use crate::registry::Registry;

/// Shards read or written at the same time.
const CONCURRENT_SHARDS: usize = 16;
/// Objects read at the same time when everything is read anew.
const CONCURRENT_READS: usize = 32;
/// How often a shard is given another name because the object under its name was altered.
const SHARD_ATTEMPTS: u32 = 100;
/// Numbers asked for at once when looking for the latest snapshot.
const PROBES: u64 = 8;

/// What was seen of snapshots and of the log after them. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The number of the latest snapshot; it only grows, unless somebody removes the index.
    latest: Arc<AtomicU64>,
    counted: Arc<Mutex<Option<Counted>>>,
}

/// How much of the log follows a snapshot, as far as it was read.
#[derive(Debug, Clone, Copy)]
struct Counted {
    end: u64,
    acts: u64,
}

impl Known {
    fn number(&self) -> u64 {
        self.latest.load(Ordering::Relaxed)
    }

    fn saw(&self, number: u64) {
        self.latest.fetch_max(number, Ordering::Relaxed);
    }

    fn forget(&self) {
        self.latest.store(0, Ordering::Relaxed);
    }
}

/// What became of writing a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The latest snapshot holds as much as was asked for; nothing was written.
    Current,
    /// A snapshot was written.
    Written {
        /// Its number.
        number: u64,
        /// The last object of the audit log that it holds.
        position: u64,
        /// How many prompts were looked at.
        prompts: usize,
    },
    /// Somebody else wrote one at the same time; this one was dropped.
    Overtaken,
}

impl Registry {
    /// Writes a new snapshot of the index when more than `bound` entries of the audit log follow the latest.
    ///
    /// Reads the objects that were written since and the shards they touch, and writes those shards and a manifest.
    /// Whoever loses a race drops its work: the winner's snapshot is as good. Called again and again, as a server does after
    /// each write, it reads of the log what is new.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when the index is damaged, which [`Registry::reindex`] mends; otherwise as the store
    /// fails. Nothing but the index depends on it, so a writer may go on.
    pub async fn refresh_index(&self, bound: u64) -> Result<Refreshed> {
        if self.is_behind_server() {
            // The server sees to it.
            return Ok(Refreshed::Current);
        }
        let mut counted = self.index.counted.lock().await;
        if let Some(known) = counted.as_mut() {
            let tail = self.log_after(known.end).await?;
            known.end = tail.end;
            known.acts += tail.acts.len() as u64;
            if known.acts <= bound {
                return Ok(Refreshed::Current);
            }
        }
        let (number, manifest) = self.latest_manifest().await?.unwrap_or_default();
        let tail = self.log_after(manifest.position).await?;
        *counted = Some(Counted { end: tail.end, acts: tail.acts.len() as u64 });
        if tail.acts.len() as u64 <= bound {
            return Ok(Refreshed::Current);
        }
        let refreshed = self.write_snapshot(number, manifest, &tail).await?;
        *counted = match refreshed {
            Refreshed::Written { position, .. } => Some(Counted { end: position, acts: 0 }),
            Refreshed::Current | Refreshed::Overtaken => None,
        };
        Ok(refreshed)
    }

    /// Writes the snapshot that follows another, with what the log says was done since.
    async fn write_snapshot(&self, number: u64, manifest: Manifest, tail: &Tail) -> Result<Refreshed> {
        let changes = self.changes(&tail.acts).await?;
        let mut by_shard: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
        for change in &changes {
            by_shard.entry(ShardNames::of(&change.reference().id).catalogue).or_default().push(change);
        }
        let prompts = changes.iter().map(|change| &change.reference().id).collect::<BTreeSet<_>>().len();
        let written: Vec<(String, Digest)> = futures::stream::iter(by_shard)
            .map(|(name, changes)| {
                let old = manifest.shards.get(&name).copied();
                async move { Ok::<_, RegistryError>((name, self.change_shard(old, &changes).await?)) }
            })
            .buffer_unordered(CONCURRENT_SHARDS)
            .try_collect()
            .await?;
        let mut shards = manifest.shards;
        shards.extend(written);
        self.write_manifest(number + 1, Manifest { format: FORMAT, position: tail.end, shards }, prompts).await
    }

    /// Builds the index anew from the objects themselves and writes it as a snapshot. What the old one says is not asked.
    ///
    /// One listing of everything below `prompts/`, which is held in memory, and two calls for each version. The entries of
    /// one shard at a time are held.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a version cannot be read; otherwise as the store fails.
    pub async fn reindex(&self) -> Result<Refreshed> {
        self.must_be_direct("building the index anew")?;
        // What is written after this and listed below is in the log after the position: it is applied again, harmlessly.
        let position = self.log.end().await?;
        let mut manifest = Manifest { position, ..Manifest::default() };
        let mut prompts = 0;
        for (name, keys) in self.keys_by_shard().await? {
            let versions = self.versions_under(keys).await?;
            prompts += versions.len();
            let mut shard = CatalogueShard::default();
            let mut parts: BTreeMap<String, VersionsShard> = BTreeMap::new();
            for (id, versions) in versions {
                let Some(entry) = PromptEntry::of(&id, &versions) else { continue };
                shard.prompts.insert(id.clone(), entry);
                parts.entry(ShardNames::of(&id).versions).or_default().prompts.insert(id, versions);
            }
            for (name, part) in parts {
                shard.versions.insert(name, self.write_shard_object(part).await?);
            }
            manifest.shards.insert(name, self.write_shard_object(shard).await?);
        }
        let number = match self.latest_snapshot().await? {
            Some((_, bytes)) if bytes == to_bytes(&manifest) => return Ok(Refreshed::Current),
            latest => latest.map_or(0, |(number, _)| number),
        };
        self.write_manifest(number + 1, manifest, prompts).await
    }

    /// Finds the latest snapshot; nothing when there is none.
    pub(crate) async fn latest_manifest(&self) -> Result<Option<(u64, Manifest)>> {
        match self.latest_snapshot().await? {
            Some((number, bytes)) => Ok(Some((number, decode(&Key::Index(number), &bytes)?))),
            None => Ok(None),
        }
    }

    /// Reads the latest snapshot. One that was seen and is gone means that somebody removed the index, which is allowed.
    async fn latest_snapshot(&self) -> Result<Option<(u64, Bytes)>> {
        loop {
            let was_known = self.index.number() > 0;
            let number = self.latest_snapshot_number().await?;
            if number == 0 {
                return Ok(None);
            }
            let key = Key::Index(number).to_string();
            match self.store.get(&key).await? {
                Some(bytes) => return Ok(Some((number, bytes))),
                None if was_known => self.index.forget(),
                None => return Err(RegistryError::Corrupt { key, reason: "a snapshot is missing".to_owned() }),
            }
        }
    }

    /// Reads the catalogue of a snapshot.
    pub(crate) async fn read_catalogue(&self, manifest: &Manifest) -> Result<Catalogue> {
        let mut shards = futures::stream::iter(manifest.shards.values())
            .map(|digest| self.read_shard_object::<CatalogueShard>(digest))
            .buffer_unordered(CONCURRENT_SHARDS);
        let mut catalogue = Catalogue::new();
        while let Some(shard) = shards.try_next().await? {
            catalogue.extend(shard.prompts);
        }
        drop(shards);
        Ok(catalogue)
    }

    /// Reads the versions of one prompt in a snapshot: at most two calls.
    pub(crate) async fn read_versions(&self, manifest: &Manifest, id: &PromptId) -> Result<Versions> {
        let names = ShardNames::of(id);
        let Some(digest) = manifest.shards.get(&names.catalogue) else { return Ok(Versions::new()) };
        let shard: CatalogueShard = self.read_shard_object(digest).await?;
        match shard.versions.get(&names.versions).filter(|_| shard.prompts.contains_key(id)) {
            Some(digest) => {
                let mut versions: VersionsShard = self.read_shard_object(digest).await?;
                Ok(versions.prompts.remove(id).unwrap_or_default())
            }
            None => Ok(Versions::new()),
        }
    }

    /// Reads the versions that lie under some keys, and the metadata and status that hold for them.
    pub(crate) async fn versions_under(&self, keys: Vec<Key>) -> Result<BTreeMap<PromptId, Versions>> {
        let mut changes = futures::stream::iter(&keys).map(|key| self.change(key)).buffered(CONCURRENT_READS);
        let mut found: BTreeMap<_, Versions> = BTreeMap::new();
        let mut later = Vec::new();
        while let Some(change) = changes.try_next().await? {
            match change {
                Change::Metadata(..) | Change::Status(..) => later.push(change),
                Change::Version(ref reference, _) => {
                    let versions = found.entry(reference.id.clone()).or_default();
                    change.apply_to_versions(versions);
                }
            }
        }
        drop(changes);
        for change in later {
            if let Some(versions) = found.get_mut(&change.reference().id) {
                change.apply_to_versions(versions);
            }
        }
        Ok(found)
    }

    /// Lists what the index is made of, by shard of the catalogue. One listing of everything below `prompts/`.
    pub(crate) async fn keys_by_shard(&self) -> Result<BTreeMap<String, Vec<Key>>> {
        let mut by_shard: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        for key in self.store.list(PROMPTS).await?.iter().filter_map(|key| Key::parse(key)).filter(is_indexed) {
            let (Key::Version(PromptRef { id, .. }) | Key::Metadata(id, _) | Key::Status(id, _)) = &key else { continue };
            by_shard.entry(ShardNames::of(id).catalogue).or_default().push(key);
        }
        Ok(by_shard)
    }

    /// Writes a shard of the catalogue, and the shards of versions below it, with their changes.
    async fn change_shard(&self, old: Option<Digest>, changes: &[&Change]) -> Result<Digest> {
        let mut shard: CatalogueShard = match old {
            Some(digest) => self.read_shard_object(&digest).await?,
            None => CatalogueShard::default(),
        };
        let mut by_part: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            change.apply(&mut shard.prompts);
            by_part.entry(ShardNames::of(&change.reference().id).versions).or_default().push(change);
        }
        for (name, changes) in by_part {
            let mut part: VersionsShard = match shard.versions.get(&name) {
                Some(digest) => self.read_shard_object(digest).await?,
                None => VersionsShard::default(),
            };
            for change in changes {
                change.apply_to_versions(part.prompts.entry(change.reference().id.clone()).or_default());
            }
            shard.versions.insert(name, self.write_shard_object(part).await?);
        }
        self.write_shard_object(shard).await
    }

    async fn read_shard_object<T: Formatted>(&self, digest: &Digest) -> Result<T> {
        decode_shard(digest, self.store.get(&Key::IndexShard(*digest).to_string()).await?)
    }

    async fn write_shard_object(&self, mut shard: impl Shard) -> Result<Digest> {
        for _ in 0..SHARD_ATTEMPTS {
            let bytes = to_bytes(&shard);
            let digest = Digest::of(&bytes);
            match self.store.create(&Key::IndexShard(digest).to_string(), bytes).await {
                Ok(_) => return Ok(digest),
                Err(StoreError::Conflict { .. }) => shard.move_on(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(RegistryError::Busy { key: INDEX.to_owned(), attempts: SHARD_ATTEMPTS })
    }

    async fn write_manifest(&self, number: u64, manifest: Manifest, prompts: usize) -> Result<Refreshed> {
        let position = manifest.position;
        match Sequence::new(&self.store, INDEX)?.append(number, to_bytes(&manifest)).await {
            Ok(Created::New | Created::Same) => {
                self.index.saw(number);
                Ok(Refreshed::Written { number, position, prompts })
            }
            Err(StoreError::Conflict { .. } | StoreError::Gap { .. }) => Ok(Refreshed::Overtaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Finds the number of the latest snapshot without listing: 0 when there is none.
    ///
    /// Numbers have no gaps, so it asks at distances that double, then between the last that is there and the first that is
    /// not; several numbers at once.
    async fn latest_snapshot_number(&self) -> Result<u64> {
        let mut there = self.index.number();
        let mut absent = None;
        let mut distance = 1;
        while absent.is_none() {
            let numbers: Vec<u64> = (0..PROBES).map(|probe| there.saturating_add(distance << probe)).collect();
            (there, absent) = self.probe_snapshots(there, numbers).await?;
            // After one round at small distances the next begins where this one ended.
            distance = (distance << PROBES).min(1 << 40);
        }
        let mut absent = absent.unwrap_or(there + 1);
        while absent - there > 1 {
            let step = (absent - there).div_ceil(PROBES + 1).max(1);
            let numbers: Vec<u64> = (1..=PROBES).map(|probe| there + probe * step).filter(|number| *number < absent).collect();
            let (last, first) = self.probe_snapshots(there, numbers).await?;
            there = last;
            absent = first.unwrap_or(absent);
        }
        self.index.saw(there);
        Ok(there)
    }

    /// Asks for ascending numbers: returns the last that is there before the first that is not, and that one.
    async fn probe_snapshots(&self, there: u64, numbers: Vec<u64>) -> Result<(u64, Option<u64>)> {
        let exist: Vec<bool> = futures::stream::iter(&numbers)
            .map(|number| async move { self.store.exists(&Key::Index(*number).to_string()).await })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let found = exist.iter().take_while(|exists| **exists).count();
        let last = if found == 0 { there } else { numbers[found - 1] };
        Ok((last, numbers.get(found).copied()))
    }
}

#[cfg(test)]
mod tests {
    use promptops_store::{Store, StoreOptions};

    use super::*;

    #[tokio::test]
    async fn the_latest_snapshot_is_found_from_wherever_one_starts() {
        let store = Store::open("memory://", &StoreOptions::default()).unwrap();
        let time = "2026-11-01T00:00:00Z".parse().unwrap();
        let (registry, _) = Registry::init(store, "ops", time).await.unwrap();
        for number in 0..=700_u64 {
            if number > 0 {
                registry.store.create(&Key::Index(number).to_string(), "{}".into()).await.unwrap();
            }
            // Every count at first, then those around the distances that are asked for.
            if number > 40 && !(250..260).contains(&number) && number < 695 {
                continue;
            }
            for known in [0, number / 3, number.saturating_sub(1), number] {
                let registry = Registry { index: Known::default(), ..registry.clone() };
                registry.index.saw(known);
                assert_eq!(registry.latest_snapshot_number().await.unwrap(), number, "from {known}");
                assert_eq!(registry.index.number(), number);
            }
        }
    }
}

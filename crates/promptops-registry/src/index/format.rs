//! How the index lies in the store: wire format 1.
//!
//! A manifest names its shards by digest, so shards that did not change are shared between snapshots. There are two
//! levels. The catalogue has one entry for each prompt and is what a list reads. The versions lie a level deeper, in
//! smaller shards, so that a list does not read them and a publish rewrites few bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use promptops_prompt::{Digest, PromptId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::entry::{Catalogue, Versions};
use crate::error::{RegistryError, Result};
use crate::layout::Key;
use crate::record::{FORMAT, from_bytes};

/// A snapshot of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// The number of the last object of the audit log that it holds; 0 before the first.
    pub(crate) position: u64,
    /// The shards of the catalogue, by name.
    pub(crate) shards: BTreeMap<String, Digest>,
}

/// A shard of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CatalogueShard {
    pub(crate) format: u32,
    pub(crate) prompts: Catalogue,
    /// The shards with the versions of these prompts, by name.
    pub(crate) versions: BTreeMap<String, Digest>,
    /// See [`Shard::move_on`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) moved: u32,
}

/// A shard of versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VersionsShard {
    pub(crate) format: u32,
    pub(crate) prompts: BTreeMap<PromptId, Versions>,
    /// See [`Shard::move_on`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) moved: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Default for Manifest {
    fn default() -> Self {
        Self { format: FORMAT, position: 0, shards: BTreeMap::new() }
    }
}

impl Default for CatalogueShard {
    fn default() -> Self {
        Self { format: FORMAT, prompts: Catalogue::new(), versions: BTreeMap::new(), moved: 0 }
    }
}

impl Default for VersionsShard {
    fn default() -> Self {
        Self { format: FORMAT, prompts: BTreeMap::new(), moved: 0 }
    }
}

/// Where a prompt lies: the first two hexadecimal digits of the SHA-256 of its id name the shard of the catalogue, the
/// first three the shard of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShardNames {
    pub(crate) catalogue: String,
    pub(crate) versions: String,
}

impl ShardNames {
    pub(crate) fn of(id: &PromptId) -> Self {
        let hex = Digest::of(id.as_str().as_bytes()).hex();
        Self { catalogue: hex[..2].to_owned(), versions: hex[..3].to_owned() }
    }
}

/// What every object of the index says first.
pub(crate) trait Formatted: DeserializeOwned {
    fn format(&self) -> u32;
}

impl Formatted for Manifest {
    fn format(&self) -> u32 {
        self.format
    }
}

impl Formatted for CatalogueShard {
    fn format(&self) -> u32 {
        self.format
    }
}

impl Formatted for VersionsShard {
    fn format(&self) -> u32 {
        self.format
    }
}

/// A shard, which its digest names.
pub(crate) trait Shard: Formatted + Serialize {
    /// Gives the shard other bytes, and so another name, because the object under its name was altered. Nothing can be
    /// written over it; without this an index could not be built anew.
    fn move_on(&mut self);
}

impl Shard for CatalogueShard {
    fn move_on(&mut self) {
        self.moved += 1;
    }
}

impl Shard for VersionsShard {
    fn move_on(&mut self) {
        self.moved += 1;
    }
}

/// Reads an object of the index at once; only when that fails does it look for the reason, which takes twice as long.
pub(crate) fn decode<T: Formatted>(key: &Key, bytes: &[u8]) -> Result<T> {
    match serde_json::from_slice::<T>(bytes) {
        Ok(object) if object.format() == FORMAT => Ok(object),
        _ => from_bytes(key, bytes),
    }
}

/// Reads a shard whose bytes must have the digest that names them.
pub(crate) fn decode_shard<T: Formatted>(digest: &Digest, bytes: Option<Bytes>) -> Result<T> {
    let key = Key::IndexShard(*digest);
    let corrupt = |reason: &str| RegistryError::Corrupt { key: key.to_string(), reason: reason.to_owned() };
    let bytes = bytes.ok_or_else(|| corrupt("a shard of the index is missing"))?;
    if Digest::of(&bytes) != *digest {
        return Err(corrupt("a shard of the index was altered"));
    }
    decode(&key, &bytes)
}

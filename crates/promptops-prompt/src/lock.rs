//! `promptops.lock`: which version of which prompt an application runs, by digest.

mod proof;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::proof::{LoggedRelease, ProofError, Proofs, check_publication};
use crate::audit::LogProof;
use crate::digest::Digest;
use crate::id::{PromptId, Version};
use crate::rollout::Rollout;

/// The only format that this version writes and reads.
pub const LOCK_FORMAT: u32 = 1;

/// The pinned prompts of an application, as JSON beside it.
///
/// A loader takes a version only when its bytes have the digest that stands here, so a rolled-back deploy rolls its
/// prompts back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// [`LOCK_FORMAT`].
    pub format: u32,
    /// The URL of the registry, as `file://.promptops/registry` (relative to the lock) or `s3://bucket/prefix`.
    pub registry: String,
    /// The environment whose release was locked, and the number of that release, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<LockedRelease>,
    /// One entry per prompt.
    pub prompts: BTreeMap<PromptId, LockedPrompt>,
    /// The proofs that versions were published, when they were named one by one. A release has one proof for all it pins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logged: BTreeMap<PromptId, LogProof>,
}

/// Where the pins came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedRelease {
    /// The environment.
    pub environment: String,
    /// The number of its release.
    pub sequence: u64,
    /// The release with the proof that it was logged. None while nobody has completed an interrupted release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<LoggedRelease>,
}

/// One pinned prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedPrompt {
    /// The pinned version.
    pub version: Version,
    /// The digest of its content (G1); includes are covered by it.
    pub digest: Digest,
    /// The SHA-256 of the published version record, which holds owner, tags and provenance.
    pub record: Digest,
    /// Another version that a part of the keys gets, while a rollout is under way. Then the version above is the control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

impl LockedPrompt {
    /// Returns the pin of every version that may be loaded, each by itself: the version, or the control and the candidate.
    pub fn arms(&self) -> impl Iterator<Item = Self> {
        let control = Self { rollout: None, ..*self };
        let candidate = self.rollout.as_ref().map(|candidate| Self {
            version: candidate.version,
            digest: candidate.digest,
            record: candidate.record,
            rollout: None,
        });
        std::iter::once(control).chain(candidate)
    }

    /// Says whether the version is one of those that may be loaded.
    pub fn has(&self, version: Version) -> bool {
        self.arms().any(|arm| arm.version == version)
    }
}

/// Writes what is pinned, as `@2`, or `@2 90% and @3 10%` while a rollout is under way.
impl fmt::Display for LockedPrompt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rollout {
            None => write!(out, "@{}", self.version),
            Some(Rollout { version, buckets, .. }) => {
                write!(out, "@{} {} and @{version} {buckets}", self.version, buckets.rest())
            }
        }
    }
}

/// Which version of which prompt is pinned: a whole set, or one shard of it.
///
/// Sets are kept in shards, so that one pin is found, or moved, by reading one small object whatever the set holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinSet {
    /// [`LOCK_FORMAT`].
    pub format: u32,
    /// The pins.
    pub prompts: BTreeMap<PromptId, LockedPrompt>,
}

impl Default for PinSet {
    fn default() -> Self {
        Self { format: LOCK_FORMAT, prompts: BTreeMap::new() }
    }
}

impl PinSet {
    /// Returns the name of the shard that holds a prompt: the first two hexadecimal digits of the SHA-256 of its id.
    pub fn shard_name(id: &PromptId) -> String {
        Digest::of(id.as_str().as_bytes()).hex()[..2].to_owned()
    }

    /// Returns the digest of its RFC 8785 form, under which a registry keeps it and by which a release names it.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json_canonicalizer::to_vec(self).expect("a set of pins has only string keys"))
    }

    /// Reads a shard.
    ///
    /// # Errors
    /// [`LockError`] when the bytes are not a set of pins of [`LOCK_FORMAT`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LockError> {
        from_bytes(bytes)
    }
}

/// The log proofs of one shard of a bundle's pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedSet {
    /// [`LOCK_FORMAT`].
    pub format: u32,
    /// The proofs.
    pub prompts: BTreeMap<PromptId, LogProof>,
}

impl Default for LoggedSet {
    fn default() -> Self {
        Self { format: LOCK_FORMAT, prompts: BTreeMap::new() }
    }
}

impl LoggedSet {
    /// Reads a shard.
    ///
    /// # Errors
    /// [`LockError`] when the bytes are not a set of proofs of [`LOCK_FORMAT`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LockError> {
        from_bytes(bytes)
    }
}

/// The first entry of a bundle: where its pins came from. The pins themselves lie in shards beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleHeader {
    /// [`LOCK_FORMAT`].
    pub format: u32,
    /// The URL of the registry that it was made from.
    pub registry: String,
    /// The environment whose release was locked, and the number of that release, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<LockedRelease>,
}

impl BundleHeader {
    /// The name of the entry.
    pub const NAME: &str = "bundle.json";

    /// Returns the name of the entry that holds the pin of a prompt: a [`PinSet`].
    pub fn pins_name(shard: &str) -> String {
        format!("pins/{shard}.json")
    }

    /// Returns the name of the entry that holds the log proof of a prompt that was named itself: a [`LoggedSet`].
    pub fn logged_name(shard: &str) -> String {
        format!("logged/{shard}.json")
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`LockError`] when the bytes are not a header of [`LOCK_FORMAT`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LockError> {
        from_bytes(bytes)
    }
}

/// Says why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not JSON of the documented shape.
    #[error("the lock is not readable")]
    Malformed(#[source] serde_json::Error),
    /// It was written by a newer version.
    #[error("the lock has format `{0}`; this version reads format `{LOCK_FORMAT}`")]
    Format(u32),
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// [`LockError`] when the bytes are not a lock of [`LOCK_FORMAT`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LockError> {
        from_bytes(bytes)
    }

    /// Writes the lock: indented, sorted by id, with a final newline, so that equal locks are equal files.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a lock has only string keys");
        bytes.push(b'\n');
        bytes
    }
}

/// Reads JSON of [`LOCK_FORMAT`]; another format is named before anything else is found wrong.
fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, LockError> {
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(LockError::Malformed)?;
    match json.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format != u64::from(LOCK_FORMAT) => Err(LockError::Format(u32::try_from(format).unwrap_or(u32::MAX))),
        _ => serde_json::from_value(json).map_err(LockError::Malformed),
    }
}

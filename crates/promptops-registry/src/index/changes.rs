//! What the audit log says that a snapshot does not hold yet.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::status::StatusRecord;
use promptops_prompt::{Digest, Metadata, PromptRef};
use promptops_store::Sequence;

use super::entry::{Catalogue, PromptEntry, VersionEntry, Versions};
use crate::audit::read_batch;
use crate::error::{RegistryError, Result};
use crate::layout::{Key, LOG};
use crate::record::{MetadataRecord, VersionRecord};
use crate::registry::Registry;

/// Objects read at the same time.
const CONCURRENT_READS: usize = 32;
/// Objects of the log asked for at once: first few, since there is mostly nothing new.
const FIRST_BLOCK: u64 = 2;
/// The same, at most.
const LARGEST_BLOCK: u64 = 64;

/// One thing that an object of the log says was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggedAct {
    /// The number of the object of the log.
    pub(crate) position: u64,
    /// What was written. Nothing for what this software does not know.
    pub(crate) subject: Option<Key>,
}

/// Reads one object of the log. The one place that knows how acts lie in it.
pub(crate) fn acts(position: u64, bytes: &[u8]) -> Result<Vec<LoggedAct>> {
    let entries = read_batch(position, bytes)?.entries.into_iter();
    Ok(entries.map(|entry| LoggedAct { position, subject: Key::parse(&entry.subject) }).collect())
}

/// The log from some position to its end.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The number of the last object of the log.
    pub(crate) end: u64,
    /// What was done, oldest first.
    pub(crate) acts: Vec<LoggedAct>,
}

/// What an act did to the index.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A version was published.
    Version(PromptRef, Box<VersionEntry>),
    /// The metadata of a version changed.
    Metadata(PromptRef, u64, Box<Metadata>),
    /// A version was withdrawn, or is in use again.
    Status(PromptRef, Box<StatusRecord>),
}

impl Change {
    /// Returns the version it is about.
    pub(crate) fn reference(&self) -> &PromptRef {
        match self {
            Self::Version(reference, _) | Self::Metadata(reference, ..) | Self::Status(reference, _) => reference,
        }
    }

    /// Carries it out on the catalogue. Twice is as good as once.
    pub(crate) fn apply(&self, catalogue: &mut Catalogue) {
        let reference = self.reference();
        match (self, catalogue.get_mut(&reference.id)) {
            (Self::Version(_, entry), Some(prompt)) => prompt.add(&reference.id, reference.version, entry),
            (Self::Version(_, entry), None) => {
                let prompt = PromptEntry::first(&reference.id, reference.version, entry.as_ref().clone());
                catalogue.insert(reference.id.clone(), prompt);
            }
            (Self::Metadata(_, number, metadata), Some(prompt)) if prompt.latest_version() == reference.version => {
                prompt.latest.change_metadata(*number, metadata);
            }
            (Self::Status(_, record), Some(prompt)) if prompt.latest_version() == reference.version => {
                prompt.latest.change_status(record);
            }
            (Self::Metadata(..) | Self::Status(..), _) => {}
        }
    }

    /// Carries it out on the versions of its prompt. Twice is as good as once.
    pub(crate) fn apply_to_versions(&self, versions: &mut Versions) {
        let version = self.reference().version;
        match self {
            Self::Version(_, entry) => {
                versions.entry(version).or_insert_with(|| entry.as_ref().clone());
            }
            Self::Metadata(_, number, metadata) => {
                if let Some(entry) = versions.get_mut(&version) {
                    entry.change_metadata(*number, metadata);
                }
            }
            Self::Status(_, record) => {
                if let Some(entry) = versions.get_mut(&version) {
                    entry.change_status(record);
                }
            }
        }
    }
}

impl Registry {
    /// Reads the log after a position, without listing it: block after block, until there is no more.
    pub(crate) async fn log_after(&self, position: u64) -> Result<Tail> {
        let log = Sequence::new(&self.store, LOG)?;
        let mut tail = Tail { end: position, acts: Vec::new() };
        let mut block = FIRST_BLOCK;
        loop {
            let first = tail.end + 1;
            let read: Vec<Option<Bytes>> = futures::stream::iter(first..first + block)
                .map(|number| log.read(number))
                .buffered(CONCURRENT_READS)
                .try_collect()
                .await?;
            let found = read.iter().take_while(|bytes| bytes.is_some()).count();
            for bytes in read.iter().flatten().take(found) {
                tail.end += 1;
                tail.acts.extend(acts(tail.end, bytes)?);
            }
            if found < read.len() {
                // The reads ran at once, so what is missing before another may have been appended meanwhile.
                let has_more = read.iter().skip(found).any(Option::is_some);
                if !has_more {
                    return Ok(tail);
                }
                if log.read(tail.end + 1).await?.is_none() {
                    let reason = "a batch of the log is missing".to_owned();
                    return Err(RegistryError::Corrupt { key: Key::Log(tail.end + 1).to_string(), reason });
                }
            }
            block = (block * 2).min(LARGEST_BLOCK);
        }
    }

    /// Reads what the acts wrote.
    pub(crate) async fn changes(&self, acts: &[LoggedAct]) -> Result<Vec<Change>> {
        let subjects = acts.iter().filter_map(|act| act.subject.as_ref()).filter(|subject| is_indexed(subject));
        futures::stream::iter(subjects).map(|subject| self.change(subject)).buffered(CONCURRENT_READS).try_collect().await
    }

    /// Reads what was written under a key that [`is_indexed`].
    pub(crate) async fn change(&self, subject: &Key) -> Result<Change> {
        let corrupt = |reason: &str| RegistryError::Corrupt { key: subject.to_string(), reason: reason.to_owned() };
        match subject {
            Key::Version(reference) => {
                let (record, bytes) = self.must_read::<VersionRecord>(subject).await?;
                if record.reference() != *reference {
                    return Err(corrupt("the object is another version"));
                }
                let content = self.content(&record.digest).await?;
                let entry = VersionEntry::new(record, Digest::of(&bytes), &content);
                Ok(Change::Version(reference.clone(), Box::new(entry)))
            }
            Key::Metadata(id, number) => {
                let (record, _) = self.must_read::<MetadataRecord>(subject).await?;
                if record.id != *id || record.sequence != *number {
                    return Err(corrupt("the object is another change of metadata"));
                }
                Ok(Change::Metadata(id.at(record.version), *number, Box::new(record.metadata)))
            }
            Key::Status(id, number) => {
                let (record, _) = self.must_read::<StatusRecord>(subject).await?;
                if record.id != *id || record.sequence != *number {
                    return Err(corrupt("the object is another change of status"));
                }
                Ok(Change::Status(record.reference(), Box::new(record)))
            }
            _ => Err(corrupt("the index does not hold objects of this kind")),
        }
    }
}

/// Tells whether the index holds what is written under a key.
pub(crate) fn is_indexed(key: &Key) -> bool {
    matches!(key, Key::Version(_) | Key::Metadata(..) | Key::Status(..))
}

//! What the index says about a prompt and about a version.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::status::{State, StatusRecord};
use promptops_prompt::{Content, Digest, Metadata, PromptId, PromptRef, Version};
use serde::{Deserialize, Serialize};

use crate::record::{Published, VersionRecord};

/// Every version of a prompt.
pub type Versions = BTreeMap<Version, VersionEntry>;

/// Every prompt, as a list shows it.
pub type Catalogue = BTreeMap<PromptId, PromptEntry>;

/// One version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// The digest of its content (G1).
    pub digest: Digest,
    /// The digest of its record, which a lock pins.
    pub record: Digest,
    /// The version it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PromptRef>,
    /// What it includes directly.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub includes: BTreeSet<PromptRef>,
    /// The model it was written for.
    pub model: String,
    /// The metadata that holds.
    pub metadata: Metadata,
    /// The number of the change that the metadata is from; nothing for what was published with the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_change: Option<u64>,
    /// The author's e-mail address.
    pub author: String,
    /// The commit, as a hexadecimal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When and by whom it was published.
    pub published: Published,
    /// The last record of its status; nothing when there is none. See [`VersionEntry::withdrawal`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusRecord>,
}

impl VersionEntry {
    /// Returns what is said of the version when it is deprecated or yanked.
    pub fn withdrawal(&self) -> Option<&StatusRecord> {
        self.status.as_ref().filter(|record| record.state != State::Restored)
    }

    /// Takes the entry out of what is published. `record_digest` is that of the record's bytes.
    pub(crate) fn new(record: VersionRecord, record_digest: Digest, content: &Content) -> Self {
        Self {
            digest: record.digest,
            record: record_digest,
            parent: record.parent,
            includes: content.includes.keys().cloned().collect(),
            model: content.model.clone(),
            metadata: record.metadata,
            metadata_change: None,
            author: record.provenance.author,
            commit: record.provenance.commit,
            published: record.published,
            status: None,
        }
    }

    /// Takes over a change of metadata, unless a later one holds.
    pub(crate) fn change_metadata(&mut self, number: u64, metadata: &Metadata) {
        if self.metadata_change.is_none_or(|known| known < number) {
            self.metadata = metadata.clone();
            self.metadata_change = Some(number);
        }
    }

    /// Takes over a record of its status, unless a later one is there.
    pub(crate) fn change_status(&mut self, record: &StatusRecord) {
        if self.status.as_ref().is_none_or(|known| known.sequence < record.sequence) {
            self.status = Some(record.clone());
        }
    }
}

/// One prompt: its latest version in full, and what connects the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptEntry {
    /// The published versions.
    pub versions: BTreeSet<Version>,
    /// The highest of them.
    pub latest: VersionEntry,
    /// What any version includes directly.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub includes: BTreeSet<PromptRef>,
    /// The versions of other prompts that any version came from.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forked_from: BTreeSet<PromptRef>,
}

impl PromptEntry {
    /// Sums up the versions of a prompt; nothing when there are none.
    pub(crate) fn of(id: &PromptId, versions: &Versions) -> Option<Self> {
        let mut versions = versions.iter();
        let (version, entry) = versions.next()?;
        let mut prompt = Self::first(id, *version, entry.clone());
        for (version, entry) in versions {
            prompt.add(id, *version, entry);
        }
        Some(prompt)
    }

    /// Returns the highest published version.
    pub fn latest_version(&self) -> Version {
        *self.versions.last().expect("an entry has at least the version it was made from")
    }

    pub(crate) fn first(id: &PromptId, version: Version, entry: VersionEntry) -> Self {
        let includes = entry.includes.clone();
        let forked_from = entry.parent.iter().filter(|parent| parent.id != *id).cloned().collect();
        Self { versions: BTreeSet::from([version]), latest: entry, includes, forked_from }
    }

    /// Adds a version, unless it is there: a published version does not change.
    pub(crate) fn add(&mut self, id: &PromptId, version: Version, entry: &VersionEntry) {
        let latest = self.latest_version();
        if !self.versions.insert(version) {
            return;
        }
        self.includes.extend(entry.includes.iter().cloned());
        self.forked_from.extend(entry.parent.iter().filter(|parent| parent.id != *id).cloned());
        if version > latest {
            self.latest = entry.clone();
        }
    }
}

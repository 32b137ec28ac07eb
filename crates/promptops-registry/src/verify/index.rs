//! The index against the objects it is made from.

use std::collections::BTreeMap;

use promptops_prompt::status::StatusRecord;
use promptops_prompt::{Content, Digest, PromptId, PromptRef};

use super::{Objects, Problems};
use crate::index::{
    CatalogueShard, Manifest, PromptEntry, ShardNames, VersionEntry, Versions, VersionsShard, acts, decode, decode_shard,
};
use crate::layout::Key;
use crate::record::{MetadataRecord, VersionRecord, from_bytes};

const REINDEX: &str = "run `promptops registry reindex`; until then lists may be wrong, and nothing else is";

/// Checks the latest snapshot. No snapshot is no problem: the log is the index then.
pub(super) fn check(objects: &Objects, problems: &mut Problems) {
    let numbers = objects.keys().filter_map(|key| if let Key::Index(number) = key { Some(*number) } else { None });
    let Some(number) = numbers.last() else { return };
    let key = Key::Index(number);
    match decode::<Manifest>(&key, &objects[&key]) {
        Ok(manifest) => {
            let mut checker = Checker { objects, problems, indexed: BTreeMap::new() };
            checker.read_shards(&manifest);
            checker.check_position(&key, &manifest);
            checker.check_versions();
        }
        Err(error) => problems.index(key, error.to_string(), REINDEX),
    }
}

struct Checker<'a> {
    objects: &'a Objects,
    problems: &'a mut Problems,
    indexed: BTreeMap<PromptId, Versions>,
}

impl Checker<'_> {
    /// Reads the shards of both levels, and compares what each says about a prompt.
    fn read_shards(&mut self, manifest: &Manifest) {
        for (name, digest) in &manifest.shards {
            let shard: CatalogueShard = match self.shard(digest) {
                Some(shard) => shard,
                None => continue,
            };
            let mut versions: BTreeMap<PromptId, Versions> = BTreeMap::new();
            let mut is_whole = true;
            for (part, digest) in &shard.versions {
                let Some(found) = self.shard::<VersionsShard>(digest) else {
                    is_whole = false;
                    continue;
                };
                let misplaced = found.prompts.keys().any(|id| ShardNames::of(id).versions != *part || !part.starts_with(name));
                if misplaced {
                    self.problems.index(Key::IndexShard(*digest), "the shard holds prompts of another", REINDEX);
                }
                versions.extend(found.prompts);
            }
            let expected: BTreeMap<PromptId, PromptEntry> =
                versions.iter().filter_map(|(id, versions)| Some((id.clone(), PromptEntry::of(id, versions)?))).collect();
            if is_whole && expected != shard.prompts {
                self.problems.index(Key::IndexShard(*digest), "the catalogue does not fit the versions", REINDEX);
            }
            self.indexed.extend(versions);
        }
    }

    fn shard<T: crate::index::Formatted>(&mut self, digest: &Digest) -> Option<T> {
        match decode_shard(digest, self.objects.get(&Key::IndexShard(*digest)).cloned()) {
            Ok(shard) => Some(shard),
            Err(error) => {
                self.problems.index(Key::IndexShard(*digest), error.to_string(), REINDEX);
                None
            }
        }
    }

    /// Checks that everything that the log names up to the position is in the index.
    fn check_position(&mut self, manifest_key: &Key, manifest: &Manifest) {
        let last = self.objects.keys().filter_map(|key| if let Key::Log(number) = key { Some(*number) } else { None }).last();
        if manifest.position > last.unwrap_or(0) {
            self.problems.index(manifest_key, "the snapshot holds more than the log has", REINDEX);
        }
        for (key, bytes) in self.objects {
            let Key::Log(number) = key else { continue };
            if *number > manifest.position {
                continue;
            }
            // An unreadable entry is a problem of the log.
            for act in acts(*number, bytes).unwrap_or_default() {
                let Some(subject) = act.subject.filter(|subject| self.is_missing(subject)) else { continue };
                self.problems.index(
                    manifest_key,
                    format!("the index lacks `{subject}`, which batch {number} of the log names"),
                    REINDEX,
                );
            }
        }
    }

    /// Tells whether the index lacks an object. One that is gone itself is another problem.
    fn is_missing(&self, subject: &Key) -> bool {
        match subject {
            Key::Version(PromptRef { id, version }) => {
                self.objects.contains_key(subject) && !self.indexed.get(id).is_some_and(|versions| versions.contains_key(version))
            }
            Key::Metadata(id, number) => {
                let Some(Ok(change)) = self.objects.get(subject).map(|bytes| from_bytes::<MetadataRecord>(subject, bytes)) else {
                    return false;
                };
                let entry = self.indexed.get(id).and_then(|versions| versions.get(&change.version));
                entry.is_some_and(|entry| entry.metadata_change.is_none_or(|known| known < *number))
            }
            Key::Status(id, number) => {
                let Some(Ok(record)) = self.objects.get(subject).map(|bytes| from_bytes::<StatusRecord>(subject, bytes)) else {
                    return false;
                };
                let entry = self.indexed.get(id).and_then(|versions| versions.get(&record.version));
                entry.is_some_and(|entry| entry.status.as_ref().is_none_or(|known| known.sequence < *number))
            }
            _ => false,
        }
    }

    /// Checks that the index says of each version what its objects say.
    fn check_versions(&mut self) {
        for (id, versions) in std::mem::take(&mut self.indexed) {
            for (version, entry) in versions {
                let key = Key::Version(id.at(version));
                let what = match self.expected(&key, &entry) {
                    Ok(Some(expected)) if expected == entry => continue,
                    Ok(Some(_)) => "the index says something else about the version".to_owned(),
                    Ok(None) => "the index holds a version that is not published".to_owned(),
                    // The version itself cannot be read, which is reported as such.
                    Err(()) => continue,
                };
                self.problems.index(&key, what, REINDEX);
            }
        }
    }

    /// Makes the entry anew, with the metadata and the status of the records that the index names.
    fn expected(&self, key: &Key, indexed: &VersionEntry) -> Result<Option<VersionEntry>, ()> {
        let Some(bytes) = self.objects.get(key) else { return Ok(None) };
        let record: VersionRecord = from_bytes(key, bytes).map_err(|_| ())?;
        let id = record.id.clone();
        let version = record.version;
        let content = self.objects.get(&Key::Blob(record.digest)).ok_or(())?;
        let content = Content::from_bytes(content).map_err(|_| ())?;
        let mut entry = VersionEntry::new(record, Digest::of(bytes), &content);
        if let Some(number) = indexed.metadata_change {
            let key = Key::Metadata(id.clone(), number);
            let Some(bytes) = self.objects.get(&key) else { return Ok(Some(entry)) };
            let change: MetadataRecord = from_bytes(&key, bytes).map_err(|_| ())?;
            if change.version == version {
                entry.change_metadata(number, &change.metadata);
            }
        }
        if let Some(status) = &indexed.status {
            let key = Key::Status(status.id.clone(), status.sequence);
            let Some(bytes) = self.objects.get(&key) else { return Ok(Some(entry)) };
            let record: StatusRecord = from_bytes(&key, bytes).map_err(|_| ())?;
            if record.reference() == id.at(version) {
                entry.change_status(&record);
            }
        }
        Ok(Some(entry))
    }
}

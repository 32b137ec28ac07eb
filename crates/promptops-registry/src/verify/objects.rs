//! Everything but the log: each object against its name, and against what it refers to.

use std::collections::{BTreeMap, BTreeSet};

use promptops_prompt::status::{State, StatusRecord};
use promptops_prompt::{Content, Digest, PromptId, PromptRef};

use super::{Objects, Problems};
use crate::environment::{EnvironmentName, Release, pinned};
use crate::evidence::StoredStatement;
use crate::keys::{ApiKey, Revocation};
use crate::layout::Key;
use crate::pins::PinSet;
use crate::record::{FormatRecord, MetadataRecord, NamespaceRecord, VersionRecord, from_bytes, metadata_digest};

const RESTORE: &str = "restore the object from a copy, and find out who else writes to this store";
const HARMLESS: &str = "repeat the command that was interrupted, or leave it: nothing refers to it";

/// Checks every object but the log.
pub(super) fn check(objects: &Objects, problems: &mut Problems) {
    let mut checker = Checker::new(objects, problems);
    checker.read_each();
    checker.check_versions();
    checker.check_metadata();
    checker.check_statuses();
    checker.check_releases();
    checker.check_orphans();
}

struct Checker<'a> {
    objects: &'a Objects,
    problems: &'a mut Problems,
    contents: BTreeMap<Digest, Content>,
    versions: BTreeMap<PromptRef, VersionRecord>,
    metadata: BTreeMap<PromptId, Vec<(u64, MetadataRecord)>>,
    statuses: BTreeMap<PromptId, Vec<(u64, StatusRecord)>>,
    shards: BTreeMap<Digest, PinSet>,
    releases: BTreeMap<EnvironmentName, Vec<Release>>,
    referenced: BTreeSet<Key>,
}

impl<'a> Checker<'a> {
    fn new(objects: &'a Objects, problems: &'a mut Problems) -> Self {
        Self {
            objects,
            problems,
            contents: BTreeMap::new(),
            versions: BTreeMap::new(),
            metadata: BTreeMap::new(),
            statuses: BTreeMap::new(),
            shards: BTreeMap::new(),
            releases: BTreeMap::new(),
            referenced: BTreeSet::new(),
        }
    }

    /// Reads each object and compares it with its own name.
    fn read_each(&mut self) {
        if !self.objects.contains_key(&Key::Format) {
            self.problems.damage(Key::Format, "the registry has lost its mark", RESTORE);
        }
        for (key, bytes) in self.objects {
            if let Err(what) = self.read_one(key, bytes) {
                self.problems.damage(key, what, RESTORE);
            }
        }
    }

    /// Reads one object, or says what is wrong with it.
    fn read_one(&mut self, key: &Key, bytes: &[u8]) -> Result<(), String> {
        let has_digest = |expected: &Digest| match Digest::of(bytes) {
            found if found == *expected => Ok(()),
            found => Err(format!("the object was altered, it has digest `{found}`")),
        };
        let text = |error: crate::error::RegistryError| error.to_string();
        match key {
            Key::Format => from_bytes::<FormatRecord>(key, bytes).map(|_| ()).map_err(text),
            Key::Namespace(name) => match from_bytes::<NamespaceRecord>(key, bytes).map_err(text)? {
                record if record.namespace == *name => Ok(()),
                record => Err(format!("the object is the claim on `{}`", record.namespace)),
            },
            Key::Blob(digest) => {
                has_digest(digest)?;
                let content = Content::from_bytes(bytes).map_err(|error| error.to_string())?;
                self.contents.insert(*digest, content);
                Ok(())
            }
            Key::Version(reference) => {
                let record: VersionRecord = from_bytes(key, bytes).map_err(text)?;
                let found = record.reference();
                self.versions.insert(reference.clone(), record);
                if found == *reference { Ok(()) } else { Err(format!("the object is the version `{found}`")) }
            }
            Key::Metadata(id, number) => {
                let record: MetadataRecord = from_bytes(key, bytes).map_err(text)?;
                let fits = record.id == *id && record.sequence == *number;
                self.metadata.entry(id.clone()).or_default().push((*number, record));
                if fits { Ok(()) } else { Err("the object is another change of metadata".to_owned()) }
            }
            Key::Status(id, number) => {
                let record: StatusRecord = from_bytes(key, bytes).map_err(text)?;
                let fits = record.id == *id && record.sequence == *number;
                self.statuses.entry(id.clone()).or_default().push((*number, record));
                if fits { Ok(()) } else { Err("the object is another change of status".to_owned()) }
            }
            Key::Release(environment, number) => {
                let release: Release = from_bytes(key, bytes).map_err(text)?;
                let fits = release.environment == *environment && release.sequence == *number;
                self.releases.entry(environment.clone()).or_default().push(release);
                if fits { Ok(()) } else { Err("the object is another release".to_owned()) }
            }
            Key::Pins(digest) => {
                has_digest(digest)?;
                self.shards.insert(*digest, from_bytes(key, bytes).map_err(text)?);
                Ok(())
            }
            Key::Evidence { subject, object } => {
                has_digest(object)?;
                let stored: StoredStatement = from_bytes(key, bytes).map_err(text)?;
                if stored.statement.is_about(subject) { Ok(()) } else { Err("the statement is about another content".to_owned()) }
            }
            Key::ApiKey(id) => match from_bytes::<ApiKey>(key, bytes).map_err(text)? {
                stored if stored.id == *id => Ok(()),
                stored => Err(format!("the object is the API key `{}`", stored.id)),
            },
            Key::Revocation(id) => match from_bytes::<Revocation>(key, bytes).map_err(text)? {
                stored if stored.id != *id => Err(format!("the object is the revocation of `{}`", stored.id)),
                _ if self.objects.contains_key(&Key::ApiKey(id.clone())) => Ok(()),
                _ => Err("the API key that it revokes is missing".to_owned()),
            },
            // The log is checked as a chain, the index against what it is made from; a probe is checked by probing.
            Key::Log(_) | Key::Index(_) | Key::IndexShard(_) | Key::Probe(_) => Ok(()),
        }
    }

    /// Checks that each version has its content, its parent and its includes.
    fn check_versions(&mut self) {
        for (reference, record) in &self.versions {
            let key = Key::Version(reference.clone());
            let blob = Key::Blob(record.digest);
            match self.contents.get(&record.digest) {
                None if self.objects.contains_key(&blob) => {}
                None => self.problems.damage(&blob, format!("the content of `{reference}` is missing"), RESTORE),
                Some(content) => {
                    let parts = &record.digests;
                    let is_same = parts.interface == content.interface_digest()
                        && parts.own == content.own_digest()
                        && parts.metadata == metadata_digest(&record.metadata);
                    if !is_same {
                        self.problems.damage(&key, "the digests of its parts do not fit", RESTORE);
                    }
                    for (include, digest) in &content.includes {
                        if self.versions.get(include).is_none_or(|included| included.digest != *digest) {
                            let what = format!("it includes `{include}` with digest `{digest}`, which is not published");
                            self.problems.damage(&key, what, RESTORE);
                        }
                    }
                }
            }
            self.referenced.insert(blob);
            if let Some(parent) = record.parent.as_ref().filter(|parent| !self.versions.contains_key(*parent)) {
                self.problems.damage(&key, format!("its parent `{parent}` is not published"), RESTORE);
            }
        }
    }

    /// Checks that changes of metadata are numbered without gaps and about published versions.
    fn check_metadata(&mut self) {
        for (id, changes) in &self.metadata {
            for (expected, (number, change)) in (1..).zip(changes) {
                let key = Key::Metadata(id.clone(), *number);
                if expected != *number {
                    self.problems.damage(&key, "a change of metadata before it was removed", RESTORE);
                }
                let reference = id.at(change.version);
                if !self.versions.contains_key(&reference) {
                    self.problems.damage(&key, format!("it is about `{reference}`, which is not published"), RESTORE);
                }
            }
        }
    }

    /// Checks that changes of status are numbered without gaps, ordered in time, and about published versions.
    fn check_statuses(&mut self) {
        for (id, records) in &self.statuses {
            let mut time = None;
            for (expected, (number, record)) in (1..).zip(records) {
                let key = Key::Status(id.clone(), *number);
                if expected != *number {
                    self.problems.damage(&key, "a change of status before it was removed", RESTORE);
                    break;
                }
                if time.is_some_and(|before| record.time < before) {
                    self.problems.damage(&key, "it is dated before the change it follows", RESTORE);
                }
                time = Some(record.time);
                if (record.state == State::Deprecated) != record.date.is_some() {
                    self.problems.damage(&key, "a deprecation has a day, and nothing else has one", RESTORE);
                }
                for reference in [Some(record.reference()), record.replacement.clone()].into_iter().flatten() {
                    if !self.versions.contains_key(&reference) {
                        self.problems.damage(&key, format!("it names `{reference}`, which is not published"), RESTORE);
                    }
                }
            }
        }
    }

    /// Checks that releases are numbered without gaps, ordered in time, and pin what is published.
    fn check_releases(&mut self) {
        let mut checked = BTreeSet::new();
        for (environment, releases) in &self.releases {
            let mut time = None;
            for (expected, release) in (1..).zip(releases) {
                let key = Key::Release(environment.clone(), release.sequence);
                if expected != release.sequence {
                    self.problems.damage(&key, "a release before it was removed", RESTORE);
                    break;
                }
                if time.is_some_and(|before| release.time < before) {
                    self.problems.damage(&key, "it is dated before the release it follows", RESTORE);
                }
                time = Some(release.time);
                for (name, digest) in &release.pins {
                    let shard = Key::Pins(*digest);
                    if !self.objects.contains_key(&shard) {
                        self.problems.damage(&shard, format!("the pins of `{key}` are missing"), RESTORE);
                    }
                    self.referenced.insert(shard);
                    if checked.insert((name, digest))
                        && let Some(set) = self.shards.get(digest)
                    {
                        check_pins(name, *digest, set, &self.versions, self.problems);
                    }
                }
            }
        }
    }

    /// Names what nothing refers to: harmless leftovers.
    fn check_orphans(&mut self) {
        for key in self.objects.keys() {
            if matches!(key, Key::Blob(_) | Key::Pins(_)) && !self.referenced.contains(key) {
                self.problems.unfinished(key, "nothing refers to the object", HARMLESS);
            }
        }
    }
}

fn check_pins(name: &str, digest: Digest, set: &PinSet, versions: &BTreeMap<PromptRef, VersionRecord>, problems: &mut Problems) {
    for (id, pin) in &set.prompts {
        for arm in pin.arms() {
            let reference = pinned(id, &arm);
            let is_published = versions
                .get(&reference)
                .is_some_and(|record| record.digest == arm.digest && record.record_digest() == arm.record);
            if !is_published {
                problems.damage(Key::Pins(digest), format!("it pins `{reference}` with a digest that is not published"), RESTORE);
            }
        }
        if PinSet::shard_name(id) != name {
            problems.damage(Key::Pins(digest), format!("`{id}` does not belong into the shard `{name}`"), RESTORE);
        }
    }
}

//! Published versions: from a registry or a bundle, pinned by a lock.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;

use arc_swap::ArcSwap;
use promptops_prompt::id::NameError;
use promptops_prompt::lock::{BundleHeader, LockedPrompt, LockedRelease, LoggedSet, PinSet, ProofError, check_publication};
use promptops_prompt::rollout::Arm;
use promptops_prompt::status::{StatusRecord, status_of};
use promptops_prompt::{Closure, Content, Digest, Lock, Prompt, PromptId, PromptRef, Version};

use super::Loaded;
use super::objects::{Objects, Origin};
use crate::error::{Error, close_names};
use crate::kept::Ask;
use crate::release_record::ReleaseRecordV1;
use crate::version_record::VersionRecordV1;
use crate::warning::{Warning, Warnings};

/// Contents that one prompt may include, directly or not.
const MAX_INCLUDES: usize = 1000;
/// Changes of status of one prompt that are read. A prompt has a few.
const MAX_STATUSES: u64 = 1000;

/// What decides which versions load.
#[derive(Debug)]
pub(crate) enum Pins {
    /// A lock, read whole.
    Lock(Lock),
    /// The pins inside of the bundle that the objects come from, read one shard at a time.
    Bundle(BundledPins),
    /// A release of an environment that is followed, read one shard at a time.
    Release(ReleasePins),
    /// Nothing.
    None,
}

/// The pins of a release, of which each shard is read once.
#[derive(Debug)]
pub(crate) struct ReleasePins {
    record: ReleaseRecordV1,
    read: ArcSwap<BTreeMap<String, Arc<PinSet>>>,
}

impl ReleasePins {
    pub(crate) fn new(record: ReleaseRecordV1) -> Self {
        Self { record, read: ArcSwap::default() }
    }

    fn pin(&self, id: &PromptId, objects: &Objects, warnings: &Warnings) -> Result<Option<LockedPrompt>, Error> {
        let shard = PinSet::shard_name(id);
        if let Some(pins) = self.read.load().get(&shard) {
            return Ok(pins.prompts.get(id).cloned());
        }
        let Some(digest) = self.record.pins.get(&shard) else { return Ok(None) };
        let key = format!("pins/sha256/{}", digest.hex());
        let (bytes, _) = objects.verified(&key, *digest, warnings)?;
        let pins = Arc::new(PinSet::from_bytes(&bytes).map_err(|error| corrupt(objects, &key, error))?);
        self.read.rcu(|read| {
            let mut read = BTreeMap::clone(read);
            read.insert(shard.clone(), Arc::clone(&pins));
            read
        });
        Ok(pins.prompts.get(id).cloned())
    }
}

/// The pins inside of a bundle, with what is proven of them.
#[derive(Debug)]
pub(crate) struct BundledPins {
    header: BundleHeader,
    /// The digests of the shards as the release that was logged names them; none for a bundle of versions named one by one.
    logged: Option<BTreeMap<String, Digest>>,
}

impl BundledPins {
    /// Checks the proof that the release was logged, if the bundle is one of a release.
    pub(crate) fn new(header: BundleHeader, objects: &Objects) -> Result<Self, Error> {
        let logged = match &header.release {
            Some(release) => release.logged_pins().map_err(|source| altered(objects, source))?,
            None => None,
        };
        Ok(Self { header, logged })
    }

    /// Reads the pin of a prompt, if it has one, and checks what is proven of it. Reads one shard.
    fn pin(&self, id: &PromptId, objects: &Objects) -> Result<Option<LockedPrompt>, Error> {
        let shard = PinSet::shard_name(id);
        let name = BundleHeader::pins_name(&shard);
        let bytes = objects.get(&name)?;
        if let (Some(release), Some(logged)) = (&self.header.release, &self.logged)
            && logged.get(&shard).copied() != bytes.as_deref().map(Digest::of)
        {
            return Err(altered(objects, release.other_pins(format!("those in `{name}`"))));
        }
        let Some(bytes) = bytes else { return Ok(None) };
        let mut pins = PinSet::from_bytes(&bytes).map_err(|error| corrupt(objects, &name, error))?;
        let pin = pins.prompts.remove(id);
        let proofs = BundleHeader::logged_name(&shard);
        if let (Some(pin), Some(bytes)) = (&pin, objects.get(&proofs)?) {
            let set = LoggedSet::from_bytes(&bytes).map_err(|error| corrupt(objects, &proofs, error))?;
            if let Some(proof) = set.prompts.get(id) {
                check_publication(&id.at(pin.version), pin, proof).map_err(|source| altered(objects, source))?;
            }
        }
        Ok(pin)
    }
}

fn altered(objects: &Objects, source: ProofError) -> Error {
    Error::Altered { place: objects.place(), source }
}

fn corrupt(objects: &Objects, key: &str, error: impl StdError + Send + Sync + 'static) -> Error {
    Error::Corrupt { place: format!("`{key}` in {}", objects.place()), source: Box::new(error) }
}

/// A registry or a bundle, with the pins that decide what loads.
#[derive(Debug)]
pub(crate) struct PublishedSource {
    objects: Arc<Objects>,
    pins: Pins,
    strict: bool,
}

impl PublishedSource {
    pub(crate) fn new(objects: Arc<Objects>, pins: Pins, strict: bool) -> Self {
        Self { objects, pins, strict }
    }

    /// Returns the environment and the number of the release that says what is pinned.
    pub(crate) fn release(&self) -> Option<(&str, u64)> {
        match &self.pins {
            Pins::Release(pins) => Some((&pins.record.environment, pins.record.sequence)),
            Pins::Lock(_) | Pins::Bundle(_) | Pins::None => {
                self.locked_release().map(|release| (release.environment.as_str(), release.sequence))
            }
        }
    }

    /// Returns the release that was locked, if the pins are those of a lock or a bundle of one.
    pub(crate) fn locked_release(&self) -> Option<&LockedRelease> {
        match &self.pins {
            Pins::Lock(lock) => lock.release.as_ref(),
            Pins::Bundle(pins) => pins.header.release.as_ref(),
            Pins::Release(_) | Pins::None => None,
        }
    }

    pub(crate) fn load(&self, id: &PromptId, ask: Ask<'_>, warnings: &Warnings) -> Result<Loaded, Error> {
        let version = match ask {
            Ask::Version(number) => Some(Version::new(number).ok_or_else(|| NameError::Version(number.to_string()))?),
            Ask::Pinned | Ask::Key(_) | Ask::Arm(_) => None,
        };
        let pin = self.pin(id, warnings)?;
        let (chosen, arm) = match (&pin, version) {
            (Some(pin), Some(version)) => (pin.arms().find(|one| one.version == version), None),
            (Some(pin), None) => choose(id, pin, ask),
            (None, _) => (None, None),
        };
        let loaded = match (&chosen, version) {
            (Some(chosen), _) => self.load_pinned(id, chosen, warnings)?,
            (None, Some(version)) if !self.strict => self.load_unpinned(&id.at(version), warnings)?,
            _ if pin.is_none() && !matches!(self.pins, Pins::None) => return Err(self.not_in_lock(id)),
            _ => return Err(Error::NotPinned { id: id.clone(), version, pinned: pin.map(|pin| pin.version) }),
        };
        Ok(Loaded { arm, rollout: pin.and_then(|pin| pin.rollout), ..loaded })
    }

    /// Returns the pin of a prompt, if it has one.
    pub(crate) fn pin(&self, id: &PromptId, warnings: &Warnings) -> Result<Option<LockedPrompt>, Error> {
        match &self.pins {
            Pins::Lock(lock) => Ok(lock.prompts.get(id).cloned()),
            Pins::Bundle(pins) => pins.pin(id, &self.objects),
            Pins::Release(pins) => pins.pin(id, &self.objects, warnings),
            Pins::None => Ok(None),
        }
    }

    /// Loads what the lock pins. Record and content must have the digests that stand in it.
    fn load_pinned(&self, id: &PromptId, pin: &LockedPrompt, warnings: &Warnings) -> Result<Loaded, Error> {
        let reference = id.at(pin.version);
        let key = self.objects.record_key(&reference);
        let (bytes, origin) = self.objects.verified(&key, pin.record, warnings)?;
        let record = self.read_record(&bytes, &reference, &key)?;
        if record.digest != pin.digest {
            let place = format!("`{key}` in {}", self.objects.place());
            return Err(Error::Integrity { place, expected: pin.digest, found: record.digest });
        }
        self.complete(record, origin, warnings)
    }

    /// Loads a version that nothing pins; only its content is verified, against its record.
    fn load_unpinned(&self, reference: &PromptRef, warnings: &Warnings) -> Result<Loaded, Error> {
        let key = self.objects.record_key(reference);
        let Some(bytes) = self.objects.get(&key)? else {
            let place = format!("{}, version {}", self.objects.place(), reference.version);
            return Err(Error::NotFound { id: reference.id.clone(), place, close: self.close_names(&reference.id) });
        };
        warnings.say(Warning::Unpinned(reference.to_string()));
        let record = self.read_record(&bytes, reference, &key)?;
        self.complete(record, self.objects.origin(), warnings)
    }

    fn read_record(&self, bytes: &[u8], reference: &PromptRef, key: &str) -> Result<VersionRecordV1, Error> {
        VersionRecordV1::read(bytes, reference).map_err(|error| corrupt(&self.objects, key, error))
    }

    /// Reads the content that a record names, and all it includes. `origin` is where the record came from.
    fn complete(&self, record: VersionRecordV1, origin: Origin, warnings: &Warnings) -> Result<Loaded, Error> {
        let mut origins = vec![origin];
        let root = self.read_content(record.digest, &mut origins, warnings)?;
        let closure = self.read_closure(root, record.digest, &mut origins, warnings)?;
        // What a bundle or the cache serves costs no call, so it stays without one.
        if origins.contains(&Origin::Registry) {
            let root = record.id.at(record.version);
            for reference in std::iter::once(&root).chain(closure.includes.keys()) {
                self.warn_of_status(reference, warnings);
            }
        }
        let root = &closure.root;
        let prompt = Prompt {
            id: record.id,
            version: record.version,
            parent: record.parent,
            model: root.model.clone(),
            parameters: root.parameters.clone(),
            inputs: root.inputs.clone(),
            output: root.output.clone(),
            tools: root.tools.clone(),
            body: root.body.clone(),
            metadata: record.metadata,
        };
        Ok(Loaded { prompt, digest: record.digest, closure, files: Vec::new(), arm: None, rollout: None })
    }

    /// Warns when the registry has the version yanked or deprecated. A load never fails for that, nor for not knowing it.
    ///
    /// One call more than the prompt has changes of status, which is mostly none.
    fn warn_of_status(&self, reference: &PromptRef, warnings: &Warnings) {
        let mut records = Vec::new();
        for number in 1..=MAX_STATUSES {
            let key = format!("prompts/{}/status/{number:020}.json", reference.id);
            let Ok(Some(bytes)) = self.objects.get(&key) else { break };
            let Ok(record) = StatusRecord::from_bytes(&bytes) else { break };
            records.push(record);
        }
        let Some(status) = status_of(&records, reference.version) else { return };
        let (reference, reason) = (reference.to_string(), status.reason.clone());
        warnings.say(match status.date {
            Some(date) => {
                let replacement = status.replacement.as_ref().map(ToString::to_string);
                Warning::Deprecated { reference, date: date.to_string(), replacement, reason }
            }
            None => Warning::Yanked { reference, reason },
        });
    }

    fn read_content(&self, digest: Digest, origins: &mut Vec<Origin>, warnings: &Warnings) -> Result<Content, Error> {
        let key = format!("blobs/sha256/{}", digest.hex());
        let (bytes, origin) = self.objects.verified(&key, digest, warnings)?;
        origins.push(origin);
        Content::from_bytes(&bytes).map_err(|error| corrupt(&self.objects, &key, error))
    }

    /// Includes are named by digest inside of what includes them, so the pin of the root covers them all.
    fn read_closure(
        &self,
        root: Content,
        root_digest: Digest,
        origins: &mut Vec<Origin>,
        warnings: &Warnings,
    ) -> Result<Closure, Error> {
        let mut digests: BTreeMap<PromptRef, Digest> = BTreeMap::new();
        let mut includes = BTreeMap::new();
        let mut wanted: Vec<(PromptRef, Digest)> = root.includes.clone().into_iter().collect();
        while let Some((reference, digest)) = wanted.pop() {
            match digests.insert(reference.clone(), digest) {
                Some(known) if known == digest => continue,
                Some(_) => return Err(corrupt(&self.objects, &root_digest.to_string(), ClosureError::TwoContents(reference))),
                None if digests.len() > MAX_INCLUDES => {
                    return Err(corrupt(&self.objects, &root_digest.to_string(), ClosureError::TooMany));
                }
                None => {}
            }
            let content = self.read_content(digest, origins, warnings)?;
            wanted.extend(content.includes.clone());
            includes.insert(reference, content);
        }
        Ok(Closure { root, includes })
    }

    fn not_in_lock(&self, id: &PromptId) -> Error {
        let place = match &self.pins {
            Pins::Bundle(_) => self.objects.place(),
            Pins::Release(pins) => format!("release {} of `{}`", pins.record.sequence, pins.record.environment),
            Pins::Lock(_) if matches!(&*self.objects, Objects::Bundle { .. }) => self.objects.place(),
            Pins::Lock(_) | Pins::None => "the lock".to_owned(),
        };
        Error::NotFound { id: id.clone(), place, close: self.close_names(id) }
    }

    /// Returns names like one that is not there, for the error that says so.
    fn close_names(&self, id: &PromptId) -> Vec<String> {
        let others = |names: &mut dyn Iterator<Item = &str>| close_names(id.as_str(), names.filter(|name| *name != id.as_str()));
        match &self.pins {
            Pins::Lock(lock) => others(&mut lock.prompts.keys().map(PromptId::as_str)),
            Pins::Bundle(_) => others(&mut self.objects.bundled_ids().iter().map(String::as_str)),
            Pins::Release(pins) => {
                let read = pins.read.load();
                others(&mut read.values().flat_map(|pins| pins.prompts.keys().map(PromptId::as_str)))
            }
            Pins::None => Vec::new(),
        }
    }
}

/// Chooses the version that is loaded when none is asked for, and says for which side of a rollout.
fn choose(id: &PromptId, pin: &LockedPrompt, ask: Ask<'_>) -> (Option<LockedPrompt>, Option<Arm>) {
    let arm = pin.rollout.as_ref().map(|rollout| match ask {
        Ask::Key(key) if !key.is_empty() => rollout.arm(id, key),
        Ask::Arm(arm) => arm,
        Ask::Pinned | Ask::Key(_) | Ask::Version(_) => Arm::Unkeyed,
    });
    let position = usize::from(arm == Some(Arm::Candidate));
    (pin.arms().nth(position), arm)
}

/// Says why contents do not make a closure.
#[derive(Debug, thiserror::Error)]
enum ClosureError {
    #[error("two contents are included as `{0}`")]
    TwoContents(PromptRef),
    #[error("more than {MAX_INCLUDES} contents are included")]
    TooMany,
}

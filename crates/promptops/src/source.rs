//! Where prompts come from.

mod folder;
mod objects;
mod published;
mod remote;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use promptops_prompt::lock::BundleHeader;
use promptops_prompt::rollout::{Arm, Rollout};
use promptops_prompt::{Closure, Digest, Lock, PromptId};
use promptops_store::StoreOptions;

pub(crate) use self::folder::FolderSource;
pub(crate) use self::objects::Objects;
pub(crate) use self::published::PublishedSource;

use self::published::{BundledPins, Pins, ReleasePins};
use self::remote::RemoteStore;
use crate::disk_cache::DiskCache;
use crate::error::{Error, FOLLOWED};
use crate::kept::Ask;
use crate::last_good::LastGoodFile;
use crate::release_record::ReleaseRecordV1;
use crate::settings::Settings;
use crate::warning::Warnings;

/// A prompt as a source gives it: whole, and verified where there is a pin.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) prompt: promptops_prompt::Prompt,
    pub(crate) digest: Digest,
    pub(crate) closure: Closure,
    /// The files it was read from, when those may change under way.
    pub(crate) files: Vec<FileStamp>,
    /// For which side of a rollout it was loaded.
    pub(crate) arm: Option<Arm>,
    /// The rollout of its id that is under way.
    pub(crate) rollout: Option<Rollout>,
}

/// The state of a file when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStamp {
    path: PathBuf,
    modified: Option<SystemTime>,
    bytes: u64,
}

impl FileStamp {
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), modified: metadata.modified().ok(), bytes: metadata.len() })
    }

    /// Says whether the file is as it was. Costs one system call.
    pub(crate) fn is_current(&self) -> bool {
        Self::of(&self.path).is_ok_and(|now| now == *self)
    }
}

/// The one source of a loader.
#[derive(Debug)]
pub(crate) enum Source {
    /// A bundle or a registry.
    Published(Box<PublishedSource>),
    /// A folder of prompt files.
    Folder(FolderSource),
}

impl Source {
    /// Opens the source that `settings` name: see [`Settings`] for the order.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Error> {
        let lock_path = settings.lock.as_ref().map(|lock| settings.base_dir.join(lock));
        let lock = lock_path.as_deref().map(read_lock).transpose()?;
        let strict = settings.is_strict();
        if let Some(bundle) = &settings.bundle {
            let path = settings.base_dir.join(bundle);
            let objects = Objects::open_bundle(&path)?;
            let pins = match lock {
                Some(lock) => Pins::Lock(lock),
                None => Pins::Bundle(BundledPins::new(read_header(&path, &objects)?, &objects)?),
            };
            // A bundle has nothing beyond its pins, so there is nothing that leniency could allow.
            return Ok(Self::published(objects, pins, true));
        }
        if let Some(lock) = lock {
            let lock_dir = lock_path.as_deref().and_then(Path::parent).unwrap_or(&settings.base_dir);
            let objects = match &settings.registry {
                Some(url) => open_registry(url, &settings.base_dir, settings)?,
                None => open_registry(&lock.registry, lock_dir, settings)?,
            };
            return Ok(Self::published(objects, Pins::Lock(lock), strict));
        }
        if let Some(url) = &settings.registry {
            let objects = open_registry(url, &settings.base_dir, settings)?;
            return Ok(Self::published(objects, Pins::None, strict));
        }
        match &settings.folder {
            Some(folder) => Ok(Self::Folder(FolderSource::new(settings.base_dir.join(folder), strict))),
            None => Err(Error::NoSource { base_dir: settings.base_dir.clone() }),
        }
    }

    fn published(objects: impl Into<Arc<Objects>>, pins: Pins, strict: bool) -> Self {
        Self::Published(Box::new(PublishedSource::new(objects.into(), pins, strict)))
    }

    /// Takes what a release of a followed environment pins.
    pub(crate) fn of_release(objects: &Arc<Objects>, record: ReleaseRecordV1, strict: bool) -> Self {
        Self::published(Arc::clone(objects), Pins::Release(ReleasePins::new(record)), strict)
    }

    /// Loads a prompt, without any cache in memory.
    pub(crate) fn load(&self, id: &PromptId, ask: Ask<'_>, warnings: &Warnings) -> Result<Loaded, Error> {
        match self {
            Self::Published(published) => published.load(id, ask, warnings),
            Self::Folder(folder) => folder.load(id, ask, warnings),
        }
    }

    /// Returns the environment and the number of the release that says what is pinned.
    pub(crate) fn release(&self) -> Option<(&str, u64)> {
        match self {
            Self::Published(published) => published.release(),
            Self::Folder(_) => None,
        }
    }
}

/// What following an environment needs.
pub(crate) struct Followed {
    pub(crate) objects: Arc<Objects>,
    pub(crate) last_good: Option<LastGoodFile>,
    /// Where to begin when the registry does not answer: what a lock or a bundle pins.
    pub(crate) locked: Option<Locked>,
}

/// A release that was locked.
pub(crate) struct Locked {
    pub(crate) source: Source,
    pub(crate) sequence: u64,
    pub(crate) digest: Option<Digest>,
}

impl Followed {
    /// Opens the registry of the environment to follow: the one that is set, or that of the lock or the bundle.
    pub(crate) fn open(settings: &Settings, environment: &str) -> Result<Self, Error> {
        let unusable =
            |place: &str, reason: String| Error::Setting { setting: FOLLOWED, place: place.to_owned(), source: reason.into() };
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if environment.is_empty() || !environment.bytes().all(is_allowed) {
            return Err(unusable(environment, "an environment's name has lower-case letters, digits and `-`".to_owned()));
        }
        let lock_path = settings.lock.as_ref().map(|lock| settings.base_dir.join(lock));
        let lock = lock_path.as_deref().map(read_lock).transpose()?;
        let bundle = match &settings.bundle {
            Some(path) => {
                let path = settings.base_dir.join(path);
                let objects = Objects::open_bundle(&path)?;
                let header = read_header(&path, &objects)?;
                Some((objects, header, path))
            }
            None => None,
        };
        let lock_dir = lock_path.as_deref().and_then(Path::parent).unwrap_or(&settings.base_dir);
        let (url, from) = match (&settings.registry, &lock, &bundle) {
            (Some(url), ..) => (url.clone(), settings.base_dir.clone()),
            (None, Some(lock), _) => (lock.registry.clone(), lock_dir.to_owned()),
            (None, None, Some((_, header, path))) => (header.registry.clone(), path.parent().unwrap_or(path).to_owned()),
            (None, None, None) => {
                return Err(unusable(environment, "no registry is set, and no lock or bundle names one".to_owned()));
            }
        };
        let registry = open_registry(&url, &from, settings)?;
        // Only what comes over a network is kept on disk: a local registry is on disk.
        let cache = settings.cache_dir.as_ref().filter(|_| matches!(registry, Objects::Remote { .. }));
        let cache = cache.map(|folder| DiskCache::new(settings.base_dir.join(folder)));
        let last_good = cache.map(|cache| LastGoodFile::new(cache, &url, environment));
        let (objects, bundled) = match bundle {
            Some((objects, header, _)) => {
                // Read before the bundle becomes a part of something else.
                let pins = BundledPins::new(header, &objects)?;
                (objects.beside(registry), Some(pins))
            }
            None => (registry, None),
        };
        let objects = Arc::new(objects);
        let strict = settings.is_strict();
        let pins = lock.map(Pins::Lock).or(bundled.map(Pins::Bundle));
        let locked = match pins {
            Some(pins) => {
                let source = PublishedSource::new(Arc::clone(&objects), pins, strict);
                let Some(release) = source.locked_release().filter(|release| release.environment == environment) else {
                    let reason = "the lock or bundle beside it is not of a release of it";
                    return Err(unusable(environment, reason.to_owned()));
                };
                let digest = release.logged.as_ref().map(|logged| logged.proof.entry.digest);
                let sequence = release.sequence;
                Some(Locked { source: Source::Published(Box::new(source)), sequence, digest })
            }
            None => None,
        };
        Ok(Self { objects, last_good, locked })
    }
}

fn read_lock(path: &Path) -> Result<Lock, Error> {
    let unusable = |source| Error::Setting { setting: "the lock", place: path.display().to_string(), source };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.into()))?;
    let lock = Lock::from_bytes(&bytes).map_err(|error| unusable(error.into()))?;
    lock.check_proofs().map_err(|source| Error::Altered { place: format!("the lock `{}`", path.display()), source })?;
    Ok(lock)
}

fn read_header(path: &Path, objects: &Objects) -> Result<BundleHeader, Error> {
    let unusable = |source| Error::Setting { setting: "the bundle", place: path.display().to_string(), source };
    BundleHeader::from_bytes(&objects.required(BundleHeader::NAME)?).map_err(|error| unusable(error.into()))
}

/// Opens the registry at `url`, or at the path `url`: local folders are read directly, others through the store.
fn open_registry(url: &str, base_dir: &Path, settings: &Settings) -> Result<Objects, Error> {
    let local = match url.split_once("://") {
        None => Some(url.into()),
        Some(("file", path)) => {
            let path = percent_encoding::percent_decode_str(path).decode_utf8();
            Some(path.map_err(|error| Error::Setting {
                setting: "the registry's URL",
                place: url.to_owned(),
                source: error.into(),
            })?)
        }
        Some(_) => None,
    };
    if let Some(path) = local {
        return Ok(Objects::LocalFolder { folder: base_dir.join(&*path) });
    }
    let options = StoreOptions { base_dir: base_dir.to_owned(), settings: settings.store_settings.clone() };
    let cache = settings.cache_dir.as_ref().map(|folder| DiskCache::new(settings.base_dir.join(folder)));
    Ok(Objects::Remote { store: RemoteStore::new(url, options, Arc::clone(&settings.clock))?, cache })
}

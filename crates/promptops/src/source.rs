//! Where prompts come from.

mod folder;
mod objects;
mod published;
mod remote;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use promptops_prompt::lock::BundleHeader;
use promptops_prompt::{Closure, Digest, Lock, PromptId, Version};
use promptops_store::StoreOptions;

pub(crate) use self::folder::FolderSource;
pub(crate) use self::published::PublishedSource;

use self::objects::Objects;
use self::published::{BundledPins, Pins};
use self::remote::RemoteStore;
use crate::disk_cache::DiskCache;
use crate::error::Error;
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
                None => Pins::Bundle(BundledPins::new(read_header(&path, &objects.required(BundleHeader::NAME)?)?, &objects)?),
            };
            // A bundle has nothing beyond its pins, so there is nothing that leniency could allow.
            return Ok(Self::Published(Box::new(PublishedSource::new(objects, pins, true))));
        }
        if let Some(lock) = lock {
            let lock_dir = lock_path.as_deref().and_then(Path::parent).unwrap_or(&settings.base_dir);
            let objects = match &settings.registry {
                Some(url) => open_registry(url, &settings.base_dir, settings)?,
                None => open_registry(&lock.registry, lock_dir, settings)?,
            };
            return Ok(Self::Published(Box::new(PublishedSource::new(objects, Pins::Lock(lock), strict))));
        }
        if let Some(url) = &settings.registry {
            let objects = open_registry(url, &settings.base_dir, settings)?;
            return Ok(Self::Published(Box::new(PublishedSource::new(objects, Pins::None, strict))));
        }
        match &settings.folder {
            Some(folder) => Ok(Self::Folder(FolderSource::new(settings.base_dir.join(folder), strict))),
            None => Err(Error::NoSource { base_dir: settings.base_dir.clone() }),
        }
    }

    /// Loads a prompt, without any cache in memory.
    pub(crate) fn load(&self, id: &PromptId, version: Option<Version>, warnings: &Warnings) -> Result<Loaded, Error> {
        match self {
            Self::Published(published) => published.load(id, version, warnings),
            Self::Folder(folder) => folder.load(id, version, warnings),
        }
    }

    /// Returns the environment whose release was locked.
    pub(crate) fn environment(&self) -> Option<&str> {
        match self {
            Self::Published(published) => published.environment(),
            Self::Folder(_) => None,
        }
    }
}

fn read_lock(path: &Path) -> Result<Lock, Error> {
    let unusable = |source| Error::Setting { setting: "the lock", place: path.display().to_string(), source };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.into()))?;
    let lock = Lock::from_bytes(&bytes).map_err(|error| unusable(error.into()))?;
    lock.check_proofs().map_err(|source| Error::Altered { place: format!("the lock `{}`", path.display()), source })?;
    Ok(lock)
}

fn read_header(path: &Path, bytes: &[u8]) -> Result<BundleHeader, Error> {
    let unusable = |source| Error::Setting { setting: "the bundle", place: path.display().to_string(), source };
    BundleHeader::from_bytes(bytes).map_err(|error| unusable(error.into()))
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
    Ok(Objects::Remote { store: RemoteStore::new(url, options)?, cache })
}

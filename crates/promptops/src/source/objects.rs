//! Reading objects of a registry or a bundle.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use promptops_prompt::{Digest, PromptRef};
use promptops_store::Bundle;

use super::remote::RemoteStore;
use crate::disk_cache::DiskCache;
use crate::error::Error;
use crate::warning::{Warning, Warnings};

/// Where objects lie.
#[derive(Debug)]
pub(crate) enum Objects {
    /// A registry in a local folder, read with plain file operations: no thread, no runtime.
    LocalFolder {
        /// The registry's root.
        folder: PathBuf,
    },
    /// A bundle, read in place.
    Bundle {
        /// The open file. It is read at places, not from a position on, so that threads and children of `fork` can share it.
        bundle: Bundle,
    },
    /// A registry, with a bundle that has some of its objects.
    Bundled {
        /// The bundle.
        bundle: Bundle,
        /// The registry.
        registry: Box<Objects>,
    },
    /// A registry behind a network.
    Remote {
        /// The store.
        store: RemoteStore,
        /// What came from it before.
        cache: Option<DiskCache>,
    },
}

/// Where the bytes of an object came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From a registry, which was asked for them.
    Registry,
    /// From a bundle or the cache on disk.
    Kept,
}

impl Objects {
    pub(crate) fn open_bundle(path: &Path) -> Result<Self, Error> {
        let bundle = Bundle::open(path).map_err(|error| Error::Setting {
            setting: "the bundle",
            place: path.display().to_string(),
            source: error.into(),
        })?;
        Ok(Self::Bundle { bundle })
    }

    /// Puts a bundle before a registry; anything else is left out.
    pub(crate) fn beside(self, registry: Self) -> Self {
        match self {
            Self::Bundle { bundle } => Self::Bundled { bundle, registry: Box::new(registry) },
            Self::LocalFolder { .. } | Self::Bundled { .. } | Self::Remote { .. } => registry,
        }
    }

    /// Describes the place for messages.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::LocalFolder { folder } => format!("registry `{}`", folder.display()),
            Self::Bundle { bundle } => format!("bundle `{}`", bundle.path().display()),
            Self::Bundled { registry, .. } => registry.place(),
            Self::Remote { store, .. } => format!("registry `{}`", store.url()),
        }
    }

    /// Returns the name of a version's record.
    pub(crate) fn record_key(&self, reference: &PromptRef) -> String {
        let (id, version) = (&reference.id, reference.version.number());
        match self {
            Self::Bundle { .. } => format!("records/{id}/{version}.json"),
            Self::LocalFolder { .. } | Self::Bundled { .. } | Self::Remote { .. } => {
                format!("prompts/{id}/{version:010}.json")
            }
        }
    }

    /// Reads an object; nothing when there is none.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::LocalFolder { folder } => read_file(folder, key),
            Self::Bundle { bundle } => read_entry(bundle, key),
            // What only a bundle has, the registry need not be asked for.
            Self::Bundled { bundle, .. } if key.starts_with("logged/") || is_bundled_pins(key) => read_entry(bundle, key),
            Self::Bundled { registry, .. } => registry.get(key),
            Self::Remote { store, .. } => store.get(key),
        }
    }

    /// Reads the entry of a sequence that has the highest number; nothing when there is none. `after` is one that exists.
    pub(crate) fn latest(&self, folder: &str, after: Option<u64>) -> Result<Option<(u64, Vec<u8>)>, Error> {
        match self {
            Self::LocalFolder { folder: root } => latest_file(root, folder),
            Self::Bundle { .. } => Ok(None),
            Self::Bundled { registry, .. } => registry.latest(folder, after),
            Self::Remote { store, .. } => store.latest(folder, after),
        }
    }

    /// Returns the ids that a bundle has records of, each once; none of a registry, which would have to be listed.
    pub(crate) fn bundled_ids(&self) -> Vec<String> {
        let (Self::Bundle { bundle } | Self::Bundled { bundle, .. }) = self else { return Vec::new() };
        let id = |name: &str| Some(name.strip_prefix("records/")?.rsplit_once('/')?.0.to_owned());
        let mut ids: Vec<String> = bundle.names().filter_map(id).collect();
        ids.dedup();
        ids
    }

    /// Reads an object that must be there.
    pub(crate) fn required(&self, key: &str) -> Result<Vec<u8>, Error> {
        self.get(key)?.ok_or_else(|| Error::Missing { place: self.place(), key: key.to_owned() })
    }

    /// Tells where an object comes from that no cache had.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Bundle { .. } => Origin::Kept,
            Self::LocalFolder { .. } | Self::Bundled { .. } | Self::Remote { .. } => Origin::Registry,
        }
    }

    /// Reads an object whose digest is known; the cache on disk is asked before the network.
    ///
    /// # Errors
    /// [`Error::Integrity`] when the bytes have another digest: they are neither returned nor kept.
    pub(crate) fn verified(&self, key: &str, expected: Digest, warnings: &Warnings) -> Result<(Vec<u8>, Origin), Error> {
        let cache = match self {
            Self::Bundled { bundle, registry } => {
                // What a bundle holds besides, or what is damaged in it, the registry has.
                let bundled = bundle.get(&bundled_name(key)).ok().flatten().filter(|bytes| Digest::of(bytes) == expected);
                return match bundled {
                    Some(bytes) => Ok((bytes.into(), Origin::Kept)),
                    None => registry.verified(key, expected, warnings),
                };
            }
            Self::Remote { cache, .. } => cache.as_ref(),
            Self::LocalFolder { .. } | Self::Bundle { .. } => None,
        };
        if let Some(bytes) = cache.and_then(|cache| cache.get(expected)) {
            return Ok((bytes, Origin::Kept));
        }
        let bytes = self.required(key)?;
        let found = Digest::of(&bytes);
        if found != expected {
            return Err(Error::Integrity { place: format!("`{key}` in {}", self.place()), expected, found });
        }
        if let Some(cache) = cache
            && let Err(error) = cache.put(expected, &bytes)
        {
            warnings.say(Warning::Cache { folder: cache.folder().clone(), reason: error.to_string() });
        }
        Ok((bytes, self.origin()))
    }
}

fn read_entry(bundle: &Bundle, name: &str) -> Result<Option<Vec<u8>>, Error> {
    bundle.get(name).map(|bytes| bytes.map(Into::into)).map_err(|error| Error::Corrupt {
        place: format!("`{name}` in bundle `{}`", bundle.path().display()),
        source: error.into(),
    })
}

/// Says whether a name is that of pins in a bundle; those of a registry are named by their digest.
fn is_bundled_pins(key: &str) -> bool {
    key.starts_with("pins/") && key.ends_with(".json")
}

/// Returns the name that an object of a registry has in a bundle.
fn bundled_name(key: &str) -> String {
    let record = key.strip_prefix("prompts/").and_then(|rest| rest.strip_suffix(".json")?.rsplit_once('/'));
    match record {
        Some((id, version)) => format!("records/{id}/{}.json", version.trim_start_matches('0')),
        None => key.to_owned(),
    }
}

/// Reads the file of a sequence that has the highest number.
fn latest_file(root: &Path, folder: &str) -> Result<Option<(u64, Vec<u8>)>, Error> {
    let unavailable = |error: std::io::Error| Error::Unavailable { place: root.display().to_string(), source: error.into() };
    let names = match fs::read_dir(root.join(folder)) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound && root.is_dir() => return Ok(None),
        Err(error) => return Err(unavailable(error)),
    };
    let mut latest = None;
    for name in names {
        let name = name.map_err(unavailable)?.file_name();
        // Other files may lie there, such as one that is being written.
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")).filter(|digits| digits.len() == 20);
        latest = latest.max(number.and_then(|digits| digits.parse::<u64>().ok()));
    }
    let Some(number) = latest else { return Ok(None) };
    let key = format!("{folder}/{number:020}.json");
    let bytes = read_file(root, &key)?.ok_or_else(|| Error::Missing { place: root.display().to_string(), key })?;
    Ok(Some((number, bytes)))
}

fn read_file(folder: &Path, key: &str) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(folder.join(key)) {
        Ok(bytes) => Ok(Some(bytes)),
        // A registry that is not there at all is another mistake than an object that is not in it.
        Err(error) if error.kind() == ErrorKind::NotFound && !folder.is_dir() => {
            Err(Error::Unavailable { place: folder.display().to_string(), source: error.into() })
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::Unavailable { place: folder.join(key).display().to_string(), source: error.into() }),
    }
}

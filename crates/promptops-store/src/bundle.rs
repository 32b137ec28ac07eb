//! Many small objects in one file, readable in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use thiserror::Error;
use zip::result::{ZipError, ZipResult};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::error::{Cause, StoreError};
use crate::key::check_key;
use crate::store::MAX_OBJECT_BYTES;

/// Largest sum of the entries of a bundle, in bytes.
pub const MAX_BUNDLE_BYTES: u64 = 1024 * 1024 * 1024;
/// Most entries of a bundle: what a ZIP file counts without the extension that not every tool reads.
pub const MAX_BUNDLE_ENTRIES: usize = 65_534;

/// A failure of a [`Bundle`] or [`BundleWriter`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// There is no such file. Build it, or fix the path.
    #[error("no such bundle: `{}`", path.display())]
    NotFound {
        /// The bundle's path.
        path: PathBuf,
    },
    /// The file is no bundle or damaged. Build it again.
    #[error("not a bundle, or damaged: `{}`", path.display())]
    Corrupt {
        /// The bundle's path.
        path: PathBuf,
        /// What is wrong with it.
        source: Cause,
    },
    /// An entry of the bundle is damaged. Build it again.
    #[error("entry `{name}` is damaged in bundle `{}`", path.display())]
    CorruptEntry {
        /// The bundle's path.
        path: PathBuf,
        /// The entry.
        name: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// The file cannot be read. Check its mode and disk.
    #[error("cannot read bundle `{}`", path.display())]
    Unreadable {
        /// The bundle's path.
        path: PathBuf,
        /// The operating system's account.
        source: io::Error,
    },
    /// The file cannot be written; what was at the path before is untouched. Check the folder's mode and disk.
    #[error("cannot write bundle `{}`", path.display())]
    Unwritable {
        /// The bundle's path.
        path: PathBuf,
        /// The operating system's account.
        source: io::Error,
    },
    /// The name of an entry breaks the rules for keys of a store. Fix the name.
    #[error("{reason}: `{name}`")]
    InvalidName {
        /// The name as given.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Two entries have one name. Add each once.
    #[error("the bundle already has an entry `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The bundle would exceed [`MAX_BUNDLE_BYTES`], [`MAX_BUNDLE_ENTRIES`], or an entry
    /// [`MAX_OBJECT_BYTES`]. Bundle less.
    #[error("the bundle is limited to {limit} {what}, exceeded by entry `{name}`")]
    TooLarge {
        /// The entry that is too much.
        name: String,
        /// What is counted.
        what: &'static str,
        /// The most there may be.
        limit: u64,
    },
}

impl BundleError {
    /// Returns what to do next, as one sentence for a `hint:` line.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } => Some("build the bundle first, or correct the path"),
            Self::Corrupt { .. } | Self::CorruptEntry { .. } => Some("build the bundle again, and copy it as binary"),
            Self::Unreadable { .. } => Some("check that the file may be read"),
            Self::Unwritable { .. } => Some("check that the folder exists, may be written, and has room"),
            Self::TooLarge { .. } => Some("bundle only the prompts that this application loads"),
            Self::InvalidName { .. } | Self::Duplicate { .. } => None,
        }
    }
}

/// Collects named entries and writes them as one file.
///
/// Deterministic: the same entries, added in any order, give the same bytes on every machine and at any time, so a bundle
/// can be compared and signed by its digest. The file is a plain ZIP without compression, sorted by name.
#[derive(Clone, Debug, Default)]
pub struct BundleWriter {
    entries: BTreeMap<String, Bytes>,
    bytes: u64,
}

impl BundleWriter {
    /// Starts an empty bundle.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// [`BundleError::Duplicate`], [`BundleError::InvalidName`] or [`BundleError::TooLarge`]; the bundle is then as before.
    pub fn add(&mut self, name: &str, bytes: impl Into<Bytes>) -> Result<(), BundleError> {
        let bytes = bytes.into();
        if let Err(StoreError::InvalidKey { key, reason }) = check_key(name) {
            return Err(BundleError::InvalidName { name: key, reason });
        }
        if self.entries.contains_key(name) {
            return Err(BundleError::Duplicate { name: name.to_owned() });
        }
        let too_large = |what, limit| Err(BundleError::TooLarge { name: name.to_owned(), what, limit });
        let length = bytes.len() as u64;
        if length > MAX_OBJECT_BYTES {
            return too_large("bytes per entry", MAX_OBJECT_BYTES);
        }
        if self.bytes + length > MAX_BUNDLE_BYTES {
            return too_large("bytes", MAX_BUNDLE_BYTES);
        }
        if self.entries.len() == MAX_BUNDLE_ENTRIES {
            return too_large("entries", MAX_BUNDLE_ENTRIES as u64);
        }
        self.bytes += length;
        self.entries.insert(name.to_owned(), bytes);
        Ok(())
    }

    /// Returns the bundle as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let zipped = self.zip(Cursor::new(Vec::new()));
        zipped.expect("names and sizes were checked, and memory can be written").into_inner()
    }

    /// Writes the bundle to a file, replacing one that is there.
    ///
    /// Whoever reads the path sees the old file or the whole new one, also after a crash: it is written beside it, synced
    /// and renamed. The folder must exist.
    ///
    /// # Errors
    ///
    /// [`BundleError::Unwritable`]; nothing is left behind then.
    pub fn write(&self, path: &Path) -> Result<(), BundleError> {
        self.write_beside(path).map_err(|source| BundleError::Unwritable { path: path.to_owned(), source })
    }

    fn write_beside(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".bundle-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let staged = self.zip(builder.tempfile_in(folder)?)?;
        staged.as_file().sync_all()?;
        staged.persist(path)?;
        Ok(())
    }

    fn zip<W: Write + Seek>(&self, writer: W) -> ZipResult<W> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let mut zip = ZipWriter::new(writer);
        for (name, bytes) in &self.entries {
            zip.start_file(name.as_str(), options)?;
            zip.write_all(bytes)?;
        }
        zip.finish()
    }
}

/// A bundle on disk.
///
/// Opening reads the list of entries at the end of the file and nothing else; each entry is read when it is asked for,
/// and checked against its checksum. That finds accidents, not intent: whoever needs to trust an entry compares its digest.
/// Can be shared between threads, which then read one after the other.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    archive: Mutex<ZipArchive<BufReader<File>>>,
}

impl Bundle {
    /// Opens a bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError::NotFound`], [`BundleError::Unreadable`], or [`BundleError::Corrupt`] when it is no bundle.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let path = path.to_owned();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BundleError::NotFound { path }),
            Err(source) => return Err(BundleError::Unreadable { path, source }),
        };
        match ZipArchive::new(BufReader::new(file)) {
            Ok(archive) => Ok(Self { path, archive: Mutex::new(archive) }),
            Err(ZipError::Io(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                Err(BundleError::Unreadable { path, source })
            }
            Err(error) => Err(BundleError::Corrupt { path, source: Cause::new(error) }),
        }
    }

    /// Returns the path it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names of all entries, sorted. Reads nothing.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Reads an entry; `None` when the bundle has none of this name.
    ///
    /// # Errors
    ///
    /// [`BundleError::CorruptEntry`] when it is cut off, changed, compressed, or larger than [`MAX_OBJECT_BYTES`].
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, BundleError> {
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        match read_entry(&mut archive, name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ZipError::FileNotFound) => Ok(None),
            Err(error) => {
                let source = Cause::new(error);
                Err(BundleError::CorruptEntry { path: self.path.clone(), name: name.to_owned(), source })
            }
        }
    }
}

fn read_entry(archive: &mut ZipArchive<BufReader<File>>, name: &str) -> ZipResult<Bytes> {
    let mut entry = archive.by_name(name)?;
    if entry.compression() != CompressionMethod::Stored || entry.size() != entry.compressed_size() {
        return Err(ZipError::UnsupportedArchive("the entry is compressed"));
    }
    if entry.size() > MAX_OBJECT_BYTES {
        return Err(ZipError::UnsupportedArchive("the entry is too large"));
    }
    // The size is only claimed, so it sets a limit and reserves no memory.
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if bytes.len() as u64 != entry.size() {
        return Err(ZipError::InvalidArchive("the entry is cut off".into()));
    }
    Ok(bytes.into())
}

//! Many small objects in one file, readable in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rawzip::{
    CompressionMethod, ErrorKind, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder, ZipArchiveWriter,
};
use thiserror::Error;

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
        self.zip(Vec::new()).expect("names and sizes were checked, and memory can be written")
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
        let staged = self.zip(BufWriter::new(builder.tempfile_in(folder)?))?;
        let staged = staged.into_inner().map_err(io::IntoInnerError::into_error)?;
        staged.as_file().sync_all()?;
        staged.persist(path)?;
        Ok(())
    }

    fn zip<W: Write>(&self, writer: W) -> io::Result<W> {
        let mut zip = ZipArchiveWriter::builder().with_capacity(self.entries.len()).build(writer);
        for (name, bytes) in &self.entries {
            let file = zip.new_file(name.as_str()).compression_method(CompressionMethod::STORE).unix_permissions(0o644);
            let (mut entry, config) = file.start().map_err(io::Error::other)?;
            let mut content = config.wrap(&mut entry);
            content.write_all(bytes)?;
            let (_, descriptor) = content.finish().map_err(io::Error::other)?;
            entry.finish(descriptor).map_err(io::Error::other)?;
        }
        zip.finish().map_err(io::Error::other)
    }
}

/// A bundle on disk.
///
/// Opening reads the list of entries at the end of the file and nothing else; each entry is read when it is asked for,
/// and checked against its checksum. That finds accidents, not intent: whoever needs to trust an entry compares its digest.
/// Reading moves no position, so threads, and processes after a `fork`, can share an open bundle.
pub struct Bundle {
    path: PathBuf,
    archive: ZipArchive<FileReader>,
    directory: Directory,
}

/// The list of entries, sorted by name, the names one after the other in one text.
#[derive(Default)]
struct Directory {
    names: String,
    entries: Vec<Entry>,
}

struct Entry {
    /// The place of the name in the text, in bytes.
    name_start: usize,
    name_end: usize,
    is_stored: bool,
    place: ZipArchiveEntryWayfinder,
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
        match read_directory(file) {
            Ok((archive, directory)) => Ok(Self { path, archive, directory }),
            Err(error) => match error.kind() {
                ErrorKind::IO(inner) if inner.kind() != io::ErrorKind::UnexpectedEof => {
                    Err(BundleError::Unreadable { path, source: io::Error::new(inner.kind(), error.to_string()) })
                }
                _ => Err(BundleError::Corrupt { path, source: Cause::new(error) }),
            },
        }
    }

    /// Returns the path it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names of all entries, sorted. Reads nothing.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.directory.entries.iter().map(|entry| self.directory.name(entry))
    }

    /// Reads an entry; `None` when the bundle has none of this name.
    ///
    /// # Errors
    ///
    /// [`BundleError::CorruptEntry`] when it is cut off, changed, compressed, or larger than [`MAX_OBJECT_BYTES`].
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, BundleError> {
        let Some(entry) = self.directory.find(name) else { return Ok(None) };
        self.read(entry).map(Some).map_err(|error| {
            let source = Cause::new(error);
            BundleError::CorruptEntry { path: self.path.clone(), name: name.to_owned(), source }
        })
    }

    fn read(&self, entry: &Entry) -> io::Result<Bytes> {
        let size = entry.place.uncompressed_size_hint();
        if !entry.is_stored || size != entry.place.compressed_size_hint() {
            return Err(io::Error::other("the entry is compressed"));
        }
        if size > MAX_OBJECT_BYTES {
            return Err(io::Error::other("the entry is too large"));
        }
        let file = self.archive.get_entry(entry.place).map_err(io::Error::other)?;
        // The size is only claimed, so it sets a limit and reserves no memory.
        let mut bytes = Vec::new();
        file.verifying_reader(file.reader()).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Bundle").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Directory {
    fn name(&self, entry: &Entry) -> &str {
        &self.names[entry.name_start..entry.name_end]
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| self.name(entry).cmp(name)).ok()?;
        Some(&self.entries[found])
    }
}

fn read_directory(file: File) -> Result<(ZipArchive<FileReader>, Directory), rawzip::Error> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer)?;
    let mut directory = Directory::default();
    // How many there are is only claimed, so it reserves no more than a bundle may have.
    directory.entries.reserve(usize::try_from(archive.entries_hint()).unwrap_or(MAX_BUNDLE_ENTRIES).min(MAX_BUNDLE_ENTRIES));
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry()? {
        // A name that is not text is none that can be asked for.
        let Ok(name) = std::str::from_utf8(entry.file_path().as_bytes()) else { continue };
        let name_start = directory.names.len();
        directory.names.push_str(name);
        directory.entries.push(Entry {
            name_start,
            name_end: directory.names.len(),
            is_stored: entry.compression_method() == CompressionMethod::STORE,
            place: entry.wayfinder(),
        });
    }
    let Directory { names, entries } = &mut directory;
    let name = |entry: &Entry| &names[entry.name_start..entry.name_end];
    // A bundle is written in this order; another program may have repacked it.
    if !entries.is_sorted_by(|one, other| name(one) <= name(other)) {
        entries.sort_by(|one, other| name(one).cmp(name(other)));
    }
    Ok((archive, directory))
}

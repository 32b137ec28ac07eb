//! ZIP files whose bytes depend on nothing but their entries, and the reading of those that others wrote.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use promptops_prompt::Digest;
use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// The most bytes that all entries of a ZIP that is read may have together: no package may be larger unzipped.
const MAX_BYTES_READ: u64 = 1 << 30;

/// A file in an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether it can be run.
    pub is_program: bool,
}

impl From<Vec<u8>> for Entry {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, is_program: false }
    }
}

/// Files by name, and what they come to as a ZIP.
#[derive(Debug)]
pub struct Archive {
    /// The ZIP.
    pub bytes: Vec<u8>,
    /// What is in it, sorted by name.
    pub entries: Vec<ArchivedEntry>,
}

/// What a report says of an entry.
#[derive(Debug)]
pub struct ArchivedEntry {
    /// Its name.
    pub name: String,
    /// Its size, unzipped.
    pub bytes: u64,
    /// Its size as it lies in the ZIP.
    pub bytes_zipped: u64,
}

impl Archive {
    /// Zips files: sorted by name, every time 1980-01-01, compressed as far as it goes.
    pub fn of(files: &BTreeMap<String, Entry>) -> Self {
        Self::zip(files).expect("memory can be written, and names and sizes are within what a ZIP holds")
    }

    fn zip(files: &BTreeMap<String, Entry>) -> Result<Self, rawzip::Error> {
        let time = UtcDateTime::from_components(1980, 1, 1, 0, 0, 0, 0).expect("it is a date");
        let mut zip = ZipArchiveWriter::builder().with_capacity(files.len()).build(Vec::new());
        let mut entries = Vec::with_capacity(files.len());
        for (name, file) in files {
            let permissions = if file.is_program { 0o755 } else { 0o644 };
            let builder = zip.new_file(name.as_str()).compression_method(CompressionMethod::DEFLATE);
            let (mut entry, config) = builder.last_modified(time).unix_permissions(permissions).start()?;
            let mut content = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
            content.write_all(&file.bytes)?;
            let (encoder, descriptor) = content.finish()?;
            encoder.finish()?;
            let bytes_zipped = entry.compressed_bytes();
            entry.finish(descriptor)?;
            entries.push(ArchivedEntry { name: name.clone(), bytes: file.bytes.len() as u64, bytes_zipped });
        }
        Ok(Self { bytes: zip.finish()?, entries })
    }

    /// Returns the size of everything in it, unzipped.
    pub fn bytes_unzipped(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// Returns the digest of the ZIP.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Reads every file of a ZIP. `what` names it for people, as `wheel`.
pub fn read(path: &Path, what: &str) -> Outcome<BTreeMap<String, Vec<u8>>> {
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, error))?;
    entries_of(&bytes).map_err(|reason| {
        Failure::new(Exit::Corrupt, format!("`{}` is not a {what}, or damaged: {reason}", path.display()))
            .hint(format!("build or download the {what} again, and copy it as binary"))
    })
}

fn entries_of(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let archive = ZipArchive::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut files = BTreeMap::new();
    let mut room = MAX_BYTES_READ;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(|error| error.to_string())? {
        let name = entry.file_path().try_normalize().map_err(|error| error.to_string())?.as_ref().to_owned();
        if entry.is_dir() {
            continue;
        }
        let file = archive.get_entry(entry.wayfinder()).map_err(|error| format!("entry `{name}`: {error}"))?;
        let mut content = Vec::new();
        // The size of an entry is only claimed, so what is read is counted.
        let read = match entry.compression_method() {
            CompressionMethod::STORE => file.verifying_reader(file.data()).take(room + 1).read_to_end(&mut content),
            CompressionMethod::DEFLATE => {
                file.verifying_reader(DeflateDecoder::new(file.data())).take(room + 1).read_to_end(&mut content)
            }
            _ => return Err(format!("entry `{name}` is compressed in a way that wheels are not")),
        };
        read.map_err(|error| format!("entry `{name}`: {error}"))?;
        room = room.checked_sub(content.len() as u64).ok_or_else(|| format!("it holds more than {MAX_BYTES_READ} bytes"))?;
        files.insert(name, content);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Entry> {
        let program = Entry { bytes: b"#!/bin/sh\n".to_vec(), is_program: true };
        BTreeMap::from([("b/two.py".to_owned(), vec![b'x'; 100_000].into()), ("a/one".to_owned(), program)])
    }

    #[test]
    fn equal_files_give_equal_bytes() {
        let archive = Archive::of(&files());
        assert_eq!(archive.bytes, Archive::of(&files()).bytes);
        assert_eq!(archive.bytes_unzipped(), 100_010);
        assert_eq!(archive.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a/one", "b/two.py"]);
        assert!(archive.entries[1].bytes_zipped < 1_000, "{archive:?}");
    }

    #[test]
    fn what_was_zipped_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.zip");
        std::fs::write(&path, Archive::of(&files()).bytes).unwrap();
        let read = read(&path, "wheel").unwrap();
        assert_eq!(read, files().into_iter().map(|(name, entry)| (name, entry.bytes)).collect());
    }

    #[test]
    fn damage_is_found() {
        let mut bytes = Archive::of(&files()).bytes;
        assert!(entries_of(&bytes[..40]).is_err());
        let place = 38;
        bytes[place] ^= 0xff;
        assert!(entries_of(&bytes).is_err(), "a changed byte of the first entry goes unnoticed");
        assert!(entries_of(b"no archive").is_err());
    }
}

//! Where a dataset is read from, as often as needed, and the digest of what is read.

use std::fs::File;
use std::io::{self, BufRead, Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use promptops_prompt::Digest;
use sha2::{Digest as _, Sha256};

use super::Case;
use super::rows::Problem;

/// Something that can be read from its start again and again.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Bytes that are held in memory.
    Memory(Arc<[u8]>),
    /// Cases that are held in memory: some of a larger dataset.
    Held(Arc<[Case]>),
}

impl Source {
    /// Returns bytes as a source.
    pub fn of_bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::Memory(bytes.as_ref().into())
    }

    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) => Box::new(File::open(path)?),
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Held(_) => Box::new(io::empty()),
        })
    }
}

/// The hash of what was read so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Hash(Arc<Mutex<Sha256>>);

impl Hash {
    pub(super) fn digest(&self) -> Digest {
        // A panic elsewhere cannot leave a hash half-updated.
        let hash = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}").parse().expect("64 lower-case digits were just written")
    }
}

/// Hashes what is read through it.
pub(super) struct Hashing<R> {
    reader: R,
    hash: Hash,
}

impl<R> Hashing<R> {
    pub(super) fn new(reader: R, hash: Hash) -> Self {
        Self { reader, hash }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hash.0.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..count]);
        Ok(count)
    }
}

/// Looks at the beginning of a file and says so if it is UTF-16 or UTF-32: every further finding would be a riddle.
///
/// Such files begin with a byte order mark, or, as their first signs are ASCII, have a zero in their first bytes.
pub(super) fn wide_text(reader: &mut impl BufRead) -> io::Result<Option<Problem>> {
    let start = reader.fill_buf()?;
    let start = &start[..start.len().min(4)];
    let is_wide = start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) || start.contains(&0);
    Ok(is_wide.then(|| Problem {
        hint: Some("write the file as UTF-8; `iconv -f UTF-16 -t UTF-8` converts it"),
        ..Problem::new(1, 0..0, "the file is UTF-16 or UTF-32, not UTF-8")
    }))
}

//! Results of checks, kept by content: safe to delete, never stale.
//!
//! The key of a result is a digest of the file's path and bytes; the whole is bound to the very set of checks that made it and
//! to a checksum. Whatever does not fit is thrown away and made again.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};

use promptops_prompt::check::{FINGERPRINT, FileReport};
use sha2::{Digest as _, Sha256};

use crate::working_tree::PromptFile;

/// The key of one result.
pub type Key = [u8; 32];

/// A file that was looked at: now, or in an earlier run.
#[derive(Debug)]
pub struct LookedAt {
    /// The key of the result.
    pub key: Key,
    /// The result.
    pub report: FileReport,
    /// Whether it was not kept before.
    pub is_new: bool,
}

/// Kept results, each read when it is asked for.
#[derive(Debug, Default)]
pub struct CheckCache {
    path: Option<PathBuf>,
    bytes: Vec<u8>,
    /// Where in the bytes the result of each key stands.
    places: Places,
}

type Places = HashMap<Key, Range<usize>, BuildHasherDefault<FirstBytes>>;

/// Takes the first bytes of a key as its hash: it is a digest already.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// The length of every key is the same.
    fn write_usize(&mut self, _: usize) {}
}

const CHECKSUM_BYTES: usize = 32;
/// Results are written when at least one in this many is new or gone.
const WORTH_WRITING: usize = 100;

impl CheckCache {
    /// Reads the results kept below `folder`; none when there are none or they do not fit.
    pub fn read(folder: &Path) -> Self {
        let path = folder.join(format!("check-{FINGERPRINT}.bin"));
        let bytes = std::fs::read(&path).unwrap_or_default();
        match places(&bytes) {
            Some(places) => Self { path: Some(path), bytes, places },
            None => Self { path: Some(path), ..Self::default() },
        }
    }

    /// Returns a cache that keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the key of a file.
    ///
    /// SHA-256, which processors have instructions for: of a file as small as a prompt they make a digest several times faster
    /// than BLAKE3, whose strength is in larger ones.
    pub fn key(file: &PromptFile) -> Key {
        let mut hasher = Sha256::new();
        for part in [&file.path, &file.path_in_folder] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(file.text.as_bytes());
        hasher.finalize().into()
    }

    /// Returns a kept result.
    pub fn get(&self, key: &Key) -> Option<FileReport> {
        let place = self.places.get(key)?;
        postcard::from_bytes(&self.bytes[place.clone()]).ok()
    }

    /// Keeps exactly `used`, unless that is nearly what is kept. A failure only costs time at the next run, so it is returned to be
    /// mentioned, not to stop anything.
    pub fn write(&self, used: &[LookedAt]) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // Looking at a few files again next time costs less than writing all results now.
        let new = used.iter().filter(|looked| looked.is_new).count();
        let gone = self.places.len().saturating_sub(used.len() - new);
        if (gone + new) * WORTH_WRITING <= used.len() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let staged = folder.join(format!(".check-{}.tmp", std::process::id()));
        let written = encode(used).and_then(|bytes| std::fs::write(&staged, bytes)).and_then(|()| std::fs::rename(&staged, path));
        if written.is_err() {
            // Nothing half-written stays behind; if even this fails the next run overwrites it.
            let _ = std::fs::remove_file(&staged);
        }
        remove_others(folder, path);
        written
    }
}

/// Writes a checksum of the rest, and for each result its key, the length of its bytes, and the bytes.
fn encode(used: &[LookedAt]) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; CHECKSUM_BYTES];
    for LookedAt { key, report, .. } in used {
        bytes.extend_from_slice(key);
        let length_at = bytes.len();
        bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        let result_at = bytes.len();
        bytes = postcard::to_extend(report, bytes).map_err(std::io::Error::other)?;
        let length = u32::try_from(bytes.len() - result_at).map_err(std::io::Error::other)?;
        bytes[length_at..result_at].copy_from_slice(&length.to_le_bytes());
    }
    let checksum = blake3::hash(&bytes[CHECKSUM_BYTES..]);
    bytes[..CHECKSUM_BYTES].copy_from_slice(checksum.as_bytes());
    Ok(bytes)
}

const LENGTH_BYTES: usize = 4;

/// Finds the results in what [`encode`] wrote; nothing when it is not whole.
fn places(bytes: &[u8]) -> Option<Places> {
    let (checksum, payload) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if blake3::hash(payload).as_bytes() != checksum {
        return None;
    }
    let mut places = Places::default();
    let mut rest = payload;
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<{ size_of::<Key>() }>()?;
        let (length, after) = after.split_first_chunk::<LENGTH_BYTES>()?;
        let (_, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let end = bytes.len() - after.len();
        places.insert(*key, end - u32::from_le_bytes(*length) as usize..end);
        rest = after;
    }
    Some(places)
}

/// Removes what other builds kept, so that the folder does not grow with every upgrade.
fn remove_others(folder: &Path, keep: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("check-") && name.ends_with(".bin") && entry.path() != keep {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

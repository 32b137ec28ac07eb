//! Results of checks, kept by content: safe to delete, never stale.
//!
//! The key of a result is a digest of the file's path and bytes; the whole is bound to the very set of checks that made it and
//! to a checksum. Whatever does not fit is thrown away and made again.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};

use promptops_prompt::check::{FINGERPRINT, FileReport};
use sha2::{Digest as _, Sha256};

use crate::working_tree::PromptFile;

/// The key of one result.
pub type Key = [u8; 32];

/// Kept results.
#[derive(Debug, Default)]
pub struct CheckCache {
    path: Option<PathBuf>,
    reports: HashMap<Key, FileReport, BuildHasherDefault<FirstBytes>>,
    taken: usize,
}

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
        let reports = std::fs::read(&path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { path: Some(path), reports, taken: 0 }
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
    pub fn get(&self, key: &Key) -> Option<&FileReport> {
        self.reports.get(key)
    }

    /// Takes a kept result out.
    pub fn take(&mut self, key: &Key) -> Option<FileReport> {
        let report = self.reports.remove(key);
        self.taken += usize::from(report.is_some());
        report
    }

    /// Keeps exactly `used`, unless that is nearly what was kept and taken out. A failure only costs time at the next run, so it is
    /// returned to be mentioned, not to stop anything.
    pub fn write(&self, used: &[(Key, FileReport)]) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // Looking at a few files again next time costs less than writing all results now.
        let (gone, new) = (self.reports.len(), used.len() - self.taken);
        if (gone + new) * WORTH_WRITING <= used.len() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let payload = postcard::to_allocvec(used).map_err(std::io::Error::other)?;
        let mut bytes = blake3::hash(&payload).as_bytes().to_vec();
        bytes.extend(payload);
        let staged = folder.join(format!(".check-{}.tmp", std::process::id()));
        let written = std::fs::write(&staged, bytes).and_then(|()| std::fs::rename(&staged, path));
        if written.is_err() {
            // Nothing half-written stays behind; if even this fails the next run overwrites it.
            let _ = std::fs::remove_file(&staged);
        }
        remove_others(folder, path);
        written
    }
}

fn decode(bytes: &[u8]) -> Option<HashMap<Key, FileReport, BuildHasherDefault<FirstBytes>>> {
    let (checksum, payload) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if blake3::hash(payload).as_bytes() != checksum {
        return None;
    }
    let reports: Vec<(Key, FileReport)> = postcard::from_bytes(payload).ok()?;
    Some(reports.into_iter().collect())
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

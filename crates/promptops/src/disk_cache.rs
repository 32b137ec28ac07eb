//! What came from a remote registry, kept on disk by digest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use promptops_prompt::Digest;

/// Counts the temporary files of this process, so that no two of them share a name.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A folder of objects named by their digests, and of a few files that have names. Safe to delete at any time, and to share between processes.
///
/// An object appears whole or not at all. What is read is verified, so a damaged or forged file is never used: it counts
/// as absent and is replaced.
#[derive(Debug, Clone)]
pub(crate) struct DiskCache {
    folder: PathBuf,
}

impl DiskCache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    pub(crate) fn get(&self, digest: Digest) -> Option<Vec<u8>> {
        fs::read(self.path(digest)).ok().filter(|bytes| Digest::of(bytes) == digest)
    }

    /// Keeps `bytes` under their digest.
    pub(crate) fn put(&self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        write_whole(&self.path(digest), bytes)
    }

    /// Reads a file that has a name. Whether it is what it should be is for the caller to see.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    /// Writes a file that has a name, in the place of the one that is there.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write_whole(&self.folder.join(name), bytes)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join("sha256").join(digest.hex())
    }
}

/// Writes a file so that it appears whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("a file lies in a folder of the cache");
    fs::create_dir_all(folder)?;
    let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!("{name}#{}-{number}", std::process::id()));
    let result = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // What cannot be written can perhaps not be removed either; nobody reads it.
        let _ = fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_was_given_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(folder.path().join("cache"));
        let digest = Digest::of(b"content");
        assert_eq!(cache.get(digest), None);
        cache.put(digest, b"content").unwrap();
        assert_eq!(cache.get(digest).as_deref(), Some(&b"content"[..]));
        let files: Vec<_> = fs::read_dir(folder.path().join("cache/sha256")).unwrap().collect();
        assert_eq!(files.len(), 1, "no temporary file is left");
    }

    #[test]
    fn a_damaged_object_is_absent_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(folder.path().to_owned());
        let digest = Digest::of(b"content");
        cache.put(digest, b"content").unwrap();
        fs::write(cache.path(digest), b"contenT").unwrap();
        assert_eq!(cache.get(digest), None);
        cache.put(digest, b"content").unwrap();
        assert!(cache.get(digest).is_some());
    }
}

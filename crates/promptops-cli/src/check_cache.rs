//! Results of checks, kept by content: safe to delete, never stale.
//!
//! The key of a result is a keyed hash of the file's path and bytes; the whole is bound to the very set of checks that made it and
//! to a checksum. Whatever does not fit is thrown away and made again.
//!
//! The hash is HighwayHash under random bytes of each cache, which are kept beside the results: it is several times faster than a
//! cryptographic digest, and nobody who writes a prompt can make two files of one hash without knowing these bytes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};

use highway::{HighwayHash as _, HighwayHasher};
use promptops_prompt::check::{FINGERPRINT, FileReport};

use crate::working_tree::PromptFile;

/// The key of one result.
pub type Key = [u8; 16];

/// What the hashes of a cache are made under.
type HashKey = [u64; 4];

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
    hash_key: HashKey,
}

type Places = HashMap<Key, Range<usize>, BuildHasherDefault<FirstBytes>>;

/// Takes the first bytes of a key as its hash: it is one already.
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
const HASH_KEY_BYTES: usize = 32;
/// Results are written when at least one in this many is new or gone.
const WORTH_WRITING: usize = 100;

impl CheckCache {
    /// Reads the results kept below `folder`; none when there are none or they do not fit.
    pub fn read(folder: &Path) -> Self {
        let path = folder.join(format!("check-{FINGERPRINT}.bin"));
        let bytes = std::fs::read(&path).unwrap_or_default();
        if let Some((hash_key, places)) = contents(&bytes) {
            return Self { path: Some(path), bytes, places, hash_key };
        }
        let mut random = [0; HASH_KEY_BYTES];
        match getrandom::fill(&mut random) {
            Ok(()) => Self { path: Some(path), hash_key: hash_key(&random), ..Self::default() },
            // Without random bytes nothing is kept.
            Err(_) => Self::none(),
        }
    }

    /// Returns a cache that keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the key of a file: of its path from the project's root, its path in the prompts folder, and its bytes.
    pub fn key(&self, path: &str, path_in_folder: &str, bytes: &[u8]) -> Key {
        let mut hasher = HighwayHasher::new(highway::Key(self.hash_key));
        for part in [path, path_in_folder] {
            hasher.append(&(part.len() as u64).to_le_bytes());
            hasher.append(part.as_bytes());
        }
        hasher.append(bytes);
        let [low, high] = hasher.finalize128();
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    /// Returns the key of a file that is held.
    pub fn key_of(&self, file: &PromptFile) -> Key {
        self.key(&file.path, &file.path_in_folder, file.text.as_bytes())
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
        let written = encode(self.hash_key, used)
            .and_then(|bytes| std::fs::write(&staged, bytes))
            .and_then(|()| std::fs::rename(&staged, path));
        if written.is_err() {
            // Nothing half-written stays behind; if even this fails the next run overwrites it.
            let _ = std::fs::remove_file(&staged);
        }
        remove_others(folder, path);
        written
    }
}

/// Writes a checksum of the rest, the hash key, and for each result its key, the length of its bytes, and the bytes.
fn encode(hash_key: HashKey, used: &[LookedAt]) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; CHECKSUM_BYTES];
    bytes.extend(hash_key.iter().flat_map(|part| part.to_le_bytes()));
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

/// Finds the hash key and the results in what [`encode`] wrote; nothing when it is not whole.
fn contents(bytes: &[u8]) -> Option<(HashKey, Places)> {
    let (checksum, payload) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if blake3::hash(payload).as_bytes() != checksum {
        return None;
    }
    let (key, mut rest) = payload.split_first_chunk::<HASH_KEY_BYTES>()?;
    let mut places = Places::default();
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<{ size_of::<Key>() }>()?;
        let (length, after) = after.split_first_chunk::<LENGTH_BYTES>()?;
        let (_, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let end = bytes.len() - after.len();
        places.insert(*key, end - u32::from_le_bytes(*length) as usize..end);
        rest = after;
    }
    Some((hash_key(key), places))
}

fn hash_key(bytes: &[u8; HASH_KEY_BYTES]) -> HashKey {
    let mut key = HashKey::default();
    for (part, bytes) in key.iter_mut().zip(bytes.as_chunks().0) {
        *part = u64::from_le_bytes(*bytes);
    }
    key
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

//! The last release of a followed environment that a loader on this machine could use, kept on disk.

use chrono::{DateTime, Utc};
use promptops_prompt::Digest;
use serde::{Deserialize, Serialize};

use crate::disk_cache::DiskCache;
use crate::release_record::ReleaseRecordV1;

/// The only format that this version writes and reads.
const FORMAT: u32 = 1;

/// Where the last good release of one environment of one registry is kept.
#[derive(Debug)]
pub(crate) struct LastGoodFile {
    cache: DiskCache,
    registry: String,
    environment: String,
}

/// What stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct LastGoodV1 {
    format: u32,
    registry: String,
    environment: String,
    sequence: u64,
    /// When the registry was last seen to have no later release, UTC.
    checked: DateTime<Utc>,
    /// The digest of the release, so that a damaged file counts as none.
    digest: Digest,
    /// The release as the registry has it.
    release: String,
}

/// A release, and when it was last seen to be the latest.
#[derive(Debug)]
pub(crate) struct LastGood {
    pub(crate) release: ReleaseRecordV1,
    pub(crate) digest: Digest,
    pub(crate) checked: DateTime<Utc>,
}

impl LastGoodFile {
    pub(crate) fn new(cache: DiskCache, registry: &str, environment: &str) -> Self {
        Self { cache, registry: registry.to_owned(), environment: environment.to_owned() }
    }

    /// Reads it; nothing when there is none, or what is there cannot be used.
    pub(crate) fn read(&self) -> Option<LastGood> {
        let file: LastGoodV1 = serde_json::from_slice(&self.cache.read(&self.name())?).ok()?;
        let is_ours = file.format == FORMAT && file.registry == self.registry && file.environment == self.environment;
        if !is_ours || Digest::of(file.release.as_bytes()) != file.digest {
            return None;
        }
        let release = ReleaseRecordV1::read(file.release.as_bytes(), &self.environment, file.sequence).ok()?;
        Some(LastGood { release, digest: file.digest, checked: file.checked })
    }

    /// Writes it. A later release that another process wrote meanwhile stays.
    pub(crate) fn write(&self, sequence: u64, release: &str, checked: DateTime<Utc>) -> std::io::Result<()> {
        if self.read().is_some_and(|there| there.release.sequence > sequence) {
            return Ok(());
        }
        let file = LastGoodV1 {
            format: FORMAT,
            registry: self.registry.clone(),
            environment: self.environment.clone(),
            sequence,
            checked,
            digest: Digest::of(release.as_bytes()),
            release: release.to_owned(),
        };
        self.cache.write(&self.name(), &serde_json::to_vec(&file).expect("it has only string keys"))
    }

    /// Notes that the release that is there was seen to be the latest once more.
    pub(crate) fn confirm(&self, sequence: u64, checked: DateTime<Utc>) -> std::io::Result<()> {
        let Some(mut file) = self.cache.read(&self.name()).and_then(|bytes| serde_json::from_slice::<LastGoodV1>(&bytes).ok())
        else {
            return Ok(());
        };
        if file.sequence != sequence || file.checked >= checked {
            return Ok(());
        }
        file.checked = checked;
        self.cache.write(&self.name(), &serde_json::to_vec(&file).expect("it has only string keys"))
    }

    pub(crate) fn cache(&self) -> &DiskCache {
        &self.cache
    }

    fn name(&self) -> String {
        format!("environments/{}.json", Digest::of_parts(&[self.registry.as_bytes(), b"\n", self.environment.as_bytes()]).hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(sequence: u64) -> String {
        format!(r#"{{"format":1,"environment":"prod","sequence":{sequence},"pins":{{}}}}"#)
    }

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |registry: &str| LastGoodFile::new(DiskCache::new(folder.path().to_owned()), registry, "prod");
        let ours = file("s3://bucket");
        assert!(ours.read().is_none());
        let checked = "2026-05-01T12:00:00Z".parse().unwrap();
        ours.write(7, &release(7), checked).unwrap();
        let read = ours.read().unwrap();
        assert_eq!((read.release.sequence, read.checked, read.digest), (7, checked, Digest::of(release(7).as_bytes())));
        assert!(file("s3://other").read().is_none(), "each registry has its own");

        ours.write(6, &release(6), checked).unwrap();
        assert_eq!(ours.read().unwrap().release.sequence, 7, "a slower process does not turn it back");

        let path = folder.path().join(ours.name());
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("\\\"pins\\\":{}", "\\\"pins\\\":{ }"),
            text.replace("s3://bucket", "s3://other"),
            text[..40].to_owned(),
        ] {
            assert_ne!(damaged, text);
            std::fs::write(&path, damaged).unwrap();
            assert!(ours.read().is_none());
        }
        ours.write(1, &release(1), checked).unwrap();
        assert_eq!(ours.read().unwrap().release.sequence, 1, "a damaged file is replaced");
    }
}

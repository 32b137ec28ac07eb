//! The published record of a version, as far as a loader needs it.

use promptops_prompt::{Digest, Metadata, PromptId, PromptRef, Version};
use serde::Deserialize;

/// The only format that this version reads.
const RECORD_FORMAT: u32 = 1;

/// What stands at `prompts/<id>/<version>.json`; members that a loader does not need are skipped.
#[derive(Debug, Deserialize)]
pub(crate) struct VersionRecordV1 {
    format: u32,
    pub(crate) id: PromptId,
    pub(crate) version: Version,
    #[serde(default)]
    pub(crate) parent: Option<PromptRef>,
    pub(crate) digest: Digest,
    pub(crate) metadata: Metadata,
}

/// Says why bytes are not the record of a version.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("the record has format `{0}`; this version reads format `{RECORD_FORMAT}`")]
    Format(u32),
    #[error("the record is that of `{found}`, not of `{expected}`")]
    Other { expected: PromptRef, found: PromptRef },
}

impl VersionRecordV1 {
    /// Reads the record of `expected`.
    pub(crate) fn read(bytes: &[u8], expected: &PromptRef) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(bytes)?;
        if record.format != RECORD_FORMAT {
            return Err(RecordError::Format(record.format));
        }
        let found = record.id.at(record.version);
        if found != *expected {
            return Err(RecordError::Other { expected: expected.clone(), found });
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: u32, id: &str) -> Result<VersionRecordV1, RecordError> {
        let record = serde_json::json!({
            "format": format, "id": id, "version": 2, "parent": "a.b@1", "digest": Digest::of(b"x"),
            "metadata": {"owner": "team", "tags": ["t"]}, "provenance": {"source": "git"}, "published": "2026-05-01T00:00:00Z",
        });
        VersionRecordV1::read(record.to_string().as_bytes(), &"a.b@2".parse().unwrap())
    }

    #[test]
    fn takes_what_it_needs_and_skips_the_rest() {
        let record = read(1, "a.b").unwrap();
        assert_eq!((record.metadata.owner.as_str(), record.parent), ("team", Some("a.b@1".parse().unwrap())));
    }

    #[test]
    fn refuses_another_format_and_another_prompt() {
        assert!(matches!(read(2, "a.b"), Err(RecordError::Format(2))));
        assert_eq!(read(1, "a.c").unwrap_err().to_string(), "the record is that of `a.c@2`, not of `a.b@2`");
    }
}

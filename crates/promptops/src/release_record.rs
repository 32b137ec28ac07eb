//! A release of an environment, as far as a loader needs it.

use std::collections::BTreeMap;

use promptops_prompt::Digest;
use serde::Deserialize;

/// The only format that this version reads.
const RECORD_FORMAT: u32 = 1;

/// What stands at `environments/<name>/<sequence>.json`; members that a loader does not need are skipped.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReleaseRecordV1 {
    format: u32,
    pub(crate) environment: String,
    pub(crate) sequence: u64,
    /// The digests of the shards of its pins, by name.
    pub(crate) pins: BTreeMap<String, Digest>,
}

/// Says why bytes are not the record of a release.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("the release has format `{0}`; this version reads format `{RECORD_FORMAT}`")]
    Format(u32),
    #[error("it is release {sequence} of `{environment}`")]
    Other { environment: String, sequence: u64 },
}

/// Returns the key of a release.
pub(crate) fn release_key(environment: &str, sequence: u64) -> String {
    format!("environments/{environment}/{sequence:020}.json")
}

impl ReleaseRecordV1 {
    /// Reads that release of that environment.
    pub(crate) fn read(bytes: &[u8], environment: &str, sequence: u64) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(bytes)?;
        if record.format != RECORD_FORMAT {
            return Err(RecordError::Format(record.format));
        }
        if record.environment != environment || record.sequence != sequence {
            return Err(RecordError::Other { environment: record.environment, sequence: record.sequence });
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: u32, sequence: u64) -> Result<ReleaseRecordV1, RecordError> {
        let record = serde_json::json!({
            "format": format, "environment": "prod", "sequence": sequence, "time": "2026-05-01T00:00:00Z", "actor": "a",
            "action": "deploy", "pins": {"0f": Digest::of(b"x")},
        });
        ReleaseRecordV1::read(record.to_string().as_bytes(), "prod", 7)
    }

    #[test]
    fn takes_what_it_needs_and_refuses_another_release() {
        assert_eq!(read(1, 7).unwrap().pins["0f"], Digest::of(b"x"));
        assert!(matches!(read(2, 7), Err(RecordError::Format(2))));
        assert_eq!(read(1, 8).unwrap_err().to_string(), "it is release 8 of `prod`");
        assert_eq!(release_key("prod", 7), "environments/prod/00000000000000000007.json");
    }
}

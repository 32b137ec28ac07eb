//! The status of a published version: in use, deprecated from a day on, or yanked.
//!
//! A status is a record beside the version, which itself never changes. Registry and loader read the same records, so
//! their form and what follows from them stand here.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{PromptId, PromptRef, Version};

/// The only format that this version writes and reads.
pub const STATUS_FORMAT: u32 = 1;

/// What a version is from a record on, until the next record about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is withdrawn: nothing may begin to use it. What uses it already can still load it.
    Yanked,
    /// It is withdrawn from a day on; until then it may be used.
    Deprecated,
    /// It is in use as if nothing had been said about it.
    Restored,
}

/// A change of the status of one version, with who made it and why. Wire format 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRecord {
    /// [`STATUS_FORMAT`].
    pub format: u32,
    /// The prompt.
    pub id: PromptId,
    /// The number of the record, from 1, over all versions of the prompt.
    pub sequence: u64,
    /// The version it is about.
    pub version: Version,
    /// What the version is from now on.
    pub state: State,
    /// The day from whose beginning, UTC, a deprecated version must not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// What to use in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<PromptRef>,
    /// Why.
    pub reason: String,
    /// When, UTC; never before the record it follows.
    pub time: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// The revision whose policy it was decided by.
    pub rules: String,
    /// The environments that ran the version when it was withdrawn all the same.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forced: BTreeSet<String>,
}

/// Says why bytes are not the record of a status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// They are not JSON of the documented shape.
    #[error("the status is not readable")]
    Malformed(#[from] serde_json::Error),
    /// They were written by a newer version.
    #[error("the status has format `{0}`; this version reads format `{STATUS_FORMAT}`")]
    Format(u32),
}

impl StatusRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`StatusError`] when the bytes are not a record of [`STATUS_FORMAT`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatusError> {
        let record: Self = serde_json::from_slice(bytes)?;
        if record.format == STATUS_FORMAT { Ok(record) } else { Err(StatusError::Format(record.format)) }
    }

    /// Returns the version it is about.
    pub fn reference(&self) -> PromptRef {
        self.id.at(self.version)
    }

    /// Tells whether nothing may begin to use the version: it is yanked, or deprecated and its day has come.
    pub fn is_withdrawn(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            State::Yanked => true,
            // A record without its day says nothing that would let the version pass.
            State::Deprecated => self.date.is_none_or(|date| date <= now.date_naive()),
            State::Restored => false,
        }
    }
}

/// As `` `a.b@1` is deprecated and must not be used from 2026-12-01 on; use `a.b@2` instead (it is too slow) ``.
impl fmt::Display for StatusRecord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is ", self.reference())?;
        match (self.state, self.date) {
            (State::Yanked, _) => out.write_str("yanked")?,
            (State::Deprecated, Some(date)) => write!(out, "deprecated and must not be used from {date} on")?,
            (State::Deprecated, None) => out.write_str("deprecated")?,
            (State::Restored, _) => out.write_str("in use")?,
        }
        if let Some(replacement) = &self.replacement {
            write!(out, "; use `{replacement}` instead")?;
        }
        write!(out, " ({})", self.reason)
    }
}

/// Returns what the records of a prompt, in order, say of one version: the last one about it. Nothing when there is none or
/// it is in use again.
pub fn status_of(records: &[StatusRecord], version: Version) -> Option<&StatusRecord> {
    records.iter().rfind(|record| record.version == version).filter(|record| record.state != State::Restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, version: u32, state: State, date: Option<&str>) -> StatusRecord {
        StatusRecord {
            format: STATUS_FORMAT,
            id: "a.b".parse().unwrap(),
            sequence,
            version: Version::new(version).unwrap(),
            state,
            date: date.map(|date| date.parse().unwrap()),
            replacement: date.map(|_| "a.b@9".parse().unwrap()),
            reason: "it invents refunds".into(),
            time: "2026-11-01T03:00:00Z".parse().unwrap(),
            by: "ann@example.com".into(),
            rules: "0123abc".into(),
            forced: BTreeSet::new(),
        }
    }

    #[test]
    fn a_deprecated_version_is_withdrawn_from_the_beginning_of_its_day() {
        let deprecated = record(1, 2, State::Deprecated, Some("2026-12-01"));
        let at = |time: &str| deprecated.is_withdrawn(time.parse().unwrap());
        assert!(!at("2026-11-30T23:59:59Z"));
        assert!(at("2026-12-01T00:00:00Z") && at("2027-01-01T00:00:00Z"));
        let now = deprecated.time;
        assert!(record(1, 2, State::Yanked, None).is_withdrawn(now));
        assert!(!record(1, 2, State::Restored, None).is_withdrawn(now));
        assert!(record(1, 2, State::Deprecated, None).is_withdrawn(now), "without a day there is none to wait for");
    }

    #[test]
    fn the_last_record_about_a_version_decides() {
        let records = [
            record(1, 2, State::Deprecated, Some("2026-12-01")),
            record(2, 1, State::Yanked, None),
            record(3, 2, State::Yanked, None),
            record(4, 1, State::Restored, None),
        ];
        let of = |version| status_of(&records, Version::new(version).unwrap()).map(|record| record.sequence);
        assert_eq!((of(1), of(2), of(3)), (None, Some(3), None));
    }

    #[test]
    fn says_what_to_do_in_one_sentence() {
        assert_eq!(record(1, 2, State::Yanked, None).to_string(), "`a.b@2` is yanked (it invents refunds)");
        assert_eq!(
            record(1, 2, State::Deprecated, Some("2026-12-01")).to_string(),
            "`a.b@2` is deprecated and must not be used from 2026-12-01 on; use `a.b@9` instead (it invents refunds)"
        );
    }

    #[test]
    fn reads_what_it_writes_and_no_other_format() {
        let record = record(1, 2, State::Deprecated, Some("2026-12-01"));
        let mut json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["date"], "2026-12-01");
        assert_eq!(json["state"], "deprecated");
        assert_eq!(StatusRecord::from_bytes(json.to_string().as_bytes()).unwrap(), record);
        json["format"] = 2.into();
        let error = StatusRecord::from_bytes(json.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the status has format `2`; this version reads format `1`");
        assert!(matches!(StatusRecord::from_bytes(b"{}"), Err(StatusError::Malformed(_))));
    }
}

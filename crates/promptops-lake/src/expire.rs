//! Retention.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::partition::Partition;
use crate::schema::TABLE;

/// What is older than the lake keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Hours that are over.
    pub hours: u64,
    /// Their files.
    pub files: u64,
    /// The bytes of these.
    pub bytes: u64,
    /// When the first of the hours begins, UTC.
    pub first: Option<DateTime<Utc>>,
    /// When the last of them ends, UTC.
    pub last: Option<DateTime<Utc>>,
}

impl Lake {
    /// Returns which hours were over by this time. Nothing is deleted.
    ///
    /// # Errors
    ///
    /// As the store fails.
    pub async fn expired(&self, before: DateTime<Utc>) -> Result<Expired, LakeError> {
        Ok(summary(&self.hours_before(before).await?))
    }

    /// Deletes the hours that were over by this time, the oldest first; what landed of them and waits goes after its compaction.
    ///
    /// A query that is under way reads again without them. Deleted records are gone; one that is imported again is new.
    ///
    /// # Errors
    ///
    /// As the store fails; hours that were deleted by then are gone, and repeating it goes on.
    pub async fn expire(&self, before: DateTime<Utc>) -> Result<Expired, LakeError> {
        let files = self.hours_before(before).await?;
        for (_, file) in &files {
            self.delete(&file.location).await?;
        }
        Ok(summary(&files))
    }

    async fn hours_before(&self, before: DateTime<Utc>) -> Result<Vec<(Partition, ObjectMeta)>, LakeError> {
        let files = self.files(&Path::from(TABLE)).await?;
        let with_hour = files.into_iter().filter_map(|file| Some((Partition::of_file(&file.location)?, file)));
        Ok(with_hour.filter(|(hour, _)| hour.end() <= before).collect())
    }
}

fn summary(files: &[(Partition, ObjectMeta)]) -> Expired {
    let hours: BTreeSet<Partition> = files.iter().map(|(hour, _)| *hour).collect();
    Expired {
        hours: hours.len() as u64,
        files: files.len() as u64,
        bytes: files.iter().map(|(_, file)| file.size).sum(),
        first: hours.first().map(|hour| hour.start()),
        last: hours.last().map(|hour| hour.end()),
    }
}

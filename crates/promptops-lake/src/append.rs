//! Writing records so that each counts once.

use std::collections::{BTreeMap, HashSet};

use promptops_telemetry::{Invocation, Uuid};

use crate::error::LakeError;
use crate::lake::Lake;
use crate::partition::{Partition, number_of};
use crate::rows::check;
use crate::write::encode;

/// How often a write that lost to another writer is repeated.
pub(crate) const ATTEMPTS: u32 = 100;

/// What an append did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that are new in the lake. When the store's answer to a write was lost, what that write stored counts as
    /// duplicates instead.
    pub written: u64,
    /// Records whose id was in the lake already, or twice among those given.
    pub duplicates: u64,
    /// Files that were created.
    pub files: u64,
}

impl Lake {
    /// Adds the records that the lake does not hold yet, one file for each hour they are in.
    ///
    /// **Counts once.** Of all records with one `invocation_id` in one hour, the first that was written stays; so
    /// repeating an import, or importing files that overlap, adds nothing twice, also when several processes do so at
    /// the same time. (An id that comes again with a time in another hour is another record; the ids that imports derive
    /// contain the time.) The files of an hour are numbered. A writer reads the ids of all of them, writes the records
    /// that are missing under the next number with create-if-absent, and begins again when another writer took it.
    ///
    /// **Whole or not at all** for each file, in ascending order of hours. A failure in between leaves the hours before;
    /// repeating the append adds the others.
    ///
    /// Rows are sorted by prompt, version, time and id; files are compressed with zstd. Reads the ids of each hour
    /// that is written to, where they lie around the new ones, so few large appends are cheaper than many small ones;
    /// many small ones are for [`Lake::land`].
    ///
    /// # Errors
    ///
    /// [`LakeError::Record`] before anything is written, when a record has a value that no column holds;
    /// [`LakeError::Corrupt`] when a file of the hour cannot be read; otherwise as the store fails.
    pub async fn append(&self, records: &[Invocation]) -> Result<Appended, LakeError> {
        let mut hours: BTreeMap<Partition, Vec<&Invocation>> = BTreeMap::new();
        for record in records {
            hours.entry(check(record)?).or_default().push(record);
        }
        let mut total = Appended::default();
        for (hour, records) in hours {
            let written = self.append_hour(hour, &records).await?;
            total.written += written;
            total.duplicates += records.len() as u64 - written;
            total.files += u64::from(written > 0);
        }
        Ok(total)
    }

    /// Returns how many of the records were written.
    async fn append_hour(&self, hour: Partition, records: &[&Invocation]) -> Result<u64, LakeError> {
        let mut wanted: Vec<Uuid> = records.iter().map(|record| record.invocation_id).collect();
        wanted.sort_unstable();
        let mut known: HashSet<Uuid> = HashSet::new();
        let mut files_read = HashSet::new();
        for _ in 0..ATTEMPTS {
            let files = self.files(&hour.folder()).await?;
            for file in &files {
                if files_read.insert(file.location.clone()) {
                    known.extend(self.ids_among(file, &wanted).await?);
                }
            }
            let mut chosen = HashSet::new();
            let mut missing: Vec<&Invocation> = records
                .iter()
                .copied()
                .filter(|record| !known.contains(&record.invocation_id) && chosen.insert(record.invocation_id))
                .collect();
            if missing.is_empty() {
                return Ok(0);
            }
            missing.sort_by_key(|record| (&record.prompt_id, record.prompt_version, record.time, record.invocation_id));
            let number = files.iter().filter_map(|file| number_of(&file.location)).max().unwrap_or(0) + 1;
            if self.create(&hour.file(number), encode(&missing)?).await? {
                return Ok(missing.len() as u64);
            }
        }
        Err(LakeError::Contended { place: hour.to_string(), attempts: ATTEMPTS })
    }
}

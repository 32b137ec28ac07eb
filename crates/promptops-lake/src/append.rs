//! Writing records so that each counts once.

use std::collections::{BTreeMap, HashSet};

use arrow::array::StringArray;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, PutMode, PutOptions};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use promptops_telemetry::{Invocation, Uuid};

use crate::error::LakeError;
use crate::file;
use crate::lake::Lake;
use crate::partition::{Partition, number_of};
use crate::rows::{Columns, check, to_batch};

/// How often a write that lost to another writer is repeated.
const ATTEMPTS: u32 = 100;

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
    /// Rows are sorted by prompt, version, time and id; files are compressed with zstd. Reads the id column of each hour
    /// that is written to, so few large appends are cheaper than many small ones.
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
        let mut known = HashSet::new();
        let mut files_read = HashSet::new();
        for _ in 0..ATTEMPTS {
            let files = self.files(&hour.folder()).await?;
            for file in &files {
                if files_read.insert(file.location.clone()) {
                    self.read_ids(file, &mut known).await?;
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
            let bytes = encode(&missing).map_err(|error| LakeError::Execution(error.to_string()))?;
            let number = files.iter().filter_map(|file| number_of(&file.location)).max().unwrap_or(0) + 1;
            if self.create(&hour.file(number), bytes).await? {
                return Ok(missing.len() as u64);
            }
        }
        Err(LakeError::Contended { place: hour.to_string(), attempts: ATTEMPTS })
    }

    /// Creates a file; returns false when there is one of this name.
    async fn create(&self, file: &Path, bytes: Bytes) -> Result<bool, LakeError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(file, bytes.into(), options).await {
            Ok(_) => Ok(true),
            // An answer that was lost and a request sent again look like another writer, too: the ids will tell.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(LakeError::store("write", file.as_ref(), error)),
        }
    }

    async fn read_ids(&self, file: &ObjectMeta, ids: &mut HashSet<Uuid>) -> Result<(), LakeError> {
        let builder = file::open(&self.store, file).await?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["invocation_id"]);
        let mut batches = builder.with_projection(mask).build().map_err(|error| file::unreadable(file, error))?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| file::unreadable(file, error))?;
            let column: &StringArray = Columns(&batch)
                .get("invocation_id")
                .map_err(|error| LakeError::Corrupt { file: file.location.to_string(), source: error.into() })?;
            // What is no UUID was written by another tool and equals no id of ours.
            ids.extend(column.iter().flatten().filter_map(|id| id.parse::<Uuid>().ok()));
        }
        Ok(())
    }
}

/// Makes the bytes of a file. The same records give the same bytes.
fn encode(records: &[&Invocation]) -> Result<Bytes, ArrowError> {
    let batch = to_batch(records)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

//! Putting landed records into their hours.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::append::ATTEMPTS;
use crate::error::LakeError;
use crate::ids::Waiting;
use crate::lake::Lake;
use crate::partition::{Partition, number_of};
use crate::query::engine;
use crate::schema::{TABLE, UTC, schema};
use crate::snapshot::{READ_ATTEMPTS, Snapshot, is_gone};
use crate::write::FileBuilder;

/// Hours that one compaction puts in order; the others are left to the next. It bounds what a clock that jumps about can cause.
const HOURS_AT_ONCE: usize = 256;

/// When landed records go into their hours, and in how large files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactSettings {
    /// How long after an hour is over its records wait for late ones.
    pub settle: TimeDelta,
    /// Bytes of a file. An hour of which that much waits does not wait until it is over.
    pub file_bytes: u64,
    /// Bytes that may be used to sort; more goes to the disk meanwhile.
    pub sort_bytes: usize,
}

impl Default for CompactSettings {
    fn default() -> Self {
        Self { settle: TimeDelta::minutes(10), file_bytes: 64 << 20, sort_bytes: 64 << 20 }
    }
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Hours that got files.
    pub hours: u64,
    /// Files that were created in them.
    pub files: u64,
    /// Records in these files.
    pub records: u64,
    /// Landed files that were deleted, because everything in them is in its hours.
    pub segments: u64,
    /// Landed records that wait for their hour to be over, or for more of it.
    pub waiting: u64,
    /// Those of them whose time is more than a day ahead of the clock.
    pub ahead: u64,
    /// Landed files that a newer version wrote, with columns that this one does not know. It leaves them alone.
    pub newer: u64,
}

impl Lake {
    /// Puts landed records into their hours: sorted by prompt, version, time and id, each once, in files of the right size.
    ///
    /// An hour is put in order when it has been over for a while, or when enough of it waits to fill a file. What comes late for
    /// an hour that has files waits the longer the older the hour is, a tenth of its age and a day at most, so that late
    /// records never make many files. With no `settings` everything is put in order that waits.
    ///
    /// **Atomic for readers.** A file of an hour is created whole and never changes, and only then the landed files are
    /// deleted of which every record is in its hour. Readers of this crate hold the two against each other, so that at every
    /// moment each record counts once. Engines that list `invocations` themselves see every record once from the moment its
    /// file exists, and never twice: nothing there is ever rewritten.
    ///
    /// **Safe at any point**: killed between two writes, repeated, or run by any number of processes at once. As in
    /// [`Lake::append`], the next number of an hour goes to one of them, which has seen the ids of all files before.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with a file that cannot be read; otherwise as the store fails. What was done until then stays.
    pub async fn compact(&self, now: DateTime<Utc>, settings: Option<CompactSettings>) -> Result<Compacted, LakeError> {
        self.remove_leftovers(now)?;
        let mut total = Compacted::default();
        let mut hours = BTreeSet::new();
        for attempt in 1.. {
            match self.compact_once(now, settings, &mut total, &mut hours).await {
                // Another compaction was here first.
                Err(error) if attempt < READ_ATTEMPTS && is_gone(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(Compacted { hours: hours.len() as u64, ..total })
    }

    async fn compact_once(
        &self,
        now: DateTime<Utc>,
        settings: Option<CompactSettings>,
        total: &mut Compacted,
        hours: &mut BTreeSet<Partition>,
    ) -> Result<(), LakeError> {
        let Snapshot { landed, mut settled } = self.snapshot().await?;
        (total.waiting, total.ahead, total.newer) = (0, 0, 0);
        for slice in slices(&landed, settings.unwrap_or_default().file_bytes) {
            let files_before = total.files;
            self.compact_slice(slice, &settled, now, settings, total, hours).await?;
            if total.files > files_before {
                settled = self.files(&Path::from(TABLE)).await?;
            }
        }
        Ok(())
    }

    /// Compacts as if nothing else had landed.
    async fn compact_slice(
        &self,
        landed: &[ObjectMeta],
        settled: &[ObjectMeta],
        now: DateTime<Utc>,
        settings: Option<CompactSettings>,
        total: &mut Compacted,
        hours: &mut BTreeSet<Partition>,
    ) -> Result<(), LakeError> {
        let waiting = self.waiting(landed, settled).await?;
        let (newer, waiting): (Vec<Waiting>, Vec<Waiting>) = waiting.into_iter().partition(|file| file.is_newer);
        let has_files: BTreeSet<Partition> = settled.iter().filter_map(|file| Partition::of_file(&file.location)).collect();
        let due = due_hours(&waiting, &has_files, now, settings);
        for hour in &due {
            let (files, records) = self.compact_hour(*hour, &waiting, settled, settings.unwrap_or_default()).await?;
            if files > 0 {
                hours.insert(*hour);
            }
            total.files += files;
            total.records += records;
        }
        total.newer += newer.len() as u64;
        for file in &waiting {
            // Each hour is in order, or none of its records in this file counted.
            if file.hours.iter().all(|(hour, new)| *new == 0 || due.contains(hour)) {
                self.delete(&file.file.location).await?;
                total.segments += 1;
            }
            for (hour, new) in file.hours.iter().filter(|(hour, _)| !due.contains(hour)) {
                total.waiting += new;
                total.ahead += if hour.start() > now + TimeDelta::days(1) { *new } else { 0 };
            }
        }
        Ok(())
    }

    /// Writes the landed records of an hour that are not in its files; returns how many files and records these were.
    async fn compact_hour(
        &self,
        hour: Partition,
        waiting: &[Waiting],
        settled: &[ObjectMeta],
        settings: CompactSettings,
    ) -> Result<(u64, u64), LakeError> {
        let of_hour = |file: &&ObjectMeta| Partition::of_file(&file.location) == Some(hour);
        let mut settled: Vec<ObjectMeta> = settled.iter().filter(of_hour).cloned().collect();
        let mut waiting: Vec<Waiting> = waiting.iter().filter(|file| file.hours.contains_key(&hour)).cloned().collect();
        let (mut files, mut records) = (0, 0);
        for _ in 0..ATTEMPTS {
            let mut number = settled.iter().filter_map(|file| number_of(&file.location)).max().unwrap_or(0);
            let context = self.landed_context(&waiting, settings.sort_bytes).await?;
            let mut rows = SortedHour::begin(self, &context, hour, settings.file_bytes).await?;
            let mut lost = false;
            while let Some((bytes, count)) = rows.next_file().await? {
                number += 1;
                if !self.create(&hour.file(number), bytes).await? {
                    lost = true;
                    break;
                }
                files += 1;
                records += count;
            }
            if !lost {
                return Ok((files, records));
            }
            // Another writer took the number: what it wrote may be what waits here.
            settled = self.files(&hour.folder()).await?;
            let landed: Vec<ObjectMeta> = waiting.iter().map(|file| file.file.clone()).collect();
            waiting = self.waiting(&landed, &settled).await?;
        }
        Err(LakeError::Contended { place: hour.to_string(), attempts: ATTEMPTS })
    }

    /// Prepares to sort landed rows in little memory.
    async fn landed_context(&self, waiting: &[Waiting], sort_bytes: usize) -> Result<SessionContext, LakeError> {
        let landed = self.landed_rows(waiting).await?;
        let runtime: RuntimeEnv = RuntimeEnvBuilder::new()
            .with_memory_limit(sort_bytes, 1.0)
            .build()
            .map_err(|error| LakeError::Execution(error.strip_backtrace()))?;
        let mut context = engine(runtime, 1);
        self.register(&mut context, &schema(), Vec::new(), landed)
            .map_err(|error| LakeError::Execution(error.strip_backtrace()))?;
        Ok(context)
    }
}

/// Cuts what landed into parts that are compacted one after the other, each about as large as a file: it bounds the memory when much
/// waits. A record that is in two parts is found in its hour by the second.
fn slices(landed: &[ObjectMeta], bytes: u64) -> impl Iterator<Item = &[ObjectMeta]> {
    let mut rest = landed;
    std::iter::from_fn(move || {
        let mut size = 0;
        let end = rest.iter().position(|file| {
            size += file.size;
            size >= bytes
        });
        let (slice, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = after;
        (!slice.is_empty()).then_some(slice)
    })
}

/// Chooses the hours that are put in order now.
fn due_hours(
    waiting: &[Waiting],
    has_files: &BTreeSet<Partition>,
    now: DateTime<Utc>,
    settings: Option<CompactSettings>,
) -> BTreeSet<Partition> {
    /// What waits for one hour.
    struct Hour {
        bytes: u64,
        since: DateTime<Utc>,
    }
    let mut hours: BTreeMap<Partition, Hour> = BTreeMap::new();
    for file in waiting {
        let rows = file.counts.len().max(1) as u64;
        for (hour, new) in file.hours.iter().filter(|(_, new)| **new > 0) {
            let since = file.file.last_modified;
            let entry = hours.entry(*hour).or_insert(Hour { bytes: 0, since });
            entry.bytes += file.file.size * new / rows;
            entry.since = entry.since.min(since);
        }
    }
    let is_due = |hour: Partition, of: &Hour| {
        let Some(settings) = settings else { return true };
        let distance = if hour.end() <= now { now - hour.end() } else { hour.start() - now };
        let patience = (distance / 10).min(TimeDelta::days(1));
        let is_over = hour.end() + settings.settle <= now;
        let is_far_ahead = hour.start() > now + TimeDelta::days(1);
        of.bytes >= settings.file_bytes
            || (is_over && !has_files.contains(&hour))
            || ((is_over || is_far_ahead) && of.since + patience.max(settings.settle) <= now)
    };
    hours.iter().filter(|(hour, of)| is_due(**hour, of)).map(|(hour, _)| *hour).take(HOURS_AT_ONCE).collect()
}

/// The rows of an hour in the order of its files.
struct SortedHour<'a> {
    lake: &'a Lake,
    rows: datafusion::execution::SendableRecordBatchStream,
    file_bytes: usize,
}

impl<'a> SortedHour<'a> {
    async fn begin(lake: &'a Lake, context: &SessionContext, hour: Partition, file_bytes: u64) -> Result<Self, LakeError> {
        match Self::rows(context, hour).await {
            Ok(rows) => Ok(Self { lake, rows, file_bytes: usize::try_from(file_bytes).unwrap_or(usize::MAX) }),
            Err(error) => Err(failure(lake, error).await),
        }
    }

    async fn rows(
        context: &SessionContext,
        hour: Partition,
    ) -> datafusion::error::Result<datafusion::execution::SendableRecordBatchStream> {
        let time = |time: DateTime<Utc>| lit(ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), Some(UTC.into())));
        let order = ["prompt_id", "prompt_version", "time", "invocation_id"];
        let within = col("time").gt_eq(time(hour.start())).and(col("time").lt(time(hour.end())));
        let table = context.table(TABLE).await?.filter(within)?.drop_columns(&["day", "hour"])?;
        table.sort(order.map(|column| col(column).sort(true, true)).into())?.execute_stream().await
    }

    /// Returns the bytes of the next file and the number of its records.
    async fn next_file(&mut self) -> Result<Option<(bytes::Bytes, u64)>, LakeError> {
        let mut file = None;
        let mut records = 0;
        while let Some(batch) = self.rows.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(failure(self.lake, error).await),
            };
            if batch.num_rows() == 0 {
                continue;
            }
            records += batch.num_rows() as u64;
            let builder: &mut FileBuilder = match &mut file {
                Some(builder) => builder,
                empty => empty.insert(FileBuilder::of_invocations()?),
            };
            builder.add(&batch)?;
            if builder.bytes() >= self.file_bytes {
                break;
            }
        }
        file.map(|file| Ok((file.finish()?, records))).transpose()
    }
}

/// Keeps a file that is gone apart from one that cannot be read.
async fn failure(lake: &Lake, error: DataFusionError) -> LakeError {
    if is_gone(&error) {
        return LakeError::Store { action: "read", place: Path::from(TABLE).to_string(), source: error.into() };
    }
    lake.explain(error).await
}

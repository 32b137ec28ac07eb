//! Which records the files hold, by hour and id.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, StringArray, TimestampMicrosecondArray};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::RowGroupMetaData;
use promptops_telemetry::Uuid;

use crate::error::LakeError;
use crate::file;
use crate::lake::Lake;
use crate::partition::Partition;
use crate::rows::Columns;
use crate::schema::schema;

/// Files that are read at the same time.
pub(crate) const FILES_AT_ONCE: usize = 16;

/// Ids of an hour.
pub(crate) type Ids = HashSet<Uuid>;

/// A landed file, and which of its rows count.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) file: ObjectMeta,
    /// For each row: whether no other file before it holds the record.
    pub(crate) counts: Vec<bool>,
    /// How many rows of which hours it has that count; an hour of which none counts has 0.
    pub(crate) hours: BTreeMap<Partition, u64>,
    /// Whether it has columns that this version does not know, which would be lost if it wrote the rows anew.
    pub(crate) is_newer: bool,
}

/// What is read of a landed file to tell which of its rows count.
struct LandedRows {
    rows: Vec<Row>,
    is_newer: bool,
}

/// A landed record. The order is that in which those that are the same stand side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    hour: Partition,
    id: Uuid,
    file: u32,
    row: u32,
}

impl Waiting {
    /// Returns the number of rows that count.
    pub(crate) fn new_rows(&self) -> u64 {
        self.hours.values().sum()
    }
}

impl Lake {
    /// Finds which rows of landed files count: those that neither a file of their hour holds nor a landed file before.
    ///
    /// Reads the columns of times and ids of the landed files, and the ids of those parts of their hours that may hold one of
    /// them. Memory grows by some 30 bytes for each landed record, and 16 more for those of one hour at a time.
    pub(crate) async fn waiting(&self, landed: &[ObjectMeta], settled: &[ObjectMeta]) -> Result<Vec<Waiting>, LakeError> {
        let mut waiting = Vec::with_capacity(landed.len());
        let mut rows: Vec<Row> = Vec::new();
        let mut reads = Vec::with_capacity(landed.len());
        for (place, file) in landed.iter().enumerate() {
            reads.push(self.rows_of(file, place));
        }
        let mut reads = stream::iter(reads).buffered(FILES_AT_ONCE);
        while let Some(read) = reads.try_next().await? {
            let file = landed[waiting.len()].clone();
            waiting.push(Waiting { file, counts: vec![false; read.rows.len()], hours: BTreeMap::new(), is_newer: read.is_newer });
            rows.extend(read.rows);
        }
        drop(reads);
        // The file that landed first comes first among rows with one id.
        rows.sort_unstable();
        let mut settled_of: BTreeMap<Partition, Vec<&ObjectMeta>> = BTreeMap::new();
        for file in settled {
            if let Some(hour) = Partition::of_file(&file.location) {
                settled_of.entry(hour).or_default().push(file);
            }
        }
        for rows in rows.chunk_by(|row, next| row.hour == next.hour) {
            let hour = rows[0].hour;
            let known = match settled_of.get(&hour) {
                Some(files) => self.ids_of(rows, files).await?,
                None => Ids::new(),
            };
            for same in rows.chunk_by(|row, next| row.id == next.id) {
                let is_new = !known.contains(&same[0].id);
                for (nth, row) in same.iter().enumerate() {
                    let file = &mut waiting[row.file as usize];
                    let counts = is_new && nth == 0;
                    file.counts[row.row as usize] = counts;
                    *file.hours.entry(hour).or_insert(0) += u64::from(counts);
                }
            }
        }
        Ok(waiting)
    }

    /// Returns the ids of all rows of landed files.
    pub(crate) async fn landed_ids(&self, landed: &[ObjectMeta]) -> Result<Ids, LakeError> {
        let mut reads = Vec::with_capacity(landed.len());
        for file in landed {
            reads.push(async { Ok(self.rows_of(file, 0).await?.rows.into_iter().map(|row| row.id).collect::<Ids>()) });
        }
        stream::iter(reads).buffer_unordered(FILES_AT_ONCE).try_concat().await
    }

    /// Returns which of the sorted rows of an hour its files hold.
    async fn ids_of(&self, rows: &[Row], files: &[&ObjectMeta]) -> Result<Ids, LakeError> {
        let mut wanted: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        wanted.dedup();
        let mut reads = Vec::with_capacity(files.len());
        for file in files {
            reads.push(self.ids_among(file, &wanted));
        }
        stream::iter(reads).buffer_unordered(FILES_AT_ONCE).try_concat().await
    }

    /// Returns the hour and the id of each row of a landed file.
    async fn rows_of(&self, file: &ObjectMeta, place: usize) -> Result<LandedRows, LakeError> {
        let corrupt = |reason: String| LakeError::Corrupt { file: file.location.to_string(), source: reason.into() };
        let builder = file::open(&self.store, file).await?;
        let known = schema();
        let is_newer = builder.schema().fields().iter().any(|field| known.field_with_name(field.name()).is_err());
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["time", "invocation_id"]);
        let mut batches = builder.with_projection(mask).build().map_err(|error| file::unreadable(file, error))?;
        let mut rows = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| file::unreadable(file, error))?;
            let times: &TimestampMicrosecondArray = Columns(&batch).get("time").map_err(|error| corrupt(error.to_string()))?;
            let ids: &StringArray = Columns(&batch).get("invocation_id").map_err(|error| corrupt(error.to_string()))?;
            for row in 0..batch.num_rows() {
                let hour = Partition::of_micros(times.value(row));
                let id = ids.is_valid(row).then(|| ids.value(row).parse().ok()).flatten();
                let (Some(hour), Some(id)) = (hour, id) else {
                    return Err(corrupt(format!("row {row} has no hour or no id")));
                };
                let (Ok(file), Ok(row)) = (u32::try_from(place), u32::try_from(rows.len())) else {
                    return Err(corrupt("it has more rows than a file of ours".to_owned()));
                };
                rows.push(Row { hour, id, file, row });
            }
        }
        Ok(LandedRows { rows, is_newer })
    }

    /// Returns which of these sorted ids a file holds. Reads only the row groups whose ids lie around one of them.
    pub(crate) async fn ids_among(&self, file: &ObjectMeta, wanted: &[Uuid]) -> Result<Ids, LakeError> {
        let builder = file::open(&self.store, file).await?;
        let groups: Vec<usize> = builder
            .metadata()
            .row_groups()
            .iter()
            .enumerate()
            .filter_map(|(place, group)| may_hold(group, wanted).then_some(place))
            .collect();
        if groups.is_empty() {
            return Ok(Ids::new());
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["invocation_id"]);
        let builder = builder.with_projection(mask).with_row_groups(groups);
        let mut batches = builder.build().map_err(|error| file::unreadable(file, error))?;
        let mut found = Ids::new();
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| file::unreadable(file, error))?;
            let ids: &StringArray = Columns(&batch)
                .get("invocation_id")
                .map_err(|error| LakeError::Corrupt { file: file.location.to_string(), source: error.into() })?;
            // What is no UUID was written by another tool and equals no id of ours.
            found.extend(ids.iter().flatten().filter_map(|id| id.parse().ok()).filter(|id| wanted.binary_search(id).is_ok()));
        }
        Ok(found)
    }
}

/// Tells whether a row group may hold one of the sorted ids, by the least and the largest of its own.
fn may_hold(group: &RowGroupMetaData, sorted: &[Uuid]) -> bool {
    let column = group.columns().iter().find(|column| column.column_path().string() == "invocation_id");
    let statistics = column.and_then(|column| column.statistics());
    let bound = |bytes: Option<&[u8]>| bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse::<Uuid>().ok());
    // A bound that was cut short, or is of another tool's ids, says nothing.
    let (Some(least), Some(largest)) =
        (bound(statistics.and_then(|all| all.min_bytes_opt())), bound(statistics.and_then(|all| all.max_bytes_opt())))
    else {
        return true;
    };
    let first = sorted.partition_point(|id| *id < least);
    sorted.get(first).is_some_and(|id| *id <= largest)
}

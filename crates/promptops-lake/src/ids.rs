//! Which records the files hold, by hour and id.

use std::collections::{BTreeMap, HashMap, HashSet};

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
    rows: Vec<(Partition, Uuid)>,
    is_newer: bool,
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
    /// them. Memory grows by a few dozen bytes for each of these records.
    pub(crate) async fn waiting(&self, landed: &[ObjectMeta], settled: &[ObjectMeta]) -> Result<Vec<Waiting>, LakeError> {
        let mut reads = Vec::with_capacity(landed.len());
        for file in landed {
            reads.push(self.rows_of(file));
        }
        let read: Vec<LandedRows> = stream::iter(reads).buffered(FILES_AT_ONCE).try_collect().await?;
        let mut wanted: HashMap<Partition, Ids> = HashMap::new();
        for (hour, id) in read.iter().flat_map(|file| &file.rows) {
            wanted.entry(*hour).or_default().insert(*id);
        }
        let mut reads = Vec::new();
        for file in settled {
            if let Some((hour, ids)) = Partition::of_file(&file.location).and_then(|hour| Some((hour, wanted.get(&hour)?))) {
                reads.push(async move { Ok::<_, LakeError>((hour, self.ids_among(file, ids).await?)) });
            }
        }
        let mut known = stream::iter(reads).buffer_unordered(FILES_AT_ONCE);
        let mut seen: HashMap<Partition, Ids> = HashMap::new();
        while let Some((hour, ids)) = known.try_next().await? {
            seen.entry(hour).or_default().extend(ids);
        }
        drop(known);
        let mut waiting = Vec::with_capacity(landed.len());
        for (file, LandedRows { rows, is_newer }) in landed.iter().zip(read) {
            let mut hours = BTreeMap::new();
            let mut counts = Vec::with_capacity(rows.len());
            for (hour, id) in rows {
                let is_new = seen.entry(hour).or_default().insert(id);
                *hours.entry(hour).or_insert(0) += u64::from(is_new);
                counts.push(is_new);
            }
            waiting.push(Waiting { file: file.clone(), counts, hours, is_newer });
        }
        Ok(waiting)
    }

    /// Returns the hour and the id of each row of a landed file.
    async fn rows_of(&self, file: &ObjectMeta) -> Result<LandedRows, LakeError> {
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
                rows.push((hour, id));
            }
        }
        Ok(LandedRows { rows, is_newer })
    }

    /// Returns which of these ids a file holds. Reads only the row groups whose ids lie around one of them.
    pub(crate) async fn ids_among(&self, file: &ObjectMeta, wanted: &Ids) -> Result<Ids, LakeError> {
        let mut sorted: Vec<Uuid> = wanted.iter().copied().collect();
        sorted.sort_unstable();
        let builder = file::open(&self.store, file).await?;
        let groups: Vec<usize> = builder
            .metadata()
            .row_groups()
            .iter()
            .enumerate()
            .filter_map(|(place, group)| may_hold(group, &sorted).then_some(place))
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
            found.extend(ids.iter().flatten().filter_map(|id| id.parse().ok()).filter(|id| wanted.contains(id)));
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

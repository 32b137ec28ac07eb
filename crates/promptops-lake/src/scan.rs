//! Records back out of the lake.

use datafusion::prelude::{DataFrame, col};
use promptops_telemetry::Invocation;

use crate::error::LakeError;
use crate::filter::Filter;
use crate::lake::Lake;
use crate::rows::from_batch;

impl Lake {
    /// Returns the records that fit, by time and id. They are all held in memory.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails.
    pub async fn scan(&self, filter: &Filter) -> Result<Vec<Invocation>, LakeError> {
        let table = self.filtered(filter).await?;
        let sorted = table.sort(vec![col("time").sort(true, false), col("invocation_id").sort(true, false)]);
        self.records(sorted).await
    }

    /// Returns the latest records that fit, at most `limit`, the oldest of them first.
    ///
    /// # Errors
    ///
    /// As [`Lake::scan`].
    pub async fn latest(&self, filter: &Filter, limit: usize) -> Result<Vec<Invocation>, LakeError> {
        let table = self.filtered(filter).await?;
        let sorted = table
            .sort(vec![col("time").sort(false, false), col("invocation_id").sort(false, false)])
            .and_then(|table| table.limit(0, Some(limit)));
        let mut records = self.records(sorted).await?;
        records.reverse();
        Ok(records)
    }

    /// Returns the rows of the table that fit.
    pub(crate) async fn filtered(&self, filter: &Filter) -> Result<DataFrame, LakeError> {
        let table = self.table().await?;
        let Some(condition) = filter.condition() else { return Ok(table) };
        match table.filter(condition) {
            Ok(table) => Ok(table),
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn records(&self, table: datafusion::error::Result<DataFrame>) -> Result<Vec<Invocation>, LakeError> {
        let table = match table {
            Ok(table) => table,
            Err(error) => return Err(self.explain(error).await),
        };
        let result = self.collect(table).await?;
        let mut records = Vec::with_capacity(result.row_count());
        for batch in result.batches() {
            records.extend(from_batch(batch)?);
        }
        Ok(records)
    }
}

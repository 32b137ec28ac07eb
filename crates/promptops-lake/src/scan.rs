//! Records back out of the lake.

use datafusion::prelude::{DataFrame, SessionContext, col};
use promptops_telemetry::Invocation;

use crate::error::LakeError;
use crate::filter::Filter;
use crate::lake::Lake;
use crate::query::{QueryResult, collect};
use crate::rows::from_batch;
use crate::schema::TABLE;

impl Lake {
    /// Returns the records that fit, by time and id. They are all held in memory.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails.
    pub async fn scan(&self, filter: &Filter) -> Result<Vec<Invocation>, LakeError> {
        let result = self
            .reading(async |context| {
                let table = filtered(context, filter).await?;
                collect(table.sort(vec![col("time").sort(true, false), col("invocation_id").sort(true, false)])?).await
            })
            .await?;
        records(&result)
    }

    /// Returns the latest records that fit, at most `limit`, the oldest of them first.
    ///
    /// # Errors
    ///
    /// As [`Lake::scan`].
    pub async fn latest(&self, filter: &Filter, limit: usize) -> Result<Vec<Invocation>, LakeError> {
        let result = self
            .reading(async |context| {
                let table = filtered(context, filter).await?;
                let table = table.sort(vec![col("time").sort(false, false), col("invocation_id").sort(false, false)])?;
                collect(table.limit(0, Some(limit))?).await
            })
            .await?;
        let mut records = records(&result)?;
        records.reverse();
        Ok(records)
    }
}

/// Returns the rows of the table that fit.
pub(crate) async fn filtered(context: &SessionContext, filter: &Filter) -> datafusion::error::Result<DataFrame> {
    let table = context.table(TABLE).await?;
    match filter.condition() {
        Some(condition) => table.filter(condition),
        None => Ok(table),
    }
}

fn records(result: &QueryResult) -> Result<Vec<Invocation>, LakeError> {
    let mut records = Vec::with_capacity(result.row_count());
    for batch in result.batches() {
        records.extend(from_batch(batch)?);
    }
    Ok(records)
}

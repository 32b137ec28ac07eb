//! Records back out of the lake.

use datafusion::logical_expr::SortExpr;
use datafusion::prelude::{DataFrame, Expr, col, lit, starts_with};
use promptops_telemetry::{Invocation, Uuid};

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
        self.records(table.sort(by_time())).await
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

    /// Returns the records that an id names: an `invocation_id` or the beginning of one, a provider's `response_id`, or a
    /// `trace_id`; by time, at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`Lake::scan`].
    pub async fn find(&self, id: &str, limit: usize) -> Result<Vec<Invocation>, LakeError> {
        // As the lake writes ids; a provider's own stands as it is.
        let lower = id.to_ascii_lowercase();
        let named =
            col("response_id").eq(lit(id)).or(col("trace_id").eq(lit(&lower))).or(starts_with(col("invocation_id"), lit(lower)));
        let found = self.table().await?.filter(named);
        let sorted = found.and_then(|table| table.sort(by_time())).and_then(|table| table.limit(0, Some(limit)));
        self.records(sorted).await
    }

    /// Returns the records of these invocations and of those that they caused, by time.
    ///
    /// # Errors
    ///
    /// As [`Lake::scan`].
    pub async fn related(&self, ids: &[Uuid]) -> Result<Vec<Invocation>, LakeError> {
        let ids: Vec<Expr> = ids.iter().map(|id| lit(id.to_string())).collect();
        let related = col("invocation_id").in_list(ids.clone(), false).or(col("parent_invocation").in_list(ids, false));
        let found = self.table().await?.filter(related).and_then(|table| table.sort(by_time()));
        self.records(found).await
    }

    /// Returns the rows of the table that fit.
    pub(crate) async fn filtered(&self, filter: &Filter) -> Result<DataFrame, LakeError> {
        let table = self.table().await?;
        let Some(condition) = filter.condition(&self.owners) else { return Ok(table) };
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

fn by_time() -> Vec<SortExpr> {
    vec![col("time").sort(true, false), col("invocation_id").sort(true, false)]
}

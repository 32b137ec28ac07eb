//! Records back out of the lake.

use chrono::{DateTime, TimeDelta};
use datafusion::logical_expr::SortExpr;
use datafusion::prelude::{DataFrame, Expr, SessionContext, col, lit, starts_with};
use promptops_telemetry::{Invocation, Uuid};

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
        let result = self.reading(async |context| collect(self.filtered(context, filter).await?.sort(by_time())?).await).await?;
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
                let table = self.filtered(context, filter).await?;
                let table = table.sort(vec![col("time").sort(false, false), col("invocation_id").sort(false, false)])?;
                collect(table.limit(0, Some(limit))?).await
            })
            .await?;
        let mut records = records(&result)?;
        records.reverse();
        Ok(records)
    }

    /// Returns the records that an id names: an `invocation_id` or the beginning of one, a provider's `response_id`, or a
    /// `trace_id`; by time, at most `limit`.
    ///
    /// A whole `invocation_id` of UUID version 7 says when it was made, and is looked for around that time first; for anything else,
    /// and when it is not there, every file is read.
    ///
    /// # Errors
    ///
    /// As [`Lake::scan`].
    pub async fn find(&self, id: &str, limit: usize) -> Result<Vec<Invocation>, LakeError> {
        // As the lake writes ids; a provider's own stands as it is.
        let lower = id.to_ascii_lowercase();
        if let Some(window) = made_within(&lower) {
            let found = self.matching(&window, col("invocation_id").eq(lit(&lower)), limit).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let named =
            col("response_id").eq(lit(id)).or(col("trace_id").eq(lit(&lower))).or(starts_with(col("invocation_id"), lit(lower)));
        self.matching(&Filter::default(), named, limit).await
    }

    async fn matching(&self, window: &Filter, named: Expr, limit: usize) -> Result<Vec<Invocation>, LakeError> {
        let find = async |context: &SessionContext| {
            let found = self.filtered(context, window).await?.filter(named.clone())?;
            collect(found.sort(by_time())?.limit(0, Some(limit))?).await
        };
        records(&self.reading(find).await?)
    }

    /// Returns the records of these invocations and of those that they caused, by time.
    ///
    /// # Errors
    ///
    /// As [`Lake::scan`].
    pub async fn related(&self, ids: &[Uuid]) -> Result<Vec<Invocation>, LakeError> {
        let ids: Vec<Expr> = ids.iter().map(|id| lit(id.to_string())).collect();
        let related = col("invocation_id").in_list(ids.clone(), false).or(col("parent_invocation").in_list(ids, false));
        let find = async |context: &SessionContext| {
            let found = context.table(TABLE).await?.filter(related.clone())?;
            collect(found.sort(by_time())?).await
        };
        records(&self.reading(find).await?)
    }

    /// Returns the rows of the table that fit.
    pub(crate) async fn filtered(&self, context: &SessionContext, filter: &Filter) -> datafusion::error::Result<DataFrame> {
        let table = context.table(TABLE).await?;
        match filter.condition(&self.owners) {
            Some(condition) => table.filter(condition),
            None => Ok(table),
        }
    }
}

/// Returns the time around which an invocation with this id was, where the id is one that says so.
fn made_within(id: &str) -> Option<Filter> {
    // A record has the time of its call's beginning, and its id is made with it or soon after.
    const AROUND: TimeDelta = TimeDelta::hours(1);
    let (seconds, nanoseconds) = Uuid::try_parse(id).ok()?.get_timestamp()?.to_unix();
    let made = DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)?;
    Some(Filter { since: made.checked_sub_signed(AROUND), until: made.checked_add_signed(AROUND), ..Filter::default() })
}

pub(crate) fn records(result: &QueryResult) -> Result<Vec<Invocation>, LakeError> {
    let mut records = Vec::with_capacity(result.row_count());
    for batch in result.batches() {
        records.extend(from_batch(batch)?);
    }
    Ok(records)
}

pub(crate) fn by_time() -> Vec<SortExpr> {
    vec![col("time").sort(true, false), col("invocation_id").sort(true, false)]
}

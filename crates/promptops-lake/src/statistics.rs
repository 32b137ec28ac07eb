//! Counts, shares, percentiles and sums of groups of records.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread::available_parallelism;

use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{Expr, col};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::error::LakeError;
use crate::filter::Filter;
use crate::group_by::GroupBy;
use crate::groups::{Group, Groups, Key};
use crate::lake::Lake;
use crate::schema::schema_of_views;

/// Statistics of one group of records.
#[derive(Debug, Clone, PartialEq)]
pub struct StatisticsRow {
    /// What the group has in common, in the order that was asked for; `None` where the record does not say.
    pub group: Vec<Option<String>>,
    /// Number of records.
    pub count: u64,
    /// Number of records whose status is `error`.
    pub errors: u64,
    /// `errors / count`.
    pub error_share: f64,
    /// Percentiles of the latency over the records that have one; `None` where none has.
    pub latency_ms: Option<LatencyPercentiles>,
    /// Sum over the records that know it; `None` where none does.
    pub input_tokens: Option<u64>,
    /// Sum over the records that know it; `None` where none does.
    pub output_tokens: Option<u64>,
    /// Part of `input_tokens` that was read from a cache; `None` where no record knows it.
    pub cached_tokens: Option<u64>,
    /// Sum over the records that know it, US dollars; `None` where none does.
    pub cost_usd: Option<f64>,
    /// Number of records that know their cost.
    pub with_cost: u64,
    /// Time of the first record, UTC.
    pub first: DateTime<Utc>,
    /// Time of the last record, UTC.
    pub last: DateTime<Utc>,
}

/// Statistics of groups, and of all of them together.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// One for each group, sorted by group.
    pub rows: Vec<StatisticsRow>,
    /// Of all records that fit, without a group; `None` when none fits.
    pub total: Option<StatisticsRow>,
}

/// Percentiles of the latency, milliseconds.
///
/// They are exact, not estimated, by linear interpolation between the two nearest ranks: with values `x[0] ≤ … ≤
/// x[n-1]` and `h = (n - 1) p`, the percentile is `x[⌊h⌋] + (h - ⌊h⌋) (x[⌊h⌋ + 1] - x[⌊h⌋])`. This is definition 7 of
/// Hyndman and Fan (1996), the default of NumPy and R, and `method="inclusive"` of Python's `statistics.quantiles`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyPercentiles {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

impl Lake {
    /// Computes statistics of the records that fit, one row for each group, sorted by group (unknown first, versions as
    /// numbers). Without `group_by` all records are one group; where no record fits there is no row.
    ///
    /// Files are read on all cores; sums of costs do not depend on their order. Memory grows by 8 bytes for each record.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails.
    pub async fn statistics(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<Vec<StatisticsRow>, LakeError> {
        rows(self.groups(filter, group_by).await?, group_by).await
    }

    /// Computes statistics as [`Lake::statistics`] does, and those of all groups together, in one pass.
    ///
    /// # Errors
    ///
    /// As [`Lake::statistics`].
    pub async fn statistics_with_total(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<Statistics, LakeError> {
        let groups = self.groups(filter, group_by).await?;
        let mut total = Group::default();
        groups.values().for_each(|group| total.merge(group.clone()));
        let total = (total.count > 0).then(|| row(Vec::new(), total, &[]));
        Ok(Statistics { rows: rows(groups, group_by).await?, total })
    }

    async fn groups(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<BTreeMap<Vec<Key>, Group>, LakeError> {
        let mut columns: Vec<Expr> =
            ["time", "status", "latency_ms", "input_tokens", "output_tokens", "cached_tokens", "cost_usd"].map(col).into();
        columns.extend(group_by.iter().enumerate().map(|(place, group)| group.column(&self.owners).alias(alias(place))));
        self.reading_in(&schema_of_views(), async |context| {
            let rows = self.filtered(context, filter).await?.select(columns.clone())?;
            let mut threads = JoinSet::new();
            for batches in rows.execute_stream_partitioned().await? {
                threads.spawn(counted(batches, Groups::by((0..group_by.len()).map(alias))));
            }
            let mut all = BTreeMap::new();
            while let Some(groups) = threads.join_next().await {
                groups.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??.merge_into(&mut all);
            }
            Ok(all)
        })
        .await
    }
}

/// Counts what one thread reads.
async fn counted(mut batches: SendableRecordBatchStream, mut groups: Groups) -> datafusion::error::Result<Groups> {
    while let Some(batch) = batches.next().await {
        groups.add(&batch?).map_err(|error| DataFusionError::External(error.into()))?;
    }
    Ok(groups)
}

/// The name of a group's column inside the query; the record's columns have others.
fn alias(place: usize) -> String {
    format!("group_{place}")
}

/// Shows groups, on all cores.
async fn rows(groups: BTreeMap<Vec<Key>, Group>, group_by: &[GroupBy]) -> Result<Vec<StatisticsRow>, LakeError> {
    let threads = available_parallelism().map_or(1, NonZero::get);
    let mut groups: Vec<(Vec<Key>, Group)> = groups.into_iter().collect();
    let each = groups.len().div_ceil(threads).max(1);
    let mut work = Vec::new();
    while !groups.is_empty() {
        let rest = groups.split_off(each.min(groups.len()));
        let part = std::mem::replace(&mut groups, rest);
        let group_by = group_by.to_vec();
        let show = move || part.into_iter().map(|(keys, group)| row(keys, group, &group_by)).collect::<Vec<_>>();
        work.push(tokio::task::spawn_blocking(show));
    }
    let mut rows = Vec::new();
    for part in work {
        rows.extend(part.await.map_err(|error| LakeError::Execution(error.to_string()))?);
    }
    Ok(rows)
}

#[expect(clippy::cast_precision_loss, reason = "a share of more than 2^53 records is still right to 15 digits")]
fn row(keys: Vec<Key>, mut group: Group, group_by: &[GroupBy]) -> StatisticsRow {
    let (first, last) = group.times.unwrap_or_default();
    let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    StatisticsRow {
        group: keys.into_iter().zip(group_by).map(|(key, group)| text(key, *group)).collect(),
        count: group.count,
        errors: group.errors,
        error_share: group.errors as f64 / group.count as f64,
        latency_ms: LatencyPercentiles::of(&mut group.latencies),
        input_tokens: group.input_tokens,
        output_tokens: group.output_tokens,
        cached_tokens: group.cached_tokens,
        with_cost: group.costs.count(),
        cost_usd: group.costs.total(),
        first: time(first),
        last: time(last),
    }
}

fn text(key: Key, group: GroupBy) -> Option<String> {
    match key {
        Key::Unknown => None,
        Key::Number(number) => Some(group.text(number)),
        Key::Text(text) => Some(text),
    }
}

impl LatencyPercentiles {
    /// Returns the percentiles of values, whose order it changes; `None` without a value.
    fn of(values: &mut [f64]) -> Option<Self> {
        let mut ranked = 0;
        let mut next = |share| percentile(values, share, &mut ranked);
        Some(Self { p50: next(0.50)?, p95: next(0.95)?, p99: next(0.99)? })
    }
}

/// Percentile by selection, without sorting; see [`LatencyPercentiles`]. Values before `ranked` are none above those after it, and
/// the share is not below that of the call before.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are far below 2^53 and not negative"
)]
fn percentile(values: &mut [f64], share: f64, ranked: &mut usize) -> Option<f64> {
    let rank = values.len().checked_sub(1)? as f64 * share;
    let below = rank.floor() as usize;
    let unranked = values.get_mut(*ranked..)?;
    let (_, at, after) = unranked.select_nth_unstable_by(below - *ranked, f64::total_cmp);
    *ranked = below;
    let above = after.iter().copied().min_by(f64::total_cmp).unwrap_or(*at);
    Some(*at + (rank - rank.floor()) * (above - *at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(values: &[f64], share: f64) -> Option<f64> {
        percentile(&mut values.to_vec(), share, &mut 0)
    }

    #[test]
    fn percentiles_of_definition_7() {
        // numpy.percentile([1, 2, 4, 8], [50, 95, 99]) = [3.0, 7.4, 7.88]
        let values = [4.0, 2.0, 8.0, 1.0];
        for (share, expected) in [(0.0, 1.0), (0.5, 3.0), (0.95, 7.4), (0.99, 7.88), (1.0, 8.0)] {
            assert!((one(&values, share).unwrap() - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(one(&[5.0], 0.99), Some(5.0));
        assert_eq!(one(&[], 0.99), None);
    }

    proptest! {
        #[test]
        fn selection_finds_what_sorting_does(values in prop::collection::vec(0_u32..50, 1..300)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let found = LatencyPercentiles::of(&mut values.clone()).unwrap();
            prop_assert_eq!([0.50, 0.95, 0.99].map(|share| one(&sorted, share).unwrap()), [found.p50, found.p95, found.p99]);
            let middle = sorted[(values.len() - 1) / 2].midpoint(sorted[values.len() / 2]);
            prop_assert!((found.p50 - middle).abs() < 1e-9);
        }
    }
}

//! Counts, shares, percentiles and sums of groups of records.

use std::collections::BTreeMap;

use arrow::array::{Array, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use datafusion::prelude::{Expr, col};
use futures::StreamExt;

use crate::error::LakeError;
use crate::filter::Filter;
use crate::group_by::{GroupBy, Kind};
use crate::lake::Lake;
use crate::rows::Columns;

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
    /// Sums of costs do not depend on the order of the files. Memory grows by 16 bytes for each record.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails.
    pub async fn statistics(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<Vec<StatisticsRow>, LakeError> {
        let groups = self.groups(filter, group_by).await?;
        Ok(groups.into_iter().map(|(keys, group)| group.row(keys, group_by)).collect())
    }

    /// Computes statistics as [`Lake::statistics`] does, and those of all groups together, in one pass.
    ///
    /// # Errors
    ///
    /// As [`Lake::statistics`].
    pub async fn statistics_with_total(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<Statistics, LakeError> {
        let groups = self.groups(filter, group_by).await?;
        let mut total = Group::default();
        let mut rows = Vec::with_capacity(groups.len());
        for (keys, group) in groups {
            total.add(&group);
            rows.push(group.row(keys, group_by));
        }
        let total = (total.count > 0).then(|| total.row(Vec::new(), &[]));
        Ok(Statistics { rows, total })
    }

    async fn groups(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<BTreeMap<Vec<Key>, Group>, LakeError> {
        let mut columns: Vec<Expr> =
            ["time", "status", "latency_ms", "input_tokens", "output_tokens", "cached_tokens", "cost_usd"].map(col).into();
        columns.extend(group_by.iter().enumerate().map(|(place, group)| group.column(&self.owners).alias(alias(place))));
        self.reading(async |context| {
            let mut groups = BTreeMap::new();
            let mut batches = self.filtered(context, filter).await?.select(columns.clone())?.execute_stream().await?;
            while let Some(batch) = batches.next().await {
                add_batch(&mut groups, &batch?, group_by).map_err(|error| DataFusionError::External(error.into()))?;
            }
            Ok(groups)
        })
        .await
    }
}

/// The name of a group's column inside the query; the record's columns have others.
fn alias(place: usize) -> String {
    format!("group_{place}")
}

/// What one group has in common in one respect; numbers sort as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Unknown,
    /// A number, or a time in microseconds since 1970.
    Number(i64),
    Text(String),
}

/// A group while it grows.
#[derive(Debug, Default)]
struct Group {
    count: u64,
    errors: u64,
    latencies: Vec<f64>,
    costs: Vec<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    /// First and last time, microseconds since 1970.
    times: Option<(i64, i64)>,
}

fn add_batch(groups: &mut BTreeMap<Vec<Key>, Group>, batch: &RecordBatch, group_by: &[GroupBy]) -> Result<(), LakeError> {
    let columns = Columns(batch);
    let times: &TimestampMicrosecondArray = columns.get("time")?;
    let statuses: &StringArray = columns.get("status")?;
    let latencies: &Float64Array = columns.get("latency_ms")?;
    let costs: &Float64Array = columns.get("cost_usd")?;
    let input_tokens: &Int64Array = columns.get("input_tokens")?;
    let output_tokens: &Int64Array = columns.get("output_tokens")?;
    let cached_tokens: &Int64Array = columns.get("cached_tokens")?;
    let keys =
        group_by.iter().enumerate().map(|(place, group)| keys(&columns, place, *group)).collect::<Result<Vec<Vec<Key>>, _>>()?;
    for row in 0..batch.num_rows() {
        let key: Vec<Key> = keys.iter().map(|column| column[row].clone()).collect();
        let group = groups.entry(key).or_default();
        let time = times.value(row);
        let (first, last) = group.times.unwrap_or((time, time));
        group.times = Some((first.min(time), last.max(time)));
        group.count += 1;
        group.errors += u64::from(statuses.value(row) == "error");
        group.latencies.extend(latencies.is_valid(row).then(|| latencies.value(row)));
        group.costs.extend(costs.is_valid(row).then(|| costs.value(row)));
        add_tokens(&mut group.input_tokens, input_tokens, row);
        add_tokens(&mut group.output_tokens, output_tokens, row);
        add_tokens(&mut group.cached_tokens, cached_tokens, row);
    }
    Ok(())
}

fn keys(columns: &Columns<'_>, place: usize, group: GroupBy) -> Result<Vec<Key>, LakeError> {
    let name = alias(place);
    let number = |value: Option<i64>| value.map_or(Key::Unknown, Key::Number);
    Ok(match group.kind() {
        Kind::Number => {
            let column: &Int32Array = columns.get(&name)?;
            column.iter().map(|value| number(value.map(i64::from))).collect()
        }
        Kind::Time => {
            let column: &TimestampMicrosecondArray = columns.get(&name)?;
            column.iter().map(number).collect()
        }
        Kind::Text => {
            let column: &StringArray = columns.get(&name)?;
            column.iter().map(|value| value.map_or(Key::Unknown, |text| Key::Text(text.to_owned()))).collect()
        }
    })
}

fn add_tokens(sum: &mut Option<u64>, column: &Int64Array, row: usize) {
    if column.is_valid(row) {
        let tokens = u64::try_from(column.value(row)).unwrap_or(0);
        *sum = Some(sum.unwrap_or(0).saturating_add(tokens));
    }
}

impl Group {
    fn add(&mut self, other: &Self) {
        let tokens = |sum: &mut Option<u64>, tokens: Option<u64>| {
            if let Some(tokens) = tokens {
                *sum = Some(sum.unwrap_or(0).saturating_add(tokens));
            }
        };
        self.count += other.count;
        self.errors += other.errors;
        self.latencies.extend_from_slice(&other.latencies);
        self.costs.extend_from_slice(&other.costs);
        tokens(&mut self.input_tokens, other.input_tokens);
        tokens(&mut self.output_tokens, other.output_tokens);
        tokens(&mut self.cached_tokens, other.cached_tokens);
        self.times = match (self.times, other.times) {
            (Some((first, last)), Some((begin, end))) => Some((first.min(begin), last.max(end))),
            (own, others) => own.or(others),
        };
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of more than 2^53 records is still right to 15 digits")]
    fn row(mut self, keys: Vec<Key>, group_by: &[GroupBy]) -> StatisticsRow {
        self.latencies.sort_unstable_by(f64::total_cmp);
        self.costs.sort_unstable_by(f64::total_cmp);
        let (first, last) = self.times.unwrap_or_default();
        let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        StatisticsRow {
            group: keys.into_iter().zip(group_by).map(|(key, group)| key.into_text(*group)).collect(),
            count: self.count,
            errors: self.errors,
            error_share: self.errors as f64 / self.count as f64,
            latency_ms: (!self.latencies.is_empty()).then(|| LatencyPercentiles {
                p50: percentile(&self.latencies, 0.50),
                p95: percentile(&self.latencies, 0.95),
                p99: percentile(&self.latencies, 0.99),
            }),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cached_tokens: self.cached_tokens,
            with_cost: self.costs.len() as u64,
            cost_usd: (!self.costs.is_empty()).then(|| sum(&self.costs)),
            first: time(first),
            last: time(last),
        }
    }
}

impl Key {
    fn into_text(self, group: GroupBy) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Number(number) => Some(group.text(number)),
            Self::Text(text) => Some(text),
        }
    }
}

/// Percentile of sorted values, of which there is at least one; see [`LatencyPercentiles`].
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are far below 2^53 and not negative"
)]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() - 1) as f64 * share;
    let below = rank.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (rank - rank.floor()) * (sorted[above] - sorted[below])
}

/// Sum with Neumaier's compensation, so that a million small costs add up to the cent.
fn sum(values: &[f64]) -> f64 {
    let mut sum = 0.0_f64;
    let mut lost = 0.0_f64;
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_definition_7() {
        // numpy.percentile([1, 2, 4, 8], [50, 95, 99]) = [3.0, 7.4, 7.88]
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.5, 3.0), (0.95, 7.4), (0.99, 7.88), (1.0, 8.0)] {
            assert!((percentile(&values, share) - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(percentile(&[5.0], 0.99), 5.0);
    }

    #[test]
    fn sums_do_not_lose_small_values() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[]), 0.0);
    }
}

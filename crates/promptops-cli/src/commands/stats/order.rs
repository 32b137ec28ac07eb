//! The order of rows.

use std::cmp::Ordering;

use promptops_lake::StatisticsRow;

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// What makes a row.
    #[default]
    Group,
    /// Number of invocations.
    Calls,
    /// Number of errors.
    Errors,
    /// Share of errors.
    ErrorShare,
    /// Median of the latency.
    P50,
    /// 95th percentile of the latency.
    P95,
    /// 99th percentile of the latency.
    P99,
    /// Input and output tokens.
    Tokens,
    /// Cost.
    Cost,
    /// Time of the last invocation.
    Last,
}

impl Sort {
    /// Sorts rows that are sorted by group, the highest number first and what is not known last; equal ones stay by group.
    pub fn apply(self, rows: &mut [StatisticsRow]) {
        if self != Self::Group {
            rows.sort_by(|left, right| descending(self.key(left), self.key(right)));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rows that differ beyond the 15th digit may change places")]
    fn key(self, row: &StatisticsRow) -> Option<f64> {
        let latency = row.latency_ms.as_ref();
        match self {
            Self::Group => None,
            Self::Calls => Some(row.count as f64),
            Self::Errors => Some(row.errors as f64),
            Self::ErrorShare => Some(row.error_share),
            Self::P50 => latency.map(|latency| latency.p50),
            Self::P95 => latency.map(|latency| latency.p95),
            Self::P99 => latency.map(|latency| latency.p99),
            Self::Tokens if row.input_tokens.is_none() && row.output_tokens.is_none() => None,
            Self::Tokens => Some(row.input_tokens.unwrap_or(0) as f64 + row.output_tokens.unwrap_or(0) as f64),
            Self::Cost => row.cost_usd,
            Self::Last => Some(row.last.timestamp_micros() as f64),
        }
    }
}

fn descending(left: Option<f64>, right: Option<f64>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => right.total_cmp(&left),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
    }
}

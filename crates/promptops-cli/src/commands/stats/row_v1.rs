//! A row of statistics as programs read it.

use promptops_lake::{GroupBy, StatisticsRow};
use serde::Serialize;

use super::chart::{Chart, PointV1};
use crate::output::csv::quote;

/// One row as JSON. Percentiles are exact; costs in US dollars; times UTC.
#[derive(Debug, Serialize)]
pub struct RowV1 {
    group: serde_json::Map<String, serde_json::Value>,
    invocations: u64,
    errors: u64,
    error_share: f64,
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    cost_usd: Option<f64>,
    with_cost: u64,
    first: String,
    last: String,
    /// With `--chart`: the same over time, one for each time in which there are invocations.
    #[serde(skip_serializing_if = "Option::is_none")]
    over_time: Option<Vec<PointV1>>,
}

impl RowV1 {
    /// Returns the wire form of a row.
    pub fn new(row: &StatisticsRow, by: &[GroupBy], chart: Option<&Chart>) -> Self {
        let group = by.iter().zip(&row.group).map(|(group, value)| (group.as_str().to_owned(), value.clone().into()));
        Self {
            group: group.collect(),
            invocations: row.count,
            errors: row.errors,
            error_share: row.error_share,
            latency_p50_ms: row.latency_ms.map(|latency| latency.p50),
            latency_p95_ms: row.latency_ms.map(|latency| latency.p95),
            latency_p99_ms: row.latency_ms.map(|latency| latency.p99),
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cached_tokens: row.cached_tokens,
            cost_usd: row.cost_usd,
            with_cost: row.with_cost,
            first: row.first.to_rfc3339(),
            last: row.last.to_rfc3339(),
            over_time: chart.map(|chart| chart.points(&row.group)),
        }
    }
}

/// Writes rows with a header.
pub fn csv(rows: &[StatisticsRow], by: &[GroupBy]) -> String {
    let mut text = by.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(",");
    let numbers = "invocations,errors,error_share,latency_p50_ms,latency_p95_ms,latency_p99_ms,input_tokens,output_tokens,\
                   cached_tokens,cost_usd,with_cost,first,last";
    text.push_str(if by.is_empty() { "" } else { "," });
    text.push_str(numbers);
    text.push('\n');
    for row in rows {
        let wire = RowV1::new(row, by, None);
        let mut cells: Vec<String> = row.group.iter().map(|value| quote(value.as_deref().unwrap_or_default())).collect();
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let count = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        cells.extend([wire.invocations.to_string(), wire.errors.to_string(), wire.error_share.to_string()]);
        cells.extend([wire.latency_p50_ms, wire.latency_p95_ms, wire.latency_p99_ms].map(number));
        cells.extend([wire.input_tokens, wire.output_tokens, wire.cached_tokens].map(count));
        cells.extend([number(wire.cost_usd), wire.with_cost.to_string(), wire.first, wire.last]);
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

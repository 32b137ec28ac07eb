//! Numbers over time, in as many steps as fit beside a row.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use promptops_lake::{Filter, GroupBy, Lake, StatisticsRow};
use serde::Serialize;

use crate::failure::Outcome;
use crate::lake_access;
use crate::output::sparkline::sparkline;

/// Steps that a chart has at most.
const WIDEST: usize = 40;
/// What a step may be, the shortest first.
const STEPS: [GroupBy; 5] = [GroupBy::Minute, GroupBy::Hour, GroupBy::Day, GroupBy::Week, GroupBy::Month];

/// The statistics of each row in each step.
#[derive(Debug)]
pub struct Chart {
    step: GroupBy,
    times: Vec<String>,
    /// By group, then by time.
    rows: BTreeMap<Vec<Option<String>>, BTreeMap<String, StatisticsRow>>,
    total: BTreeMap<String, StatisticsRow>,
}

/// One row of a chart: what there is at each time.
#[derive(Debug)]
pub struct Series<'a>(Vec<Option<&'a StatisticsRow>>);

/// One step as JSON.
#[derive(Debug, Serialize)]
pub struct PointV1 {
    time: String,
    invocations: u64,
    errors: u64,
    latency_p95_ms: Option<f64>,
    cost_usd: Option<f64>,
}

impl Chart {
    /// Reads the records that fit once more, by time. `total` says between which times they lie.
    pub async fn read(lake: &Lake, filter: &Filter, by: &[GroupBy], total: &StatisticsRow, now: DateTime<Utc>) -> Outcome<Self> {
        let (step, times) = steps(filter, total, now);
        let mut with_time = by.to_vec();
        with_time.push(step);
        let mut rows: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for mut row in lake.statistics(filter, &with_time).await.map_err(lake_access::failure)? {
            let Some(Some(time)) = row.group.pop() else { continue };
            rows.entry(row.group.clone()).or_default().insert(time, row);
        }
        let mut whole = BTreeMap::new();
        for mut row in lake.statistics(filter, &[step]).await.map_err(lake_access::failure)? {
            let Some(Some(time)) = row.group.pop() else { continue };
            whole.insert(time, row);
        }
        Ok(Self { step, times, rows, total: whole })
    }

    /// Returns the steps of a row.
    pub fn series(&self, group: &[Option<String>]) -> Series<'_> {
        let points = self.rows.get(group);
        Series(self.times.iter().map(|time| points?.get(time)).collect())
    }

    /// Returns the steps of all rows together.
    pub fn total(&self) -> Series<'_> {
        Series(self.times.iter().map(|time| self.total.get(time)).collect())
    }

    /// Returns the steps of a row in which there is anything.
    pub fn points(&self, group: &[Option<String>]) -> Vec<PointV1> {
        let point = |(time, row): (&String, &StatisticsRow)| PointV1 {
            time: time.clone(),
            invocations: row.count,
            errors: row.errors,
            latency_p95_ms: row.latency_ms.map(|latency| latency.p95),
            cost_usd: row.cost_usd,
        };
        self.rows.get(group).into_iter().flatten().map(point).collect()
    }

    /// Says what the characters mean.
    pub fn legend(&self) -> String {
        let (first, last) = (self.times.first().map_or("", String::as_str), self.times.last().map_or("", String::as_str));
        format!(
            "over time: one character is one {}, {first} to {last} (UTC), from zero to the row's highest; `.` where nothing is known",
            self.step.as_str()
        )
    }
}

/// Returns the shortest step with which the window is not too wide, and the times. A window that is open at one end, or that
/// begins long before the first record, ends where the records do.
fn steps(filter: &Filter, total: &StatisticsRow, now: DateTime<Utc>) -> (GroupBy, Vec<String>) {
    let last = total.last.max(filter.until.unwrap_or(now).min(now) - chrono::TimeDelta::microseconds(1));
    let widest = |from: DateTime<Utc>, to: DateTime<Utc>| {
        let times = |step: GroupBy| (step, step.times_between(from, to).take(WIDEST + 1).collect::<Vec<_>>());
        STEPS.into_iter().map(times).find(|(_, times)| times.len() <= WIDEST)
    };
    let (from, to) = match filter.since {
        Some(since) if total.first - since <= total.last - total.first => (since, last),
        Some(_) => (total.first, last),
        None => (total.first, total.last),
    };
    widest(from, to).unwrap_or_else(|| {
        let mut times: Vec<String> = GroupBy::Month.times_between(from, to).collect();
        times.drain(..times.len() - WIDEST);
        (GroupBy::Month, times)
    })
}

#[expect(clippy::cast_precision_loss, reason = "a chart has eight heights")]
impl Series<'_> {
    /// Draws the number of invocations.
    pub fn calls(&self) -> String {
        self.draw(|row| Some(row.count as f64))
    }

    /// Draws the 95th percentile of the latency.
    pub fn p95(&self) -> String {
        self.draw(|row| row.latency_ms.map(|latency| latency.p95))
    }

    /// Draws the cost.
    pub fn cost(&self) -> String {
        self.draw(|row| row.cost_usd)
    }

    fn draw(&self, pick: fn(&StatisticsRow) -> Option<f64>) -> String {
        sparkline(&self.0.iter().map(|row| row.and_then(pick)).collect::<Vec<_>>())
    }
}

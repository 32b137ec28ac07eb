//! `promptops stats`: volume, errors, latency, tokens and cost.

mod chart;
mod order;
mod row_v1;

use clap::Args;
use promptops_lake::{GroupBy, LatencyPercentiles, Statistics, StatisticsRow};

use self::chart::{Chart, Series};
use self::order::Sort;
use self::row_v1::{RowV1, csv};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access::{self, FilterArguments, TableFormat, WindowArguments};
use crate::output::table::{Align, Table};
use crate::output::visible::one_line;
use crate::prompt_owners::with_owners;

/// Show volume, errors, latency, tokens and cost of recorded invocations.
///
/// Percentiles are exact. A cost is the sum over the invocations that have one; how many have none is said.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What makes a row; several may be given.
    #[arg(long, value_parser = lake_access::groups(), value_delimiter = ',', default_value = "prompt,version,model", value_name = "COLUMN,…")]
    by: Vec<GroupBy>,
    /// One row for everything.
    #[arg(long, conflicts_with = "by")]
    total: bool,
    /// What rows are sorted by: what they are grouped by, or a number, the highest first.
    #[arg(long, value_enum, default_value_t, value_name = "COLUMN")]
    sort: Sort,
    /// Only the first rows; the total is of all.
    #[arg(long, value_name = "COUNT")]
    top: Option<usize>,
    /// Draw calls, 95th percentile of the latency, and cost over time, one character for each minute, hour, day, week or month.
    #[arg(long)]
    chart: bool,
    /// How rows are shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: TableFormat,
    /// Which invocations.
    #[command(flatten)]
    filter: FilterArguments,
    /// When.
    #[command(flatten)]
    window: WindowArguments,
}

/// Prints the statistics.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let by: &[GroupBy] = if arguments.total { &[] } else { &arguments.by };
    refuse_chart_that_cannot_be(arguments, by)?;
    let project = context.project()?;
    let mut lake = lake_access::open(context, &project)?;
    let (since, until) = arguments.window.resolve(context.now());
    let filter = arguments.filter.within(since, until);
    if filter.owner.is_some() || by.contains(&GroupBy::Owner) {
        lake = context.block_on(with_owners(lake, &filter, context, &project))??;
    }
    let (Statistics { mut rows, total }, chart) = context.block_on(async {
        let statistics = lake.statistics_with_total(&filter, by).await.map_err(lake_access::failure)?;
        let chart = match &statistics.total {
            Some(total) if arguments.chart => Some(Chart::read(&lake, &filter, by, total, context.now()).await?),
            _ => None,
        };
        Ok::<_, Failure>((statistics, chart))
    })??;
    let Some(total) = total else {
        context.printer.notice(format!("no invocation fits in `{}`; `promptops invocations import` brings some", lake.name()));
        return Ok(Exit::Success);
    };
    arguments.sort.apply(&mut rows);
    let left_out = rows.len().saturating_sub(arguments.top.unwrap_or(usize::MAX));
    rows.truncate(rows.len() - left_out);
    match arguments.format {
        TableFormat::Table => context.printer.answer(&table(&rows, by, &total, chart.as_ref()).render(&context.printer)),
        TableFormat::Json => {
            for row in &rows {
                let row = RowV1::new(row, by, chart.as_ref());
                let text = serde_json::to_string(&row).map_err(|error| Failure::from_error(Exit::Io, error))?;
                context.printer.line(text);
            }
        }
        TableFormat::Csv => context.printer.answer(&csv(&rows, by)),
    }
    say_what_is_missing(&total, left_out, chart.as_ref(), context);
    Ok(Exit::Success)
}

fn refuse_chart_that_cannot_be(arguments: &Arguments, by: &[GroupBy]) -> Outcome<()> {
    let time = by.iter().find(|group| group.is_time());
    let reason = match (arguments.chart, arguments.format, time) {
        (true, TableFormat::Csv, _) => "CSV has no charts".to_owned(),
        (true, _, Some(time)) => format!("a chart already shows time, and the rows are of one `{}` each", time.as_str()),
        _ => return Ok(()),
    };
    Err(Failure::new(Exit::Usage, reason)
        .hint("leave out `--chart`, and give `--by` a `day` or `hour` for the numbers over time"))
}

fn say_what_is_missing(total: &StatisticsRow, left_out: usize, chart: Option<&Chart>, context: &Context) {
    if left_out > 0 {
        context.printer.notice(format!("and {left_out} more {}", if left_out == 1 { "row" } else { "rows" }));
    }
    if let Some(chart) = chart {
        context.printer.notice(chart.legend());
    }
    let without = total.count - total.with_cost;
    if without > 0 && total.with_cost > 0 {
        context.printer.notice(format!("{without} of {} invocations have no cost; the costs are of the others", total.count));
    }
}

const NUMBERS: [&str; 9] = ["calls", "errors", "p50 ms", "p95 ms", "p99 ms", "tokens in", "tokens out", "cost USD", "last (UTC)"];
const CHARTS: [&str; 3] = ["calls over time", "p95 over time", "cost over time"];

fn table(rows: &[StatisticsRow], by: &[GroupBy], total: &StatisticsRow, chart: Option<&Chart>) -> Table {
    let mut columns: Vec<(&str, Align)> = by.iter().map(|group| (group.as_str(), Align::Left)).collect();
    columns.extend(NUMBERS.map(|name| (name, Align::Right)));
    if chart.is_some() {
        columns.extend(CHARTS.map(|name| (name, Align::Left)));
    }
    let mut table = Table::new(&columns);
    let mut add = |names: Vec<String>, row: &StatisticsRow, series: Option<Series>| {
        let mut cells = names;
        cells.extend(numbers(row));
        if let Some(series) = series {
            cells.extend([series.calls(), series.p95(), series.cost()]);
        }
        table.row(cells);
    };
    for row in rows {
        let names = row.group.iter().map(|value| value.as_deref().map_or_else(unknown, one_line)).collect();
        add(names, row, chart.map(|chart| chart.series(&row.group)));
    }
    if !by.is_empty() && rows.len() > 1 {
        let names = (0..by.len()).map(|place| if place == 0 { "total".to_owned() } else { String::new() }).collect();
        add(names, total, chart.map(Chart::total));
    }
    table
}

fn unknown() -> String {
    "-".to_owned()
}

fn numbers(row: &StatisticsRow) -> [String; 9] {
    let percentile = |pick: fn(&LatencyPercentiles) -> f64| {
        row.latency_ms.as_ref().map_or_else(unknown, |latency| format!("{:.0}", pick(latency)))
    };
    let errors = if row.errors == 0 { "0".to_owned() } else { format!("{} ({:.1} %)", row.errors, row.error_share * 100.0) };
    [
        row.count.to_string(),
        errors,
        percentile(|latency| latency.p50),
        percentile(|latency| latency.p95),
        percentile(|latency| latency.p99),
        row.input_tokens.map_or_else(unknown, |tokens| tokens.to_string()),
        row.output_tokens.map_or_else(unknown, |tokens| tokens.to_string()),
        row.cost_usd.map_or_else(unknown, |cost| format!("{cost:.4}")),
        row.last.format("%Y-%m-%d %H:%M").to_string(),
    ]
}

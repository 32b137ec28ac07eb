//! `promptops stats`: volume, errors, latency, tokens and cost.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use promptops_lake::{GroupBy, StatisticsRow};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access::{self, FilterArguments, TableFormat, WindowArguments};
use crate::output::csv::quote;
use crate::output::table::{Align, Table};

/// Show volume, errors, latency, tokens and cost of recorded invocations.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What makes a row; several may be given.
    #[arg(long, value_parser = groups(), value_delimiter = ',', default_value = "prompt,version,model", value_name = "COLUMN,…")]
    by: Vec<GroupBy>,
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

/// Reads the names of the columns, so that help and errors list them.
fn groups() -> impl TypedValueParser<Value = GroupBy> {
    PossibleValuesParser::new(GroupBy::ALL.map(GroupBy::as_str)).try_map(|name| {
        let found = GroupBy::ALL.into_iter().find(|group| group.as_str() == name);
        found.ok_or("not a column")
    })
}

/// One row as JSON. Percentiles are exact; costs in US dollars; times UTC.
#[derive(Debug, Serialize)]
struct RowV1 {
    group: serde_json::Map<String, serde_json::Value>,
    invocations: u64,
    errors: u64,
    error_share: f64,
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cost_usd: Option<f64>,
    first: String,
    last: String,
}

/// Prints the statistics.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let (since, until) = arguments.window.resolve(context.now());
    let (filter, by) = (arguments.filter.within(since, until), arguments.by.as_slice());
    let rows = context.block_on(lake.statistics(&filter, by))?.map_err(lake_access::failure)?;
    if rows.is_empty() {
        context.printer.notice(format!("no invocation fits in `{}`; `promptops invocations import` brings some", lake.name()));
        return Ok(Exit::Success);
    }
    match arguments.format {
        TableFormat::Table => context.printer.answer(&table(&rows, by).render(&context.printer)),
        TableFormat::Json => {
            for row in &rows {
                let text = serde_json::to_string(&wire(row, by)).map_err(|error| Failure::from_error(Exit::Io, error))?;
                context.printer.line(text);
            }
        }
        TableFormat::Csv => context.printer.answer(&csv(&rows, by)),
    }
    Ok(Exit::Success)
}

fn table(rows: &[StatisticsRow], by: &[GroupBy]) -> Table {
    let mut columns: Vec<(&str, Align)> = by.iter().map(|group| (group.as_str(), Align::Left)).collect();
    let numbers = ["calls", "errors", "p50 ms", "p95 ms", "p99 ms", "tokens in", "tokens out", "cost USD", "last (UTC)"];
    columns.extend(numbers.map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    let unknown = || "-".to_owned();
    for row in rows {
        let mut cells: Vec<String> = row.group.iter().map(|value| value.clone().unwrap_or_else(unknown)).collect();
        let percentile = |pick: fn(&promptops_lake::LatencyPercentiles) -> f64| {
            row.latency_ms.as_ref().map_or_else(unknown, |latency| format!("{:.0}", pick(latency)))
        };
        cells.push(row.count.to_string());
        cells.push(if row.errors == 0 { "0".to_owned() } else { format!("{} ({:.1} %)", row.errors, row.error_share * 100.0) });
        cells.extend([percentile(|l| l.p50), percentile(|l| l.p95), percentile(|l| l.p99)]);
        cells.push(row.input_tokens.map_or_else(unknown, |tokens| tokens.to_string()));
        cells.push(row.output_tokens.map_or_else(unknown, |tokens| tokens.to_string()));
        cells.push(row.cost_usd.map_or_else(unknown, |cost| format!("{cost:.4}")));
        cells.push(row.last.format("%Y-%m-%d %H:%M").to_string());
        table.row(cells);
    }
    table
}

fn wire(row: &StatisticsRow, by: &[GroupBy]) -> RowV1 {
    let group = by.iter().zip(&row.group).map(|(group, value)| (group.as_str().to_owned(), value.clone().into()));
    RowV1 {
        group: group.collect(),
        invocations: row.count,
        errors: row.errors,
        error_share: row.error_share,
        latency_p50_ms: row.latency_ms.map(|latency| latency.p50),
        latency_p95_ms: row.latency_ms.map(|latency| latency.p95),
        latency_p99_ms: row.latency_ms.map(|latency| latency.p99),
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        cost_usd: row.cost_usd,
        first: row.first.to_rfc3339(),
        last: row.last.to_rfc3339(),
    }
}

fn csv(rows: &[StatisticsRow], by: &[GroupBy]) -> String {
    let mut text = by.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(",");
    let numbers = "invocations,errors,error_share,latency_p50_ms,latency_p95_ms,latency_p99_ms,input_tokens,output_tokens,cost_usd,first,last";
    text.push_str(if by.is_empty() { "" } else { "," });
    text.push_str(numbers);
    text.push('\n');
    for row in rows {
        let wire = wire(row, by);
        let mut cells: Vec<String> = row.group.iter().map(|value| quote(value.as_deref().unwrap_or_default())).collect();
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let count = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        cells.extend([wire.invocations.to_string(), wire.errors.to_string(), wire.error_share.to_string()]);
        cells.extend([wire.latency_p50_ms, wire.latency_p95_ms, wire.latency_p99_ms].map(number));
        cells.extend([count(wire.input_tokens), count(wire.output_tokens), number(wire.cost_usd), wire.first, wire.last]);
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

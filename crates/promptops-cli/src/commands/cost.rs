//! `promptops cost`: what calls cost, as it was recorded and by a table of prices.

use std::path::PathBuf;

use clap::Args;
use promptops_lake::{CostRow, GroupBy};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access::{self, FilterArguments, TableFormat, WindowArguments};
use crate::output::csv::quote;
use crate::output::table::{Align, Table};
use crate::output::visible::one_line;
use crate::price_access::{prices, prices_in};
use crate::prompt_owners::with_owners;
use crate::time_argument::TimeArgument;

/// Show what recorded invocations cost: as recorded, and by a table of prices.
///
/// Each call is priced as of its own time, unless `--at` takes the prices of one moment for all. A call without a price is counted
/// and named, never taken as free.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What makes a row; several may be given.
    #[arg(long, value_parser = lake_access::groups(), value_delimiter = ',', default_value = "prompt,model", value_name = "COLUMN,…")]
    by: Vec<GroupBy>,
    /// Price by this table in place of the project's; `promptops prices import` writes such files.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Price every call as of this moment, as `--at 0h` for the prices of now.
    #[arg(long, value_name = "TIME")]
    at: Option<TimeArgument>,
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

/// One row as JSON; US dollars.
#[derive(Debug, Serialize)]
struct RowV1 {
    group: serde_json::Map<String, serde_json::Value>,
    invocations: u64,
    recorded_usd: Option<f64>,
    with_recorded: u64,
    priced_usd: Option<f64>,
    with_price: u64,
    price_is_assumed: u64,
    no_price: std::collections::BTreeMap<String, u64>,
}

/// Prints what they cost.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let mut table = match &arguments.prices {
        Some(path) => prices_in(&context.directory.join(path))?,
        None => prices(&project)?,
    };
    table.at = arguments.at.as_ref().map(|at| at.resolve(context.now()));
    let has_prices = !table.table.models.is_empty();
    let (since, until) = arguments.window.resolve(context.now());
    let filter = arguments.filter.within(since, until);
    let by = arguments.by.as_slice();
    let mut lake = lake_access::open(context, &project)?.with_prices(table);
    if filter.owner.is_some() || by.contains(&GroupBy::Owner) {
        lake = context.block_on(with_owners(lake, &filter, context, &project))??;
    }
    let rows = context.block_on(lake.costs(&filter, by))?.map_err(lake_access::failure)?;
    if rows.is_empty() {
        context.printer.notice(format!("no invocation fits in `{}`; `promptops invocations import` brings some", lake.name()));
        return Ok(Exit::Success);
    }
    let total = rows.iter().fold(CostRow::default(), |mut total, row| {
        total.add(row);
        total
    });
    match arguments.format {
        TableFormat::Table => context.printer.answer(&drawn(&rows, by, &total).render(&context.printer)),
        TableFormat::Json => {
            for row in &rows {
                let text = serde_json::to_string(&wire(row, by)).map_err(|error| Failure::from_error(Exit::Io, error))?;
                context.printer.line(text);
            }
        }
        TableFormat::Csv => context.printer.answer(&csv(&rows, by)),
    }
    if !has_prices {
        context.printer.notice("there is no table of prices; `promptops prices import` takes over LiteLLM's");
    }
    say_what_is_missing(&total, context);
    Ok(Exit::Success)
}

fn say_what_is_missing(total: &CostRow, context: &Context) {
    let of = |count: u64| format!("{count} of {}", total.count);
    let without = total.count - total.with_recorded;
    if without > 0 {
        context.printer.notice(format!("{} have no recorded cost; the recorded sums are of the others", of(without)));
    }
    if total.assumed > 0 {
        context.printer.notice(format!("{} are older than the first price of their model, which was taken", of(total.assumed)));
    }
    for (reason, count) in &total.no_price {
        context.printer.notice(format!("{} have no price: {}", of(*count), one_line(reason)));
    }
}

fn drawn(rows: &[CostRow], by: &[GroupBy], total: &CostRow) -> Table {
    let mut columns: Vec<(&str, Align)> = by.iter().map(|group| (group.as_str(), Align::Left)).collect();
    columns.extend(["calls", "recorded USD", "priced USD", "difference", "without price"].map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    let unknown = || "-".to_owned();
    let numbers = |row: &CostRow| {
        let usd = |sum: Option<f64>| sum.map_or_else(unknown, |sum| format!("{sum:.4}"));
        // Only sums over the same calls can be compared.
        let is_whole = row.with_recorded == row.count && row.with_price == row.count;
        let difference = match (row.recorded_usd, row.priced_usd) {
            (Some(recorded), Some(priced)) if is_whole => format!("{:+.4}", priced - recorded),
            _ => unknown(),
        };
        let without = row.count - row.with_price;
        [row.count.to_string(), usd(row.recorded_usd), usd(row.priced_usd), difference, without.to_string()]
    };
    for row in rows {
        let mut cells: Vec<String> = row.group.iter().map(|value| value.as_deref().map_or_else(unknown, one_line)).collect();
        cells.extend(numbers(row));
        table.row(cells);
    }
    if !by.is_empty() && rows.len() > 1 {
        let mut cells: Vec<String> =
            (0..by.len()).map(|place| if place == 0 { "total".to_owned() } else { String::new() }).collect();
        cells.extend(numbers(total));
        table.row(cells);
    }
    table
}

fn wire(row: &CostRow, by: &[GroupBy]) -> RowV1 {
    let group = by.iter().zip(&row.group).map(|(group, value)| (group.as_str().to_owned(), value.clone().into()));
    RowV1 {
        group: group.collect(),
        invocations: row.count,
        recorded_usd: row.recorded_usd,
        with_recorded: row.with_recorded,
        priced_usd: row.priced_usd,
        with_price: row.with_price,
        price_is_assumed: row.assumed,
        no_price: row.no_price.clone(),
    }
}

fn csv(rows: &[CostRow], by: &[GroupBy]) -> String {
    let mut header: Vec<&str> = by.iter().map(|group| group.as_str()).collect();
    header.extend(["invocations", "recorded_usd", "with_recorded", "priced_usd", "with_price", "price_is_assumed"]);
    let mut text = header.join(",") + "\n";
    for row in rows {
        let usd = |sum: Option<f64>| sum.map(|sum| sum.to_string()).unwrap_or_default();
        let mut cells: Vec<String> = row.group.iter().map(|value| quote(value.as_deref().unwrap_or_default())).collect();
        cells.extend([row.count.to_string(), usd(row.recorded_usd), row.with_recorded.to_string()]);
        cells.extend([usd(row.priced_usd), row.with_price.to_string(), row.assumed.to_string()]);
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

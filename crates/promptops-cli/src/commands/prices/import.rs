//! `promptops prices import`: take over the prices of LiteLLM's file.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use promptops_eval::price::PriceTable;

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::providers::price_table;

/// Changed prices that are listed; more are counted.
const LISTED: usize = 20;

/// Write the table of prices from LiteLLM's `model_prices_and_context_window.json`, with its date and source.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file.
    file: PathBuf,
    /// The day for which the file states prices [default: today].
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
    /// Where the file comes from, as reports shall name it.
    #[arg(long, default_value = "LiteLLM's model_prices_and_context_window.json", value_name = "TEXT")]
    source: String,
    /// Tell what would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Reads the file, tells what changes, and writes the table.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let file = context.directory.join(&arguments.file);
    let bytes = std::fs::read(&file).map_err(|error| Failure::io("read the prices in", &file, error))?;
    let date = arguments.date.unwrap_or_else(|| context.now().date_naive());
    let table = PriceTable::from_litellm(&bytes, date, &arguments.source).map_err(|error| {
        Failure::from_error(Exit::Usage, error)
            .hint("it must be LiteLLM's model_prices_and_context_window.json, which is in its repository and its Python package")
    })?;
    let before = price_table(&project)?;
    let path = &project.config.prices.path;
    for line in changes(before.as_ref(), &table) {
        context.printer.line(line);
    }
    let count = table.models.len();
    if arguments.dry_run {
        context.printer.line(format!("{path}: would hold the prices of {count} models of {date}"));
    } else {
        write_file(&project.root.join(path), table.to_json())?;
        context.printer.line(format!("{path}: {count} models, prices of {date}"));
    }
    Ok(Exit::Success)
}

/// Tells what is another price than before, and how many models come and go.
fn changes(before: Option<&PriceTable>, now: &PriceTable) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let changed: Vec<String> = now
        .models
        .iter()
        .filter_map(|(model, price)| {
            let old = before.models.get(model).filter(|old| *old != price)?;
            let part = |name: &str, old: f64, new: f64| {
                let change = if old == new { format!("{new}") } else { format!("{old} → {new}") };
                format!("{name} {change}")
            };
            Some(format!("{model}: {}, {}", part("input", old.input, price.input), part("output", old.output, price.output)))
        })
        .collect();
    let count = |from: &PriceTable, to: &PriceTable| to.models.keys().filter(|model| !from.models.contains_key(*model)).count();
    let (new, gone) = (count(before, now), count(now, before));
    let more = changed.len().saturating_sub(LISTED);
    let mut lines: Vec<String> = changed.into_iter().take(LISTED).collect();
    if more > 0 {
        lines.push(format!("and {more} more prices change"));
    }
    if new + gone > 0 {
        lines.push(format!("models: {new} new, {gone} gone"));
    }
    lines
}

//! `promptops prices import`: take over the prices of LiteLLM's file.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use promptops_telemetry::price::{PriceList, PriceTable};

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::providers::price_table;

/// Changed prices that are listed; more are counted.
const LISTED: usize = 20;

/// Take over the prices of LiteLLM's `model_prices_and_context_window.json` into the table, with their date and source.
///
/// A price that changed is added beside the one that held before, so that old calls keep theirs.
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
    let list = PriceList::from_litellm(&bytes, date, &arguments.source).map_err(|error| {
        Failure::from_error(Exit::Usage, error)
            .hint("it must be LiteLLM's model_prices_and_context_window.json, which is in its repository and its Python package")
    })?;
    let mut table = price_table(&project)?.unwrap_or_default();
    let path = &project.config.prices.path;
    for line in changes(&table, &list) {
        context.printer.line(line);
    }
    let count = list.models.len();
    table.add(list);
    if arguments.dry_run {
        context.printer.line(format!("{path}: would take over the prices of {count} models of {date}"));
    } else {
        write_file(&project.root.join(path), table.to_json())?;
        context.printer.line(format!("{path}: {count} models, prices of {date}"));
    }
    Ok(Exit::Success)
}

/// Tells which models have another price than the one that held, and how many come and go.
fn changes(before: &PriceTable, now: &PriceList) -> Vec<String> {
    if before.models.is_empty() {
        return Vec::new();
    }
    let changed: Vec<String> = now
        .models
        .iter()
        .filter_map(|(model, price)| {
            before.models.get(model)?;
            let old = before.price(None, model, now.date)?.price;
            let part = |name: &str, old: f64, new: f64| {
                let change = if old == new { format!("{new}") } else { format!("{old} → {new}") };
                format!("{name} {change}")
            };
            let parts = [part("input", old.input, price.input), part("output", old.output, price.output)];
            (old != price).then(|| format!("{model}: {}", parts.join(", ")))
        })
        .collect();
    let new = now.models.keys().filter(|model| !before.models.contains_key(*model)).count();
    let gone = before.models.keys().filter(|model| !now.models.contains_key(*model)).count();
    let more = changed.len().saturating_sub(LISTED);
    let mut lines: Vec<String> = changed.into_iter().take(LISTED).collect();
    if more > 0 {
        lines.push(format!("and {more} more prices change"));
    }
    if new + gone > 0 {
        lines.push(format!("models: {new} new, {gone} no longer named, whose last prices stay"));
    }
    lines
}

//! `promptops prices show`: what one model costs.

use chrono::NaiveDate;
use clap::Args;
use promptops_telemetry::price::{Price, PriceTable, Stated};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::CONFIG_FILE;
use crate::providers::{price_table, provider};

/// Models with a similar name that a hint tells.
const LISTED: usize = 5;

/// Show what a model costs, in US dollars for a million tokens, where the price comes from, and what it was before.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The model, as prompts name it.
    model: String,
    /// On this day [default: today].
    #[arg(long, value_name = "YYYY-MM-DD")]
    at: Option<NaiveDate>,
}

/// Finds the price by the same rules as an evaluation.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let model = &arguments.model;
    let day = arguments.at.unwrap_or_else(|| context.now().date_naive());
    let own = provider(&project, model).and_then(|(name, config)| Some((name, config.prices.get(model)?)));
    let table = price_table(&project)?.unwrap_or_default();
    let (price, source) = match (own, table.price(None, model, day)) {
        (Some((name, price)), _) => (price, format!("{CONFIG_FILE}, provider `{name}`")),
        (None, Some(stated)) => (stated.price, source(&table, &stated, model)),
        (None, None) => return Err(unknown(&table, model)),
    };
    context.printer.line(format!("{model}: US dollars for a million tokens"));
    lines("", price).iter().for_each(|line| context.printer.line(line));
    context.printer.line(format!("source: {source}"));
    if own.is_none() {
        let name = table.price(None, model, day).map_or(model.as_str(), |stated| stated.model);
        for period in
            table.models.get(name).iter().flat_map(|periods| periods.iter().rev()).filter(|period| period.price != *price)
        {
            let until = period.until.map_or_else(String::new, |until| format!(", until {until}"));
            context
                .printer
                .line(format!("from {}{until}: input {}, output {}", period.from, period.price.input, period.price.output));
        }
    }
    Ok(Exit::Success)
}

fn source(table: &PriceTable, stated: &Stated<'_>, model: &str) -> String {
    let named = if stated.model == model { String::new() } else { format!(", there `{}`", stated.model) };
    let source = table.source(stated.from).map_or("written by hand", |source| source.source.as_str());
    let assumed = if stated.is_assumed { ", the first that is known" } else { "" };
    format!("{source}, {}{assumed}{named}", stated.from)
}

/// Writes a price, and those of long inputs and of other tiers below it.
fn lines(indent: &str, price: &Price) -> Vec<String> {
    let line = |indent: &str, name: &str, price: f64| format!("{indent}  {name:<12}  {price}");
    let rates = |indent: &str, rates: [(&str, Option<f64>); 5]| -> Vec<String> {
        rates.into_iter().filter_map(|(name, price)| Some(line(indent, name, price?))).collect()
    };
    let of = |input, cached_input, cache_write, output, reasoning| {
        [
            ("input", Some(input)),
            ("cached input", cached_input),
            ("cache write", cache_write),
            ("output", Some(output)),
            ("reasoning", reasoning),
        ]
    };
    let mut lines = rates(indent, of(price.input, price.cached_input, price.cache_write, price.output, price.reasoning));
    let below = format!("{indent}  ");
    for long in &price.long {
        lines.push(format!("{below}input above {} tokens", long.above));
        lines.extend(rates(&below, of(long.input, long.cached_input, long.cache_write, long.output, None)));
    }
    for (tier, price) in &price.tiers {
        lines.push(format!("{below}tier {tier}"));
        lines.extend(self::lines(&below, price));
    }
    lines
}

fn unknown(table: &PriceTable, model: &str) -> Failure {
    let names = table.models.keys().filter(|name| name.contains(model));
    let similar: Vec<&str> = names.map(String::as_str).take(LISTED).collect();
    let hint = if similar.is_empty() {
        "`promptops prices import` takes over LiteLLM's table".to_owned()
    } else {
        format!("known are `{}`", similar.join("`, `"))
    };
    Failure::new(Exit::NotFound, format!("the price of `{model}` is not known")).hint(hint)
}

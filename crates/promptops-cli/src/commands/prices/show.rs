//! `promptops prices show`: what one model costs.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::CONFIG_FILE;
use crate::providers::{price_table, provider};

/// Models with a similar name that a hint tells.
const LISTED: usize = 5;

/// Show what a model costs, in US dollars for a million tokens, and where the price comes from.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The model, as prompts name it.
    model: String,
}

/// Finds the price by the same rules as an evaluation.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let model = &arguments.model;
    let own = provider(&project, model)
        .and_then(|(name, config)| Some((config.prices.get(model)?, format!("{CONFIG_FILE}, provider `{name}`"))));
    let table = price_table(&project)?;
    let in_table = || {
        let table = table.as_ref()?;
        let (name, price) = table.price(model)?;
        let named = if name == model { String::new() } else { format!(", there `{name}`") };
        Some((price, format!("{}, {}{named}", table.source, table.date)))
    };
    let Some((price, source)) = own.or_else(in_table) else {
        let names = table.iter().flat_map(|table| table.models.keys()).filter(|name| name.contains(model.as_str()));
        let similar: Vec<&str> = names.map(String::as_str).take(LISTED).collect();
        let hint = if similar.is_empty() {
            "`promptops prices import` takes over LiteLLM's table".to_owned()
        } else {
            format!("known are `{}`", similar.join("`, `"))
        };
        return Err(Failure::new(Exit::NotFound, format!("the price of `{model}` is not known")).hint(hint));
    };
    let rows = [
        ("input", Some(price.input)),
        ("cached input", price.cached_input),
        ("cache write", price.cache_write),
        ("output", Some(price.output)),
        ("reasoning", price.reasoning),
        ("batch input", price.batch_input),
        ("batch output", price.batch_output),
    ];
    context.printer.line(format!("{model}: US dollars for a million tokens"));
    for (name, price) in rows {
        if let Some(price) = price {
            context.printer.line(format!("  {name:<12}  {price}"));
        }
    }
    context.printer.line(format!("source: {source}"));
    Ok(Exit::Success)
}

//! `promptops list`: what is published.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inventory_access::{FilterArguments, Inventory, InventoryFormat};
use crate::output::inventory::{PromptV1, csv, prompt, state};
use crate::output::table::{Align, Table};
use crate::registry_access::open;

/// List every published prompt with its latest version, owner, model and tags.
///
/// What is shown is what holds for the latest version. It comes from the registry's index, which costs few calls however
/// many versions there are.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: InventoryFormat,
    #[command(flatten)]
    filter: FilterArguments,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs; versioned.
    Json,
}

#[derive(Debug, Serialize)]
struct ListV1<'a> {
    version: u32,
    prompts: Vec<PromptV1<'a>>,
}

/// Lists them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let inventory = context.block_on(async {
        let registry = open(context, &project).await?;
        arguments.filter.read(&registry, context).await
    })??;
    match arguments.format {
        InventoryFormat::Table if inventory.catalogue.is_empty() => context.printer.notice("no published prompt fits"),
        InventoryFormat::Table => context.printer.answer(&table(&inventory, context)),
        InventoryFormat::Json => {
            let prompts = inventory.catalogue.iter().map(|(id, entry)| prompt(id, entry, &inventory)).collect();
            let document = ListV1 { version: 1, prompts };
            let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
        InventoryFormat::Csv => context.printer.answer(&csv(&inventory)),
    }
    Ok(Exit::Success)
}

fn table(inventory: &Inventory, context: &Context) -> String {
    let mut columns = vec![("prompt", Align::Left), ("latest", Align::Right), ("versions", Align::Right)];
    if inventory.live.is_some() {
        columns.push(("live", Align::Right));
    }
    let has_status = inventory.catalogue.values().any(|prompt| state(prompt).is_some());
    if has_status {
        columns.push(("status", Align::Left));
    }
    columns.extend(["digest", "owner", "model", "published", "tags"].map(|name| (name, Align::Left)));
    let mut table = Table::new(&columns);
    for (id, prompt) in &inventory.catalogue {
        let latest = &prompt.latest;
        let mut cells = vec![id.to_string(), prompt.latest_version().to_string(), prompt.versions.len().to_string()];
        if inventory.live.is_some() {
            cells.push(inventory.live_text(id).unwrap_or_else(|| "-".to_owned()));
        }
        if has_status {
            cells.push(state(prompt).unwrap_or("in use").to_owned());
        }
        cells.extend([
            latest.digest.short(),
            latest.metadata.owner.clone(),
            latest.model.clone(),
            latest.published.time.format("%Y-%m-%d").to_string(),
            latest.metadata.tags.join(", "),
        ]);
        table.row(cells);
    }
    table.render(&context.printer)
}

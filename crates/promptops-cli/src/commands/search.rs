//! `promptops search`: which published prompts have some words.

use clap::Args;
use promptops_registry::inventory::{Hit, Search};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inventory_access::{FilterArguments, Inventory, InventoryFormat};
use crate::output::csv;
use crate::output::inventory::{PromptV1, csv_cells, csv_header, prompt};
use crate::output::table::{Align, Table};
use crate::registry_access::{failure, open};

/// Characters of a line or purpose that a table shows.
const SHOWN: usize = 60;

/// Search the published prompts for words: in ids, tags, owners, purposes and models, and with `--text` in what they say.
///
/// Every word must be found somewhere, in any case. What stands in an id counts most, then tag, owner, purpose, model, text;
/// a whole word counts more than a part of one. The latest version of each prompt is searched.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The words.
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// Search the templates as well; reads the content of every prompt that the filters leave.
    #[arg(long = "text")]
    with_text: bool,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: InventoryFormat,
    #[command(flatten)]
    filter: FilterArguments,
}

#[derive(Debug, Serialize)]
struct SearchV1<'a> {
    version: u32,
    /// The best first.
    hits: Vec<HitV1<'a>>,
}

#[derive(Debug, Serialize)]
struct HitV1<'a> {
    score: u32,
    found_in: Vec<&'static str>,
    line: Option<&'a str>,
    prompt: PromptV1<'a>,
}

/// Searches them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let search =
        Search::new(&arguments.text.join(" ")).ok_or_else(|| Failure::new(Exit::Usage, "there is no word to search for"))?;
    let (inventory, hits) = context.block_on(async {
        let registry = open(context, &project).await?;
        let inventory = arguments.filter.read(&registry, context).await?;
        let hits = registry.search(&inventory.catalogue, &search, arguments.with_text).await.map_err(failure)?;
        Ok::<_, Failure>((inventory, hits))
    })??;
    match arguments.format {
        InventoryFormat::Table if hits.is_empty() => {
            let hint = if arguments.with_text { "" } else { "; `--text` searches what the prompts say as well" };
            context.printer.notice(format!("no published prompt fits{hint}"));
        }
        InventoryFormat::Table => context.printer.answer(&table(&hits, &inventory, context)),
        InventoryFormat::Json => {
            let document = SearchV1 { version: 1, hits: hits.iter().map(|hit| wire(hit, &inventory)).collect() };
            let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
        InventoryFormat::Csv => context.printer.answer(&as_csv(&hits, &inventory)),
    }
    Ok(Exit::Success)
}

fn found_in(hit: &Hit) -> Vec<&'static str> {
    hit.found_in.iter().map(|place| place.name()).collect()
}

fn table(hits: &[Hit], inventory: &Inventory, context: &Context) -> String {
    let names = ["prompt", "owner", "found in", "purpose or line"].map(|name| (name, Align::Left));
    let mut table = Table::new(&names);
    for hit in hits {
        let latest = &inventory.catalogue[&hit.id].latest;
        let said = hit.line.as_ref().or(latest.metadata.purpose.as_ref());
        table.row(vec![
            hit.id.at(inventory.catalogue[&hit.id].latest_version()).to_string(),
            latest.metadata.owner.clone(),
            found_in(hit).join(", "),
            said.map(|text| shortened(text)).unwrap_or_default(),
        ]);
    }
    table.render(&context.printer)
}

/// Returns the beginning of a text, in one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let beginning: String = line.chars().take(SHOWN - 1).collect();
    format!("{beginning}…")
}

fn wire<'a>(hit: &'a Hit, inventory: &'a Inventory) -> HitV1<'a> {
    HitV1 {
        score: hit.score,
        found_in: found_in(hit),
        line: hit.line.as_deref(),
        prompt: prompt(&hit.id, &inventory.catalogue[&hit.id], inventory),
    }
}

fn as_csv(hits: &[Hit], inventory: &Inventory) -> String {
    let mut header = csv_header();
    header.extend(["score", "found_in"].map(str::to_owned));
    let mut text = csv::row(&header);
    for hit in hits {
        let mut cells = csv_cells(&hit.id, &inventory.catalogue[&hit.id], inventory);
        cells.extend([hit.score.to_string(), found_in(hit).join(" ")]);
        text.push_str(&csv::row(&cells));
    }
    text
}

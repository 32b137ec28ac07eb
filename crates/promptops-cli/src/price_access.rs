//! The prices of a project, for whoever prices what was recorded.

use std::path::Path;

use promptops_lake::Prices;
use promptops_telemetry::price::PriceTable;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::providers::price_table;

/// Returns the table of prices, with those that were agreed on (`[providers.<name>.prices]`) in it.
pub fn prices(project: &Project) -> Outcome<Prices> {
    let table = price_table(project)?.unwrap_or_default();
    Ok(Prices { table: with_agreed(table, project), at: None })
}

/// Returns the table of a file in place of the project's. Nothing that was agreed on is in it.
pub fn prices_in(path: &Path) -> Outcome<Prices> {
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read the table of prices", path, error))?;
    let table = PriceTable::from_json(&bytes).map_err(|error| {
        Failure::from_error(Exit::Usage, error)
            .hint("it must be a table as `promptops prices import` writes it; docs/reference/prices.md describes it")
    })?;
    Ok(Prices { table, at: None })
}

fn with_agreed(mut table: PriceTable, project: &Project) -> PriceTable {
    for provider in project.config.providers.values() {
        for (model, price) in &provider.prices {
            table.agree(model, price.clone());
        }
    }
    table
}

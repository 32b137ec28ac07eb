//! `promptops generate trino-ddl`: the lake as a table of Trino, with views and queries.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::generated_files::OutputArguments;
use crate::lake_table::{Dialect, LakeTable};
use crate::table_arguments::{TableArguments, known_prompts, name, script};

/// Write schema, table, views and queries of the lake for Trino's Hive connector.
///
/// The folders of the lake are projected, which takes `hive.partition-projection-enabled=true` in the properties of the catalog; and
/// `hive.ignore-absent-partitions=true`, because hours without a call have no folder.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    table: TableArguments,
    /// The catalog, a Hive connector.
    #[arg(long, value_name = "NAME", default_value = "hive", value_parser = name)]
    catalog: String,
    /// The schema.
    #[arg(long, value_name = "NAME", default_value = "promptops", value_parser = name)]
    database: String,
    /// How many days back the table goes.
    #[arg(long, value_name = "DAYS", default_value_t = 1095, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Drop a table of the name first, as when columns were added. The files stay.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let table = LakeTable {
        catalog: arguments.catalog.clone(),
        database: arguments.database.clone(),
        days: arguments.days,
        replaces: arguments.replace,
        ..arguments.table.lake_table(context, &project)?
    };
    let statements = table.statements(Dialect::Trino, &known_prompts(&project, context.now().date_naive())?);
    let files = script("trino.sql", &statements, arguments.output.out.is_some());
    arguments.output.put(&files, context)
}

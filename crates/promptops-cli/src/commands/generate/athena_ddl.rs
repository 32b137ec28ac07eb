//! `promptops generate athena-ddl`: the lake as a table of Amazon Athena, with views and saved queries.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::generated_files::{GeneratedFile, OutputArguments};
use crate::lake_table::{Dialect, LakeTable, cloudformation, terraform};
use crate::table_arguments::{TableArguments, known_prompts, name, script};

/// Write database, table, views and saved queries of the lake for Amazon Athena.
///
/// The folders of the lake are projected: nobody has to tell the catalog of a new hour. A condition on `day` spares reading the others.
/// CloudFormation and Terraform cannot run the statements of views, so these are among the saved queries, to be run once.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    table: TableArguments,
    /// The database.
    #[arg(long, value_name = "NAME", default_value = "promptops", value_parser = name)]
    database: String,
    /// How many days back the table goes.
    #[arg(long, value_name = "DAYS", default_value_t = 1095, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Drop a table of the name first, as when columns were added. The files stay.
    #[arg(long)]
    replace: bool,
    /// As what it is written.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Statements.
    #[default]
    Sql,
    /// A template of CloudFormation.
    Cloudformation,
    /// A module of Terraform, in its JSON form.
    Terraform,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let table = LakeTable {
        database: arguments.database.clone(),
        days: arguments.days,
        replaces: arguments.replace,
        ..arguments.table.lake_table(context, &project)?
    };
    let statements = table.statements(Dialect::Athena, &known_prompts(&project)?);
    let files = match arguments.format {
        Format::Sql => script("athena.sql", &statements, arguments.output.out.is_some()),
        Format::Cloudformation => vec![GeneratedFile::json("athena.json", &cloudformation(&table, &statements))],
        Format::Terraform => vec![GeneratedFile::json("athena.tf.json", &terraform(&table, &statements))],
    };
    arguments.output.put(&files, context)
}

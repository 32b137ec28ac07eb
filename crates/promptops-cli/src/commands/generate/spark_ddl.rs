//! `promptops generate spark-ddl`: the lake as a view of a Spark session, with views and queries.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::generated_files::OutputArguments;
use crate::lake_table::Dialect;
use crate::table_arguments::{TableArguments, known_prompts, script};

/// Write table, views and queries of the lake for Spark, as in an AWS Glue job.
///
/// They belong to the session and need no catalog: run the statements of the folder `table` at the start of a job. Spark looks for folders
/// when the table is made; make it again to see later ones.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let table = arguments.table.lake_table(context, &project)?;
    let statements = table.statements(Dialect::Spark, &known_prompts(&project)?);
    let files = script("spark.sql", &statements, arguments.output.out.is_some());
    arguments.output.put(&files, context)
}

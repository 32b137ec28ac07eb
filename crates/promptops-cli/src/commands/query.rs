//! `promptops query SQL`: questions to the lake.

use clap::Args;
use promptops_lake::LakeError;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access::{self, TableFormat};

/// Ask the lake in SQL; the table is `invocations`, with partition columns `day` and `hour` (UTC).
#[derive(Debug, Args)]
pub struct Arguments {
    /// The statement, as "SELECT prompt_id, count(*) FROM invocations GROUP BY 1".
    sql: String,
    /// How rows are shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: TableFormat,
}

/// Runs the statement.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let result = context.block_on(lake.query(&arguments.sql))?.map_err(failure)?;
    let mut bytes = Vec::new();
    match arguments.format {
        TableFormat::Table => bytes = result.to_table().map_err(lake_access::failure)?.into_bytes(),
        TableFormat::Json => result.write_json_lines(&mut bytes).map_err(lake_access::failure)?,
        TableFormat::Csv => result.write_csv(&mut bytes).map_err(lake_access::failure)?,
    }
    let text = String::from_utf8_lossy(&bytes);
    context.printer.line(text.trim_end_matches('\n'));
    if arguments.format == TableFormat::Table {
        context.printer.notice(match result.row_count() {
            1 => "1 row".to_owned(),
            count => format!("{count} rows"),
        });
    }
    Ok(Exit::Success)
}

fn failure(error: LakeError) -> Failure {
    let is_statement = matches!(error, LakeError::Query(_));
    let failure = lake_access::failure(error);
    if is_statement {
        failure.hint("the table is `invocations`; `promptops query \"DESCRIBE invocations\"` lists its columns")
    } else {
        failure
    }
}

//! `promptops schema`: JSON Schemas for editors.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Print the JSON Schema of prompt files, so that editors complete and check them.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Prints the schema.
pub fn run(_: &Arguments, context: &Context) -> Outcome<Exit> {
    let schema = promptops_prompt::schema::prompt_file();
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::from_error(Exit::Io, error))?;
    context.printer.line(text);
    Ok(Exit::Success)
}

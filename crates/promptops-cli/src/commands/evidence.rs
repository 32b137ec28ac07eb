//! `promptops evidence`: statements about versions.

mod record;

use clap::Subcommand;

pub use record::record_files;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Store what evals showed, so that a deploy can demand it.
#[derive(Debug, Subcommand)]
pub enum Command {
    Record(record::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Record(arguments) => record::run(arguments, context),
    }
}

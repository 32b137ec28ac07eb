//! `promptops registry`: the place where versions are published.

mod init;
mod reindex;
mod verify;

pub use verify::show as show_report;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Make a registry, check that nothing in it was altered, or build its index anew.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Arguments),
    Verify(verify::Arguments),
    Reindex(reindex::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Init(arguments) => init::run(arguments, context),
        Command::Verify(arguments) => verify::run(arguments, context),
        Command::Reindex(arguments) => reindex::run(arguments, context),
    }
}

//! `promptops environment`: where versions run.

mod diff;
mod history;
mod list;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Look at environments and their releases.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::Arguments),
    Diff(diff::Arguments),
    History(history::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::List(arguments) => list::run(arguments, context),
        Command::Diff(arguments) => diff::run(arguments, context),
        Command::History(arguments) => history::run(arguments, context),
    }
}

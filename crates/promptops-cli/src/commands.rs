//! The commands: one file each, named as the user types it.

mod check;
mod diff;
mod history;
mod schema;
mod show;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// What `promptops` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(check::Arguments),
    History(history::Arguments),
    Show(show::Arguments),
    Diff(diff::Arguments),
    Schema(schema::Arguments),
}

/// Runs one command.
pub fn run(command: Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Check(arguments) => check::run(&arguments, context),
        Command::History(arguments) => history::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Diff(arguments) => diff::run(&arguments, context),
        Command::Schema(arguments) => schema::run(&arguments, context),
    }
}

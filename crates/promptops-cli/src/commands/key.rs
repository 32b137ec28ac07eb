//! `promptops key`: who may do what through a server.

mod create;
mod list;
mod revoke;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Make, list and revoke the API keys of `promptops serve`, with direct access to the store.
#[derive(Debug, Subcommand)]
pub enum Command {
    Create(create::Arguments),
    List(list::Arguments),
    Revoke(revoke::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Create(arguments) => create::run(arguments, context),
        Command::List(arguments) => list::run(arguments, context),
        Command::Revoke(arguments) => revoke::run(arguments, context),
    }
}

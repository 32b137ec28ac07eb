//! `promptops invocations`: the records of calls.

mod import;
mod show;
mod tail;
mod tree;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Bring in and look at the records of calls.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is read when the program starts, and there is no other")]
pub enum Command {
    Import(import::Arguments),
    Show(show::Arguments),
    Tail(tail::Arguments),
    Tree(tree::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Import(arguments) => import::run(arguments, context),
        Command::Show(arguments) => show::run(arguments, context),
        Command::Tail(arguments) => tail::run(arguments, context),
        Command::Tree(arguments) => tree::run(arguments, context),
    }
}

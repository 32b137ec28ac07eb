//! `promptops audit`: who did what.

mod head;
mod list;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Look at the log of who published, approved and deployed what, and check that it is whole.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::Arguments),
    Verify(verify::Arguments),
    Head(head::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::List(arguments) => list::run(arguments, context),
        Command::Verify(arguments) => verify::run(arguments, context),
        Command::Head(arguments) => head::run(arguments, context),
    }
}

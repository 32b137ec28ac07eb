//! `promptops lake`: the files of recorded invocations.

mod compact;
mod expire;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Keep the files of recorded invocations in order.
#[derive(Debug, Subcommand)]
pub enum Command {
    Compact(compact::Arguments),
    Expire(expire::Arguments),
    Verify(verify::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Compact(arguments) => compact::run(arguments, context),
        Command::Expire(arguments) => expire::run(arguments, context),
        Command::Verify(arguments) => verify::run(arguments, context),
    }
}

/// Writes a number of things.
fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

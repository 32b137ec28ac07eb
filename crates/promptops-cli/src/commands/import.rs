//! `promptops import`: what other tools have, as prompts, eval files and datasets.

mod promptfoo;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Bring over what other tools have.
#[derive(Debug, Subcommand)]
pub enum Command {
    Promptfoo(promptfoo::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Promptfoo(arguments) => promptfoo::run(arguments, context),
    }
}

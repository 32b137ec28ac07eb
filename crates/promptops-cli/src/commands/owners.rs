//! `promptops owners`: who answers for prompts.

mod codeowners;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Hand on who answers for prompts.
#[derive(Debug, Subcommand)]
pub enum Command {
    Codeowners(codeowners::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Codeowners(arguments) => codeowners::run(arguments, context),
    }
}

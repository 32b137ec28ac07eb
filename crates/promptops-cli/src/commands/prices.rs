//! `promptops prices`: what tokens cost.

mod import;
mod show;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Keep a dated table of what tokens cost beside the prompts.
#[derive(Debug, Subcommand)]
pub enum Command {
    Import(import::Arguments),
    Show(show::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Import(arguments) => import::run(arguments, context),
        Command::Show(arguments) => show::run(arguments, context),
    }
}

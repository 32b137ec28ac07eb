//! `promptops offline-model`: a model without a network, for trying things out.

mod serve;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// A small classifier that reads the prompt, behind an OpenAI-compatible endpoint: for demos and tests, without a network.
#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(serve::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Serve(arguments) => serve::run(arguments, context),
    }
}

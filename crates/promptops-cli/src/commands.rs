//! The commands: one file each, named as the user types it.

mod check;
mod diff;
#[cfg(feature = "lake")]
mod drift;
mod eval;
mod gate;
mod history;
#[cfg(feature = "lake")]
mod invocations;
mod offline_model;
#[cfg(feature = "lake")]
mod query;
mod schema;
mod show;
#[cfg(feature = "lake")]
mod stats;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// What `promptops` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(check::Arguments),
    Eval(eval::Arguments),
    Gate(gate::Arguments),
    History(history::Arguments),
    Show(show::Arguments),
    Diff(diff::Arguments),
    #[cfg(feature = "lake")]
    #[command(subcommand)]
    Invocations(invocations::Command),
    #[cfg(feature = "lake")]
    Stats(stats::Arguments),
    #[cfg(feature = "lake")]
    Query(query::Arguments),
    #[cfg(feature = "lake")]
    Drift(drift::Arguments),
    #[command(subcommand)]
    OfflineModel(offline_model::Command),
    Schema(schema::Arguments),
}

/// Runs one command.
pub fn run(command: Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Check(arguments) => check::run(&arguments, context),
        Command::Eval(arguments) => eval::run(&arguments, context),
        Command::Gate(arguments) => gate::run(&arguments, context),
        Command::History(arguments) => history::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Diff(arguments) => diff::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Invocations(command) => invocations::run(&command, context),
        #[cfg(feature = "lake")]
        Command::Stats(arguments) => stats::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Query(arguments) => query::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Drift(arguments) => drift::run(&arguments, context),
        Command::OfflineModel(command) => offline_model::run(&command, context),
        Command::Schema(arguments) => schema::run(&arguments, context),
    }
}

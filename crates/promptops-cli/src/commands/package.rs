//! `promptops package`: what runtimes take that install nothing themselves.

mod glue_wheels;
mod glue_zip;
mod lambda_extension;
mod lambda_layer;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Build what a runtime takes that cannot install anything itself: the SDK and the pinned prompts in one file.
#[derive(Debug, Subcommand)]
pub enum Command {
    LambdaLayer(lambda_layer::Arguments),
    LambdaExtension(lambda_extension::Arguments),
    GlueZip(glue_zip::Arguments),
    GlueWheels(glue_wheels::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::LambdaLayer(arguments) => lambda_layer::run(arguments, context),
        Command::LambdaExtension(arguments) => lambda_extension::run(arguments, context),
        Command::GlueZip(arguments) => glue_zip::run(arguments, context),
        Command::GlueWheels(arguments) => glue_wheels::run(arguments, context),
    }
}

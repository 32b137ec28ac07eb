//! The `promptops` command.
//!
//! The command tree equals the file tree: `promptops registry init` is `commands/registry/init.rs`. Stdout is the answer,
//! stderr is everything else. Only this crate prints, reads the environment and knows the clock.

mod check_cache;
mod checks;
mod cli;
mod commands;
mod context;
mod exit;
mod failure;
mod output;
mod printer;
mod project;
mod prompt_history;
mod working_tree;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let context = match context::Context::new(&cli.global) {
        Ok(context) => context,
        Err(failure) => return printer::Printer::plain().failure(&failure),
    };
    match commands::run(cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(failure) => context.printer.failure(&failure),
    }
}

//! The `promptops` command.
//!
//! The command tree equals the file tree: `promptops registry init` is `commands/registry/init.rs`. Stdout is the answer,
//! stderr is everything else. Only this crate prints, reads the environment and knows the clock.

mod check_cache;
mod checks;
mod ci_run;
mod cli;
mod closure;
mod commands;
mod context;
mod evaluations;
mod exit;
mod failure;
mod gate;
#[cfg(feature = "lake")]
mod lake_access;
mod output;
mod printer;
mod project;
mod prompt_history;
mod proposal;
mod registry_access;
mod release_view;
mod secret_mask;
mod text_file;
mod time_argument;
mod working_tree;

use std::process::ExitCode;

use clap::Parser as _;

/// Parsing makes many small values on several threads, where the system's allocator costs a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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

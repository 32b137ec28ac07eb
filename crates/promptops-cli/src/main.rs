//! The `promptops` command.
//!
//! The command tree equals the file tree: `promptops registry init` is `commands/registry/init.rs`. Stdout is the answer,
//! stderr is everything else. Only this crate prints, reads the environment and knows the clock.

mod agents;
mod allowances;
mod base_revision;
mod callers;
mod check_cache;
mod check_levels;
mod checks;
mod ci_run;
mod cli;
mod closure;
mod code_owners;
mod commands;
mod compatibility;
mod context;
mod evaluations;
mod exit;
mod failure;
mod fixes;
#[cfg(feature = "lake")]
mod found_invocation;
mod gate;
mod generated_files;
mod http;
mod inventory_access;
#[cfg(feature = "lake")]
mod invocation_tree;
#[cfg(feature = "lake")]
mod lake_access;
#[cfg(feature = "lake")]
mod lake_slices;
mod lake_table;
mod language_server;
mod monitoring;
mod output;
mod packages;
mod plan_view;
#[cfg(feature = "lake")]
mod price_access;
mod printer;
mod project;
mod prompt_history;
#[cfg(feature = "lake")]
mod prompt_owners;
mod promptfoo;
mod proposal;
mod providers;
mod registry_access;
mod release_view;
mod secret_mask;
mod selection;
mod status_view;
mod table_arguments;
mod text_file;
mod text_position;
mod time_argument;
mod watch;
mod watched_prompts;
mod working_tree;
mod yardstick;

use std::process::ExitCode;

use clap::Parser as _;

use crate::exit::Exit;

/// Parsing makes many small values on several threads, where the system's allocator costs a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Asked before anything is parsed: a command line that cannot be parsed must not look as if there were something to do.
    let is_detailed = std::env::args_os().any(|argument| argument == exit::DETAILED);
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if is_detailed && error.exit_code() == i32::from(Exit::Usage.code()) => {
            // Nobody can be told when stderr itself is gone.
            let _ = error.print();
            return Exit::Refused.into();
        }
        Err(error) => error.exit(),
    };
    let without_usage = |mut failure: failure::Failure| {
        if is_detailed && failure.exit == Exit::Usage {
            failure.exit = Exit::Refused;
        }
        failure
    };
    let context = match context::Context::new(&cli.global) {
        Ok(context) => context,
        Err(failure) => return printer::Printer::plain().failure(&without_usage(failure)),
    };
    match commands::run(cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(failure) => context.printer.failure(&without_usage(failure)),
    }
}

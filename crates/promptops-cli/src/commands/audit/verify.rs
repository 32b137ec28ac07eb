//! `promptops audit verify`: whether the log is whole.

use clap::Args;
use promptops_registry::audit::Head;

use crate::commands::registry::show_report;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::{failure, open};

/// Check that no entry was altered, removed or reordered, that what entries name is unchanged, and that nothing is missing.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The end of the log as `promptops audit head` once printed it; shows whether entries were cut off since.
    #[arg(long, value_name = "HEAD")]
    expect_head: Option<Head>,
    /// Show the report as JSON (versioned).
    #[arg(long)]
    json: bool,
}

/// Verifies it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let report =
        context.block_on(async { open(context, &project).await?.verify_log(arguments.expect_head).await.map_err(failure) })??;
    show_report(&report, arguments.json, context)
}

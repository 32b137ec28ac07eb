//! `promptops audit verify`: whether the log is whole.

use std::path::PathBuf;

use clap::Args;
use promptops_prompt::Lock;
use promptops_registry::audit::Head;

use crate::commands::lock;
use crate::commands::registry::show_report;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};

/// Check that no entry was altered, removed or reordered, that what entries name is unchanged, and that nothing is missing.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The end of the log as `promptops audit head` once printed it; shows whether entries were cut off since.
    #[arg(long, value_name = "HEAD")]
    expect_head: Option<Head>,
    /// A lock: the log must still be what it was up to the release that was locked.
    #[arg(long, value_name = "LOCK", conflicts_with = "expect_head")]
    lock: Option<PathBuf>,
    /// Show the report as JSON (versioned).
    #[arg(long)]
    json: bool,
}

/// Verifies it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let expected = match &arguments.lock {
        Some(path) => Some(logged_head(&lock::read(&context.directory.join(path))?)?),
        None => arguments.expect_head,
    };
    let report = context.block_on(async { open(context, &project).await?.verify_log(expected).await.map_err(failure) })??;
    show_report(&report, arguments.json, context)
}

/// Returns the place in the log that a lock names.
fn logged_head(lock: &Lock) -> Outcome<Head> {
    lock.release.as_ref().and_then(|release| release.logged).ok_or_else(|| {
        Failure::new(Exit::Usage, "the lock names no place in the log")
            .hint("only the lock of an environment does; make it again with `promptops lock --env NAME`")
    })
}

//! `promptops audit head`: the head of the log's tree, to be kept elsewhere.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};

/// Print the head of the log: keep it elsewhere, and `audit verify --expect-head` shows whether the log was cut or written anew since.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Prints it.
pub fn run(_: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let head = context.block_on(async { open(context, &project).await?.log_head().await.map_err(failure) })??;
    let head =
        head.ok_or_else(|| Failure::new(Exit::NotFound, "the log is empty").hint("run `promptops registry init` again"))?;
    context.printer.line(head.to_string());
    Ok(Exit::Success)
}

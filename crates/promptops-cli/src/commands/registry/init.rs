//! `promptops registry init`: makes the registry.

use clap::Args;
use promptops_registry::Registry;
use promptops_store::Created;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::{failure, store};

/// Make the registry, after making sure that its store keeps create-only writes. Repeating it is safe.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Makes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let store = store(context, &project)?;
    let url = store.url().to_owned();
    if arguments.dry_run {
        context.printer.line(format!("would make a registry at {url}"));
        return Ok(Exit::Success);
    }
    let actor = context.actor(&project)?;
    let (_, created) = context.block_on(Registry::init(store, &actor, context.now()))?.map_err(failure)?;
    context.printer.line(match created {
        Created::New => format!("made a registry at {url}"),
        Created::Same => format!("there is a registry at {url} already"),
    });
    Ok(Exit::Success)
}

//! `promptops registry reindex`: builds the index anew.

use clap::Args;
use promptops_registry::index::Refreshed;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::{failure, open};

/// Build the index anew from the objects themselves. Nothing but the index is written.
///
/// The index is derived and no command needs it to decide anything: it makes lists and searches fast. Publishing keeps it up
/// to date; this mends one that is damaged, or makes one where there is none.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Builds it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let (url, refreshed) = context.block_on(async {
        let registry = open(context, &project).await?;
        let url = registry.url().to_owned();
        let refreshed = if arguments.dry_run { None } else { Some(registry.reindex().await.map_err(failure)?) };
        Ok::<_, crate::failure::Failure>((url, refreshed))
    })??;
    context.printer.line(match refreshed {
        None => format!("would read every version at {url} and write an index of them"),
        Some(Refreshed::Written { number, position, prompts }) => {
            format!("wrote snapshot {number} of the index: {prompts} prompts, up to batch {position} of the audit log")
        }
        Some(Refreshed::Current) => "the index is as it should be; nothing was written".to_owned(),
        Some(Refreshed::Overtaken) => "somebody else wrote a snapshot at the same time; run it again to be sure".to_owned(),
    });
    Ok(Exit::Success)
}

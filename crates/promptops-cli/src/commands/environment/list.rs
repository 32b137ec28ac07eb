//! `promptops environment list`: every environment with what is live.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::table::{Align, Table};
use crate::registry_access::{failure, open};

/// List every environment with its release.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Lists them.
pub fn run(_: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let mut table = Table::new(&[
        ("environment", Align::Left),
        ("release", Align::Right),
        ("since", Align::Left),
        ("prompts", Align::Right),
        ("by", Align::Left),
    ]);
    context.block_on(async {
        let registry = open(context, &project).await?;
        for name in registry.environments().await.map_err(failure)? {
            let Some(release) = registry.current(&name).await.map_err(failure)? else { continue };
            let count = registry.pins(&release).await.map_err(failure)?.prompts.len();
            let since = release.time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            table.row(vec![name.to_string(), release.sequence.to_string(), since, count.to_string(), release.actor]);
        }
        Ok::<_, crate::failure::Failure>(())
    })??;
    context.printer.answer(&table.render(&context.printer));
    Ok(Exit::Success)
}

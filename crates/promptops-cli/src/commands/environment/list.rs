//! `promptops environment list`: every environment with what is live.

use clap::Args;
use promptops_registry::Release;
use serde::Serialize;

use crate::commands::list::Format;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Table};
use crate::registry_access::{failure, open};

/// List every environment with its release.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct ListV1 {
    version: u32,
    environments: Vec<EnvironmentV1>,
}

#[derive(Debug, Serialize)]
struct EnvironmentV1 {
    name: String,
    release: u64,
    since: String,
    prompts: usize,
    by: String,
}

/// Lists them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let environments = context.block_on(async {
        let registry = open(context, &project).await?;
        let mut environments = Vec::new();
        for name in registry.environments().await.map_err(failure)? {
            let Some(release) = registry.current(&name).await.map_err(failure)? else { continue };
            let prompts = registry.pins(&release).await.map_err(failure)?.prompts.len();
            environments.push(wire(release, prompts));
        }
        Ok::<_, Failure>(environments)
    })??;
    match arguments.format {
        Format::Human => context.printer.answer(&table(&environments).render(&context.printer)),
        Format::Json => {
            let document = ListV1 { version: 1, environments };
            let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
    }
    Ok(Exit::Success)
}

fn wire(release: Release, prompts: usize) -> EnvironmentV1 {
    EnvironmentV1 {
        name: release.environment.to_string(),
        release: release.sequence,
        since: release.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        prompts,
        by: release.actor,
    }
}

fn table(environments: &[EnvironmentV1]) -> Table {
    let mut table = Table::new(&[
        ("environment", Align::Left),
        ("release", Align::Right),
        ("since", Align::Left),
        ("prompts", Align::Right),
        ("by", Align::Left),
    ]);
    for EnvironmentV1 { name, release, since, prompts, by } in environments {
        table.row(vec![name.clone(), release.to_string(), since.clone(), prompts.to_string(), by.clone()]);
    }
    table
}

//! `promptops environment history`: every release of an environment.

use clap::Args;
use promptops_registry::EnvironmentName;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::{failure, open};
use crate::release_view;

/// Show every release of an environment, oldest first.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    env: EnvironmentName,
    /// Show them as JSON, one release a line, as they are stored.
    #[arg(long)]
    json: bool,
}

/// Shows them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let releases =
        context.block_on(async { open(context, &project).await?.history(&arguments.env).await.map_err(failure) })??;
    for release in &releases {
        context.printer.line(if arguments.json {
            serde_json::json!(release).to_string()
        } else {
            release_view::release(release)
        });
    }
    Ok(Exit::Success)
}

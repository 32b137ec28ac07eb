//! `promptops environment history`: every release of an environment, or those that moved one prompt.

use clap::Args;
use promptops_prompt::PromptId;
use promptops_prompt::lock::LockedPrompt;
use promptops_registry::{EnvironmentName, Registry, Release};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};
use crate::release_view;

/// Show every release of an environment, oldest first.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only releases that moved this prompt, with its version before and after.
    #[arg(value_name = "ID")]
    id: Option<PromptId>,
    /// The environment.
    #[arg(long, value_name = "NAME")]
    env: EnvironmentName,
    /// Show them as JSON, one release a line, as they are stored; with a prompt, one move a line (versioned).
    #[arg(long)]
    json: bool,
}

/// A release that moved a prompt.
#[derive(Debug, Serialize)]
struct MoveV1<'a> {
    version: u32,
    release: &'a Release,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<LockedPrompt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<LockedPrompt>,
}

/// Shows them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let releases = registry.history(&arguments.env).await.map_err(failure)?;
        if let Some(id) = &arguments.id {
            return moves(&registry, &releases, id, arguments, context).await;
        }
        for release in &releases {
            context.printer.line(if arguments.json {
                serde_json::json!(release).to_string()
            } else {
                release_view::release(release)
            });
        }
        Ok(Exit::Success)
    })?
}

/// Shows the releases that moved a prompt. One call for each release at most.
async fn moves(
    registry: &Registry,
    releases: &[Release],
    id: &PromptId,
    arguments: &Arguments,
    context: &Context,
) -> Outcome<Exit> {
    let mut from: Option<LockedPrompt> = None;
    let mut has_moved = false;
    for release in releases {
        let to = registry.pin(release, id).await.map_err(failure)?;
        let before = std::mem::replace(&mut from, to.clone());
        if before == to {
            continue;
        }
        has_moved = true;
        context.printer.line(if arguments.json {
            serde_json::json!(MoveV1 { version: 1, release, from: before, to }).to_string()
        } else {
            let name = |pin: Option<&LockedPrompt>| pin.map_or_else(|| "-".to_owned(), ToString::to_string);
            let line = release_view::release(release);
            format!("{line}\n      {id} {} → {}", name(before.as_ref()), name(to.as_ref()))
        });
    }
    if has_moved {
        return Ok(Exit::Success);
    }
    Err(Failure::new(Exit::NotFound, format!("no release of `{}` ever had a prompt `{id}`", arguments.env))
        .hint("leave the prompt out to see every release"))
}

//! `promptops at`: what was live when.

use clap::Args;
use promptops_prompt::PromptId;
use promptops_prompt::lock::LockedPrompt;
use promptops_registry::{EnvironmentName, Registry, Release};
use serde::Serialize;
use std::collections::BTreeMap;

use super::list::Format;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};
use crate::release_view;
use crate::time_argument::TimeArgument;

/// Show what was live in an environment at a time.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    env: EnvironmentName,
    /// The time: `2026-11-01T03:00Z`, `2026-11-01` (UTC), or how long ago as `24h`, `7d`.
    time: TimeArgument,
    /// Only these prompts.
    #[arg(value_name = "ID")]
    ids: Vec<PromptId>,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct AtV1<'a> {
    version: u32,
    time: String,
    release: &'a Release,
    prompts: &'a BTreeMap<PromptId, LockedPrompt>,
}

/// Shows it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let time = arguments.time.resolve(context.now());
    let (release, pins) = context.block_on(async {
        let registry = open(context, &project).await?;
        let release = registry.at(&arguments.env, time).await.map_err(failure)?;
        let pins = match arguments.ids.as_slice() {
            [] => registry.pins(&release).await.map_err(failure)?.prompts,
            ids => named(&registry, &release, ids).await?,
        };
        Ok::<_, Failure>((release, pins))
    })??;
    match arguments.format {
        Format::Human => {
            context.printer.line(release_view::release(&release));
            for (id, pin) in &pins {
                let share = pin.rollout.as_ref().map_or_else(String::new, |rollout| format!("  {}", rollout.buckets.rest()));
                context.printer.line(format!("      {}  {}{share}", id.at(pin.version), pin.digest));
                if let Some(rollout) = &pin.rollout {
                    let (candidate, digest) = (id.at(rollout.version), rollout.digest);
                    context.printer.line(format!("      {candidate}  {digest}  {}", rollout.buckets));
                }
            }
        }
        Format::Json => {
            let time = time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            let document = AtV1 { version: 1, time, release: &release, prompts: &pins };
            let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
    }
    Ok(Exit::Success)
}

/// Returns what a release pins for these prompts. At most one call for each.
async fn named(registry: &Registry, release: &Release, ids: &[PromptId]) -> Outcome<BTreeMap<PromptId, LockedPrompt>> {
    let mut pins = BTreeMap::new();
    for id in ids {
        let pin = registry.pin(release, id).await.map_err(failure)?.ok_or_else(|| {
            let (number, environment) = (release.sequence, &release.environment);
            Failure::new(Exit::NotFound, format!("release {number} of `{environment}` has no prompt `{id}`"))
                .hint("leave the prompt out to see what was live")
        })?;
        pins.insert(id.clone(), pin);
    }
    Ok(pins)
}

//! `promptops rollback`: a new release with old pins.

use clap::Args;
use promptops_registry::EnvironmentName;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::GREEN;
use crate::registry_access::{failure, open};

/// Make a new release of an environment with the pins of an earlier one. Nothing has to be approved again.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    env: EnvironmentName,
    /// The release to go back to [default: the one before the present].
    #[arg(long, value_name = "RELEASE")]
    to: Option<u64>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Goes back.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let actor = context.actor(&project)?;
    let environment = &arguments.env;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let nothing = || {
            Failure::new(Exit::NotFound, format!("nothing is deployed to environment `{environment}`"))
                .hint("run `promptops plan`, then `promptops deploy`")
        };
        let current = registry.current(environment).await.map_err(failure)?.ok_or_else(nothing)?;
        let target = match arguments.to {
            Some(sequence) => sequence,
            None => registry.rollback_target(&current).await.map_err(failure)?,
        };
        let target = registry.release(environment, target).await.map_err(failure)?;
        let (before, after) = (registry.pins(&current).await.map_err(failure)?, registry.pins(&target).await.map_err(failure)?);
        context
            .printer
            .line(format!("{environment}: from release {} to the pins of release {}", current.sequence, target.sequence));
        let ids: std::collections::BTreeSet<_> = before.prompts.keys().chain(after.prompts.keys()).collect();
        for id in ids {
            let version = |pin: Option<&promptops_prompt::lock::LockedPrompt>| {
                pin.map_or_else(|| "not there".to_owned(), |pin| format!("@{}", pin.version))
            };
            let (old, new) = (before.prompts.get(id), after.prompts.get(id));
            if old != new {
                context.printer.line(format!("  ~ {id} {} → {}", version(old), version(new)));
            }
        }
        if arguments.dry_run {
            context.printer.line("nothing was rolled back (--dry-run)");
            return Ok(Exit::Success);
        }
        let reason = arguments.reason.as_deref();
        let released = registry.rollback(environment, arguments.to, &actor, reason, context.now()).await.map_err(failure)?;
        let number = released.release.sequence;
        context.printer.line(if released.is_new {
            format!("{} {environment} is at release {number}", context.printer.paint(GREEN, "rolled back:"))
        } else {
            format!("nothing changed: {environment} is at release {number} already")
        });
        Ok(Exit::Success)
    })?
}

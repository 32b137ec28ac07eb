//! `promptops rollback`: a new release with old pins.

use clap::Args;
use promptops_prompt::lock::LockedPrompt;
use promptops_registry::EnvironmentName;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::GREEN;
use crate::registry_access::{Rules, failure, open};
use crate::release_view;
use crate::status_view;

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
    /// Bring back versions that were withdrawn since; `policy.withdrawn.force` must name the environment.
    #[arg(long)]
    force: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision whose policy holds when it is forced [default: the default branch].
    #[arg(long, value_name = "REVISION", requires = "force")]
    rules: Option<String>,
}

/// Goes back.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let actor = context.actor(&project)?;
    let environment = &arguments.env;
    let rules = arguments.force.then(|| Rules::read(context, &project, arguments.rules.as_deref())).transpose()?;
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
        context
            .printer
            .line(format!("{environment}: from release {} to the pins of release {}", current.sequence, target.sequence));
        for change in registry.compare(&current, &target).await.map_err(failure)? {
            let version = |pin: Option<&LockedPrompt>| pin.map_or_else(|| "not there".to_owned(), ToString::to_string);
            let (old, new) = (version(change.from.as_ref()), version(change.to.as_ref()));
            let class = change.class().map_or_else(String::new, |class| format!("  {class}"));
            context.printer.line(format!("  ~ {} {old} → {new}{class}", change.id));
        }
        let planned = registry.rollback_statuses(&current, &target, context.now()).await.map_err(failure)?;
        status_view::warn(context, planned.iter().map(|planned| &planned.status));
        if arguments.dry_run {
            context.printer.line("nothing was rolled back (--dry-run)");
            return Ok(Exit::Success);
        }
        let reason = arguments.reason.as_deref();
        let (to, now) = (arguments.to, context.now());
        let released = match &rules {
            Some(rules) => registry.force_rollback(environment, to, rules.authority(), &actor, reason, now).await,
            None => registry.rollback(environment, to, &actor, reason, now).await,
        };
        let released = released.map_err(failure)?;
        let number = released.release.sequence;
        context.printer.line(if released.is_new {
            let rolled_back = context.printer.paint(GREEN, "rolled back:");
            format!("{rolled_back} {environment} is at release {number}{}", release_view::forced(&released.release))
        } else {
            format!("nothing changed: {environment} is at release {number} already")
        });
        Ok(Exit::Success)
    })?
}

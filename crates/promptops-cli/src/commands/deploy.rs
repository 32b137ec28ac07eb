//! `promptops deploy`: applies a plan.

use std::path::PathBuf;

use clap::Args;
use promptops_registry::{EnvironmentName, Plan};

use super::plan::TargetArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::GREEN;
use crate::registry_access::{Rules, failure, open};
use crate::release_view;

/// Apply exactly what a plan says, as one release; refused when the environment moved or something is missing.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The plan, as `promptops plan --out` wrote it.
    #[arg(value_name = "PLAN", required_unless_present = "env", conflicts_with = "env")]
    plan: Option<PathBuf>,
    /// Without a plan: deploy the latest version of every prompt to this environment.
    #[arg(long, value_name = "NAME")]
    env: Option<EnvironmentName>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision whose policy and owners hold [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
}

/// Applies it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let rules = Rules::read(context, &project, arguments.rules.as_deref())?;
    let actor = context.actor(&project)?;
    let read = arguments.plan.as_deref().map(|path| read_plan(context, path)).transpose()?;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let authority = rules.authority();
        let plan = match (read, &arguments.env) {
            (Some(plan), _) => plan,
            (None, Some(environment)) => {
                let targets = TargetArguments::all_latest().resolve(&registry).await?;
                registry.plan(environment, &targets, authority, &actor, context.now()).await.map_err(failure)?
            }
            (None, None) => return Err(Failure::new(Exit::Usage, "name a plan or an environment")),
        };
        context.printer.answer(&release_view::plan(&plan, &registry, &context.printer, false).await?);
        if arguments.dry_run {
            context.printer.line("nothing was deployed (--dry-run)");
            return Ok(Exit::Success);
        }
        let reason = arguments.reason.as_deref();
        let released = registry.deploy(&plan, authority, &actor, reason, context.now()).await.map_err(failure)?;
        let (environment, number) = (&plan.environment, released.release.sequence);
        context.printer.line(if released.is_new {
            format!("{} {environment} is at release {number}", context.printer.paint(GREEN, "deployed:"))
        } else {
            format!("nothing changed: {environment} is at release {number} already")
        });
        Ok(Exit::Success)
    })?
}

fn read_plan(context: &Context, path: &std::path::Path) -> Outcome<Plan> {
    let path = context.directory.join(path);
    let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, error))?;
    Plan::from_bytes(&bytes).map_err(failure)
}

//! `promptops deploy`: applies a plan.

use std::path::PathBuf;

use clap::Args;
use promptops_registry::plan::PlannedChange;
use promptops_registry::{EnvironmentName, Plan};

use super::plan::{SplitArgument, TargetArguments};
use crate::callers::Callers;
use crate::context::Context;
use crate::exit::{DetailedExit, Exit};
use crate::failure::{Failure, Outcome};
use crate::plan_view::{Verbosity, View};
use crate::printer::GREEN;
use crate::registry_access::{Rules, failure, open};
use crate::release_view;
use crate::status_view;

/// Apply exactly what a plan says, as one release; refused when the environment moved or something is missing.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The plan, as `promptops plan --out` wrote it.
    #[arg(value_name = "PLAN", required_unless_present = "env", conflicts_with = "env")]
    plan: Option<PathBuf>,
    /// Without a plan: deploy the latest version of every prompt to this environment.
    #[arg(long, value_name = "NAME")]
    env: Option<EnvironmentName>,
    /// With `--env`: only split this prompt between two versions, in percent, as `support.reply=2:90,3:10`; see `plan`.
    #[arg(long, value_name = "ID=CONTROL:PERCENT,CANDIDATE:PERCENT", requires = "env")]
    split: Vec<SplitArgument>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Run versions that are withdrawn; `policy.withdrawn.force` must name the environment.
    #[arg(long)]
    force: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// How much is shown.
    #[command(flatten)]
    verbosity: Verbosity,
    /// Tells by its exit code whether anything changes, or with `--dry-run` would.
    #[command(flatten)]
    exit: DetailedExit,
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
                let (targets, _) = TargetArguments::splits(arguments.split.clone()).resolve(&registry).await?;
                registry.plan(environment, &targets, authority, &actor, context.now()).await.map_err(failure)?
            }
            (None, None) => return Err(Failure::new(Exit::Usage, "name a plan or an environment")),
        };
        // Who deploys a plan has read the texts; a plan made here and now is shown as plans are.
        let no_text = arguments.verbosity.no_text || (arguments.plan.is_some() && !arguments.verbosity.full);
        let verbosity = Verbosity { no_text, ..arguments.verbosity };
        let (printer, callers) = (&context.printer, Callers::default());
        let view = View { registry: &registry, printer, verbosity, explained: None, callers: &callers };
        context.printer.answer(&view.saved_plan(&plan).await?);
        let (reason, now) = (arguments.reason.as_deref(), context.now());
        if arguments.dry_run {
            let has_changes = registry.check_deploy(&plan, authority, arguments.force, now).await.map_err(failure)?;
            context.printer.line(match has_changes {
                true => "this would be deployed; nothing was deployed (--dry-run)",
                false => "this would change nothing; nothing was deployed (--dry-run)",
            });
            return Ok(arguments.exit.exit(has_changes));
        }
        let released = match arguments.force {
            true => registry.force_deploy(&plan, authority, &actor, reason, now).await,
            false => registry.deploy(&plan, authority, &actor, reason, now).await,
        };
        let released = released.map_err(failure)?;
        let (environment, number) = (&plan.environment, released.release.sequence);
        context.printer.line(if released.is_new {
            let deployed = context.printer.paint(GREEN, "deployed:");
            format!("{deployed} {environment} is at release {number}{}", release_view::forced(&released.release))
        } else {
            format!("nothing changed: {environment} is at release {number} already")
        });
        // Read anew: a version may have been withdrawn while it was deployed.
        let pinned: Vec<_> = plan.changes.iter().flat_map(PlannedChange::references).collect();
        match registry.statuses(pinned).await {
            Ok(statuses) => status_view::warn(context, &statuses),
            // What was deployed is deployed.
            Err(error) => context.printer.warning(format!("cannot tell whether a version was withdrawn meanwhile: {error}")),
        }
        Ok(arguments.exit.exit(released.is_new))
    })?
}

fn read_plan(context: &Context, path: &std::path::Path) -> Outcome<Plan> {
    let path = context.directory.join(path);
    let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, error))?;
    Plan::from_bytes(&bytes).map_err(failure)
}

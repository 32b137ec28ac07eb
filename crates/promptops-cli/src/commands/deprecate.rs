//! `promptops deprecate`: a published version is withdrawn from a day on.

use chrono::NaiveDate;
use clap::Args;
use promptops_prompt::PromptRef;
use promptops_registry::status::{StatusChange, StatusRequest};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::source_repository;
use crate::status_view::{self, Change};

/// Withdraw a published version from a day on: from then on nothing may begin to run it.
///
/// Until then plan, deploy, lock and the loader warn. Refused when the day has come and an environment runs the version,
/// directly or by an include; `--undo` makes it what it was before.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The version, as `customer-support.reply@2`.
    #[arg(value_name = "ID@VERSION")]
    reference: PromptRef,
    /// The day from whose beginning, UTC, it must not be used.
    #[arg(long, value_name = "YYYY-MM-DD", required_unless_present = "undo", conflicts_with = "undo")]
    date: Option<NaiveDate>,
    /// What to use in its place.
    #[arg(long, value_name = "ID@VERSION", conflicts_with = "undo")]
    replacement: Option<PromptRef>,
    /// Why, for everybody who comes across the version.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Take the deprecation back.
    #[arg(long)]
    undo: bool,
    /// Withdraw it although the day has come and environments run it; `policy.withdrawn.force` must name every one of them.
    #[arg(long, conflicts_with = "undo")]
    force: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision whose policy holds [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
}

/// Deprecates it, or takes that back.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let change = match (arguments.undo, arguments.date) {
        (true, _) => StatusChange::Undeprecate,
        (false, Some(date)) => StatusChange::Deprecate { date, replacement: arguments.replacement.clone() },
        (false, None) => return Err(Failure::new(Exit::Usage, "name the day with `--date`")),
    };
    let request = StatusRequest {
        reference: &arguments.reference,
        change,
        reason: &arguments.reason,
        source: &source_repository(&project)?,
        is_forced: arguments.force,
    };
    let (verb, done) = if arguments.undo { ("take back", "taken back") } else { ("deprecate", "deprecated") };
    let change = Change { verb, done, rules: arguments.rules.as_deref(), is_dry: arguments.dry_run };
    status_view::change(&request, change, context, &project)
}

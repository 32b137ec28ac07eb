//! `promptops yank`: a published version is withdrawn.

use clap::Args;
use promptops_prompt::PromptRef;
use promptops_registry::status::{StatusChange, StatusRequest};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::source_repository;
use crate::status_view::{self, Change};

/// Withdraw a published version: nothing may begin to run it.
///
/// It still loads for those who pin it, with a warning. Refused while an environment runs the version, directly or by an include. The version itself never changes and is never
/// deleted; `--undo` makes it what it was before.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The version, as `customer-support.reply@2`.
    #[arg(value_name = "ID@VERSION")]
    reference: PromptRef,
    /// Why, for everybody who comes across the version.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Take the yank back.
    #[arg(long)]
    undo: bool,
    /// Withdraw it although environments run it; `policy.withdrawn.force` must name every one of them.
    #[arg(long, conflicts_with = "undo")]
    force: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision whose policy holds [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
}

/// Withdraws it, or takes that back.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let request = StatusRequest {
        reference: &arguments.reference,
        change: if arguments.undo { StatusChange::Unyank } else { StatusChange::Yank },
        reason: &arguments.reason,
        source: &source_repository(&project)?,
        is_forced: arguments.force,
    };
    let (verb, done) = if arguments.undo { ("take back", "taken back") } else { ("yank", "yanked") };
    let change = Change { verb, done, rules: arguments.rules.as_deref(), is_dry: arguments.dry_run };
    status_view::change(&request, change, context, &project)
}

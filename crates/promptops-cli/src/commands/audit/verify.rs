//! `promptops audit verify`: whether the log is whole.

use std::path::PathBuf;

use clap::Args;
use promptops_prompt::Lock;
use promptops_prompt::lock::Proofs;
use promptops_registry::audit::TreeHead;

use crate::commands::lock;
use crate::commands::registry::show_report;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};

/// Check that no entry was altered, removed or reordered, that what entries name is unchanged, and that nothing is missing.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The head of the log as `promptops audit head` once printed it; shows whether the log was cut or written anew since.
    #[arg(long, value_name = "HEAD")]
    expect_head: Option<TreeHead>,
    /// A lock: its log proofs must hold, and the log must still be what it was up to what was locked.
    #[arg(long, value_name = "LOCK")]
    lock: Option<PathBuf>,
    /// Check the log proofs of the lock only, and ask no registry.
    #[arg(long, requires = "lock", conflicts_with = "expect_head")]
    offline: bool,
    /// Show the report as JSON (versioned).
    #[arg(long)]
    json: bool,
}

/// Verifies it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let mut expected: Vec<TreeHead> = arguments.expect_head.into_iter().collect();
    if let Some(path) = &arguments.lock {
        let lock = lock::read(&context.directory.join(path))?;
        let proofs = proofs(&lock)?;
        if arguments.offline {
            return Ok(show_offline(&lock, &proofs, arguments.json, context));
        }
        expected.extend(&proofs.trees);
    }
    let project = context.project()?;
    let report = context.block_on(async { open(context, &project).await?.verify_log(&expected).await.map_err(failure) })??;
    show_report(&report, arguments.json, context)
}

/// Returns what a lock proves. One that proves nothing would be held against nothing.
fn proofs(lock: &Lock) -> Outcome<Proofs> {
    let proofs = lock.check_proofs().map_err(|error| Failure::from_error(Exit::Corrupt, error))?;
    if proofs.trees.is_empty() && !lock.prompts.is_empty() {
        let failure = Failure::new(Exit::Refused, "the lock has no log proof");
        return Err(failure.hint("make it again with `promptops lock`, after an interrupted publish or deploy was repeated"));
    }
    Ok(proofs)
}

fn show_offline(lock: &Lock, proofs: &Proofs, as_json: bool, context: &Context) -> Exit {
    let is_proven = proofs.unproven.is_empty();
    if as_json {
        let trees: Vec<String> = proofs.trees.iter().map(ToString::to_string).collect();
        let document = serde_json::json!({"version": 1, "accepted": is_proven, "trees": trees, "unproven": proofs.unproven});
        context.printer.line(format!("{document:#}"));
    } else {
        for id in &proofs.unproven {
            context.printer.line(format!("unproven {id}: nothing in the lock proves that this version was logged"));
        }
        let proven = lock.prompts.len() - proofs.unproven.len();
        context.printer.line(format!("{} of {} proven to be logged", proven, lock::prompts(lock.prompts.len())));
        for tree in &proofs.trees {
            context.printer.line(format!("  in the log up to {tree}"));
        }
    }
    if is_proven { Exit::Success } else { Exit::Refused }
}

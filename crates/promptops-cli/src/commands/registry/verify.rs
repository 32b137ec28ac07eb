//! `promptops registry verify`: reads everything again.

use clap::Args;
use promptops_registry::audit::TreeHead;
use promptops_registry::verify::{Report, Severity};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::printer::{GREEN, RED, YELLOW};
use crate::registry_access::{failure, open};

/// Read every object again: digests, lineage, what environments pin, and the audit log.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The head of the audit log as `promptops audit head` once printed it; shows whether the log was cut or written anew since.
    #[arg(long, value_name = "HEAD")]
    expect_head: Option<TreeHead>,
    /// Write nothing, so do not test the store's create-only writes again.
    #[arg(long)]
    read_only: bool,
    /// Show the report as JSON (versioned).
    #[arg(long)]
    json: bool,
}

/// Verifies it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let report = context.block_on(async {
        let registry = open(context, &project).await?;
        if !arguments.read_only {
            registry.probe().await.map_err(failure)?;
        }
        registry.verify(arguments.expect_head.as_slice()).await.map_err(failure)
    })??;
    show(&report, arguments.json, context)
}

/// Shows a report; refused when something is damaged.
pub fn show(report: &Report, as_json: bool, context: &Context) -> Outcome<Exit> {
    let printer = &context.printer;
    if as_json {
        let document = serde_json::json!({"version": 1, "accepted": report.is_accepted(), "report": report});
        printer.line(format!("{document:#}"));
    } else {
        for problem in &report.problems {
            let (label, style) = match problem.severity {
                Severity::Damage => ("damage", RED),
                Severity::Unfinished => ("unfinished", YELLOW),
                Severity::Index => ("index", YELLOW),
            };
            printer.line(format!("{} {}: {}", printer.paint(style, label), problem.key, problem.what));
            printer.line(format!("  to do: {}", problem.remedy));
        }
        let head = report.head.map_or_else(|| "the log is empty".to_owned(), |head| format!("the log ends at {head}"));
        let verdict = if report.is_accepted() { printer.paint(GREEN, "sound") } else { printer.paint(RED, "damaged") };
        printer.line(format!("{verdict}: {} objects read, {} problems; {head}", report.objects, report.problems.len()));
    }
    Ok(if report.is_accepted() { Exit::Success } else { Exit::Refused })
}

//! `promptops lake verify`: reads everything again.

use clap::Args;
use promptops_lake::Verified;

use super::counted;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::lake_access;
use crate::printer::{GREEN, RED, YELLOW};

/// Read every file of the lake again: that it is whole, in its hour, and holds no record twice.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show the report as JSON (versioned).
    #[arg(long)]
    json: bool,
}

/// Verifies the lake.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let verified = context.block_on(lake.verify())?.map_err(lake_access::failure)?;
    if arguments.json {
        context.printer.line(format!("{:#}", report(&verified)));
    } else {
        show(&verified, context);
    }
    Ok(if verified.is_sound() { Exit::Success } else { Exit::Refused })
}

fn report(verified: &Verified) -> serde_json::Value {
    let problems = verified.problems.iter().map(|problem| {
        serde_json::json!({
            "file": problem.file,
            "kind": problem.kind.as_str(),
            "damage": problem.kind.is_damage(),
            "detail": problem.detail,
            "remedy": problem.kind.remedy(),
        })
    });
    serde_json::json!({
        "version": 1,
        "sound": verified.is_sound(),
        "files": verified.files,
        "invocations": verified.records,
        "waiting": verified.waiting,
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn show(verified: &Verified, context: &Context) {
    let printer = &context.printer;
    for problem in &verified.problems {
        let style = if problem.kind.is_damage() { RED } else { YELLOW };
        printer.line(format!("{} {}: {}", printer.paint(style, problem.kind.as_str()), problem.file, problem.detail));
        printer.line(format!("  to do: {}", problem.kind.remedy()));
    }
    let verdict = if verified.is_sound() { printer.paint(GREEN, "sound") } else { printer.paint(RED, "damaged") };
    printer.line(format!(
        "{verdict}: {} read, {} in hours, {} waiting",
        counted(verified.files, "file"),
        counted(verified.records, "invocation"),
        verified.waiting
    ));
}

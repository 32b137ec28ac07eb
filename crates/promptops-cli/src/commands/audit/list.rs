//! `promptops audit list`: the entries of the log.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::table::{Align, Table};
use crate::registry_access::{failure, open};

/// List entries of the log, oldest first.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Begin with this batch: what one command logged together has one number.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    from: u64,
    /// Show at most so many batches.
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    limit: usize,
    /// Show them as JSON, one batch a line, as they are stored.
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let batches = context.block_on(async {
        let registry = open(context, &project).await?;
        registry.log_batches(arguments.from, arguments.limit).await.map_err(failure)
    })??;
    if arguments.json {
        for batch in &batches {
            context.printer.line(serde_json::json!(batch).to_string());
        }
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&[
        ("#", Align::Right),
        ("time", Align::Left),
        ("action", Align::Left),
        ("who", Align::Left),
        ("what", Align::Left),
    ]);
    let numbered = batches.into_iter().flat_map(|batch| batch.entries.into_iter().map(move |entry| (batch.sequence, entry)));
    for (number, entry) in numbered {
        let time = entry.time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let details = ["verdict", "group", "approver", "release", "pins_of", "date", "forced", "reason", "completed_by"]
            .iter()
            .filter_map(|name| entry.details.get(*name).map(|value| format!("  {name}={value}")));
        // A statement is named by digests; the version it is about says more to people.
        let subject = entry.details.get("prompt").unwrap_or(&entry.subject);
        let what = format!("{subject}{}", details.collect::<String>());
        table.row(vec![number.to_string(), time, entry.action.name().to_owned(), entry.actor, what]);
    }
    context.printer.answer(&table.render(&context.printer));
    Ok(Exit::Success)
}

//! `promptops invocations tail`: the latest records.

use clap::Args;
use promptops_telemetry::{Invocation, Status, v1};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access::{self, FilterArguments, WindowArguments};
use crate::output::table::{Align, Table};

/// Show the latest records, oldest first.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
    count: usize,
    /// Show them as JSON lines, with every field.
    #[arg(long)]
    json: bool,
    /// Which invocations.
    #[command(flatten)]
    filter: FilterArguments,
    /// When.
    #[command(flatten)]
    window: WindowArguments,
}

/// Prints the records.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let (since, until) = arguments.window.resolve(context.now());
    let filter = arguments.filter.within(since, until);
    let mut records = context.block_on(lake.latest(&filter, arguments.count))?.map_err(lake_access::failure)?;
    records.sort_by_key(|record| record.time);
    if arguments.json {
        for record in &records {
            let text =
                serde_json::to_string(&v1::InvocationV1::from(record)).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
    } else {
        context.printer.answer(&table(&records).render(&context.printer));
    }
    Ok(Exit::Success)
}

fn table(records: &[Invocation]) -> Table {
    let mut table = Table::new(&[
        ("time (UTC)", Align::Left),
        ("prompt", Align::Left),
        ("model", Align::Left),
        ("status", Align::Left),
        ("label", Align::Left),
        ("ms", Align::Right),
        ("in", Align::Right),
        ("out", Align::Right),
        ("USD", Align::Right),
    ]);
    let unknown = || "-".to_owned();
    for record in records {
        let prompt = match (&record.prompt_id, record.prompt_version) {
            (Some(id), Some(version)) => format!("{id}@{version}"),
            (Some(id), None) => id.clone(),
            (None, _) => unknown(),
        };
        let status = match record.status {
            Status::Ok => "ok".to_owned(),
            Status::Error => record.error_type.clone().unwrap_or_else(|| "error".to_owned()),
        };
        table.row(vec![
            record.time.format("%Y-%m-%d %H:%M:%S").to_string(),
            prompt,
            record.responded_model.clone().or_else(|| record.requested_model.clone()).unwrap_or_else(unknown),
            status,
            record.label.clone().unwrap_or_else(unknown),
            record.latency_ms.map_or_else(unknown, |latency| format!("{latency:.0}")),
            record.input_tokens.map_or_else(unknown, |tokens| tokens.to_string()),
            record.output_tokens.map_or_else(unknown, |tokens| tokens.to_string()),
            record.cost_usd.map_or_else(unknown, |cost| format!("{cost:.6}")),
        ]);
    }
    table
}

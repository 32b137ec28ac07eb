//! `promptops invocations tail`: the latest records, and those that come.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use promptops_lake::{Filter, Lake, LakeError};
use promptops_telemetry::{Invocation, Status, v1};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::found_invocation::prompt_name;
use crate::lake_access::{self, FilterArguments, WindowArguments};
use crate::output::table::{Align, Table};
use crate::output::visible::one_line;

/// Show the latest records, oldest first, and with `--follow` those that come.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
    count: usize,
    /// Go on with records as they come into the lake, whatever their time, until Ctrl-C or nobody reads.
    #[arg(short, long)]
    follow: bool,
    /// Seconds between two looks at the lake; each lists its files.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..), requires = "follow")]
    every: u16,
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
    context.block_on(async {
        let mut shown = Shown { table: (!arguments.json).then(table), context };
        if arguments.follow {
            return follow(&lake, filter, arguments, &mut shown).await;
        }
        let records = lake.latest(&filter, arguments.count).await.map_err(lake_access::failure)?;
        shown.show(&records)?;
        Ok(Exit::Success)
    })?
}

async fn follow(lake: &Lake, filter: Filter, arguments: &Arguments, shown: &mut Shown<'_>) -> Outcome<Exit> {
    // It begins before the latest are read, so that none comes between; what comes meanwhile is in both.
    let mut follower = lake.follow(filter.clone()).await.map_err(lake_access::failure)?;
    let latest = lake.latest(&filter, arguments.count).await.map_err(lake_access::failure)?;
    let first: HashSet<_> = latest.iter().map(|record| record.invocation_id).collect();
    let mut is_read = shown.show(&latest)?;
    let mut is_away = false;
    while is_read {
        tokio::time::sleep(Duration::from_secs(arguments.every.into())).await;
        match follower.next().await {
            Ok(mut new) => {
                is_away = false;
                new.retain(|record| !first.contains(&record.invocation_id));
                is_read = new.is_empty() || shown.show(&new)?;
            }
            // A store that is away comes back; nothing is lost meanwhile.
            Err(error @ LakeError::Store { .. }) => {
                if !is_away {
                    shown.context.printer.warning(format!("{error}; looking again every {} s", arguments.every));
                }
                is_away = true;
            }
            Err(error) => return Err(lake_access::failure(error)),
        }
    }
    Ok(Exit::Success)
}

/// What was shown so far.
struct Shown<'a> {
    /// None for JSON lines.
    table: Option<Table>,
    context: &'a Context,
}

impl Shown<'_> {
    /// Shows further records; returns whether somebody reads.
    fn show(&mut self, records: &[Invocation]) -> Outcome<bool> {
        let text = match &mut self.table {
            Some(table) => {
                records.iter().for_each(|record| table.row(row(record)));
                table.render_more(&self.context.printer)
            }
            None => json_lines(records)?,
        };
        Ok(self.context.printer.answer_to_reader(&text))
    }
}

fn json_lines(records: &[Invocation]) -> Outcome<String> {
    let mut text = String::new();
    for record in records {
        let line =
            serde_json::to_string(&v1::InvocationV1::from(record)).map_err(|error| Failure::from_error(Exit::Io, error))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn table() -> Table {
    Table::new(&[
        ("time (UTC)", Align::Left),
        ("prompt", Align::Left),
        ("model", Align::Left),
        ("status", Align::Left),
        ("label", Align::Left),
        ("ms", Align::Right),
        ("in", Align::Right),
        ("out", Align::Right),
        ("USD", Align::Right),
    ])
}

fn row(record: &Invocation) -> Vec<String> {
    let unknown = || "-".to_owned();
    let status = match record.status {
        Status::Ok => "ok".to_owned(),
        Status::Error => record.error_type.clone().unwrap_or_else(|| "error".to_owned()),
    };
    let cells = [
        record.time.format("%Y-%m-%d %H:%M:%S").to_string(),
        prompt_name(record).unwrap_or_else(unknown),
        record.responded_model.clone().or_else(|| record.requested_model.clone()).unwrap_or_else(unknown),
        status,
        record.label.clone().unwrap_or_else(unknown),
        record.latency_ms.map_or_else(unknown, |latency| format!("{latency:.0}")),
        record.input_tokens.map_or_else(unknown, |tokens| tokens.to_string()),
        record.output_tokens.map_or_else(unknown, |tokens| tokens.to_string()),
        record.cost_usd.map_or_else(unknown, |cost| format!("{cost:.6}")),
    ];
    // What senders wrote shall not reach a terminal as more than text.
    cells.iter().map(|cell| one_line(cell)).collect()
}

//! `promptops invocations tree`: what an agent did, call by call.

use std::collections::BTreeSet;

use clap::Args;
use promptops_lake::{Filter, Lake};
use promptops_telemetry::{Invocation, Status, Uuid};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::found_invocation::{find, prompt_name};
use crate::invocation_tree::{BranchV1, Totals, draw, grow, ids};
use crate::lake_access;
use crate::output::visible::one_line;

/// More invocations than this are not gathered for one tree.
const MOST: usize = 10_000;

/// Show the invocations of an agent's run, each under the one that caused it.
///
/// With an ID, the whole tree that the invocation stands in: its trace and session, and whatever caused or was caused by any of them.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["id", "session", "trace"])))]
pub struct Arguments {
    /// An invocation's id or the beginning of it, or the provider's id of the answer.
    id: Option<String>,
    /// Everything of a conversation or job.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Everything of a trace.
    #[arg(long, value_name = "TRACE")]
    trace: Option<String>,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct TreeV1 {
    version: u32,
    roots: Vec<BranchV1>,
    totals: Totals,
}

/// Prints it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let (records, missing) = context.block_on(gather(&lake, arguments))??;
    let roots = grow(records);
    let totals = Totals::of(&roots);
    if arguments.json {
        let document = TreeV1 { version: 1, roots: roots.iter().map(BranchV1::from).collect(), totals };
        let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
        context.printer.line(text);
    } else {
        context.printer.answer(&draw(&roots, &|record| line(record, &missing)));
    }
    context.printer.notice(summary(&totals));
    Ok(Exit::Success)
}

/// Returns the records, and the parents that are named and not in the lake.
async fn gather(lake: &Lake, arguments: &Arguments) -> Outcome<(Vec<Invocation>, BTreeSet<Uuid>)> {
    let mut records = match (&arguments.id, &arguments.session, &arguments.trace) {
        (Some(id), _, _) => {
            let one = find(lake, id).await?;
            let mut records = vec![one.clone()];
            let same_trace = one.trace_id.map(|trace_id| Filter { trace_id: Some(trace_id), ..Filter::default() });
            let same_session = one.session.map(|session| Filter { session: Some(session), ..Filter::default() });
            for filter in [same_trace, same_session].into_iter().flatten() {
                records.extend(lake.latest(&filter, MOST).await.map_err(lake_access::failure)?);
            }
            records
        }
        (None, session, trace_id) => {
            let filter = Filter { session: session.clone(), trace_id: trace_id.clone(), ..Filter::default() };
            lake.latest(&filter, MOST).await.map_err(lake_access::failure)?
        }
    };
    if records.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("`{}` has no such invocation", lake.name()))
            .hint("`promptops invocations tail --json` shows the sessions and traces of the latest ones"));
    }
    let mut asked = BTreeSet::new();
    loop {
        let named = ids(&records).into_iter().chain(records.iter().filter_map(|record| record.parent_invocation));
        let new: Vec<Uuid> = named.filter(|id| !asked.contains(id)).collect::<BTreeSet<_>>().into_iter().collect();
        if new.is_empty() || records.len() > MOST {
            break;
        }
        records.extend(lake.related(&new).await.map_err(lake_access::failure)?);
        asked.extend(new);
    }
    records.sort_by_key(|record| record.invocation_id);
    records.dedup_by_key(|record| record.invocation_id);
    let known = ids(&records);
    let missing = records.iter().filter_map(|record| record.parent_invocation).filter(|parent| !known.contains(parent)).collect();
    Ok((records, missing))
}

fn line(record: &Invocation, missing: &BTreeSet<Uuid>) -> String {
    let mut parts = vec![record.invocation_id.to_string()];
    parts.push(prompt_name(record).map_or_else(|| "no prompt".to_owned(), |name| one_line(&name)));
    parts.extend(record.agent.as_deref().map(|agent| format!("agent {}", one_line(agent))));
    parts.extend(record.responded_model.as_ref().or(record.requested_model.as_ref()).map(|model| one_line(model)));
    if record.status == Status::Error {
        parts.push(format!("error: {}", one_line(record.error_type.as_deref().unwrap_or("unknown"))));
    }
    parts.extend(record.latency_ms.map(|latency| format!("{latency:.0} ms")));
    if let (Some(input), Some(output)) = (record.input_tokens, record.output_tokens) {
        parts.push(format!("{input} → {output} tokens"));
    }
    parts.extend(record.cost_usd.map(|cost| format!("{cost:.6} USD")));
    if let Some(parent) = record.parent_invocation.filter(|parent| missing.contains(parent)) {
        parts.push(format!("caused by {parent}, which is not in the lake"));
    }
    parts.join("  ")
}

fn summary(totals: &Totals) -> String {
    let calls = if totals.invocations == 1 { "1 invocation".to_owned() } else { format!("{} invocations", totals.invocations) };
    let mut text = format!(
        "{calls}, {} failed: {:.0} ms of calls, {} → {} tokens",
        totals.errors, totals.latency_ms, totals.input_tokens, totals.output_tokens
    );
    // What nobody knows is not nothing.
    if totals.without_cost < totals.invocations {
        text.push_str(&format!(", {:.6} USD", totals.cost_usd));
    }
    if totals.without_cost > 0 {
        text.push_str(&format!("; {} without a cost", totals.without_cost));
    }
    text
}

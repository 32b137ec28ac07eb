//! `promptops invocations show ID`: everything that is kept of one invocation.

use clap::Args;
use promptops_telemetry::Invocation;
use promptops_telemetry::v1::InvocationV1;
use serde_json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::found_invocation::find;
use crate::lake_access;
use crate::output::visible::one_line;
use crate::printer::BOLD;

/// Show everything that is kept of one invocation.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its id or the beginning of it, or the provider's id of the answer.
    id: String,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// Fields in the order in which they are read, under what they are about. Content comes last, as it is.
const GROUPS: [(&str, &[&str]); 7] = [
    ("call", &["time", "invocation_id", "status", "error_type", "latency_ms", "time_to_first_token_ms", "operation"]),
    ("prompt", &["prompt_id", "prompt_version", "prompt_digest", "arm", "environment", "input_hash", "stratum"]),
    (
        "model",
        &[
            "provider",
            "requested_model",
            "responded_model",
            "response_id",
            "fingerprint",
            "service_tier",
            "parameters_hash",
            "tools_hash",
        ],
    ),
    (
        "usage",
        &["input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd", "price_table"],
    ),
    ("answer", &["finish_reason", "label", "valid", "refusal", "output_length", "scores"]),
    ("caller", &["service", "runtime", "agent", "session", "parent_invocation", "trace_id", "span_id", "source"]),
    ("content", &["input", "output"]),
];

/// Prints it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let lake = lake_access::open(context, &project)?;
    let record = context.block_on(find(&lake, &arguments.id))??;
    let wire = serde_json::to_value(InvocationV1::from(&record)).map_err(|error| Failure::from_error(Exit::Io, error))?;
    if arguments.json {
        context.printer.line(wire.to_string());
        return Ok(Exit::Success);
    }
    for (title, fields) in GROUPS {
        let known: Vec<(&str, &Value)> = fields.iter().filter_map(|name| Some((*name, wire.get(*name)?))).collect();
        if known.is_empty() {
            continue;
        }
        context.printer.line(context.printer.paint(BOLD, title));
        for (name, value) in known {
            context.printer.line(format!("  {name:<23} {}", shown(value)));
        }
    }
    context.printer.notice(hint(&record));
    Ok(Exit::Success)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

fn hint(record: &Invocation) -> String {
    let id = record.invocation_id;
    match record.prompt_id {
        Some(_) => format!("`promptops trace {id}` shows the version that answered, and who let it go live"),
        None => format!("`promptops invocations tree {id}` shows what it belongs to; which prompt it was is not recorded"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_field_has_a_place() {
        let listed: BTreeSet<&str> = GROUPS.iter().flat_map(|(_, fields)| fields.iter().copied()).collect();
        let known: BTreeSet<&str> = promptops_telemetry::columns::COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(listed, known);
    }
}

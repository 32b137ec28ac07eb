//! `promptops generate prometheus-rules`: recording and alerting rules.

use clap::Args;
use promptops_registry::catalog::yaml;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::generated_files::{GeneratedFile, OutputArguments};
use crate::monitoring::{LimitArguments, prometheus, say_missing};
use crate::watched_prompts::{WatchedArguments, watched};

/// Write recording and alerting rules of Prometheus over the metrics of `promptops serve --record`.
///
/// Alerts are about errors, latency, cost and silence, for each prompt in each environment, with its owner as a label; from what `metrics`
/// in its file says: `baseline_error_share`, `baseline_latency_p95_ms`, `cost_per_call_usd`, `calls_per_hour`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    which: WatchedArguments,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Writes them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let (prompts, _) = watched(&arguments.which, context, &project)?;
    say_missing(&prompts, &arguments.limits, context);
    let head = "# Written by `promptops generate prometheus-rules`; generate it again when prompts come or go.\n";
    let text = format!("{head}{}", yaml::to_text(&prometheus::rules(&prompts, &arguments.limits)));
    arguments.output.put(&[GeneratedFile { path: "promptops.rules.yaml".to_owned(), text }], context)
}

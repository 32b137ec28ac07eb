//! `promptops generate grafana`: a dashboard.

use clap::Args;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::generated_files::{GeneratedFile, OutputArguments};
use crate::monitoring::grafana::{Dashboard, Source};
use crate::table_arguments::name;
use crate::watched_prompts::{WatchedArguments, watched};

/// Write a dashboard of Grafana: calls, errors, latency, tokens and cost of each prompt.
///
/// Which source of the kind is asked, which environment and which prompts are variables of the dashboard.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the numbers come from: Prometheus that asks a server with `--record`, CloudWatch, or the lake by Athena.
    #[arg(long, value_enum, default_value_t, value_name = "SOURCE")]
    source: Source,
    /// The namespace of the metrics in CloudWatch.
    #[arg(long, value_name = "NAMESPACE", default_value = "PromptOps")]
    namespace: String,
    /// The database in Athena.
    #[arg(long, value_name = "NAME", default_value = "promptops", value_parser = name)]
    database: String,
    /// The table in Athena.
    #[arg(long, value_name = "NAME", default_value = "invocations", value_parser = name)]
    table: String,
    #[command(flatten)]
    which: WatchedArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let (prompts, environments) = watched(&arguments.which, context, &project)?;
    let dashboard = Dashboard {
        source: arguments.source,
        prompts: &prompts,
        environments: &environments,
        metrics: &arguments.namespace,
        table: &format!("{}.{}", arguments.database, arguments.table),
    };
    arguments.output.put(&[GeneratedFile::json("grafana.json", &dashboard.to_json())], context)
}

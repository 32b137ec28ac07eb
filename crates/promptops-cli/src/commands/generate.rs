//! `promptops generate`: dashboards, alarms, rules and tables for the tools that people look at already.

mod athena_ddl;
mod cloudwatch;
mod grafana;
mod prometheus_rules;
mod spark_ddl;
mod trino_ddl;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Write dashboards, alarms, rules and tables for the tools that you look at already, from the prompts that exist.
///
/// What is written is never edited by hand: write it again when prompts come or go. `--check` tells a pipeline whether that is due.
#[derive(Debug, Subcommand)]
pub enum Command {
    Cloudwatch(cloudwatch::Arguments),
    Grafana(grafana::Arguments),
    PrometheusRules(prometheus_rules::Arguments),
    AthenaDdl(athena_ddl::Arguments),
    TrinoDdl(trino_ddl::Arguments),
    SparkDdl(spark_ddl::Arguments),
}

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Cloudwatch(arguments) => cloudwatch::run(arguments, context),
        Command::Grafana(arguments) => grafana::run(arguments, context),
        Command::PrometheusRules(arguments) => prometheus_rules::run(arguments, context),
        Command::AthenaDdl(arguments) => athena_ddl::run(arguments, context),
        Command::TrinoDdl(arguments) => trino_ddl::run(arguments, context),
        Command::SparkDdl(arguments) => spark_ddl::run(arguments, context),
    }
}

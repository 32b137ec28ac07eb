//! The commands: one file each, named as the user types it.

mod approve;
mod at;
mod audit;
mod bundle;
mod check;
mod comment;
mod compat;
#[cfg(feature = "lake")]
mod cost;
mod deploy;
mod deprecate;
pub mod diff;
#[cfg(feature = "lake")]
mod drift;
mod environment;
mod eval;
mod evidence;
mod explain;
mod export;
mod gate;
mod generate;
mod history;
mod import;
mod init;
#[cfg(feature = "lake")]
mod invocations;
mod key;
#[cfg(feature = "lake")]
mod lake;
mod lineage;
mod list;
pub mod lock;
mod lsp;
mod mcp;
mod offline_model;
mod owners;
mod package;
mod plan;
mod prices;
mod publish;
#[cfg(feature = "lake")]
mod query;
mod registry;
mod rollback;
mod schema;
mod search;
mod serve;
mod show;
#[cfg(feature = "lake")]
mod stats;
#[cfg(feature = "lake")]
mod trace;
mod yank;

use clap::Subcommand;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;

/// What `promptops` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Eval(eval::Arguments),
    Gate(gate::Arguments),
    #[command(subcommand)]
    Comment(comment::Command),
    #[command(subcommand)]
    Import(import::Command),
    #[command(subcommand)]
    Prices(prices::Command),
    History(history::Arguments),
    Show(show::Arguments),
    Diff(diff::Arguments),
    Compat(compat::Arguments),
    Publish(publish::Arguments),
    List(list::Arguments),
    Search(search::Arguments),
    Lineage(lineage::Arguments),
    Export(export::Arguments),
    #[command(subcommand)]
    Owners(owners::Command),
    Plan(plan::Arguments),
    Approve(approve::Arguments),
    Deploy(deploy::Arguments),
    Rollback(rollback::Arguments),
    At(at::Arguments),
    Yank(yank::Arguments),
    Deprecate(deprecate::Arguments),
    Lock(lock::Arguments),
    Lsp(lsp::Arguments),
    Bundle(bundle::Arguments),
    #[command(subcommand)]
    Package(package::Command),
    #[command(subcommand)]
    Evidence(evidence::Command),
    #[command(subcommand)]
    Environment(environment::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Registry(registry::Command),
    #[command(subcommand)]
    Generate(generate::Command),
    Serve(serve::Arguments),
    Mcp(mcp::Arguments),
    #[command(subcommand)]
    Key(key::Command),
    #[cfg(feature = "lake")]
    #[command(subcommand)]
    Invocations(invocations::Command),
    #[cfg(feature = "lake")]
    Stats(stats::Arguments),
    #[cfg(feature = "lake")]
    Cost(cost::Arguments),
    #[cfg(feature = "lake")]
    Trace(trace::Arguments),
    #[cfg(feature = "lake")]
    Query(query::Arguments),
    #[cfg(feature = "lake")]
    Drift(drift::Arguments),
    #[cfg(feature = "lake")]
    #[command(subcommand)]
    Lake(lake::Command),
    #[command(subcommand)]
    OfflineModel(offline_model::Command),
    Schema(schema::Arguments),
}

/// Runs one command.
pub fn run(command: Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Check(arguments) => check::run(&arguments, context),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Eval(arguments) => eval::run(&arguments, context),
        Command::Gate(arguments) => gate::run(&arguments, context),
        Command::Comment(command) => comment::run(&command, context),
        Command::Import(command) => import::run(&command, context),
        Command::Prices(command) => prices::run(&command, context),
        Command::History(arguments) => history::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Diff(arguments) => diff::run(&arguments, context),
        Command::Compat(arguments) => compat::run(&arguments, context),
        Command::Publish(arguments) => publish::run(&arguments, context),
        Command::List(arguments) => list::run(&arguments, context),
        Command::Search(arguments) => search::run(&arguments, context),
        Command::Lineage(arguments) => lineage::run(&arguments, context),
        Command::Export(arguments) => export::run(&arguments, context),
        Command::Owners(command) => owners::run(&command, context),
        Command::Plan(arguments) => plan::run(&arguments, context),
        Command::Approve(arguments) => approve::run(&arguments, context),
        Command::Deploy(arguments) => deploy::run(&arguments, context),
        Command::Rollback(arguments) => rollback::run(&arguments, context),
        Command::At(arguments) => at::run(&arguments, context),
        Command::Yank(arguments) => yank::run(&arguments, context),
        Command::Deprecate(arguments) => deprecate::run(&arguments, context),
        Command::Lock(arguments) => lock::run(&arguments, context),
        Command::Lsp(arguments) => lsp::run(&arguments, context),
        Command::Bundle(arguments) => bundle::run(&arguments, context),
        Command::Package(command) => package::run(&command, context),
        Command::Evidence(command) => evidence::run(&command, context),
        Command::Environment(command) => environment::run(&command, context),
        Command::Audit(command) => audit::run(&command, context),
        Command::Registry(command) => registry::run(&command, context),
        Command::Generate(command) => generate::run(&command, context),
        Command::Serve(arguments) => serve::run(&arguments, context),
        Command::Mcp(arguments) => mcp::run(&arguments, context),
        Command::Key(command) => key::run(&command, context),
        #[cfg(feature = "lake")]
        Command::Invocations(command) => invocations::run(&command, context),
        #[cfg(feature = "lake")]
        Command::Stats(arguments) => stats::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Cost(arguments) => cost::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Trace(arguments) => trace::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Query(arguments) => query::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Drift(arguments) => drift::run(&arguments, context),
        #[cfg(feature = "lake")]
        Command::Lake(command) => lake::run(&command, context),
        Command::OfflineModel(command) => offline_model::run(&command, context),
        Command::Schema(arguments) => schema::run(&arguments, context),
    }
}

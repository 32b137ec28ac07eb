//! `promptops serve`: the registry over HTTP.

use std::net::SocketAddr;
#[cfg(feature = "lake")]
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
#[cfg(feature = "lake")]
use promptops_server::Ingest;
use promptops_server::{AgentPrompts, RulesReader, Settings};
#[cfg(feature = "lake")]
use promptops_telemetry::ingest::IngestSettings;
#[cfg(feature = "lake")]
use promptops_telemetry::otlp::Keep;
use promptops_telemetry::sink::Sink;

use crate::agents::AgentArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::http::{self, HttpArguments};
#[cfg(feature = "lake")]
use crate::lake_access;
use crate::project::Project;
use crate::registry_access::{Rules, failure, open, store};

/// Serve the registry over HTTP: read and write through it with `--registry https://HOST`.
///
/// Everything takes an API key (`promptops key create`) unless said otherwise. What is written is decided by the policy and
/// owners of the checkout that the server runs in, read from its default branch every few seconds. Any number of servers
/// may stand before one store. Agents find the prompts of their environment at `/mcp`. Ends on SIGTERM or Ctrl-C, when
/// requests under way are answered.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Write nothing through this server.
    #[arg(long)]
    read_only: bool,
    /// The revision whose policy and owners hold [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
    /// Record invocations too: `POST /v1/invocations` and OTLP (`POST /v1/traces`, and gRPC at the same address) take them and answer
    /// when they are on the disk, and every few seconds they go to the lake.
    #[cfg(feature = "lake")]
    #[arg(long)]
    record: bool,
    /// Where invocations wait for the lake [default: .promptops/log of the project].
    #[cfg(feature = "lake")]
    #[arg(long, value_name = "FOLDER", requires = "record")]
    record_log: Option<PathBuf>,
    /// Keep the inputs and outputs that spans carry. Without it they are dropped, and numbers and names kept.
    #[cfg(feature = "lake")]
    #[arg(long, requires = "record")]
    record_content: bool,
    #[command(flatten)]
    agents: AgentArguments,
    #[command(flatten)]
    http: HttpArguments,
}

/// Serves until it is told to end.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let store = store(context, &project)?;
    if store.connection().is_some() {
        return Err(Failure::new(Exit::Usage, format!("`{}` is a server itself", store.url()))
            .hint("give the URL of the store with `--registry`"));
    }
    let mut settings = arguments.http.settings(arguments.listen, context, &project)?;
    settings.rules = if arguments.read_only { None } else { Some(rules(arguments, context, project.clone())?) };
    #[cfg(feature = "lake")]
    if arguments.record {
        settings.ingest = Some(ingest(arguments, context, &project)?);
    }
    let sinks = arguments.agents.sinks(context)?;
    arguments.http.start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("start the runtime for", &context.directory, error))?;
    runtime.block_on(serve(arguments, settings, sinks, context, &project))
}

async fn serve(
    arguments: &Arguments,
    mut settings: Settings,
    sinks: Vec<Arc<dyn Sink>>,
    context: &Context,
    project: &Project,
) -> Outcome<Exit> {
    let registry = open(context, project).await?;
    if !arguments.read_only {
        registry.probe().await.map_err(failure)?;
    }
    let prompts = AgentPrompts::Environments { registry: registry.clone(), default: arguments.agents.env.clone() };
    settings.agents = Some(arguments.agents.settings(prompts, sinks, context));
    let (listener, url) = http::bind(arguments.listen, &settings).await?;
    let end = http::told_to_end();
    let who = http::who(&settings);
    let records = if settings.ingest.is_some() { "; it records invocations, OTLP too" } else { "" };
    context.printer.line(format!("the registry {} answers at {url}, {who}{records}", registry.url()));
    http::serve(listener, registry, settings, end).await
}

/// Returns how invocations are recorded.
#[cfg(feature = "lake")]
fn ingest(arguments: &Arguments, context: &Context, project: &Project) -> Outcome<Ingest> {
    let lake = lake_access::open(context, project)?;
    lake_access::keep_in_order(lake.clone(), project.config.lake.retention_days)
        .map_err(|error| Failure::io("start the thread that compacts", &context.directory, error))?;
    let folder = arguments.record_log.as_ref().map(|folder| context.directory.join(folder));
    let log = IngestSettings::new(folder.unwrap_or_else(|| project.root.join(".promptops").join("log")));
    Ok(Ingest { log, lake: Arc::new(lake_access::Recorded(lake)), spans: Keep { content: arguments.record_content } })
}

/// Returns what reads the rules, once they were read well.
fn rules(arguments: &Arguments, context: &Context, project: Project) -> Outcome<RulesReader> {
    let revision = arguments.rules.clone();
    Rules::read(context, &project, revision.as_deref())?;
    Ok(Arc::new(move || {
        let rules = Rules::find(&project, revision.as_deref()).map_err(|failure| failure.error.to_string())?;
        Ok(rules.into_held())
    }))
}

//! `promptops mcp`: released prompts for agents.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use promptops_registry::{EnvironmentName, Registry};
use promptops_server::AgentPrompts;
use promptops_store::Bundle;
use promptops_telemetry::sink::Sink;

use super::lock;
use crate::agents::AgentArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::http::{self, HttpArguments};
use crate::project::Project;
use crate::registry_access::{failure, open, open_for_lock};

/// Serve released prompts to agents, by the Model Context Protocol: over standard input and output, or HTTP.
///
/// Agents list and get the prompts that one environment pins, are told when a deploy changes them, search them, ask where they
/// came from, and report what came of them. `docs/guides/agents.md` says how agents are connected. Over HTTP a key whose scope
/// is `agent:ENVIRONMENT` names the environment; only `/mcp`, health and metrics are served.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The lock whose pins agents see, in place of an environment.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["env", "bundle"])]
    lock: Option<PathBuf>,
    /// The bundle whose prompts agents see, in place of an environment; needs no registry, and so takes no keys.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["env", "listen"])]
    bundle: Option<PathBuf>,
    /// Serve over HTTP, at `/mcp` of this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    agents: AgentArguments,
    #[command(flatten)]
    http: HttpArguments,
}

/// Serves until the client goes, or the process is told to end.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let sinks = arguments.agents.sinks(context)?;
    match arguments.listen {
        Some(address) => listen(arguments, address, sinks, context),
        None => talk(arguments, sinks, context),
    }
}

/// Serves the process that started this one.
fn talk(arguments: &Arguments, sinks: Vec<Arc<dyn Sink>>, context: &Context) -> Outcome<Exit> {
    if let Some(option) = arguments.http.misplaced() {
        return Err(Failure::new(Exit::Usage, format!("`{option}` is for serving over HTTP, which `--listen` does")));
    }
    start_log();
    context.block_on(async {
        let prompts = match (&arguments.bundle, &arguments.lock, &arguments.agents.env) {
            (Some(bundle), ..) => open_bundle(&context.directory.join(bundle))?,
            (None, Some(lock), _) => open_lock(&context.directory.join(lock), context).await?.0,
            (None, None, Some(environment)) => {
                let registry = open(context, &project(context)?).await?;
                warn_if_nothing_is_released(&registry, environment, context).await?;
                AgentPrompts::Environments { registry, default: Some(environment.clone()) }
            }
            (None, None, None) => {
                return Err(Failure::new(Exit::Usage, "nothing says whose prompts to serve")
                    .hint("name an environment with `--env`, a lock with `--lock`, or a bundle with `--bundle`"));
            }
        };
        let settings = arguments.agents.settings(prompts, sinks, context);
        let served = promptops_server::serve_stdio(settings, std::io::stdin(), std::io::stdout(), http::told_to_end()).await;
        served.map_err(|error| Failure::from_error(Exit::Unavailable, error))?;
        Ok(Exit::Success)
    })?
}

/// Serves whoever comes over HTTP.
fn listen(arguments: &Arguments, address: SocketAddr, sinks: Vec<Arc<dyn Sink>>, context: &Context) -> Outcome<Exit> {
    let project = project(context)?;
    let mut settings = arguments.http.settings(address, context, &project)?;
    arguments.http.start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("start the runtime for", &context.directory, error))?;
    runtime.block_on(async {
        let (prompts, registry) = match &arguments.lock {
            Some(lock) => open_lock(&context.directory.join(lock), context).await?,
            None => {
                let registry = open(context, &project).await?;
                if let Some(environment) = &arguments.agents.env {
                    warn_if_nothing_is_released(&registry, environment, context).await?;
                }
                let prompts = AgentPrompts::Environments { registry: registry.clone(), default: arguments.agents.env.clone() };
                (prompts, registry)
            }
        };
        settings.agents = Some(arguments.agents.settings(prompts, sinks, context));
        settings.serves_registry = false;
        let (listener, url) = http::bind(address, &settings).await?;
        let end = http::told_to_end();
        context.printer.line(format!("agents find the prompts of {} at {url}/mcp, {}", registry.url(), http::who(&settings)));
        http::serve(listener, registry, settings, end).await
    })
}

/// Returns the project, or where there is none, the folder: agents are started wherever their host is.
fn project(context: &Context) -> Outcome<Project> {
    match context.project() {
        Err(_) if context.chosen_registry().is_some() => Project::at(&context.directory),
        found => found,
    }
}

async fn open_lock(path: &Path, context: &Context) -> Outcome<(AgentPrompts, Registry)> {
    let lock = lock::read(path)?;
    let registry = open_for_lock(context, &lock, path.parent().unwrap_or(Path::new("/"))).await?;
    Ok((AgentPrompts::Lock { lock, registry: registry.clone() }, registry))
}

fn open_bundle(path: &Path) -> Outcome<AgentPrompts> {
    let bundle = Bundle::open(path).map_err(|error| failure(error.into()))?;
    Ok(AgentPrompts::Bundle(Arc::new(bundle)))
}

/// Says when an environment has no release, which is how a wrong name looks; the first deploy may still come.
async fn warn_if_nothing_is_released(registry: &Registry, environment: &EnvironmentName, context: &Context) -> Outcome<()> {
    if registry.current(environment).await.map_err(failure)?.is_some() {
        return Ok(());
    }
    let known: Vec<String> = registry.environments().await.map_err(failure)?.iter().map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { String::new() } else { format!(" (there are releases of {})", known.join(", ")) };
    context.printer.warning(format!("nothing is released to `{environment}` yet, so agents see no prompt{known}"));
    Ok(())
}

/// Begins to say on stderr what goes wrong; stdout belongs to the protocol.
fn start_log() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;

    let filter = Targets::new().with_target("promptops_server", LevelFilter::WARN);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    // A log that cannot be started is one that was started before, in the same process.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}

//! What agents are served, by `promptops mcp` and `promptops serve` alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use promptops_registry::EnvironmentName;
use promptops_server::{AgentPrompts, AgentSettings};
use promptops_telemetry::sink::{JsonlSink, QueuedSink, Sink};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::http::clock;

/// Records that wait to be written; a client never waits for a disk.
const WAITING_RECORDS: usize = 10_000;

/// What agents see, and what is recorded of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Agents")]
pub struct AgentArguments {
    /// The environment whose released prompts agents see, unless their API key names another.
    #[arg(long, value_name = "NAME")]
    pub env: Option<EnvironmentName>,
    /// Seconds between looks for a deploy: so late, at most, agents are told of one.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub poll: u16,
    /// The file that invocations are appended to [default: PROMPTOPS_INVOCATIONS; without it nothing is recorded].
    #[arg(long, value_name = "FILE")]
    pub invocations: Option<PathBuf>,
}

impl AgentArguments {
    /// Opens what invocations are recorded in.
    pub fn sinks(&self, context: &Context) -> Outcome<Vec<Arc<dyn Sink>>> {
        let variable = || context.variable("PROMPTOPS_INVOCATIONS").map(PathBuf::from);
        let Some(path) = self.invocations.clone().or_else(variable) else { return Ok(Vec::new()) };
        let path = context.directory.join(path);
        let open = || QueuedSink::new(Arc::new(JsonlSink::open(&path)?), WAITING_RECORDS);
        let sink = open().map_err(|error| Failure::io("record invocations in", &path, error))?;
        Ok(vec![Arc::new(sink)])
    }

    /// Returns how agents are served.
    pub fn settings(&self, prompts: AgentPrompts, sinks: Vec<Arc<dyn Sink>>, context: &Context) -> AgentSettings {
        AgentSettings {
            poll: Duration::from_secs(self.poll.into()),
            sinks,
            service: context.variable("PROMPTOPS_SERVICE").map(str::to_owned),
            ..AgentSettings::new(prompts, clock)
        }
    }
}

//! Dashboards and alarms of CloudWatch over the metrics that the EMF sink writes.

mod alarms;
mod dashboards;
mod formats;

use std::collections::BTreeSet;

use promptops_registry::EnvironmentName;
use serde_json::Value;

use super::LimitArguments;
use crate::watched_prompts::WatchedPrompt;

pub use formats::{cloudformation, json_files, terraform};

/// A dashboard: its name, and what `PutDashboard` takes as its body. Where the region stands the body has [`REGION`].
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Letters, digits, dashes.
    pub name: String,
    /// The body.
    pub body: Value,
}

/// Stands for the region in the body of a dashboard until it is written in some format.
const REGION: &str = "__REGION__";

/// An alarm, in the words of `PutMetricAlarm`, without what it does when it goes off.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// What CloudWatch calls it.
    pub name: String,
    /// The rest.
    pub properties: Value,
}

/// Everything that is generated.
#[derive(Debug, Clone, Default)]
pub struct Monitoring {
    /// One for each namespace and environment, more where a namespace is large.
    pub dashboards: Vec<Dashboard>,
    /// Up to four for each prompt and environment.
    pub alarms: Vec<Alarm>,
}

impl Monitoring {
    /// Makes the dashboards.
    #[must_use]
    pub fn with_dashboards(
        mut self,
        prompts: &[WatchedPrompt],
        environments: &BTreeSet<EnvironmentName>,
        metrics: &str,
        limits: &LimitArguments,
    ) -> Self {
        self.dashboards = environments
            .iter()
            .flat_map(|environment| dashboards::dashboards(prompts, environment.as_str(), metrics, limits))
            .collect();
        self
    }

    /// Makes the alarms.
    #[must_use]
    pub fn with_alarms(mut self, prompts: &[WatchedPrompt], metrics: &str, limits: &LimitArguments) -> Self {
        self.alarms = prompts.iter().flat_map(|prompt| alarms::alarms(prompt, metrics, limits)).collect();
        self
    }
}

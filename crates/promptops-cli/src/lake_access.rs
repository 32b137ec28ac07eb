//! The lake of a project, and what its failures mean for the command.

use std::io::ErrorKind;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use futures::future::BoxFuture;
use promptops_lake::{CompactSettings, Filter, GroupBy, Lake, LakeError};
use promptops_server::{InvocationLake, NotStored};
use promptops_store::StoreOptions;
use promptops_telemetry::Invocation;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, NO_ROOM, Outcome};
use crate::project::Project;
use crate::time_argument::TimeArgument;

/// Opens the lake that `lake.url` of promptops.toml names.
pub fn open(context: &Context, project: &Project) -> Outcome<Lake> {
    let options = StoreOptions { base_dir: project.root.clone(), settings: context.environment.clone() };
    Lake::open(&project.config.lake.url, &options).map_err(failure)
}

/// The lake behind a server that records.
pub struct Recorded(pub Lake);

impl InvocationLake for Recorded {
    fn store<'a>(&'a self, records: &'a [Invocation]) -> BoxFuture<'a, Result<u64, NotStored>> {
        Box::pin(async move {
            let is_new = self.0.land(records).await.map_err(|error| NotStored(error.into()))?;
            Ok(if is_new { records.len() as u64 } else { 0 })
        })
    }
}

/// How often a server looks for hours that are over.
const COMPACTION_EVERY: Duration = Duration::from_secs(60);

/// The thread of a server that keeps the lake in order. It ends with the process, at whatever it is: that is safe at any point.
pub fn keep_in_order(lake: Lake, retention_days: Option<u32>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || loop {
        std::thread::sleep(COMPACTION_EVERY);
        runtime.block_on(keep_once(&lake, retention_days, now()));
    };
    std::thread::Builder::new().name("promptops-lake".to_owned()).spawn(work).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "a server that runs for days needs the time anew")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

async fn keep_once(lake: &Lake, retention_days: Option<u32>, now: DateTime<Utc>) {
    match lake.compact(now, Some(CompactSettings::default())).await {
        Ok(done) => {
            if done.files > 0 {
                tracing::info!(
                    invocations = done.records,
                    files = done.files,
                    hours = done.hours,
                    "invocations are in their hours"
                );
            }
            if done.ahead > 0 {
                tracing::warn!(
                    invocations = done.ahead,
                    "invocations have a time more than a day ahead: a clock is wrong somewhere"
                );
            }
            if done.newer > 0 {
                tracing::warn!(files = done.newer, "files with columns of a later version are left alone; update this server");
            }
        }
        Err(error) => tracing::warn!(error = %error, "invocations were not put into their hours; that is tried again"),
    }
    let Some(days) = retention_days else { return };
    match lake.expire(now - TimeDelta::days(days.into())).await {
        Ok(expired) if expired.files > 0 => {
            tracing::info!(hours = expired.hours, files = expired.files, "old invocations are deleted")
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(error = %error, "old invocations were not deleted; that is tried again"),
    }
}

/// Turns a failure of the lake into one of the command.
pub fn failure(error: LakeError) -> Failure {
    let exit = match &error {
        LakeError::InvalidUrl { .. } | LakeError::Query(_) | LakeError::Record { .. } => Exit::Usage,
        LakeError::Corrupt { .. } => Exit::Corrupt,
        LakeError::Contended { .. } => Exit::Conflict,
        LakeError::Store { source, .. } if has_no_room(source.as_ref()) => Exit::Io,
        LakeError::Output(_) => Exit::Io,
        _ => Exit::Unavailable,
    };
    let hint = match exit {
        Exit::Io => Some(NO_ROOM),
        Exit::Unavailable => Some("check disk, network and credentials, then run the same command again: repeating is safe"),
        _ => error.hint(),
    };
    let hint = hint.map(str::to_owned);
    let failure = Failure::from_error(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Tells whether a disk without room is at the bottom of an error.
fn has_no_room(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    kinds.any(|kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// Reads the names of the columns that invocations are grouped by, so that help and errors list them.
pub fn groups() -> impl TypedValueParser<Value = GroupBy> {
    PossibleValuesParser::new(GroupBy::ALL.map(GroupBy::as_str)).try_map(|name| {
        let found = GroupBy::ALL.into_iter().find(|group| group.as_str() == name);
        found.ok_or("not a column")
    })
}

/// Which invocations are meant.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which invocations")]
pub struct FilterArguments {
    /// Only this prompt.
    #[arg(long, value_name = "ID")]
    pub prompt: Option<String>,
    /// Only this version of the prompt.
    #[arg(long = "prompt-version", value_name = "VERSION")]
    pub version: Option<u32>,
    /// Only prompts of this owner.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// Only this environment.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Only this service.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Only this model, as it answered.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only this side of a rollout.
    #[arg(long, value_name = "SIDE")]
    pub arm: Option<String>,
    /// Only calls that ended like this.
    #[arg(long, value_name = "STATUS", value_parser = ["ok", "error"])]
    pub status: Option<String>,
    /// Only this label.
    #[arg(long, value_name = "LABEL")]
    pub label: Option<String>,
    /// Only this conversation or job.
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Only this trace.
    #[arg(long, value_name = "ID")]
    pub trace: Option<String>,
}

impl FilterArguments {
    /// Returns the filter for a window of time: from `since` on, before `until`.
    pub fn within(&self, since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Filter {
        Filter {
            prompt_id: self.prompt.clone(),
            prompt_version: self.version,
            environment: self.env.clone(),
            service: self.service.clone(),
            model: self.model.clone(),
            owner: self.owner.clone(),
            arm: self.arm.clone(),
            status: self.status.as_ref().and_then(|status| status.parse().ok()),
            label: self.label.clone(),
            session: self.session.clone(),
            trace_id: self.trace.clone(),
            since,
            until,
        }
    }
}

/// A window of time.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which invocations")]
pub struct WindowArguments {
    /// From this time on: `2026-11-01`, `2026-11-01T03:00Z` (UTC), or how long ago as `24h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<TimeArgument>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<TimeArgument>,
}

impl WindowArguments {
    /// Returns the bounds.
    pub fn resolve(&self, now: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        (self.since.map(|time| time.resolve(now)), self.until.map(|time| time.resolve(now)))
    }
}

/// The output of tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TableFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON object a line.
    Json,
    /// With a header row.
    Csv,
}

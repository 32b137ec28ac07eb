//! `promptops lake expire`: retention.

use chrono::{TimeDelta, Timelike as _};
use clap::Args;

use super::counted;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access;

/// Delete the hours of recorded invocations that are older than the lake keeps.
///
/// `promptops serve --record` does so by itself where `lake.retention_days` of promptops.toml says how long.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Keep the last so many days [default: `lake.retention_days` of promptops.toml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Show what would be deleted, and delete nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Deletes what is too old.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let Some(days) = arguments.days.or(project.config.lake.retention_days) else {
        return Err(Failure::new(Exit::Usage, "nothing says how long invocations are kept")
            .hint("give `--days N`, or set `retention_days` under `[lake]` in promptops.toml"));
    };
    let lake = lake_access::open(context, &project)?;
    let before = context.now() - TimeDelta::days(days.into());
    let expired =
        context.block_on(async { if arguments.dry_run { lake.expired(before).await } else { lake.expire(before).await } })?;
    let expired = expired.map_err(lake_access::failure)?;
    let (Some(first), Some(last)) = (expired.first, expired.last) else {
        let hour = before.with_minute(0).unwrap_or(before).format("%Y-%m-%d %H:00");
        context.printer.line(format!("nothing is older than {days} days: no hour ended by {hour} UTC"));
        return Ok(Exit::Success);
    };
    context.printer.line(format!(
        "{} {} from {} to {} UTC: {}, {:.1} MB",
        if arguments.dry_run { "would delete" } else { "deleted" },
        counted(expired.hours, "hour"),
        first.format("%Y-%m-%d %H:00"),
        last.format("%Y-%m-%d %H:00"),
        counted(expired.files, "file"),
        megabytes(expired.bytes)
    ));
    Ok(Exit::Success)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

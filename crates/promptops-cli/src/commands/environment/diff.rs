//! `promptops environment diff`: what two environments, or two releases, pin differently.

use clap::Args;
use promptops_registry::comparison::PinChange;
use promptops_registry::{Release, ReleaseName};
use serde::Serialize;

use crate::callers::Callers;
use crate::commands::list::Format;
use crate::context::Context;
use crate::exit::{DetailedExit, Exit};
use crate::failure::{Failure, Outcome};
use crate::plan_view::{Verbosity, View};
use crate::registry_access::{failure, open};

/// Show what is pinned differently between two environments or two releases, and the class of every difference.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The one: `staging` for what is live there, `prod@3` for a release.
    #[arg(value_name = "ENVIRONMENT[@RELEASE]")]
    from: ReleaseName,
    /// The other. What is shown is what changes on the way from the one to the other.
    #[arg(value_name = "ENVIRONMENT[@RELEASE]")]
    to: ReleaseName,
    /// How much is shown.
    #[command(flatten)]
    verbosity: Verbosity,
    /// Tells by its exit code whether they differ.
    #[command(flatten)]
    exit: DetailedExit,
    /// How it is shown. JSON holds everything but the texts.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct DiffV1<'a> {
    version: u32,
    from: ReleaseV1<'a>,
    to: ReleaseV1<'a>,
    changes: &'a [PinChange],
}

#[derive(Debug, Serialize)]
struct ReleaseV1<'a> {
    environment: &'a str,
    release: u64,
    time: String,
}

/// Shows the difference.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let from = registry.named_release(&arguments.from).await.map_err(failure)?;
        let to = registry.named_release(&arguments.to).await.map_err(failure)?;
        let changes = registry.compare(&from, &to).await.map_err(failure)?;
        match arguments.format {
            Format::Human => {
                let (printer, verbosity) = (&context.printer, arguments.verbosity);
                let title = format!("{} → {}", name(&from), name(&to));
                let callers = Callers::default();
                let view = View { registry: &registry, printer, verbosity, explained: None, callers: &callers };
                printer.answer(&view.comparison(&title, &changes).await?);
            }
            Format::Json => {
                let document = DiffV1 { version: 1, from: wire(&from), to: wire(&to), changes: &changes };
                let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
                context.printer.line(text);
            }
        }
        Ok(arguments.exit.exit(!changes.is_empty()))
    })?
}

fn name(release: &Release) -> String {
    format!("{}@{}", release.environment, release.sequence)
}

fn wire(release: &Release) -> ReleaseV1<'_> {
    ReleaseV1 {
        environment: release.environment.as_str(),
        release: release.sequence,
        time: release.time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    }
}

//! What every package is asked for with, and where its file is put.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::packages::report::Report;
use crate::packages::wheel::Wheel;

/// Which prompts a package holds.
#[derive(Debug, Args)]
pub struct PromptOptions {
    /// The lock whose prompts are packaged, with all that they include.
    #[arg(long, default_value = "promptops.lock", value_name = "LOCK")]
    pub lock: PathBuf,
    /// Package this bundle instead of making one from a lock.
    #[arg(long, value_name = "FILE", conflicts_with = "lock")]
    pub bundle: Option<PathBuf>,
}

/// Which SDK a package holds.
#[derive(Debug, Args)]
pub struct SdkOptions {
    /// The wheel of the SDK, built for Linux [default: the SDK that is installed beside this program, or a wheel that lies there].
    #[arg(long, value_name = "FILE")]
    pub wheel: Option<PathBuf>,
    /// Leave the prompts out: whoever loads them names a bundle, or a lock and a registry.
    #[arg(long, conflicts_with_all = ["lock", "bundle"])]
    pub no_prompts: bool,
}

impl SdkOptions {
    /// Reads the wheel that is named, or found beside this program.
    pub fn wheel(&self, context: &Context) -> Outcome<Wheel> {
        let named = self.wheel.as_ref().map(|wheel| context.directory.join(wheel));
        Wheel::find(named.as_deref(), context.program.as_deref())
    }
}

/// What becomes of a package.
#[derive(Debug, Args)]
pub struct OutputOptions {
    /// Say what the package would hold and how large it would be, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Say it as JSON (versioned).
    #[arg(long)]
    pub json: bool,
}

impl OutputOptions {
    /// Writes the packages unless told not to, and says what they are.
    pub fn finish(&self, files: &[(&Path, &[u8])], mut report: Report, context: &Context) -> Outcome<Exit> {
        if !self.dry_run {
            for (path, bytes) in files {
                write_file(&context.directory.join(path), bytes)?;
            }
        }
        if self.json {
            let text = serde_json::to_string_pretty(&report.json(!self.dry_run));
            context.printer.line(text.map_err(|error| Failure::from_error(Exit::Io, error))?);
        } else {
            context.printer.answer(&report.human(!self.dry_run));
        }
        for warning in &report.warnings {
            context.printer.warning(warning);
        }
        Ok(Exit::Success)
    }
}

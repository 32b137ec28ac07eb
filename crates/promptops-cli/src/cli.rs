//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::commands::Command;
use crate::exit;
use crate::printer::ColorChoice;

/// DataOps for prompts: inventory, versions, gate, loader, records, drift, governance.
#[derive(Debug, Parser)]
#[command(name = "promptops", version, after_long_help = exit::HELP, disable_help_subcommand = false, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// Work as if started in this folder.
    #[arg(short = 'C', long, global = true, value_name = "FOLDER")]
    pub directory: Option<PathBuf>,
    /// URL of the registry: file://, s3://, gs://, az://, or https:// of a server [default: `registry.url` of promptops.toml].
    #[arg(long, global = true, value_name = "URL")]
    pub registry: Option<String>,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Say nothing but the answer, warnings and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

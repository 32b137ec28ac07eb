//! `promptops bundle`: a lock and everything it pins, in one file.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_prompt::Digest;

use super::lock;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open_for_lock};

/// Write a lock and everything it pins into one file, for applications that cannot reach the registry.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The lock.
    #[arg(default_value = "promptops.lock", value_name = "LOCK")]
    lock: PathBuf,
    /// Where to write it.
    #[arg(short, long, default_value = "prompts.bundle", value_name = "FILE")]
    out: PathBuf,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let path = context.directory.join(&arguments.lock);
    let lock = lock::read(&path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let bundle = context.block_on(async {
        let registry = open_for_lock(context, &lock, folder).await?;
        registry.bundle(&lock).await.map_err(failure)
    })??;
    let out = context.directory.join(&arguments.out);
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, error))?;
    }
    bundle.write(&out).map_err(|error| failure(error.into()))?;
    let digest = Digest::of(&std::fs::read(&out).map_err(|error| Failure::io("read", &out, error))?);
    let prompts = lock::prompts(lock.prompts.len());
    context.printer.line(format!("bundled {prompts} in {}  {digest}", arguments.out.display()));
    Ok(Exit::Success)
}

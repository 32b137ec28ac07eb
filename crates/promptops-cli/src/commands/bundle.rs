//! `promptops bundle`: a lock and everything it pins, in one file.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_prompt::Digest;
use promptops_registry::bundle::SIGNATURE_NAMESPACE;

use super::lock;
use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open_for_lock, read_signing_key};
use crate::status_view;

/// Write a lock and everything it pins into one file, for applications that cannot reach the registry.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The lock.
    #[arg(default_value = "promptops.lock", value_name = "LOCK")]
    lock: PathBuf,
    /// Where to write it.
    #[arg(short, long, default_value = "prompts.bundle", value_name = "FILE")]
    out: PathBuf,
    /// Sign it with this OpenSSH private key (Ed25519), into a file beside it that ends with `.sig`; whoever takes it checks that
    /// with `ssh-keygen -Y verify -n promptops-bundle`.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let path = context.directory.join(&arguments.lock);
    let lock = lock::read(&path)?;
    let key = arguments.key.as_deref().map(|key| read_signing_key(context, key)).transpose()?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let (bundle, statuses) = context.block_on(async {
        let registry = open_for_lock(context, &lock, folder).await?;
        let bundle = registry.bundle(&lock).await.map_err(failure)?;
        let statuses = registry.lock_statuses(&lock.prompts).await.map_err(failure)?;
        Ok::<_, Failure>((bundle, statuses))
    })??;
    status_view::warn(context, &statuses);
    let out = context.directory.join(&arguments.out);
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, error))?;
    }
    bundle.write(&out).map_err(|error| failure(error.into()))?;
    let bytes = std::fs::read(&out).map_err(|error| Failure::io("read", &out, error))?;
    let digest = Digest::of(&bytes);
    if let Some(key) = key {
        let mut signature = out.into_os_string();
        signature.push(".sig");
        write_file(Path::new(&signature), &key.sign(SIGNATURE_NAMESPACE, &bytes).map_err(failure)?)?;
    }
    let prompts = lock::prompts(lock.prompts.len());
    context.printer.line(format!("bundled {prompts} in {}  {digest}", arguments.out.display()));
    Ok(Exit::Success)
}

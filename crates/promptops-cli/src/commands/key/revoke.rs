//! `promptops key revoke`: a key holds no more.

use clap::Args;
use promptops_registry::RegistryError;
use promptops_registry::keys::KeyId;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::{failure, open};

/// Revoke an API key. Every server stops taking it within seconds; it cannot be undone.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The id of the key: what stands between the first and the second `_` of it.
    id: KeyId,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say what would be revoked, and revoke nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Revokes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let actor = context.actor(&project)?;
    let id = &arguments.id;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let key = registry.key(id).await.map_err(failure)?;
        let key = key.ok_or_else(|| failure(RegistryError::KeyNotFound { id: id.clone() }))?;
        if arguments.dry_run {
            context.printer.line(format!("would revoke {id} (`{}`)", key.name));
            return Ok(Exit::Success);
        }
        let was = registry.revocation(id).await.map_err(failure)?.is_some();
        let revocation = registry.revoke_key(id, arguments.reason.as_deref(), &actor, context.now()).await.map_err(failure)?;
        let by = &revocation.revoked.by;
        context.printer.line(match was {
            true => format!("{id} (`{}`) was revoked before, by {by}", key.name),
            false => format!("revoked {id} (`{}`); servers stop taking it within five seconds", key.name),
        });
        Ok(Exit::Success)
    })?
}

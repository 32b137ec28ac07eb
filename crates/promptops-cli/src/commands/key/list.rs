//! `promptops key list`: the API keys.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use promptops_registry::keys::{ApiKey, Revocation};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Table};
use crate::printer::{DIM, GREEN, RED, YELLOW};
use crate::registry_access::{failure, open};

/// List the API keys that hold, and with `--all` those that were revoked or have expired.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Show those that hold no more, too.
    #[arg(long)]
    all: bool,
    /// Show them as JSON (versioned).
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct ListV1 {
    version: u32,
    keys: Vec<KeyV1>,
}

#[derive(Debug, Serialize)]
struct KeyV1 {
    id: String,
    name: String,
    actor: String,
    scopes: Vec<String>,
    state: &'static str,
    created: String,
    created_by: String,
    expires: String,
    revoked: Option<String>,
    revoked_by: Option<String>,
    reason: Option<String>,
}

/// Lists them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let mut keys = context.block_on(async {
        let registry = open(context, &project).await?;
        registry.keys().await.map_err(failure)
    })??;
    let now = context.now();
    keys.retain(|(key, revocation)| arguments.all || state(key, revocation.as_ref(), now) == "holds");
    let printer = &context.printer;
    if arguments.json {
        let keys = keys.iter().map(|(key, revocation)| json(key, revocation.as_ref(), now)).collect();
        let text = serde_json::to_string_pretty(&ListV1 { version: 1, keys });
        printer.line(text.map_err(|error| Failure::from_error(Exit::Io, error))?);
        return Ok(Exit::Success);
    }
    let columns = ["id", "name", "acts as", "scopes", "state", "expires", "made by"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for (key, revocation) in &keys {
        let key = json(key, revocation.as_ref(), now);
        let style = match key.state {
            "holds" => GREEN,
            "expired" => YELLOW,
            "revoked" => RED,
            _ => DIM,
        };
        table.row(vec![
            key.id,
            key.name,
            key.actor,
            key.scopes.join(" "),
            printer.paint(style, key.state),
            key.expires,
            key.created_by,
        ]);
    }
    printer.answer(&table.render(printer));
    Ok(Exit::Success)
}

fn state(key: &ApiKey, revocation: Option<&Revocation>, now: DateTime<Utc>) -> &'static str {
    match revocation {
        Some(_) => "revoked",
        None if key.expires <= now => "expired",
        None => "holds",
    }
}

fn json(key: &ApiKey, revocation: Option<&Revocation>, now: DateTime<Utc>) -> KeyV1 {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    KeyV1 {
        id: key.id.to_string(),
        name: key.name.clone(),
        actor: key.actor.clone(),
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        state: state(key, revocation, now),
        created: time(key.created.time),
        created_by: key.created.by.clone(),
        expires: time(key.expires),
        revoked: revocation.map(|revocation| time(revocation.revoked.time)),
        revoked_by: revocation.map(|revocation| revocation.revoked.by.clone()),
        reason: revocation.and_then(|revocation| revocation.reason.clone()),
    }
}

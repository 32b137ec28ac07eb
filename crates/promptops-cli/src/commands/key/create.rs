//! `promptops key create`: makes an API key.

use chrono::{SecondsFormat, TimeDelta};
use clap::Args;
use promptops_registry::keys::{KEY_ENTROPY_BYTES, KeyRequest, Scope};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};

/// Make an API key and show it, once. Every key may read; its scopes say what else.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to call it, as `ci of acme/prompts`.
    name: String,
    /// Who acts in the records of what is done with it, as an e-mail address of owners.yaml [default: you].
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// What it may do: read, publish, publish:ID-OR-PREFIX, deploy, deploy:ENVIRONMENT, agent:ENVIRONMENT, evidence, approve,
    /// record, admin. A key with only `agent` reads nothing but the prompts of that environment, at `/mcp`.
    #[arg(long = "scope", value_name = "SCOPE", default_value = "read")]
    scopes: Vec<Scope>,
    /// How many days it holds.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// Say what would be made, and make nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Makes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let you = context.actor(&project)?;
    let now = context.now();
    let expires = now + TimeDelta::days(arguments.days.into());
    let acts_as = arguments.actor.as_ref().unwrap_or(&you);
    let scopes: Vec<String> = arguments.scopes.iter().map(ToString::to_string).collect();
    let until = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
    let what = format!("`{}` for {acts_as}: {}, until {until}", arguments.name, scopes.join(" "));
    let printer = &context.printer;
    if arguments.dry_run {
        printer.line(format!("would make the API key {what}"));
        return Ok(Exit::Success);
    }
    let mut entropy = [0; KEY_ENTROPY_BYTES];
    getrandom::fill(&mut entropy)
        .map_err(|error| Failure::new(Exit::Io, format!("the system gives no random bytes ({error})")))?;
    let request = KeyRequest { name: &arguments.name, actor: acts_as, scopes: &arguments.scopes, expires };
    let (key, token) = context.block_on(async {
        let registry = open(context, &project).await?;
        registry.create_key(&request, &entropy, &you, now).await.map_err(failure)
    })??;
    printer.notice(format!("made the API key {} {what}", key.id));
    printer.notice("keep it now, it is not shown again; clients take it from PROMPTOPS_API_KEY:");
    printer.line(token.reveal());
    Ok(Exit::Success)
}

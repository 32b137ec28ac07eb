//! `promptops approve`: a person signs that a version may run somewhere.

use std::path::PathBuf;

use chrono::{TimeDelta, Utc};
use clap::Args;
use promptops_prompt::PromptRef;
use promptops_prompt::owners::Owners;
use promptops_registry::approval::{ApprovalRequest, DemandState};
use promptops_registry::policy::Demand;
use promptops_registry::{EnvironmentName, Registry};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::GREEN;
use crate::registry_access::{Rules, failure, open, read_signing_key};
use crate::status_view;

/// Sign that a version, with everything it includes, may run in an environment.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The version, as `customer-support.reply@2`.
    #[arg(value_name = "ID@VERSION")]
    reference: PromptRef,
    /// Where it may run.
    #[arg(long, value_name = "NAME")]
    env: EnvironmentName,
    /// The group you speak for [default: the demanded group that you are in].
    #[arg(long, value_name = "TEAM")]
    group: Option<String>,
    /// Your private key: OpenSSH, Ed25519, without a passphrase.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// For how many days it counts [default: as many as the policy allows].
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Say what would be signed, and sign nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision whose policy and owners hold [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
}

/// Signs and stores it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let rules = Rules::read(context, &project, arguments.rules.as_deref())?;
    let authority = rules.authority();
    let key = read_signing_key(context, &arguments.key)?;
    let actor = context.actor(&project)?;
    context.block_on(async {
        let registry = open(context, &project).await?;
        let now = context.now();
        let record = registry.version(&arguments.reference).await.map_err(failure)?;
        let replaced = replaced(&registry, arguments).await?;
        let states = registry.demands(&arguments.env, &record, replaced.as_ref(), authority, now).await.map_err(failure)?;
        let person = promptops_registry::approval::holder_of(authority.owners, &key);
        let group = match &arguments.group {
            Some(group) => group.clone(),
            None => demanded_group(&states, person, authority.owners, arguments)?,
        };
        let days = arguments.days.unwrap_or_else(|| valid_days(&states, &group));
        let expires = now + TimeDelta::days(i64::from(days));
        let request = ApprovalRequest { reference: &arguments.reference, environment: &arguments.env, group: &group, expires };
        let approval = registry.sign_approval(&request, &key, authority.owners, now).await.map_err(failure)?;
        let until = expires.with_timezone(&Utc).format("%Y-%m-%dT%H:%M:%SZ");
        let what = format!(
            "{} for {} until {until}, by {} for {group}, content {}",
            arguments.reference, arguments.env, approval.predicate.approver, record.digest
        );
        let status = registry.status(&arguments.reference).await.map_err(failure)?;
        status_view::warn(context, &status);
        if arguments.dry_run {
            context.printer.line(format!("would approve {what}"));
            return Ok(Exit::Success);
        }
        let stored = registry.approve(&approval.statement, &approval.signature, authority.owners, &actor, now).await;
        stored.map_err(failure)?;
        context.printer.line(format!("{} {what}", context.printer.paint(GREEN, "approved:")));
        Ok(Exit::Success)
    })?
}

/// Returns the version that is live, if any.
async fn replaced(registry: &Registry, arguments: &Arguments) -> Outcome<Option<promptops_registry::VersionRecord>> {
    let Some(release) = registry.current(&arguments.env).await.map_err(failure)? else { return Ok(None) };
    match registry.pin(&release, &arguments.reference.id).await.map_err(failure)? {
        Some(pin) => Ok(Some(registry.version(&arguments.reference.id.at(pin.version)).await.map_err(failure)?)),
        None => Ok(None),
    }
}

/// Returns the only demanded group that the person is in, those still missing first.
fn demanded_group(states: &[DemandState], person: Option<&str>, owners: &Owners, arguments: &Arguments) -> Outcome<String> {
    let is_member = |group: &str| person.is_some_and(|person| owners.teams.get(group).is_some_and(|team| team.contains(person)));
    let groups = |missing_only: bool| -> Vec<&String> {
        let wanted = states.iter().filter(|state| !(missing_only && state.is_met));
        wanted
            .filter_map(|state| match &state.demand {
                Demand::Approval { group, .. } if is_member(group) => Some(group),
                _ => None,
            })
            .collect()
    };
    let mut candidates = groups(true);
    if candidates.is_empty() {
        candidates = groups(false);
    }
    match candidates.as_slice() {
        [group] => Ok((*group).clone()),
        [] => Err(Failure::new(
            Exit::Refused,
            format!("`{}` in `{}` needs no approval of a group that the key's holder is in", arguments.reference, arguments.env),
        )
        .hint("`promptops plan` shows which approvals are missing; `--group` names a group all the same")),
        several => {
            let names: Vec<String> = several.iter().map(|group| format!("`{group}`")).collect();
            Err(Failure::new(Exit::Usage, format!("you are in several groups that are asked: {}", names.join(", ")))
                .hint("name the one you speak for with `--group`"))
        }
    }
}

/// Returns how long the policy lets an approval of the group count.
fn valid_days(states: &[DemandState], group: &str) -> u32 {
    let days = states.iter().filter_map(|state| match &state.demand {
        Demand::Approval { group: demanded, valid_days, .. } if demanded == group => Some(*valid_days),
        _ => None,
    });
    days.min().unwrap_or(90)
}

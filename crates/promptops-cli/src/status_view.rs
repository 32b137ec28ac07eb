//! The status of versions as people see it, and how a command changes it.

use promptops_prompt::PromptRef;
use promptops_prompt::status::{State, StatusRecord};
use promptops_registry::status::{StatusDecision, StatusRequest, Uses};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::printer::GREEN;
use crate::project::Project;
use crate::registry_access::{Rules, failure, open};

/// What a command that changes a status needs beside the request.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What is done, as "yank".
    pub verb: &'a str,
    /// What was done, as "yanked".
    pub done: &'a str,
    /// The revision whose policy holds.
    pub rules: Option<&'a str>,
    /// Whether nothing is to be written.
    pub is_dry: bool,
}

/// Warns of versions that are deprecated or yanked.
pub fn warn<'a>(context: &Context, statuses: impl IntoIterator<Item = &'a StatusRecord>) {
    for status in statuses {
        context.printer.warning(status.to_string());
    }
}

/// Changes the status of a version, or says what would become of it.
pub fn change(request: &StatusRequest<'_>, change: Change<'_>, context: &Context, project: &Project) -> Outcome<Exit> {
    let rules = Rules::read(context, project, change.rules)?;
    let (actor, authority) = (context.actor(project)?, rules.authority());
    let decision = context.block_on(async {
        let registry = open(context, project).await?;
        match change.is_dry {
            true => registry.decide_status(request, authority, &actor, context.now()).await.map_err(failure),
            false => registry.set_status(request, authority, &actor, context.now()).await.map_err(failure),
        }
    })??;
    say(&decision, request.reference, change, context);
    Ok(Exit::Success)
}

fn say(decision: &StatusDecision, reference: &PromptRef, change: Change<'_>, context: &Context) {
    let printer = &context.printer;
    let Some(record) = &decision.record else {
        let present = decision.before.as_ref().map_or_else(|| format!("`{reference}` is in use"), ToString::to_string);
        return printer.line(format!("nothing changed: {present}"));
    };
    let consequence = consequence(record);
    if change.is_dry {
        printer.line(format!("would {}: {reference} {consequence}", change.verb));
        printer.line(format!("nothing was {} (--dry-run)", change.done));
    } else {
        printer.line(format!("{} {reference} {consequence}", printer.paint(GREEN, &format!("{}:", change.done))));
    }
    for place in places(&decision.uses, reference) {
        printer.warning(format!("{place} runs it on, until another version is deployed there"));
    }
}

/// Says what follows for a version, after its name.
fn consequence(record: &StatusRecord) -> String {
    let what = match (record.state, record.date) {
        (State::Deprecated, Some(date)) => format!("must not be used from {date} on"),
        (State::Yanked | State::Deprecated, _) => "is withdrawn, and still loads for those who pin it".to_owned(),
        (State::Restored, _) => "is in use again".to_owned(),
    };
    let instead = record.replacement.as_ref().map_or_else(String::new, |replacement| format!("; use {replacement} instead"));
    format!("{what}{instead} ({})", record.reason)
}

/// Names each environment, with the pins that take the version along where these are not the version itself.
fn places(uses: &Uses, reference: &PromptRef) -> Vec<String> {
    let place = |(environment, pins): (&promptops_registry::EnvironmentName, &Vec<PromptRef>)| {
        let others: Vec<String> = pins.iter().filter(|pin| *pin != reference).map(ToString::to_string).collect();
        if others.is_empty() { environment.to_string() } else { format!("{environment} (with {})", others.join(", ")) }
    };
    uses.iter().map(place).collect()
}

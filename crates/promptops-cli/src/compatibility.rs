//! Compatibility before anything is published: what a proposed version would break, by the same rules as on publish.

use promptops_eval::Spec;
use promptops_eval::dataset::{Dataset, Format, Source};
use promptops_eval::evaluate::known_inputs as inputs_of;
use promptops_prompt::change::{Change, trial};
use promptops_prompt::check::{Base, Summary, incompatible_change};
use promptops_prompt::compatibility::{self, Break, Level, Predecessors, compare};
use promptops_prompt::finding::Finding;
use promptops_prompt::{Closure, Content, Prompt, PromptRef};
use promptops_registry::Policy;
use promptops_registry::compatibility::{Acceptance, acceptance};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::closure::closure;
use crate::failure::Outcome;
use crate::project::Project;
use crate::prompt_history::PromptHistory;
use crate::proposal::{Proposal, Version};
use crate::registry_access::policy_at;

/// What a version breaks of those before it, as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct CompatibilityV1 {
    /// The level of its namespace.
    pub level: Level,
    /// The versions that it was held against, newest first.
    pub against: Vec<PromptRef>,
    /// Everything that breaks.
    pub breaks: Vec<Break>,
    /// Who accepts that it does.
    pub accepted_by: Option<Acceptance>,
    /// What callers or consumers have to do, where the version says so.
    pub reason: Option<String>,
}

/// Holds a proposed version against those before it, as the policy demands of its namespace.
///
/// What is looked up in the registry on publish is looked up in Git here.
pub fn judge(proposal: &Proposal, candidate: &Version, policy: &Policy) -> Outcome<CompatibilityV1> {
    let newest = proposal.newest_before(&candidate.prompt.reference());
    judge_among(&|reference| proposal.find(reference), newest, (&candidate.prompt, &candidate.closure), policy)
}

/// Holds a committed version against those before it.
pub fn judge_committed(history: &PromptHistory, prompt: &Prompt, policy: &Policy) -> Outcome<CompatibilityV1> {
    let reference = prompt.reference();
    let newest = history.newest_before(&reference).map(|version| version.prompt.version);
    let find = |reference: &PromptRef| history.get(reference).map(|version| &version.prompt);
    judge_among(&find, newest, (prompt, &history.closure(&reference)?), policy)
}

/// Holds a version against those before it, the newest of which is `newest`; `find` knows the versions there are.
fn judge_among<'a>(
    find: &dyn Fn(&PromptRef) -> Option<&'a Prompt>,
    newest: Option<promptops_prompt::Version>,
    (prompt, new): (&Prompt, &Closure),
    policy: &Policy,
) -> Outcome<CompatibilityV1> {
    let reference = prompt.reference();
    let level = policy.compatibility(&prompt.id).level;
    let mut predecessors = Predecessors::new(&reference, prompt.parent.as_ref(), newest, level);
    let (mut against, mut breaks) = (Vec::new(), Vec::new());
    while let Some(earlier) = predecessors.take_next() {
        let Some(before) = find(&earlier) else { continue };
        predecessors.found(before.parent.as_ref(), begins_line(before, policy));
        let old = closure(&earlier, find)?;
        breaks.extend(compatibility::breaks(&earlier, &compare(&old, new, level, &[])));
        against.push(earlier);
    }
    let accepted_by = if breaks.is_empty() { None } else { acceptance(prompt, policy) };
    Ok(CompatibilityV1 { level, against, breaks, accepted_by, reason: prompt.breaking().map(str::to_owned) })
}

/// Tells whether a version was accepted as breaking, so that nobody is held against what came before it.
pub fn begins_line(prompt: &Prompt, policy: &Policy) -> bool {
    prompt.breaking().is_some() || policy.accepts_break(&prompt.reference())
}

/// Returns a finding for every new version that breaks those before it and is not accepted. Costs nothing when no version is
/// newer than at the base revision.
pub fn findings(project: &Project, base: &str, summaries: &[&Summary], versions: &Base) -> Outcome<Vec<Finding>> {
    let is_newer =
        |summary: &Summary| versions.get(&summary.reference.id).is_some_and(|base| base.version < summary.reference.version);
    // What has errors is no version yet.
    let newer: Vec<&Summary> =
        summaries.iter().copied().filter(|summary| summary.content_key.is_some() && is_newer(summary)).collect();
    if newer.is_empty() {
        return Ok(Vec::new());
    }
    let policy = policy_at(project, Some(base))?;
    let demands = |summary: &&&Summary| policy.compatibility(&summary.reference.id).level != Level::None;
    let newer: Vec<&Summary> = newer.iter().filter(demands).copied().collect();
    if newer.is_empty() {
        return Ok(Vec::new());
    }
    let proposal = match Proposal::read(project, Some(base)) {
        Ok(proposal) => proposal,
        Err(failure) => {
            let reason = failure.error.to_string();
            return Ok(newer.into_iter().map(|summary| incompatible_change::undetermined(summary, &reason)).collect());
        }
    };
    let mut found = Vec::new();
    for summary in newer {
        let judged = proposal.candidate(&summary.reference.id).and_then(|candidate| judge(&proposal, &candidate, &policy));
        match judged {
            Ok(judged) if !judged.breaks.is_empty() && judged.accepted_by.is_none() => {
                found.push(incompatible_change::breaks(summary, judged.level, &judged.breaks));
            }
            Ok(_) => {}
            Err(failure) => found.push(incompatible_change::undetermined(summary, &failure.error.to_string())),
        }
    }
    Ok(found)
}

/// Returns the inputs that the datasets of a prompt's evals give to a version: those that callers are known to give. What
/// cannot be read gives none; `promptops eval` says why.
pub fn known_inputs(project: &Project, evals: &[String], content: &Content) -> Vec<Map<String, Value>> {
    let read = |path: &String| {
        let text = std::fs::read_to_string(project.root.join(path)).ok()?;
        let spec = Spec::parse(path, &text).0?;
        let dataset = spec.dataset_path();
        let source = Source::File(project.root.join(&dataset));
        let dataset = Dataset::read(&dataset, Format::of_path(&dataset)?, source, &spec.columns()).ok()?;
        inputs_of(&spec, &dataset, content).ok()
    };
    evals.iter().filter_map(read).flatten().collect()
}

/// A value that the one version takes and the other refuses.
#[derive(Debug, Clone, Serialize)]
pub struct ExampleV1 {
    /// The value: for a variable, all that a caller gives.
    pub value: Value,
    /// The version that accepts it.
    pub accepted_by: PromptRef,
    /// The version that refuses it.
    pub refused_by: PromptRef,
}

/// Looks for an example of a change from `old` to `new`. Each one was tried with a validator on both schemas.
pub fn example(
    change: &Change,
    (old, before): (&PromptRef, &Closure),
    (new, after): (&PromptRef, &Closure),
) -> Option<ExampleV1> {
    let trial = trial(change, &before.root, &after.root)?;
    let (accepts, refuses) = (jsonschema::validator_for(&trial.accepts).ok()?, jsonschema::validator_for(&trial.refuses).ok()?);
    let places =
        |value: &Value| refuses.iter_errors(value).map(|error| error.instance_path().as_str().to_owned()).collect::<Vec<_>>();
    let value = trial.choose(|value| accepts.is_valid(value), places)?.clone();
    let (accepted_by, refused_by) = if trial.old_accepts { (old, new) } else { (new, old) };
    Some(ExampleV1 { value, accepted_by: accepted_by.clone(), refused_by: refused_by.clone() })
}

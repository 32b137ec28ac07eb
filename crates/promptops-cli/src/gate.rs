//! The gate: all that a pull request needs, as one report.

use promptops_eval::report::v1::Report;
use promptops_prompt::change::{self, Change, Class, Rule};
use promptops_prompt::{PromptId, PromptRef};
use promptops_registry::Policy;
use serde::Serialize;

use crate::compatibility::{CompatibilityV1, judge, known_inputs};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::project::Project;
use crate::proposal::{Proposal, Version};

/// The report as JSON. Fields are added under the same version, never changed or removed.
#[derive(Debug, Serialize)]
pub struct GateV1 {
    /// 1.
    pub version: u32,
    /// The revision that the proposal is held against.
    pub base: String,
    /// `passed`, `refused` or `inconclusive`.
    pub verdict: &'static str,
    /// Why it did not pass, with the figures.
    pub reasons: Vec<String>,
    /// What a reviewer should look at although nothing demands it.
    pub notes: Vec<String>,
    /// The structure.
    pub check: CheckV1,
    /// Every prompt that changed.
    pub prompts: Vec<ChangedV1>,
    /// Every evaluation that has a report.
    pub reports: Vec<Report>,
}

/// What the checks found.
#[derive(Debug, Serialize)]
pub struct CheckV1 {
    /// Files that were looked at.
    pub files: usize,
    /// Findings that refuse.
    pub errors: usize,
    /// Findings that are probably mistakes.
    pub warnings: usize,
    /// The document of `promptops check --format json`.
    pub document: serde_json::Value,
}

/// One prompt that changed.
#[derive(Debug, Serialize)]
pub struct ChangedV1 {
    /// The prompt.
    pub id: PromptId,
    /// The version at the base; none when it is new.
    pub from: Option<PromptRef>,
    /// The version that is proposed; none when it is removed.
    pub to: Option<PromptRef>,
    /// The worst class of its changes.
    pub class: Class,
    /// What changed.
    pub changes: Vec<Change>,
    /// What it breaks of the versions before it, as its namespace counts it; none where no new content is proposed.
    pub compatibility: Option<CompatibilityV1>,
    /// The eval files that measure it.
    pub evals: Vec<String>,
}

/// A changed prompt with what is needed to evaluate it.
#[derive(Debug)]
pub struct Changed {
    /// The wire form.
    pub report: ChangedV1,
    /// What is proposed; none when the prompt is removed.
    pub candidate: Option<Version>,
}

impl Changed {
    /// Tells whether the model sees something else, so that an evaluation is worth its calls.
    pub fn needs_eval(&self) -> bool {
        self.candidate.is_some() && self.report.class > Class::Metadata
    }
}

/// Finds every prompt whose content, includes or metadata differ from the base.
///
/// A prompt that includes a changed one has another content too, because the digests of its includes are part of it.
pub fn changed(project: &Project, proposal: &Proposal, policy: &Policy) -> Outcome<Vec<Changed>> {
    let mut changed = Vec::new();
    for id in proposal.prompts.keys() {
        let candidate = proposal.candidate(id)?;
        let base = proposal.at_base(id)?;
        let changes = match &base {
            None => vec![Change::new(change::Part::Text, Class::Compatible, Rule::PromptNew, "the prompt is new")],
            Some(base) => {
                let known = known_inputs(project, &candidate.prompt.metadata.evals, &base.closure.root);
                let mut changes = change::classify_with(&base.closure, &candidate.closure, &known);
                changes.extend(change::classify_metadata(&base.prompt.metadata, &candidate.prompt.metadata));
                changes
            }
        };
        let Some(class) = change::worst(&changes) else { continue };
        let compatibility = if class == Class::Metadata { None } else { Some(judge(proposal, &candidate, policy)?) };
        let report = ChangedV1 {
            compatibility,
            id: id.clone(),
            from: base.map(|base| base.prompt.reference()),
            to: Some(candidate.prompt.reference()),
            class,
            changes,
            evals: candidate.prompt.metadata.evals.clone(),
        };
        changed.push(Changed { report, candidate: Some(candidate) });
    }
    for prompt in proposal.removed() {
        let reason = "the prompt is removed; versions already published stay";
        let changes = vec![Change::new(change::Part::Text, Class::Breaking, Rule::PromptRemoved, reason)];
        let (id, from) = (prompt.id.clone(), Some(prompt.reference()));
        let report = ChangedV1 { id, from, to: None, class: Class::Breaking, changes, compatibility: None, evals: Vec::new() };
        changed.push(Changed { report, candidate: None });
    }
    Ok(changed)
}

/// Returns the exit code of a verdict.
pub fn exit_of(verdict: &str) -> Exit {
    match verdict {
        "passed" => Exit::Success,
        "inconclusive" => Exit::Inconclusive,
        _ => Exit::Refused,
    }
}

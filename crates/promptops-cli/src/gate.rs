//! The gate: all that a pull request needs, as one report.

use std::collections::BTreeMap;
use std::path::Path;

use promptops_eval::Spec;
use promptops_eval::recording;
use promptops_eval::report::v1::Report;
use promptops_prompt::change::{self, Change, Class, Rule};
use promptops_prompt::{PromptId, PromptRef};
use promptops_registry::Policy;
use promptops_store::Repository;
use serde::Serialize;

use crate::checks::git_failure;
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

/// Says where the proposal asks less of itself than the base does: wider margins, lower floors, fewer metrics or cases.
pub fn weakened(project: &Project, base: &str, paths: &[String]) -> Outcome<Vec<String>> {
    let repository = Repository::discover(&project.root).map_err(git_failure)?;
    let commit = repository.resolve(base).map_err(git_failure)?;
    let mut found = Vec::new();
    for path in paths {
        let file = repository.relative(&project.root.join(path)).map_err(git_failure)?;
        let Some(before) = repository.file_at(commit, &file).map_err(git_failure)? else { continue };
        let before = Spec::parse(path, &String::from_utf8_lossy(&before.bytes)).0;
        let now = std::fs::read_to_string(project.root.join(path)).ok().and_then(|text| Spec::parse(path, &text).0);
        // A file that cannot be read is told where it is evaluated.
        let (Some(before), Some(now)) = (before, now) else { continue };
        found.extend(weaker(&before, &now).into_iter().map(|what| format!("{path}: {what}")));
    }
    Ok(found)
}

/// Names the datasets and recordings that differ from the base: a reviewer must know that the yardstick came with the proposal.
pub fn brought(project: &Project, base: &str, paths: &[String], uses_recordings: bool) -> Outcome<Vec<String>> {
    let repository = Repository::discover(&project.root).map_err(git_failure)?;
    let commit = repository.resolve(base).map_err(git_failure)?;
    let differs = |path: &str| -> Outcome<bool> {
        let Ok(now) = std::fs::read(project.root.join(path)) else { return Ok(false) };
        let file = repository.relative(&project.root.join(path)).map_err(git_failure)?;
        let before = repository.file_at(commit, &file).map_err(git_failure)?;
        Ok(before.is_none_or(|before| before.bytes != now))
    };
    let mut found = Vec::new();
    for path in paths {
        let spec = std::fs::read_to_string(project.root.join(path)).ok().and_then(|text| Spec::parse(path, &text).0);
        // A dataset outside the project is not in the repository either.
        if let Some(dataset) = spec.map(|spec| spec.dataset_path()).filter(|dataset| !dataset.starts_with(".."))
            && differs(&dataset)?
        {
            found.push(format!("the dataset `{dataset}` is not the one at the base"));
        }
        let recording = recording::path_for(Path::new(path)).to_string_lossy().into_owned();
        if uses_recordings && differs(&recording)? {
            found.push(format!("recorded answers in `{recording}` come with the proposal"));
        }
    }
    Ok(found)
}

fn weaker(before: &Spec, now: &Spec) -> Vec<String> {
    let mut found = Vec::new();
    let metrics: BTreeMap<&str, _> = now.metrics.iter().map(|metric| (metric.name.value.as_str(), metric)).collect();
    for metric in &before.metrics {
        let name = &metric.name.value;
        let Some(now) = metrics.get(name.as_str()) else {
            found.push(format!("metric `{name}` is gone"));
            continue;
        };
        if now.scale != metric.scale {
            found.push(format!("the margin of `{name}` is measured by something else"));
        } else if now.margin > metric.margin {
            found.push(format!("the margin of `{name}` grows from {} to {}", metric.margin, now.margin));
        }
        if metric.guarded && !now.guarded {
            found.push(format!("metric `{name}` does not decide any more"));
        }
        if let Some(maximum) = metric.maximum.filter(|maximum| now.maximum.is_none_or(|now| now > *maximum)) {
            let now = now.maximum.map_or_else(|| "nothing".to_owned(), |now| now.to_string());
            found.push(format!("the maximum of `{name}` rises from {maximum} to {now}"));
        }
        if let Some(minimum) = metric.minimum.filter(|minimum| now.minimum.is_none_or(|now| now < *minimum)) {
            let now = now.minimum.map_or_else(|| "nothing".to_owned(), |now| now.to_string());
            found.push(format!("the minimum of `{name}` falls from {minimum} to {now}"));
        }
    }
    if before.must_pass.is_some() && now.must_pass.is_none() {
        found.push("no case must pass any more".to_owned());
    }
    if now.max_error_share > before.max_error_share {
        found.push(format!("the share of errors that is borne grows from {} to {}", before.max_error_share, now.max_error_share));
    }
    if before.dataset.value != now.dataset.value {
        found.push(format!("the dataset is `{}` instead of `{}`", now.dataset.value, before.dataset.value));
    }
    found
}

/// Returns the exit code of a verdict.
pub fn exit_of(verdict: &str) -> Exit {
    match verdict {
        "passed" => Exit::Success,
        "inconclusive" => Exit::Inconclusive,
        _ => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eval_that_asks_less_is_noticed() {
        let spec = |text: &str| Spec::parse("e.yaml", text).0.unwrap();
        let before = spec(
            "prompt: a\ndataset: d.csv\nmust_pass: c\nmetrics:\n  - {name: m, scorer: {type: equals, value: x}, margin: 0.03, minimum: 0.8}\n  - {name: n, scorer: {type: equals, value: x}, margin: 0.03}\n",
        );
        let now = spec(
            "prompt: a\ndataset: other.csv\nmetrics:\n  - {name: m, scorer: {type: equals, value: x}, margin: 0.3, minimum: 0.7}\n",
        );
        assert_eq!(
            weaker(&before, &now),
            [
                "the margin of `m` grows from 0.03 to 0.3",
                "the minimum of `m` falls from 0.8 to 0.7",
                "metric `n` is gone",
                "no case must pass any more",
                "the dataset is `other.csv` instead of `d.csv`",
            ]
        );
        assert_eq!(weaker(&now, &now), Vec::<String>::new());
    }
}

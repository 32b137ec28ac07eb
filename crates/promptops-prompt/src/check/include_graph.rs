//! `unknown-include`, `include-cycle`, `include-input`: what is included exists, ends, and gets its variables.

use std::collections::{HashMap, HashSet};

use super::{Base, Check, Summary, check as define, unused_input};
use crate::finding::{Finding, Severity};
use crate::id::{PromptId, PromptRef};

pub(super) const UNKNOWN: Check =
    define("unknown-include", Severity::Error, "What is included exists, in that version, and is a template.");
pub(super) const CYCLE: Check =
    define("include-cycle", Severity::Error, "No prompt includes itself, directly or through others.");
pub(super) const INPUT: Check =
    define("include-input", Severity::Error, "A prompt declares the variables that its includes need.");

pub(super) fn check(summaries: &[&Summary], base: Option<&Base>, findings: &mut Vec<Finding>) {
    if summaries.iter().all(|summary| summary.includes.is_empty()) {
        return;
    }
    let by_id: HashMap<&PromptId, &Summary> = summaries.iter().copied().map(|summary| (&summary.reference.id, summary)).collect();
    let by_reference = by_reference(summaries);
    for &summary in summaries {
        let mut seen = HashSet::new();
        for (target, span) in summary.includes.iter().filter(|(target, _)| seen.insert(target)) {
            let finding =
                |check: Check, message: String| Finding::new(check.id, check.severity, &summary.path, span.clone(), message);
            let Some(included) = by_id.get(&target.id) else {
                if base.is_some_and(|base| base.contains_key(&target.id)) {
                    let removed = finding(UNKNOWN, format!("`{}` is removed by this change but still included", target.id));
                    findings.push(removed.hint("keep that prompt, or take its text in here"));
                } else {
                    let unknown = finding(UNKNOWN, format!("there is no prompt `{}`", target.id));
                    findings.push(unknown.hint("check the id, or add the prompt"));
                }
                continue;
            };
            if target.version > included.reference.version {
                let newest = included.reference.version;
                let unknown =
                    finding(UNKNOWN, format!("`{}` has no version {}; the newest is {newest}", target.id, target.version));
                findings.push(unknown.hint(format!("include `{}@{newest}`, or add that version first", target.id)));
            } else if target.version == included.reference.version {
                findings.extend(matching_version(summary, included, target, &by_reference, &finding));
            }
        }
    }
    cycles(summaries, findings);
}

/// Checks an include whose very version is in the tree. An older one was checked when it was.
fn matching_version(
    summary: &Summary,
    included: &Summary,
    target: &PromptRef,
    by_reference: &HashMap<&PromptRef, &Summary>,
    finding: &dyn Fn(Check, String) -> Finding,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if included.has_messages {
        let messages = finding(UNKNOWN, format!("`{target}` has messages; only a prompt with a `template` can be included"));
        findings.push(messages.hint("move the text that both need into a prompt with a `template`"));
    }
    // What the included text does not use itself it may declare for its own includes. While they are not known nothing is said.
    let used_by_its_includes = unused_input::inputs_of_includes(included, by_reference).unwrap_or_default();
    let is_declared = |name: &str| summary.inputs.iter().any(|(input, _)| input == name);
    // The included text reads its variables from the prompt around it, and that prompt's defaults apply, not its own.
    for (name, _) in included.inputs.iter().filter(|(name, _)| !is_declared(name)) {
        let is_used = included.unused_inputs.iter().all(|(unused, _)| unused != name);
        if is_used || used_by_its_includes.contains(name.as_str()) {
            findings.push(
                finding(INPUT, format!("`{target}` uses the variable `{name}`, which is not declared here"))
                    .hint(format!("declare it: `inputs: {{{name}: {{type: string}}}}`")),
            );
        }
    }
    findings
}

fn by_reference<'a>(summaries: &[&'a Summary]) -> HashMap<&'a PromptRef, &'a Summary> {
    summaries.iter().copied().map(|summary| (&summary.reference, summary)).collect()
}

fn cycles(summaries: &[&Summary], findings: &mut Vec<Finding>) {
    let by_reference = by_reference(summaries);
    let mut done: HashSet<&PromptRef> = HashSet::new();
    let mut reported: HashSet<PromptRef> = HashSet::new();
    for start in summaries.iter().copied().filter(|summary| !summary.includes.is_empty()) {
        // Depth first without recursion: a chain of includes may be as long as the project.
        let mut path: Vec<(&Summary, usize)> = vec![(start, 0)];
        let mut on_path: HashSet<&PromptRef> = [&start.reference].into();
        while let Some((summary, next)) = path.last_mut() {
            let Some((target, span)) = summary.includes.get(*next) else {
                done.insert(&summary.reference);
                on_path.remove(&summary.reference);
                path.pop();
                continue;
            };
            *next += 1;
            let from: &Summary = summary;
            let first =
                if on_path.contains(target) { path.iter().position(|(member, _)| member.reference == *target) } else { None };
            if let Some(first) = first {
                let members: Vec<String> = path[first..].iter().map(|(member, _)| member.reference.to_string()).collect();
                if path[first..].iter().all(|(member, _)| !reported.contains(&member.reference)) {
                    let message = format!("the includes form a cycle: {} → {target}", members.join(" → "));
                    let finding = Finding::new(CYCLE.id, CYCLE.severity, &from.path, span.clone(), message);
                    findings.push(finding.hint("move what both need into a third prompt"));
                }
                reported.extend(path[first..].iter().map(|(member, _)| member.reference.clone()));
            } else if let Some(included) = by_reference.get(target).filter(|included| !done.contains(&included.reference)) {
                on_path.insert(&included.reference);
                path.push((included, 0));
            }
        }
    }
}

//! `unknown-eval`: the eval files that a prompt names are there.

use super::{Check, FoundBy, Summary};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = Check {
    id: "unknown-eval",
    severity: Severity::Error,
    summary: "The eval files that a prompt names exist.",
    why: "A prompt whose eval is not there passes the gate without having been measured.",
    fix: "Correct the path, which is from the project's root, or add the file.",
    is_firm: false,
    has_fix: false,
    found_by: FoundBy::Check,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
evals: [evals/greting.yaml]
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
template: Write one warm sentence.
evals: [evals/greeting.yaml]
=== evals/greeting.yaml
prompt: greeting
",
};

pub(super) fn check(summaries: &[&Summary], has_file: &dyn Fn(&str) -> bool, findings: &mut Vec<Finding>) {
    for &summary in summaries {
        for (path, span) in summary.evals.iter().filter(|(path, _)| !has_file(path)) {
            let message = format!("there is no eval file `{path}`");
            let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, span.clone(), message);
            findings.push(finding.hint("the path is from the project's root, the folder of `promptops.toml`"));
        }
    }
}

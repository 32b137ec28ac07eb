//! `unknown-eval`: the eval files that a prompt names are there.

use super::{Check, Summary, check as define};
use crate::finding::{Finding, Severity};

pub(super) const CHECK: Check = define("unknown-eval", Severity::Error, "The eval files that a prompt names exist.");

pub(super) fn check(summaries: &[&Summary], has_file: &dyn Fn(&str) -> bool, findings: &mut Vec<Finding>) {
    for &summary in summaries {
        for (path, span) in summary.evals.iter().filter(|(path, _)| !has_file(path)) {
            let message = format!("there is no eval file `{path}`");
            let finding = Finding::new(CHECK.id, CHECK.severity, &summary.path, span.clone(), message);
            findings.push(finding.hint("the path is from the project's root, the folder of `promptops.toml`"));
        }
    }
}

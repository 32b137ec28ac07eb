//! `eval-file`: an eval file has the documented form.
//!
//! Found by the evals, which are another crate's.

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "eval-file",
    severity: Severity::Error,
    summary: "An eval file has the documented form.",
    why: "An eval that is misread measures something else than its author believes. Without a margin fixed beforehand, every result \
          could be called good enough afterwards.",
    fix: "Write the field as the message says; `docs/reference/eval-files.md` lists them, `docs/reference/scorers.md` the scorers.",
    is_firm: true,
    has_fix: false,
    found_by: FoundBy::Eval,
    bad: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string}}
template: |
  Greet {{ name }}.
evals: [evals/greeting.yaml]
=== evals/greeting.yaml
prompt: greeting
dataset: greeting.csv
metrics:
  - name: named
    scorer: {type: contains, expected: name}
=== evals/greeting.csv
name
Ada
",
    good: "=== prompts/greeting.yaml
id: greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs: {name: {type: string}}
template: |
  Greet {{ name }}.
evals: [evals/greeting.yaml]
=== evals/greeting.yaml
prompt: greeting
dataset: greeting.csv
metrics:
  - name: named
    scorer: {type: contains, expected: name}
    margin: 0.1
=== evals/greeting.csv
name
Ada
",
};

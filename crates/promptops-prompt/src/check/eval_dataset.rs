//! `eval-dataset`: a dataset can be read to its end, and has the columns that its eval names.
//!
//! Found by the evals, which are another crate's.

use super::{Check, FoundBy};
use crate::finding::Severity;

pub(super) const CHECK: Check = Check {
    id: "eval-dataset",
    severity: Severity::Error,
    summary: "A dataset can be read to its end, and has the columns that its eval names.",
    why: "A row that is left out or shifted by a comma changes the result without a sign. So nothing is evaluated before all of it \
          can be read.",
    fix: "Correct the line that is named. In CSV, a text with a comma, a quote or a line break stands in double quotes.",
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
    margin: 0.1
=== evals/greeting.csv
name,mood
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

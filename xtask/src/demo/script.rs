//! What the demo does, in order. Every line is one that a user can type in a shell.

use std::path::Path;

use anyhow::Result;

use super::folders_in;

/// A step: what it is for, and what is done.
pub(super) struct Step {
    pub(super) title: &'static str,
    /// Why one does this; empty where the title says it.
    pub(super) why: &'static str,
    pub(super) actions: Vec<Action>,
}

pub(super) enum Action {
    /// A line typed in a shell.
    Type { line: String, ends: Ends },
    /// A server started in a second terminal; it ends with the demo.
    Serve { line: String },
    /// A file written in an editor.
    Write { path: &'static str, text: &'static str },
}

/// How a line has to end.
pub(super) enum Ends {
    Well,
    /// With this exit code, and this among what it prints.
    Refused {
        with: i32,
        saying: &'static str,
    },
}

/// The exit code of `promptops` when the answer is no.
const REFUSED: i32 = 1;

/// The prompt that the demo follows.
const PROMPT: &str = "customer-support.intent-classifier";

/// The script for the example in the folder, with the offline model on the port.
pub(super) fn steps(example: &Path, port: u16) -> Result<Vec<Step>> {
    let mut steps = vec![repository(&folders_in(&example.join("history"))?)];
    steps.extend(writing());
    steps.extend(evaluating(port));
    steps.extend(releasing());
    steps.extend(running(port));
    steps.extend(regressing());
    Ok(steps)
}

/// The example as a Git repository that grew: each folder of its history is a commit, then comes what is accepted today.
fn repository(history: &[String]) -> Step {
    let mut actions = vec![
        typed("git init --quiet --initial-branch main"),
        typed("git config user.name 'Ada Example' && git config user.email ada@example.com"),
    ];
    for overlay in history {
        let title =
            overlay.trim_start_matches(|character: char| character.is_ascii_digit() || character == '-').replace('-', " ");
        actions.push(typed(format!("cp -R \"$EXAMPLE/history/{overlay}/.\" . && git add -A && git commit --quiet -m '{title}'")));
    }
    actions.push(typed(
        "cp -R \"$EXAMPLE/.\" . && rm -r history proposal && git add -A && git commit --quiet -m 'what is live today'",
    ));
    actions.push(typed("git log --oneline"));
    Step { title: "A Git repository of prompts", why: "Prompts are written in Git, like code.", actions }
}

fn writing() -> Vec<Step> {
    vec![
        step("Check every prompt", "Structure: owners, lineage, variables, includes, secrets.", vec![typed("promptops check")]),
        step(
            "Look at a prompt's past",
            "",
            vec![typed(format!("promptops history {PROMPT}")), typed(format!("promptops diff {PROMPT}@1 {PROMPT}@2"))],
        ),
    ]
}

fn evaluating(port: u16) -> Vec<Step> {
    vec![
        step(
            "Start the offline model",
            "It stands in for a model provider: no network, no key. It classifies from what the prompt says.",
            vec![Action::Serve { line: format!("promptops offline-model serve --port {port}") }],
        ),
        step(
            "Evaluate",
            "Behaviour: the prompt against a dataset with hard cases, next to its parent version.",
            vec![typed(format!("promptops eval {PROMPT}"))],
        ),
    ]
}

fn releasing() -> Vec<Step> {
    vec![
        step("Publish", "From here on a version never changes.", vec![typed("promptops publish --all")]),
        step("Plan a release to prod", "", vec![typed("promptops plan --env prod --out plan.json")]),
        step(
            "Approve what is sensitive",
            "Policy: the legal team signs what bears its tag.",
            vec![
                typed("ssh-keygen -q -t ed25519 -N '' -C lena@example.com -f lena_key"),
                typed("promptops approve compliance.refund-reply --env prod --key lena_key"),
            ],
        ),
        step("Deploy exactly that plan", "", vec![typed("promptops deploy plan.json")]),
        step("Lock what the service uses", "", vec![typed("promptops lock --env prod")]),
    ]
}

fn running(port: u16) -> Vec<Step> {
    vec![
        step(
            "Load the pinned prompt in a service, and record every call",
            "",
            vec![
                Action::Write { path: "service.py", text: include_str!("service.py") },
                typed(format!("PROMPTOPS_INVOCATIONS=invocations.jsonl python service.py http://127.0.0.1:{port}/v1")),
            ],
        ),
        step(
            "Import the records, and look at them",
            "",
            vec![typed("promptops invocations import invocations.jsonl"), typed("promptops stats")],
        ),
    ]
}

fn regressing() -> Vec<Step> {
    vec![step(
        "A tempting version 3",
        "Shorter, cheaper, and it reads well. The gate runs before anybody can merge it.",
        vec![
            typed("git switch --quiet -c shorter-prompt"),
            typed("cp -R \"$EXAMPLE/proposal/.\" . && git add prompts && git commit --quiet -m 'shorten the classifier'"),
            typed("git diff --stat main"),
            Action::Type {
                line: "promptops gate --base main".to_owned(),
                ends: Ends::Refused { with: REFUSED, saying: "regressed" },
            },
        ],
    )]
}

fn step(title: &'static str, why: &'static str, actions: Vec<Action>) -> Step {
    Step { title, why, actions }
}

fn typed(line: impl Into<String>) -> Action {
    Action::Type { line: line.into(), ends: Ends::Well }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(steps: &[Step]) -> Vec<&str> {
        let mut lines = Vec::new();
        for action in steps.iter().flat_map(|step| &step.actions) {
            match action {
                Action::Type { line, .. } | Action::Serve { line } => lines.push(line.as_str()),
                Action::Write { .. } => {}
            }
        }
        lines
    }

    #[test]
    fn commits_the_history_in_order_before_what_is_live() {
        let example = tempfile::tempdir().unwrap();
        for overlay in ["02-plainer", "01-first-try"] {
            std::fs::create_dir_all(example.path().join("history").join(overlay)).unwrap();
        }
        let steps = steps(example.path(), 4000).unwrap();
        let commits: Vec<&str> = lines(&steps[..1]).into_iter().filter(|line| line.contains("git commit")).collect();
        assert!(commits[0].contains("history/01-first-try/.") && commits[0].ends_with("-m 'first try'"), "{}", commits[0]);
        assert!(commits[1].contains("history/02-plainer/."), "{}", commits[1]);
        assert!(commits[2].contains("rm -r history proposal"), "{}", commits[2]);
    }

    #[test]
    fn ends_with_a_refusal_that_has_a_reason() {
        let example = tempfile::tempdir().unwrap();
        std::fs::create_dir(example.path().join("history")).unwrap();
        let steps = steps(example.path(), 4000).unwrap();
        let last = steps.last().and_then(|step| step.actions.last());
        assert!(matches!(last, Some(Action::Type { ends: Ends::Refused { with: 1, saying: "regressed" }, .. })));
    }
}

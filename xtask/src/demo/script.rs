//! What the demo does, in order. Every line is one that a user can type in a shell.

use super::Ports;

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

/// The script for an example with this history, oldest first, each a folder of `history`.
pub(super) fn steps(history: &[String], ports: &Ports) -> Vec<Step> {
    let model = format!("http://127.0.0.1:{}/v1", ports.used);
    vec![
        Step {
            title: "A Git repository of prompts",
            why: "Prompts are written in Git, like code.",
            actions: repository(history, ports),
        },
        Step {
            title: "Check every prompt",
            why: "Structure: owners, lineage, variables, includes, secrets, copies.",
            actions: vec![typed("promptops check")],
        },
        Step {
            title: "What was, and what changed",
            why: "",
            actions: vec![
                typed("promptops history customer-support.intent-classifier"),
                typed("promptops diff customer-support.intent-classifier@1 customer-support.intent-classifier@2"),
            ],
        },
        Step {
            title: "Start the offline model",
            why: "It stands in for a provider: no network, no key. It classifies from what the prompt says.",
            actions: vec![Action::Serve { line: format!("promptops offline-model serve --port {}", ports.used) }],
        },
        Step {
            title: "Evaluate",
            why: "Behaviour: each prompt that has an eval, on its dataset, beside the version it came from.",
            actions: vec![typed("promptops eval --evidence evidence")],
        },
        Step {
            title: "Publish",
            why: "From here on a version never changes. What the evals found goes along as evidence.",
            actions: vec![typed("promptops registry init"), typed("promptops publish --evidence evidence")],
        },
        Step {
            title: "Approve what is sensitive",
            why: "What bears the tag `legal` goes to prod once compliance has signed it. Lena signs with her key.",
            actions: vec![
                typed("promptops plan --env prod --no-text"),
                typed("promptops approve compliance.data-request-reply@1 --env prod --key lena_key"),
            ],
        },
        Step {
            title: "Deploy exactly what was planned, and lock it",
            why: "",
            actions: vec![
                typed("promptops plan --env prod --no-text --out plan.json"),
                typed("promptops deploy plan.json"),
                typed("promptops lock --env prod"),
            ],
        },
        Step {
            title: "Load the pinned prompt in a service, and record every call",
            why: "",
            actions: vec![
                Action::Write { path: "service.py", text: include_str!("service.py") },
                typed(format!("PROMPTOPS_SERVICE=inbox PROMPTOPS_INVOCATIONS=invocations.jsonl python service.py {model}")),
            ],
        },
        Step {
            title: "What the service did",
            why: "",
            actions: vec![
                typed("promptops invocations import invocations.jsonl"),
                typed("promptops stats"),
                typed("promptops audit verify"),
            ],
        },
        Step {
            title: "A tempting version 3",
            why: "Shorter, cheaper, and it reads well. The gate runs before anybody can merge it.",
            actions: vec![
                typed("git switch --quiet --create shorter-prompt"),
                typed("cp -R \"$EXAMPLE/proposal/.\" . && git add prompts && git commit --quiet -m 'Shorten the classifier'"),
                typed("git diff --stat main"),
                Action::Type {
                    line: "promptops gate --base main".to_owned(),
                    ends: Ends::Refused { with: REFUSED, saying: "gate refused" },
                },
            ],
        },
    ]
}

/// The example as a repository that grew: each folder of its history is a commit, then comes what is accepted today.
fn repository(history: &[String], ports: &Ports) -> Vec<Action> {
    let mut actions = vec![
        typed("git init --quiet --initial-branch main"),
        typed("git config user.name 'Maja Holm' && git config user.email maja.holm@larkspur.example"),
    ];
    for folder in history {
        let title = commit_title(folder);
        actions
            .push(typed(format!("cp -R \"$EXAMPLE/history/{folder}/.\" . && git add --all && git commit --quiet -m '{title}'")));
    }
    actions.push(typed(
        "cp -R \"$EXAMPLE/.\" . && rm -r history proposal && git add --all && git commit --quiet -m 'What is live today'",
    ));
    if ports.used != ports.configured {
        actions.push(typed(format!("sed -i 's/127.0.0.1:{}/127.0.0.1:{}/' promptops.toml", ports.configured, ports.used)));
    }
    // The roster that counts is the one in Git: a proposal cannot bring its own approvers.
    actions.push(typed("ssh-keygen -q -t ed25519 -N '' -C lena.fischer@larkspur.example -f lena_key"));
    actions.push(typed(
        "sed -i \"s|email: lena.fischer@larkspur.example|&\\n    keys: [\\\"$(cat lena_key.pub)\\\"]|\" owners.yaml",
    ));
    actions.push(typed("git commit --quiet --all -m 'Add the key that Lena signs with' && git log --oneline"));
    actions
}

/// Turns `01-first-classifier` into `First classifier`.
fn commit_title(folder: &str) -> String {
    let words = folder.trim_start_matches(|character: char| character.is_ascii_digit() || character == '-').replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn typed(line: impl Into<String>) -> Action {
    Action::Type { line: line.into(), ends: Ends::Well }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { configured: 8089, used: 8089 };

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
        let steps = steps(&["01-first-try".to_owned(), "02-plainer".to_owned()], &PORTS);
        let commits: Vec<&str> = lines(&steps[..1]).into_iter().filter(|line| line.contains("git commit")).collect();
        assert!(commits[0].contains("history/01-first-try/.") && commits[0].ends_with("-m 'First try'"), "{}", commits[0]);
        assert!(commits[1].contains("history/02-plainer/."), "{}", commits[1]);
        assert!(commits[2].contains("rm -r history proposal"), "{}", commits[2]);
    }

    #[test]
    fn says_where_the_model_listens_when_the_port_is_taken() {
        let moved = steps(&[], &Ports { configured: 8089, used: 4000 });
        let line = "sed -i 's/127.0.0.1:8089/127.0.0.1:4000/' promptops.toml";
        assert!(lines(&moved).contains(&line));
        assert!(lines(&moved).contains(&"promptops offline-model serve --port 4000"));
        assert!(!lines(&steps(&[], &PORTS)).iter().any(|line| line.ends_with("promptops.toml")));
    }

    #[test]
    fn ends_with_a_refusal_that_has_a_reason() {
        let steps = steps(&[], &PORTS);
        let last = steps.last().and_then(|step| step.actions.last());
        assert!(matches!(last, Some(Action::Type { ends: Ends::Refused { with: 1, saying: "gate refused" }, .. })));
    }
}

//! Compatibility on publish: what a namespace demands, what is refused, and what is recorded when a break is accepted.

use promptops_prompt::Prompt;
use promptops_prompt::compatibility::{Direction, Level};
use promptops_registry::audit::AuditAction;
use promptops_registry::compatibility::Acceptance;
use promptops_registry::publish::Outcome;
use promptops_registry::{ErrorKind, Policy, RegistryError};
use serde_json::{Value, json};

use crate::desk::{Desk, desks, prompt, reference};

/// A version with inputs and the schema of its answer.
fn version(name: &str, inputs: &Value, output: &Value) -> Prompt {
    let mut prompt = prompt(name, &format!("Text of {name}."));
    prompt.inputs = inputs.as_object().unwrap().clone().into_iter().collect();
    prompt.output = Some(output.clone());
    prompt
}

/// A version whose answer is one of these.
fn labels(name: &str, labels: &[&str]) -> Prompt {
    version(name, &json!({}), &json!({"enum": labels}))
}

fn policy(level: &str) -> Policy {
    Policy::from_toml(&format!("[policy.compatibility]\ndefault = \"none\"\n[policy.compatibility.namespaces]\na = \"{level}\""))
        .unwrap()
}

/// The refusal as a person reads it: each change on a line.
fn refusal(error: &RegistryError) -> Vec<String> {
    match error {
        RegistryError::Incompatible { breaks, .. } => breaks.iter().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    }
}

async fn desk(level: &str) -> Desk {
    let mut desk = Desk::memory().await;
    desk.policy = policy(level);
    desk
}

#[tokio::test]
async fn a_break_is_refused_with_every_reason_and_leaves_nothing() {
    for mut desk in desks().await {
        desk.policy = Policy::default();
        desk.publish(&version("a.b@1", &json!({"x": {"type": "string"}}), &json!({"enum": ["p", "q"]}))).await.unwrap();
        let breaking = version("a.b@2", &json!({"x": {"type": "integer"}, "y": {}}), &json!({"enum": ["p", "q", "r"]}));
        let error = desk.publish(&breaking).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.to_string(), "`a.b@2` breaks what its namespace promises (level `backward`): 3 changes");
        assert_eq!(
            refusal(&error),
            [
                "in place of a.b@1: inputs: x: type `string` no longer allowed",
                "in place of a.b@1: inputs: required variable `y` added",
                "in place of a.b@1: output: the answer: value \"r\" allowed",
            ]
        );
        assert!(error.hint().unwrap().contains("`breaking: {2: …}`"), "{:?}", error.hint());
        assert_eq!(desk.registry.find_version(&reference("a.b@2")).await.unwrap(), None);
        assert_eq!(desk.log().await.len(), 2);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn an_accepted_break_is_in_the_record_and_in_the_log() {
    let desk = desk("full").await;
    desk.publish(&labels("a.b@1", &["p"])).await.unwrap();
    let mut declared = labels("a.b@2", &["p", "q"]);
    declared.metadata.breaking.insert(declared.version, "consumers must know `q`".to_owned());
    assert_eq!(desk.publish(&declared).await.unwrap().outcome, Outcome::New);
    assert_eq!(desk.publish(&declared).await.unwrap().outcome, Outcome::Already, "repeating asks nothing anew");
    let record = desk.registry.version(&declared.reference()).await.unwrap();
    let breaking = record.breaking.unwrap();
    assert_eq!((breaking.level, breaking.accepted_by), (Level::Full, Acceptance::Version));
    assert_eq!(breaking.reason.as_deref(), Some("consumers must know `q`"));
    assert_eq!(breaking.breaks.len(), 1);
    assert_eq!((breaking.breaks[0].direction, &breaking.breaks[0].against), (Direction::Forth, &reference("a.b@1")));
    let log = desk.log().await;
    let entry = log.last().unwrap();
    assert_eq!((entry.action, entry.details["breaking"].as_str()), (AuditAction::Publish, "consumers must know `q`"));
    desk.assert_sound().await;

    // The file is edited in place: what it says of version 2 must not let version 3 pass.
    let mut copied = labels("a.b@3", &["p", "q", "r"]);
    copied.metadata.breaking = declared.metadata.breaking.clone();
    assert_eq!(
        refusal(&desk.publish(&copied).await.unwrap_err()),
        ["in place of a.b@2: output: the answer: value \"r\" allowed"]
    );
}

#[tokio::test]
async fn the_policy_accepts_what_is_long_committed() {
    let mut desk = desk("backward").await;
    desk.publish(&labels("a.b@1", &["p"])).await.unwrap();
    desk.policy = Policy::from_toml("[policy.compatibility]\naccepted = [\"a.b@2\"]").unwrap();
    desk.publish(&labels("a.b@2", &["p", "q"])).await.unwrap();
    let breaking = desk.registry.version(&reference("a.b@2")).await.unwrap().breaking.unwrap();
    assert_eq!((breaking.accepted_by, breaking.reason), (Acceptance::Policy, None));
    assert!(desk.publish(&labels("a.b@3", &["p", "q", "r"])).await.is_err(), "one version is named, not the prompt");
}

#[tokio::test]
async fn each_level_demands_what_it_says() {
    for (level, narrowed, widened) in
        [("none", true, true), ("backward", true, false), ("full", false, false), ("full-transitive", false, false)]
    {
        let desk = desk(level).await;
        desk.publish(&labels("a.b@1", &["p", "q"])).await.unwrap();
        assert_eq!(desk.publish(&labels("a.b@2", &["p"])).await.is_ok(), narrowed, "{level}");
        let fork = Prompt { parent: Some(reference("a.b@1")), ..labels("a.c@1", &["z"]) };
        desk.publish(&fork).await.unwrap();
        desk.publish(&labels("c.d@1", &["p"])).await.unwrap();
        desk.publish(&labels("c.d@2", &["q"])).await.unwrap();
        desk.publish(&labels("a.e@1", &["p"])).await.unwrap();
        assert_eq!(desk.publish(&labels("a.e@2", &["p", "q"])).await.is_ok(), widened, "{level}");
    }
}

#[tokio::test]
async fn a_transitive_level_looks_behind_the_parent() {
    for (level, expected) in [
        ("backward", vec![]),
        ("backward-transitive", vec!["in place of a.b@1: output: the answer: value \"q\" allowed"]),
        (
            "full-transitive",
            vec![
                "back to a.b@2: output: the answer: value \"r\" allowed",
                "in place of a.b@1: output: the answer: value \"q\" allowed",
            ],
        ),
    ] {
        // Nothing was demanded when the second version broke the first.
        let mut desk = desk("none").await;
        desk.publish(&labels("a.b@1", &["p"])).await.unwrap();
        desk.publish(&labels("a.b@2", &["p", "q", "r"])).await.unwrap();
        desk.policy = policy(level);
        let published = desk.publish(&labels("a.b@3", &["p", "q"])).await;
        assert_eq!(published.as_ref().map_or_else(refusal, |_| Vec::new()), expected, "{level}");
    }
}

#[tokio::test]
async fn an_accepted_break_begins_a_new_line() {
    let desk = desk("backward-transitive").await;
    desk.publish(&labels("a.b@1", &["p"])).await.unwrap();
    let mut declared = labels("a.b@2", &["p", "q"]);
    declared.metadata.breaking.insert(declared.version, "consumers must know `q`".to_owned());
    desk.publish(&declared).await.unwrap();
    desk.publish(&prompt_like(&declared, "a.b@3")).await.unwrap();
    let record = desk.registry.version(&reference("a.b@3")).await.unwrap();
    let held = desk.registry.predecessors(&record, &desk.policy, Level::BackwardTransitive).await.unwrap();
    assert_eq!(held, [reference("a.b@2")]);
}

/// The next version with the same interface and another text.
fn prompt_like(before: &Prompt, name: &str) -> Prompt {
    Prompt { inputs: before.inputs.clone(), output: before.output.clone(), ..prompt(name, "Another text.") }
}

#[tokio::test]
async fn whoever_comes_from_an_old_version_is_held_against_the_newest_too() {
    let desk = desk("backward").await;
    desk.publish(&labels("a.b@1", &["p", "q"])).await.unwrap();
    desk.publish(&labels("a.b@2", &["p"])).await.unwrap();
    let back = Prompt { parent: Some(reference("a.b@1")), ..labels("a.b@3", &["p", "q"]) };
    assert_eq!(refusal(&desk.publish(&back).await.unwrap_err()), ["in place of a.b@2: output: the answer: value \"q\" allowed"]);
}

#[tokio::test]
async fn an_include_that_breaks_breaks_what_includes_it() {
    let desk = desk("backward").await;
    let tone = |name: &str, labels: &[&str]| version(name, &json!({}), &json!({"enum": labels}));
    let mut free = tone("a.tone@2", &["p", "q"]);
    free.metadata.breaking.insert(free.version, "look at the new label".to_owned());
    desk.publish(&tone("a.tone@1", &["p"])).await.unwrap();
    desk.publish(&free).await.unwrap();
    desk.publish(&prompt("a.b@1", "{% include \"a.tone@1\" %}")).await.unwrap();
    assert_eq!(
        refusal(&desk.publish(&prompt("a.b@2", "{% include \"a.tone@2\" %}")).await.unwrap_err()),
        ["in place of a.b@1: includes: include `a.tone@1` → `a.tone@2` (output: the answer: value \"q\" allowed)"]
    );
}

//! Where versions came from, and who includes them.

use promptops_registry::RegistryError;
use promptops_registry::lineage::{Lineage, Relation};

use crate::desk::{Desk, prompt, reference};

/// A desk with a prompt that was forked, and includes three deep.
async fn desk() -> Desk {
    let desk = Desk::memory().await;
    for (name, template) in [
        ("shared.words@1", "words"),
        ("shared.tone@1", "{% include 'shared.words@1' %}"),
        ("support.reply@1", "{% include 'shared.tone@1' %} one"),
        ("support.reply@2", "{% include 'shared.tone@1' %} two"),
        ("support.reply@3", "three"),
    ] {
        desk.publish(&prompt(name, template)).await.unwrap();
    }
    let mut fork = prompt("sales.reply@1", "{% include 'support.reply@3' %} four");
    fork.parent = Some(reference("support.reply@2"));
    desk.publish(&fork).await.unwrap();
    desk.publish(&prompt("sales.reply@2", "five")).await.unwrap();
    desk.registry.refresh_index(3).await.unwrap();
    desk.publish(&prompt("other@1", "not connected")).await.unwrap();
    desk
}

async fn lineage(desk: &Desk, name: &str) -> Result<Lineage, RegistryError> {
    let index = desk.registry.index().await.unwrap();
    match name.split_once('@') {
        Some((id, version)) => desk.registry.lineage(&index, &id.parse().unwrap(), Some(version.parse().unwrap())).await,
        None => desk.registry.lineage(&index, &name.parse().unwrap(), None).await,
    }
}

fn edges(lineage: &Lineage) -> Vec<String> {
    let arrow = |relation| if relation == Relation::Parent { "from" } else { "includes" };
    lineage.edges.iter().map(|edge| format!("{} {} {}", edge.from, arrow(edge.relation), edge.to)).collect()
}

#[tokio::test]
async fn a_prompt_is_followed_in_every_direction() {
    let desk = desk().await;
    let whole = lineage(&desk, "support.reply").await.unwrap();
    assert_eq!(
        edges(&whole),
        [
            "sales.reply@1 from support.reply@2",
            "sales.reply@1 includes support.reply@3",
            "sales.reply@2 from sales.reply@1",
            "shared.tone@1 includes shared.words@1",
            "support.reply@1 includes shared.tone@1",
            "support.reply@2 includes shared.tone@1",
            "support.reply@2 from support.reply@1",
            "support.reply@3 from support.reply@2",
        ]
    );
    assert!(whole.edges.iter().all(|edge| whole.versions.contains_key(&edge.from) && whole.versions.contains_key(&edge.to)));
    assert!(!whole.versions.contains_key(&reference("other@1")));
}

#[tokio::test]
async fn one_version_has_the_lineage_of_that_version() {
    let desk = desk().await;
    let third = lineage(&desk, "support.reply@3").await.unwrap();
    assert_eq!(
        edges(&third),
        [
            "sales.reply@1 includes support.reply@3",
            "support.reply@2 from support.reply@1",
            "support.reply@3 from support.reply@2",
        ]
    );
    let fork = lineage(&desk, "sales.reply@1").await.unwrap();
    assert_eq!(fork.of, [reference("sales.reply@1")]);
    assert!(fork.versions.contains_key(&reference("support.reply@1")), "ancestors are followed into other prompts");
    let words = lineage(&desk, "shared.words").await.unwrap();
    let dependants: Vec<String> =
        words.sources(&reference("shared.tone@1"), Relation::Include).map(ToString::to_string).collect();
    assert_eq!(dependants, ["support.reply@1", "support.reply@2"], "dependants of dependants");
}

#[tokio::test]
async fn what_is_not_published_has_no_lineage() {
    let desk = desk().await;
    assert!(matches!(lineage(&desk, "nothing").await, Err(RegistryError::PromptNotFound { .. })));
    assert!(matches!(lineage(&desk, "other@2").await, Err(RegistryError::VersionNotFound { .. })));
}

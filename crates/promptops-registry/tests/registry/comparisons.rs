//! Where two releases, of one environment or of two, differ.

use promptops_prompt::change::Class;
use promptops_registry::plan::PlannedAction;
use promptops_registry::{RegistryError, Release, ReleaseName};

use crate::desk::{Desk, desks, prompt};

async fn compare(desk: &Desk, from: &Release, to: &Release) -> Vec<String> {
    let changes = desk.registry.compare(from, to).await.unwrap();
    let line = |change: &promptops_registry::comparison::PinChange| {
        let version = |pin: &Option<promptops_prompt::lock::LockedPrompt>| pin.as_ref().map_or(0, |pin| pin.version.number());
        let action = match change.action {
            PlannedAction::Added => "+",
            PlannedAction::Changed => "~",
            PlannedAction::Removed => "-",
        };
        let class = change.class().map_or("-", Class::name);
        format!("{action} {} {} → {} {class}", change.id, version(&change.from), version(&change.to))
    };
    changes.iter().map(line).collect()
}

#[tokio::test]
async fn environments_differ_by_their_pins() {
    for desk in desks().await {
        for (name, template) in [("a.b@1", "one"), ("a.b@2", "two"), ("a.c@1", "c"), ("d.e@1", "e"), ("f.g@1", "g")] {
            desk.publish(&prompt(name, template)).await.unwrap();
        }
        let mut same_text = prompt("a.b@3", "two");
        same_text.metadata.owner = "billing".into();
        desk.publish(&same_text).await.unwrap();

        let prod = desk.deploy(&["a.b@1", "a.c@1", "f.g@1"], 1).await.unwrap();
        let staging = desk.stage(&["a.b@2", "d.e@1", "f.g@1"], 2).await.unwrap();
        assert_eq!(
            compare(&desk, &prod, &staging).await,
            ["~ a.b 1 → 2 behavioural", "- a.c 1 → 0 -", "+ d.e 0 → 1 -"],
            "what is pinned alike is left out"
        );
        assert_eq!(compare(&desk, &staging, &prod).await, ["~ a.b 2 → 1 behavioural", "+ a.c 0 → 1 -", "- d.e 1 → 0 -"]);
        assert!(compare(&desk, &prod, &prod).await.is_empty());

        let second = desk.deploy(&["a.b@3"], 3).await.unwrap();
        assert_eq!(compare(&desk, &staging, &second).await[0], "~ a.b 2 → 3 metadata", "the version counts, not only its text");
        assert_eq!(compare(&desk, &prod, &second).await, ["~ a.b 1 → 3 behavioural"]);
    }
}

#[tokio::test]
async fn releases_are_found_by_their_names() {
    let desk = Desk::memory().await;
    for (name, template) in [("a.b@1", "one"), ("a.b@2", "two")] {
        desk.publish(&prompt(name, template)).await.unwrap();
    }
    desk.deploy(&["a.b@1"], 1).await.unwrap();
    desk.deploy(&["a.b@2"], 2).await.unwrap();
    let find = async |name: &str| desk.registry.named_release(&name.parse::<ReleaseName>().unwrap()).await;
    assert_eq!(find("prod").await.unwrap().sequence, 2);
    assert_eq!(find("prod@1").await.unwrap().sequence, 1);
    assert!(matches!(find("prod@3").await, Err(RegistryError::ReleaseNotFound { sequence: 3, .. })));
    assert!(matches!(find("staging").await, Err(RegistryError::NothingDeployed { .. })));
    for bad in ["", "prod@", "prod@0", "prod@+1", "prod@x", "@1", "Prod", "prod@1@2", "prod@99999999999999999999"] {
        assert!(bad.parse::<ReleaseName>().is_err(), "{bad}");
    }
}

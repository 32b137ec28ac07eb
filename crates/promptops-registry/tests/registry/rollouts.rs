//! Rollouts: an environment holds two versions of a prompt, and whatever holds for one holds for both.

use promptops_prompt::Lock;
use promptops_prompt::change::Class;
use promptops_prompt::lock::BundleHeader;
use promptops_registry::plan::PlannedAction;
use promptops_registry::{RegistryError, Release};
use promptops_store::Bundle;

use crate::desk::{Desk, desks, minute, prod, prompt, reference, tagged};

/// `support.reply` in three versions, of which the third includes a tone.
async fn with_versions(desk: &Desk) {
    for (name, template) in [
        ("shared.tone@1", "Be kind."),
        ("support.reply@1", "one"),
        ("support.reply@2", "two"),
        ("support.reply@3", "{% include \"shared.tone@1\" %} three"),
    ] {
        desk.publish(&prompt(name, template)).await.unwrap();
    }
}

/// What a release holds of the prompt, as people read it.
async fn held(desk: &Desk, release: &Release) -> String {
    desk.registry.pin(release, &"support.reply".parse().unwrap()).await.unwrap().unwrap().to_string()
}

#[tokio::test]
async fn a_rollout_begins_grows_ends_and_is_rolled_back() {
    for desk in desks().await {
        with_versions(&desk).await;
        desk.deploy(&["support.reply@2"], 10).await.unwrap();
        let plan = desk.plan_split("support.reply@2", "3", "10", 20).await.unwrap();
        let change = &plan.changes[0];
        assert_eq!(
            (change.action, change.class()),
            (PlannedAction::Changed, Some(Class::Behavioural)),
            "{:?}",
            change.differences
        );
        assert_eq!(change.candidate(), Some(reference("support.reply@3")));
        let begun = desk.apply(&plan, 20).await.unwrap();
        assert_eq!(held(&desk, &begun).await, "@2 90% and @3 10%");
        assert_eq!(desk.plan_split("support.reply@2", "3", "10", 21).await.unwrap().changes, [], "it is as wanted");

        let grown = desk.split("support.reply@2", "3", "25.5", 30).await.unwrap();
        assert_eq!(held(&desk, &grown).await, "@2 74.5% and @3 25.5%");
        let ended = desk.deploy(&["support.reply@3"], 40).await.unwrap();
        assert_eq!(held(&desk, &ended).await, "@3");
        let back = desk.registry.rollback(&prod(), None, "rel", None, minute(50)).await.unwrap().release;
        assert_eq!((held(&desk, &back).await, &back.pins), ("@2 74.5% and @3 25.5%".to_owned(), &grown.pins));
        assert_eq!(held(&desk, &desk.registry.at(&prod(), minute(25)).await.unwrap()).await, "@2 90% and @3 10%");
        let differing = desk.registry.compare(&begun, &grown).await.unwrap();
        assert_eq!((differing.len(), differing[0].action), (1, PlannedAction::Changed), "only the share moved");
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn roles_are_not_turned_around_under_way() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let refused = |result: Result<Release, RegistryError>| result.unwrap_err().to_string();
    let same = refused(desk.split("support.reply@2", "2", "10", 10).await);
    assert_eq!(same, "the prompt cannot be split like this: control and candidate are one version, `support.reply@2`");
    let missing = desk.split("support.reply@2", "9", "10", 10).await.unwrap_err();
    assert!(matches!(missing, RegistryError::VersionNotFound { .. }), "{missing}");
    desk.split("support.reply@2", "3", "10", 11).await.unwrap();
    let turned = refused(desk.split("support.reply@3", "2", "90", 12).await);
    assert_eq!(
        turned,
        "the prompt cannot be split like this: the control of the rollout that is under way is `support.reply@2`, so name it first"
    );
    let mut edited = desk.plan_split("support.reply@2", "3", "20", 13).await.unwrap();
    edited.changes[0].to.as_mut().unwrap().rollout.as_mut().unwrap().digest = promptops_prompt::Digest::of(b"other");
    let refused = refused(desk.apply(&edited, 14).await);
    assert_eq!(refused, "the plan does not fit the registry: another content is published as `support.reply@3`");
}

#[tokio::test]
async fn lock_and_bundle_hold_both_versions_with_proof() {
    for desk in desks().await {
        with_versions(&desk).await;
        desk.split("support.reply@2", "3", "10", 10).await.unwrap();
        let lock = desk.registry.lock_environment(&prod(), "file://registry").await.unwrap();
        let proofs = lock.check_proofs().unwrap();
        assert_eq!((proofs.trees.len(), proofs.unproven.len()), (1, 0));
        assert_eq!(Lock::from_bytes(&lock.to_bytes()).unwrap(), lock);

        let mut altered = lock.clone();
        let pin = altered.prompts.values_mut().next().unwrap();
        pin.rollout.as_mut().unwrap().buckets = "90".parse().unwrap();
        assert!(altered.check_proofs().unwrap_err().to_string().starts_with("the pins are not those of release 1"));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.bundle");
        desk.registry.bundle(&lock).await.unwrap().write(&path).unwrap();
        let bundle = Bundle::open(&path).unwrap();
        let names: Vec<&str> = bundle.names().filter(|name| name.starts_with("records/")).collect();
        assert_eq!(names, ["records/support.reply/2.json", "records/support.reply/3.json"]);
        let tone = desk.registry.version(&reference("shared.tone@1")).await.unwrap().digest;
        assert!(bundle.get(&format!("blobs/sha256/{}", tone.hex())).unwrap().is_some(), "what the candidate includes");
        assert!(bundle.get(BundleHeader::NAME).unwrap().is_some());
    }
}

#[tokio::test]
async fn the_policy_holds_for_both_versions() {
    let desk = Desk::memory().await;
    for (name, template) in [("support.reply@1", "one"), ("support.reply@2", "two"), ("support.reply@3", "three")] {
        desk.publish(&tagged(name, template, &["legal"])).await.unwrap();
    }
    let missing = |result: Result<Release, RegistryError>| match result.unwrap_err() {
        RegistryError::Refused { unmet, .. } => {
            let mut names: Vec<String> = unmet.iter().map(|unmet| format!("{} of {}", unmet.demand, unmet.prompt)).collect();
            names.sort();
            names
        }
        other => vec![other.to_string()],
    };
    let all = missing(desk.split("support.reply@1", "2", "10", 10).await);
    assert_eq!(
        all,
        ["approval of `legal` of support.reply@1", "approval of `legal` of support.reply@2"],
        "nothing is live, so both are new"
    );
    desk.approve("bob", "legal", "support.reply@1", 11, 20).await.unwrap();
    assert_eq!(missing(desk.split("support.reply@1", "2", "10", 12).await), all[1..], "one approval is for one version");
    desk.deploy(&["support.reply@1"], 13).await.unwrap();

    // After the control's approval has expired, a rollout may still begin beside it, grow, and end in its favour.
    let late = 60 * 24 * 25;
    desk.approve("bob", "legal", "support.reply@2", late, 20).await.unwrap();
    desk.split("support.reply@1", "2", "10", late + 1).await.unwrap();
    desk.split("support.reply@1", "2", "20", late + 2).await.unwrap();
    desk.deploy(&["support.reply@1"], late + 3).await.unwrap();
    // Giving the candidate to all demands of it what the rollout did.
    desk.split("support.reply@1", "2", "20", late + 4).await.unwrap();
    let expired = 2 * late;
    assert_eq!(missing(desk.deploy(&["support.reply@2"], expired).await), all[1..]);
    // Another candidate is another version.
    let other = missing(desk.split("support.reply@1", "3", "20", late + 5).await);
    assert_eq!(other, ["approval of `legal` of support.reply@3"]);
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_withdrawn_version_is_no_candidate_and_a_candidate_is_live() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    desk.deploy(&["support.reply@2"], 10).await.unwrap();
    desk.yank("support.reply@3", 11).await.unwrap();
    let error = desk.split("support.reply@2", "3", "10", 12).await.unwrap_err();
    assert!(matches!(error, RegistryError::Withdrawn { .. }), "{error}");
    let plan = desk.plan_split("support.reply@2", "3", "10", 12).await.unwrap();
    assert_eq!(plan.withdrawn().len(), 1);

    desk.change("support.reply@3", promptops_registry::status::StatusChange::Unyank, 13).await.unwrap();
    desk.split("support.reply@2", "3", "10", 14).await.unwrap();
    for live in ["support.reply@3", "support.reply@2", "shared.tone@1"] {
        let error = desk.yank(live, 15).await.unwrap_err();
        assert!(matches!(error, RegistryError::StillLive { .. }), "{live}: {error}");
    }
    let uses = desk.registry.uses(&reference("shared.tone@1")).await.unwrap();
    assert_eq!(uses.into_values().collect::<Vec<_>>(), [[reference("support.reply@3")]], "by the candidate alone");

    // Withdrawn by force of circumstance (a deprecation's day), it stays where it is, and does not come back once gone.
    desk.deprecate("support.reply@3", "2026-11-02", 16).await.unwrap();
    let later = 60 * 48;
    desk.split("support.reply@2", "3", "20", later).await.unwrap();
    desk.deploy(&["support.reply@2"], later + 1).await.unwrap();
    let back = desk.registry.rollback(&prod(), None, "rel", None, minute(later + 2)).await.unwrap_err();
    assert!(matches!(back, RegistryError::Withdrawn { .. }), "{back}");
}

#[tokio::test]
async fn a_plan_that_touches_an_include_names_the_candidate_that_includes_it() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    desk.publish(&prompt("shared.tone@2", "Be very kind.")).await.unwrap();
    desk.deploy(&["shared.tone@1"], 9).await.unwrap();
    desk.split("support.reply@2", "3", "10", 10).await.unwrap();
    let plan = desk.plan(&["shared.tone@2"], 20).await.unwrap();
    assert_eq!(plan.changes[0].dependants, [reference("support.reply@3")]);
}

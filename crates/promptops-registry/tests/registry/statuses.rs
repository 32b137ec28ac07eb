//! Yanks and deprecations: what is refused, what goes on, and what can be taken back.

use promptops_prompt::PromptRef;
use promptops_prompt::status::State;
use promptops_registry::audit::AuditAction;
use promptops_registry::status::{StatusChange, StatusRequest};
use promptops_registry::{ErrorKind, Policy, RegistryError, Release};

use crate::desk::{Desk, SOURCE, desks, minute, prod, prompt, reference, request, staging};

/// The day after the tests' day.
const TOMORROW: &str = "2026-11-02";
const DAY: i64 = 24 * 60;

async fn with_versions(desk: &Desk) {
    for (name, template) in [
        ("shared.tone@1", "Be kind."),
        ("shared.tone@2", "Be very kind."),
        ("support.intent@1", "{% include \"shared.tone@1\" %} one"),
        ("support.intent@2", "{% include \"shared.tone@2\" %} two"),
        ("support.intent@3", "{% include \"shared.tone@1\" %} three"),
        ("support.reply@1", "reply"),
        ("support.reply@2", "reply well"),
    ] {
        desk.publish(&prompt(name, template)).await.unwrap();
    }
}

async fn status(desk: &Desk, name: &str) -> String {
    desk.registry.status(&reference(name)).await.unwrap().map_or("in use".to_owned(), |status| status.to_string())
}

async fn live(desk: &Desk, release: &Release) -> Vec<String> {
    let pins = desk.registry.pins(release).await.unwrap();
    pins.prompts.iter().map(|(id, pin)| format!("{id}@{}", pin.version)).collect()
}

#[tokio::test]
async fn nothing_begins_to_use_a_yanked_version() {
    for desk in desks().await {
        with_versions(&desk).await;
        let plan = desk.plan(&["support.reply@1"], 1).await.unwrap();
        let decision = desk.yank("support.reply@1", 2).await.unwrap();
        let record = decision.record.unwrap();
        assert_eq!((record.sequence, record.state, record.by.as_str()), (1, State::Yanked, "rel@example.com"));
        assert_eq!(record.rules, "0123abc", "the record says by whose rules");

        let error = desk.apply(&plan, 3).await.unwrap_err();
        let checked = desk.registry.check_deploy(&plan, desk.authority(), false, minute(3)).await;
        assert!(matches!(checked, Err(RegistryError::Withdrawn { .. })), "a dry run decides alike");
        assert_eq!(
            error.to_string(),
            "environment `prod` cannot pin what is withdrawn: `support.reply@1` is yanked (it invents refunds)"
        );
        assert_eq!(error.kind(), ErrorKind::Refused);
        let planned = desk.plan(&["support.reply@1"], 4).await.unwrap();
        assert_eq!(planned.withdrawn().into_keys().collect::<Vec<_>>(), [reference("support.reply@1")]);
        assert!(desk.deploy(&["support.reply@2"], 5).await.is_ok(), "other versions are as they were");

        // It still loads: the slot and the content are where they were.
        assert!(desk.registry.closure(&reference("support.reply@1")).await.is_ok());
        let lock = desk.registry.lock_versions(&[reference("support.reply@1")], "x").await.unwrap();
        assert!(desk.registry.bundle(&lock).await.is_ok(), "whoever has pinned it can take it along");
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_live_version_is_not_withdrawn() {
    for desk in desks().await {
        with_versions(&desk).await;
        desk.deploy(&["support.reply@1", "support.intent@1"], 1).await.unwrap();
        desk.stage(&["support.reply@1"], 1).await.unwrap();
        let error = desk.yank("support.reply@1", 2).await.unwrap_err();
        assert_eq!(error.to_string(), "`support.reply@1` cannot be withdrawn, since it is live in `prod`, `staging`");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.hint().unwrap().contains("where `policy.withdrawn.force` allows that"), "{:?}", error.hint());
        let included = desk.yank("shared.tone@1", 2).await.unwrap_err();
        assert_eq!(
            included.to_string(),
            "`shared.tone@1` cannot be withdrawn, since it is live in `prod` (with `support.intent@1`)"
        );
        desk.yank("shared.tone@2", 2).await.unwrap();
        assert_eq!(status(&desk, "support.reply@1").await, "in use", "a refusal writes nothing");

        desk.deploy(&["support.reply@2"], 3).await.unwrap();
        desk.stage(&["support.reply@2"], 3).await.unwrap();
        assert!(desk.yank("support.reply@1", 4).await.unwrap().record.is_some());
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn forcing_needs_the_policy_for_every_environment() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let name = reference("support.reply@1");
    let forced = StatusRequest { is_forced: true, ..request(&name, StatusChange::Yank) };
    desk.stage(&["support.reply@1"], 1).await.unwrap();
    desk.deploy(&["support.reply@1"], 1).await.unwrap();
    let error = desk.ask(&forced, 2).await.unwrap_err();
    assert!(matches!(error, RegistryError::StillLive { may_force: false, .. }), "prod does not allow it: {error}");
    desk.deploy(&["support.reply@2"], 3).await.unwrap();
    let error = desk.yank("support.reply@1", 4).await.unwrap_err();
    assert!(matches!(error, RegistryError::StillLive { may_force: true, .. }), "nobody insisted: {error}");

    let decision = desk.ask(&forced, 5).await.unwrap();
    assert_eq!(decision.uses.keys().collect::<Vec<_>>(), [&staging()]);
    assert_eq!(decision.record.unwrap().forced, ["staging".to_owned()].into());
    let entry = desk.log().await.pop().unwrap();
    assert_eq!((entry.action, entry.details["forced"].as_str()), (AuditAction::Yank, "staging"));

    // What runs it goes on, and can be deployed to with other changes.
    let release = desk.stage(&["support.reply@1", "support.intent@1"], 6).await.unwrap();
    assert_eq!(live(&desk, &release).await, ["support.intent@1", "support.reply@1"]);
    let plan = desk.plan_for(&prod(), &["support.reply@1"], 7).await.unwrap();
    let refused = desk.registry.force_deploy(&plan, desk.authority(), "rel", None, minute(7)).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Withdrawn { may_force: false, .. }), "{refused}");
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_forced_deploy_says_what_was_forced() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    desk.yank("shared.tone@1", 1).await.unwrap();
    let plan = desk.plan_for(&staging(), &["support.intent@1"], 2).await.unwrap();
    assert_eq!(plan.withdrawn().into_keys().collect::<Vec<_>>(), [reference("shared.tone@1")], "an include counts");
    let error = desk.apply(&plan, 3).await.unwrap_err();
    assert!(matches!(error, RegistryError::Withdrawn { may_force: true, .. }), "{error}");
    let released = desk.registry.force_deploy(&plan, desk.authority(), "rel", None, minute(3)).await.unwrap();
    assert_eq!(released.release.forced, [reference("shared.tone@1")].into());
    let entry = desk.log().await.pop().unwrap();
    assert_eq!(entry.details["forced"], "shared.tone@1");

    // It is live there now, so what includes it too is no new use.
    let next = desk.stage(&["support.intent@3"], 4).await.unwrap();
    assert!(next.forced.is_empty());
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_deprecation_warns_until_its_day_and_then_withdraws() {
    for desk in desks().await {
        with_versions(&desk).await;
        desk.deploy(&["support.intent@1"], 0).await.unwrap();
        let change = StatusChange::Deprecate { date: TOMORROW.parse().unwrap(), replacement: Some(reference("support.reply@2")) };
        desk.change("support.reply@1", change.clone(), 1).await.unwrap();
        let said = "`support.reply@1` is deprecated and must not be used from 2026-11-02 on; use `support.reply@2` instead \
                    (it invents refunds)";
        assert_eq!(status(&desk, "support.reply@1").await, said);

        let plan = desk.plan(&["support.reply@1"], 2).await.unwrap();
        let statuses = &plan.changes[0].statuses;
        assert_eq!((statuses.len(), statuses[0].is_refused, statuses[0].status.to_string().as_str()), (1, false, said));
        assert!(plan.withdrawn().is_empty());
        let late = desk.apply(&plan, DAY).await.unwrap_err();
        assert!(matches!(late, RegistryError::Withdrawn { .. }), "what counts is the moment of the deploy: {late}");
        desk.apply(&plan, 3).await.unwrap();

        assert!(desk.change("support.reply@1", change, 4).await.unwrap().record.is_none(), "it says so already");
        // Moving the day up to one that has come withdraws it, and it is live.
        let early = desk.deprecate("support.reply@1", "2026-11-01", 5).await.unwrap_err();
        assert!(matches!(early, RegistryError::StillLive { .. }), "{early}");
        assert!(desk.deprecate("support.intent@2", "2026-11-01", 5).await.unwrap().record.unwrap().is_withdrawn(minute(5)));
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn taking_back_restores_what_was_before() {
    for desk in desks().await {
        with_versions(&desk).await;
        let before = desk.log().await.len();
        desk.deprecate("support.reply@1", TOMORROW, 1).await.unwrap();
        desk.yank("support.reply@1", 2).await.unwrap();
        let error = desk.change("support.reply@1", StatusChange::Undeprecate, 3).await.unwrap_err();
        assert_eq!(error.to_string(), "the status cannot change: `support.reply@1` is yanked, so a deprecation would say less");
        let decision = desk.change("support.reply@1", StatusChange::Unyank, 4).await.unwrap();
        assert_eq!(decision.before.unwrap().state, State::Yanked);
        assert!(status(&desk, "support.reply@1").await.contains("must not be used from 2026-11-02"));
        desk.change("support.reply@1", StatusChange::Undeprecate, 5).await.unwrap();
        assert_eq!(status(&desk, "support.reply@1").await, "in use");
        for change in [StatusChange::Unyank, StatusChange::Undeprecate] {
            assert!(desk.change("support.reply@1", change, 6).await.unwrap().record.is_none(), "there is nothing to take back");
        }
        let log = desk.log().await;
        let actions: Vec<AuditAction> = log[before..].iter().map(|entry| entry.action).collect();
        assert_eq!(actions, [AuditAction::Deprecate, AuditAction::Yank, AuditAction::Deprecate, AuditAction::Restore]);
        assert_eq!(desk.registry.status_records(&reference("support.reply@1").id).await.unwrap().len(), 4);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_rollback_does_not_bring_back_what_was_withdrawn() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    for (number, version) in ["support.reply@1", "support.reply@2", "support.intent@1"].into_iter().enumerate() {
        desk.stage(&[version], i64::try_from(number).unwrap()).await.unwrap();
    }
    desk.yank("support.reply@1", 10).await.unwrap();
    let staging = staging();
    let back = |to| desk.registry.rollback(&staging, to, "rel", None, minute(11));
    let error = back(Some(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment `staging` cannot pin what is withdrawn: `support.reply@1` is yanked (it invents refunds)"
    );
    assert_eq!(back(Some(2)).await.unwrap().release.sequence, 4, "what was not withdrawn comes back");
    let forced = desk.registry.force_rollback(&staging, Some(1), desk.authority(), "rel", None, minute(12)).await.unwrap();
    assert_eq!(forced.release.forced, [reference("support.reply@1")].into());
    assert_eq!(forced.release.rules.as_deref(), Some("0123abc"));

    let strict = Policy::default();
    let authority = promptops_registry::Authority { policy: &strict, ..desk.authority() };
    back(Some(2)).await.unwrap();
    let refused = desk.registry.force_rollback(&staging, Some(1), authority, "rel", None, minute(13)).await;
    assert!(matches!(refused, Err(RegistryError::Withdrawn { .. })), "the policy does not allow it");
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_lock_takes_no_withdrawn_version_that_nothing_uses() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let names = ["support.reply@1", "support.intent@2"].map(reference);
    let pins = desk.registry.lock_versions(&names, "x").await.unwrap().prompts;
    let none = std::collections::BTreeMap::new();
    let check = |pins, replaced, policy: Option<&'static str>| {
        let registry = desk.registry.clone();
        async move {
            let policy = policy.map(|text| Policy::from_toml(text).unwrap());
            registry.check_lock(pins, replaced, policy.as_ref(), minute(9)).await
        }
    };
    assert_eq!(check(&pins, &none, None).await.unwrap(), []);
    desk.deprecate("support.intent@2", TOMORROW, 1).await.unwrap();
    desk.yank("shared.tone@2", 2).await.unwrap();
    let error = check(&pins, &none, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a lock cannot pin what is withdrawn: `shared.tone@2` is yanked (it invents refunds)",
        "an include counts, a deprecation whose day has not come does not"
    );
    assert_eq!(check(&pins, &pins, None).await.unwrap().len(), 2, "what the lock pinned before is no new use");
    let everywhere = "[policy.withdrawn]\nforce = [\"*\"]";
    assert_eq!(check(&pins, &none, Some(everywhere)).await.unwrap().len(), 2);
    assert!(check(&pins, &none, Some("")).await.is_err(), "the policy does not allow it");

    let plan = desk.plan_for(&staging(), &["support.intent@2"], 3).await.unwrap();
    desk.registry.force_deploy(&plan, desk.authority(), "rel", None, minute(3)).await.unwrap();
    assert_eq!(check(&pins, &none, None).await.unwrap().len(), 2, "an environment runs it");
}

#[tokio::test]
async fn only_what_makes_sense_is_said_of_a_version() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let date = TOMORROW.parse().unwrap();
    let replaced_by = |name: &str| StatusChange::Deprecate { date, replacement: Some(reference(name)) };
    let absent = desk.yank("support.reply@9", 1).await.unwrap_err();
    assert_eq!(absent.to_string(), "the registry has no version `support.reply@9`");
    let absent = desk.change("support.reply@1", replaced_by("support.reply@9"), 1).await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    let itself = desk.change("support.reply@1", replaced_by("support.reply@1"), 1).await.unwrap_err();
    assert_eq!(itself.to_string(), "the status cannot change: a version cannot replace itself, `support.reply@1`");
    desk.yank("support.reply@2", 1).await.unwrap();
    let yanked = desk.change("support.reply@1", replaced_by("support.reply@2"), 2).await.unwrap_err();
    assert!(yanked.to_string().contains("the replacement is withdrawn itself: `support.reply@2` is yanked"), "{yanked}");

    let name = reference("support.reply@1");
    let foreign = StatusRequest { source: "github.com/other/prompts", ..request(&name, StatusChange::Yank) };
    let error = desk.ask(&foreign, 3).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("namespace `support` belongs to `{SOURCE}`, so `github.com/other/prompts` cannot publish into it")
    );
    let decided = desk.registry.decide_status(&foreign, desk.authority(), "x", minute(3)).await;
    assert!(matches!(decided, Err(RegistryError::ForeignNamespace { .. })));
    assert_eq!(status(&desk, "support.reply@1").await, "in use");
    let error = Policy::from_toml("[environments.prod]\n[policy.withdrawn]\nforce = [\"prd\"]").unwrap_err();
    assert!(error.to_string().ends_with("takes names of `[environments]` and `*`; got `prd`"), "{error}");
}

#[tokio::test]
async fn racing_changes_are_put_one_after_the_other() {
    for desk in desks().await {
        with_versions(&desk).await;
        let names: Vec<PromptRef> = ["support.intent@1", "support.intent@2", "support.intent@3"]
            .iter()
            .cycle()
            .take(12)
            .map(|name| reference(name))
            .collect();
        let asked = names.iter().enumerate().map(|(number, name)| {
            let (registry, actor, authority) = (&desk.registry, format!("rel-{number}"), desk.authority());
            async move { registry.set_status(&request(name, StatusChange::Yank), authority, &actor, minute(1)).await }
        });
        let decisions: Vec<_> = futures::future::join_all(asked).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(decisions.iter().filter(|decision| decision.record.is_some()).count(), 3, "one of four each says it first");
        let records = desk.registry.status_records(&names[0].id).await.unwrap();
        assert_eq!(records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 2, 3]);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_deploy_at_the_same_moment_is_told_by_one_of_them() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    // The deploy decided before the yank was written, and its release comes after.
    let plan = desk.plan_for(&staging(), &["support.reply@1"], 1).await.unwrap();
    let (name, authority) = (reference("support.reply@1"), desk.authority());
    let yank = request(&name, StatusChange::Yank);
    let (yanked, deployed) = futures::join!(
        desk.registry.set_status(&yank, authority, "rel", minute(2)),
        desk.registry.deploy(&plan, authority, "rel", None, minute(2)),
    );
    let seen_by_yank = yanked.is_err() || !yanked.unwrap().uses.is_empty();
    let seen_by_deploy = deployed.is_err() || status(&desk, "support.reply@1").await.contains("yanked");
    assert!(seen_by_yank || seen_by_deploy);
    desk.assert_sound().await;
}

//! Environments: plans, deploys, rollbacks, and what was live when.

use promptops_prompt::change::Class;
use promptops_prompt::lock::{BundleHeader, LoggedSet, PinSet};
use promptops_prompt::{Digest, Lock};
use promptops_registry::environment::ReleaseAction;
use promptops_registry::plan::PlannedAction;
use promptops_registry::{ErrorKind, Plan, RegistryError, Release, Targets};
use promptops_store::Bundle;

use crate::desk::{Desk, desks, minute, prod, prompt, reference};

async fn with_versions(desk: &Desk) {
    for (name, template) in [
        ("shared.tone@1", "Be kind."),
        ("shared.tone@2", "Be very kind."),
        ("support.intent@1", "{% include \"shared.tone@1\" %} one"),
        ("support.intent@2", "{% include \"shared.tone@1\" %} two"),
        ("support.reply@1", "reply"),
    ] {
        desk.publish(&prompt(name, template)).await.unwrap();
    }
}

async fn live(desk: &Desk, release: &Release) -> Vec<String> {
    let pins = desk.registry.pins(release).await.unwrap();
    pins.prompts.iter().map(|(id, pin)| format!("{id}@{}", pin.version)).collect()
}

#[tokio::test]
async fn a_plan_is_applied_exactly() {
    for desk in desks().await {
        with_versions(&desk).await;
        let first = desk.deploy(&["shared.tone@1", "support.intent@1"], 10).await.unwrap();
        assert_eq!((first.sequence, first.based_on), (1, None));

        let plan = desk.plan(&["support.intent@2", "support.reply@1", "shared.tone@1"], 20).await.unwrap();
        let actions: Vec<(&str, PlannedAction)> = plan.changes.iter().map(|change| (change.id.as_str(), change.action)).collect();
        assert_eq!(actions, [("support.intent", PlannedAction::Changed), ("support.reply", PlannedAction::Added)]);
        assert_eq!(plan.changes[0].class(), Some(Class::Behavioural));
        let reread = Plan::from_bytes(&plan.to_bytes()).unwrap();
        assert_eq!((reread.digest(), &reread), (plan.digest(), &plan));

        assert!(desk.registry.check_deploy(&reread, desk.authority(), false, minute(21)).await.unwrap());
        let second = desk.apply(&reread, 21).await.unwrap();
        assert!(!desk.registry.check_deploy(&reread, desk.authority(), false, minute(22)).await.unwrap(), "it is done");
        assert_eq!((second.sequence, second.based_on, second.plan), (2, Some(1), Some(plan.digest())));
        assert_eq!(live(&desk, &second).await, ["shared.tone@1", "support.intent@2", "support.reply@1"]);
        assert_eq!(desk.registry.current(&prod()).await.unwrap().unwrap(), second);
        assert_eq!(desk.registry.history(&prod()).await.unwrap(), [first, second]);
        assert_eq!(desk.plan(&["support.reply@1"], 22).await.unwrap().changes, []);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn dependants_are_named() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    desk.deploy(&["shared.tone@1", "support.intent@1", "support.reply@1"], 10).await.unwrap();
    let plan = desk.plan(&["shared.tone@2"], 20).await.unwrap();
    assert_eq!(plan.changes[0].dependants, [reference("support.intent@1")]);
}

#[tokio::test]
async fn moving_one_prompt_writes_two_objects_and_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::desk::open_store(folder.path());
    let desk = Desk::at(folder.path()).await;
    let names: Vec<String> = (0..60).map(|number| format!("a.p{number}@1")).collect();
    for name in &names {
        desk.publish(&prompt(name, "x")).await.unwrap();
    }
    desk.publish(&prompt("a.p7@2", "y")).await.unwrap();
    desk.deploy(&names.iter().map(String::as_str).collect::<Vec<_>>(), 10).await.unwrap();
    let before = store.list("").await.unwrap().len();
    desk.deploy(&["a.p7@2"], 20).await.unwrap();
    assert_eq!(store.list("").await.unwrap().len() - before, 3, "a shard, the release and its entry in the log");
    let current = desk.registry.current(&prod()).await.unwrap().unwrap();
    let pin = desk.registry.pin(&current, &"a.p7".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(pin.version.number(), 2);
    assert_eq!(live(&desk, &current).await.len(), 60);
}

#[tokio::test]
async fn a_plan_is_refused_when_the_environment_moved() {
    for desk in desks().await {
        with_versions(&desk).await;
        let stale = desk.plan(&["support.intent@1"], 10).await.unwrap();
        desk.deploy(&["support.reply@1"], 11).await.unwrap();
        let error = desk.apply(&stale, 12).await.unwrap_err();
        assert_eq!(error.to_string(), "environment `prod` moved: the plan starts from nothing deployed, it is at release `1`");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(desk.registry.history(&prod()).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn of_many_racing_deploys_one_wins() {
    for desk in desks().await {
        with_versions(&desk).await;
        let mut plans = Vec::new();
        for number in 0..16 {
            plans.push(desk.plan(&["support.intent@1"], number).await.unwrap());
        }
        let outcomes = futures::future::join_all(plans.iter().map(|plan| desk.apply(plan, 20))).await;
        assert_eq!(outcomes.iter().flatten().count(), 1);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(RegistryError::EnvironmentMoved { .. }))));
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn an_edited_plan_is_refused() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let mut plan = desk.plan(&["support.intent@1"], 10).await.unwrap();
    let other = desk.plan(&["support.reply@1"], 10).await.unwrap();
    plan.changes[0].to = other.changes[0].to.clone();
    let error = desk.apply(&plan, 11).await.unwrap_err();
    assert_eq!(error.to_string(), "the plan does not fit the registry: another content is published as `support.intent@1`");
    let mut twice = desk.plan(&["support.intent@1"], 10).await.unwrap();
    twice.changes.push(twice.changes[0].clone());
    assert!(matches!(desk.apply(&twice, 11).await.unwrap_err(), RegistryError::PlanMismatch { .. }));
    assert!(matches!(Plan::from_bytes(b"{}").unwrap_err(), RegistryError::PlanMalformed(_)));
    assert!(matches!(Plan::from_bytes(br#"{"format":2}"#).unwrap_err(), RegistryError::Newer { found: 2, .. }));
}

#[tokio::test]
async fn removals_take_prompts_out() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    desk.deploy(&["support.intent@1", "support.reply@1"], 10).await.unwrap();
    let targets = Targets { removals: vec!["support.reply".parse().unwrap()], ..Targets::default() };
    let plan = desk.registry.plan(&prod(), &targets, desk.authority(), "rel", minute(20)).await.unwrap();
    assert_eq!(plan.changes[0].action, PlannedAction::Removed);
    let release = desk.apply(&plan, 20).await.unwrap();
    assert_eq!(live(&desk, &release).await, ["support.intent@1"]);
    let again = desk.registry.plan(&prod(), &targets, desk.authority(), "rel", minute(21)).await;
    assert!(matches!(again, Err(RegistryError::PromptNotFound { .. })));
    let both = Targets { versions: vec![reference("support.intent@1"), reference("support.intent@2")], ..Targets::default() };
    let error = desk.registry.plan(&prod(), &both, desk.authority(), "rel", minute(21)).await.unwrap_err();
    assert_eq!(error.to_string(), "both `support.intent@1` and `support.intent@2` are asked for");
}

#[tokio::test]
async fn rollback_is_a_new_release_with_old_pins() {
    for desk in desks().await {
        with_versions(&desk).await;
        for (version, at) in [("support.intent@1", 10), ("support.intent@2", 20), ("support.reply@1", 30)] {
            desk.deploy(&[version], at).await.unwrap();
        }
        let prod = prod();
        let back = |to| desk.registry.rollback(&prod, to, "rel", Some("too many complaints"), minute(40));
        let fourth = back(None).await.unwrap();
        assert!(fourth.is_new);
        let fourth = fourth.release;
        assert_eq!((fourth.sequence, fourth.action, fourth.based_on), (4, ReleaseAction::Rollback, Some(2)));
        assert_eq!(live(&desk, &fourth).await, ["support.intent@2"]);
        // Once more goes one step further back, not forward again.
        let fifth = back(None).await.unwrap().release;
        assert_eq!((fifth.based_on, live(&desk, &fifth).await), (Some(1), vec!["support.intent@1".to_owned()]));
        assert!(matches!(back(None).await, Err(RegistryError::NoEarlierRelease { .. })));
        let sixth = back(Some(3)).await.unwrap().release;
        assert_eq!(live(&desk, &sixth).await.len(), 2);
        assert!(!back(Some(3)).await.unwrap().is_new, "it is as wanted already");
        assert!(matches!(back(Some(99)).await, Err(RegistryError::ReleaseNotFound { sequence: 99, .. })));
        assert_eq!(desk.registry.history(&prod).await.unwrap().len(), 6);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn at_answers_what_was_live() {
    for desk in desks().await {
        with_versions(&desk).await;
        for number in 1..=9 {
            let version = if number % 2 == 1 { "support.intent@1" } else { "support.intent@2" };
            desk.deploy(&[version], number * 10).await.unwrap();
        }
        let prod = prod();
        let at = |time| desk.registry.at(&prod, time);
        let before = at(minute(10) - chrono::Duration::milliseconds(1)).await;
        assert!(matches!(before, Err(RegistryError::NothingDeployed { .. })));
        for number in 1_u64..=9 {
            let time = minute(10 * i64::try_from(number).unwrap());
            assert_eq!(at(time).await.unwrap().sequence, number, "at the very moment");
            assert_eq!(at(time + chrono::Duration::seconds(599)).await.unwrap().sequence, number, "until the next");
            assert_eq!(at(time - chrono::Duration::milliseconds(1)).await.ok().map_or(0, |release| release.sequence), number - 1);
        }
        assert_eq!(at(minute(100_000)).await.unwrap().sequence, 9);
    }
}

#[tokio::test]
async fn a_clock_that_runs_behind_does_not_turn_the_history_around() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    desk.deploy(&["support.intent@1"], 50).await.unwrap();
    let second = desk.deploy(&["support.intent@2"], 40).await.unwrap();
    assert_eq!(second.time, minute(50));
    assert_eq!(desk.registry.at(&prod(), minute(50)).await.unwrap().sequence, 2);
    assert!(desk.registry.at(&prod(), minute(49)).await.is_err());
}

#[tokio::test]
async fn a_lock_pins_what_is_live() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let nothing = desk.registry.lock_environment(&prod(), "memory://").await;
    assert!(matches!(nothing, Err(RegistryError::NothingDeployed { .. })));
    desk.deploy(&["support.intent@1", "support.reply@1"], 10).await.unwrap();
    let lock = desk.registry.lock_environment(&prod(), "file://.promptops/registry").await.unwrap();
    assert_eq!(Lock::from_bytes(&lock.to_bytes()).unwrap(), lock);
    assert_eq!(lock.release.as_ref().unwrap().sequence, 1);
    let record = desk.registry.version(&reference("support.intent@1")).await.unwrap();
    let pin = &lock.prompts[&record.id];
    assert_eq!((pin.digest, pin.record), (record.digest, record.record_digest()));

    let named = desk.registry.lock_versions(&[reference("support.intent@1"), reference("support.reply@1")], "x").await.unwrap();
    assert_eq!((&named.prompts, &named.release), (&lock.prompts, &None));
    assert_eq!(named.logged.len(), 2, "each has its own proof");
    let both = desk.registry.lock_versions(&[reference("shared.tone@1"), reference("shared.tone@2")], "x").await;
    assert!(matches!(both, Err(RegistryError::TwoVersions { .. })));
}

#[tokio::test]
async fn a_lock_proves_that_what_it_pins_was_logged() {
    for desk in desks().await {
        with_versions(&desk).await;
        desk.deploy(&["support.intent@1", "support.reply@1"], 10).await.unwrap();
        let lock = desk.registry.lock_environment(&prod(), "x").await.unwrap();
        let named = desk.registry.lock_versions(&[reference("shared.tone@1"), reference("support.reply@1")], "x").await.unwrap();
        let (proofs, head) = (lock.check_proofs().unwrap(), desk.registry.log_head().await.unwrap().unwrap());
        assert_eq!(proofs.trees, [head], "the release was logged last");
        assert_eq!((proofs.unproven.len(), named.check_proofs().unwrap().unproven.len()), (0, 0));

        // Whatever is logged later, equal releases have equal locks, and the log still has their trees.
        desk.deploy(&["support.intent@2"], 20).await.unwrap();
        let first = desk.registry.release(&prod(), 1).await.unwrap();
        assert_eq!(desk.registry.lock_release(&first, "x").await.unwrap(), lock);
        let second = desk.registry.lock_environment(&prod(), "x").await.unwrap();
        let mut trees = named.check_proofs().unwrap().trees;
        trees.extend(proofs.trees.iter().chain(&second.check_proofs().unwrap().trees));
        assert_eq!(desk.registry.verify_log(&trees).await.unwrap().problems, []);

        // The release of one lock with the pins of another is neither.
        let mixed = Lock { prompts: second.prompts, ..lock };
        assert_eq!(
            mixed.check_proofs().unwrap_err().to_string(),
            "the pins are not those of release 1 of `prod`, first `support.intent`"
        );
    }
}

#[tokio::test]
async fn a_misspelt_environment_is_refused() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let targets = Targets { versions: vec![reference("support.intent@1")], ..Targets::default() };
    let error = desk.registry.plan(&"prd".parse().unwrap(), &targets, desk.authority(), "rel", minute(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "the configuration names no environment `prd`");
}

#[tokio::test]
async fn a_bundle_is_the_closure_of_a_lock() {
    let desk = Desk::memory().await;
    with_versions(&desk).await;
    let lock = desk.registry.lock_versions(&[reference("support.intent@2"), reference("support.reply@1")], "x").await.unwrap();
    let writer = desk.registry.bundle(&lock).await.unwrap();
    assert_eq!(writer.to_bytes(), desk.registry.bundle(&lock).await.unwrap().to_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.bundle");
    writer.write(&path).unwrap();

    let bundle = Bundle::open(&path).unwrap();
    let names: Vec<&str> = bundle.names().collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("blobs/sha256/")).count(), 3, "two contents and what they include");
    assert!(names.contains(&"records/support.intent/2.json"), "{names:?}");
    let header = BundleHeader::from_bytes(&bundle.get("bundle.json").unwrap().unwrap()).unwrap();
    assert_eq!((header.registry.as_str(), header.release), ("x", None));
    for (id, pin) in &lock.prompts {
        let shard = bundle.get(&BundleHeader::pins_name(&PinSet::shard_name(id))).unwrap().unwrap();
        assert_eq!(PinSet::from_bytes(&shard).unwrap().prompts[id], *pin);
    }
    for (id, pin) in &lock.prompts {
        let record = bundle.get(&format!("records/{id}/{}.json", pin.version)).unwrap().unwrap();
        assert_eq!(Digest::of(&record), pin.record);
        let blob = bundle.get(&format!("blobs/sha256/{}", pin.digest.hex())).unwrap().unwrap();
        assert_eq!(Digest::of(&blob), pin.digest);
    }

    for (id, proof) in &lock.logged {
        let set = bundle.get(&BundleHeader::logged_name(&PinSet::shard_name(id))).unwrap().unwrap();
        assert_eq!(LoggedSet::from_bytes(&set).unwrap().prompts[id], *proof);
    }

    let mut altered = lock;
    altered.prompts.values_mut().for_each(|pin| pin.record = Digest::of(b"x"));
    let error = desk.registry.bundle(&altered).await.unwrap_err();
    assert_eq!(error.to_string(), "the lock pins other bytes than those published as `support.intent@2`");
}

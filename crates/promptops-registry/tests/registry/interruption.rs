//! A process that dies after its n-th write, for every n.
//!
//! Every write is an object of its own, so dying before it is the same as its being impossible: a folder stands where the
//! object should go. That works on the real `file://` backend, without a part of the code made for tests.

use std::collections::BTreeSet;
use std::path::Path;

use promptops_registry::environment::Released;
use promptops_registry::publish::Outcome;
use promptops_registry::status::StatusChange;
use promptops_registry::{Authority, Plan, Policy, Registry, RegistryError, Submission, Targets};
use promptops_store::Store;

use crate::desk::{POLICY, minute, open_store, owners, prod, prompt, provenance, reference, request};

async fn publish(registry: &Registry, name: &str, template: &str) -> Result<Outcome, RegistryError> {
    let (prompt, provenance) = (prompt(name, template), provenance("ann@example.com"));
    let submission = Submission { prompt: &prompt, provenance: &provenance };
    Ok(registry.publish(&submission, &Policy::default(), "ci", minute(0)).await?.outcome)
}

async fn plan(registry: &Registry, versions: &[&str]) -> Plan {
    let (policy, owners) = (Policy::from_toml(POLICY).unwrap(), owners());
    let targets = Targets { versions: versions.iter().map(|text| reference(text)).collect(), ..Targets::default() };
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    registry.plan(&prod(), &targets, authority, "rel", minute(10)).await.unwrap()
}

async fn deploy(registry: &Registry, plan: &Plan) -> Result<Released, RegistryError> {
    let (policy, owners) = (Policy::from_toml(POLICY)?, owners());
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    registry.deploy(plan, authority, "rel", None, minute(11)).await
}

async fn set_status(registry: &Registry, change: StatusChange) -> Result<(), RegistryError> {
    let (policy, owners, name) = (Policy::from_toml(POLICY)?, owners(), reference("a.b@1"));
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    registry.set_status(&request(&name, change), authority, "rel", minute(12)).await.map(|_| ())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn keys(store: &Store) -> BTreeSet<String> {
    store.list("").await.unwrap().into_iter().collect()
}

/// Runs `act` from the state in `before`, interrupted at each of its writes, and then again.
async fn interrupt_everywhere(before: &Path, act: impl AsyncFn(&Registry) -> Result<(), RegistryError>) -> usize {
    let whole = tempfile::tempdir().unwrap();
    copy(before, whole.path());
    let store = open_store(whole.path());
    let at_first = keys(&store).await;
    act(&Registry::open(store.clone()).await.unwrap()).await.unwrap();
    let at_last = keys(&store).await;

    let writes: Vec<&String> = at_last.difference(&at_first).collect();
    for key in &writes {
        let folder = tempfile::tempdir().unwrap();
        copy(before, folder.path());
        let obstacle = folder.path().join("registry").join(key);
        std::fs::create_dir_all(&obstacle).unwrap();
        let store = open_store(folder.path());
        let failed = act(&Registry::open(store.clone()).await.unwrap()).await;
        assert!(failed.is_err(), "{key} is in the way");
        std::fs::remove_dir(&obstacle).unwrap();

        let registry = Registry::open(store.clone()).await.unwrap();
        let report = registry.verify(&[]).await.unwrap();
        assert!(report.is_accepted(), "died before {key}: {:?}", report.problems);
        act(&registry).await.unwrap();
        // The same objects; what was logged in two goes is cut into batches otherwise.
        let unlogged = |keys: &BTreeSet<String>| keys.iter().filter(|key| !key.starts_with("log/")).cloned().collect::<Vec<_>>();
        assert_eq!(unlogged(&keys(&store).await), unlogged(&at_last), "died before {key}");
        assert_eq!(registry.verify(&[]).await.unwrap().problems, [], "died before {key}");
    }
    writes.len()
}

#[tokio::test]
async fn a_repeated_init_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let obstacle = folder.path().join("registry/log/00000000000000000001.json");
    std::fs::create_dir_all(&obstacle).unwrap();
    let store = open_store(folder.path());
    Registry::init(store.clone(), "ops", minute(0)).await.unwrap_err();
    std::fs::remove_dir(&obstacle).unwrap();
    assert!(Registry::open(store.clone()).await.unwrap().verify(&[]).await.unwrap().is_accepted());
    let (registry, _) = Registry::init(store, "ops", minute(0)).await.unwrap();
    assert_eq!(registry.verify(&[]).await.unwrap().problems, []);
}

#[tokio::test]
async fn a_repeated_publish_completes_what_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = Registry::init(open_store(folder.path()), "ops", minute(0)).await.unwrap();
    let writes = interrupt_everywhere(folder.path(), async |registry| publish(registry, "a.b@1", "one").await.map(|_| ()));
    assert_eq!(writes.await, 4, "namespace, content, version and log entry");
    publish(&registry, "a.b@1", "one").await.unwrap();
    let writes = interrupt_everywhere(folder.path(), async |registry| {
        let mut changed = prompt("a.b@1", "one");
        changed.metadata.owner = "billing".into();
        let provenance = provenance("ann@example.com");
        let submission = Submission { prompt: &changed, provenance: &provenance };
        registry.publish(&submission, &Policy::default(), "ci", minute(0)).await.map(|_| ())
    });
    assert_eq!(writes.await, 2, "metadata and log entry");
}

#[tokio::test]
async fn a_repeated_publish_of_many_completes_what_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    Registry::init(open_store(folder.path()), "ops", minute(0)).await.unwrap();
    let includer = prompt("a.user@1", "{% include \"a.tone@1\" %}");
    let prompts = [prompt("a.tone@1", "t"), prompt("b.x@1", "x"), includer, prompt("b.x@2", "y")];
    let provenance = provenance("ann@example.com");
    let submissions: Vec<Submission<'_>> = prompts.iter().map(|prompt| Submission { prompt, provenance: &provenance }).collect();
    let writes = interrupt_everywhere(folder.path(), async |registry| {
        for result in registry.publish_all(&submissions, &Policy::default(), "ci", minute(0)).await? {
            result?;
        }
        Ok(())
    });
    assert_eq!(writes.await, 12, "two namespaces, four contents, four versions, and one batch of the log for each of two steps");
}

#[tokio::test]
async fn a_repeated_deploy_or_rollback_completes_what_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = Registry::init(open_store(folder.path()), "ops", minute(0)).await.unwrap();
    for (name, template) in [("a.b@1", "one"), ("a.b@2", "two"), ("a.c@1", "c"), ("d.e@1", "e")] {
        publish(&registry, name, template).await.unwrap();
    }
    let all = plan(&registry, &["a.b@1", "a.c@1", "d.e@1"]).await;
    let first = interrupt_everywhere(folder.path(), async |registry| deploy(registry, &all).await.map(|_| ()));
    assert_eq!(first.await, 5, "three shards, the release and its log entry");
    assert!(deploy(&registry, &all).await.unwrap().is_new);
    let one = plan(&registry, &["a.b@2"]).await;
    let second = interrupt_everywhere(folder.path(), async |registry| deploy(registry, &one).await.map(|_| ()));
    assert_eq!(second.await, 3, "one shard, the release and its log entry");
    deploy(&registry, &one).await.unwrap();
    let back = interrupt_everywhere(folder.path(), async |registry| {
        registry.rollback(&prod(), None, "rel", None, minute(20)).await.map(|_| ())
    });
    assert_eq!(back.await, 2, "the release and its log entry");
}

#[tokio::test]
async fn a_repeated_change_of_status_completes_what_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = Registry::init(open_store(folder.path()), "ops", minute(0)).await.unwrap();
    for (name, template) in [("a.b@1", "one"), ("a.b@2", "two")] {
        publish(&registry, name, template).await.unwrap();
    }
    let deprecation = StatusChange::Deprecate { date: "2026-12-01".parse().unwrap(), replacement: Some(reference("a.b@2")) };
    // Each is interrupted on top of what the ones before it left, and undoing is a change like any other.
    for change in [
        StatusChange::Yank,
        StatusChange::Unyank,
        deprecation,
        StatusChange::Yank,
        StatusChange::Unyank,
        StatusChange::Undeprecate,
    ] {
        let act = async |registry: &Registry| set_status(registry, change.clone()).await;
        assert_eq!(interrupt_everywhere(folder.path(), act).await, 2, "the record and its log entry: {change:?}");
        set_status(&Registry::open(open_store(folder.path())).await.unwrap(), change).await.unwrap();
    }
}

#[tokio::test]
async fn the_next_change_of_status_completes_the_entry_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, _) = Registry::init(open_store(folder.path()), "ops", minute(0)).await.unwrap();
    for (name, template) in [("a.b@1", "one"), ("a.b@2", "two")] {
        publish(&registry, name, template).await.unwrap();
    }
    let obstacle = folder.path().join("registry/log/00000000000000000004.json");
    std::fs::create_dir_all(&obstacle).unwrap();
    set_status(&registry, StatusChange::Yank).await.unwrap_err();
    std::fs::remove_dir(&obstacle).unwrap();
    let problems = registry.verify(&[]).await.unwrap().problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].remedy.starts_with("repeat the yank"), "{problems:?}");
    // Somebody yanks another version.
    let (policy, owners, name) = (Policy::from_toml(POLICY).unwrap(), owners(), reference("a.b@2"));
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    registry.set_status(&request(&name, StatusChange::Yank), authority, "somebody else", minute(9)).await.unwrap();
    assert_eq!(registry.verify(&[]).await.unwrap().problems, []);
    let batches = registry.log_batches(4, 2).await.unwrap();
    let entries: Vec<_> = batches.into_iter().flat_map(|batch| batch.entries).collect();
    assert_eq!(entries[0].details["completed_by"], "somebody else");
    assert_eq!((entries[0].actor.as_str(), entries[1].actor.as_str()), ("rel", "somebody else"));
}

#[tokio::test]
async fn the_same_plan_deployed_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (registry, _) = Registry::init(store.clone(), "ops", minute(0)).await.unwrap();
    publish(&registry, "a.b@1", "one").await.unwrap();
    let plan = plan(&registry, &["a.b@1"]).await;
    assert!(deploy(&registry, &plan).await.unwrap().is_new);
    let before = keys(&store).await;
    assert!(!deploy(&registry, &plan).await.unwrap().is_new);
    assert_eq!(keys(&store).await, before);
}

#[tokio::test]
async fn the_log_says_who_completed_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (registry, _) = Registry::init(store.clone(), "ops", minute(0)).await.unwrap();
    let obstacle = folder.path().join("registry/log/00000000000000000002.json");
    std::fs::create_dir_all(&obstacle).unwrap();
    publish(&registry, "a.b@1", "one").await.unwrap_err();
    std::fs::remove_dir(&obstacle).unwrap();
    let (prompt, provenance) = (prompt("a.b@1", "one"), provenance("ann@example.com"));
    let submission = Submission { prompt: &prompt, provenance: &provenance };
    registry.publish(&submission, &Policy::default(), "somebody else", minute(9)).await.unwrap();
    let entry = registry.log_batches(2, 1).await.unwrap().remove(0).entries.remove(0);
    assert_eq!((entry.actor.as_str(), entry.time), ("ci", minute(0)), "what the version says of itself");
    assert_eq!(entry.details["completed_by"], "somebody else");
}

//! Publishing: immutability, lineage, includes, metadata, namespaces, races.

use std::collections::BTreeSet;

use promptops_prompt::{Content, Prompt};
use promptops_registry::audit::AuditAction;
use promptops_registry::publish::Outcome;
use promptops_registry::{ErrorKind, Policy, Provenance, Registry, RegistryError, Submission};
use promptops_store::{Created, Store, StoreOptions};

use crate::desk::{Desk, SOURCE, desks, minute, open_store, prompt, provenance, reference};

#[tokio::test]
async fn a_version_is_published_once_and_found_again() {
    for desk in desks().await {
        let tone = prompt("shared.tone@1", "Be kind.");
        let root = prompt("support.intent@1", "{% include \"shared.tone@1\" %} {{ message }}");
        assert_eq!(desk.publish(&tone).await.unwrap().outcome, Outcome::New);
        let published = desk.publish(&root).await.unwrap();
        assert_eq!(published.outcome, Outcome::New);
        assert_eq!(desk.publish(&root).await.unwrap().outcome, Outcome::Already);

        let (record, closure) = desk.registry.closure(&reference("support.intent@1")).await.unwrap();
        assert_eq!((record.digest, record.published.by.as_str()), (published.digest, "ci@example.com"));
        assert_eq!(closure.root.digest(), published.digest);
        assert_eq!(closure.includes[&reference("shared.tone@1")], Content::new(&tone, Default::default()));
        assert_eq!(desk.registry.latest(&root.id).await.unwrap(), record);
        assert_eq!(desk.registry.list().await.unwrap().len(), 2);

        let log = desk.log().await;
        let actions: Vec<AuditAction> = log.iter().map(|entry| entry.action).collect();
        assert_eq!(actions, [AuditAction::Init, AuditAction::Publish, AuditAction::Publish]);
        assert_eq!(log[2].digest, record.record_digest());
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn other_content_is_refused_with_both_digests() {
    for desk in desks().await {
        let one = desk.publish(&prompt("a.b@1", "one")).await.unwrap();
        let error = desk.publish(&prompt("a.b@1", "two")).await.unwrap_err();
        let offered = Content::new(&prompt("a.b@1", "two"), Default::default()).digest();
        assert_eq!(error.to_string(), format!("`a.b@1` is published with digest `{}` and cannot become `{offered}`", one.digest));
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(desk.registry.version(&reference("a.b@1")).await.unwrap().digest, one.digest);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn lineage_must_be_published_and_stays() {
    let desk = Desk::memory().await;
    let text = |error: RegistryError| error.to_string();
    let orphan = prompt("a.b@2", "two");
    assert_eq!(text(desk.publish(&orphan).await.unwrap_err()), "`a.b@2` comes from `a.b@1`, which is not published");
    let parentless = Prompt { parent: None, ..orphan.clone() };
    assert_eq!(text(desk.publish(&parentless).await.unwrap_err()), "a version above 1 needs a `parent`: `a.b@2`");
    let backwards = Prompt { parent: Some(reference("a.b@2")), ..orphan.clone() };
    assert_eq!(text(desk.publish(&backwards).await.unwrap_err()), "the `parent` must be an earlier version: `a.b@2`");

    desk.publish(&prompt("a.b@1", "one")).await.unwrap();
    desk.publish(&orphan).await.unwrap();
    let skipping = Prompt { parent: Some(reference("a.b@1")), ..prompt("a.b@9", "nine") };
    desk.publish(&skipping).await.unwrap();
    let fork = Prompt { parent: Some(reference("a.b@2")), ..prompt("c.d@1", "fork") };
    desk.publish(&fork).await.unwrap();
    let other_parent = Prompt { parent: None, ..fork };
    assert_eq!(
        text(desk.publish(&other_parent).await.unwrap_err()),
        "`c.d@1` is published with parent `a.b@2` and cannot get parent none"
    );
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_missing_or_loose_include_is_named() {
    let desk = Desk::memory().await;
    let text = |error: RegistryError| error.to_string();
    let missing = prompt("a.b@1", "{% include \"shared.tone@3\" %}");
    assert_eq!(text(desk.publish(&missing).await.unwrap_err()), "`a.b@1` includes `shared.tone@3`, which is not published");
    let loose = prompt("a.b@1", "{% include \"shared.tone\" %}");
    assert_eq!(
        text(desk.publish(&loose).await.unwrap_err()),
        "`a.b@1` has a template that cannot be published: an include must be pinned as `id@version`"
    );
    let broken = desk.publish(&prompt("a.b@1", "{% if %}")).await.unwrap_err();
    assert!(matches!(broken, RegistryError::Template { .. }), "{broken}");
    assert_eq!(desk.registry.list().await.unwrap().len(), 0);
}

#[tokio::test]
async fn metadata_changes_are_records_of_their_own() {
    for desk in desks().await {
        let mut prompt = prompt("a.b@1", "one");
        desk.publish(&prompt).await.unwrap();
        let record = desk.registry.version(&prompt.reference()).await.unwrap();
        for (number, owner) in [(1, "billing"), (2, "support")] {
            prompt.metadata.owner = owner.into();
            assert_eq!(desk.publish(&prompt).await.unwrap().outcome, Outcome::MetadataChanged(number));
            assert_eq!(desk.publish(&prompt).await.unwrap().outcome, Outcome::Already);
            assert_eq!(desk.registry.metadata(&record).await.unwrap().owner, owner);
        }
        assert_eq!(desk.registry.version(&prompt.reference()).await.unwrap(), record, "the version itself never changes");
        let log = desk.log().await;
        assert_eq!(
            log[2..].iter().map(|entry| entry.subject.as_str()).collect::<Vec<_>>(),
            ["prompts/a.b/metadata/00000000000000000001.json", "prompts/a.b/metadata/00000000000000000002.json"]
        );
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_namespace_belongs_to_who_published_first() {
    let desk = Desk::memory().await;
    desk.publish(&prompt("support.intent@1", "one")).await.unwrap();
    let foreign = Provenance { source: "github.com/other/prompts".into(), ..provenance("eve@example.com") };
    for name in ["support.reply@1", "support.eu.reply@1"] {
        let prompt = prompt(name, "x");
        let submission = Submission { prompt: &prompt, provenance: &foreign };
        let error = desk.registry.publish(&submission, &desk.policy, "eve", minute(1)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("namespace `support` belongs to `{SOURCE}`, so `github.com/other/prompts` cannot publish into it")
        );
        let open = "[policy.namespaces]\nsupport = [\"github.com/acme/prompts\", \"github.com/other/prompts\"]";
        desk.registry.publish(&submission, &Policy::from_toml(open).unwrap(), "eve", minute(1)).await.unwrap();
    }
    // Ids of one part have a namespace of their own; it is above no other.
    let (first, second) = (prompt("tone@1", "x"), prompt("billing.tone@1", "x"));
    desk.publish(&first).await.unwrap();
    let submission = Submission { prompt: &second, provenance: &foreign };
    desk.registry.publish(&submission, &desk.policy, "eve", minute(1)).await.unwrap();
    desk.assert_sound().await;
}

/// Publishes 32 contents of one version at once and asserts that one wins and 31 are told which.
async fn race(registries: Vec<Registry>) {
    let policy = Policy::default();
    let prompts: Vec<Prompt> = (0..32).map(|number| prompt("a.b@1", &format!("content {number}"))).collect();
    let provenance = provenance("ann@example.com");
    let attempts = prompts.iter().zip(&registries).map(|(prompt, registry)| {
        let (policy, provenance) = (&policy, &provenance);
        async move { registry.publish(&Submission { prompt, provenance }, policy, "ci", minute(0)).await }
    });
    let outcomes = futures::future::join_all(attempts).await;
    let winners: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let told: BTreeSet<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Err(RegistryError::Immutable { published, .. }) => Some(*published),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        })
        .collect();
    assert_eq!(told, [winners[0].digest].into());
    let published = registries[0].version(&reference("a.b@1")).await.unwrap();
    assert_eq!(published.digest, winners[0].digest);
    assert_eq!(registries[0].content(&published.digest).await.unwrap().digest(), published.digest);
    let report = registries[0].verify(&[]).await.unwrap();
    assert!(report.is_accepted(), "{:?}", report.problems);
    assert_eq!(report.head.unwrap().size, 2, "init and one publish");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_racing_publishers_one_wins() {
    let memory = Store::open("memory://", &StoreOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for store in [memory, open_store(folder.path())] {
        let mut registries = Vec::new();
        for _ in 0..32 {
            // Each opens for itself, as a process of its own would.
            registries.push(Registry::init(store.clone(), "ops", minute(-1)).await.unwrap().0);
        }
        race(registries).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_publishers_of_one_content_all_succeed() {
    let memory = Store::open("memory://", &StoreOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for store in [memory, open_store(folder.path())] {
        let (prompt, provenance) = (prompt("a.b@1", "one"), provenance("ann@example.com"));
        let mut registries = Vec::new();
        for _ in 0..32 {
            registries.push(Registry::init(store.clone(), "ops", minute(-1)).await.unwrap().0);
        }
        let submission = Submission { prompt: &prompt, provenance: &provenance };
        let policy = Policy::default();
        let attempts = (0..).zip(&registries).map(|(number, registry)| {
            let (submission, policy) = (&submission, &policy);
            async move { registry.publish(submission, policy, &format!("ci {number}"), minute(0)).await }
        });
        let outcomes = futures::future::join_all(attempts).await;
        let new = outcomes.iter().filter(|outcome| outcome.as_ref().unwrap().outcome == Outcome::New);
        assert_eq!(new.count(), 1);
        let report = registries[0].verify(&[]).await.unwrap();
        assert_eq!((report.problems, report.head.unwrap().size), (vec![], 2), "init and one publish");
    }
}

#[tokio::test]
async fn racing_publishers_of_different_versions_all_get_into_the_log() {
    for desk in desks().await {
        let prompts: Vec<Prompt> = (0..24).map(|number| prompt(&format!("a.p{number}@1"), "x")).collect();
        let outcomes = futures::future::join_all(prompts.iter().map(|prompt| desk.publish(prompt))).await;
        assert!(outcomes.iter().all(Result::is_ok));
        let log = desk.log().await;
        let subjects: BTreeSet<&str> = log.iter().map(|entry| entry.subject.as_str()).collect();
        assert_eq!((log.len(), subjects.len()), (25, 25));
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn many_are_published_in_the_order_they_need_and_logged_together() {
    for desk in desks().await {
        let mut prompts = vec![prompt("a.tone@1", "Be kind.")];
        prompts.extend((0..300).map(|number| prompt(&format!("b.p{number}@1"), "{% include \"a.tone@1\" %} x")));
        prompts.push(prompt("b.p7@2", "y"));
        let results = desk.publish_all(&prompts).await.unwrap();
        let references: Vec<_> = results.iter().map(|result| result.as_ref().unwrap().reference.clone()).collect();
        assert_eq!(references, prompts.iter().map(Prompt::reference).collect::<Vec<_>>(), "results are in the order given");
        assert!(results.iter().all(|result| result.as_ref().unwrap().outcome == Outcome::New));

        let batches = desk.registry.log_batches(2, 10).await.unwrap();
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.entries.len()).collect();
        assert_eq!(sizes, [1, 256, 44, 1], "the include, what includes it in batches that stay small, and the second version");
        desk.assert_sound().await;

        assert!(
            desk.publish_all(&prompts).await.unwrap().iter().all(|result| result.as_ref().unwrap().outcome == Outcome::Already)
        );
        assert_eq!(desk.registry.log_head().await.unwrap().unwrap().size, 303, "nothing is logged twice");
    }
}

#[tokio::test]
async fn one_that_is_refused_keeps_back_only_what_needs_it() {
    let desk = Desk::memory().await;
    desk.publish(&prompt("a.tone@1", "Be kind.")).await.unwrap();
    let prompts = [
        prompt("a.tone@1", "Be rude."),
        prompt("a.other@1", "x"),
        prompt("c.orphan@2", "no parent"),
        prompt("c.user@1", "{% include \"c.orphan@2\" %}"),
        prompt("a.other@1", "x"),
    ];
    let results = desk.publish_all(&prompts).await.unwrap();
    let texts: Vec<String> = results
        .iter()
        .map(|result| result.as_ref().map_or_else(ToString::to_string, |done| format!("{:?}", done.outcome)))
        .collect();
    assert!(texts[0].contains("cannot become"), "{texts:?}");
    assert_eq!(texts[1], "New");
    assert_eq!(texts[2], "`c.orphan@2` comes from `c.orphan@1`, which is not published");
    assert_eq!(texts[3], "`c.user@1` includes `c.orphan@2`, which is not published");
    assert_eq!(texts[4], "Already", "the same version twice is published once");
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_folder_that_is_no_registry_is_named() {
    let store = Store::open("memory://", &StoreOptions::default()).unwrap();
    let error = Registry::open(store.clone()).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind()), ("there is no registry at `memory://`", ErrorKind::NotFound));
    assert_eq!(Registry::init(store.clone(), "ops", minute(0)).await.unwrap().1, Created::New);
    assert_eq!(Registry::init(store.clone(), "ops", minute(1)).await.unwrap().1, Created::Same);
    assert_eq!(Registry::open(store).await.unwrap().log_head().await.unwrap().unwrap().size, 1);
}

#[tokio::test]
async fn what_is_not_published_is_named() {
    let desk = Desk::memory().await;
    desk.publish(&prompt("a.b@1", "one")).await.unwrap();
    let error = desk.registry.version(&reference("a.b@2")).await.unwrap_err();
    assert_eq!(error.to_string(), "the registry has no version `a.b@2`");
    let error = desk.registry.latest(&"a.c".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the registry has no prompt `a.c`");
}

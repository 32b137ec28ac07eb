//! The index says what the objects say: from the log alone, from snapshots, and when it is damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptops_prompt::status::State;
use promptops_prompt::{Prompt, PromptId};
use promptops_registry::Registry;
use promptops_registry::index::{Catalogue, Refreshed};
use promptops_registry::inventory::Filter;
use promptops_registry::status::StatusChange;
use promptops_registry::verify::{Report, Severity};
use tempfile::TempDir;

use crate::desk::{Desk, desks, open_store, prompt, reference, tagged};

fn id(text: &str) -> PromptId {
    text.parse().unwrap()
}

/// The catalogue of a registry whose index is as it should be.
async fn catalogue(registry: &Registry) -> Catalogue {
    let index = registry.index().await.unwrap();
    let catalogue = index.catalogue().await.unwrap();
    assert_eq!(index.notices(), Vec::<String>::new());
    for (id, prompt) in &catalogue {
        let versions = index.versions(id).await.unwrap();
        assert_eq!(versions.keys().copied().collect::<std::collections::BTreeSet<_>>(), prompt.versions, "{id}");
        assert_eq!(versions[&prompt.latest_version()], prompt.latest, "{id}");
    }
    catalogue
}

fn written(refreshed: Refreshed) -> (u64, u64) {
    match refreshed {
        Refreshed::Written { number, position, .. } => (number, position),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_registry_without_a_snapshot_has_its_log_for_an_index() {
    for desk in desks().await {
        assert_eq!(catalogue(&desk.registry).await, BTreeMap::new());
        desk.publish(&tagged("shared.tone@1", "Be kind.", &["shared"])).await.unwrap();
        desk.publish(&prompt("a.b@1", "{% include 'shared.tone@1' %} one")).await.unwrap();
        desk.publish(&prompt("a.b@2", "two")).await.unwrap();
        let catalogue = catalogue(&desk.registry).await;
        let prompt = &catalogue[&id("a.b")];
        assert_eq!(prompt.versions.iter().map(|version| version.number()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(prompt.includes, [reference("shared.tone@1")].into());
        assert_eq!(prompt.latest.parent, Some(reference("a.b@1")));
        assert_eq!((prompt.latest.model.as_str(), prompt.latest.author.as_str()), ("claude-3-5-sonnet", "ann@example.com"));
        let record = desk.registry.version(&reference("a.b@2")).await.unwrap();
        assert_eq!((prompt.latest.digest, prompt.latest.record), (record.digest, record.record_digest()));
        assert_eq!(catalogue[&id("shared.tone")].latest.metadata.tags, ["shared"]);
    }
}

#[tokio::test]
async fn snapshots_the_log_and_the_objects_agree_at_every_step() {
    let desk = Desk::memory().await;
    // Every prompt in three versions; after each publish its tags change, now of this version, now of the one before.
    let steps = (1..=3).flat_map(|version| (0..7).map(move |number| (number, version)));
    for (step, (number, version)) in steps.enumerate() {
        let name = |version: u32| format!("n{}.p{number}@{version}", number % 2);
        desk.publish(&prompt(&name(version), &format!("text {version}"))).await.unwrap();
        let about = if step % 2 == 0 { version } else { 1.max(version - 1) };
        desk.publish(&tagged(&name(about), &format!("text {about}"), &[&format!("step-{step}")])).await.unwrap();
        let before = catalogue(&desk.registry).await;
        match step % 4 {
            0 => drop(written(desk.registry.refresh_index(0).await.unwrap())),
            1 => assert_eq!(desk.registry.refresh_index(1000).await.unwrap(), Refreshed::Current),
            2 => drop(written(desk.registry.reindex().await.unwrap())),
            _ => {}
        }
        assert_eq!(catalogue(&desk.registry).await, before, "step {step}");
        desk.assert_sound().await;
    }
    let replayed = catalogue(&desk.registry).await;
    assert_eq!(replayed.len(), 7);
    desk.registry.reindex().await.unwrap();
    assert_eq!(catalogue(&desk.registry).await, replayed, "built from the objects it is the same");
    assert_eq!(desk.registry.reindex().await.unwrap(), Refreshed::Current, "and building it again writes nothing");
}

#[tokio::test]
async fn what_is_withdrawn_is_in_the_index_until_it_is_taken_back() {
    for desk in desks().await {
        desk.publish(&prompt("a.b@1", "one")).await.unwrap();
        desk.publish(&prompt("a.b@2", "two")).await.unwrap();
        written(desk.registry.refresh_index(0).await.unwrap());
        let withdrawn = async || {
            let catalogue = catalogue(&desk.registry).await;
            let versions = desk.registry.index().await.unwrap().versions(&id("a.b")).await.unwrap();
            let of = |entry: &promptops_registry::index::VersionEntry| entry.withdrawal().map(|record| record.state);
            assert_eq!(of(&catalogue[&id("a.b")].latest), of(&versions[&reference("a.b@2").version]));
            versions.values().map(of).collect::<Vec<_>>()
        };
        desk.yank("a.b@1", 1).await.unwrap();
        assert_eq!(withdrawn().await, [Some(State::Yanked), None]);
        written(desk.registry.refresh_index(0).await.unwrap());
        desk.yank("a.b@2", 2).await.unwrap();
        let filter = Filter { withdrawn: true, ..Filter::default() };
        assert_eq!(filter.apply(catalogue(&desk.registry).await).len(), 1);
        written(desk.registry.reindex().await.unwrap());
        assert_eq!(withdrawn().await, [Some(State::Yanked), Some(State::Yanked)]);
        desk.assert_sound().await;
        desk.change("a.b@2", StatusChange::Unyank, 3).await.unwrap();
        assert_eq!(withdrawn().await, [Some(State::Yanked), None]);
        written(desk.registry.refresh_index(0).await.unwrap());
        assert_eq!(withdrawn().await, [Some(State::Yanked), None]);
        assert_eq!(filter.apply(catalogue(&desk.registry).await).len(), 0);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn a_snapshot_shares_what_did_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::at(folder.path()).await;
    for number in 0..20 {
        desk.publish(&prompt(&format!("p{number}@1"), "text")).await.unwrap();
    }
    let (number, position) = written(desk.registry.refresh_index(10).await.unwrap());
    assert_eq!((number, position), (1, 21), "the log begins with the making of the registry");
    let before = objects(folder.path());
    desk.publish(&prompt("p3@2", "other")).await.unwrap();
    assert_eq!(written(desk.registry.refresh_index(0).await.unwrap()), (2, 22));
    let new: Vec<PathBuf> = objects(folder.path()).into_iter().filter(|path| !before.contains(path)).collect();
    assert_eq!(new.len(), 3, "a manifest, and the shards of one prompt: {new:?}");
}

#[tokio::test]
async fn a_snapshot_is_due_by_the_entries_of_the_log_however_they_lie_in_it() {
    let desk = Desk::memory().await;
    let prompts: Vec<Prompt> = (0..12).map(|number| prompt(&format!("p{number}@1"), "text")).collect();
    desk.publish_all(&prompts).await.unwrap();
    assert!(desk.registry.log_batches(1, 9).await.unwrap().len() < 5, "they were logged together");
    assert_eq!(desk.registry.refresh_index(13).await.unwrap(), Refreshed::Current);
    desk.publish(&prompt("late@1", "text")).await.unwrap();
    written(desk.registry.refresh_index(13).await.unwrap());
    assert_eq!(desk.registry.refresh_index(0).await.unwrap(), Refreshed::Current);
    desk.publish(&prompt("later@1", "text")).await.unwrap();
    assert_eq!(desk.registry.refresh_index(1).await.unwrap(), Refreshed::Current);
    written(desk.registry.refresh_index(0).await.unwrap());
    assert_eq!(catalogue(&desk.registry).await.len(), 14);
}

#[tokio::test]
async fn of_writers_that_race_one_wins_and_the_others_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::at(folder.path()).await;
    for number in 0..5 {
        desk.publish(&prompt(&format!("p{number}@1"), "text")).await.unwrap();
    }
    let writers: Vec<Registry> =
        futures::future::join_all((0..8).map(|_| async { Registry::open(open_store(folder.path())).await.unwrap() })).await;
    let done = futures::future::join_all(writers.iter().map(|registry| registry.refresh_index(0))).await;
    let done: Vec<Refreshed> = done.into_iter().map(Result::unwrap).collect();
    assert!(done.iter().any(|refreshed| matches!(refreshed, Refreshed::Written { number: 1, .. })), "{done:?}");
    desk.publish(&prompt("late@1", "text")).await.unwrap();
    assert_eq!(catalogue(&desk.registry).await.len(), 6);
    desk.assert_sound().await;
}

/// A registry in a folder with a snapshot, and a version that was published after it.
async fn with_snapshot() -> (TempDir, Desk) {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::at(folder.path()).await;
    desk.publish(&prompt("a.b@1", "one")).await.unwrap();
    desk.publish(&tagged("c.d@1", "two", &["x"])).await.unwrap();
    written(desk.registry.refresh_index(0).await.unwrap());
    desk.publish(&prompt("a.b@2", "three")).await.unwrap();
    (folder, desk)
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("registry/index")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn index_problems(report: &Report) -> usize {
    assert!(report.is_accepted(), "nothing that counts is damaged: {:?}", report.problems);
    assert!(report.problems.iter().all(|problem| problem.severity == Severity::Index), "{:?}", report.problems);
    report.problems.len()
}

/// Asserts that readers are told the truth and why it took longer, and that building the index anew mends it.
async fn assert_mendable(folder: &Path, expected: &Catalogue, case: &str) {
    let registry = Registry::open(open_store(folder)).await.unwrap();
    let index = registry.index().await.unwrap();
    assert_eq!(index.catalogue().await.unwrap(), *expected, "{case}");
    assert_eq!(index.versions(&id("a.b")).await.unwrap().len(), 2, "{case}");
    let notices = index.notices();
    assert!(notices.iter().any(|notice| notice.contains("the index cannot be used")), "{case}: {notices:?}");
    assert!(index_problems(&registry.verify(&[]).await.unwrap()) > 0, "{case}");

    registry.reindex().await.unwrap();
    let registry = Registry::open(open_store(folder)).await.unwrap();
    assert_eq!(catalogue(&registry).await, *expected, "{case}");
    assert_eq!(registry.verify(&[]).await.unwrap().problems, [], "{case}");
}

#[tokio::test]
async fn any_damage_to_the_index_is_said_survived_and_mended() {
    let count = objects(with_snapshot().await.0.path()).len();
    assert_eq!(count, 5, "a manifest, and for each prompt a shard of the catalogue and one of versions");
    for number in 0..count {
        for damage in ["altered", "emptied", "removed"] {
            let (folder, desk) = with_snapshot().await;
            let expected = catalogue(&desk.registry).await;
            let file = objects(folder.path())[number].clone();
            let bytes = std::fs::read(&file).unwrap();
            let is_manifest = file.extension().is_some();
            match damage {
                "altered" if is_manifest => std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap(),
                "altered" => {
                    let mut altered = bytes.clone();
                    altered[bytes.len() / 2] ^= 1;
                    std::fs::write(&file, &altered).unwrap();
                }
                "emptied" => std::fs::write(&file, b"").unwrap(),
                // Without its manifest a snapshot was never made, which is no damage.
                _ if is_manifest => continue,
                _ => std::fs::remove_file(&file).unwrap(),
            }
            let case = format!("{} {damage}", file.display());
            if file_is_read(&desk, &file).await {
                assert_mendable(folder.path(), &expected, &case).await;
            } else {
                assert!(index_problems(&desk.registry.verify(&[]).await.unwrap()) > 0, "{case}");
            }
        }
    }
}

/// Tells whether the catalogue or the versions of `a.b` need a file: not so the versions of the other prompt.
async fn file_is_read(desk: &Desk, file: &Path) -> bool {
    let index = desk.registry.index().await.unwrap();
    index.catalogue().await.unwrap();
    index.versions(&id("a.b")).await.unwrap();
    let is_read = !index.notices().is_empty();
    assert!(is_read || file.extension().is_none(), "a manifest is always read");
    is_read
}

#[tokio::test]
async fn an_index_may_be_removed_whole_while_others_use_it() {
    let (folder, desk) = with_snapshot().await;
    written(desk.registry.refresh_index(0).await.unwrap());
    let expected = catalogue(&desk.registry).await;
    for rebuild in [false, true] {
        std::fs::remove_dir_all(folder.path().join("registry/index")).unwrap();
        if !rebuild {
            assert_eq!(catalogue(&desk.registry).await, expected);
        }
        assert_eq!(written(desk.registry.reindex().await.unwrap()).0, 1, "numbers begin again");
        assert_eq!(catalogue(&desk.registry).await, expected);
        desk.assert_sound().await;
    }
}

#[tokio::test]
async fn an_index_that_says_something_else_is_found() {
    let (folder, desk) = with_snapshot().await;
    let manifest = folder.path().join("registry/index/00000000000000000001.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let problems = |text: String| {
        std::fs::write(&manifest, text).unwrap();
        desk.registry.verify(&[])
    };
    let what = |report: Report| {
        index_problems(&report);
        report.problems.into_iter().map(|problem| problem.what).collect::<Vec<_>>()
    };
    let claims_more = problems(text.replace("\"position\":3", "\"position\":4")).await.unwrap();
    assert_eq!(what(claims_more), ["the index lacks `prompts/a.b/0000000002.json`, which batch 4 of the log names"]);
    let claims_the_future = problems(text.replace("\"position\":3", "\"position\":5")).await.unwrap();
    assert!(what(claims_the_future).contains(&"the snapshot holds more than the log has".to_owned()));
    let lacks_all = problems(text[..text.find("\"shards\"").unwrap()].to_owned() + "\"shards\":{}}").await.unwrap();
    assert_eq!(what(lacks_all).len(), 2);
    assert_eq!(problems(text).await.unwrap().problems, []);
}

#[tokio::test]
async fn a_version_whose_publish_was_interrupted_appears_when_it_is_complete() {
    let (folder, mut desk) = with_snapshot().await;
    std::fs::remove_file(folder.path().join("registry/log/00000000000000000004.json")).unwrap();
    desk.registry = Registry::open(open_store(folder.path())).await.unwrap();
    assert_eq!(catalogue(&desk.registry).await[&id("a.b")].versions.len(), 1);
    let version: Prompt = prompt("a.b@2", "three");
    desk.publish(&version).await.unwrap();
    assert_eq!(catalogue(&desk.registry).await[&id("a.b")].versions.len(), 2);
}

#[tokio::test]
async fn a_batch_that_was_cut_out_of_the_log_does_not_hide_what_follows() {
    let (folder, desk) = with_snapshot().await;
    desk.publish(&prompt("e.f@1", "four")).await.unwrap();
    let expected = catalogue(&desk.registry).await;
    std::fs::remove_file(folder.path().join("registry/log/00000000000000000004.json")).unwrap();
    let registry = Registry::open(open_store(folder.path())).await.unwrap();
    let index = registry.index().await.unwrap();
    assert_eq!(index.catalogue().await.unwrap(), expected);
    assert_eq!(index.notices().len(), 1, "{:?}", index.notices());
    assert!(index.notices()[0].contains("run `promptops registry verify`"));
}

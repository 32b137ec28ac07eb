//! Verification finds what was altered, removed, reordered, or written past the registry (G6 in its first form).

use std::path::{Path, PathBuf};

use promptops_prompt::digest::canonical_json;
use promptops_registry::Registry;
use promptops_registry::audit::AuditBatch;
use promptops_registry::verify::{Report, Severity};
use tempfile::TempDir;

use crate::desk::{Desk, open_store, prod, prompt, reference, tagged};

/// A registry in a folder with two versions, an approval and two releases.
async fn sound() -> (TempDir, Desk) {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::at(folder.path()).await;
    desk.publish(&tagged("a.b@1", "one", &["legal"])).await.unwrap();
    desk.publish(&prompt("c.d@1", "two")).await.unwrap();
    desk.approve("bob", "legal", "a.b@1", 1, 7).await.unwrap();
    desk.deploy(&["a.b@1"], 2).await.unwrap();
    desk.deploy(&["c.d@1"], 3).await.unwrap();
    desk.assert_sound().await;
    (folder, desk)
}

/// Opens again, as an auditor would: nothing is remembered.
async fn verify(folder: &Path) -> Report {
    Registry::open(open_store(folder)).await.unwrap().verify(&[]).await.unwrap()
}

fn damaged(report: &Report) -> Vec<&str> {
    let damage = report.problems.iter().filter(|problem| problem.severity == Severity::Damage);
    let mut keys: Vec<&str> = damage.map(|problem| problem.key.as_str()).collect();
    keys.dedup();
    keys
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn log(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("registry/log/{number:020}.json"))
}

#[tokio::test]
async fn any_altered_object_is_found() {
    let (folder, _desk) = sound().await;
    let root = folder.path().join("registry");
    let last_entry = log(folder.path(), 6);
    for file in files(&root) {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        // A probe is checked by probing; the end of the log by a head that was kept.
        if name.starts_with("probes/") || file == last_entry {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        for position in [1, bytes.len() / 2, bytes.len() - 2] {
            let mut altered = bytes.clone();
            altered[position] ^= 1;
            std::fs::write(&file, &altered).unwrap();
            let registry = Registry::open(open_store(folder.path())).await;
            if name == "format.json" && registry.is_err() {
                continue;
            }
            let report = registry.unwrap().verify(&[]).await.unwrap();
            assert!(!report.is_accepted(), "{name} altered at {position}");
        }
        std::fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(verify(folder.path()).await.problems, []);
}

#[tokio::test]
async fn any_removed_object_is_found() {
    let (folder, _desk) = sound().await;
    let root = folder.path().join("registry");
    let last_entry = log(folder.path(), 6);
    for file in files(&root) {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        // A namespace without a claim is free again; the end of the log shows only against a kept head.
        if name.starts_with("probes/") || name.starts_with("namespaces/") || name == "format.json" || file == last_entry {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let report = verify(folder.path()).await;
        assert!(!report.is_accepted(), "{name} removed");
        std::fs::write(&file, &bytes).unwrap();
    }
}

#[tokio::test]
async fn reordered_and_rewritten_logs_are_found() {
    let (folder, desk) = sound().await;
    let head = desk.registry.log_head().await.unwrap().unwrap();
    assert_eq!(head.size, 6);
    assert_eq!(head.to_string().parse(), Ok(head));

    let (three, four) = (std::fs::read(log(folder.path(), 3)).unwrap(), std::fs::read(log(folder.path(), 4)).unwrap());
    std::fs::write(log(folder.path(), 3), &four).unwrap();
    std::fs::write(log(folder.path(), 4), &three).unwrap();
    let report = verify(folder.path()).await;
    assert_eq!(damaged(&report)[..2], ["log/00000000000000000003.json", "log/00000000000000000004.json"]);
    std::fs::write(log(folder.path(), 3), &three).unwrap();
    std::fs::write(log(folder.path(), 4), &four).unwrap();

    // What is cut off the end shows only against a head kept elsewhere.
    std::fs::remove_file(log(folder.path(), 6)).unwrap();
    let registry = Registry::open(open_store(folder.path())).await.unwrap();
    let report = registry.verify_log(&[]).await.unwrap();
    assert!(report.is_accepted());
    assert_eq!(report.problems[0].what, "the log does not name the object", "the last release has lost its entry");
    let report = registry.verify_log(&[head]).await.unwrap();
    assert_eq!(damaged(&report), ["log/00000000000000000006.json"]);
    assert_eq!(report.problems.last().unwrap().what, "the log ends before the expected head");
}

#[tokio::test]
async fn a_log_written_anew_shows_against_a_kept_head() {
    let (folder, desk) = sound().await;
    let head = desk.registry.log_head().await.unwrap().unwrap();
    let path = log(folder.path(), 6);
    let text = std::fs::read_to_string(&path).unwrap();
    let forged = text.replace("rel@example.com", "eve@example.com");
    std::fs::write(&path, &forged).unwrap();
    let registry = Registry::open(open_store(folder.path())).await.unwrap();
    let report = registry.verify_log(&[]).await.unwrap();
    assert_eq!(report.problems[0].what, "an entry of the batch was altered, added or removed");

    // Whoever forges an entry can give the batch the root that fits.
    let mut batch: AuditBatch = serde_json::from_str(&forged).unwrap();
    let mut tree = batch.before.clone();
    batch.entries.iter().for_each(|entry| tree.append(entry.leaf()));
    batch.root = tree.head().root;
    std::fs::write(&path, canonical_json(&serde_json::to_value(&batch).unwrap())).unwrap();
    assert_eq!(registry.verify_log(&[]).await.unwrap().problems, [], "the log fits itself");
    let report = registry.verify_log(&[head]).await.unwrap();
    assert_eq!(report.problems[0].what, "the log was rewritten up to the expected head");
    // Heads of which any is not in the log are told; those before the forgery still are.
    let before = registry.log_batches(6, 1).await.unwrap()[0].before.head();
    assert!(registry.verify_log(&[before]).await.unwrap().is_accepted());
    assert!(!registry.verify_log(&[head, before]).await.unwrap().is_accepted());
}

#[tokio::test]
async fn a_release_written_past_the_registry_is_found() {
    let (folder, desk) = sound().await;
    let path = |number: u64| folder.path().join(format!("registry/environments/prod/{number:020}.json"));
    // Somebody with access to the store writes a third release by hand, with the pins of the first.
    let forged = std::fs::read_to_string(path(1)).unwrap().replace("\"sequence\":1", "\"sequence\":3");
    std::fs::write(path(3), forged.replace("03:02:00Z", "03:30:00Z")).unwrap();
    let report = verify(folder.path()).await;
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert_eq!(report.problems[0].key, "environments/prod/00000000000000000003.json");
    assert_eq!(report.problems[0].severity, Severity::Unfinished, "it could be a deploy that was interrupted");
    // It cannot be one once another follows that did not complete its entry.
    std::fs::write(path(4), std::fs::read_to_string(path(3)).unwrap().replace("\"sequence\":3", "\"sequence\":4")).unwrap();
    let report = verify(folder.path()).await;
    assert_eq!(damaged(&report), ["environments/prod/00000000000000000003.json"]);
    drop(desk);
}

#[tokio::test]
async fn foreign_files_and_corrupt_objects_are_named() {
    let (folder, desk) = sound().await;
    std::fs::write(folder.path().join("registry/notes.txt"), "x").unwrap();
    assert_eq!(damaged(&verify(folder.path()).await), ["notes.txt"]);
    std::fs::remove_file(folder.path().join("registry/notes.txt")).unwrap();

    let record = desk.registry.version(&reference("a.b@1")).await.unwrap();
    let blob = folder.path().join("registry/blobs/sha256").join(record.digest.hex());
    std::fs::write(&blob, "{}").unwrap();
    let error = desk.registry.closure(&reference("a.b@1")).await.unwrap_err();
    assert!(error.to_string().starts_with("the content was altered, it has digest `sha256:"), "{error}");
    std::fs::remove_file(&blob).unwrap();
    let error = desk.registry.closure(&reference("a.b@1")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the content is missing: `blobs/sha256/{}`", record.digest.hex()));
    let plan = desk.plan(&["a.b@1", "c.d@1"], 9).await;
    assert!(plan.is_err(), "what cannot be loaded cannot be planned");

    std::fs::write(folder.path().join("registry/prompts/c.d/0000000001.json"), "garbage").unwrap();
    let error = desk.registry.version(&reference("c.d@1")).await.unwrap_err();
    assert!(error.to_string().ends_with("`prompts/c.d/0000000001.json`"), "{error}");
    assert!(desk.registry.current(&prod()).await.is_ok());
}

#[tokio::test]
async fn changes_of_status_are_held_against_their_order_and_the_log() {
    let (folder, desk) = sound().await;
    for (version, at) in [("c.d@2", 10), ("c.d@3", 11)] {
        desk.publish(&prompt(version, version)).await.unwrap();
        desk.yank(version, at).await.unwrap();
    }
    desk.assert_sound().await;
    let path = |number: u64| folder.path().join(format!("registry/prompts/c.d/status/{number:020}.json"));
    let (first, second) = (std::fs::read_to_string(path(1)).unwrap(), std::fs::read_to_string(path(2)).unwrap());
    let names = ["prompts/c.d/status/00000000000000000001.json", "prompts/c.d/status/00000000000000000002.json"];

    std::fs::remove_file(path(1)).unwrap();
    assert_eq!(damaged(&verify(folder.path()).await), names, "one is gone, the other does not follow");
    std::fs::write(path(1), first.replace("it invents refunds", "never mind")).unwrap();
    assert_eq!(damaged(&verify(folder.path()).await), [names[0]]);
    std::fs::write(path(1), &second).unwrap();
    assert_eq!(damaged(&verify(folder.path()).await), [names[0]]);
    std::fs::write(path(1), &first).unwrap();
    assert!(verify(folder.path()).await.problems.is_empty());

    // Written past the registry: well formed, about nothing that is published, and before what it follows.
    let forged = second.replace("\"sequence\":2", "\"sequence\":3").replace("\"version\":3", "\"version\":9");
    std::fs::write(path(3), forged.replace("T03:11", "T02:11")).unwrap();
    let report = verify(folder.path()).await;
    let what: Vec<&str> = report.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "it is dated before the change it follows",
            "it names `c.d@9`, which is not published",
            "the log does not name the object"
        ]
    );
}

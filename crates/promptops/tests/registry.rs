//! What the registry publishes, locks and bundles is what the loader loads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its own functions too")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use promptops::{Loader, Prompt, Settings};
use promptops_prompt::draft::Draft;
use promptops_registry::{Policy, Provenance, Registry, Submission};
use promptops_store::{Store, StoreOptions};

const PROMPTS: [(&str, &str); 2] = [
    ("shared/tone.yaml", "id: shared.tone\nversion: 1\nowner: brand\nmodel: m\ntags: [shared]\ntemplate: 'Be kind. '\n"),
    (
        "support/reply.yaml",
        "id: support.reply\nversion: 1\nowner: support\npurpose: Answer\nmodel: m\nparameters: {temperature: 0.30}\n\
         tags: [reply]\ninputs: {name: {type: string, default: you}}\nmetrics: {accuracy: 0.9}\ncreated: 2026-05-01\n\
         messages:\n  - {role: system, content: '{% include \"shared.tone@1\" %}Answer.'}\n  - {role: user, content: '{{ name }}'}\n",
    ),
];

/// Publishes [`PROMPTS`] below `folder`, and writes folder, lock and bundle beside the registry.
async fn publish(folder: &Path) {
    let now: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
    let options = StoreOptions { base_dir: folder.to_owned(), ..StoreOptions::default() };
    let store = Store::open("file://registry", &options).unwrap();
    let (registry, _) = Registry::init(store, "ada@example.com", now).await.unwrap();
    let mut references = Vec::new();
    for (path, text) in PROMPTS {
        let file = folder.join("prompts").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        let prompt = Draft::parse(path, text).0.prompt().unwrap();
        let provenance = Provenance {
            commit: None,
            author: "ada@example.com".into(),
            time: now,
            source: "github.com/example/prompts".into(),
            path: path.into(),
            run: None,
        };
        let submission = Submission { prompt: &prompt, provenance: &provenance };
        registry.publish(&submission, &Policy::default(), "ada@example.com", now).await.unwrap();
        references.push(prompt.reference());
    }
    let lock = registry.lock_versions(&references, "file://registry").await.unwrap();
    fs::write(folder.join("promptops.lock"), lock.to_bytes()).unwrap();
    registry.bundle(&lock).await.unwrap().write(&folder.join("app.bundle")).unwrap();
}

fn load(folder: &Path, set: impl FnOnce(&mut Settings)) -> Arc<Prompt> {
    let mut settings = Settings::new(folder, Arc::new(|| DateTime::UNIX_EPOCH));
    set(&mut settings);
    Loader::from_settings(&settings).unwrap().load("support.reply", Some(1)).unwrap()
}

#[tokio::test]
async fn every_source_gives_the_same_prompt() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path()).await;
    let from_files = load(folder.path(), |settings| settings.folder = Some("prompts".into()));
    for prompt in [
        load(folder.path(), |settings| settings.lock = Some("promptops.lock".into())),
        load(folder.path(), |settings| settings.bundle = Some("app.bundle".into())),
        load(folder.path(), |settings| settings.registry = Some("file://registry".into())),
    ] {
        assert_eq!(prompt.digest(), from_files.digest());
        assert_eq!(prompt.metadata(), from_files.metadata());
        assert_eq!((prompt.body(), prompt.inputs()), (from_files.body(), from_files.inputs()));
        assert_eq!((prompt.parameters(), prompt.output()), (from_files.parameters(), from_files.output()));
        let messages = prompt.messages(&serde_json::Map::new()).unwrap();
        assert_eq!((messages[0].content.as_str(), messages[1].content.as_str()), ("Be kind. Answer.", "you"));
    }
}

#[tokio::test]
async fn a_bundle_must_hold_what_the_lock_beside_it_pins() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path()).await;
    let lock = fs::read_to_string(folder.path().join("promptops.lock")).unwrap();
    let mut settings = Settings::new(folder.path(), Arc::new(|| DateTime::UNIX_EPOCH));
    settings.bundle = Some("app.bundle".into());
    settings.lock = Some("promptops.lock".into());
    assert_eq!(Loader::from_settings(&settings).unwrap().load("shared.tone", None).unwrap().version(), 1);
    let mut lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let other = lock["prompts"]["support.reply"]["record"].clone();
    lock["prompts"]["shared.tone"]["record"] = other;
    fs::write(folder.path().join("promptops.lock"), lock.to_string()).unwrap();
    let error = Loader::from_settings(&settings).unwrap().load("shared.tone", None).unwrap_err();
    assert_eq!(error.code(), "integrity");
}

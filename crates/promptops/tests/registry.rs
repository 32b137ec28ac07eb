//! What the registry publishes, locks and bundles is what the loader loads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its own functions too")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use promptops::{Loader, Prompt, Settings, Warning};
use promptops_prompt::draft::Draft;
use promptops_prompt::lock::{BundleHeader, PinSet};
use promptops_prompt::owners::Owners;
use promptops_registry::status::{StatusChange, StatusRequest};
use promptops_registry::{Authority, Policy, Provenance, Registry, Submission, Targets};
use promptops_store::{Bundle, BundleWriter, Store, StoreOptions};

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

/// Deploys all of [`PROMPTS`] and writes lock and bundle of the release in the place of those that were there.
async fn release(folder: &Path) {
    let now: DateTime<Utc> = "2026-05-01T13:00:00Z".parse().unwrap();
    let options = StoreOptions { base_dir: folder.to_owned(), ..StoreOptions::default() };
    let registry = Registry::open(Store::open("file://registry", &options).unwrap()).await.unwrap();
    let (policy, owners) = (Policy::default(), Owners::default());
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    let versions = ["shared.tone@1", "support.reply@1"].map(|name| name.parse().unwrap()).into();
    let targets = Targets { versions, ..Targets::default() };
    let prod = "prod".parse().unwrap();
    let plan = registry.plan(&prod, &targets, authority, "ada@example.com", now).await.unwrap();
    registry.deploy(&plan, authority, "ada@example.com", None, now).await.unwrap();
    let lock = registry.lock_environment(&prod, "file://registry").await.unwrap();
    fs::write(folder.join("promptops.lock"), lock.to_bytes()).unwrap();
    fs::remove_file(folder.join("app.bundle")).unwrap();
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
    // Without its proofs, the lock itself shows nothing.
    lock.as_object_mut().unwrap().remove("logged");
    fs::write(folder.path().join("promptops.lock"), lock.to_string()).unwrap();
    let error = Loader::from_settings(&settings).unwrap().load("shared.tone", None).unwrap_err();
    assert_eq!(error.code(), "integrity");
}

/// Writes a bundle anew with one of its entries replaced; nothing removes it.
fn alter(bundle: &Path, name: &str, change: impl FnOnce(&str) -> Option<String>) {
    let whole = Bundle::open(bundle).unwrap();
    let entries: Vec<(String, Vec<u8>)> =
        whole.names().map(|name| (name.to_owned(), whole.get(name).unwrap().unwrap().to_vec())).collect();
    let mut change = Some(change);
    let mut writer = BundleWriter::new();
    for (entry, bytes) in entries {
        let text = String::from_utf8(bytes).unwrap();
        let text = if entry == name { change.take().unwrap()(&text) } else { Some(text) };
        if let Some(text) = text {
            writer.add(&entry, text.into_bytes()).unwrap();
        }
    }
    assert!(change.is_none(), "the bundle has `{name}`");
    fs::remove_file(bundle).unwrap();
    writer.write(bundle).unwrap();
}

#[tokio::test]
async fn a_bundle_must_fit_its_log_proof() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path()).await;
    let path = folder.path().join("app.bundle");
    let intact = fs::read(&path).unwrap();
    let mut settings = Settings::new(folder.path(), Arc::new(|| DateTime::UNIX_EPOCH));
    settings.bundle = Some("app.bundle".into());
    let load = || Loader::from_settings(&settings).and_then(|loader| loader.load("shared.tone", None));
    let shard = PinSet::shard_name(&"shared.tone".parse().unwrap());
    let logged = BundleHeader::logged_name(&shard);

    // Versions named one by one.
    alter(&path, &logged, |text| Some(text.replace("ada@example.com", "eve@example.com")));
    let error = load().unwrap_err();
    assert_eq!((error.code(), error.to_string().ends_with("app.bundle` does not fit its log proof")), ("integrity", true));
    fs::write(&path, &intact).unwrap();
    assert_eq!(load().unwrap().version(), 1);

    // A release.
    release(folder.path()).await;
    let intact = fs::read(&path).unwrap();
    assert_eq!(load().unwrap().version(), 1);
    alter(&path, BundleHeader::NAME, |text| Some(text.replace("ada@example.com", "eve@example.com")));
    assert_eq!(load().unwrap_err().code(), "integrity", "the release is another");
    fs::write(&path, &intact).unwrap();
    let pins = BundleHeader::pins_name(&shard);
    alter(&path, &pins, |text| Some(text.replace("\"version\":1", "\"version\":2")));
    assert_eq!(load().unwrap_err().code(), "integrity", "the pin is not that of the release");
    fs::write(&path, &intact).unwrap();
    alter(&path, &pins, |_| None);
    assert_eq!(load().unwrap_err().code(), "integrity", "the release pins something there");
}

/// Says of versions that they are withdrawn, as Ada's repository would.
async fn withdraw(folder: &Path, name: &str, change: StatusChange) {
    let now: DateTime<Utc> = "2026-05-02T12:00:00Z".parse().unwrap();
    let options = StoreOptions { base_dir: folder.to_owned(), ..StoreOptions::default() };
    let registry = Registry::open(Store::open("file://registry", &options).unwrap()).await.unwrap();
    let (policy, owners, reference) = (Policy::default(), Owners::default(), name.parse().unwrap());
    let authority = Authority { policy: &policy, owners: &owners, revision: "0123abc" };
    let request = StatusRequest {
        reference: &reference,
        change,
        reason: "it is rude",
        source: "github.com/example/prompts",
        is_forced: false,
    };
    registry.set_status(&request, authority, "ada@example.com", now).await.unwrap();
}

/// Loads `support.reply` twice with one loader, and returns what it warned of.
fn warnings(folder: &Path, set: impl FnOnce(&mut Settings)) -> Vec<String> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut settings = Settings::new(folder, Arc::new(|| DateTime::UNIX_EPOCH));
    let hears = Arc::clone(&heard);
    settings.warn = Arc::new(move |warning: &Warning| hears.lock().unwrap().push(warning.to_string()));
    set(&mut settings);
    let loader = Loader::from_settings(&settings).unwrap();
    loader.load("support.reply", Some(1)).unwrap();
    loader.load("support.reply", Some(1)).unwrap();
    heard.lock().unwrap().clone()
}

#[tokio::test]
async fn a_withdrawn_version_loads_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path()).await;
    let lock = |settings: &mut Settings| settings.lock = Some("promptops.lock".into());
    let bundle = |settings: &mut Settings| settings.bundle = Some("app.bundle".into());
    assert!(warnings(folder.path(), lock).is_empty());

    let date = "2026-12-01".parse().unwrap();
    let replacement = Some("shared.tone@1".parse().unwrap());
    withdraw(folder.path(), "support.reply@1", StatusChange::Deprecate { date, replacement }).await;
    let deprecated = "a version is loaded that must not be used from 2026-12-01 on, use `shared.tone@1` instead (it is rude): `support.reply@1`";
    assert_eq!(warnings(folder.path(), lock), [deprecated]);

    withdraw(folder.path(), "support.reply@1", StatusChange::Yank).await;
    withdraw(folder.path(), "shared.tone@1", StatusChange::Yank).await;
    let yanked =
        ["support.reply@1", "shared.tone@1"].map(|name| format!("a version is loaded that is yanked (it is rude): `{name}`"));
    assert_eq!(warnings(folder.path(), lock), yanked, "an include counts, and each is said once");
    let unpinned = warnings(folder.path(), |settings| settings.registry = Some("file://registry".into()));
    assert_eq!(unpinned[1..], yanked, "after the warning that nothing pins it: {unpinned:?}");
    assert!(warnings(folder.path(), bundle).is_empty(), "a bundle knows nothing of what came after it");

    withdraw(folder.path(), "support.reply@1", StatusChange::Unyank).await;
    withdraw(folder.path(), "support.reply@1", StatusChange::Undeprecate).await;
    withdraw(folder.path(), "shared.tone@1", StatusChange::Unyank).await;
    assert!(warnings(folder.path(), lock).is_empty());
}

#[tokio::test]
async fn a_status_that_cannot_be_read_breaks_no_load() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path()).await;
    let status = folder.path().join("registry/prompts/support.reply/status");
    for bytes in ["", "{", r#"{"format": 2}"#] {
        fs::create_dir_all(&status).unwrap();
        fs::write(status.join("00000000000000000001.json"), bytes).unwrap();
        assert!(warnings(folder.path(), |settings| settings.lock = Some("promptops.lock".into())).is_empty());
    }
    fs::remove_dir_all(&status).unwrap();
    fs::write(&status, "a file where a folder should be").unwrap();
    assert!(warnings(folder.path(), |settings| settings.lock = Some("promptops.lock".into())).is_empty());
}

/// Serves the objects of a folder as S3 does, on loopback, and keeps the keys that were asked for.
fn serve(folder: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keys = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut first = String::new();
            stream.read_line(&mut first).unwrap();
            let mut header = String::new();
            while stream.read_line(&mut header).unwrap() > 2 {
                header.clear();
            }
            let key = first.split_whitespace().nth(1).unwrap_or_default().trim_start_matches("/bucket/").to_owned();
            let (status, body) = match fs::read(folder.join(&key)) {
                Ok(bytes) => ("200 OK", bytes),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"x\"\r\nLast-Modified: Fri, 01 May 2026 12:00:00 GMT\r\nConnection: close\r\n\r\n",
                body.len()
            );
            keys.lock().unwrap().push(key);
            stream.get_mut().write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    (endpoint, asked)
}

#[tokio::test]
async fn a_warm_load_asks_for_no_status() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path()).await;
    withdraw(folder.path(), "support.reply@1", StatusChange::Yank).await;
    let (endpoint, asked) = serve(folder.path().join("registry"));
    let remote = |settings: &mut Settings| {
        settings.lock = Some("promptops.lock".into());
        settings.registry = Some("s3://bucket".into());
        settings.cache_dir = Some("cache".into());
        settings.store_settings = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    };
    assert_eq!(warnings(folder.path(), remote).len(), 1);
    let cold: Vec<String> = std::mem::take(&mut asked.lock().unwrap());
    let statuses: Vec<&String> = cold.iter().filter(|key| key.contains("/status/")).collect();
    assert_eq!(
        statuses,
        [
            "prompts/support.reply/status/00000000000000000001.json",
            "prompts/support.reply/status/00000000000000000002.json",
            "prompts/shared.tone/status/00000000000000000001.json"
        ],
        "one call more than there are changes, once for two loads: {cold:?}"
    );
    assert_eq!(cold.len() - statuses.len(), 3, "the record and two contents");

    // The next process has everything in its cache, and makes no call at all.
    assert!(warnings(folder.path(), remote).is_empty());
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
}

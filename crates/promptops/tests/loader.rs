//! What a loader promises beyond single loads: caches, outages, files that change, records.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, in its own functions too")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use promptops::{Invocation, Loader, Settings, Sink, Status, Warning};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Body, Content, Digest, Lock};
use serde_json::{Map, Value, json};

fn settings(folder: &Path) -> Settings {
    Settings::new(folder, Arc::new(|| "2026-05-01T12:00:00.5Z".parse().unwrap()))
}

fn listen(settings: &mut Settings) -> Arc<Mutex<Vec<Warning>>> {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&warnings);
    settings.warn = Arc::new(move |warning| heard.lock().unwrap().push(warning.clone()));
    warnings
}

fn values(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn write_prompt(folder: &Path, version: u32, template: &str) {
    let parent = if version > 1 { "parent: 1\n" } else { "" };
    let text = format!("id: greet\nversion: {version}\n{parent}owner: o\nmodel: m\ntags: []\ntemplate: {template}\n");
    fs::write(folder.join("greet.yaml"), text).unwrap();
}

#[test]
fn a_folder_is_read_again_when_a_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.folder = Some(folder.path().into());
    let warnings = listen(&mut settings);
    let loader = Loader::from_settings(&settings).unwrap();
    write_prompt(folder.path(), 1, "Hello");
    let first = loader.load("greet", None).unwrap();
    write_prompt(folder.path(), 2, "Good morning");
    let second = loader.load("greet", None).unwrap();
    assert_eq!((first.version(), first.template()), (1, Some("Hello")), "what was loaded stays what it was");
    assert_eq!((second.version(), second.template()), (2, Some("Good morning")));
    fs::remove_file(folder.path().join("greet.yaml")).unwrap();
    assert_eq!(loader.load("greet", None).unwrap_err().code(), "not-found");
    assert_eq!(*warnings.lock().unwrap(), [Warning::Folder(folder.path().into())], "said once");
}

#[test]
fn a_pinned_prompt_is_one_object_however_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let lock = write_registry(&folder.path().join("registry"));
    fs::write(folder.path().join("promptops.lock"), lock.to_bytes()).unwrap();
    let mut settings = settings(folder.path());
    settings.lock = Some("promptops.lock".into());
    let loader = Loader::from_settings(&settings).unwrap();
    assert!(loader.kept("greet", None).is_none());
    let prompt = loader.load("greet", None).unwrap();
    assert!(Arc::ptr_eq(&prompt, &loader.load("greet", Some(1)).unwrap()));
    fs::remove_dir_all(folder.path()).unwrap();
    assert!(Arc::ptr_eq(&prompt, &loader.load("greet", None).unwrap()), "a loaded prompt needs nothing any more");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(Arc::ptr_eq(&prompt, &loader.kept("greet", Some(1)).unwrap())));
        }
    });
}

/// Publishes `greet@1` and returns a lock that pins it.
fn write_registry(root: &Path) -> Lock {
    let content = Content {
        model: "m".into(),
        parameters: Map::new(),
        inputs: [("name".to_owned(), json!({"type": "string"}))].into(),
        output: None,
        tools: None,
        body: Body::Template("Hello {{ name }}".into()),
        includes: [].into(),
    };
    let record = json!({
        "format": 1, "id": "greet", "version": 1, "parent": null, "digest": content.digest(),
        "metadata": {"owner": "o", "tags": []},
    });
    let record = record.to_string().into_bytes();
    let write = |key: &str, bytes: &[u8]| {
        let path = root.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("prompts/greet/0000000001.json", &record);
    write(&format!("blobs/sha256/{}", content.digest().hex()), &content.to_bytes());
    let pin =
        LockedPrompt { version: "1".parse().unwrap(), digest: content.digest(), record: Digest::of(&record), rollout: None };
    let prompts = [("greet".parse().unwrap(), pin)].into();
    Lock { format: 1, registry: "file://registry".into(), release: None, prompts, logged: [].into() }
}

/// Fills a cache with what a registry has, as an earlier start of the service would have.
fn fill_cache(cache: &Path, registry: &Path) {
    fs::create_dir_all(cache.join("sha256")).unwrap();
    let mut folders = vec![registry.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(path).unwrap();
                fs::write(cache.join("sha256").join(Digest::of(&bytes).hex()), bytes).unwrap();
            }
        }
    }
}

/// Settings whose registry refuses every connection: port 9 of this machine.
fn settings_with_outage(folder: &Path) -> Settings {
    let mut lock = write_registry(&folder.join("registry"));
    lock.registry = "s3://bucket/prefix".into();
    fs::write(folder.join("promptops.lock"), lock.to_bytes()).unwrap();
    let mut settings = settings(folder);
    settings.lock = Some("promptops.lock".into());
    settings.cache_dir = Some("cache".into());
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ] {
        settings.store_settings.insert(name.into(), value.into());
    }
    settings
}

#[test]
fn an_outage_does_not_break_a_service_that_started_before() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings_with_outage(folder.path());
    fill_cache(&folder.path().join("cache"), &folder.path().join("registry"));
    let loader = Loader::from_settings(&settings).unwrap();
    let prompt = loader.load("greet", None).unwrap();
    assert_eq!(prompt.render(values(&json!({"name": "Ada"}))).unwrap(), "Hello Ada");
}

#[test]
fn a_lock_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    assert_eq!(Loader::from_settings(&settings).unwrap_err().code(), "no-source");
    settings.lock = Some("promptops.lock".into());
    let error = Loader::from_settings(&settings).unwrap_err();
    assert!(error.full_message().contains("No such file"), "{}", error.full_message());
    for (text, reason) in [("{", "EOF"), (r#"{"format": 9}"#, "format `9`"), (r#"{"format": 1}"#, "missing field `registry`")] {
        fs::write(folder.path().join("promptops.lock"), text).unwrap();
        let error = Loader::from_settings(&settings).unwrap_err();
        assert_eq!(error.code(), "invalid-setting");
        assert!(error.full_message().contains(reason), "{}", error.full_message());
    }
    settings.bundle = Some("promptops.lock".into());
    settings.lock = None;
    assert!(Loader::from_settings(&settings).unwrap_err().full_message().contains("not a bundle"));
}

#[test]
fn a_registry_that_is_not_there_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let lock = write_registry(&folder.path().join("registry"));
    fs::write(folder.path().join("promptops.lock"), lock.to_bytes()).unwrap();
    let mut settings = settings(folder.path());
    settings.lock = Some("promptops.lock".into());
    settings.registry = Some("file://else%20where".into());
    let loader = Loader::from_settings(&settings).unwrap();
    assert_eq!(loader.load("greet", None).unwrap_err().code(), "unavailable");
    fs::rename(folder.path().join("registry"), folder.path().join("else where")).unwrap();
    assert_eq!(loader.load("greet", None).unwrap().version(), 1, "a failure is not kept");
}

#[derive(Default)]
struct Taken(Mutex<Vec<Invocation>>);

impl Sink for Taken {
    fn record(&self, invocation: &Invocation) {
        self.0.lock().unwrap().push(invocation.clone());
    }

    fn flush(&self) {}

    fn dropped(&self) -> u64 {
        0
    }
}

struct Broken;

impl Sink for Broken {
    fn record(&self, _: &Invocation) {
        panic!("a sink that breaks its promise");
    }

    fn flush(&self) {}

    fn dropped(&self) -> u64 {
        3
    }
}

fn recording_loader(folder: &Path) -> (Loader, Arc<Taken>) {
    let mut lock = write_registry(&folder.join("registry"));
    lock.release = Some(promptops_prompt::lock::LockedRelease { environment: "prod".into(), sequence: 4, logged: None });
    fs::write(folder.join("promptops.lock"), lock.to_bytes()).unwrap();
    let taken = Arc::new(Taken::default());
    let mut settings = settings(folder);
    settings.lock = Some("promptops.lock".into());
    settings.service = Some("router".into());
    settings.invocations = Some("log/calls.jsonl".into());
    settings.sinks = vec![Arc::new(Broken), Arc::clone(&taken) as Arc<dyn Sink>];
    (Loader::from_settings(&settings).unwrap(), taken)
}

#[test]
fn a_call_is_recorded_once_with_all_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (loader, taken) = recording_loader(folder.path());
    let prompt = loader.load("greet", None).unwrap();
    let mut call = prompt.invocation();
    assert_eq!(call.messages(values(&json!({"name": "Ada"}))).unwrap()[0].content, "Hello Ada");
    call.record_first_token();
    call.record_text("Hé!");
    call.invocation_mut().session = Some("s1".into());
    call.invocation_mut().scores.insert("kindness".into(), 0.5);
    let record = call.finish();
    assert_eq!(*taken.0.lock().unwrap(), std::slice::from_ref(&record), "the sink after the broken one has it, once");
    assert_eq!(record.time.to_rfc3339(), "2026-05-01T12:00:00.500+00:00");
    assert_eq!((record.prompt_id.as_deref(), record.prompt_version), (Some("greet"), Some(1)));
    assert_eq!(record.prompt_digest, Some(prompt.digest().to_string()));
    assert_eq!((record.environment.as_deref(), record.service.as_deref()), (Some("prod"), Some("router")));
    let rendered = prompt.rendered(values(&json!({"name": "Ada"}))).unwrap();
    assert_eq!(record.input_hash, Some(rendered.digest().to_string()));
    assert_eq!((record.status, record.output_length), (Status::Ok, Some(3)));
    assert!(record.time_to_first_token_ms.unwrap() <= record.latency_ms.unwrap());
    let line = fs::read_to_string(folder.path().join("log/calls.jsonl")).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["session"], &line["scores"]["kindness"]), (&json!("s1"), &json!(0.5)));
    assert_eq!(loader.dropped(), 3);
}

#[test]
fn a_call_without_an_answer_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (loader, taken) = recording_loader(folder.path());
    let prompt = loader.load("greet", None).unwrap();
    drop(prompt.invocation());
    let mut call = prompt.invocation();
    call.record_error("timeout");
    drop(call);
    let mut call = prompt.invocation();
    call.record_text("Hello");
    call.record_error("key_error");
    drop(call);
    let ended: Vec<_> = taken.0.lock().unwrap().iter().map(|record| (record.status, record.error_type.clone())).collect();
    let error = |kind: &str| (Status::Error, Some(kind.to_owned()));
    assert_eq!(ended, [error("unfinished"), error("timeout"), (Status::Ok, None)]);
}

#[test]
fn an_unusable_file_for_invocations_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    write_prompt(folder.path(), 1, "Hello");
    let mut settings = settings(folder.path());
    settings.folder = Some("".into());
    settings.invocations = Some("greet.yaml/calls.jsonl".into());
    let warnings = listen(&mut settings);
    let loader = Loader::from_settings(&settings).unwrap();
    let mut call = loader.load("greet", None).unwrap().invocation();
    call.record_text("x");
    call.finish();
    assert!(matches!(warnings.lock().unwrap()[0], Warning::Sink { .. }));
}

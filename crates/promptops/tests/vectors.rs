//! The cases that every SDK passes: `spec/vectors`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its own functions too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use promptops::{Error, Loader, Prompt, Settings, Warning};
use promptops_prompt::lock::PinSet;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn cases(vectors: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let cases = vectors["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    cases.iter().map(|case| (case["name"].as_str().unwrap(), case))
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn settings(folder: &Path) -> (Settings, Arc<Mutex<Vec<Warning>>>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&warnings);
    let mut settings = Settings::new(folder, Arc::new(|| "2026-05-01T12:00:00Z".parse().unwrap()));
    settings.warn = Arc::new(move |warning| heard.lock().unwrap().push(warning.clone()));
    (settings, warnings)
}

#[test]
fn a_lock_that_does_not_fit_its_log_proof_is_not_opened() {
    for (name, case) in cases(&vectors("lock.json")) {
        let folder = tempfile::tempdir().unwrap();
        let text = case["lock"].as_str().unwrap();
        write(&folder.path().join("promptops.lock"), text);
        let (mut settings, _) = settings(folder.path());
        settings.lock = Some("promptops.lock".into());
        let opened = Loader::from_settings(&settings).and_then(|loader| loader.load("nothing.of-this-name", None));
        let error = opened.unwrap_err();
        let lock = promptops_prompt::Lock::from_bytes(text.as_bytes()).unwrap();
        let expected = &case["expect"];
        match lock.check_proofs() {
            Ok(proofs) => {
                assert_eq!(error.code(), "not-found", "{name}");
                let trees: Vec<String> = proofs.trees.iter().map(ToString::to_string).collect();
                assert_eq!(
                    (json!(trees), json!(proofs.unproven)),
                    (expected["trees"].clone(), expected["unproven"].clone()),
                    "{name}"
                );
            }
            Err(cause) => {
                let expected = &expected["error"];
                assert_eq!(error.code(), expected["code"].as_str().unwrap(), "{name}");
                assert!(cause.to_string().contains(expected["message"].as_str().unwrap()), "{name}: {cause}");
                assert_eq!(std::error::Error::source(&error).unwrap().to_string(), cause.to_string(), "{name}");
            }
        }
    }
}

/// Writes the files of one case of load.json; see `spec/vectors/generate.py`.
fn write_sources(vectors: &Value, case: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut objects = vectors["registry"].as_object().unwrap().clone();
    for (key, text) in case["registry"].as_object().into_iter().flatten() {
        match text {
            Value::Null => assert!(objects.remove(key).is_some(), "{key}"),
            text => drop(objects.insert(key.clone(), text.clone())),
        }
    }
    for (key, text) in &objects {
        write(&folder.path().join("registry").join(key), text.as_str().unwrap());
    }
    for (path, text) in vectors["prompts"].as_object().unwrap() {
        write(&folder.path().join("prompts").join(path), text.as_str().unwrap());
    }
    let lock = vectors["lock"].to_string();
    write(&folder.path().join("promptops.lock"), &lock);
    write_bundle(&folder.path().join("app.bundle"), &lock, &objects);
    folder
}

fn write_bundle(path: &Path, lock: &str, objects: &Map<String, Value>) {
    let mut bundle = promptops_store::BundleWriter::new();
    let lock: Value = serde_json::from_str(lock).unwrap();
    let header = json!({"format": 1, "registry": lock["registry"], "release": lock["release"]});
    bundle.add("bundle.json", header.to_string()).unwrap();
    let mut shards: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (id, pin) in lock["prompts"].as_object().unwrap() {
        shards.entry(PinSet::shard_name(&id.parse().unwrap())).or_default().insert(id.clone(), pin.clone());
    }
    for (shard, pins) in shards {
        bundle.add(&format!("pins/{shard}.json"), json!({"format": 1, "prompts": pins}).to_string()).unwrap();
    }
    for (key, text) in objects {
        let name = match key.strip_prefix("prompts/").and_then(|rest| rest.strip_suffix(".json")?.rsplit_once('/')) {
            Some((id, version)) => format!("records/{id}/{}.json", version.trim_start_matches('0')),
            None => key.clone(),
        };
        bundle.add(&name, text.as_str().unwrap().to_owned()).unwrap();
    }
    bundle.write(path).unwrap();
}

fn describe(prompt: &Prompt) -> Value {
    json!({
        "id": prompt.id(),
        "version": prompt.version(),
        "parent": prompt.parent().map(ToString::to_string),
        "owner": prompt.owner(),
        "purpose": prompt.purpose(),
        "model": prompt.model(),
        "parameters": prompt.parameters(),
        "tags": prompt.tags(),
        "template": prompt.template(),
        "digest": prompt.digest().to_string(),
    })
}

#[test]
fn load() {
    let vectors = vectors("load.json");
    for (name, case) in cases(&vectors) {
        let folder = write_sources(&vectors, case);
        let (mut settings, warnings) = settings(folder.path());
        settings.strict = case["strict"].as_bool();
        match case["source"].as_str().unwrap() {
            "lock" => settings.lock = Some("promptops.lock".into()),
            "bundle" => settings.bundle = Some("app.bundle".into()),
            "registry" => settings.registry = Some("file://registry".into()),
            "folder" => settings.folder = Some("prompts".into()),
            other => panic!("{other}"),
        }
        let loader = Loader::from_settings(&settings).unwrap();
        let version = case["load"]["version"].as_u64().map(|version| u32::try_from(version).unwrap());
        let id = case["load"]["id"].as_str().unwrap();
        match (loader.load(id, version), case["expect"].get("prompt"), case["expect"].get("error")) {
            (Ok(prompt), Some(expected), _) => {
                let found = describe(&prompt);
                for (member, value) in expected.as_object().unwrap() {
                    assert_eq!(&found[member], value, "{name}: {member}");
                }
                assert!(Arc::ptr_eq(&prompt, &loader.load(id, version).unwrap()), "{name}: kept");
            }
            (Err(error), _, Some(expected)) => check_error(name, &error, expected),
            (found, ..) => panic!("{name}: {found:?}"),
        }
        assert_eq!(warnings.lock().unwrap().len() as u64, case["expect"]["warnings"].as_u64().unwrap(), "{name}");
    }
}

fn check_error(name: &str, error: &Error, expected: &Value) {
    let (message, hint) = (error.full_message(), error.hint().unwrap_or_default());
    assert_eq!(error.code(), expected["code"], "{name}: {message}");
    assert!(message.contains(expected["message"].as_str().unwrap()), "{name}: {message}");
    assert!(hint.contains(expected["hint"].as_str().unwrap()), "{name}: {hint}");
}

fn folder_loader(prompts: &Value) -> (TempDir, Loader) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in prompts.as_object().unwrap() {
        write(&folder.path().join(path), text.as_str().unwrap());
    }
    let (mut settings, _) = settings(folder.path());
    settings.folder = Some(PathBuf::new());
    let loader = Loader::from_settings(&settings).unwrap();
    (folder, loader)
}

#[test]
fn render() {
    let vectors = vectors("render.json");
    let (_folder, loader) = folder_loader(&vectors["prompts"]);
    for (name, case) in cases(&vectors) {
        let prompt = loader.load(case["id"].as_str().unwrap(), None).unwrap();
        let values = case["values"].as_object().unwrap();
        match prompt.messages(values) {
            Ok(messages) => {
                assert_eq!(serde_json::to_value(&messages).unwrap(), case["expect"]["messages"], "{name}");
                match case["expect"].get("text") {
                    Some(text) => assert_eq!(prompt.render(values).unwrap(), *text, "{name}"),
                    None => assert_eq!(prompt.render(values).unwrap_err().code(), "render", "{name}"),
                }
            }
            Err(error) => {
                let expected = case["expect"]["error"].as_str().unwrap_or_else(|| panic!("{name}: {}", error.full_message()));
                assert_eq!(error.code(), "render");
                assert!(error.full_message().contains(expected), "{name}: {}", error.full_message());
            }
        }
    }
}

#[test]
fn reply() {
    for (name, case) in cases(&vectors("reply.json")) {
        let output = case["output"].as_object().map_or(String::new(), |schema| format!("output: {}\n", json!(schema)));
        let prompt = format!("id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\n{output}template: Classify.\n");
        let (_folder, loader) = folder_loader(&json!({ "classify.yaml": prompt }));
        let mut call = loader.load("classify", None).unwrap().invocation();
        assert_eq!(call.record_reply(&case["reply"]), case["known"].as_bool().unwrap(), "{name}");
        assert_eq!(call.request_id(), case["request_id"].as_str(), "{name}");
        let record = serde_json::to_value(promptops_telemetry::v1::InvocationV1::from(&call.finish())).unwrap();
        for (member, value) in case["record"].as_object().unwrap() {
            assert_eq!(record.get(member).unwrap_or(&Value::Null), value, "{name}: {member}");
        }
    }
}

#[test]
fn stream() {
    for (name, case) in cases(&vectors("stream.json")) {
        let output = json!(case["output"].as_object().unwrap());
        let prompt = format!("id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\noutput: {output}\ntemplate: Classify.\n");
        let (_folder, loader) = folder_loader(&json!({ "classify.yaml": prompt }));
        let mut call = loader.load("classify", None).unwrap().invocation();
        call.begin_stream(&case["head"]);
        let mut first_token = None;
        for (number, event) in case["events"].as_array().unwrap().iter().enumerate() {
            call.record_event(event);
            let has_come = call.invocation().time_to_first_token_ms.is_some();
            first_token = first_token.or(has_come.then_some(number as u64));
        }
        assert_eq!(first_token, case["first_token"].as_u64(), "{name}");
        assert_eq!(call.end_stream(), case["known"].as_bool().unwrap(), "{name}");
        assert_eq!(call.request_id(), case["request_id"].as_str(), "{name}");
        let record = serde_json::to_value(promptops_telemetry::v1::InvocationV1::from(&call.finish())).unwrap();
        for (member, value) in case["record"].as_object().unwrap() {
            assert_eq!(record.get(member).unwrap_or(&Value::Null), value, "{name}: {member}");
        }
    }
}

#[test]
fn a_key_gets_the_same_side_of_a_rollout_everywhere() {
    use promptops_prompt::rollout::{Arm, Rollout, bucket};

    let vectors = vectors("rollout.json");
    let digest = promptops_prompt::Digest::of(b"content");
    let rollout = |one: &Value| Rollout {
        version: one["candidate"].to_string().parse().unwrap(),
        digest,
        record: digest,
        buckets: serde_json::from_value(one["buckets"].clone()).unwrap(),
    };
    let assignments = vectors["assignments"].as_array().unwrap();
    assert!(assignments.len() > 15);
    for one in assignments {
        let (id, key) = (one["id"].as_str().unwrap().parse().unwrap(), one["key"].as_str().unwrap());
        assert_eq!(bucket(&id, rollout(one).version, key), one["bucket"], "{one}");
        assert_eq!(rollout(one).arm(&id, key).name(), one["arm"], "{one}");
    }
    for one in vectors["counts"].as_array().unwrap() {
        let (id, rollout) = (one["id"].as_str().unwrap().parse().unwrap(), rollout(one));
        let is_candidate = |number: &u32| rollout.arm(&id, &format!("user-{number}")) == Arm::Candidate;
        assert_eq!((0..100_000).filter(is_candidate).count(), one["candidates"].as_u64().unwrap() as usize, "{one}");
    }
}

//! OpenLineage: each publish and each release as a `RunEvent`.
//!
//! Only run events are written, because some catalogs (Dataplex) take no other. A publish is a run of the job
//! `gate.<id>`: its inputs are the version it came from and what it includes, its output is the version, its test facet the
//! latest run of each eval. A release is a run of the job `release.<environment>` whose inputs are the versions that it
//! brought in. Runs have ids made from what they are about, so exporting twice says the same twice.
//!
//! Use of a prompt is not written here: the job that calls the model lists the version as an input, under the same name.

use std::collections::BTreeMap;

use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Digest, PromptId, PromptRef};
use serde_json::{Map, Value, json};

use super::{CatalogVersion, PinChange};
use crate::environment::{Release, ReleaseAction, pinned};

/// Who writes the events.
const PRODUCER: &str = concat!("https://github.com/promptops/promptops/tree/v", env!("CARGO_PKG_VERSION"));
/// The schema of run events.
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// Where the facets of this project are described. What stands under one version of them never changes.
const OWN_FACETS: &str = "https://promptops.dev/spec/openlineage/1-0-0";

/// Returns the event of a publish. `registry` is the name of the registry in the catalog.
pub fn publication(version: &CatalogVersion, registry: &str) -> Value {
    let (record, entry) = (&version.record, &version.entry);
    let reference = version.reference();
    let inputs: Vec<Value> =
        entry.parent.iter().chain(&entry.includes).map(|input| dataset(registry, input, Map::new())).collect();
    let mut job_facets = Map::new();
    job_facets.insert("jobType".to_owned(), job_type("PUBLISH"));
    if let Some(commit) = &record.provenance.commit {
        let source = &record.provenance.source;
        // A source that has no host is no URL; the commit alone would name nothing.
        if source.split_once('/').is_some_and(|(host, _)| host.contains('.')) {
            let location = json!({
                "type": "git",
                "url": format!("https://{source}/blob/{commit}/{}", record.provenance.path),
                "repoUrl": format!("https://{source}"),
                "path": record.provenance.path,
                "version": commit,
            });
            job_facets.insert("sourceCodeLocation".to_owned(), facet(location, "1-1-0", "SourceCodeLocationJobFacet"));
        }
    }
    let mut run_facets = Map::new();
    if !version.evals.is_empty() {
        run_facets.insert("test".to_owned(), tests(version));
    }
    event(Event {
        time: record.published.time,
        run: &format!("publish {registry} {reference} {}", entry.record),
        run_facets,
        job: &format!("gate.{}", record.id),
        job_facets,
        registry,
        inputs,
        outputs: vec![dataset(registry, &reference, version_facets(version))],
    })
}

/// Returns the event of a release that changed these pins.
pub fn release(release: &Release, changes: &BTreeMap<PromptId, PinChange>, registry: &str) -> Value {
    let name = |id: &PromptId, pin: &Option<LockedPrompt>| pin.as_ref().map(|pin| format!("{id}{pin}"));
    let changed: Vec<Value> =
        changes.iter().map(|(id, (from, to))| json!({"prompt": id, "from": name(id, from), "to": name(id, to)})).collect();
    let arms = changes.iter().flat_map(|(id, (_, to))| to.iter().flat_map(LockedPrompt::arms).map(move |arm| pinned(id, &arm)));
    let inputs = arms.map(|reference| dataset(registry, &reference, Map::new()));
    let mut own = json!({
        "environment": release.environment,
        "release": release.sequence,
        "action": match release.action { ReleaseAction::Deploy => "deploy", ReleaseAction::Rollback => "rollback" },
        "actor": release.actor,
        "changes": changed,
    });
    let optional = [
        ("basedOn", release.based_on.map(Value::from)),
        ("plan", release.plan.as_ref().map(|plan| json!(plan))),
        ("rules", release.rules.as_ref().map(|rules| json!(rules))),
        ("reason", release.reason.as_ref().map(|reason| json!(reason))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            own[name] = value;
        }
    }
    event(Event {
        time: release.time,
        run: &format!("release {registry} {} {}", release.environment, release.sequence),
        run_facets: Map::from_iter([("promptOps_release".to_owned(), own_facet(own, "PromptOpsReleaseRunFacet"))]),
        job: &format!("release.{}", release.environment),
        job_facets: Map::from_iter([("jobType".to_owned(), job_type("RELEASE"))]),
        registry,
        inputs: inputs.collect(),
        outputs: Vec::new(),
    })
}

struct Event<'a> {
    time: chrono::DateTime<chrono::Utc>,
    /// What the run is about; its id is made from it.
    run: &'a str,
    run_facets: Map<String, Value>,
    job: &'a str,
    job_facets: Map<String, Value>,
    registry: &'a str,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

fn event(event: Event<'_>) -> Value {
    json!({
        "eventType": "COMPLETE",
        "eventTime": event.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "run": {"runId": run_id(event.run), "facets": event.run_facets},
        "job": {"namespace": format!("promptops/{}", event.registry), "name": event.job, "facets": event.job_facets},
        "inputs": event.inputs,
        "outputs": event.outputs,
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
    })
}

/// Makes the id of a run from what it is about: a UUID of version 8, whose bits are the maker's own.
fn run_id(about: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(about.as_bytes()).bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A prompt is a dataset: the namespace is the registry, the name `<namespace>/<last part of the id>`. The version is a facet.
fn dataset(registry: &str, reference: &PromptRef, mut facets: Map<String, Value>) -> Value {
    let id = reference.id.as_str();
    let name = id.rsplit_once('.').map_or_else(|| id.to_owned(), |(namespace, last)| format!("{namespace}/{last}"));
    facets.entry("version").or_insert_with(|| dataset_version(&reference.version.to_string()));
    json!({"namespace": format!("promptops://{registry}"), "name": name, "facets": facets})
}

fn dataset_version(version: &str) -> Value {
    facet(json!({"datasetVersion": version}), "1-0-1", "DatasetVersionDatasetFacet")
}

fn version_facets(version: &CatalogVersion) -> Map<String, Value> {
    let entry = &version.entry;
    let metadata = &entry.metadata;
    let mut facets = Map::new();
    facets.insert("version".to_owned(), dataset_version(&version.record.version.to_string()));
    let kind = json!({"datasetType": "PROMPT"});
    facets.insert("datasetType".to_owned(), facet(kind, "1-0-1", "DatasetTypeDatasetFacet"));
    let fields: Vec<Value> = version.content.inputs.iter().map(|(name, schema)| field(name, schema)).collect();
    facets.insert("schema".to_owned(), facet(json!({"fields": fields}), "1-2-0", "SchemaDatasetFacet"));
    let owners = json!({"owners": [{"name": format!("owner:{}", metadata.owner), "type": "OWNER"}]});
    facets.insert("ownership".to_owned(), facet(owners, "1-0-1", "OwnershipDatasetFacet"));
    let tags: Vec<Value> = metadata.tags.iter().map(|tag| json!({"key": tag, "value": "true", "source": "PROMPTOPS"})).collect();
    facets.insert("tags".to_owned(), facet(json!({"tags": tags}), "1-0-0", "TagsDatasetFacet"));
    if let Some(purpose) = &metadata.purpose {
        let documentation = json!({"description": purpose, "contentType": "text/plain"});
        facets.insert("documentation".to_owned(), facet(documentation, "1-1-0", "DocumentationDatasetFacet"));
    }
    let mut own = json!({
        "id": version.record.id,
        "version": version.record.version,
        "digest": entry.digest,
        "record": entry.record,
        "model": entry.model,
        "author": entry.author,
        "publishedBy": entry.published.by,
        "includes": entry.includes,
    });
    for (name, value) in [("parent", entry.parent.as_ref().map(ToString::to_string)), ("commit", entry.commit.clone())] {
        if let Some(value) = value {
            own[name] = value.into();
        }
    }
    facets.insert("promptOps_version".to_owned(), own_facet(own, "PromptOpsVersionDatasetFacet"));
    facets
}

/// Describes a variable by its JSON Schema; the fields of an object are fields of its own.
fn field(name: &str, schema: &Value) -> Value {
    let mut field = json!({"name": name, "type": type_of(schema)});
    if let Some(description) = schema.get("description").and_then(Value::as_str) {
        field["description"] = description.into();
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        field["fields"] = properties.iter().map(|(name, schema)| self::field(name, schema)).collect();
    }
    field
}

fn type_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        _ => "any".to_owned(),
    }
}

/// What did not pass failed; a run that could not decide is a warning, not an error.
fn tests(version: &CatalogVersion) -> Value {
    let test = |(file, run): (&String, &super::EvalRun)| {
        let (status, severity) = match run.verdict.as_str() {
            "pass" => ("pass", "error"),
            "inconclusive" => ("fail", "warn"),
            _ => ("fail", "error"),
        };
        json!({
            "name": file,
            "status": status,
            "severity": severity,
            "type": "eval",
            "expected": "pass",
            "actual": run.verdict,
        })
    };
    let tests: Vec<Value> = version.evals.iter().map(test).collect();
    facet(json!({"tests": tests}), "1-0-1", "TestRunFacet")
}

fn job_type(kind: &str) -> Value {
    facet(json!({"processingType": "BATCH", "integration": "PROMPTOPS", "jobType": kind}), "2-0-4", "JobTypeJobFacet")
}

/// Makes a facet of the standard.
fn facet(fields: Value, version: &str, name: &str) -> Value {
    with_schema(fields, format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"))
}

/// Makes a facet of this project.
fn own_facet(fields: Value, name: &str) -> Value {
    with_schema(fields, format!("{OWN_FACETS}/{name}.json#/$defs/{name}"))
}

fn with_schema(mut fields: Value, schema: String) -> Value {
    fields["_producer"] = PRODUCER.into();
    fields["_schemaURL"] = schema.into();
    fields
}

//! ODCS: each prompt as a data contract of the Open Data Contract Standard, version 3.1.0.
//!
//! The variables of a prompt are what it takes and its output schema is what it promises, so both are schema objects. The
//! evals are quality checks, the baseline metrics service levels, the owner is the team, and the groups that must approve a
//! release are roles.

use std::collections::BTreeMap;

use promptops_prompt::owners::Owners;
use promptops_prompt::status::State;
use serde_json::{Map, Value, json};

use super::{CatalogVersion, yaml};
use crate::environment::EnvironmentName;
use crate::policy::Demand;

/// What a contract says besides the version.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The name of the registry in the catalog.
    pub registry: &'a str,
    /// The URL of the registry.
    pub url: &'a str,
    /// People and teams.
    pub owners: &'a Owners,
    /// What each environment demands of the version.
    pub demands: BTreeMap<EnvironmentName, Vec<Demand>>,
    /// Where the version is live.
    pub live: Vec<EnvironmentName>,
}

/// Returns the contract of a version as YAML.
pub fn contract_text(version: &CatalogVersion, context: &Context<'_>) -> String {
    yaml::to_text(&contract(version, context))
}

/// Returns the contract of a version as a value.
pub fn contract(version: &CatalogVersion, context: &Context<'_>) -> Value {
    let (record, entry) = (&version.record, &version.entry);
    let metadata = &entry.metadata;
    let mut contract = json!({
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": format!("promptops://{}/{}", context.registry, record.id),
        "name": record.id,
        "version": record.version.to_string(),
        "status": status(version),
        "contractCreatedTs": record.published.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    let mut add = |name: &str, value: Value| {
        let is_empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        if !is_empty {
            contract[name] = value;
        }
    };
    if !record.id.namespace().is_empty() {
        add("domain", record.id.namespace().into());
    }
    add("tags", json!(metadata.tags));
    if let Some(purpose) = &metadata.purpose {
        add("description", json!({"purpose": purpose}));
    }
    add("servers", json!([{"server": "registry", "type": "custom", "location": context.url}]));
    add("schema", schema(version));
    add("slaProperties", service_levels(version));
    add("team", team(&metadata.owner, context.owners));
    add("roles", roles(context));
    add("support", support(&metadata.owner, context.owners));
    add("customProperties", custom_properties(version, context));
    contract
}

/// The state of the version in its life, in the standard's words. What is published may be used until it is withdrawn.
fn status(version: &CatalogVersion) -> &'static str {
    match version.entry.withdrawal().map(|record| record.state) {
        Some(State::Yanked) => "retired",
        Some(State::Deprecated) => "deprecated",
        Some(State::Restored) | None => "active",
    }
}

/// The inputs and the output, each an object; the evals check the output.
fn schema(version: &CatalogVersion) -> Value {
    let content = &version.content;
    let inputs: Vec<Value> = content
        .inputs
        .iter()
        .map(|(name, schema)| {
            let mut input = property(name, schema);
            input["required"] = schema.get("default").is_none().into();
            input
        })
        .collect();
    let mut objects = Vec::new();
    if !inputs.is_empty() {
        objects.push(json!({
            "name": "inputs",
            "logicalType": "object",
            "physicalType": "variables of the template",
            "properties": inputs,
        }));
    }
    let quality = quality(version);
    if content.output.is_some() || !quality.is_empty() {
        let mut output = json!({"name": "output", "logicalType": "object", "physicalType": "answer of the model"});
        if let Some(schema) = &content.output {
            output["properties"] = output_properties(schema);
        }
        if !quality.is_empty() {
            output["quality"] = quality.into();
        }
        objects.push(output);
    }
    objects.into()
}

/// The fields of an answer that is an object; any other answer is one field.
fn output_properties(schema: &Value) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return json!([property("answer", schema)]);
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
    let fields = properties.iter().map(|(name, schema)| {
        let mut field = property(name, schema);
        field["required"] = is_required(name).into();
        field
    });
    fields.collect()
}

/// Describes a value by its JSON Schema, as far as the standard has words for it.
fn property(name: &str, schema: &Value) -> Value {
    let mut property = described(schema);
    let mut named = json!({"name": name});
    if let (Some(named), Some(property)) = (named.as_object_mut(), property.as_object_mut()) {
        named.append(property);
    }
    named
}

/// The same without a name, as the items of a list have none.
fn described(schema: &Value) -> Value {
    let mut property = json!({});
    let logical = schema.get("type").and_then(Value::as_str).filter(|name| LOGICAL_TYPES.contains(name));
    let logical = logical.or_else(|| all_texts(schema).then_some("string"));
    if let Some(logical) = logical {
        property["logicalType"] = logical.into();
        let options: Map<String, Value> = OPTIONS
            .iter()
            .filter(|(of, _)| of.contains(&logical))
            .filter_map(|(_, option)| Some(((*option).to_owned(), schema.get(*option)?.clone())))
            .collect();
        if !options.is_empty() {
            property["logicalTypeOptions"] = options.into();
        }
    }
    if let Some(kind) = schema.get("type").filter(|kind| !kind.is_string()) {
        property["physicalType"] = kind.to_string().into();
    }
    if let Some(description) = schema.get("description").and_then(Value::as_str) {
        property["description"] = description.into();
    }
    if let Some(values) = schema.get("enum") {
        property["quality"] =
            json!([{"type": "library", "metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0}]);
    }
    match logical {
        Some("object") => {
            let fields = schema.get("properties").and_then(Value::as_object);
            if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
                property["properties"] = fields.iter().map(|(name, schema)| self::property(name, schema)).collect();
            }
        }
        Some("array") => {
            if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                property["items"] = described(items);
            }
        }
        _ => {}
    }
    property
}

/// The types that JSON Schema and the standard both have.
const LOGICAL_TYPES: [&str; 6] = ["string", "number", "integer", "object", "array", "boolean"];

/// The keywords that JSON Schema and the standard both have, and the types they are for.
const OPTIONS: [(&[&str], &str); 11] = [
    (&["string"], "minLength"),
    (&["string"], "maxLength"),
    (&["string"], "pattern"),
    (&["string"], "format"),
    (&["number", "integer"], "minimum"),
    (&["number", "integer"], "maximum"),
    (&["number", "integer"], "exclusiveMinimum"),
    (&["number", "integer"], "exclusiveMaximum"),
    (&["number", "integer"], "multipleOf"),
    (&["array"], "minItems"),
    (&["array"], "maxItems"),
];

fn all_texts(schema: &Value) -> bool {
    let values = schema.get("enum").and_then(Value::as_array);
    values.is_some_and(|values| !values.is_empty() && values.iter().all(Value::is_string))
}

/// The evals that the version names or was run against.
fn quality(version: &CatalogVersion) -> Vec<Value> {
    let named = version.entry.metadata.evals.iter();
    let mut files: Vec<&String> = named.chain(version.evals.keys()).collect();
    files.sort();
    files.dedup();
    let check = |file: &String| {
        let said = match version.evals.get(file) {
            Some(run) => format!("latest run on this version: {} ({})", run.verdict, run.time.format("%Y-%m-%d")),
            None => "not run on this version yet".to_owned(),
        };
        json!({"name": file, "type": "custom", "engine": "promptops", "implementation": format!("promptops eval {file}"),
               "dimension": "accuracy", "description": said})
    };
    files.into_iter().map(check).collect()
}

/// The baseline metrics that are numbers.
fn service_levels(version: &CatalogVersion) -> Value {
    let numbers = version.entry.metadata.metrics.iter().filter(|(_, value)| value.is_number());
    let level = |(name, value): (&String, &Value)| json!({"property": name, "value": value, "driver": "operational", "description": "baseline, as the prompt states it"});
    numbers.map(level).collect()
}

fn team(owner: &str, owners: &Owners) -> Value {
    let member = |id: &String, role: &str| {
        let person = owners.people.get(id);
        let username = person.and_then(|person| person.email.clone()).unwrap_or_else(|| id.clone());
        let mut member = json!({"username": username, "role": role});
        if let Some(name) = person.and_then(|person| person.name.as_ref()) {
            member["name"] = name.as_str().into();
        }
        member
    };
    let contact = owners.contacts.get(owner);
    let mut team = json!({"name": contact.and_then(|contact| contact.name.as_deref()).unwrap_or(owner)});
    let members: Vec<Value> = match owners.teams.get(owner) {
        Some(members) => members.iter().map(|id| member(id, "member")).collect(),
        None if owners.people.contains_key(owner) => vec![member(&owner.to_owned(), "owner")],
        None => Vec::new(),
    };
    if !members.is_empty() {
        team["members"] = members.into();
    }
    team
}

/// The groups that must approve a release.
fn roles(context: &Context<'_>) -> Value {
    let mut roles = Vec::new();
    for (environment, demands) in &context.demands {
        for demand in demands {
            let Demand::Approval { group, .. } = demand else { continue };
            roles.push(json!({
                "role": group,
                "access": "approve",
                "description": format!("a release to {environment} needs {demand}"),
            }));
        }
    }
    roles.into()
}

fn support(owner: &str, owners: &Owners) -> Value {
    let contact = owners.contacts.get(owner);
    let mut channels = Vec::new();
    if let Some(channel) = contact.and_then(|contact| contact.channel.as_ref()) {
        let mut item = json!({"channel": channel, "scope": "interactive"});
        if channel.contains("://") {
            item["url"] = channel.as_str().into();
        }
        channels.push(item);
    }
    let person = owners.people.get(owner).and_then(|person| person.email.as_ref());
    if let Some(email) = contact.and_then(|contact| contact.email.as_ref()).or(person) {
        channels.push(json!({"channel": email, "tool": "email", "url": format!("mailto:{email}"), "scope": "issues"}));
    }
    channels.into()
}

fn custom_properties(version: &CatalogVersion, context: &Context<'_>) -> Value {
    let entry = &version.entry;
    let names = |references: &mut dyn Iterator<Item = String>| references.collect::<Vec<_>>();
    let mut properties = vec![
        ("promptopsDigest", json!(entry.digest)),
        ("promptopsModel", json!(entry.model)),
        ("promptopsAuthor", json!(entry.author)),
    ];
    if let Some(parent) = &entry.parent {
        properties.push(("promptopsParent", json!(parent)));
    }
    if !entry.includes.is_empty() {
        properties.push(("promptopsIncludes", json!(names(&mut entry.includes.iter().map(ToString::to_string)))));
    }
    if !context.live.is_empty() {
        properties.push(("promptopsLive", json!(names(&mut context.live.iter().map(ToString::to_string)))));
    }
    properties.into_iter().map(|(property, value)| json!({"property": property, "value": value})).collect()
}

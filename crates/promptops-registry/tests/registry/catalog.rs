//! Exports are what catalogs expect: OpenLineage events and ODCS contracts, held against schemas.

use std::collections::BTreeMap;

use jsonschema::Validator;
use promptops_prompt::owners::{Contact, Owners};
use promptops_prompt::{Prompt, yaml};
use promptops_registry::catalog::{CatalogVersion, odcs, openlineage};
use promptops_registry::policy::Demand;
use serde_json::{Value, json};

use crate::desk::{Desk, prod, prompt, reference, tagged};

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn assert_valid(validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// A prompt that uses what catalogs have words for.
fn triage(version: u32) -> Prompt {
    let mut prompt = tagged(&format!("support.triage@{version}"), "{% include 'tone@1' %} {{ message }}", &["legal", "support"]);
    prompt.metadata.purpose = Some("Sort messages: \"billing\", sales".to_owned());
    prompt.metadata.evals = vec!["evals/a.yaml".to_owned(), "evals/b.yaml".to_owned()];
    prompt.metadata.metrics =
        json!({"baseline_accuracy": 0.94, "cost_per_call_usd": 0.003, "note": "not a number"}).as_object().unwrap().clone();
    prompt.inputs = BTreeMap::from([
        ("message".to_owned(), json!({"type": "string", "maxLength": 4000, "description": "What the customer wrote"})),
        ("history".to_owned(), json!({"type": "array", "items": {"type": "string"}, "default": [], "maxItems": 9})),
        ("anything".to_owned(), json!({})),
        ("number".to_owned(), json!({"type": ["integer", "null"], "minimum": 1})),
    ]);
    prompt.output = Some(json!({
        "type": "object",
        "required": ["team"],
        "properties": {
            "team": {"enum": ["billing", "sales"]},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "why": {"type": "object", "properties": {"quote": {"type": "string", "format": "quote"}}},
        },
    }));
    prompt
}

/// A registry with two versions of it, one of them evaluated and live.
async fn desk() -> Desk {
    let desk = Desk::memory().await;
    desk.publish(&prompt("tone@1", "Be kind.")).await.unwrap();
    desk.publish(&triage(1)).await.unwrap();
    let mut second = triage(2);
    second.model = "claude-4".to_owned();
    desk.publish(&second).await.unwrap();
    desk.eval("support.triage@2", "regressed", 1).await;
    desk.eval("support.triage@2", "inconclusive", 2).await;
    desk
}

async fn versions(desk: &Desk, names: &[&str]) -> Vec<CatalogVersion> {
    let index = desk.registry.index().await.unwrap();
    let mut wanted = Vec::new();
    for name in names {
        let reference = reference(name);
        let entry = index.versions(&reference.id).await.unwrap()[&reference.version].clone();
        wanted.push((reference, entry));
    }
    desk.registry.catalog_versions(&wanted).await.unwrap()
}

fn run_events() -> Validator {
    validator(include_str!("../schemas/openlineage-run-event.schema.json"))
}

#[tokio::test]
async fn a_publish_is_a_run_event_with_the_version_as_output() {
    let desk = desk().await;
    let own = validator(include_str!("../../../../spec/openlineage/1-0-0/PromptOpsVersionDatasetFacet.json"));
    let (validator, mut runs) = (run_events(), Vec::new());
    for version in versions(&desk, &["tone@1", "support.triage@1", "support.triage@2"]).await {
        let event = openlineage::publication(&version, "acme-prompts");
        assert_valid(&validator, &event);
        assert_valid(&own, &event["outputs"][0]["facets"]);
        assert_eq!(event, openlineage::publication(&version, "acme-prompts"), "exporting twice says the same");
        runs.push(event["run"]["runId"].clone());
        assert_ne!(openlineage::publication(&version, "other")["run"]["runId"], event["run"]["runId"]);
    }
    runs.dedup();
    assert_eq!(runs.len(), 3, "each publish is a run of its own");

    let event = openlineage::publication(&versions(&desk, &["support.triage@2"]).await[0], "acme-prompts");
    assert_eq!(event["job"]["namespace"], "promptops/acme-prompts");
    assert_eq!(event["job"]["name"], "gate.support.triage");
    assert_eq!(event["job"]["facets"]["sourceCodeLocation"]["repoUrl"], "https://github.com/acme/prompts");
    let names = |side: &str| -> Vec<String> {
        let of = |dataset: &Value| {
            format!("{} {}", dataset["name"].as_str().unwrap(), dataset["facets"]["version"]["datasetVersion"].as_str().unwrap())
        };
        event[side].as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(names("inputs"), ["support/triage 1", "tone 1"]);
    assert_eq!(names("outputs"), ["support/triage 2"]);
    let facets = &event["outputs"][0]["facets"];
    assert_eq!(facets["datasetType"]["datasetType"], "PROMPT");
    let fields: Vec<String> = facets["schema"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| format!("{} {}", field["name"], field["type"]))
        .collect();
    assert_eq!(fields, [r#""anything" "any""#, r#""history" "array""#, r#""message" "string""#, r#""number" "integer|null""#]);
    let test = &event["run"]["facets"]["test"]["tests"];
    assert_eq!(
        *test,
        json!([{"name": "evals/b.yaml", "status": "fail", "severity": "warn", "type": "eval", "expected": "pass", "actual": "inconclusive"}])
    );
}

#[tokio::test]
async fn a_release_is_a_run_event_with_what_it_brought_in() {
    let desk = desk().await;
    for (version, file) in [("support.triage@1", "a"), ("support.triage@1", "b")] {
        let record = desk.registry.version(&reference(version)).await.unwrap();
        let predicate = json!({"verdict": "pass", "eval": format!("evals/{file}.yaml")});
        let statement = promptops_prompt::evidence::Statement::new(
            record.reference(),
            record.digest,
            promptops_prompt::evidence::EVAL_PREDICATE,
            predicate,
        );
        desk.registry.record_evidence(&statement, "ci", crate::desk::minute(3)).await.unwrap();
    }
    desk.approve("bob", "legal", "support.triage@1", 4, 7).await.unwrap();
    desk.deploy(&["support.triage@1"], 5).await.unwrap();
    desk.deploy(&["tone@1"], 6).await.unwrap();
    desk.registry.rollback(&prod(), None, "rel@example.com", Some("too kind"), crate::desk::minute(7)).await.unwrap();

    let own = validator(include_str!("../../../../spec/openlineage/1-0-0/PromptOpsReleaseRunFacet.json"));
    let validator = run_events();
    let history = desk.registry.history(&prod()).await.unwrap();
    let mut said = Vec::new();
    let before = std::iter::once(None).chain(history.iter().map(Some));
    for (release, before) in history.iter().zip(before) {
        let changes = desk.registry.release_changes(release, before).await.unwrap();
        let event = openlineage::release(release, &changes, "acme-prompts");
        assert_valid(&validator, &event);
        assert_valid(&own, &event["run"]["facets"]);
        let facet = &event["run"]["facets"]["promptOps_release"];
        assert_eq!(event["job"]["name"], "release.prod");
        said.push((facet["action"].clone(), facet["changes"].clone(), event["inputs"].as_array().unwrap().len()));
    }
    let change = |prompt: &str, from: Value, to: Value| json!([{"prompt": prompt, "from": from, "to": to}]);
    assert_eq!(
        said,
        [
            (json!("deploy"), change("support.triage", Value::Null, json!("support.triage@1")), 1),
            (json!("deploy"), change("tone", Value::Null, json!("tone@1")), 1),
            (json!("rollback"), change("tone", json!("tone@1"), Value::Null), 0),
        ]
    );
}

#[tokio::test]
async fn a_prompt_is_a_contract_of_the_standard() {
    let desk = desk().await;
    let standard = validator(include_str!("../schemas/odcs-3.1.0.schema.json"));
    let mut owners: Owners = crate::desk::owners();
    owners.people.get_mut("ann").unwrap().name = Some("Ann".to_owned());
    owners.teams.insert("support".to_owned(), ["ann".to_owned(), "gone".to_owned()].into());
    let contact = Contact {
        name: Some("Support desk".into()),
        channel: Some("https://chat.example.com/support".into()),
        email: Some("support@example.com".into()),
        github: None,
    };
    owners.contacts.insert("support".to_owned(), contact);
    let demands = vec![Demand::Eval { file: None }, Demand::Approval { group: "legal".to_owned(), quorum: 2, valid_days: 30 }];
    let context = odcs::Context {
        registry: "acme-prompts",
        url: "s3://prompts/registry",
        owners: &owners,
        demands: BTreeMap::from([(prod(), demands)]),
        live: vec![prod()],
    };
    for version in versions(&desk, &["tone@1", "support.triage@2"]).await {
        let contract = odcs::contract(&version, &context);
        assert_valid(&standard, &contract);
        let text = odcs::contract_text(&version, &context);
        let (node, problems) = yaml::parse(&text);
        assert_eq!(problems, [], "{text}");
        assert_eq!(node.unwrap().to_json(&mut Vec::new()), contract, "the YAML says the same: {text}");
        let empty = Owners::default();
        let bare = odcs::Context { owners: &empty, demands: BTreeMap::new(), live: Vec::new(), ..context.clone() };
        assert_valid(&standard, &odcs::contract(&version, &bare));
    }
    let contract = odcs::contract_text(&versions(&desk, &["support.triage@2"]).await[0], &context);
    insta::assert_snapshot!(contract, @r#"
    apiVersion: "v3.1.0"
    kind: "DataContract"
    id: "promptops://acme-prompts/support.triage"
    name: "support.triage"
    version: "2"
    status: "active"
    contractCreatedTs: "2026-11-01T03:00:00Z"
    domain: "support"
    tags:
      - "legal"
      - "support"
    description:
      purpose: "Sort messages: \"billing\", sales"
    servers:
      - server: "registry"
        type: "custom"
        location: "s3://prompts/registry"
    schema:
      - name: "inputs"
        logicalType: "object"
        physicalType: "variables of the template"
        properties:
          - name: "anything"
            required: true
          - name: "history"
            logicalType: "array"
            logicalTypeOptions:
              maxItems: 9
            items:
              logicalType: "string"
            required: false
          - name: "message"
            logicalType: "string"
            logicalTypeOptions:
              maxLength: 4000
            description: "What the customer wrote"
            required: true
          - name: "number"
            physicalType: "[\"integer\",\"null\"]"
            required: true
      - name: "output"
        logicalType: "object"
        physicalType: "answer of the model"
        properties:
          - name: "confidence"
            logicalType: "number"
            logicalTypeOptions:
              minimum: 0
              maximum: 1
            required: false
          - name: "team"
            logicalType: "string"
            quality:
              - type: "library"
                metric: "invalidValues"
                arguments:
                  validValues:
                    - "billing"
                    - "sales"
                mustBe: 0
            required: true
          - name: "why"
            logicalType: "object"
            properties:
              - name: "quote"
                logicalType: "string"
                logicalTypeOptions:
                  format: "quote"
            required: false
        quality:
          - name: "evals/a.yaml"
            type: "custom"
            engine: "promptops"
            implementation: "promptops eval evals/a.yaml"
            dimension: "accuracy"
            description: "not run on this version yet"
          - name: "evals/b.yaml"
            type: "custom"
            engine: "promptops"
            implementation: "promptops eval evals/b.yaml"
            dimension: "accuracy"
            description: "latest run on this version: inconclusive (2026-11-01)"
    slaProperties:
      - property: "baseline_accuracy"
        value: 0.94
        driver: "operational"
        description: "baseline, as the prompt states it"
      - property: "cost_per_call_usd"
        value: 0.003
        driver: "operational"
        description: "baseline, as the prompt states it"
    team:
      name: "Support desk"
      members:
        - username: "ann@example.com"
          role: "member"
          name: "Ann"
        - username: "gone"
          role: "member"
    roles:
      - role: "legal"
        access: "approve"
        description: "a release to prod needs 2 approvals of `legal`"
    support:
      - channel: "https://chat.example.com/support"
        scope: "interactive"
        url: "https://chat.example.com/support"
      - channel: "support@example.com"
        tool: "email"
        url: "mailto:support@example.com"
        scope: "issues"
    customProperties:
      - property: "promptopsDigest"
        value: "sha256:8c6aad1589245ad93b35c66fdccad5086d8d810c69f132bc51ac351bb5b2fbe3"
      - property: "promptopsModel"
        value: "claude-4"
      - property: "promptopsAuthor"
        value: "ann@example.com"
      - property: "promptopsParent"
        value: "support.triage@1"
      - property: "promptopsIncludes"
        value:
          - "tone@1"
      - property: "promptopsLive"
        value:
          - "prod"
    "#);
}

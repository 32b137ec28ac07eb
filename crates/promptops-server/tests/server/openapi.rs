//! The description of the API, kept in `spec` and held against the routes.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{DOCUMENT, Server};

#[test]
fn the_description_is_the_one_that_was_reviewed() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/openapi.json");
    let described = promptops_server::openapi_document();
    #[expect(clippy::disallowed_methods, reason = "the one who runs the tests says so")]
    if std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &described).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = reviewed.lines().zip(described.lines()).position(|(reviewed, described)| reviewed != described);
    let advice = "review it, then write it with PROMPTOPS_UPDATE_EXPECTED=1 cargo test -p promptops-server --test server openapi";
    assert!(reviewed == described, "spec/openapi.json differs from line {differs:?} on: {advice}");
}

#[test]
fn every_operation_says_what_it_is_and_how_it_fails() {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    assert!(paths.len() >= 20, "{:?}", paths.keys());
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in paths {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 10), "{what} has no summary");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{what} has the id of another");
            let is_open = operation["security"] == serde_json::json!([{}]);
            let responses = operation["responses"].as_object().unwrap();
            assert!(is_open || responses.keys().any(|status| status.starts_with('4')), "{what} cannot fail");
            for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{what} {status}");
            }
        }
    }
    let references = references(&DOCUMENT);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    assert!(references.len() > 30);
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_server_shows_its_description() {
    let server = Server::start(|_| {}).await;
    assert_eq!(server.get("/v1/openapi.json").await.json(), *DOCUMENT);
}

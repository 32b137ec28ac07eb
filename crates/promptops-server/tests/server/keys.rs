//! Who may do what.

use chrono::TimeDelta;
use promptops_registry::keys::KeyRequest;
use promptops_registry::{ErrorKind, Registry};
use promptops_server::Access;
use promptops_store::{Store, StoreOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Server, now, prompt, provenance};

fn publication(id: &str) -> Value {
    let prompt = json!({"id": id, "version": 1, "model": "m", "template": "Hello", "metadata": {"owner": "o"}});
    json!({"submissions": [{"prompt": prompt, "provenance": provenance()}]})
}

#[tokio::test]
async fn without_a_key_nothing_is_shown_but_health() {
    let mut server = Server::start(|_| {}).await;
    for path in ["/v1/prompts", "/v1/objects", "/v1/objects/format.json", "/v1/audit/entries", "/metrics"] {
        let answer = server.get(path).await;
        answer.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"promptops\", Basic"), "{answer:?}");
    }
    server.post("/v1/publications", &publication("a")).await.problem(401, "unauthenticated");
    for path in ["/", "/healthz", "/readyz", "/v1/openapi.json"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let token = server.key("ann", &["read"]).await;
    for wrong in ["", "pk_", "secret", &token.reveal().replace("pk_", "pk_f"), &format!("{}0", token.reveal())] {
        server.token = Some(wrong.to_owned());
        server.get("/v1/prompts").await.problem(401, "unauthenticated");
    }
    let secret_of_another = server.key("bob", &["read"]).await.reveal();
    let mixed = format!("pk_{}_{}", token.id(), secret_of_another.rsplit('_').next().unwrap());
    server.token = Some(mixed);
    assert_eq!(server.get("/v1/prompts").await.problem(401, "unauthenticated"), "the API key is not known");
    server.token = Some(token.reveal());
    server.get("/v1/prompts").await.well();
    let as_password = server.client.get(format!("{}/v1/prompts", server.url)).basic_auth("me", Some(token.reveal()));
    server.send(Method::GET, "/v1/prompts", as_password).await.well();
}

#[tokio::test]
async fn a_key_does_what_its_scopes_cover_and_reads() {
    let mut server = Server::start(|_| {}).await;
    let rollback = json!({"to": 1});
    let evidence = json!({"statement": {}});
    for (scopes, a_b, b, prod, staging, stores_evidence) in [
        (&["read"][..], false, false, false, false, false),
        (&["publish:a"], true, false, false, false, false),
        (&["publish"], true, true, false, false, false),
        (&["deploy:prod", "evidence"], false, false, true, false, true),
        (&["admin"], true, true, true, true, true),
    ] {
        server.token = Some(server.key("ci", scopes).await.reveal());
        server.get("/v1/prompts").await.well();
        let may = async |path: &str, body: &Value| {
            let answer = server.post(path, body).await;
            let is_out_of_scope = answer.text.contains("/out-of-scope\"");
            assert_eq!(is_out_of_scope, answer.status == 403, "{answer:?}");
            !is_out_of_scope
        };
        assert_eq!(may("/v1/publications", &publication("a.b")).await, a_b, "{scopes:?} publishes a.b");
        assert_eq!(may("/v1/publications", &publication("b")).await, b, "{scopes:?} publishes b");
        assert_eq!(may("/v1/environments/prod/rollbacks", &rollback).await, prod, "{scopes:?} deploys to prod");
        assert_eq!(may("/v1/environments/staging/rollbacks", &rollback).await, staging, "{scopes:?} deploys to staging");
        let answer = server.post("/v1/evidence", &evidence).await;
        assert_eq!(answer.status, 400, "a statement that is none is refused first: {answer:?}");
        let _ = stores_evidence;
    }
    server.token = Some(server.key("ci", &["publish:a"]).await.reveal());
    let mut two = publication("a.c");
    two["submissions"].as_array_mut().unwrap().extend(publication("c")["submissions"].as_array().unwrap().clone());
    let detail = server.post("/v1/publications", &two).await.problem(403, "out-of-scope");
    assert_eq!(detail, "the key has no scope that covers `publish:c`");
    assert!(server.registry.versions(&"a.c".parse().unwrap()).await.is_err(), "nothing is published when a part is out of scope");
}

#[tokio::test]
async fn a_revoked_or_expired_key_is_refused() {
    let mut server = Server::start(|_| {}).await;
    let token = server.key("ci", &["publish"]).await;
    server.token = Some(token.reveal());
    server.get("/v1/prompts").await.well();
    server.registry.revoke_key(token.id(), Some("it leaked"), "ops@example.com", now()).await.unwrap();
    assert_eq!(server.get("/v1/prompts").await.problem(401, "unauthenticated"), "the API key was revoked");
    server.post("/v1/publications", &publication("a")).await.problem(401, "unauthenticated");

    let before = now() - TimeDelta::days(10);
    let request = KeyRequest { name: "old", actor: "old@example.com", scopes: &["read".parse().unwrap()], expires: now() };
    let (_, token) = server.registry.create_key(&request, &[9; 40], "ops@example.com", before).await.unwrap();
    server.token = Some(token.reveal());
    assert_eq!(server.get("/v1/prompts").await.problem(401, "unauthenticated"), "the API key has expired");
    assert_eq!(server.registry.verify(&[]).await.unwrap().problems, []);
    let actions: Vec<&str> = server
        .registry
        .log_batches(1, 10)
        .await
        .unwrap()
        .iter()
        .flat_map(|batch| &batch.entries)
        .map(|entry| entry.action.name())
        .collect();
    assert_eq!(actions, ["init", "key", "revoke", "key"]);
}

/// What is known holds for a while: within it a revoked key may still be taken, after it never.
#[tokio::test]
async fn what_is_known_of_a_key_holds_no_longer_than_it_says() {
    let hold = std::time::Duration::from_millis(300);
    let mut server = Server::start(|settings| settings.hold = hold).await;
    let token = server.key("ci", &["read"]).await;
    server.token = Some(token.reveal());
    server.get("/v1/prompts").await.well();
    let revoked = std::time::Instant::now();
    server.registry.revoke_key(token.id(), None, "ops@example.com", now()).await.unwrap();
    let mut answers = Vec::new();
    while revoked.elapsed() < hold * 3 {
        let asked = revoked.elapsed();
        answers.push((asked, server.get("/v1/prompts").await.status));
    }
    assert!(answers.iter().all(|(asked, status)| *asked < hold || *status == 401), "{answers:?}");
    assert_eq!(answers.last().unwrap().1, 401);
}

#[tokio::test]
async fn a_key_made_after_it_was_asked_for_is_taken() {
    let mut server = Server::start(|_| {}).await;
    // The keys of two servers of one test are made alike.
    let other = Server::start(|_| {}).await;
    server.token = Some(other.key("ci", &["read"]).await.reveal());
    server.get("/v1/prompts").await.problem(401, "unauthenticated");
    server.key("ci", &["read"]).await;
    server.get("/v1/prompts").await.well();
}

#[tokio::test]
async fn everybody_reads_where_that_is_said_but_not_what_is_stored_about_keys() {
    let mut server = Server::start(|settings| settings.access = Access::PublicRead).await;
    server.publish(&prompt("a@1", "Hello {{ name }}")).await;
    let token = server.key("ci", &["publish"]).await;
    let answer = server.get("/v1/prompts/a/versions/1").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    assert_eq!(answer.header("vary"), "");
    let key = format!("/v1/objects/keys/{}/key.json", token.id());
    for path in [key.as_str(), "/v1/objects", "/v1/objects?prefix=keys", "/v1/folders?prefix=keys"] {
        server.get(path).await.problem(401, "unauthenticated");
    }
    server.get("/v1/objects?prefix=prompts").await.well();
    server.get("/v1/folders").await.well();
    server.post("/v1/publications", &publication("b")).await.problem(401, "unauthenticated");
    let anonymous = server.remote(None).await;
    assert_eq!(anonymous.list().await.unwrap().len(), 1);
    let refused = anonymous.verify(&[]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "what cannot be seen is not said to be lost: {refused}");
    server.token = Some(token.reveal());
    let stored = server.get(&key).await.json();
    assert!(!stored.to_string().contains(token.reveal().rsplit('_').next().unwrap()), "the secret is not stored");
    server.get("/v1/objects").await.well();
    assert_eq!(server.remote(Some(&token)).await.verify(&[]).await.unwrap().problems, []);
    server.token = Some("pk_0000000000000000_0".to_owned());
    server.get("/v1/prompts").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_trusting_server_answers_to_loopback_names_only() {
    let server = Server::trusting().await;
    let foreign = server.request(Method::GET, "/v1/prompts").header("Host", "evil.example");
    server.send(Method::GET, "/v1/prompts", foreign).await.problem(403, "foreign-host");
    let local = server.request(Method::GET, "/v1/prompts").header("Host", "localhost:80");
    server.send(Method::GET, "/v1/prompts", local).await.well();
}

#[tokio::test]
async fn a_client_without_a_key_that_counts_is_told_so() {
    let server = Server::start(|_| {}).await;
    let store = Store::open(&server.url, &StoreOptions::default()).unwrap();
    let refused = Registry::open(store).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.hint().unwrap().contains("PROMPTOPS_API_KEY"), "{:?}", refused.hint());
}

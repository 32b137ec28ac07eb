//! Everything that writes, through a registry opened at the URL of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use promptops_prompt::PromptRef;
use promptops_prompt::evidence::{EVAL_PREDICATE, Statement};
use promptops_registry::api::v1;
use promptops_registry::publish::Outcome;
use promptops_registry::status::{StatusChange, StatusRequest};
use promptops_registry::{Authority, ErrorKind, Policy, Registry, RegistryError, Submission, Targets};
use serde_json::{Value, json};

use crate::harness::{Server, approval, assert_fits, held_rules, now, owners, prompt, provenance};

/// Publishes through a registry, by rules and clock that the server must not heed.
async fn publish(registry: &Registry, prompts: &[promptops_prompt::Prompt]) -> Vec<Result<Outcome, RegistryError>> {
    let provenance = provenance();
    let submissions: Vec<_> = prompts.iter().map(|prompt| Submission { prompt, provenance: &provenance }).collect();
    let lax = Policy::default();
    let long_ago = "1999-01-01T00:00:00Z".parse().unwrap();
    let results = registry.publish_all(&submissions, &lax, "mallory@example.com", long_ago).await.unwrap();
    results.into_iter().map(|result| result.map(|publication| publication.outcome)).collect()
}

#[tokio::test]
async fn a_publish_through_a_server_is_decided_and_recorded_there() {
    let server = Server::start(|_| {}).await;
    let token = server.key("ci", &["publish"]).await;
    let remote = server.remote(Some(&token)).await;
    let prompts = [prompt("a.b@1", "Hello {{ name }}"), prompt("a.b@2", "Hello again, {{ name }}")];
    let outcomes = publish(&remote, &prompts).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::New))), "{outcomes:?}");

    let record = server.registry.version(&"a.b@2".parse().unwrap()).await.unwrap();
    assert_eq!(
        (record.published.by.as_str(), record.published.time),
        ("ci@example.com", now()),
        "actor and time are the server's"
    );
    assert_eq!(record.provenance, provenance());
    let again = publish(&remote, &prompts).await;
    assert!(again.iter().all(|outcome| matches!(outcome, Ok(Outcome::Already))), "{again:?}");
    let mut described = prompts[1].clone();
    described.metadata.purpose = Some("Greet them again".into());
    assert!(matches!(publish(&remote, &[described]).await[0], Ok(Outcome::MetadataChanged(1))));
    assert_eq!(server.registry.verify(&[]).await.unwrap().problems, []);
}

#[tokio::test]
async fn a_refusal_comes_back_as_the_registry_itself_would_give_it() {
    let server = Server::trusting().await;
    let remote = server.remote(None).await;
    publish(&remote, &[prompt("a@1", "Hello {{ name }}")]).await;
    let cases = [
        (prompt("a@1", "Goodbye {{ name }}"), ErrorKind::Conflict),
        (prompt("b@2", "Hello {{ name }}"), ErrorKind::NotFound),
        (prompt("c@1", "{% include \"none@1\" %}"), ErrorKind::NotFound),
        (prompt("d@1", "{% if %}"), ErrorKind::Usage),
        (prompt("owned.x@1", "Hello {{ name }}"), ErrorKind::Refused),
    ];
    for (prompt, kind) in cases {
        let provenance = provenance();
        let submission = Submission { prompt: &prompt, provenance: &provenance };
        let direct = server.registry.publish(&submission, &held_rules().policy, "ann@example.com", now()).await.unwrap_err();
        let through = publish(&remote, std::slice::from_ref(&prompt)).await.remove(0).unwrap_err();
        assert_eq!((through.kind(), through.to_string(), through.hint()), (kind, direct.to_string(), direct.hint()));
    }
    let mixed = publish(&remote, &[prompt("a@1", "Goodbye {{ name }}"), prompt("e@1", "Hello {{ name }}")]).await;
    assert!(mixed[0].is_err() && matches!(mixed[1], Ok(Outcome::New)), "one that is refused keeps no other back: {mixed:?}");
}

#[tokio::test]
async fn many_versions_go_in_several_requests() {
    let server = Server::trusting().await;
    let prompts: Vec<_> =
        (1..=230).map(|version| prompt(&format!("many@{version}"), &format!("{version}: {{{{ name }}}}"))).collect();
    let outcomes = publish(&server.remote(None).await, &prompts).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::New))), "{outcomes:?}");
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("route=\"/v1/publications\",status=\"200\"} 3"), "{metrics}");
}

#[tokio::test]
async fn a_plan_is_deployed_by_the_rules_of_the_server() {
    let server = Server::start(|_| {}).await;
    let mut sensitive = prompt("support.refund@1", "Refund {{ name }}");
    sensitive.metadata.tags = vec!["legal".into()];
    server.publish(&sensitive).await;
    let token = server.key("rel", &["deploy:prod", "approve"]).await;
    let remote = server.remote(Some(&token)).await;
    let (lax, owners) = (Policy::default(), owners());
    let authority = Authority { policy: &lax, owners: &owners, revision: "mine" };
    let targets = Targets { versions: vec!["support.refund@1".parse().unwrap()], ..Targets::default() };
    let prod = "prod".parse().unwrap();
    let plan = remote.plan(&prod, &targets, authority, "mallory", now()).await.unwrap();
    assert!(plan.unmet().is_empty(), "whoever plans may think what they like");
    let sent = json!({"plan": serde_json::to_value(server.registry.plan(&prod, &targets, held_rules().authority(), "x", now()).await.unwrap()).unwrap()});
    assert_fits(&sent, "DeployRequest");
    let refused = remote.deploy(&plan, authority, "mallory", None, now()).await.unwrap_err();
    let RegistryError::Refused { environment, unmet } = &refused else { panic!("{refused:?}") };
    assert_eq!((environment, unmet[0].to_string()), (&prod, "support.refund@1: approval of `legal` is missing".to_owned()));
    assert_eq!(refused.kind(), ErrorKind::Refused);

    let record = server.registry.version(&"support.refund@1".parse().unwrap()).await.unwrap();
    let (statement, signature) = approval(&record);
    assert_fits(&json!({"statement": statement, "signature": signature}), "ApprovalRequest");
    let statement: Statement = serde_json::from_value(statement).unwrap();
    let object = remote.approve(&statement, &signature, &owners, "mallory", now()).await.unwrap();
    assert_eq!(remote.approve(&statement, &signature, &owners, "mallory", now()).await.unwrap(), object);
    let released = remote.deploy(&plan, authority, "mallory", Some("it is time"), now()).await.unwrap();
    assert!(released.is_new);
    let release = &released.release;
    assert_eq!((release.actor.as_str(), release.rules.as_deref()), ("rel@example.com", Some("4b825dc642")));
    assert!(!remote.deploy(&plan, authority, "mallory", Some("it is time"), now()).await.unwrap().is_new, "repeating is safe");
    assert_eq!(remote.current(&prod).await.unwrap().as_ref(), Some(release));
    let forged = remote.approve(&statement, "no signature", &owners, "mallory", now()).await.unwrap_err();
    assert!(forged.kind() == ErrorKind::Refused && forged.to_string().contains("signature is not readable"), "{forged}");
}

#[tokio::test]
async fn an_environment_goes_back_once_however_often_it_is_asked() {
    let server = Server::trusting().await;
    let remote = server.remote(None).await;
    let rules = held_rules();
    let staging = "staging".parse().unwrap();
    for version in 1..=3 {
        let name = format!("a@{version}");
        server.publish(&prompt(&name, &format!("{version} {{{{ name }}}}"))).await;
        let targets = Targets { versions: vec![name.parse().unwrap()], ..Targets::default() };
        let plan = remote.plan(&staging, &targets, rules.authority(), "", now()).await.unwrap();
        remote.deploy(&plan, rules.authority(), "", None, now()).await.unwrap();
    }
    let back = remote.rollback(&staging, None, "mallory", Some("it was worse"), now()).await.unwrap();
    assert_eq!((back.release.sequence, back.release.based_on, back.is_new), (4, Some(2), true));
    assert_eq!(back.release.actor, "ann@example.com");
    let request = json!({"to": 2});
    let again = server.post("/v1/environments/staging/rollbacks", &request).await;
    assert_eq!((again.status, &again.json()["is_new"]), (200, &json!(false)));
    server.post("/v1/environments/staging/rollbacks", &json!({"to": 9})).await.problem(404, "release-not-found");
    let first = server.post("/v1/environments/staging/rollbacks", &json!({"to": 1})).await;
    assert_eq!((first.status, &first.json()["release"]["sequence"]), (201, &json!(5)));
}

#[tokio::test]
async fn a_version_is_withdrawn_through_a_server_unless_it_is_live() {
    let server = Server::start(|_| {}).await;
    let rules = held_rules();
    for name in ["a.b@1", "a.c@1"] {
        server.publish(&prompt(name, "Hello {{ name }}")).await;
    }
    let (staging, live): (_, PromptRef) = ("staging".parse().unwrap(), "a.c@1".parse().unwrap());
    let targets = Targets { versions: vec![live.clone()], ..Targets::default() };
    let plan = server.registry.plan(&staging, &targets, rules.authority(), "rel", now()).await.unwrap();
    server.registry.deploy(&plan, rules.authority(), "rel", None, now()).await.unwrap();
    let token = server.key("ci", &["publish:a"]).await;
    let remote = server.remote(Some(&token)).await;

    let reference: PromptRef = "a.b@1".parse().unwrap();
    let replacement = Some(live.clone());
    let date = "2026-12-24".parse().unwrap();
    let mut request = StatusRequest {
        reference: &reference,
        change: StatusChange::Deprecate { date, replacement },
        reason: "c is better",
        source: "github.com/acme/prompts",
        is_forced: false,
    };
    assert_fits(&serde_json::to_value(v1::StatusRequestV1::from(&request)).unwrap(), "StatusRequest");
    let decision = remote.set_status(&request, rules.authority(), "mallory", now()).await.unwrap();
    let record = decision.record.unwrap();
    assert_eq!((record.by.as_str(), record.date, record.replacement), ("ci@example.com", Some(date), Some(live.clone())));
    assert_eq!(remote.status(&reference).await.unwrap().unwrap().reason, "c is better");
    request.change = StatusChange::Yank;
    assert!(remote.set_status(&request, rules.authority(), "", now()).await.unwrap().record.is_some());
    assert!(remote.set_status(&request, rules.authority(), "", now()).await.unwrap().record.is_none(), "repeating is safe");

    request.reference = &live;
    let direct = server.registry.set_status(&request, rules.authority(), "", now()).await.unwrap_err();
    let through = remote.set_status(&request, rules.authority(), "", now()).await.unwrap_err();
    assert_eq!((through.kind(), through.to_string(), through.hint()), (direct.kind(), direct.to_string(), direct.hint()));
    assert_eq!(through.kind(), ErrorKind::Refused);
    let mut body = serde_json::to_value(v1::StatusRequestV1::from(&request)).unwrap();
    body["date"] = json!("2026-12-24");
    let mut admin = server;
    admin.token = Some(token.reveal());
    let detail = admin.post("/v1/statuses", &body).await.problem(400, "bad-request");
    assert_eq!(detail, "only a deprecation has a `date`");
    body["reference"] = json!("z@1");
    admin.post("/v1/statuses", &body).await.problem(403, "out-of-scope");
    admin.token = None;
    admin.post("/v1/statuses", &body).await.problem(401, "unauthenticated");
    assert_eq!(admin.registry.verify(&[]).await.unwrap().problems, []);
}

#[tokio::test]
async fn evidence_is_stored_in_the_name_of_the_key() {
    let server = Server::start(|_| {}).await;
    server.publish(&prompt("a@1", "Hello {{ name }}")).await;
    let token = server.key("ci", &["evidence"]).await;
    let remote = server.remote(Some(&token)).await;
    let record = remote.version(&"a@1".parse().unwrap()).await.unwrap();
    let predicate = json!({"verdict": "pass", "eval": "evals/a.yaml"});
    let statement = Statement::new(record.reference(), record.digest, EVAL_PREDICATE, predicate);
    assert_fits(&json!({"statement": serde_json::to_value(&statement).unwrap()}), "EvidenceRequest");
    remote.record_evidence(&statement, "mallory", now()).await.unwrap();
    let stored = server.registry.statements(&record.digest).await.unwrap();
    assert_eq!((stored.len(), stored[0].recorded.by.as_str()), (1, "ci@example.com"));
    let empty = Statement::new(record.reference(), record.digest, EVAL_PREDICATE, json!({}));
    let refused = remote.record_evidence(&empty, "mallory", now()).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.to_string().as_str()),
        (ErrorKind::Usage, "the statement cannot be stored: it has no `verdict`")
    );
}

#[tokio::test]
async fn what_a_server_does_not_offer_says_where_to_do_it() {
    let server = Server::trusting().await;
    let remote = server.remote(None).await;
    let refused = Registry::init(remote.store().clone(), "ann", now()).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("making a registry cannot be done through a server: `{}`", server.url));
    let id = "0123456789abcdef".parse().unwrap();
    let refused = remote.revoke_key(&id, None, "ann", now()).await.unwrap_err();
    assert!(matches!(refused, RegistryError::NotThroughServer { .. }), "{refused:?}");
}

fn submission(change: impl FnOnce(&mut Value)) -> Value {
    let mut prompt = json!({"id": "a", "version": 1, "model": "m", "template": "Hello", "metadata": {"owner": "o"}});
    change(&mut prompt);
    json!({"submissions": [{"prompt": prompt, "provenance": provenance()}]})
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_before_anything_is_written() {
    let server = Server::trusting().await;
    let path = "/v1/publications";
    for (body, reason) in [
        (json!({"submissions": []}), "from 1 to 100"),
        (json!({}), "missing field `submissions`"),
        (json!([]), "the body is not what is taken here"),
        (json!({"submissions": [], "extra": 1}), "unknown field `extra`"),
        (submission(|prompt| prompt["template"] = Value::Null), "submission 0 is no prompt"),
        (submission(|prompt| prompt["id"] = json!("A")), "an id is lower-case"),
        (submission(|prompt| prompt["version"] = json!(0)), "a version is a whole number"),
    ] {
        let detail = server.post(path, &body).await.problem(400, "bad-request");
        assert!(detail.contains(reason), "{body}: {detail}");
    }
    let plain = server.request(reqwest::Method::POST, path).body(submission(|_| {}).to_string());
    server.send(reqwest::Method::POST, path, plain).await.problem(415, "unsupported-media-type");
    let broken = server.request(reqwest::Method::POST, path).header("Content-Type", "application/json; charset=utf-8").body("{");
    server.send(reqwest::Method::POST, path, broken).await.problem(400, "bad-request");
    let plan = json!({"format": 1, "environment": "prod", "created": now(), "by": "x", "changes": []});
    let detail = server.post("/v1/environments/staging/releases", &json!({"plan": plan})).await.problem(409, "plan-mismatch");
    assert_eq!(detail, "the plan does not fit the registry: it is for environment `prod`");
    assert_eq!(server.registry.list().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let server = Server::trusting().await;
    let mut body = submission(|_| {});
    body["submissions"][0]["prompt"]["version"] = json!(1.0);
    server.post("/v1/publications", &body).await.well();
    let twice = r#"{"submissions": [], "submissions": []}"#;
    let request =
        server.request(reqwest::Method::POST, "/v1/publications").header("Content-Type", "application/json").body(twice);
    let detail = server.send(reqwest::Method::POST, "/v1/publications", request).await.problem(400, "bad-request");
    assert!(detail.contains("duplicate field `submissions`"), "{detail}");
}

#[tokio::test]
async fn rules_that_cannot_be_read_let_nothing_be_written() {
    let (broken, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_broken, was_seen) = (Arc::clone(&broken), Arc::clone(&seen));
    let server = Server::start(|settings| {
        settings.access = promptops_server::Access::Trusted { actor: "ann@example.com".to_owned() };
        settings.rules = Some(Arc::new(move || {
            was_seen.store(true, Ordering::SeqCst);
            if is_broken.load(Ordering::SeqCst) { Err("owners.yaml is not valid".to_owned()) } else { Ok(held_rules()) }
        }));
    })
    .await;
    assert_fits(&submission(|_| {}), "PublishRequest");
    server.post("/v1/publications", &submission(|_| {})).await.well();
    assert!(seen.load(Ordering::SeqCst));
    broken.store(true, Ordering::SeqCst);
    let detail = server.post("/v1/publications", &submission(|_| {})).await.problem(503, "rules-unreadable");
    assert!(!detail.contains("owners.yaml is not valid"), "what is wrong is in the log: {detail}");
    server.get("/v1/prompts/a").await.well();
    broken.store(false, Ordering::SeqCst);
    server.post("/v1/publications", &submission(|_| {})).await.well();
}

#[tokio::test]
async fn a_server_without_rules_writes_nothing() {
    let server = Server::start(|settings| {
        settings.access = promptops_server::Access::Trusted { actor: "ann@example.com".to_owned() };
        settings.rules = None;
    })
    .await;
    server.post("/v1/publications", &submission(|_| {})).await.problem(403, "read-only");
    server.post("/v1/environments/prod/rollbacks", &json!({"to": 1})).await.problem(403, "read-only");
    assert_eq!(server.registry.list().await.unwrap().len(), 0);
}

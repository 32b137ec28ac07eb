//! Everything that reads.

use promptops_prompt::Digest;
use promptops_registry::Targets;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Server, held_rules, now, prompt};

const IMMUTABLE: &str = "private, max-age=31536000, immutable";

/// A desk with two prompts, one of them in two versions and live in staging.
async fn desk() -> Server {
    let server = Server::trusting().await;
    server.publish(&prompt("shared.tone@1", "Be kind.")).await;
    server.publish(&prompt("support.greeting@1", "Hello {{ name }}")).await;
    let mut second = prompt("support.greeting@2", "{% include \"shared.tone@1\" %}\nGood day, {{ name }}");
    second.metadata.tags = vec!["polite".into()];
    server.publish(&second).await;
    let rules = held_rules();
    let targets = Targets { versions: vec!["support.greeting@2".parse().unwrap()], ..Targets::default() };
    let staging = "staging".parse().unwrap();
    let plan = server.registry.plan(&staging, &targets, rules.authority(), "rel", now()).await.unwrap();
    server.registry.deploy(&plan, rules.authority(), "rel", Some("try it"), now()).await.unwrap();
    server
}

#[tokio::test]
async fn a_version_is_resolved_to_its_stored_bytes_and_never_changes() {
    let server = desk().await;
    let path = "/v1/prompts/support.greeting/versions/2";
    let answer = server.get(path).await;
    let stored = server.store.get("prompts/support.greeting/0000000002.json").await.unwrap().unwrap();
    assert_eq!((answer.status, answer.text.as_bytes()), (200, &stored[..]));
    let etag = format!("\"{}\"", Digest::of(&stored));
    assert_eq!((answer.header("etag"), answer.header("cache-control")), (etag.as_str(), IMMUTABLE));
    assert_eq!((answer.header("vary"), answer.header("x-content-type-options")), ("Authorization", "nosniff"));
    assert_eq!(answer.header("content-type"), "application/json");

    let again = server.send(Method::GET, path, server.request(Method::GET, path).header("If-None-Match", &etag)).await;
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", etag.as_str()));
    let other = server.request(Method::GET, path).header("If-None-Match", "\"sha256:other\"");
    assert_eq!(server.send(Method::GET, path, other).await.status, 200);
    let head = server.request(Method::HEAD, path).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["etag"].to_str().unwrap()), (200, etag.as_str()));
    assert_eq!(head.headers()["content-length"], stored.len().to_string().as_str());
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_is_not_published_is_a_problem_that_nobody_keeps() {
    let server = desk().await;
    let path = "/v1/prompts/support.greeting/versions/3";
    let detail = server.get(path).await.problem(404, "version-not-found");
    assert_eq!(detail, "the registry has no version `support.greeting@3`");
    server.publish(&prompt("support.greeting@3", "Hi {{ name }}")).await;
    assert_eq!(server.get(path).await.status, 200, "it is seen as soon as it is published");
    server.get("/v1/prompts/no.such").await.problem(404, "prompt-not-found");
    server.get("/v1/prompts/Bad/versions/1").await.problem(400, "bad-request");
    server.get("/v1/prompts/a/versions/0").await.problem(400, "bad-request");
    server.get("/v1/prompts/a/versions/one").await.problem(400, "bad-request");
    server.get("/v1/environments/prod").await.problem(404, "nothing-deployed");
    server.get("/v1/environments/staging/releases/2").await.problem(404, "release-not-found");
    server.get("/v1/environments/staging/at?time=2026-10-01T00:00:00Z").await.problem(404, "nothing-deployed");
    server.get("/v1/environments/staging/at?time=yesterday").await.problem(400, "bad-request");
    server.get("/v1/nothing").await.problem(404, "no-such-route");
    let wrong = server.send(Method::DELETE, path, server.request(Method::DELETE, path)).await;
    wrong.problem(405, "method-not-allowed");
    assert_eq!(wrong.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn content_and_text_show_what_a_version_says() {
    let server = desk().await;
    let content = server.get("/v1/prompts/support.greeting/versions/2/content").await;
    let record = server.registry.version(&"support.greeting@2".parse().unwrap()).await.unwrap();
    assert_eq!(Digest::of(content.text.as_bytes()), record.digest);
    assert_eq!(content.header("etag"), format!("\"{}\"", record.digest));
    let text = server.get("/v1/prompts/support.greeting/versions/2/text").await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let expected = format!(
        "support.greeting@2\n\n\
         owner        support\npurpose      Greet people\ntags         polite\nmodel        claude-3-5-sonnet\n\
         parameters   temperature=0\ninputs       name\nincludes     shared.tone@1\nparent       support.greeting@1\n\
         digest       {}\nauthor       ann@example.com\n\
         source       github.com/acme/prompts prompts/greeting.yaml\n\
         commit       4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
         published    2026-11-01T03:00:00Z by ci@example.com\n\n\
         --- template\n{{% include \"shared.tone@1\" %}}\nGood day, {{{{ name }}}}\n",
        record.digest
    );
    assert_eq!(text.text, expected);
}

#[tokio::test]
async fn prompts_are_listed_searched_and_paged() {
    let server = desk().await;
    let ids = |answer: &serde_json::Value| -> Vec<String> {
        answer["prompts"].as_array().unwrap().iter().map(|prompt| prompt["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = server.get("/v1/prompts").await.well();
    assert_eq!(ids(&all), ["shared.tone", "support.greeting"]);
    assert_eq!((&all["prompts"][1]["versions"], &all["prompts"][1]["latest"]), (&json!([1, 2]), &json!(2)));
    assert!(all.get("next").is_none());
    let first = server.get("/v1/prompts?limit=1").await.well();
    assert_eq!((ids(&first), first["next"].as_str()), (vec!["shared.tone".to_owned()], Some("shared.tone")));
    let second = server.get("/v1/prompts?limit=1&after=shared.tone").await.well();
    assert_eq!(ids(&second), ["support.greeting"]);
    assert!(second.get("next").is_none(), "the last page says that it is: {second}");
    for (query, found) in [("q=GREET%20polite", 1), ("q=kind", 0), ("tag=polite", 1), ("tag=pol", 0), ("owner=support", 2)] {
        let answer = server.get(&format!("/v1/prompts?{query}")).await.well();
        assert_eq!(ids(&answer).len(), found, "{query}");
    }
    for bad in ["limit=0", "limit=201", "limit=x", "after=A"] {
        server.get(&format!("/v1/prompts?{bad}")).await.problem(400, "bad-request");
    }
    let one = server.get("/v1/prompts/support.greeting").await.well();
    assert_eq!((&one["metadata"]["tags"], &one["published_by"]), (&json!(["polite"]), &json!("ci@example.com")));
}

#[tokio::test]
async fn environments_show_what_is_and_was_live() {
    let server = desk().await;
    assert_eq!(server.get("/v1/environments").await.well(), json!({"environments": ["staging"]}));
    let live = server.get("/v1/environments/staging").await.well();
    assert_eq!((&live["release"]["sequence"], &live["release"]["reason"]), (&json!(1), &json!("try it")));
    assert_eq!(live["pins"]["support.greeting"]["version"], 2);
    let at = server.get("/v1/environments/staging/at?time=2026-11-01T04:00:00%2B01:00").await.well();
    assert_eq!(at, live);
    let releases = server.get("/v1/environments/staging/releases").await.well();
    assert_eq!((releases["releases"].as_array().unwrap().len(), releases.get("next")), (1, None));
    assert_eq!(server.get("/v1/environments/staging/releases?first=9").await.well()["releases"], json!([]));
    let release = server.get("/v1/environments/staging/releases/1").await;
    assert_eq!((release.status, release.header("cache-control")), (200, IMMUTABLE));
    assert_eq!(release.json(), releases["releases"][0]);
}

#[tokio::test]
async fn objects_are_shown_as_they_are_and_listed_page_by_page() {
    let server = desk().await;
    let keys = server.store.list("prompts").await.unwrap();
    let mut paged = Vec::new();
    let mut path = "/v1/objects?prefix=prompts/&limit=2".to_owned();
    loop {
        let page = server.get(&path).await.well();
        paged.extend(page["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()));
        let Some(next) = page.get("next") else { break };
        path = format!("/v1/objects?prefix=prompts/&limit=2&after={}", next.as_str().unwrap());
    }
    assert_eq!(paged, keys);
    for key in &keys {
        let object = server.get(&format!("/v1/objects/{key}")).await;
        let stored = server.store.get(key).await.unwrap().unwrap();
        assert_eq!((object.text.as_bytes(), object.header("cache-control")), (&stored[..], IMMUTABLE));
        let encoded = server.get(&format!("/v1/objects/{}", key.replace('/', "%2F"))).await;
        assert_eq!(encoded.text, object.text);
    }
    let missing = server.get("/v1/objects/prompts/none.json").await.problem(404, "object-not-found");
    assert_eq!(missing, "there is no object `prompts/none.json`");
    for bad in
        ["/v1/objects/a%23b", "/v1/objects/..%2Fa", "/v1/objects?limit=0", "/v1/objects?prefix=..", "/v1/folders?prefix=/a"]
    {
        server.get(bad).await.problem(400, "bad-request");
    }
    assert_eq!(server.get("/v1/folders?prefix=prompts").await.well(), json!({"folders": ["shared.tone", "support.greeting"]}));
}

#[tokio::test]
async fn who_asks_anew_sees_what_lies_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let options = promptops_store::StoreOptions { base_dir: folder.path().to_owned(), ..Default::default() };
    let store = promptops_store::Store::open("file://registry", &options).unwrap();
    let server = Server::start_on(store, |settings| {
        settings.access = promptops_server::Access::Trusted { actor: "ann@example.com".to_owned() };
    })
    .await;
    server.publish(&prompt("a@1", "Hello {{ name }}")).await;
    let remote = server.remote(None).await;
    assert_eq!(remote.verify(&[]).await.unwrap().problems, []);
    assert_eq!(server.get("/v1/prompts/a/versions/1").await.status, 200);

    let file = folder.path().join("registry/prompts/a/0000000001.json");
    let altered = std::fs::read_to_string(&file).unwrap().replace("ann@example.com", "eve@example.com");
    std::fs::write(&file, altered).unwrap();
    let remembered = server.get("/v1/prompts/a/versions/1").await;
    assert!(remembered.text.contains("ann@example.com"), "an object is remembered, because it never changes");
    assert!(!remote.verify(&[]).await.unwrap().is_accepted(), "and verification sees that it did");
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page() {
    let server = desk().await;
    let head = server.registry.log_head().await.unwrap().unwrap();
    assert_eq!(server.get("/v1/audit/head").await.well(), json!({"head": head.to_string()}));
    let all = server.get("/v1/audit/entries").await.well();
    let actions: Vec<&str> = all["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["init", "publish", "publish", "publish", "deploy"]);
    let page = server.get("/v1/audit/entries?first=2&limit=1").await.well();
    assert_eq!((page["entries"][0]["batch"].as_u64(), page["next"].as_u64()), (Some(2), Some(3)));
    server.get("/v1/audit/entries?first=0").await.problem(400, "bad-request");
}

#[tokio::test]
async fn whoever_runs_it_sees_how_it_is() {
    let server = desk().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).await.text, "ok\n");
    }
    assert!(server.get("/").await.text.starts_with("This is a registry of prompts."));
    server.get("/v1/prompts/support.greeting/versions/2").await;
    server.get("/v1/prompts/support.greeting/versions/2").await;
    let metrics = server.get("/metrics").await.text;
    let counted = "promptops_http_requests_total{method=\"GET\",route=\"/v1/prompts/{id}/versions/{version}\",status=\"200\"} 2";
    for line in [counted, "promptops_object_cache_hits_total 1", "promptops_object_cache_misses_total 1"] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

/// Reads a registry whose store has gone.
#[tokio::test]
async fn a_store_that_does_not_answer_is_no_fault_of_the_request() {
    let options = promptops_store::StoreOptions {
        settings: [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_MAX_RETRIES", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..Default::default()
    };
    let gone = promptops_store::Store::open("s3://bucket/prefix", &options).unwrap();
    assert!(promptops_registry::Registry::open(gone).await.is_err(), "a server does not start without its store");
}

//! Recording invocations: from a request to a lake that is not always there.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::BoxFuture;
use promptops_server::{Access, Ingest, InvocationLake, NotStored, Settings};
use promptops_telemetry::ingest::IngestSettings;
use promptops_telemetry::otlp::Keep;
use promptops_telemetry::{Invocation, Uuid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Server};

/// A lake in memory that is away for a number of calls.
#[derive(Default)]
pub struct Lake {
    pub ids: Mutex<BTreeSet<Uuid>>,
    pub records: Mutex<Vec<Invocation>>,
    pub calls: AtomicUsize,
    pub away: AtomicUsize,
}

impl InvocationLake for Lake {
    fn store<'a>(&'a self, records: &'a [Invocation]) -> BoxFuture<'a, Result<u64, NotStored>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(NotStored("the lake is away".into()));
            }
            self.records.lock().unwrap().extend_from_slice(records);
            let mut ids = self.ids.lock().unwrap();
            Ok(records.iter().filter(|record| ids.insert(record.invocation_id)).count() as u64)
        })
    }
}

impl Lake {
    pub fn ids(&self) -> Vec<u128> {
        self.ids.lock().unwrap().iter().map(Uuid::as_u128).collect()
    }

    pub async fn has(&self, expected: &[u128]) {
        let arrived = async {
            while self.ids() != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), arrived).await.unwrap_or_else(|_| panic!("the lake has {:?}", self.ids()));
    }
}

pub fn log(folder: &Path) -> IngestSettings {
    IngestSettings { segment_age: Duration::from_millis(50), ..IngestSettings::new(folder.join("log")) }
}

pub fn recording(lake: &Arc<Lake>, log: IngestSettings) -> impl FnOnce(&mut Settings) + use<> {
    let lake = Arc::clone(lake) as Arc<dyn InvocationLake>;
    |settings| {
        settings.access = Access::Trusted { actor: "ann@example.com".to_owned() };
        settings.ingest = Some(Ingest { log, lake, spans: Keep::default() });
    }
}

fn records(ids: std::ops::Range<u128>) -> Value {
    ids.map(|id| json!({"time": "2026-11-01T02:00:00Z", "invocation_id": Uuid::from_u128(id), "prompt_id": "support.intent"}))
        .collect()
}

async fn send(server: &Server, content_type: &str, encoding: Option<&str>, body: Vec<u8>) -> Answer {
    let mut request = server.request(Method::POST, "/v1/invocations").header("content-type", content_type).body(body);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    server.send(Method::POST, "/v1/invocations", request).await
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_is_recorded_reaches_the_lake_once() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let mut server = Server::start(recording(&lake, log(folder.path()))).await;
    assert_eq!(server.post("/v1/invocations", &records(1..4)).await.well(), json!({"recorded": 3}));
    let lines: String = records(3..6).as_array().unwrap().iter().map(|record| format!("{record}\n")).collect();
    assert_eq!(send(&server, "application/x-ndjson", None, lines.clone().into()).await.well(), json!({"recorded": 3}));
    assert_eq!(
        send(&server, "application/json; charset=utf-8", Some("gzip"), gzip(lines.as_bytes())).await.well(),
        json!({"recorded": 3})
    );
    assert_eq!(server.post("/v1/invocations", &json!([])).await.well(), json!({"recorded": 0}));
    lake.has(&[1, 2, 3, 4, 5]).await;
    let metrics = server.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("promptops_invocations_recorded_total 9\n"), "{metrics}");
    server.post("/v1/invocations", &records(6..7)).await.well();
    server.stop().await.unwrap().unwrap();
    assert_eq!(lake.ids(), [1, 2, 3, 4, 5, 6], "what was recorded last is shipped before the end");
    assert_eq!(files(folder.path()), ["lock"]);
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("log")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_lake_that_is_away_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake { away: 2.into(), ..Lake::default() });
    let server = Server::start(recording(&lake, log(folder.path()))).await;
    server.post("/v1/invocations", &records(1..3)).await.well();
    lake.has(&[1, 2]).await;
    assert_eq!(lake.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_a_server_leaves_the_next_one_ships() {
    let folder = tempfile::tempdir().unwrap();
    let away = Arc::new(Lake { away: usize::MAX.into(), ..Lake::default() });
    let mut server = Server::start(recording(&away, log(folder.path()))).await;
    server.post("/v1/invocations", &records(1..3)).await.well();
    server.stop().await.unwrap().unwrap();
    assert_eq!(files(folder.path()), ["00000000000000000001.segment", "lock"]);
    let lake = Arc::new(Lake::default());
    let _server = Server::start(recording(&lake, log(folder.path()))).await;
    lake.has(&[1, 2]).await;
}

#[tokio::test]
async fn when_the_log_is_full_senders_are_told_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake { away: usize::MAX.into(), ..Lake::default() });
    let server = Server::start(recording(&lake, IngestSettings { spool_bytes: 1, ..log(folder.path()) })).await;
    server.post("/v1/invocations", &records(1..2)).await.well();
    let answer = server.post("/v1/invocations", &records(2..3)).await;
    assert_eq!(answer.problem(429, "no-room"), "the lake has not taken invocations for a while, and the log is full");
    assert_eq!(answer.header("retry-after"), "30");
    lake.away.store(0, Ordering::SeqCst);
    lake.has(&[1]).await;
    server.post("/v1/invocations", &records(2..3)).await.well();
    lake.has(&[1, 2]).await;
}

#[tokio::test]
async fn what_is_no_record_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let change = recording(&lake, log(folder.path()));
    let server = Server::start(|settings| {
        change(settings);
        settings.limits.body_bytes = 100_000;
    })
    .await;
    let mut mixed = records(1..3);
    mixed.as_array_mut().unwrap().push(json!({"time": "2026-11-01T02:00:00Z"}));
    let answer = server.post("/v1/invocations", &mixed).await;
    assert_eq!(answer.problem(400, "bad-request"), "record 3 has no `invocation_id`");
    for (body, message) in [
        ("nonsense", "what was sent is neither a JSON array of records nor one record a line"),
        ("[[[[[[", "what was sent is neither"),
        (&"[".repeat(90_000), "what was sent is neither"),
        ("{\"time\": 7}", "record 1: invalid type: integer `7`"),
        ("{}", "record 1: missing field `time`"),
    ] {
        let detail = send(&server, "application/json", None, body.into()).await.problem(400, "bad-request");
        assert!(detail.starts_with(message), "{detail}");
    }
    let bomb = gzip(&vec![b' '; 50 << 20]);
    assert!(bomb.len() < 100_000);
    send(&server, "application/json", Some("gzip"), bomb).await.problem(413, "too-large");
    send(&server, "application/json", None, vec![b' '; 100_001]).await.problem(413, "too-large");
    send(&server, "application/json", Some("gzip"), b"not gzip".to_vec()).await.problem(400, "bad-request");
    send(&server, "application/json", Some("br"), b"x".to_vec()).await.problem(400, "bad-request");
    send(&server, "text/plain", None, b"[]".to_vec()).await.problem(415, "unsupported-media-type");
    assert_eq!((lake.ids(), files(folder.path())), (vec![], vec!["lock".to_owned()]));
}

#[tokio::test]
async fn recording_takes_a_key_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let change = recording(&lake, log(folder.path()));
    let mut server = Server::start(|settings| {
        change(settings);
        settings.access = Access::PublicRead;
    })
    .await;
    server.post("/v1/invocations", &records(1..2)).await.problem(401, "unauthenticated");
    server.token = Some(server.key("ci", &["read", "publish", "evidence"]).await.reveal());
    server.post("/v1/invocations", &records(1..2)).await.problem(403, "out-of-scope");
    server.token = Some(server.key("service", &["record"]).await.reveal());
    server.post("/v1/invocations", &records(1..2)).await.well();
    server.get("/v1/keys").await.problem(404, "no-such-route");

    let server = Server::trusting().await;
    let answer = server.post("/v1/invocations", &records(1..2)).await;
    assert_eq!(answer.problem(403, "records-nothing"), "no invocations are recorded through this server");
}

//! The store on a real S3 server, whose address the test runner gives; skipped, and saying so, where there is none.

#![cfg(feature = "s3")]

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::conformance;
use crate::error::StoreError;
use crate::location::StoreOptions;
use crate::store::{Created, Store};

/// For instance `http://127.0.0.1:5000`, a server that takes any credentials.
const ENDPOINT_VARIABLE: &str = "PROMPTOPS_TEST_S3_ENDPOINT";
const BUCKET: &str = "promptops-store-tests";

fn options(endpoint: &str) -> StoreOptions {
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_PAGER", "a name that means nothing to a store"),
        ("AWS_SESSION_TOKEN", ""),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    StoreOptions { settings: BTreeMap::from(settings), ..StoreOptions::default() }
}

#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the server is")]
fn endpoint(test: &str) -> Option<String> {
    let endpoint = std::env::var(ENDPOINT_VARIABLE).ok().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        eprintln!("skipped: {test}: {ENDPOINT_VARIABLE} is not set");
    }
    endpoint
}

/// The object store library cannot make buckets; such servers take the bare request.
async fn make_bucket(endpoint: &str) {
    let host = endpoint.strip_prefix("http://").expect("a plain http endpoint").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).await.expect("the server listens");
    let request = format!("PUT /{BUCKET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers");
    let made = answer.starts_with("HTTP/1.1 200") || answer.contains("BucketAlreadyOwnedByYou");
    assert!(made, "{answer}");
}

/// A name no earlier run has used, on a server that may outlive many.
fn unique_name() -> String {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = dir.path().file_name().expect("the folder has a name").to_string_lossy();
    format!("{}-{}", name.trim_start_matches('.'), std::process::id())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_conforms() {
    let Some(endpoint) = endpoint("s3_conforms") else { return };
    make_bucket(&endpoint).await;
    let (run, stores) = (unique_name(), Cell::new(0));
    conformance::run(async || {
        stores.set(stores.get() + 1);
        Store::open(&format!("s3://{BUCKET}/{run}/{}", stores.get()), &options(&endpoint)).unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_missing_bucket_is_not_an_empty_store() {
    let Some(endpoint) = endpoint("a_missing_bucket_is_not_an_empty_store") else { return };
    let store = Store::open("s3://promptops-no-such-bucket/p", &options(&endpoint)).unwrap();
    for error in
        [store.get("a").await.unwrap_err(), store.list("").await.unwrap_err(), store.create("a", Bytes::new()).await.unwrap_err()]
    {
        assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
        assert_eq!(error.to_string(), "the store does not exist: `s3://promptops-no-such-bucket/p`");
    }
}

#[tokio::test]
async fn conditional_writes_switched_off_are_refused() {
    let Some(endpoint) = endpoint("conditional_writes_switched_off_are_refused") else { return };
    make_bucket(&endpoint).await;
    let mut options = options(&endpoint);
    options.settings.insert("AWS_CONDITIONAL_PUT".to_owned(), "disabled".to_owned());
    let store = Store::open(&format!("s3://{BUCKET}/{}", unique_name()), &options).unwrap();
    let error = crate::probe(&store, "off").await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{error:?}");
}

/// A server that answers each connection with the next of these statuses and bodies, then closes it; returns its address
/// and, when all answers are given, the request lines.
async fn scripted(answers: &'static [(&'static str, &'static str)]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("the listener is bound"));
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            // The bodies sent here are a few bytes and arrive with or right behind the head.
            while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") || expects_body(&request) {
                assert_ne!(stream.read_buf(&mut request).await.expect("the client writes"), 0, "the request is whole");
            }
            let request = String::from_utf8_lossy(&request);
            requests.push(request.lines().next().expect("a request line").to_owned());
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nLast-Modified: Tue, 01 Sep 2026 00:00:00 GMT\r\n\
                 ETag: \"1\"\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.expect("the client reads");
            stream.shutdown().await.expect("the client reads");
        }
        requests
    });
    (endpoint, served)
}

/// Whether a request announces a body that has not arrived; all bodies in these tests are `mine`.
fn expects_body(request: &[u8]) -> bool {
    request.starts_with(b"PUT") && !request.ends_with(b"mine")
}

#[tokio::test]
async fn a_409_of_s3_is_tried_again() {
    let (endpoint, served) = scripted(&[
        ("409 Conflict", "<Error><Code>ConditionalRequestConflict</Code></Error>"),
        ("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>"),
        ("200 OK", ""),
    ])
    .await;
    let store = Store::open("s3://bucket/p", &options(&endpoint)).unwrap();
    assert_eq!(store.create("a", Bytes::from("mine")).await.unwrap(), Created::New);
    let requests = served.await.unwrap();
    assert_eq!(requests, ["PUT /bucket/p/a HTTP/1.1", "GET /bucket/p/a HTTP/1.1", "PUT /bucket/p/a HTTP/1.1"]);
}

#[tokio::test]
async fn a_412_is_settled_by_reading() {
    for (stored, conflicts) in [("mine", false), ("other", true)] {
        let answers: &'static [_] = if conflicts {
            &[("412 Precondition Failed", ""), ("200 OK", "other")]
        } else {
            &[("412 Precondition Failed", ""), ("200 OK", "mine")]
        };
        let (endpoint, served) = scripted(answers).await;
        let store = Store::open("s3://bucket/p", &options(&endpoint)).unwrap();
        let outcome = store.create("a", Bytes::from("mine")).await;
        assert_eq!(matches!(outcome, Err(StoreError::Conflict { .. })), conflicts, "{stored}: {outcome:?}");
        assert_eq!(matches!(outcome, Ok(Created::Same)), !conflicts, "{stored}: {outcome:?}");
        assert_eq!(served.await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_refused_listing_is_a_matter_of_permission() {
    let (endpoint, served) = scripted(&[("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>")]).await;
    let store = Store::open("s3://bucket/p", &options(&endpoint)).unwrap();
    let error = store.list("a").await.unwrap_err();
    assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    assert_eq!(served.await.unwrap().len(), 1, "it is not tried again");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let mut options = options("http://127.0.0.1:9");
    options.settings.insert("aws_conditional_put".to_owned(), "perhaps".to_owned());
    let error = Store::open("s3://bucket/prefix", &options).unwrap_err();
    assert!(error.to_string().contains("perhaps"), "{error}");
    let error = Store::open("s3://bucket/a//b", &StoreOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::InvalidUrl { .. }), "{error:?}");
}

/// Nothing listens on the discard port, so this needs no server.
#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let mut options = options("http://127.0.0.1:9");
    options.settings.insert("AWS_MAX_RETRIES".to_owned(), "0".to_owned());
    let store = Store::open("s3://bucket/prefix", &options).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the store did not answer for `a`");
    assert!(error.hint().is_some());
}

//! The store on real servers and emulators, whose addresses the test runner gives; skipped, and saying so, where there is
//! none. What each of them was seen to do stands in `docs/decisions/0006-real-object-stores-in-tests.md`.

#![cfg(all(feature = "s3", feature = "gcp", feature = "azure"))]

mod azurite;
mod fake_gcs;
mod moto;
mod versitygw;

use std::cell::Cell;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::conformance;
use crate::error::StoreError;
use crate::location::StoreOptions;
use crate::store::Store;

/// The bucket or container of all these tests; each test has a folder of its own in it.
const BUCKET: &str = "promptops-tests";

/// The address of a server, for instance `http://127.0.0.1:5000`, from the variable the test runner announces it by.
#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the servers are")]
fn endpoint(variable: &str, test: &str) -> Option<String> {
    let endpoint = std::env::var(variable).ok().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_none() {
        // On stdout, where the task that runs all tests looks for it.
        println!("skipped: {test}: {variable} is not set");
    }
    endpoint
}

fn options(settings: &[(&str, &str)]) -> StoreOptions {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    StoreOptions { settings, ..StoreOptions::default() }
}

/// What both S3 servers take.
fn s3_options(endpoint: &str) -> StoreOptions {
    options(&[
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        // Neither means anything here: of other programs, and empty.
        ("TOKEN", "of some other program"),
        ("AWS_SESSION_TOKEN", ""),
    ])
}

/// Sends one request by hand, for what the object store library cannot do, such as making buckets.
async fn send(endpoint: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let host = endpoint.strip_prefix("http://").expect("a plain http endpoint").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).await.expect("the server listens");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the server answers");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A name no earlier run has used, on a server that may outlive many.
fn unique_name() -> String {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = dir.path().file_name().expect("the folder has a name").to_string_lossy();
    format!("{}-{}", name.trim_start_matches('.'), std::process::id())
}

/// Runs the conformance suite, each time in a new folder of the bucket.
async fn conforms(scheme: &str, options: &StoreOptions) {
    let (run, stores) = (unique_name(), Cell::new(0));
    conformance::run(async || {
        stores.set(stores.get() + 1);
        Store::open(&format!("{scheme}://{BUCKET}/{run}/{}", stores.get()), options).unwrap()
    })
    .await;
}

/// Races many writers for one key, many times over: a server that reads and then writes loses one of these sooner or later.
async fn one_writer_wins_every_race(scheme: &str, options: &StoreOptions) {
    let store = Store::open(&format!("{scheme}://{BUCKET}/{}", unique_name()), options).unwrap();
    for round in 0..25 {
        let key = format!("race/{round}");
        let writers: Vec<_> = (0..32)
            .map(|writer| {
                let (store, key) = (store.clone(), key.clone());
                tokio::spawn(async move { store.create(&key, Bytes::from(format!("writer {writer}"))).await })
            })
            .collect();
        let mut won = Vec::new();
        for (writer, outcome) in writers.into_iter().enumerate() {
            match outcome.await.unwrap() {
                Ok(_) => won.push(writer),
                Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        assert_eq!(store.get(&key).await.unwrap(), Some(Bytes::from(format!("writer {}", won[0]))), "round {round}");
    }
}

/// A bucket that is not there is an error of every call, never an empty store.
async fn a_missing_bucket_is_told(url: &str, options: &StoreOptions) {
    let store = Store::open(url, options).unwrap();
    for error in
        [store.get("a").await.unwrap_err(), store.list("").await.unwrap_err(), store.create("a", Bytes::new()).await.unwrap_err()]
    {
        assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("the store does not exist: `{url}`"));
    }
}

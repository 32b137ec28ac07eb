//! The store on an S3 server that misbehaves.

#![cfg(feature = "s3")]

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::conformance::s3_server::{Fault, S3Server};
use crate::error::StoreError;
use crate::location::StoreOptions;
use crate::probe::probe;
use crate::sequence::Sequence;
use crate::store::{Created, Store};

fn open(server: &S3Server) -> Store {
    Store::open("s3://bucket/p", &server.options()).unwrap()
}

fn mine() -> Bytes {
    Bytes::from_static(b"mine, and long enough to be cut in two")
}

/// The suite runs here too, so that the faults below are those of a server that is right otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_of_these_tests_conforms() {
    crate::conformance::run(async || open(&S3Server::start())).await;
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    for fault in [
        Fault::Status(500, "InternalError"),
        Fault::Status(503, "SlowDown"),
        Fault::Status(429, "TooManyRequests"),
        Fault::Dropped,
    ] {
        let server = S3Server::start();
        let store = open(&server);
        server.fail("PUT", &[fault, fault]);
        assert_eq!(store.create("a", mine()).await.unwrap(), Created::New, "{fault:?}");
        server.fail("GET", &[fault, fault, fault]);
        assert_eq!(store.get("a").await.unwrap(), Some(mine()), "{fault:?}");
        assert_eq!(store.list("").await.unwrap(), ["a"], "{fault:?}");
        server.fail("HEAD", &[fault]);
        assert!(store.exists("a").await.unwrap(), "{fault:?}");
    }
}

/// The answer is lost in every way there is, after the object was stored: it is recognised as this call's own.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_a_success() {
    for fault in [
        Fault::DoneThenDropped,
        Fault::DoneThenSilent,
        Fault::DoneThenStatus(500, "InternalError"),
        Fault::DoneThenStatus(503, "SlowDown"),
        Fault::DoneThenStatus(409, "ConditionalRequestConflict"),
    ] {
        let server = S3Server::start();
        server.fail("PUT", &[fault]);
        let created = open(&server).create("a", mine()).await.unwrap();
        assert_eq!(created, Created::Same, "{fault:?}");
        assert_eq!(open(&server).get("a").await.unwrap(), Some(mine()), "{fault:?}");
    }
}

#[tokio::test]
async fn a_write_that_got_no_answer_and_did_not_take_place_is_repeated() {
    let server = S3Server::start();
    server.fail("PUT", &[Fault::Silent]);
    assert_eq!(open(&server).create("a", mine()).await.unwrap(), Created::New);
    assert_eq!(server.take_requests(), ["PUT /bucket/p/a", "GET /bucket/p/a", "PUT /bucket/p/a"], "read back, then repeated");
}

/// S3 answers 409 when another conditional write is under way: try again.
#[tokio::test]
async fn a_409_of_s3_is_tried_again() {
    let server = S3Server::start();
    server.fail("PUT", &[Fault::Status(409, "ConditionalRequestConflict")]);
    assert_eq!(open(&server).create("a", mine()).await.unwrap(), Created::New);
    assert_eq!(server.take_requests(), ["PUT /bucket/p/a", "GET /bucket/p/a", "PUT /bucket/p/a"]);
}

#[tokio::test]
async fn a_lost_answer_hides_no_conflict() {
    for fault in [Fault::Dropped, Fault::Silent, Fault::DoneThenStatus(500, "InternalError"), Fault::DoneThenDropped] {
        let server = S3Server::start();
        let store = open(&server);
        store.create("a", Bytes::from_static(b"theirs")).await.unwrap();
        server.fail("PUT", &[fault]);
        let error = store.create("a", mine()).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{fault:?}: {error:?}");
        assert_eq!(store.get("a").await.unwrap().as_deref(), Some(&b"theirs"[..]));
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    let server = S3Server::start();
    let store = open(&server);
    store.create("a", mine()).await.unwrap();
    server.fail("GET", &[Fault::Silent, Fault::Silent]);
    assert_eq!(store.get("a").await.unwrap(), Some(mine()), "asked again after the time-out");
}

/// Half a body is never an object.
#[tokio::test]
async fn half_a_body_is_completed_or_an_error() {
    let server = S3Server::start();
    let store = open(&server);
    store.create("a", mine()).await.unwrap();
    server.fail("GET", &[Fault::HalfBody]);
    assert_eq!(store.get("a").await.unwrap(), Some(mine()), "the rest is fetched");

    server.fail("GET", &[Fault::HalfBody; 30]);
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");

    // The library asks for the rest and would join a whole object to the half it has.
    let server = S3Server::start();
    server.ignore_ranges();
    let store = open(&server);
    store.create("a", mine()).await.unwrap();
    server.fail("GET", &[Fault::HalfBody]);
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");

    let server = S3Server::start();
    let store = open(&server);
    // The same while a lost answer is settled: what came of the object must not pass for other content.
    server.fail("PUT", &[Fault::DoneThenDropped]);
    server.fail("GET", &[Fault::HalfBody]);
    assert_eq!(store.create("a", mine()).await.unwrap(), Created::Same);
}

#[tokio::test]
async fn a_server_that_ignores_create_only_is_refused() {
    let server = S3Server::start();
    server.ignore_create_only();
    let error = probe(&open(&server), "init").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("If-None-Match"));

    // And when it begins to ignore it later, as after a change of its configuration.
    let server = S3Server::start();
    probe(&open(&server), "verify").await.unwrap();
    server.ignore_create_only();
    let error = probe(&open(&server), "verify").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "{error:?}");
}

/// With the rights to read alone, reading goes on and every write says what is missing, once.
#[tokio::test]
async fn a_read_only_bucket_is_a_matter_of_permission() {
    let server = S3Server::start();
    let store = open(&server);
    let sequence = Sequence::new(&store, "log").unwrap();
    sequence.append(1, mine()).await.unwrap();
    server.refuse_writes();
    server.take_requests();
    let error = sequence.append(2, mine()).await.unwrap_err();
    assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    assert_eq!(error.to_string(), "permission denied for `log/00000000000000000002.json`");
    assert!(error.hint().unwrap().contains("put"), "{:?}", error.hint());
    assert_eq!(server.take_requests().iter().filter(|request| request.starts_with("PUT")).count(), 1, "it is not tried again");
    assert_eq!(sequence.latest().await.unwrap(), Some((1, mine())));
}

#[tokio::test]
async fn a_refused_listing_is_a_matter_of_permission() {
    let server = S3Server::start();
    server.fail("GET", &[Fault::Status(403, "AccessDenied")]);
    let error = open(&server).list("a").await.unwrap_err();
    assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    assert_eq!(server.take_requests().len(), 1, "it is not tried again");
}

fn local(settings: &[(&str, &str)]) -> StoreOptions {
    let own = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let settings = own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    StoreOptions { settings: settings.collect::<BTreeMap<_, _>>(), ..StoreOptions::default() }
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let error = Store::open("s3://bucket/prefix", &local(&[("aws_conditional_put", "perhaps")])).unwrap_err();
    assert!(error.to_string().contains("perhaps"), "{error}");
    let error = Store::open("s3://bucket/a//b", &StoreOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::InvalidUrl { .. }), "{error:?}");
    let error = Store::open("s3://bucket", &local(&[("AWS_PROFILE", "nobody")])).unwrap_err();
    assert_eq!(error.to_string(), "there is no AWS profile `nobody` in the shared files: `s3://bucket`");
}

/// Without this, a laptop would wait for the metadata of a machine that it is not.
#[test]
fn missing_credentials_are_told_at_once_where_the_machine_has_none() {
    let settings = BTreeMap::from([("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())]);
    let options = StoreOptions { settings, ..StoreOptions::default() };
    let error = Store::open("s3://bucket", &options).unwrap_err();
    assert!(error.to_string().starts_with("no credentials for S3 are set"), "{error}");
}

/// A machine that is none of AWS's refuses the question, or nobody answers it.
#[tokio::test]
async fn missing_credentials_are_told_apart_from_refused_ones() {
    let machine = S3Server::start();
    let mut options = StoreOptions::default();
    options.settings.insert("AWS_METADATA_ENDPOINT".to_owned(), machine.endpoint().to_owned());
    let store = Store::open("s3://bucket/p", &options).unwrap();
    machine.fail("PUT", &[Fault::Status(403, "Forbidden"); 3]);
    for error in
        [store.get("a").await.unwrap_err(), store.list("").await.unwrap_err(), store.create("a", mine()).await.unwrap_err()]
    {
        assert_eq!(error.to_string(), "no credentials were found for `s3://bucket/p`", "{error:?}");
        assert!(error.hint().unwrap().contains("AWS_PROFILE"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_without_credentials_is_quoted() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    std::fs::write(&config, "[default]\ncredential_process = echo 'log in first' >&2; exit 1\n").unwrap();
    let mut options = StoreOptions::default();
    options.settings.insert("AWS_CONFIG_FILE".to_owned(), config.to_str().unwrap().to_owned());
    let error = Store::open("s3://bucket/p", &options).unwrap().get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::NoCredentials { .. }), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("log in first"), "{cause}");
}

#[test]
fn plain_http_is_refused_only_when_said_so() {
    Store::open("s3://bucket", &local(&[])).unwrap();
    // What is not HTTPS fails when it is used; that the setting is heeded shows here.
    let shown = format!("{:?}", crate::location::resolve("s3://bucket", &local(&[("AWS_ALLOW_HTTP", "false")])).unwrap());
    assert!(shown.contains("allow_http: Parsed(false)") || shown.contains("allow_http: Deferred(\"false\")"), "{shown}");
}

/// Nothing listens on the discard port, so this needs no server.
#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let store = Store::open("s3://bucket/prefix", &local(&[])).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the store did not answer for `a`");
    assert!(error.hint().is_some());
}

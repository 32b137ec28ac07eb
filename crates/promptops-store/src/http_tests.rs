//! The store on a server that answers as told. Against a real server the suite runs in the tests of the server.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::StoreError;
use crate::location::StoreOptions;
use crate::store::Store;

const ABSENT: &str = r#"{"type":"https://promptops.dev/problems/object-not-found","detail":"there is no such object"}"#;

/// A server that gives each connection the next of these answers and closes it; its URL and, at the end, the requests.
async fn scripted(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/registry", listener.local_addr().expect("the listener is bound"));
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.expect("the client writes"), 0, "the request is whole");
            }
            requests.push(String::from_utf8(request).expect("a head is text"));
            stream.write_all(answer.as_bytes()).await.expect("the client reads");
            stream.shutdown().await.expect("the client reads");
        }
        requests
    });
    (url, served)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn options(settings: &[(&str, &str)]) -> StoreOptions {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    StoreOptions { settings, base_dir: "/".into() }
}

fn first_line(request: &str) -> &str {
    request.lines().next().expect("a request has a first line")
}

#[tokio::test]
async fn an_object_is_asked_for_below_the_path_of_the_url() {
    let (url, served) = scripted(vec![answer("200 OK", "bytes"), answer("404 Not Found", ABSENT)]).await;
    let store = Store::open(&url, &options(&[("PROMPTOPS_API_KEY", "pk_1_s3cret")])).unwrap();
    assert_eq!(store.get("a/b.json").await.unwrap(), Some("bytes".into()));
    assert_eq!(store.get("a/c.json").await.unwrap(), None);
    let requests = served.await.unwrap();
    assert_eq!(first_line(&requests[0]), "GET /registry/v1/objects/a/b.json HTTP/1.1");
    assert!(requests[0].contains("authorization: Bearer pk_1_s3cret\r\n"), "{}", requests[0]);
    assert!(!format!("{store:?} {:?}", store.connection()).contains("s3cret"));
}

#[tokio::test]
async fn a_server_that_is_overloaded_or_breaks_off_is_asked_again() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".to_owned();
    let (url, served) = scripted(vec![
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        half,
        answer("503 Service Unavailable", ""),
        answer("200 OK", "whole"),
    ])
    .await;
    let store = Store::open(&url, &options(&[])).unwrap();
    let started = Instant::now();
    assert_eq!(store.get("a").await.unwrap(), Some("whole".into()));
    assert!(started.elapsed() >= Duration::from_secs(1), "it waited as long as it was asked to");
    assert_eq!(served.await.unwrap().len(), 4);
}

#[tokio::test]
async fn asking_again_is_bounded_and_the_last_answer_tells_why() {
    let busy = r#"{"type":"about:blank","detail":"the store did not answer"}"#;
    let (url, served) = scripted(vec![answer("503 Service Unavailable", busy); 4]).await;
    let store = Store::open(&url, &options(&[])).unwrap();
    let error = store.get("a").await.unwrap_err();
    let StoreError::Unavailable { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "the server answered with status code: 503 (the store did not answer)");
    assert!(error.hint().unwrap().contains("the URL and the network"));
    assert_eq!(served.await.unwrap().len(), 4);
}

#[tokio::test]
async fn refusals_are_sorted_by_what_the_reader_can_do() {
    let denied = r#"{"type":"https://promptops.dev/problems/unauthenticated","detail":"the key is not known"}"#;
    let (url, served) = scripted(vec![
        answer("401 Unauthorized", denied),
        answer("403 Forbidden", denied),
        answer("404 Not Found", "<html>no such page</html>"),
        answer("302 Found", ""),
    ])
    .await;
    let store = Store::open(&url, &options(&[])).unwrap();
    for _ in 0..2 {
        let error = store.get("a").await.unwrap_err();
        let StoreError::PermissionDenied { source, .. } = &error else { panic!("{error:?}") };
        let said = source.to_string();
        assert!(
            said.starts_with("the server answered with status code: 40") && said.ends_with("(the key is not known)"),
            "{said}"
        );
        assert!(error.hint().unwrap().contains("PROMPTOPS_API_KEY"));
    }
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "a 404 of another page is not an absent object: {error:?}");
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "a redirect is not followed: {error:?}");
    assert_eq!(served.await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_listing_goes_from_page_to_page() {
    let (url, served) = scripted(vec![
        answer("200 OK", r#"{"keys":["a/1","a/2"],"next":"a/2"}"#),
        answer("200 OK", r#"{"keys":[],"next":"a/3"}"#),
        answer("200 OK", r#"{"keys":["a/4"]}"#),
        answer("200 OK", r#"{"folders":["x","y"]}"#),
        answer("200 OK", "{}"),
    ])
    .await;
    let store = Store::open(&url, &options(&[])).unwrap();
    assert_eq!(store.list("a/").await.unwrap(), ["a/1", "a/2", "a/4"]);
    assert_eq!(store.folders("a").await.unwrap(), ["x", "y"]);
    let error = store.list("a").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    let requests = served.await.unwrap();
    let lines: Vec<&str> = requests.iter().map(|request| first_line(request)).collect();
    assert_eq!(lines[1], "GET /registry/v1/objects?prefix=a&after=a%2F2&limit=1000 HTTP/1.1");
    assert_eq!(lines[3], "GET /registry/v1/folders?prefix=a HTTP/1.1");
}

#[tokio::test]
async fn only_a_store_that_asks_anew_says_so() {
    let (url, served) = scripted(vec![answer("200 OK", ""), answer("200 OK", "")]).await;
    let store = Store::open(&url, &options(&[])).unwrap();
    store.get("a").await.unwrap();
    store.anew().get("a").await.unwrap();
    let requests = served.await.unwrap();
    assert!(!requests[0].contains("cache-control") && requests[1].contains("cache-control: no-cache"), "{requests:?}");
}

#[test]
fn urls_and_keys_that_would_leak_or_cannot_work_are_refused() {
    let key = [("PROMPTOPS_API_KEY", "pk_1_s3cret")];
    for (url, settings, reason) in [
        ("https://", &[][..], "empty host"),
        ("https://me:s3cret@host", &[], "holds credentials"),
        ("https://host/?a=b", &[], "neither `?` nor `#`"),
        ("http://host", &key, "would travel in clear"),
        ("http://127.0.0.1.example.com", &key, "would travel in clear"),
        ("https://host", &[("PROMPTOPS_API_KEY", "a\nb")], "cannot be sent"),
        ("https://host", &[("PROMPTOPS_CA_FILE", "no/such.pem")], "names no certificates"),
    ] {
        let error = Store::open(url, &options(settings)).unwrap_err();
        assert!(matches!(error, StoreError::InvalidUrl { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains(reason) && !error.to_string().contains("s3cret"), "{url}: {error}");
    }
    for url in ["http://localhost:1", "http://127.0.0.1:1/", "http://[::1]:1"] {
        assert!(Store::open(url, &options(&key)).is_ok(), "{url}");
    }
    assert!(Store::open("http://host", &options(&[key[0], ("PROMPTOPS_ALLOW_HTTP", "true")])).is_ok());
}

//! fake-gcs-server: an emulator of Google Cloud Storage.
//!
//! Of the two interfaces of GCS it has the JSON one whole, where it keeps the condition on the generation, atomically. Of the
//! XML one, by which the object store library writes, it takes uploads of signed URLs only, and drops the header with the
//! condition there. So the suite runs through a proxy that says a PUT of the one interface as an upload of the other; and the
//! bare emulator, and one whose conditions are dropped, must be refused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{BUCKET, conforms, endpoint, one_writer_wins_every_race, options, send, unique_name};
use crate::error::StoreError;
use crate::location::StoreOptions;
use crate::probe::probe;
use crate::store::Store;

const VARIABLE: &str = "PROMPTOPS_TEST_FAKE_GCS_ENDPOINT";

/// The server's address, with the bucket made.
async fn server(test: &str) -> Option<String> {
    let endpoint = endpoint(VARIABLE, test)?;
    let body = format!("{{\"name\": \"{BUCKET}\"}}");
    let answer = send(&endpoint, "POST", "/storage/v1/b", &[("Content-Type", "application/json")], &body).await;
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 409"), "{answer}");
    Some(endpoint)
}

fn gcs_options(endpoint: &str) -> StoreOptions {
    options(&[("STORAGE_EMULATOR_HOST", endpoint)])
}

/// What the proxy does with the header `x-goog-if-generation-match`.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Conditions {
    /// It becomes the parameter `ifGenerationMatch`.
    Kept,
    /// It is dropped, as the emulator itself does with uploads of signed URLs.
    Dropped,
}

/// Starts a proxy in front of the server and returns its address.
async fn proxy(endpoint: &str, conditions: Conditions) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("the listener is bound"));
    let server = endpoint.strip_prefix("http://").expect("a plain http endpoint").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, server.clone(), conditions));
        }
    });
    address
}

/// Passes one request and its answer on; asks the server to close, so that the next request comes by a new connection.
async fn pass_on(mut client: TcpStream, server: String, conditions: Conditions) -> std::io::Result<()> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let (request_line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let put = request_line.strip_prefix("PUT /").and_then(|rest| rest.split(' ').next()?.split_once('/'));
    let request_line = match put {
        Some((bucket, key)) => upload(bucket, key, headers, conditions),
        None => request_line.to_owned(),
    };
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(format!("{request_line}\r\nConnection: close\r\n{headers}\r\n\r\n").as_bytes()).await?;
    upstream.write_all(&read[end + 4..]).await?;
    if put.is_none() {
        tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        return Ok(());
    }
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let left = length.expect("a PUT has a length") - (read.len() - end - 4);
    tokio::io::copy(&mut (&mut client).take(left as u64), &mut upstream).await?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await?;
    // The JSON interface says the entity tag in the body alone.
    let line = answer.windows(2).position(|bytes| bytes == b"\r\n").map_or(answer.len(), |line| line + 2);
    answer.splice(line..line, *b"ETag: \"of-the-proxy\"\r\n");
    client.write_all(&answer).await
}

fn upload(bucket: &str, key: &str, headers: &str, conditions: Conditions) -> String {
    let generation = headers.lines().find_map(|line| line.strip_prefix("x-goog-if-generation-match: "));
    let condition = match generation {
        Some(generation) if conditions == Conditions::Kept => format!("&ifGenerationMatch={generation}"),
        _ => String::new(),
    };
    format!("POST /upload/storage/v1/b/{bucket}/o?uploadType=media&name={key}{condition} HTTP/1.1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fake_gcs_conforms_when_asked_by_parameter() {
    let Some(endpoint) = server("fake_gcs_conforms_when_asked_by_parameter").await else { return };
    conforms("gs", &gcs_options(&proxy(&endpoint, Conditions::Kept).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_writer_wins_every_race_on_fake_gcs() {
    let Some(endpoint) = server("one_writer_wins_every_race_on_fake_gcs").await else { return };
    one_writer_wins_every_race("gs", &gcs_options(&proxy(&endpoint, Conditions::Kept).await)).await;
}

#[tokio::test]
async fn an_emulator_that_drops_conditions_is_refused() {
    let Some(endpoint) = server("an_emulator_that_drops_conditions_is_refused").await else { return };
    let options = gcs_options(&proxy(&endpoint, Conditions::Dropped).await);
    let store = Store::open(&format!("gs://{BUCKET}/{}", unique_name()), &options).unwrap();
    let error = probe(&store, "init").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "{error:?}");
}

/// Whoever points a registry at the bare emulator is told at the first write.
#[tokio::test]
async fn the_bare_emulator_takes_no_writes() {
    let Some(endpoint) = server("the_bare_emulator_takes_no_writes").await else { return };
    let store = Store::open(&format!("gs://{BUCKET}/{}", unique_name()), &gcs_options(&endpoint)).unwrap();
    let error = probe(&store, "init").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(store.list("").await.unwrap().is_empty());
}

//! The end of a server.

use std::time::Duration;

use promptops_server::Access;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Server, provenance};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap()
}

#[tokio::test]
async fn requests_under_way_are_answered_before_a_server_ends() {
    let mut server = Server::trusting().await;
    let prompt = json!({"id": "a", "version": 1, "model": "m", "template": "Hello", "metadata": {"owner": "o"}});
    let body = json!({"submissions": [{"prompt": prompt, "provenance": provenance()}]}).to_string();
    let mut stream = connect(&server).await;
    let head = format!(
        "POST /v1/publications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    while !server.get("/metrics").await.text.contains("promptops_http_requests_in_flight 2") {}

    let ended = server.stop();
    while TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.is_ok() {}
    assert!(!ended.is_finished(), "it waits for what is under way");
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("connection: close"), "{answer}");
    ended.await.unwrap().unwrap();
    assert_eq!(server.registry.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_does_not_wait_for_ever() {
    let mut server = Server::start(|settings| {
        settings.access = Access::PublicRead;
        settings.limits.drain_time = Duration::from_millis(50);
    })
    .await;
    let mut stream = connect(&server).await;
    stream.write_all(b"POST /v1/publications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n").await.unwrap();
    server.get("/healthz").await;
    server.stop().await.unwrap().unwrap();
}

/// As a client does that looks at its connection only while it sends something.
#[tokio::test]
async fn a_connection_of_http2_that_nobody_looks_at_does_not_hold_up_the_end() {
    let mut server = Server::start(|settings| {
        settings.access = Access::PublicRead;
        settings.limits.drain_time = Duration::from_secs(3_600);
    })
    .await;
    let mut stream = connect(&server).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // The server's own settings: it speaks HTTP/2, and has the connection.
    stream.read_exact(&mut [0; 9]).await.unwrap();
    server.get("/healthz").await;
    tokio::time::timeout(Duration::from_secs(60), server.stop()).await.unwrap().unwrap().unwrap();
}

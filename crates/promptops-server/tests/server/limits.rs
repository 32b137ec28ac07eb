//! What a server does at most.

use std::time::Duration;

use promptops_server::Access;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::Server;

fn trust(settings: &mut promptops_server::Settings) {
    settings.access = Access::Trusted { actor: "ann@example.com".to_owned() };
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let mut server = Server::start(|settings| {
        settings.access = Access::PublicRead;
        settings.limits.requests_per_second = 5;
    })
    .await;
    let mut refused = 0;
    for _ in 0..30 {
        let answer = server.get("/v1/environments").await;
        if answer.status == 429 {
            answer.problem(429, "too-many-requests");
            assert_eq!(answer.header("retry-after"), "1");
            refused += 1;
        }
    }
    assert!(refused >= 10, "{refused} of 30");
    assert_eq!(server.get("/healthz").await.status, 200, "health is always told");
    server.token = Some(server.key("ci", &["read"]).await.reveal());
    // The first look at a key is the address's to pay, which has nothing left but a token each 200 ms.
    let mut status = 429;
    while status == 429 {
        status = server.get("/v1/environments").await.status;
    }
    for _ in 0..5 {
        server.get("/v1/environments").await.well();
    }
}

#[tokio::test]
async fn guessing_keys_is_slowed_down() {
    let mut server = Server::start(|settings| settings.limits.requests_per_second = 2).await;
    let mut statuses = Vec::new();
    for number in 0..20 {
        server.token = Some(format!("pk_{number:016}_{}", "0".repeat(64)));
        statuses.push(server.get("/v1/environments").await.status);
    }
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 429).count() >= 10, "{statuses:?}");
}

#[tokio::test]
async fn the_address_that_a_proxy_names_is_the_client() {
    let server = Server::start(|settings| {
        settings.access = Access::PublicRead;
        settings.is_behind_proxy = true;
        settings.limits.requests_per_second = 1;
    })
    .await;
    let from = async |forwarded: &str| {
        let request = server.request(Method::GET, "/v1/environments").header("X-Forwarded-For", forwarded);
        server.send(Method::GET, "/v1/environments", request).await.status
    };
    let mut one = Vec::new();
    for spoofed in 0..6 {
        one.push(from(&format!("10.0.0.{spoofed}, 192.0.2.1")).await);
    }
    assert!(one.contains(&429), "what the client itself says counts for nothing: {one:?}");
    assert_eq!(from("192.0.2.2").await, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Server::start(|settings| {
        trust(settings);
        settings.limits.body_bytes = 1_000;
    })
    .await;
    let large = json!({"submissions": ["x".repeat(2_000)]});
    server.post("/v1/publications", &large).await.problem(413, "too-large");
    // Without a length at the head it is found out while reading.
    let chunks = futures::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100])));
    let request = server.request(Method::POST, "/v1/publications").header("Content-Type", "application/json");
    let request = request.body(reqwest::Body::wrap_stream(chunks));
    server.send(Method::POST, "/v1/publications", request).await.problem(413, "too-large");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let server = Server::start(|settings| {
        trust(settings);
        settings.limits.write_time = Duration::from_millis(50);
    })
    .await;
    // A body that never comes.
    let body = reqwest::Body::wrap_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = server.request(Method::POST, "/v1/publications").header("Content-Type", "application/json").body(body);
    server.send(Method::POST, "/v1/publications", request).await.problem(503, "too-slow");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Server::start(|settings| settings.limits.header_time = Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[tokio::test]
async fn what_is_too_much_at_once_is_refused_and_health_is_not() {
    let server = Server::start(|settings| {
        trust(settings);
        settings.limits.concurrent_requests = 1;
    })
    .await;
    // A request whose body does not come is under way until its connection is closed.
    let mut busy = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    busy.write_all(
        b"POST /v1/publications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
    )
    .await
    .unwrap();
    let mut answer = server.get("/v1/environments").await;
    while answer.status == 200 {
        answer = server.get("/v1/environments").await;
    }
    answer.problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(server.get("/healthz").await.status, 200);
    drop(busy);
    while server.get("/v1/environments").await.status == 503 {}
}

//! The client against a server that misbehaves in every way that one can without leaving the machine.

#![cfg(test)]

mod server;

use std::time::Duration;

use promptops_eval::client::http::{Credential, HttpClient, Settings};
use promptops_eval::client::retry::{self, RetryPolicy, Sent};
use promptops_eval::client::{Api, Call, ClientError, ModelClient as _, decode};
use promptops_prompt::{Message, Role};
use serde_json::Map;
use server::{Behaviour, Server, completion};

fn call() -> Call {
    Call {
        model: "m".into(),
        messages: vec![Message { role: Role::User, content: "hello".into() }],
        parameters: Map::new(),
        tools: None,
    }
}

fn client(url: String, timeout: Duration) -> HttpClient {
    let credential = Credential::Key("sk-secret".into());
    HttpClient::new(Settings { api: Api::OpenaiChat, url, credential, timeout, stream: false }).unwrap()
}

const QUICK: RetryPolicy =
    RetryPolicy { attempts: 3, first_pause: Duration::ZERO, longest_pause: Duration::from_millis(1), seed: 7 };

async fn send(server: &Server) -> Sent {
    retry::send(&client(server.url(), Duration::from_secs(10)), &call(), &QUICK).await
}

#[tokio::test]
async fn a_rate_limit_is_waited_out() {
    let server = Server::start(|number, _| match number {
        0 | 1 => Behaviour::Answer(429, vec![("retry-after", "0")], r#"{"error": {"message": "slow down"}}"#.into()),
        _ => Behaviour::ok(completion("billing")),
    })
    .await;
    let sent = send(&server).await;
    assert_eq!(sent.attempts, 3);
    assert_eq!(decode(&sent.result.unwrap()).unwrap().text, "billing");
}

#[tokio::test]
async fn a_rate_limit_that_asks_for_too_long_is_told_and_not_waited_for() {
    let server = Server::start(|_, _| Behaviour::Answer(429, vec![("retry-after", "3600")], "{}".into())).await;
    let sent = send(&server).await;
    assert_eq!(sent.attempts, 1);
    let retry_after = Some(Duration::from_secs(3600));
    assert!(matches!(sent.result, Err(ClientError::RateLimit { retry_after: wait, .. }) if wait == retry_after));
}

#[tokio::test]
async fn a_server_that_stalls_is_left() {
    let server = Server::start(|_, _| Behaviour::Stall).await;
    let timeout = Duration::from_millis(50);
    let result = client(server.url(), timeout).send(&call()).await;
    assert_eq!(result, Err(ClientError::Timeout { after: timeout }));
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_asked_for_again() {
    let server = Server::start(|number, _| match number {
        0 => Behaviour::Truncate(completion("billing")),
        _ => Behaviour::ok(completion("billing")),
    })
    .await;
    let sent = send(&server).await;
    assert_eq!((sent.attempts, sent.result.is_ok()), (2, true));
    let server = Server::start(|_, _| Behaviour::Truncate(completion("billing"))).await;
    let error = send(&server).await.result.unwrap_err();
    assert!(matches!(&error, ClientError::Malformed(text) if text.starts_with("it was cut off")), "{error}");
}

#[tokio::test]
async fn every_status_is_what_the_reader_can_act_on() {
    let cases = [
        (401, 1, "the provider refuses the key (status 401): `no`"),
        (404, 1, "the provider knows no such model or address: `no`"),
        (500, 3, "the provider failed (status 500): `no`"),
        (503, 3, "the provider failed (status 503): `no`"),
    ];
    for (status, attempts, text) in cases {
        let server = Server::start(move |_, _| Behaviour::Answer(status, vec![], r#"{"error": {"message": "no"}}"#.into())).await;
        let sent = send(&server).await;
        assert_eq!((sent.attempts, sent.result.unwrap_err().to_string().as_str()), (attempts, text));
    }
}

#[tokio::test]
async fn a_refused_request_is_an_answer_that_can_be_recorded() {
    let server = Server::start(|_, _| Behaviour::Answer(400, vec![], r#"{"error": {"message": "too long"}}"#.into())).await;
    let sent = send(&server).await;
    let exchange = sent.result.unwrap();
    assert_eq!((sent.attempts, exchange.status), (1, 400));
    assert!(matches!(decode(&exchange), Err(ClientError::BadRequest { status: 400, .. })));
}

#[tokio::test]
async fn what_is_no_completion_is_malformed() {
    for body in ["<html>hello</html>", "{}", "{\"choices\": [", "\u{0}"] {
        let server = Server::start(move |_, _| Behaviour::ok(body.into())).await;
        let sent = send(&server).await;
        assert!(matches!(sent.result, Err(ClientError::Malformed(_))), "{body}");
        assert_eq!(sent.attempts, 3);
    }
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let server = Server::start(|_, _| Behaviour::Endless).await;
    let error = client(server.url(), Duration::from_secs(60)).send(&call()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Malformed(text) if text.contains("larger than")), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let server = Server::start(|_, _| Behaviour::Stall).await;
    let url = server.url();
    server.stop().await;
    let sent = retry::send(&client(url.clone(), Duration::from_secs(10)), &call(), &QUICK).await;
    assert_eq!(sent.attempts, 3);
    assert!(matches!(&sent.result, Err(ClientError::Unreachable { url: told, .. }) if *told == url), "{:?}", sent.result);
}

#[tokio::test]
async fn the_key_is_sent_and_never_kept() {
    let server = Server::start(|_, request| {
        assert_eq!(request.authorization.as_deref(), Some("Bearer sk-secret"));
        Behaviour::ok(completion("your key is sk-secret"))
    })
    .await;
    let exchange = send(&server).await.result.unwrap();
    assert!(!exchange.body.contains("sk-secret"));
    assert_eq!(decode(&exchange).unwrap().text, "your key is [redacted]");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let server = Server::start(|_, _| Behaviour::Answer(307, vec![("location", "http://127.0.0.1:1/")], String::new())).await;
    assert!(matches!(send(&server).await.result, Err(ClientError::Malformed(_))));
}

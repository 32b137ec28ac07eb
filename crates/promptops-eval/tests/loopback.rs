//! The client against a server that misbehaves in every way that one can without leaving the machine.

#![cfg(test)]

mod server;

use std::time::Duration;

use promptops_eval::client::http::{Credential, HttpClient, Settings};
use promptops_eval::client::pace::{Limits, Paced};
use promptops_eval::client::retry::{self, RetryPolicy, Sent};
use promptops_eval::client::{Api, Call, ClientError, ModelClient as _, decode};
use promptops_prompt::{Message, Role};
use serde_json::{Map, Value, json};
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
    HttpClient::new(Settings { api: Api::OpenaiChat, url, credential, timeout, stream: false, api_version: None }).unwrap()
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

#[tokio::test]
async fn how_long_to_wait_is_told_in_every_form() {
    let forms: [(Vec<(&'static str, &'static str)>, u64); 4] = [
        (vec![("retry-after", "7")], 7_000),
        (vec![("retry-after", "Wed, 21 Oct 2026 07:28:09 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")], 9_000),
        (vec![("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m30s")], 90_000),
        (vec![("retry-after-ms", "250"), ("retry-after", "7")], 250),
    ];
    for (headers, milliseconds) in forms {
        let server = Server::start(move |_, _| Behaviour::Answer(429, headers.clone(), "{}".into())).await;
        let sent = send(&server).await;
        let wanted = Some(Duration::from_millis(milliseconds));
        assert!(matches!(sent.result, Err(ClientError::RateLimit { retry_after, .. }) if retry_after == wanted));
        // QUICK waits for a millisecond at most.
        assert_eq!(sent.attempts, 1);
    }
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_an_error_of_the_server() {
    let page = "<html><head><title>502 Bad Gateway</title></head></html>";
    let server = Server::start(move |_, _| Behaviour::Answer(502, vec![("content-type", "text/html")], page.into())).await;
    let sent = send(&server).await;
    assert_eq!(sent.attempts, 3);
    let error = sent.result.unwrap_err();
    assert!(error.to_string().contains("502 Bad Gateway") && error.class().is_outside(), "{error}");
}

fn events(text: &str, is_whole: bool) -> String {
    let chunk = |delta: Value, reason: Option<&str>| {
        format!("data: {}\n\n", json!({"model": "m", "choices": [{"delta": delta, "finish_reason": reason}]}))
    };
    let pieces: String = text.split_inclusive(' ').map(|piece| chunk(json!({"content": piece}), None)).collect();
    let end = if is_whole { chunk(json!({}), Some("stop")) + "data: [DONE]\n\n" } else { String::new() };
    format!(": keep-alive\n\n{}{pieces}{end}", chunk(json!({"role": "assistant", "content": ""}), None))
}

#[tokio::test]
async fn a_stream_is_put_together_and_one_that_ends_early_is_asked_for_again() {
    let kind = || vec![("content-type", "text/event-stream")];
    let server = Server::start(move |number, request| {
        assert_eq!(request.body["stream"], true);
        match number {
            0 => Behaviour::Answer(200, kind(), events("my invoice", false)),
            1 => Behaviour::Truncate(events("my invoice is", true)),
            _ => Behaviour::Answer(200, kind(), events("my invoice is wrong", true)),
        }
    })
    .await;
    let settings = Settings {
        api: Api::OpenaiChat,
        url: server.url(),
        credential: Credential::None,
        timeout: Duration::from_secs(10),
        stream: true,
        api_version: None,
    };
    let sent = retry::send(&HttpClient::new(settings).unwrap(), &call(), &QUICK).await;
    assert_eq!(sent.attempts, 3);
    let answer = decode(&sent.result.unwrap()).unwrap();
    assert_eq!(answer.text, "my invoice is wrong");
    assert!(answer.first_token_ms.is_some_and(|first| first <= answer.latency_ms));
}

#[tokio::test]
async fn a_provider_that_bears_little_is_asked_less_at_a_time_and_answers_everything() {
    // Half of the requests of a burst are refused, as a provider does that bears four at a time.
    let server = Server::start_bearing(4, || Behaviour::ok(completion("billing"))).await;
    let limits = Limits { concurrency: Some(32), ..Limits::default() };
    let paced = Paced::new(Box::new(client(server.url(), Duration::from_secs(30))), limits);
    let policy = RetryPolicy { attempts: 50, first_pause: Duration::from_millis(1), ..QUICK };
    let call = call();
    let sent = futures::future::join_all((0..200).map(|_| retry::send(&paced, &call, &policy))).await;
    assert!(sent.iter().all(|sent| sent.result.is_ok()));
    let attempts: u32 = sent.iter().map(|sent| sent.attempts).sum();
    // Without a pace most of 200 calls at a time would be refused again and again.
    assert!((201..600).contains(&attempts), "{attempts}");
}

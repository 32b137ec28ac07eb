//! A loopback chat completions server that does what each test tells it to.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What the server does with one request.
pub enum Behaviour {
    /// Answers with status, headers and body.
    Answer(u16, Vec<(&'static str, &'static str)>, String),
    /// Announces the body and breaks off in the middle of it.
    Truncate(String),
    /// Never answers.
    Stall,
    /// Never stops answering.
    Endless,
    /// Answers after a while, and counts down then.
    After(Duration, Box<Behaviour>, Arc<AtomicUsize>),
}

impl Behaviour {
    pub fn ok(body: String) -> Self {
        Self::Answer(200, vec![("content-type", "application/json")], body)
    }
}

/// What the server was sent.
pub struct Received {
    pub authorization: Option<String>,
    pub body: Value,
}

impl Received {
    /// Returns the text of the last message.
    pub fn last_message(&self) -> &str {
        self.body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
    }
}

type Script = Box<dyn Fn(usize, &Received) -> Behaviour + Send + Sync>;

struct Shared {
    script: Script,
    count: AtomicUsize,
}

pub struct Server {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Server {
    /// Starts a server; `script` gets the number of the request, from 0.
    pub async fn start(script: impl Fn(usize, &Received) -> Behaviour + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { script: Box::new(script), count: AtomicUsize::new(0) });
        let router = Router::new().fallback(post(answer)).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                _ = stopped => {}
            }
        });
        Self { address, shared, task, stop }
    }

    /// Starts a server that takes 5 ms for an answer, and refuses what comes while it is at work on `most` others.
    pub async fn start_bearing(most: usize, answer: impl Fn() -> Behaviour + Send + Sync + 'static) -> Self {
        let under_way = Arc::new(AtomicUsize::new(0));
        Self::start(move |_, _| {
            let (under_way, behaviour) = (Arc::clone(&under_way), answer());
            if under_way.fetch_add(1, Ordering::SeqCst) >= most {
                under_way.fetch_sub(1, Ordering::SeqCst);
                return Behaviour::Answer(429, vec![("retry-after-ms", "1")], "{}".to_owned());
            }
            Behaviour::After(Duration::from_millis(5), Box::new(behaviour), under_way)
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn requests(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// Closes the port and waits until it is closed.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let number = shared.count.fetch_add(1, Ordering::SeqCst);
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let received = Received { authorization, body: serde_json::from_slice(&body).unwrap() };
    let behaviour = match (shared.script)(number, &received) {
        Behaviour::After(pause, behaviour, under_way) => {
            tokio::time::sleep(pause).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            *behaviour
        }
        other => other,
    };
    match behaviour {
        Behaviour::Stall | Behaviour::After(..) => std::future::pending().await,
        Behaviour::Answer(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Behaviour::Truncate(body) => {
            let half = Bytes::from(body[..body.len() / 2].to_owned());
            let failing = stream::iter([Ok(half), Err(std::io::Error::other("broken off"))]);
            Response::builder()
                .status(StatusCode::OK)
                .header("content-type", if body.contains("data: ") { "text/event-stream" } else { "application/json" })
                .header("content-length", body.len())
                .body(Body::from_stream(failing))
                .unwrap()
        }
        Behaviour::Endless => {
            let chunk = Bytes::from(vec![b' '; 1 << 20]);
            let endless = stream::repeat(chunk).map(Ok::<_, Infallible>);
            Response::new(Body::from_stream(endless))
        }
    }
}

/// Returns the body of a completion that says `text`.
pub fn completion(text: &str) -> String {
    json!({
        "model": "m-2026-01",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    })
    .to_string()
}

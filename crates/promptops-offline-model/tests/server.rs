//! The endpoint over a real loopback connection, as a client meets it.

use std::time::Duration;

use promptops_offline_model::{FINGERPRINT, Settings, serve};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Endpoint {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Endpoint {
    async fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("the listener is bound"));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let shutdown = async move {
                stopped.await.ok();
            };
            serve(listener, settings, shutdown).await.expect("the endpoint serves");
        });
        Self { url, stop, task }
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Response {
        let request = Client::new().post(format!("{}/v1/chat/completions", self.url)).body(body);
        request.header("content-type", "application/json").send().await.expect("the endpoint answers")
    }

    async fn get(&self, path: &str) -> Response {
        Client::new().get(format!("{}{path}", self.url)).send().await.expect("the endpoint answers")
    }

    async fn stop(self) {
        self.stop.send(()).expect("the endpoint is running");
        self.task.await.expect("the endpoint ends cleanly");
    }
}

fn question() -> String {
    json!({
        "model": "offline-large-2026-07",
        "messages": [
            {"role": "system", "content": "Answer with only one of: billing, technical.\n- billing: invoices\n- technical: crashes"},
            {"role": "user", "content": "two invoices are wrong"},
        ],
    })
    .to_string()
}

async fn error_of(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body: Value = response.json().await.expect("errors are JSON");
    (status, body["error"].clone())
}

#[tokio::test]
async fn a_completion_has_the_shape_clients_expect() {
    let endpoint = Endpoint::start(Settings { clock: Some(|| 1_700_000_000), ..Settings::default() }).await;
    let response = endpoint.post(question()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body: Value = response.json().await.expect("the answer is JSON");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["created"], 1_700_000_000u64);
    assert_eq!(body["model"], "offline-large-2026-07");
    assert_eq!(body["system_fingerprint"], FINGERPRINT);
    let choice = json!({
        "index": 0,
        "message": {"role": "assistant", "content": "billing", "refusal": null},
        "finish_reason": "stop",
        "logprobs": null,
    });
    assert_eq!(body["choices"], json!([choice]));
    assert_eq!(body["usage"]["completion_tokens"], 2);
    endpoint.stop().await;
}

#[tokio::test]
async fn models_and_health_are_served() {
    let endpoint = Endpoint::start(Settings::default()).await;
    let list: Value = endpoint.get("/v1/models").await.json().await.expect("the list is JSON");
    let names: Vec<&str> = list["data"].as_array().expect("a list").iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(names, ["offline-small-2026-01", "offline-large-2026-01", "offline-large-2026-07"]);
    assert_eq!(endpoint.get("/healthz").await.text().await.expect("the answer is text"), "ok");
    endpoint.stop().await;
}

#[tokio::test]
async fn refusals_have_openai_bodies() {
    let endpoint = Endpoint::start(Settings::default()).await;

    let (status, error) = error_of(endpoint.post("{").await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["type"], "invalid_request_error");

    let unknown = question().replace("offline-large-2026-07", "gpt-5");
    let (status, error) = error_of(endpoint.post(unknown).await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some("model_not_found"), Some("model")));
    assert_eq!(error["message"], "the model does not exist: `gpt-5`");

    let (status, error) = error_of(endpoint.get("/v1/embeddings").await).await;
    assert_eq!((status, error["code"].as_str()), (StatusCode::NOT_FOUND, Some("unknown_url")));
    let (status, _) = error_of(endpoint.get("/v1/chat/completions").await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let (status, error) = error_of(endpoint.post(vec![b' '; 3 << 20]).await).await;
    assert_eq!((status, error["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("request_too_large")));
    endpoint.stop().await;
}

#[tokio::test]
async fn a_key_is_demanded_when_one_is_set() {
    let endpoint = Endpoint::start(Settings { api_key: Some("right".into()), ..Settings::default() }).await;
    let (status, error) = error_of(endpoint.post(question()).await).await;
    assert_eq!((status, error["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("invalid_api_key")));
    let url = format!("{}/v1/chat/completions", endpoint.url);
    let send = |key: &'static str| Client::new().post(&url).bearer_auth(key).body(question()).send();
    assert_eq!(send("wrong").await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send("right").await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(endpoint.get("/healthz").await.status(), StatusCode::OK);
    endpoint.stop().await;
}

#[tokio::test]
async fn the_limit_answers_429_with_retry_after() {
    let settings = Settings { requests_before_limit: Some(1), delay: Some(Duration::from_millis(1)), ..Settings::default() };
    let endpoint = Endpoint::start(settings).await;
    assert_eq!(endpoint.post(question()).await.status(), StatusCode::OK);
    let limited = endpoint.post(question()).await;
    assert_eq!(limited.headers()["retry-after"], "1");
    let (status, error) = error_of(limited).await;
    assert_eq!((status, error["code"].as_str()), (StatusCode::TOO_MANY_REQUESTS, Some("rate_limit_exceeded")));
    endpoint.stop().await;
}

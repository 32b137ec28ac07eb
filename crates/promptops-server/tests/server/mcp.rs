//! Agents over HTTP, spoken to message by message: whose sessions are whose, what is refused, and what an outage leaves.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use promptops_prompt::PromptRef;
use promptops_registry::{EnvironmentName, Targets};
use promptops_server::{Access, AgentPrompts, AgentSettings, Ingest, InvocationLake, NotStored, Settings, serve_stdio};
use promptops_store::{Store, StoreOptions};
use promptops_telemetry::Invocation;
use promptops_telemetry::ingest::IngestSettings;
use promptops_telemetry::otlp::Keep;
use promptops_telemetry::sink::{MemorySink, Sink};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Server, held_rules, now, prompt};

/// How long a test waits for what must come.
const SOON: Duration = Duration::from_secs(20);

fn prod() -> EnvironmentName {
    "prod".parse().unwrap()
}

/// Returns what lets agents in, and records in `sinks`.
fn agents(server_store: &Store, sinks: Vec<Arc<dyn Sink>>) -> impl FnOnce(&mut Settings) + use<> {
    let store = server_store.clone();
    move |settings| {
        // Opened when the server is: it makes the registry first.
        let registry = futures::executor::block_on(promptops_registry::Registry::open(store)).unwrap();
        let prompts = AgentPrompts::Environments { registry, default: Some(prod()) };
        settings.agents = Some(AgentSettings { poll: Duration::from_millis(50), sinks, ..AgentSettings::new(prompts, now) });
    }
}

/// Starts a server with two prompts that are released to prod.
async fn started(change: impl FnOnce(&mut Settings)) -> (Server, Arc<MemorySink>) {
    let store = Store::open("memory://", &StoreOptions::default()).unwrap();
    started_on(store, change).await
}

async fn started_on(store: Store, change: impl FnOnce(&mut Settings)) -> (Server, Arc<MemorySink>) {
    let sink = Arc::new(MemorySink::default());
    let with_agents = agents(&store, vec![Arc::clone(&sink) as Arc<dyn Sink>]);
    let server = Server::start_on(store, |settings| {
        with_agents(settings);
        change(settings);
    })
    .await;
    server.publish(&prompt("shared.tone@1", "Be kind, {{ name }}.")).await;
    server.publish(&prompt("support.greeting@1", "{% include \"shared.tone@1\" %} Hello {{ name }}")).await;
    release(&server, &["shared.tone@1", "support.greeting@1"]).await;
    (server, sink)
}

async fn release(server: &Server, versions: &[&str]) {
    let versions: Vec<PromptRef> = versions.iter().map(|version| version.parse().unwrap()).collect();
    let targets = Targets { versions, ..Targets::default() };
    let rules = held_rules();
    let authority = rules.authority();
    let plan = server.registry.plan(&prod(), &targets, authority, "rel", now()).await.unwrap();
    server.registry.deploy(&plan, authority, "rel", None, now()).await.unwrap();
}

/// A client that says as little as the protocol lets it.
struct Agent<'a> {
    server: &'a Server,
    token: String,
    session: Option<String>,
}

impl<'a> Agent<'a> {
    async fn connected(server: &'a Server, token: &str) -> Self {
        let mut agent = Self { server, token: token.to_owned(), session: None };
        let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "me", "version": "1"}});
        let answer = agent.post(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}).to_string()).await;
        assert_eq!(answer.status(), 200);
        agent.session = answer.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        assert!(agent.session.is_some());
        let told = agent.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()).await;
        assert_eq!(told.status(), 202);
        agent
    }

    fn request(&self, method: Method) -> reqwest::RequestBuilder {
        let mut request = self.server.client.request(method, format!("{}/mcp", self.server.url)).bearer_auth(&self.token);
        request = request.header("accept", "application/json, text/event-stream");
        match &self.session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    async fn post(&self, body: &str) -> Response {
        let request = self.request(Method::POST).header("content-type", "application/json");
        request.body(body.to_owned()).send().await.unwrap()
    }

    /// Asks, and returns the answer, a result or an error.
    async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).await;
        assert_eq!(answer.status(), 200, "{method}");
        last_event(answer).await
    }

    async fn get(&self, name: &str, arguments: Value) -> Value {
        self.ask("prompts/get", json!({"name": name, "arguments": arguments})).await
    }
}

/// Reads the last event of a stream that ends.
async fn last_event(answer: Response) -> Value {
    let text = answer.text().await.unwrap();
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).rfind(|data| data.starts_with('{'));
    serde_json::from_str(last.unwrap_or_else(|| panic!("no event: {text}"))).unwrap()
}

fn text(answer: &Value) -> &str {
    answer["result"]["messages"][0]["content"]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_session_belongs_to_the_key_that_began_it() {
    let (server, _) = started(|_| {}).await;
    let (one, other) = (server.key("one", &["agent:prod"]).await.reveal(), server.key("other", &["agent:prod"]).await.reveal());
    let mut agent = Agent::connected(&server, &one).await;
    assert_eq!(text(&agent.get("support.greeting", json!({"name": "Ann"})).await), "Be kind, Ann. Hello Ann");
    agent.token = other;
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let request = agent.request(method.clone()).header("content-type", "application/json");
        let refused = request.body(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string()).send().await.unwrap();
        assert_eq!(refused.status(), 404, "{method}");
    }
    agent.token = one;
    assert_eq!(agent.request(Method::DELETE).send().await.unwrap().status(), 204);
    assert_eq!(agent.request(Method::DELETE).send().await.unwrap().status(), 404, "it is over");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_answered_as_json_rpc_says() {
    let (server, _) = started(|settings| settings.limits.body_bytes = 1 << 20).await;
    let token = server.key("one", &["agent:prod"]).await.reveal();
    let agent = Agent::connected(&server, &token).await;
    let large = format!("{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"{}\"}}", "x".repeat(1 << 20));
    for (body, status, code) in [
        ("{", 400, -32_700),
        ("[]", 400, -32_600),
        (r#"{"jsonrpc": "1.0", "id": 1, "method": "ping"}"#, 400, -32_600),
        (&large, 413, -32_600),
    ] {
        let answer = agent.post(body).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (status, "application/json"));
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], code, "{status}");
    }
    assert_eq!(agent.post(r#"{"method": "$/nothing"}"#).await.status(), 202, "a notification that nobody knows");
    for (method, params, code) in [
        ("prompts/get", json!({"name": 7}), -32_602),
        ("prompts/get", json!({"name": "no such"}), -32_602),
        ("prompts/list", json!({"cursor": "x"}), -32_602),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/resource", "uri": "x"}, "argument": {"name": "x", "value": ""}}),
            -32_602,
        ),
        ("tools/call", json!({"name": "x"}), -32_602),
        ("resources/list", json!({}), -32_601),
        ("nothing", json!({}), -32_601),
    ] {
        assert_eq!(agent.ask(method, params).await["error"]["code"], code, "{method}");
    }
}

#[tokio::test]
async fn only_agents_and_their_keys_come_in() {
    let (server, _) = started(|settings| settings.serves_registry = false).await;
    let read = server.key("read", &["read"]).await.reveal();
    let foreign = server.key("foreign", &["agent:staging"]).await.reveal();
    assert_eq!(server.request(Method::GET, "/v1/prompts").bearer_auth(&read).send().await.unwrap().status(), 404);
    assert_eq!(server.request(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    assert_eq!(server.request(Method::POST, "/mcp").send().await.unwrap().status(), 401);
    let page = Agent { server: &server, token: read.clone(), session: None };
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let request = page.request(Method::POST).header("content-type", "application/json").header("origin", &server.url);
    assert_eq!(request.body(ping).send().await.unwrap().status(), 403, "no page in a browser");
    // Nothing is released to staging, and what is released to prod is not for this key.
    let agent = Agent::connected(&server, &foreign).await;
    assert_eq!(agent.ask("prompts/list", json!({})).await["result"]["prompts"], json!([]));
    assert!(agent.get("support.greeting", json!({"name": "Ann"})).await["error"].is_object());
    let metrics = server.request(Method::GET, "/metrics").bearer_auth(&foreign).send().await.unwrap();
    assert_eq!(metrics.status(), 403, "a key for agents is for nothing else");
}

#[tokio::test]
async fn whoever_has_no_key_reads_and_reports_nothing() {
    let (server, sink) = started(|settings| settings.access = Access::PublicRead).await;
    let mut agent = Agent { server: &server, token: String::new(), session: None };
    let request = |agent: &Agent<'_>, body: Value| {
        let mut request = agent.server.client.post(format!("{}/mcp", agent.server.url)).json(&body);
        request = request.header("accept", "application/json, text/event-stream");
        match &agent.session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    };
    let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "me", "version": "1"}});
    let hello =
        request(&agent, json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client})).send().await.unwrap();
    agent.session = Some(hello.headers()["mcp-session-id"].to_str().unwrap().to_owned());
    let ask = async |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        last_event(request(&agent, body).send().await.unwrap()).await
    };
    let tools = ask("tools/list", json!({})).await;
    let names: Vec<&str> =
        tools["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search_prompts", "show_lineage"]);
    let got = ask("prompts/get", json!({"name": "shared.tone", "arguments": {"name": "Ann"}})).await;
    let invocation = got["result"]["_meta"]["promptops/invocation"].clone();
    let report = json!({"name": "report_outcome", "arguments": {"invocation": invocation}});
    assert!(ask("tools/call", report).await["error"]["message"].as_str().unwrap().contains("no tool `report_outcome`"));
    assert_eq!(sink.records(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_takes_nothing_away_and_a_closure_is_read_once() {
    // The prompts come from a registry behind a server that goes away, the keys from one that stays.
    let (mut upstream, _) = started(|settings| settings.access = Access::PublicRead).await;
    let registry = upstream.remote(None).await;
    let server = Server::start(|settings| {
        let prompts = AgentPrompts::Environments { registry, default: Some(prod()) };
        settings.agents = Some(AgentSettings { poll: Duration::from_millis(50), ..AgentSettings::new(prompts, now) });
    })
    .await;
    let token = server.key("one", &["agent:prod"]).await.reveal();
    let agent = Agent::connected(&server, &token).await;
    let before = agent.get("support.greeting", json!({"name": "Ann"})).await;
    upstream.stop().await.unwrap().unwrap();
    let after = agent.get("support.greeting", json!({"name": "Bob"})).await;
    assert_eq!((text(&before), text(&after)), ("Be kind, Ann. Hello Ann", "Be kind, Bob. Hello Bob"));
    let never_read = agent.get("shared.tone", json!({"name": "Ann"})).await;
    assert_eq!(never_read["error"]["code"], -32_603, "{never_read}");
    assert_eq!(text(&agent.get("support.greeting", json!({"name": "Eve"})).await), "Be kind, Eve. Hello Eve");
}

#[tokio::test]
async fn a_prompt_that_was_altered_is_left_out_and_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let (server, _) = started_on(Store::open(&url, &StoreOptions::default()).unwrap(), |_| {}).await;
    let token = server.key("one", &["agent:prod"]).await.reveal();
    let record = folder.path().join("prompts/support.greeting/0000000001.json");
    let text = std::fs::read_to_string(&record).unwrap().replace("Greet people", "Greet peoplE");
    std::fs::write(&record, text).unwrap();
    let agent = Agent::connected(&server, &token).await;
    let listed = agent.ask("prompts/list", json!({})).await;
    let names: Vec<&Value> = listed["result"]["prompts"].as_array().unwrap().iter().map(|prompt| &prompt["name"]).collect();
    assert_eq!(names, ["shared.tone"]);
    let got = agent.get("support.greeting", json!({"name": "Ann"})).await;
    assert_eq!(got["error"]["code"], -32_603);
    assert!(got["error"]["message"].as_str().unwrap().contains("not the one that is pinned"), "{got}");
}

#[tokio::test]
async fn the_end_of_a_server_ends_streams_and_records_what_is_open() {
    let (mut server, sink) = started(|_| {}).await;
    let token = server.key("one", &["agent:prod"]).await.reveal();
    let stream = {
        let agent = Agent::connected(&server, &token).await;
        agent.get("shared.tone", json!({"name": "Ann"})).await;
        let stream = agent.request(Method::GET).send().await.unwrap();
        assert_eq!((stream.status().as_u16(), sink.records().len()), (200, 0));
        stream
    };
    let ended = server.stop();
    tokio::time::timeout(SOON, stream.text()).await.unwrap().unwrap();
    tokio::time::timeout(SOON, ended).await.unwrap().unwrap().unwrap();
    let records = sink.records();
    assert_eq!((records.len(), records[0].prompt_id.as_deref()), (1, Some("shared.tone")));
    assert_eq!((records[0].agent.as_deref(), records[0].environment.as_deref()), (Some("me"), Some("prod")));
}

/// A lake that keeps what it was given.
#[derive(Default)]
struct Lake(Mutex<Vec<Invocation>>);

impl InvocationLake for Lake {
    fn store<'a>(&'a self, records: &'a [Invocation]) -> BoxFuture<'a, Result<u64, NotStored>> {
        self.0.lock().unwrap().extend(records.iter().cloned());
        Box::pin(std::future::ready(Ok(records.len() as u64)))
    }
}

#[tokio::test]
async fn a_server_that_records_brings_what_agents_did_to_the_lake() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let (log, to) = (IngestSettings::new(folder.path().join("log")), Arc::clone(&lake) as Arc<dyn InvocationLake>);
    let (mut server, sink) = started(|settings| settings.ingest = Some(Ingest { log, lake: to, spans: Keep::default() })).await;
    let token = server.key("one", &["agent:prod"]).await.reveal();
    let got = {
        let agent = Agent::connected(&server, &token).await;
        let got = agent.get("shared.tone", json!({"name": "Ann"})).await;
        let report = json!({"invocation": got["result"]["_meta"]["promptops/invocation"], "scores": {"helpful": 1}});
        let reported = agent.ask("tools/call", json!({"name": "report_outcome", "arguments": report})).await;
        assert_eq!(reported["result"]["isError"], false, "{reported}");
        agent.get("support.greeting", json!({"name": "Bob"})).await;
        got["result"]["_meta"]["promptops/invocation"].clone()
    };
    tokio::time::timeout(SOON, server.stop()).await.unwrap().unwrap().unwrap();
    let stored = lake.0.lock().unwrap().clone();
    assert_eq!(stored, sink.records(), "what was open at the end, too");
    assert_eq!((stored.len(), stored[0].scores["helpful"]), (2, 1.));
    assert_eq!(json!(stored[0].invocation_id.to_string()), got);
}

/// What a client at the other end of a pipe was sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<u8>>>);

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn whatever_comes_over_a_stream_what_goes_back_is_messages() {
    let (server, _) = started(|_| {}).await;
    let prompts = AgentPrompts::Environments { registry: server.registry.clone(), default: Some(prod()) };
    let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "me", "version": "1"}});
    let mut input = String::new();
    input += "{\n\n\u{feff}[]\n";
    input += "{\"method\": \"notifications/initialized\"}\n";
    input += &format!("{}\n", json!({"jsonrpc": "2.0", "id": "early", "method": "prompts/list"}));
    input += &format!("{}\r\n", json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}));
    input += &format!("{}\n", json!({"jsonrpc": "2.0", "id": 1, "method": "x".repeat(17 << 20)}));
    input += &format!("{}\n", "[".repeat(100_000));
    let got = json!({"name": "shared.tone", "arguments": {"name": "Ann"}});
    input += &format!("{}\nthe end is cut o", json!({"jsonrpc": "2.0", "id": 2, "method": "prompts/get", "params": got}));
    let sent = Sent::default();
    let settings = AgentSettings::new(prompts, now);
    let served = serve_stdio(settings, std::io::Cursor::new(input), sent.clone(), std::future::pending());
    tokio::time::timeout(SOON, served).await.unwrap().unwrap();
    let text = String::from_utf8(sent.0.lock().unwrap().clone()).unwrap();
    let mut answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.sort_by_key(|answer| answer["id"].to_string());
    let codes: Vec<(String, i64)> =
        answers.iter().map(|answer| (answer["id"].to_string(), answer["error"]["code"].as_i64().unwrap_or_default())).collect();
    let expected = [("\"early\"", -32_602), ("0", 0), ("2", 0)].map(|(id, code)| (id.to_owned(), code));
    assert_eq!(codes[..3], expected, "{text}");
    assert_eq!(codes[3..].iter().map(|(_, code)| *code).collect::<Vec<_>>(), [-32_700, -32_600, -32_600, -32_700]);
    assert_eq!(answers[2]["result"]["messages"][0]["content"]["text"], "Be kind, Ann.");
}

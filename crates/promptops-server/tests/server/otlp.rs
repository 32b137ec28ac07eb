//! OTLP over HTTP and gRPC, sent by OpenTelemetry's own types and client.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use promptops_server::{Access, Settings};
use promptops_telemetry::ingest::IngestSettings;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::harness::Server;
use crate::recording::{Lake, gzip, log, recording};

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Said::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// A call of a model that says which invocation it is.
fn call(id: u128) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: u64::try_from(id).unwrap().to_be_bytes().to_vec(),
        start_time_unix_nano: 1_793_498_400_000_000_000,
        end_time_unix_nano: 1_793_498_400_412_500_000,
        attributes: vec![
            text("promptops.invocation_id", &uuid::Uuid::from_u128(id).to_string()),
            text("gen_ai.request.model", "gpt-5.2"),
            text("gen_ai.input.messages", "My card is lost"),
        ],
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

/// `google.rpc.Status`, as anybody else would read it.
#[derive(Clone, PartialEq, Message)]
struct Failure {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, optional, tag = "2")]
    retry: Option<RetryInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

impl Failure {
    fn retry_s(&self) -> Option<i64> {
        let detail = self.details.first()?;
        assert_eq!(detail.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        Some(detail.retry.as_ref()?.delay.as_ref()?.seconds)
    }
}

struct Reply {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    fn failure(&self, status: u16) -> Failure {
        assert_eq!((self.status, self.content_type.as_str()), (status, "application/x-protobuf"));
        Failure::decode(self.body.as_slice()).unwrap()
    }

    fn json(&self) -> Value {
        assert_eq!(self.content_type, "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn post(server: &Server, path: &str, content_type: &str, encoding: Option<&str>, body: Vec<u8>) -> Reply {
    let mut request = server.request(Method::POST, path).header("content-type", content_type).body(body);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    let reply = request.send().await.unwrap();
    let header = |name: &str| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, content_type, retry_after) =
        (reply.status().as_u16(), header("content-type").unwrap_or_default(), header("retry-after"));
    Reply { status, content_type, retry_after, body: reply.bytes().await.unwrap().to_vec() }
}

async fn traces(server: &Server, body: Vec<u8>) -> Reply {
    post(server, "/v1/traces", "application/x-protobuf", None, body).await
}

async fn client(server: &Server) -> TraceServiceClient<Channel> {
    TraceServiceClient::connect(server.url.clone()).await.unwrap()
}

fn with_key(mut request: Request<ExportTraceServiceRequest>, server: &Server) -> Request<ExportTraceServiceRequest> {
    if let Some(token) = &server.token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

fn retry_s(status: &Status) -> Option<i64> {
    Failure::decode(status.details()).unwrap().retry_s()
}

async fn started(folder: &Path, lake: &Arc<Lake>, change: impl FnOnce(&mut Settings)) -> Server {
    let recorded = recording(lake, log(folder));
    Server::start(|settings| {
        recorded(settings);
        change(settings);
    })
    .await
}

#[tokio::test]
async fn spans_are_recorded_in_every_encoding_and_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let mut server = started(folder.path(), &lake, |_| {}).await;
    let reply = traces(&server, request(vec![call(1), call(2)]).encode_to_vec()).await;
    assert_eq!((reply.status, reply.content_type.as_str(), reply.body.as_slice()), (200, "application/x-protobuf", &[][..]));
    let packed = gzip(&request(vec![call(2), call(3)]).encode_to_vec());
    assert_eq!(post(&server, "/v1/traces", "application/x-protobuf", Some("gzip"), packed).await.status, 200);
    let json = serde_json::to_vec(&request(vec![call(4)])).unwrap();
    let reply = post(&server, "/v1/traces", "application/json; charset=utf-8", None, json.clone()).await;
    assert_eq!((reply.status, reply.json()), (200, json!({})));
    assert_eq!(post(&server, "/v1/traces", "application/json", Some("gzip"), gzip(&json)).await.status, 200);

    let mut grpc = client(&server).await;
    let answer = grpc.export(request(vec![call(5), call(1)])).await.unwrap().into_inner();
    assert_eq!(answer, ExportTraceServiceResponse::default());
    let mut grpc = grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
    grpc.export(request(vec![call(6)])).await.unwrap();

    lake.has(&[1, 2, 3, 4, 5, 6]).await;
    let first = lake.records.lock().unwrap().iter().find(|record| record.invocation_id.as_u128() == 5).unwrap().clone();
    assert_eq!((first.requested_model.as_deref(), first.latency_ms, first.input), (Some("gpt-5.2"), Some(412.5), None));
    // A client that stays connected does not hold the end up.
    server.stop().await.unwrap().unwrap();
    grpc.export(request(vec![call(7)])).await.unwrap_err();
}

#[tokio::test]
async fn content_is_kept_where_the_server_was_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let server = started(folder.path(), &lake, |settings| settings.ingest.as_mut().unwrap().spans.content = true).await;
    traces(&server, request(vec![call(1)]).encode_to_vec()).await;
    lake.has(&[1]).await;
    assert_eq!(lake.records.lock().unwrap()[0].input.as_deref(), Some("My card is lost"));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_said_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let server = started(folder.path(), &lake, |_| {}).await;
    let timeless = Span { start_time_unix_nano: 0, ..call(2) };
    let foreign = Span { attributes: vec![text("http.route", "/")], ..call(3) };
    let mixed = request(vec![call(1), timeless, foreign]);
    let reply = traces(&server, mixed.encode_to_vec()).await;
    let partial = ExportTraceServiceResponse::decode(reply.body.as_slice()).unwrap().partial_success.unwrap();
    assert_eq!((reply.status, partial.rejected_spans), (200, 1));
    assert_eq!(partial.error_message, "a span has no time of its start");
    let reply = post(&server, "/v1/traces", "application/json", None, serde_json::to_vec(&mixed).unwrap()).await;
    let said = json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "a span has no time of its start"}});
    assert_eq!((reply.status, reply.json()), (200, said));
    let answer = client(&server).await.export(mixed).await.unwrap().into_inner();
    assert_eq!(answer.partial_success.unwrap(), partial);
    lake.has(&[1]).await;
    let metrics = server.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for line in [
        "promptops_otlp_spans_ignored_total 3\n",
        "promptops_otlp_spans_rejected_total 3\n",
        "promptops_invocations_recorded_total 3\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn logs_and_metrics_are_taken_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let server = started(folder.path(), &lake, |_| {}).await;
    for (path, name) in [("/v1/logs", "logs"), ("/v1/metrics", "metrics")] {
        let reply = post(&server, path, "application/json", None, b"{\"resourceLogs\":[]}".to_vec()).await;
        let message = &reply.json()["partialSuccess"]["errorMessage"];
        assert_eq!(
            (reply.status, message),
            (200, &json!(format!("{name} are not kept: calls of models are recorded from spans")))
        );
        assert_eq!(post(&server, path, "application/x-protobuf", Some("gzip"), gzip(b"anything")).await.status, 200);
    }
    let mut logs = LogsServiceClient::connect(server.url.clone()).await.unwrap();
    let answer = logs.export(ExportLogsServiceRequest::default()).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!(answer.rejected_log_records, 0);
    assert!(answer.error_message.starts_with("logs are not kept"), "{}", answer.error_message);
}

#[tokio::test]
async fn failures_are_said_in_the_words_of_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let server = started(folder.path(), &lake, |settings| settings.limits.body_bytes = 100_000).await;
    let failure = traces(&server, b"nonsense".to_vec()).await.failure(400);
    assert_eq!(failure.code, Code::InvalidArgument as i32);
    assert!(failure.message.starts_with("what was sent is not an OTLP request for traces: "), "{}", failure.message);
    let reply = post(&server, "/v1/traces", "application/json", None, b"[1]".to_vec()).await;
    assert_eq!((reply.status, &reply.json()["code"]), (400, &json!(3)));
    let bomb = gzip(&vec![0; 50 << 20]);
    assert!(bomb.len() < 100_000);
    let failure = post(&server, "/v1/traces", "application/x-protobuf", Some("gzip"), bomb.clone()).await.failure(413);
    assert_eq!((failure.code, failure.retry_s()), (Code::ResourceExhausted as i32, None), "nobody should send it again");
    traces(&server, vec![0; 100_001]).await.failure(413);
    post(&server, "/v1/traces", "application/x-protobuf", Some("gzip"), b"not gzip".to_vec()).await.failure(400);
    post(&server, "/v1/traces", "application/x-protobuf", Some("br"), b"x".to_vec()).await.failure(400);
    post(&server, "/v1/traces", "text/plain", None, b"{}".to_vec()).await.failure(415);
    let reply = server.request(Method::GET, "/v1/traces").send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.headers()["allow"].to_str().unwrap()), (405, "POST"));

    let mut grpc = client(&server).await.send_compressed(CompressionEncoding::Gzip);
    let large = Span { attributes: vec![text("unknown", &"x".repeat(200_000))], ..call(1) };
    let status = grpc.export(request(vec![large.clone()])).await.unwrap_err();
    assert_eq!((status.code(), retry_s(&status)), (Code::ResourceExhausted, None), "{status:?}");
    assert!(status.message().starts_with("the body of the request is larger than 100000 bytes"), "{status:?}");
    let status = client(&server).await.export(request(vec![large])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(lake.ids().is_empty());

    let server = Server::trusting().await;
    let failure = traces(&server, Vec::new()).await.failure(403);
    assert!(failure.message.contains("start it with `promptops serve --record`"), "{}", failure.message);
}

#[tokio::test]
async fn when_there_is_no_room_senders_are_told_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake { away: usize::MAX.into(), ..Lake::default() });
    let server = Server::start(recording(&lake, IngestSettings { spool_bytes: 1, ..log(folder.path()) })).await;
    assert_eq!(traces(&server, request(vec![call(1)]).encode_to_vec()).await.status, 200);
    let reply = traces(&server, request(vec![call(2)]).encode_to_vec()).await;
    let failure = reply.failure(429);
    assert_eq!((failure.code, failure.retry_s(), reply.retry_after.as_deref()), (8, Some(30), Some("30")));
    let reply = post(&server, "/v1/traces", "application/json", None, serde_json::to_vec(&request(vec![call(2)])).unwrap()).await;
    assert_eq!((reply.status, &reply.json()["details"][0]["retryDelay"]), (429, &json!("30s")));
    let status = client(&server).await.export(request(vec![call(2)])).await.unwrap_err();
    assert_eq!((status.code(), retry_s(&status)), (Code::ResourceExhausted, Some(30)), "{status:?}");
    lake.away.store(0, Ordering::SeqCst);
    lake.has(&[1]).await;
    client(&server).await.export(request(vec![call(2)])).await.unwrap();
    lake.has(&[1, 2]).await;
}

#[tokio::test]
async fn bodies_of_all_senders_together_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let server = started(folder.path(), &lake, |_| {}).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
        16 << 20
    );
    let mut waiting = Vec::new();
    while traces(&server, request(vec![call(1)]).encode_to_vec()).await.status == 200 {
        // Those that have room wait for their bodies.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waiting.push(stream);
        assert!(waiting.len() < 20, "nothing bounds them");
    }
    let reply = traces(&server, request(vec![call(1)]).encode_to_vec()).await;
    assert_eq!((reply.failure(429).retry_s(), reply.retry_after.as_deref()), (Some(1), Some("1")));
    let status = client(&server).await.export(request(vec![call(1)])).await.unwrap_err();
    assert_eq!((status.code(), retry_s(&status)), (Code::ResourceExhausted, Some(1)), "{status:?}");
    drop(waiting);
    while traces(&server, request(vec![call(1)]).encode_to_vec()).await.status != 200 {}
    lake.has(&[1]).await;
}

#[tokio::test]
async fn a_key_with_the_scope_is_needed_over_grpc_too() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Arc::new(Lake::default());
    let mut server = started(folder.path(), &lake, |settings| settings.access = Access::Keys).await;
    let mut grpc = client(&server).await;
    let mut export = async |server: &Server| grpc.export(with_key(Request::new(request(vec![call(1)])), server)).await;
    let status = export(&server).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert!(status.message().contains("send a key as `Authorization: Bearer pk_…`"), "{status:?}");
    assert_eq!(traces(&server, Vec::new()).await.failure(401).code, 16);
    server.token = Some(server.key("ci", &["read"]).await.reveal());
    assert_eq!(export(&server).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(traces(&server, Vec::new()).await.failure(403).code, 7);
    server.token = Some(server.key("service", &["record"]).await.reveal());
    export(&server).await.unwrap();
    lake.has(&[1]).await;
}

#[tokio::test]
async fn everything_is_served_over_http2_as_over_http1() {
    let server = Server::trusting().await;
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, String>(executor, io).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async |authority: &str| {
        let request = hyper::Request::get(format!("http://{authority}/v1/environments")).body(String::new()).unwrap();
        sender.send_request(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("localhost").await, 200);
    assert_eq!(ask("evil.example").await, 403, "a page in a browser can make its own name point here");

    // A beginning that comes byte by byte, and one that never comes.
    let mut slow = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        slow.write_all(&[*byte]).await.unwrap();
    }
    let mut settings = [0; 9];
    slow.read_exact(&mut settings).await.unwrap();
    assert_eq!(settings[3], 4, "the server's settings come first");
    let server = Server::start(|settings| settings.limits.header_time = Duration::from_millis(50)).await;
    for beginning in [&b""[..], b"PR"] {
        let mut silent = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        silent.write_all(beginning).await.unwrap();
        // An end or a reset, and in any case no more waiting.
        let _ = silent.read(&mut [0; 16]).await;
    }
}

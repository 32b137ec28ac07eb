//! OpenTelemetry's protocol: invocations from any SDK and Collector, over HTTP and gRPC, at the address of the server.
//!
//! Over HTTP a request is protocol buffers or JSON at `/v1/traces`; over gRPC it is a call of `TraceService/Export`. What
//! was taken is on the disk when it is answered. Logs and metrics are taken and not kept, since a Collector that is told
//! to send everything should not fail.
//!
//! Every request passes the guard like all others. What is refused is said as the protocol wants it: [`translation`].

mod answer;
mod grpc;
mod http;
mod translation;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;
use axum::routing::post;
use axum::{Extension, Router};
use promptops_telemetry::otlp::{Encoding, Export, Keep, read_traces};

pub(crate) use translation::in_its_words;

use crate::access::Caller;
use crate::bodies::Body;
use crate::refusal::Refusal;
use crate::state::Shared;

/// Bytes of a body from which on reading it would hold up other requests.
const LONG_READ_BYTES: usize = 256 << 10;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// The path over HTTP.
    const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
            Self::Metrics => "/v1/metrics",
        }
    }

    /// The path of the method of gRPC.
    const fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }
}

/// What became of a request, for the sender to know.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    /// Spans that sending again will not make records of.
    rejected: usize,
    /// What the sender should be told; empty when all is well.
    message: String,
}

/// Adds what OTLP is sent to.
pub(crate) fn add_routes(mut router: Router<Shared>) -> Router<Shared> {
    for signal in Signal::ALL {
        let over_http =
            move |state: State<Shared>, caller: Extension<Caller>, request: Request| http::export(signal, state, caller, request);
        let over_grpc =
            move |state: State<Shared>, caller: Extension<Caller>, request: Request| grpc::export(signal, state, caller, request);
        router = router.route(signal.path(), post(over_http)).route(signal.method(), post(over_grpc));
    }
    router
}

/// Records the calls of models among the spans of a request; completes when they are on the disk.
async fn record(state: &Shared, encoding: Encoding, body: Body) -> Result<Taken, Refusal> {
    let recording = state.recording()?;
    let keep = recording.keep();
    let (export, body) = if body.bytes.len() < LONG_READ_BYTES {
        (read(encoding, &body, keep), body)
    } else {
        let reading = tokio::task::spawn_blocking(move || (read(encoding, &body, keep), body));
        reading.await.map_err(|error| crate::state::bug(&error))?
    };
    let Export { received, ignored, rejected, reason } = export?;
    state.metrics.spans_ignored.inc_by(ignored as u64);
    state.metrics.spans_rejected.inc_by(rejected as u64);
    recording.record(received).await?;
    // The room it takes is free from here on.
    drop(body);
    Ok(Taken { rejected, message: reason.unwrap_or_default() })
}

fn read(encoding: Encoding, body: &Body, keep: Keep) -> Result<Export, Refusal> {
    read_traces(encoding, &body.bytes, keep).map_err(|error| Refusal::bad_request(error.to_string()))
}

/// What is said of signals that are not kept.
fn not_kept(signal: Signal) -> Taken {
    let message = match signal {
        Signal::Traces => "",
        Signal::Logs => "logs are not kept: calls of models are recorded from spans",
        Signal::Metrics => "metrics are not kept: calls of models are recorded from spans",
    };
    Taken { rejected: 0, message: message.to_owned() }
}

/// Refuses a caller who must not record, before anything of the body is read.
fn admit(state: &Shared, caller: &Caller) -> Result<(), Refusal> {
    caller.may_record_invocations()?;
    state.recording().map(|_| ())
}

/// Returns what a header says; nothing for one that is not there or no text.
fn said(headers: &HeaderMap, name: impl AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

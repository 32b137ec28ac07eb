//! What the protocol answers with: messages of OTLP, and the `Status` of Google's RPC model that every failure is.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Response};
use promptops_telemetry::otlp::Encoding;
use prost::Message as _;
use serde_json::{Value, json};

use super::{Signal, Taken};

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// `ExportTraceServiceResponse`; those of logs and metrics are alike but for a name.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A failure in the protocol's words.
pub(super) struct Failure<'a> {
    /// The code of gRPC.
    pub(super) code: i32,
    pub(super) message: &'a str,
    /// When to come back.
    pub(super) retry_after_s: Option<u32>,
}

impl Failure<'_> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let details = self.retry_after_s.map(|seconds| {
            let delay = Duration { seconds: seconds.into(), nanos: 0 };
            Any { type_url: RETRY_INFO.to_owned(), value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec() }
        });
        Status { code: self.code, message: self.message.to_owned(), details: details.into_iter().collect() }.encode_to_vec()
    }

    pub(super) fn to_json(&self) -> Value {
        let mut status = json!({"code": self.code, "message": self.message});
        if let Some(seconds) = self.retry_after_s {
            status["details"] = json!([{"@type": RETRY_INFO, "retryDelay": format!("{seconds}s")}]);
        }
        status
    }
}

/// Returns the answer as a message.
pub(super) fn message(taken: &Taken) -> Vec<u8> {
    let partial_success = (*taken != Taken::default()).then(|| PartialSuccess {
        rejected: i64::try_from(taken.rejected).unwrap_or(i64::MAX),
        error_message: taken.message.clone(),
    });
    ExportResponse { partial_success }.encode_to_vec()
}

/// Answers in the encoding of the request.
pub(super) fn over_http(signal: Signal, encoding: Encoding, taken: &Taken) -> Response<Body> {
    let body = match encoding {
        Encoding::Protobuf => message(taken),
        Encoding::Json if *taken == Taken::default() => b"{}".to_vec(),
        Encoding::Json => {
            let rejected = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Logs => "rejectedLogRecords",
                Signal::Metrics => "rejectedDataPoints",
            };
            let partial = json!({(rejected): taken.rejected.to_string(), "errorMessage": taken.message});
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type(encoding));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    })
}

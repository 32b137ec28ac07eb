//! Requests, written in both encodings by types that OpenTelemetry's definitions were made into.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use promptops_telemetry::otlp::{Encoding, Export, Keep, Malformed, read_traces};
use promptops_telemetry::{Invocation, v1::InvocationV1};
use prost::Message as _;
use serde_json::{Map, Value as Json};

/// 2026-05-01T12:00:00Z.
pub const START_NS: u64 = 1_777_636_800_000_000_000;

/// The value of an attribute, as JSON means it.
pub fn value(json: &Json) -> AnyValue {
    let value = match json {
        Json::Null => None,
        Json::Bool(truth) => Some(Value::BoolValue(*truth)),
        Json::Number(number) => {
            Some(number.as_i64().map_or_else(|| Value::DoubleValue(number.as_f64().unwrap()), Value::IntValue))
        }
        Json::String(text) => Some(Value::StringValue(text.clone())),
        Json::Array(list) => Some(Value::ArrayValue(ArrayValue { values: list.iter().map(value).collect() })),
        Json::Object(map) => Some(Value::KvlistValue(KeyValueList { values: attributes(map) })),
    };
    AnyValue { value }
}

pub fn attributes(map: &Map<String, Json>) -> Vec<KeyValue> {
    map.iter().map(|(key, json)| KeyValue { key: key.clone(), value: Some(value(json)), ..KeyValue::default() }).collect()
}

/// A span with these attributes that took 412.5 ms, the `number`-th of its trace.
pub fn span(number: u8, said: Json) -> Span {
    let Json::Object(said) = said else { panic!("attributes are an object") };
    Span {
        trace_id: vec![7; 16],
        span_id: vec![number; 8],
        name: "chat".to_owned(),
        start_time_unix_nano: START_NS + 999,
        end_time_unix_nano: START_NS + 999 + 412_500_000,
        attributes: attributes(&said),
        ..Span::default()
    }
}

/// A request with these spans, of one instrumentation of a service.
pub fn request(resource: Json, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let Json::Object(resource) = resource else { panic!("attributes are an object") };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: attributes(&resource), ..Resource::default() }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope { name: "the.instrumentation".to_owned(), ..InstrumentationScope::default() }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// Reads a request in both encodings, which must come to the same.
pub fn read(request: &ExportTraceServiceRequest, keep: Keep) -> Result<Export, Malformed> {
    let protobuf = read_traces(Encoding::Protobuf, &request.encode_to_vec(), keep);
    let json = read_traces(Encoding::Json, &serde_json::to_vec(request).unwrap(), keep);
    assert_eq!(protobuf, json);
    protobuf
}

/// Returns the records of an export as they were written.
pub fn records(export: &Export) -> Vec<Invocation> {
    let lines = std::str::from_utf8(export.received.lines()).unwrap().lines();
    let wire = lines.map(|line| serde_json::from_str::<InvocationV1>(line).unwrap());
    let records: Vec<Invocation> = wire.map(|wire| wire.into_invocation(|_| unreachable!("each has an id"))).collect();
    assert_eq!(records.len(), export.received.records());
    records
}

/// Reads the one call of a request that has these attributes.
#[track_caller]
pub fn one(said: Json) -> Invocation {
    let export = read(&request(serde_json::json!({}), vec![span(1, said)]), Keep::default()).unwrap();
    assert_eq!((export.ignored, export.rejected, export.reason.as_deref()), (0, 0, None));
    let [record] = records(&export).try_into().unwrap_or_else(|records| panic!("one record, not {records:?}"));
    record
}

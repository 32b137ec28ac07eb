//! What nobody should send.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use promptops_telemetry::otlp::{Encoding, Keep, MAX_SPANS, read_traces};
use promptops_telemetry::v1;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::json;

use crate::writing::{START_NS, one, read, records, request, span};

#[test]
fn values_of_wrong_types_are_unknown() {
    let record = one(json!({
        "gen_ai.operation.name": "chat", "gen_ai.request.model": ["a"], "gen_ai.usage.input_tokens": -1,
        "gen_ai.usage.output_tokens": "many", "gen_ai.usage.cache_read.input_tokens": 1.5,
        "gen_ai.usage.reasoning.output_tokens": true, "gen_ai.response.finish_reasons": [7], "gen_ai.prompt.version": "latest",
        "promptops.prompt_digest": "sha256:short", "promptops.cost_usd": -1, "promptops.valid": "perhaps",
        "promptops.invocation_id": "mine", "promptops.scores.judge": "good", "promptops.latency_ms": {"a": 1},
        "gen_ai.provider.name": "", "gen_ai.conversation.id": 42, "gen_ai.tool.definitions": null,
    }));
    let expected = json!({
        "schema_version": 1, "time": "2026-05-01T12:00:00.000000Z", "invocation_id": record.invocation_id,
        "trace_id": "07".repeat(16), "span_id": "01".repeat(8), "session": "42", "operation": "chat", "latency_ms": 412.5,
        "status": "ok", "source": "the.instrumentation",
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&v1::to_line(&record)).unwrap(), expected);
    assert_eq!(record.invocation_id.get_version_num(), 8);
    for version in ["0", "-1", "4294967296", "2147483648", "v", "1.0"] {
        let record = one(json!({"gen_ai.operation.name": "chat", "gen_ai.prompt.version": version}));
        assert_eq!(record.prompt_version, None, "{version}");
    }
}

#[test]
fn huge_attributes_are_no_names() {
    let huge = "x".repeat(1 << 20);
    let said = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": huge, "gen_ai.response.finish_reasons": [huge],
        "unknown": huge, "gen_ai.input.messages": format!("{huge}x")});
    let mut judged = said.clone();
    judged[format!("promptops.scores.{huge}")] = json!(1);
    let export = read(&request(json!({"service.name": huge}), vec![span(1, judged)]), Keep { content: true }).unwrap();
    assert!(export.received.bytes() < 400, "{}", export.received.bytes());
    assert_eq!(records(&export)[0].requested_model, None);
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        let mut value = AnyValue { value: Some(Value::StringValue("x".to_owned())) };
        for _ in 0..depth {
            value = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })) };
        }
        value
    };
    let with = |value: AnyValue| {
        let mut one = span(1, json!({"gen_ai.operation.name": "chat"}));
        one.attributes.push(KeyValue { key: "gen_ai.input.messages".to_owned(), value: Some(value), ..KeyValue::default() });
        request(json!({}), vec![one])
    };
    let kept = read(&with(nested(20)), Keep { content: true }).unwrap();
    assert_eq!(records(&kept)[0].input, Some(format!("{}\"x\"{}", "[".repeat(20), "]".repeat(20))));
    let dropped = read(&with(nested(60)), Keep { content: true }).unwrap();
    assert_eq!(records(&dropped)[0].input, None);

    // Deeper than any writer of protocol buffers lets one go: each level is a length and what it holds.
    let mut deep = vec![];
    for _ in 0..20_000 {
        let list = [&[0x0a][..], &length(deep.len()), &deep].concat();
        deep = [&[0x2a][..], &length(list.len()), &list].concat();
    }
    let attribute = [&b"\x0a\x15gen_ai.input.messages"[..], &[0x12], &length(deep.len()), &deep].concat();
    let mut span = span(1, json!({"gen_ai.operation.name": "chat"})).encode_to_vec();
    span.extend([&[0x4a][..], &length(attribute.len()), &attribute].concat());
    for _ in 0..2 {
        // As the span of a scope, and that as the scope of a resource.
        span = [&[0x12][..], &length(span.len()), &span].concat();
    }
    let body = [&[0x0a][..], &length(span.len()), &span].concat();
    let export = read_traces(Encoding::Protobuf, &body, Keep { content: true }).unwrap();
    assert_eq!((export.received.records(), records(&export)[0].input.as_deref()), (1, None));

    let json = format!("{{\"resourceSpans\":{}", "[".repeat(1_000_000));
    read_traces(Encoding::Json, json.as_bytes(), Keep::default()).unwrap_err();
    let unknown = format!("{{\"unknown\":{}1{}}}", "[".repeat(500_000), "]".repeat(500_000));
    assert_eq!(read_traces(Encoding::Json, unknown.as_bytes(), Keep::default()).unwrap().received.records(), 0);
}

fn length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length > 0x7f {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes
}

#[test]
fn spans_without_a_place_or_a_time_are_rejected_one_by_one() {
    let call = || json!({"gen_ai.operation.name": "chat"});
    let spans = vec![
        Span { trace_id: vec![], ..span(1, call()) },
        Span { trace_id: vec![0; 16], ..span(1, call()) },
        Span { span_id: vec![1; 4], ..span(1, call()) },
        Span { start_time_unix_nano: 0, ..span(1, call()) },
        Span { start_time_unix_nano: u64::MAX, ..span(1, call()) },
        Span { trace_id: vec![], ..span(1, json!({})) },
        span(2, call()),
    ];
    let export = read(&request(json!({}), spans), Keep::default()).unwrap();
    assert_eq!((export.received.records(), export.ignored, export.rejected), (1, 1, 5));
    assert_eq!(export.reason.as_deref(), Some("a span has no trace id or no span id"));
    // What says its own id needs no place in a trace.
    let said = json!({"promptops.invocation_id": "019de368-f600-7000-8000-000000000001", "gen_ai.request.model": "m"});
    let export = read(&request(json!({}), vec![Span { trace_id: vec![], ..span(1, said) }]), Keep::default()).unwrap();
    assert_eq!((records(&export)[0].trace_id.as_deref(), records(&export)[0].span_id.as_deref()), (None, None));
    // A clock that runs backwards, or is years off.
    let odd = vec![
        Span { end_time_unix_nano: 1, ..span(1, call()) },
        Span { start_time_unix_nano: 5_000_000_000_000_000_000, end_time_unix_nano: START_NS, ..span(2, call()) },
    ];
    let export = read(&request(json!({}), odd), Keep::default()).unwrap();
    let odd = records(&export);
    assert_eq!(
        (odd[0].latency_ms, odd[1].latency_ms, odd[1].time.to_rfc3339().as_str()),
        (None, None, "2128-06-11T08:53:20+00:00")
    );
}

#[test]
fn a_few_bytes_never_become_many() {
    // Empty spans, attributes and lists take two bytes each on the wire.
    let too_many = [0x12, 0].repeat(MAX_SPANS + 1);
    let scope = [&[0x12][..], &length(too_many.len()), &too_many].concat();
    let body = [&[0x0a][..], &length(scope.len()), &scope].concat();
    let error = read_traces(Encoding::Protobuf, &body, Keep::default()).unwrap_err();
    assert!(error.to_string().contains("there are more than 100000 spans"), "{error}");
    let too_many = [0x0a, 0].repeat(MAX_SPANS + 1);
    read_traces(Encoding::Protobuf, &too_many, Keep::default()).unwrap_err();
    let json = format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}{{}}]}}]}}]}}", "{},".repeat(MAX_SPANS));
    let error = read_traces(Encoding::Json, json.as_bytes(), Keep::default()).unwrap_err();
    assert!(error.to_string().contains("a list has more than 100000 items"), "{error}");

    let started = Instant::now();
    let mut empty = span(1, json!({"gen_ai.operation.name": "chat"})).encode_to_vec();
    empty.extend([0x4a, 0].repeat(4 << 20));
    let scope = [&[0x12][..], &length(empty.len()), &empty].concat();
    let resource = [&[0x12][..], &length(scope.len()), &scope].concat();
    let body = [&[0x0a][..], &length(resource.len()), &resource].concat();
    assert_eq!(read_traces(Encoding::Protobuf, &body, Keep::default()).unwrap().received.records(), 1);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn what_is_no_request_is_refused_whole() {
    for body in [&b"nonsense"[..], &[0x0a, 0xff], &[0x0a, 2, 0x12, 9], b"\x08\x01\x0b", &[0xff; 100]] {
        read_traces(Encoding::Protobuf, body, Keep::default()).unwrap_err();
    }
    for body in ["", "[]", "7", "nonsense", "{\"resourceSpans\":7}", "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[[]]}]}]}x"]
    {
        read_traces(Encoding::Json, body.as_bytes(), Keep::default()).unwrap_err();
    }
    read_traces(Encoding::Json, &[b'"', 0xff, b'"'], Keep::default()).unwrap_err();
    for body in [
        "{}",
        "{\"resourceSpans\":null}",
        "{\"resourceSpans\":[{}]}",
        "{\"resourceSpans\":[{\"resource\":null,\"scopeSpans\":[{\"scope\":null,\"spans\":[]}]}]}",
    ] {
        assert_eq!(read_traces(Encoding::Json, body.as_bytes(), Keep::default()).unwrap().received.records(), 0, "{body}");
    }
    assert_eq!(read_traces(Encoding::Protobuf, b"", Keep::default()).unwrap().received.records(), 0);
    // A text that is not UTF-8, in an attribute that is read.
    let mut body = request(json!({}), vec![span(1, json!({"gen_ai.operation.name": "chat"}))]).encode_to_vec();
    let place = body.windows(4).rposition(|bytes| bytes == b"chat").unwrap();
    body[place] = 0xff;
    let error = read_traces(Encoding::Protobuf, &body, Keep::default()).unwrap_err();
    assert!(error.to_string().ends_with("a text is not UTF-8"), "{error}");
}

proptest! {
    #[test]
    fn nothing_that_is_sent_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_traces(Encoding::Protobuf, &body, Keep { content: true });
        let _ = read_traces(Encoding::Json, &body, Keep { content: true });
    }

    #[test]
    fn what_was_changed_on_the_way_does_not_panic(place in 0_usize..400, byte: u8, cut in 0_usize..400) {
        let said = json!({"gen_ai.operation.name": "chat", "gen_ai.input.messages": [{"a": [1, 2.5, true, null, "x"]}], "gen_ai.usage.input_tokens": 5});
        let request = request(json!({"service.name": "s"}), vec![span(1, said)]);
        for (encoding, mut body) in [(Encoding::Protobuf, request.encode_to_vec()), (Encoding::Json, serde_json::to_vec(&request).unwrap())] {
            let last = body.len() - 1;
            body[place.min(last)] = byte;
            let _ = read_traces(encoding, &body, Keep { content: true });
            let _ = read_traces(encoding, &body[..cut.min(last)], Keep { content: true });
        }
    }
}

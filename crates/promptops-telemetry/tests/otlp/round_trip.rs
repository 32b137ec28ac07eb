//! What the SDK sends by OTLP comes back whole.

use std::collections::BTreeMap;

use promptops_telemetry::otlp::Keep;
use promptops_telemetry::sink::otlp::{Generation, Sender, export_spans};
use promptops_telemetry::{Invocation, Status, Uuid, content_hash};

use crate::writing::{read, records};

fn full() -> Invocation {
    let text = |name: &str| Some(format!("{name} é"));
    Invocation {
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
        span_id: Some("b7ad6b7169203331".into()),
        parent_invocation: Some(Uuid::from_u128(1)),
        agent: text("agent"),
        session: text("session"),
        service: text("service"),
        runtime: text("lambda"),
        environment: text("prod"),
        prompt_id: text("support.intent"),
        prompt_version: Some(2),
        prompt_digest: Some(content_hash("digest")),
        arm: text("candidate"),
        input_hash: Some(content_hash("input")),
        operation: Some("chat".into()),
        provider: Some("openai".into()),
        requested_model: text("gpt"),
        responded_model: text("gpt-2026"),
        response_id: text("id"),
        fingerprint: text("fp"),
        service_tier: text("batch"),
        parameters_hash: Some(content_hash("parameters")),
        tools_hash: Some(content_hash("tools")),
        latency_ms: Some(412.512_345_678),
        time_to_first_token_ms: Some(95.5),
        input_tokens: Some(120),
        output_tokens: Some(9),
        cached_tokens: Some(64),
        cache_write_tokens: Some(8),
        reasoning_tokens: Some(7),
        cost_usd: Some(0.003),
        price_table: text("table"),
        status: Status::Error,
        error_type: text("timeout"),
        finish_reason: Some("tool_calls".into()),
        label: text("billing"),
        valid: Some(false),
        refusal: Some(true),
        output_length: Some(7),
        scores: BTreeMap::from([("judge".to_owned(), 0.25), ("é".to_owned(), -1.0)]),
        stratum: text("short"),
        source: text("sdk"),
        input: text("input"),
        output: text("output"),
        ..Invocation::new("2026-05-01T12:00:00.123456Z".parse().unwrap(), Uuid::from_u128(7))
    }
}

#[test]
fn a_record_comes_back_as_it_was_sent() {
    let sparse = Invocation {
        operation: Some("chat".into()),
        source: Some("sdk".into()),
        ..Invocation::new("2026-05-01T12:00:01Z".parse().unwrap(), Uuid::from_u128(8))
    };
    for generation in [Generation::Released, Generation::Latest] {
        let sender = Sender { generation, ..Sender::default() };
        for sent in [full(), sparse.clone()] {
            let export = read(&export_spans(std::slice::from_ref(&sent), &sender), Keep { content: true }).unwrap();
            assert_eq!((export.ignored, export.rejected), (0, 0));
            let back = records(&export).remove(0);
            assert!(back.trace_id.is_some() && back.span_id.is_some());
            // The span is one of its own, within the one that the call was made in.
            let expected = Invocation { trace_id: back.trace_id.clone(), span_id: back.span_id.clone(), ..sent.clone() };
            assert_eq!(back, expected);
            assert!(sent.trace_id.is_none() || sent.trace_id == back.trace_id);
        }
    }
}

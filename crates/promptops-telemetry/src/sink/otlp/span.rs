//! Records as spans.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status as SpanStatus};
use uuid::Uuid;

use super::attribute::{count, list, number, text, truth};
use super::{Generation, Origin, SCHEMA_URL, Sender, scope};
use crate::record::{Invocation, Status};

/// The kind of call where the record does not say it.
const USUAL_OPERATION: &str = "chat";
/// The mark that a trace is recorded.
const SAMPLED: u32 = 1;

/// Makes spans of records, one of each.
///
/// A record that knows the span it was made in becomes a child of it. Any other is in the trace of the invocation that caused it, or in
/// one of its own. The id of the span is made from that of the invocation, so that the same record sent again is the same span.
#[must_use]
pub fn export_spans(records: &[Invocation], sender: &Sender) -> ExportTraceServiceRequest {
    let mut by_origin: BTreeMap<Origin, Vec<Span>> = BTreeMap::new();
    for record in records {
        by_origin.entry(Origin::of(record)).or_default().push(span(record, sender.generation));
    }
    let resource_spans = by_origin.into_iter().map(|(origin, spans)| ResourceSpans {
        resource: Some(origin.resource(sender)),
        scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, schema_url: SCHEMA_URL.to_owned() }],
        schema_url: SCHEMA_URL.to_owned(),
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

fn span(record: &Invocation, generation: Generation) -> Span {
    let trace_id = record.trace_id.as_deref().and_then(|id| hexadecimal(id, 16));
    let outer_span = record.span_id.as_deref().and_then(|id| hexadecimal(id, 8)).filter(|_| trace_id.is_some());
    let caused_by = record.parent_invocation;
    let own_trace = || caused_by.unwrap_or(record.invocation_id).into_bytes().to_vec();
    let start = nanoseconds(record.time);
    let operation = record.operation.as_deref().unwrap_or(USUAL_OPERATION);
    let name = record.requested_model.as_deref().map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}"));
    let is_error = record.status == Status::Error;
    Span {
        trace_id: trace_id.unwrap_or_else(own_trace),
        span_id: span_id(record.invocation_id),
        // An invocation within another knows the span of the outer one only; that the other caused it says more.
        parent_span_id: caused_by.map(span_id).or(outer_span).unwrap_or_default(),
        flags: SAMPLED,
        name,
        kind: SpanKind::Client.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(record.latency_ms.map_or(0, milliseconds)),
        attributes: attributes(record, operation, generation),
        status: is_error
            .then(|| SpanStatus { message: record.error_type.clone().unwrap_or_default(), code: StatusCode::Error.into() }),
        ..Span::default()
    }
}

/// Makes the id of a span of the random half of that of the invocation.
fn span_id(invocation: Uuid) -> Vec<u8> {
    let mut id = invocation.into_bytes()[8..].to_vec();
    if id.iter().all(|byte| *byte == 0) {
        // That is the id of no span.
        id[7] = 1;
    }
    id
}

/// Reads an id of so many bytes, which is not all zeros.
fn hexadecimal(text: &str, bytes: usize) -> Option<Vec<u8>> {
    if text.len() != bytes * 2 || !text.is_ascii() {
        return None;
    }
    let pairs = (0..bytes).map(|index| u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok());
    pairs.collect::<Option<Vec<u8>>>().filter(|id| id.iter().any(|byte| *byte != 0))
}

pub(super) fn nanoseconds(time: DateTime<Utc>) -> u64 {
    time.timestamp_nanos_opt().and_then(|nanoseconds| u64::try_from(nanoseconds).ok()).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion to an integer stops at its ends")]
fn milliseconds(latency_ms: f64) -> u64 {
    (latency_ms * 1e6) as u64
}

fn attributes(record: &Invocation, operation: &str, generation: Generation) -> Vec<KeyValue> {
    let cache_write = match generation {
        Generation::Released => "gen_ai.usage.cache_creation.input_tokens",
        Generation::Latest => "gen_ai.usage.cache_write.input_tokens",
    };
    let mut attributes =
        vec![text("gen_ai.operation.name", operation), text("promptops.invocation_id", &record.invocation_id.to_string())];
    let texts = [
        ("gen_ai.provider.name", &record.provider),
        ("gen_ai.agent.name", &record.agent),
        ("gen_ai.conversation.id", &record.session),
        ("gen_ai.prompt.name", &record.prompt_id),
        ("gen_ai.request.model", &record.requested_model),
        ("gen_ai.response.model", &record.responded_model),
        ("gen_ai.response.id", &record.response_id),
        ("openai.response.system_fingerprint", &record.fingerprint),
        ("openai.response.service_tier", &record.service_tier),
        ("error.type", &record.error_type),
        ("gen_ai.input.messages", &record.input),
        ("gen_ai.output.messages", &record.output),
        ("promptops.runtime", &record.runtime),
        ("promptops.prompt_digest", &record.prompt_digest),
        ("promptops.arm", &record.arm),
        ("promptops.input_hash", &record.input_hash),
        ("promptops.parameters_hash", &record.parameters_hash),
        ("promptops.tools_hash", &record.tools_hash),
        ("promptops.price_table", &record.price_table),
        ("promptops.label", &record.label),
        ("promptops.stratum", &record.stratum),
        ("promptops.source", &record.source),
    ];
    attributes.extend(texts.into_iter().filter_map(|(name, value)| Some(text(name, value.as_deref()?))));
    let counts = [
        ("gen_ai.usage.input_tokens", record.input_tokens),
        ("gen_ai.usage.output_tokens", record.output_tokens),
        ("gen_ai.usage.cache_read.input_tokens", record.cached_tokens),
        (cache_write, record.cache_write_tokens),
        ("gen_ai.usage.reasoning.output_tokens", record.reasoning_tokens),
        ("promptops.output_length", record.output_length),
    ];
    attributes.extend(counts.into_iter().filter_map(|(name, value)| count(name, value?)));
    // What the span's own times say to the nanosecond only, and what a span without an end would not say.
    let numbers = [
        ("gen_ai.response.time_to_first_chunk", record.time_to_first_token_ms.map(|wait| wait / 1000.0)),
        ("promptops.latency_ms", record.latency_ms),
        ("promptops.cost_usd", record.cost_usd),
    ];
    attributes
        .extend(numbers.into_iter().filter_map(|(name, value)| Some(number(name, value.filter(|value| value.is_finite())?))));
    let truths = [("promptops.valid", record.valid), ("promptops.refusal", record.refusal)];
    attributes.extend(truths.into_iter().filter_map(|(name, value)| Some(truth(name, value?))));
    attributes.extend(record.prompt_version.map(|version| text("gen_ai.prompt.version", &version.to_string())));
    attributes.extend(record.finish_reason.as_deref().map(|reason| list("gen_ai.response.finish_reasons", reason)));
    attributes.extend(record.parent_invocation.map(|parent| text("promptops.parent_invocation", &parent.to_string())));
    let scores = record.scores.iter().filter(|(_, score)| score.is_finite());
    attributes.extend(scores.map(|(name, score)| number(&format!("promptops.scores.{name}"), *score)));
    attributes
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::*;

    fn record() -> Invocation {
        Invocation {
            service: Some("billing".into()),
            environment: Some("prod".into()),
            provider: Some("openai".into()),
            requested_model: Some("gpt-4o".into()),
            latency_ms: Some(1.5),
            cache_write_tokens: Some(7),
            ..Invocation::new("2026-05-01T12:00:00Z".parse().unwrap(), Uuid::from_u128(0x0123_4567_89ab_7000_8000_0000_0000_002a))
        }
    }

    fn only(record: Invocation, generation: Generation) -> Span {
        let request = export_spans(&[record], &Sender { generation, ..Sender::default() });
        request.resource_spans[0].scope_spans[0].spans[0].clone()
    }

    fn said(span: &Span, name: &str) -> Option<Value> {
        span.attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value
    }

    #[test]
    fn a_span_has_the_time_the_name_and_the_ids_of_the_call() {
        let span = only(record(), Generation::Released);
        assert_eq!((span.name.as_str(), span.kind), ("chat gpt-4o", SpanKind::Client as i32));
        assert_eq!(span.start_time_unix_nano, 1_777_636_800_000_000_000);
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_500_000);
        assert_eq!(span.trace_id, record().invocation_id.into_bytes());
        assert_eq!((span.span_id, span.parent_span_id.len()), (vec![0x80, 0, 0, 0, 0, 0, 0, 0x2a], 0));
    }

    #[test]
    fn a_call_in_a_span_is_its_child_and_a_call_within_a_call_that_ones() {
        let (trace, outer) = ("0af7651916cd43dd8448eb211c80319c".to_owned(), "b7ad6b7169203331".to_owned());
        let in_span = Invocation { trace_id: Some(trace), span_id: Some(outer), ..record() };
        let span = only(in_span.clone(), Generation::Released);
        assert_eq!((span.trace_id[0], span.parent_span_id[0]), (0x0a, 0xb7));
        let parent = Uuid::from_u128(0x77);
        let within = only(Invocation { parent_invocation: Some(parent), ..in_span }, Generation::Released);
        assert_eq!((within.trace_id[0], within.parent_span_id[7]), (0x0a, 0x77));
        let without_trace = only(Invocation { parent_invocation: Some(parent), ..record() }, Generation::Released);
        assert_eq!(without_trace.trace_id, parent.into_bytes(), "both are in the trace of the outer one");
        for bad in ["", "0af7", "00000000000000000000000000000000", "0af7651916cd43dd8448eb211c80319é"] {
            let span = only(Invocation { trace_id: Some(bad.into()), ..record() }, Generation::Released);
            assert_eq!(span.trace_id, record().invocation_id.into_bytes(), "{bad}");
        }
    }

    #[test]
    fn names_that_changed_are_written_as_asked_for() {
        let (old, new) = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens");
        let released = only(record(), Generation::Released);
        assert_eq!((said(&released, old), said(&released, new)), (Some(Value::IntValue(7)), None));
        let latest = only(record(), Generation::Latest);
        assert_eq!((said(&latest, old), said(&latest, new)), (None, Some(Value::IntValue(7))));
    }

    #[test]
    fn records_of_one_service_share_a_resource_and_settings_add_to_it() {
        let sender = Sender {
            resource: vec![("team".into(), "data".into()), ("service.name".into(), "other".into())],
            ..Sender::default()
        };
        let elsewhere = Invocation { service: None, ..record() };
        let request = export_spans(&[record(), elsewhere, record()], &sender);
        let services: Vec<(usize, Option<String>)> = request
            .resource_spans
            .iter()
            .map(|spans| {
                let attributes = &spans.resource.as_ref().unwrap().attributes;
                let names: Vec<&KeyValue> = attributes.iter().filter(|attribute| attribute.key == "service.name").collect();
                assert!(names.len() == 1 && attributes.iter().any(|attribute| attribute.key == "team"));
                let Some(Value::StringValue(name)) = names[0].value.clone().unwrap().value else { panic!("a text") };
                (spans.scope_spans[0].spans.len(), Some(name))
            })
            .collect();
        assert_eq!(services, [(1, Some("other".to_owned())), (2, Some("billing".to_owned()))]);
    }

    #[test]
    fn an_error_is_the_status_of_the_span() {
        let failed = Invocation { status: Status::Error, error_type: Some("timeout".into()), ..record() };
        let span = only(failed, Generation::Released);
        assert_eq!(span.status.as_ref().unwrap().code, StatusCode::Error as i32);
        assert_eq!(said(&span, "error.type"), Some(Value::StringValue("timeout".into())));
        assert_eq!(only(record(), Generation::Released).status, None);
    }
}

//! What the conventions call things.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as SpanStatus};
use promptops_telemetry::otlp::{ATTRIBUTES, Convention, Keep, Member};
use promptops_telemetry::{Invocation, Status, content_hash};
use serde_json::{Value as Json, json};

use crate::writing::{START_NS, attributes, one, read, records, request, span};

/// The members that these tests look at.
fn facts(record: &Invocation) -> Json {
    json!({
        "operation": record.operation, "provider": record.provider, "requested_model": record.requested_model,
        "responded_model": record.responded_model, "response_id": record.response_id, "fingerprint": record.fingerprint,
        "service_tier": record.service_tier, "input_tokens": record.input_tokens, "output_tokens": record.output_tokens,
        "cached_tokens": record.cached_tokens, "cache_write_tokens": record.cache_write_tokens,
        "reasoning_tokens": record.reasoning_tokens, "finish_reason": record.finish_reason, "session": record.session,
        "prompt_id": record.prompt_id, "prompt_version": record.prompt_version,
        "time_to_first_token_ms": record.time_to_first_token_ms, "cost_usd": record.cost_usd,
    })
}

fn expected() -> Json {
    json!({
        "operation": "chat", "provider": "openai", "requested_model": "gpt-5.2", "responded_model": "gpt-5.2-2026-02-01",
        "response_id": "chatcmpl-1", "fingerprint": "fp_1", "service_tier": "flex", "input_tokens": 120, "output_tokens": 9,
        "cached_tokens": 64, "cache_write_tokens": 8, "reasoning_tokens": 7, "finish_reason": "stop", "session": "s-1",
        "prompt_id": "support.intent", "prompt_version": 2, "time_to_first_token_ms": 95.0, "cost_usd": null,
    })
}

fn without(mut facts: Json, unknown: &[&str]) -> Json {
    unknown.iter().for_each(|name| facts[*name] = Json::Null);
    facts
}

fn opentelemetry() -> Json {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5.2",
        "gen_ai.response.model": "gpt-5.2-2026-02-01", "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop", "length"], "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 9, "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.cache_creation.input_tokens": 8, "gen_ai.usage.reasoning.output_tokens": 7,
        "gen_ai.conversation.id": "s-1", "gen_ai.response.time_to_first_chunk": 0.095,
        "openai.response.system_fingerprint": "fp_1", "openai.response.service_tier": "flex",
        "gen_ai.prompt.name": "support.intent", "gen_ai.prompt.version": "2",
    })
}

#[test]
fn opentelemetry_as_it_is_and_as_it_was_renamed() {
    let mut said = opentelemetry();
    assert_eq!(facts(&one(said.clone())), expected());

    let map = said.as_object_mut().unwrap();
    map.remove("gen_ai.usage.cache_creation.input_tokens");
    map.insert("gen_ai.usage.cache_write.input_tokens".into(), 8.into());
    map.insert("gen_ai.prompt.version".into(), 2.into());
    assert_eq!(facts(&one(said)), expected());

    let earlier = json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-5.2",
        "gen_ai.response.model": "gpt-5.2-2026-02-01", "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.prompt_tokens": 120, "gen_ai.usage.completion_tokens": 9,
        "gen_ai.openai.response.system_fingerprint": "fp_1", "gen_ai.openai.response.service_tier": "flex",
    });
    let unknown = [
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "session",
        "prompt_id",
        "prompt_version",
        "time_to_first_token_ms",
    ];
    assert_eq!(facts(&one(earlier)), without(expected(), &unknown));
}

#[test]
fn openinference() {
    let said = json!({
        "openinference.span.kind": "LLM", "llm.provider": "OpenAI", "llm.system": "openai", "llm.model_name": "gpt-5.2",
        "llm.response.model_name": "gpt-5.2-2026-02-01", "llm.token_count.prompt": 120, "llm.token_count.completion": 9,
        "llm.token_count.prompt_details.cache_read": 64, "llm.token_count.prompt_details.cache_write": 8,
        "llm.token_count.completion_details.reasoning": 7, "llm.finish_reason": "stop", "session.id": "s-1",
        "llm.prompt_template.version": "v2", "llm.cost.total": 0.004,
        "llm.invocation_parameters": "{\"model\": \"gpt-5.2\", \"temperature\": 0.0, \"max_tokens\": 16}",
    });
    let record = one(said);
    let unknown = ["response_id", "fingerprint", "service_tier", "prompt_id", "time_to_first_token_ms"];
    let mut expected = without(expected(), &unknown);
    expected["cost_usd"] = json!(0.004);
    assert_eq!(facts(&record), expected);
    // As the SDK hashes the same parameters of a prompt.
    assert_eq!(record.parameters_hash, Some(content_hash(r#"{"max_tokens":16,"temperature":0}"#)));
    let requested = one(json!({"openinference.span.kind": "EMBEDDING", "llm.request.model_name": "a", "llm.model_name": "b"}));
    assert_eq!((requested.operation.as_deref(), requested.requested_model.as_deref()), (Some("embeddings"), Some("a")));

    // Of a call that failed nothing but its parameters says which model it was; of one that was answered, what was asked for.
    let asked = json!({"openinference.span.kind": "LLM", "llm.invocation_parameters": "{\"model\": \"gpt-5.2\"}"});
    let failed = one(asked.clone());
    assert_eq!(
        (failed.requested_model.as_deref(), failed.responded_model, failed.parameters_hash),
        (Some("gpt-5.2"), None, None)
    );
    let mut answered = asked;
    answered["llm.model_name"] = json!("gpt-5.2-2026-02-01");
    let answered = one(answered);
    assert_eq!(
        (answered.requested_model.as_deref(), answered.responded_model.as_deref()),
        (Some("gpt-5.2"), Some("gpt-5.2-2026-02-01"))
    );

    let mut streamed = span(1, json!({"openinference.span.kind": "LLM", "llm.model_name": "m"}));
    let first =
        Event { name: "First Token Stream Event".to_owned(), time_unix_nano: START_NS + 999 + 95_000_000, ..Event::default() };
    streamed.events.push(first);
    let export = read(&request(json!({}), vec![streamed]), Keep::default()).unwrap();
    assert_eq!(records(&export)[0].time_to_first_token_ms, Some(95.0));
}

#[test]
fn openllmetry() {
    let said = json!({
        "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-5.2",
        "gen_ai.response.model": "gpt-5.2-2026-02-01", "gen_ai.response.id": "chatcmpl-1", "gen_ai.openai.system_fingerprint": "fp_1",
        "gen_ai.usage.prompt_tokens": 120, "gen_ai.usage.completion_tokens": 9, "gen_ai.usage.cache_read_input_tokens": 64,
        "gen_ai.usage.cache_creation_input_tokens": 8, "gen_ai.usage.reasoning_tokens": 7, "llm.usage.total_tokens": 129,
        "gen_ai.completion.0.finish_reason": "stop", "traceloop.association.properties.session_id": "s-1",
        "traceloop.prompt.key": "support.intent", "traceloop.prompt.version": 2, "traceloop.workflow.name": "answer",
    });
    assert_eq!(facts(&one(said)), without(expected(), &["service_tier", "time_to_first_token_ms"]));
    let older = one(json!({"llm.request.type": "completion", "llm.usage.prompt_tokens": 5, "llm.usage.completion_tokens": 6,
        "llm.response.stop_reason": "end_turn"}));
    assert_eq!(
        (older.operation.as_deref(), older.input_tokens, older.output_tokens),
        (Some("text_completion"), Some(5), Some(6))
    );
    assert_eq!(older.finish_reason.as_deref(), Some("stop"), "as when the SDK reads a reply");
}

#[test]
fn our_own_names_say_everything_and_win() {
    let digest = content_hash("digest");
    let id = "019de368-f600-7000-8000-000000000001";
    let mut said = json!({
        "promptops.invocation_id": id, "promptops.parent_invocation": id.replace("01", "02"), "promptops.agent": "router",
        "promptops.session": "s-2", "promptops.service": "helpdesk", "promptops.runtime": "lambda", "promptops.environment": "prod",
        "promptops.prompt_id": "support.other", "promptops.prompt_version": 3, "promptops.prompt_digest": digest,
        "promptops.arm": "candidate", "promptops.input_hash": digest, "promptops.parameters_hash": digest,
        "promptops.tools_hash": digest, "promptops.latency_ms": 7.5, "promptops.time_to_first_token_ms": 3.5,
        "promptops.cost_usd": 0.25, "promptops.price_table": "t", "promptops.label": "billing", "promptops.valid": true,
        "promptops.refusal": false, "promptops.output_length": 7, "promptops.stratum": "short", "promptops.source": "sdk",
        "promptops.scores.judge": -0.5,
    });
    said.as_object_mut().unwrap().extend(opentelemetry().as_object().unwrap().clone());
    let record = one(said);
    let wire = serde_json::to_value(promptops_telemetry::v1::InvocationV1::from(&record)).unwrap();
    assert_eq!(wire["invocation_id"], id);
    for (member, expected) in [
        ("parent_invocation", json!(id.replace("01", "02"))),
        ("agent", json!("router")),
        ("session", json!("s-2")),
        ("service", json!("helpdesk")),
        ("runtime", json!("lambda")),
        ("environment", json!("prod")),
        ("prompt_id", json!("support.other")),
        ("prompt_version", json!(3)),
        ("prompt_digest", json!(digest)),
        ("arm", json!("candidate")),
        ("input_hash", json!(digest)),
        ("parameters_hash", json!(digest)),
        ("tools_hash", json!(digest)),
        ("latency_ms", json!(7.5)),
        ("time_to_first_token_ms", json!(3.5)),
        ("cost_usd", json!(0.25)),
        ("price_table", json!("t")),
        ("label", json!("billing")),
        ("valid", json!(true)),
        ("refusal", json!(false)),
        ("output_length", json!(7)),
        ("stratum", json!("short")),
        ("source", json!("sdk")),
        ("scores", json!({"judge": -0.5})),
        ("requested_model", json!("gpt-5.2")),
    ] {
        assert_eq!(wire[member], expected, "{member}");
    }
}

#[test]
fn a_span_and_its_resource_say_the_rest() {
    let resource = json!({"service.name": "helpdesk", "deployment.environment": "staging", "cloud.platform": "aws_lambda"});
    let mut failed =
        span(1, json!({"gen_ai.operation.name": "chat", "gen_ai.request.temperature": 0, "gen_ai.request.max_tokens": 16}));
    failed.status = Some(SpanStatus { code: 2, message: "the key is sk-123".to_owned() });
    let Json::Object(exception) = json!({"exception.type": "openai.RateLimitError", "exception.message": "no"}) else {
        unreachable!()
    };
    failed.events.push(Event { name: "exception".to_owned(), attributes: attributes(&exception), ..Event::default() });
    let export = read(&request(resource, vec![failed.clone()]), Keep::default()).unwrap();
    let record = records(&export).remove(0);
    let line = std::str::from_utf8(export.received.lines()).unwrap();
    assert!(!line.contains("sk-123"), "what a message says may hold anything: {line}");
    assert_eq!(record.time.to_rfc3339(), "2026-05-01T12:00:00+00:00");
    assert_eq!(
        (record.latency_ms, record.status, record.error_type.as_deref()),
        (Some(412.5), Status::Error, Some("openai.RateLimitError"))
    );
    assert_eq!(record.trace_id.as_deref(), Some("07".repeat(16).as_str()));
    assert_eq!(record.span_id.as_deref(), Some("01".repeat(8).as_str()));
    assert_eq!(
        (record.service.as_deref(), record.environment.as_deref(), record.runtime.as_deref(), record.source.as_deref()),
        (Some("helpdesk"), Some("staging"), Some("lambda"), Some("the.instrumentation"))
    );
    assert_eq!(record.parameters_hash, Some(content_hash(r#"{"max_tokens":16,"temperature":0}"#)));
    assert_eq!(record.invocation_id.get_version_num(), 8);

    // The same span counts once, whatever it is sent with; others have ids of their own.
    let again =
        read(&request(json!({}), vec![failed.clone(), span(2, json!({"gen_ai.request.model": "m"}))]), Keep::default()).unwrap();
    let again = records(&again);
    assert_eq!(again[0].invocation_id, record.invocation_id);
    assert_ne!(again[1].invocation_id, record.invocation_id);
    let other = Span { trace_id: vec![8; 16], ..failed };
    let other = read(&request(json!({"service.name": "unknown_service:python"}), vec![other]), Keep::default()).unwrap();
    assert_ne!(records(&other)[0].invocation_id, record.invocation_id);
    assert_eq!(records(&other)[0].service, None, "what an SDK says that was told no name");
}

#[test]
fn results_of_evaluations_are_scores() {
    let mut judged = span(1, json!({"gen_ai.operation.name": "chat"}));
    for (name, score) in [(json!("relevance"), json!(0.75)), (json!("harm"), json!("high")), (Json::Null, json!(1))] {
        let Json::Object(said) = json!({"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": score}) else {
            unreachable!()
        };
        judged.events.push(Event {
            name: "gen_ai.evaluation.result".to_owned(),
            attributes: attributes(&said),
            ..Event::default()
        });
    }
    let export = read(&request(json!({}), vec![judged]), Keep::default()).unwrap();
    assert_eq!(records(&export)[0].scores, BTreeMap::from([("relevance".to_owned(), 0.75)]));
}

#[test]
fn spans_that_call_no_model_are_ignored() {
    let spans: Vec<Span> = [
        json!({}),
        json!({"http.route": "/"}),
        json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}),
        json!({"gen_ai.operation.name": "execute_tool"}),
        json!({"gen_ai.operation.name": "something_new"}),
        json!({"openinference.span.kind": "CHAIN", "llm.model_name": "m"}),
        json!({"openinference.span.kind": "RETRIEVER"}),
        json!({"openinference.span.kind": "LLM", "llm.system": "openai", "llm.invocation_parameters": "{}"}),
        json!({"traceloop.span.kind": "workflow", "gen_ai.request.model": "m"}),
        json!({"llm.request.type": "unknown"}),
        json!({"gen_ai.prompt.name": "support.intent"}),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, said)| span(u8::try_from(number).unwrap() + 1, said))
    .collect();
    let count = spans.len();
    let export = read(&request(json!({}), spans), Keep::default()).unwrap();
    assert_eq!((export.received.records(), export.ignored, export.rejected), (0, count, 0));
    for said in [
        json!({"gen_ai.operation.name": "something_new", "gen_ai.request.model": "m"}),
        json!({"gen_ai.request.model": "m"}),
        json!({"llm.request.type": "unknown", "gen_ai.response.model": "m"}),
        json!({"promptops.invocation_id": "019de368-f600-7000-8000-000000000001", "gen_ai.operation.name": "invoke_agent"}),
    ] {
        one(said);
    }
}

#[test]
fn a_call_within_a_call_names_it() {
    let child = |number, parent: u8, said| Span { parent_span_id: vec![parent; 8], ..span(number, said) };
    let call = || json!({"gen_ai.operation.name": "chat"});
    let tool = || json!({"gen_ai.operation.name": "execute_tool"});
    // Children end first, and are sent first. 1 is the call, 2 a tool that it asked for, 3 a call in that tool; 4 is in a span of
    // another request, 5 and 6 are in each other, and 7 is in itself.
    let spans = vec![
        child(3, 2, call()),
        child(2, 1, tool()),
        span(1, call()),
        child(4, 9, call()),
        child(5, 6, tool()),
        child(6, 5, call()),
        child(7, 7, call()),
        child(8, 5, call()),
    ];
    let export = read(&request(json!({}), spans), Keep::default()).unwrap();
    let records = records(&export);
    let by_span = |number: u8| records.iter().find(|record| record.span_id == Some(format!("{number:02x}").repeat(8))).unwrap();
    assert_eq!(by_span(3).parent_invocation, Some(by_span(1).invocation_id));
    assert_eq!(by_span(8).parent_invocation, Some(by_span(6).invocation_id));
    for number in [1, 4, 7] {
        assert_eq!(by_span(number).parent_invocation, None, "{number}");
    }
}

#[test]
fn content_is_kept_only_where_somebody_said_so() {
    let said = json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "My card is lost", "n": 1, "x": null}]}],
        "gen_ai.output.messages": "[{\"role\":\"assistant\"}]",
        "input.value": "other",
    });
    let request = request(json!({}), vec![span(1, said)]);
    let dropped = records(&read(&request, Keep::default()).unwrap()).remove(0);
    assert_eq!((dropped.input, dropped.output), (None, None));
    let kept = records(&read(&request, Keep { content: true }).unwrap()).remove(0);
    let input = r#"[{"role":"user","parts":[{"type":"text","content":"My card is lost","n":1,"x":null}]}]"#;
    assert_eq!(serde_json::from_str::<Json>(&kept.input.unwrap()).unwrap(), serde_json::from_str::<Json>(input).unwrap());
    assert_eq!(kept.output.as_deref(), Some(r#"[{"role":"assistant"}]"#));
}

/// Every row of the table by itself makes its member known, in the form that the row's convention writes.
#[test]
fn every_attribute_of_the_table_sets_its_member() {
    for (member, convention, attribute) in ATTRIBUTES {
        let value = match member {
            Member::PromptVersion | Member::InputTokens | Member::OutputTokens | Member::CachedTokens => json!(2),
            Member::CacheWriteTokens | Member::ReasoningTokens => json!(2),
            Member::TimeToFirstTokenMs | Member::CostUsd => json!(0.5),
            Member::ParametersHash => json!("{\"temperature\": 1}"),
            Member::Operation if *convention == Convention::OpenInference => json!("LLM"),
            _ => json!("chat"),
        };
        let mut said = json!({"promptops.invocation_id": "019de368-f600-7000-8000-000000000001"});
        said[*attribute] = value;
        let export = read(&request(json!({}), vec![span(1, said)]), Keep { content: true }).unwrap();
        let line: Json = serde_json::from_slice(export.received.lines()).unwrap();
        assert!(!line[member.name()].is_null(), "{attribute} does not set `{}`: {line}", member.name());
    }
}

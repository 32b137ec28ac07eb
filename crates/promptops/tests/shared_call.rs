//! A call that is shared: recorded once, when its block was left and its answer is over.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its own functions too")]

use std::fs;
use std::sync::{Arc, Mutex};

use promptops::{Invocation, Loader, Prompt, Settings, SharedCall, Sink, Status};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Keeps what is recorded, in the order it came.
#[derive(Default)]
struct Records(Mutex<Vec<Invocation>>);

impl Sink for Records {
    fn record(&self, invocation: &Invocation) {
        self.0.lock().unwrap().push(invocation.clone());
    }

    fn flush(&self) {}

    fn dropped(&self) -> u64 {
        0
    }
}

impl Records {
    fn take(&self) -> Vec<Invocation> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Fixture {
    prompt: Arc<Prompt>,
    records: Arc<Records>,
    loader: Loader,
    _folder: TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let prompt = "id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\noutput: {enum: [billing]}\ntemplate: Classify.\n";
    fs::write(folder.path().join("classify.yaml"), prompt).unwrap();
    let records = Arc::new(Records::default());
    let mut settings = Settings::new(folder.path(), Arc::new(|| "2026-05-01T12:00:00Z".parse().unwrap()));
    settings.folder = Some(".".into());
    settings.sinks = vec![Arc::clone(&records) as Arc<dyn Sink>];
    let loader = Loader::from_settings(&settings).unwrap();
    Fixture { prompt: loader.load("classify", None).unwrap(), records, loader, _folder: folder }
}

fn reply(text: &str) -> Value {
    json!({"choices": [{"finish_reason": "stop", "message": {"content": text}}], "usage": {"prompt_tokens": 3}})
}

fn events() -> [Value; 2] {
    [
        json!({"choices": [{"delta": {"content": "billing"}, "finish_reason": null}]}),
        json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}),
    ]
}

#[test]
fn a_stream_that_outlives_its_block_is_waited_for() {
    let Fixture { prompt, records, .. } = fixture();
    let call = SharedCall::new(prompt.invocation());
    assert!(call.begin_request(Some("other")).is_none(), "the first request is the call itself");
    call.begin_stream(&json!({"_request_id": "req_1"}));
    call.leave(None);
    for event in events() {
        assert!(records.take().is_empty());
        call.record_event(&event);
    }
    call.end_stream(None);
    call.end_stream(None);
    let [record] = &records.take()[..] else { unreachable!("one record") };
    assert_eq!((record.label.as_deref(), record.requested_model.as_deref()), (Some("billing"), Some("other")));
    assert!(record.time_to_first_token_ms.unwrap() <= record.latency_ms.unwrap());
    assert_eq!(call.request_id().as_deref(), Some("req_1"), "what was known stays readable");
    assert_eq!(call.read(|record| record.valid), Some(Some(true)));
}

#[test]
fn further_requests_are_calls_within_the_first() {
    let Fixture { prompt, records, .. } = fixture();
    let mut begun = prompt.invocation();
    begun.invocation_mut().session = Some("s".into());
    begun.invocation_mut().agent = Some("a".into());
    begun.invocation_mut().stratum = Some("de".into());
    begun.messages(&serde_json::Map::new()).unwrap();
    let call = SharedCall::new(begun);
    assert!(call.begin_request(None).is_none());
    call.record_reply(&reply("billing"));
    assert!(records.take().is_empty(), "the block may add to it");
    let further = call.begin_request(Some("m2")).unwrap();
    further.record_reply(&reply("refund"));
    let [second] = &records.take()[..] else { unreachable!("recorded with its answer") };
    call.leave(None);
    let late = call.begin_request(None).unwrap();
    late.record_error("timeout");
    let [first, third] = &records.take()[..] else { unreachable!("two records") };
    for inner in [second, third] {
        assert_eq!(inner.parent_invocation, Some(first.invocation_id));
        assert_eq!(
            (inner.session.as_deref(), inner.agent.as_deref(), inner.stratum.as_deref()),
            (Some("s"), Some("a"), Some("de"))
        );
        assert_eq!(inner.input_hash, first.input_hash);
        assert!(inner.input_hash.is_some());
    }
    assert_eq!((first.valid, second.valid), (Some(true), Some(false)));
    assert_eq!((second.requested_model.as_deref(), third.error_type.as_deref()), (Some("m2"), Some("timeout")));
}

#[test]
fn a_request_that_is_under_way_is_waited_for() {
    let Fixture { prompt, records, .. } = fixture();
    let call = SharedCall::new(prompt.invocation());
    assert!(call.begin_request(None).is_none());
    call.leave(None);
    assert!(records.take().is_empty());
    call.record_reply(&reply("billing"));
    assert_eq!(records.take().len(), 1);
    let call = SharedCall::new(prompt.invocation());
    assert!(call.begin_request(None).is_none());
    call.leave(None);
    drop(call);
    assert_eq!(records.take()[0].error_type.as_deref(), Some("unfinished"), "of what is let go, no answer comes");
}

#[test]
fn an_error_of_the_caller_does_not_undo_what_came() {
    let Fixture { prompt, records, .. } = fixture();
    let call = SharedCall::new(prompt.invocation());
    call.begin_stream(&Value::Null);
    call.record_event(&events()[0]);
    call.leave(Some("key_error"));
    let record = &records.take()[0];
    assert_eq!((record.status, record.error_type.as_deref(), record.output_length), (Status::Ok, None, Some(7)));
    assert_eq!((record.valid, record.finish_reason.as_deref()), (None, None), "half an answer is not judged");
}

#[test]
fn a_stream_that_breaks_is_an_error_with_what_came() {
    let Fixture { prompt, records, .. } = fixture();
    let call = SharedCall::new(prompt.invocation());
    call.begin_stream(&Value::Null);
    call.record_event(&events()[0]);
    call.end_stream(Some("connection"));
    call.leave(Some("connection"));
    let record = &records.take()[0];
    assert_eq!((record.status, record.error_type.as_deref()), (Status::Error, Some("connection")));
    assert_eq!((record.output_length, record.valid), (Some(7), None));
    assert!(record.time_to_first_token_ms.is_some());
}

#[test]
fn failures_outside_of_sinks_are_counted() {
    let Fixture { prompt, loader, .. } = fixture();
    let call = SharedCall::new(prompt.invocation());
    assert_eq!(loader.dropped(), 0);
    call.count_failure();
    assert_eq!(loader.dropped(), 1);
}

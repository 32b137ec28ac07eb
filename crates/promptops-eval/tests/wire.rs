//! The clients against the vendors' own: requests are accepted by what their clients declare, and replies are read as these
//! read them. Needs the Python environment of `cargo xtask test`, which has openai, anthropic and boto3.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt as _};
use promptops_eval::client::http::{AwsAccess, AwsKeySource, AwsKeys, Credential, HttpClient, Settings};
use promptops_eval::client::{Answer, Api, Call, ModelClient as _, decode};
use promptops_prompt::{Message, Role};
use serde_json::{Value, json};

/// The interpreter of the environment that the test runner made.
const PYTHON_VARIABLE: &str = "PROMPTOPS_TEST_PYTHON";

#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the interpreter is")]
fn python() -> Option<String> {
    let python = std::env::var(PYTHON_VARIABLE).ok().filter(|python| !python.is_empty());
    if python.is_none() {
        println!("skipped: the vendors' own clients: {PYTHON_VARIABLE} is not set");
    }
    python
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(name)
}

/// The server that stands for the vendors; ends with the test.
struct Vendors {
    child: Child,
    url: String,
}

impl Vendors {
    fn start(python: &str) -> Self {
        let mut child = Command::new(python).arg(script("vendors.py")).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Keys;

impl AwsKeySource for Keys {
    fn keys(&self) -> BoxFuture<'_, Result<AwsKeys, String>> {
        let keys = AwsKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: Some("token".into()),
        };
        std::future::ready(Ok(keys)).boxed()
    }
}

fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_115_200, 0).unwrap()
}

fn client(url: &str, api: Api, stream: bool) -> HttpClient {
    let credential = match api {
        Api::Bedrock => Credential::Aws(AwsAccess { region: "us-east-1".into(), keys: Arc::new(Keys), clock }),
        _ => Credential::Key("wire-test-credential".into()),
    };
    let url = if api == Api::Bedrock { url.to_owned() } else { format!("{url}/v1") };
    HttpClient::new(Settings { api, url, credential, timeout: Duration::from_secs(30), stream, api_version: None }).unwrap()
}

/// A call that uses all that is translated: roles, limits, stops, tools.
fn call(api: Api, kind: &str) -> Call {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    let mut parameters = json!({"max_tokens": 64, "tool_choice": "auto"});
    // Anthropic has done away with them.
    if api != Api::Anthropic {
        parameters["temperature"] = json!(0.5);
        parameters["top_p"] = json!(0.9);
    }
    if api != Api::OpenaiResponses {
        parameters["stop"] = json!(["END"]);
    } else {
        parameters["reasoning_effort"] = json!("low");
        let schema = json!({"name": "label", "schema": {"type": "object"}, "strict": false});
        parameters["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        parameters["tool_choice"] = json!("required");
    }
    let schema = json!({"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]});
    let function = json!({"name": "look_up", "description": "Looks an order up.", "parameters": schema});
    Call {
        model: if api == Api::Bedrock { format!("vendor.{kind}-v1:0") } else { format!("wire-{kind}") },
        messages: vec![
            message(Role::System, "Answer briefly."),
            message(Role::User, "Wo ist meine Rechnung? – \"Nr. 7\""),
            message(Role::Assistant, "Moment."),
            message(Role::User, "Bitte."),
        ],
        parameters: parameters.as_object().unwrap().clone(),
        tools: Some(json!([{"type": "function", "function": function}])),
    }
}

/// Writes an answer as `wire/clients.py` writes that of a vendor's client.
fn read(answer: &Answer) -> Value {
    let tools: Vec<Value> =
        answer.tool_calls.iter().map(|call| json!({"name": call.name, "arguments": call.arguments})).collect();
    let usage = answer.usage.unwrap();
    json!({
        "text": answer.text, "tools": tools, "model": answer.model, "fingerprint": answer.fingerprint,
        "finish_reason": answer.finish_reason, "input": usage.input, "output": usage.output,
        "cached_input": usage.cached_input, "cache_write": usage.cache_write, "reasoning": usage.reasoning,
    })
}

const APIS: [(&str, Api); 4] = [
    ("openai-chat", Api::OpenaiChat),
    ("openai-responses", Api::OpenaiResponses),
    ("anthropic", Api::Anthropic),
    ("bedrock", Api::Bedrock),
];

#[tokio::test]
async fn requests_are_accepted_and_replies_are_read_as_by_the_vendors_clients() {
    let Some(python) = python() else { return };
    let vendors = Vendors::start(&python);
    let output = Command::new(&python).arg(script("clients.py")).arg(&vendors.url).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut theirs: BTreeMap<(String, String, bool), Value> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        theirs.insert((text("api"), text("kind"), line["stream"].as_bool().unwrap()), line["read"].clone());
    }
    assert_eq!(theirs.len(), 24);
    for (name, api) in APIS {
        for kind in ["text", "tools", "refusal"] {
            for stream in [false, true] {
                let exchange = client(&vendors.url, api, stream).send(&call(api, kind)).await.unwrap();
                assert_eq!(exchange.status, 200, "{name} {kind}: {}", exchange.body);
                assert_eq!((exchange.is_stream, exchange.request_id.as_deref()), (stream, Some("req_1")));
                let ours = decode(&exchange).unwrap();
                let expected = &theirs[&(name.to_owned(), kind.to_owned(), stream)];
                assert_eq!(&read(&ours), expected, "{name} {kind} stream {stream}");
                let has_content = !(kind == "refusal" && matches!(api, Api::Anthropic | Api::OpenaiResponses));
                assert_eq!(ours.first_token_ms.is_some(), stream && has_content, "{name} {kind} stream {stream}");
            }
        }
    }
}

#[tokio::test]
async fn the_judge_refuses_what_a_vendor_would() {
    let Some(python) = python() else { return };
    let vendors = Vendors::start(&python);
    for (name, api) in APIS {
        let mut wrong = call(api, "text");
        // Of the wrong type, and at Anthropic none at all; passed on as it is.
        wrong.parameters.insert("temperature".into(), json!("hot"));
        let exchange = client(&vendors.url, api, false).send(&wrong).await.unwrap();
        assert_eq!(exchange.status, 400, "{name}: {}", exchange.body);
    }
    // Signed for another region.
    let access = AwsAccess { region: "eu-west-1".into(), keys: Arc::new(Keys), clock };
    let (url, timeout) = (vendors.url.clone(), Duration::from_secs(30));
    let settings =
        Settings { api: Api::Bedrock, url, credential: Credential::Aws(access), timeout, stream: false, api_version: None };
    let stranger = HttpClient::new(settings).unwrap();
    let exchange = stranger.send(&call(Api::Bedrock, "text")).await.unwrap();
    assert!(exchange.status == 400 && exchange.body.contains("the signature is not"), "{}", exchange.body);
}

/// The server of `wire/recorded.py`, and what it tells of each reply.
struct RecordedReplies {
    child: Child,
    url: String,
    replies: Vec<Value>,
}

impl RecordedReplies {
    fn start(python: &str) -> Self {
        // Kept beside what was built, so that pip fetches the vendors' files once.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vendors-source-distributions");
        let mut command = Command::new(python);
        command.arg(script("recorded.py")).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = format!("http://127.0.0.1:{}", lines.next().expect("recorded.py ended early").trim());
        let replies = lines.take_while(|line| line != "end").map(|line| serde_json::from_str(&line).unwrap()).collect();
        Self { child, url, replies }
    }
}

impl Drop for RecordedReplies {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compares all but the arguments of a tool that the limit of tokens cut off: here they stay the text that came, and the vendor's client
/// closes the brackets.
fn is_cut_short(ours: &Value, theirs: &mut Value) -> bool {
    let arguments = ours.pointer("/tools/0/arguments");
    if ours["finish_reason"] != "max_tokens" || !arguments.is_some_and(Value::is_string) {
        return false;
    }
    theirs["tools"][0]["arguments"] = ours["tools"][0]["arguments"].clone();
    ours == theirs
}

#[tokio::test]
async fn replies_that_the_vendors_recorded_are_read_as_by_their_clients() {
    let Some(python) = python() else { return };
    let recorded = RecordedReplies::start(&python);
    let apis = BTreeMap::from(APIS);
    let (mut read_alike, mut unread, mut different) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (number, reply) in recorded.replies.iter().enumerate() {
        let (name, stream) = (reply["api"].as_str().unwrap(), reply["stream"].as_bool().unwrap());
        let api = apis[name];
        let source = reply["source"].as_str().unwrap();
        let sent = client(&format!("{}/{number}", recorded.url), api, stream).send(&call(api, "text")).await;
        // Some of their files end before the message does. Their client takes what there is; to us it is no answer.
        if stream && !reply["body"].as_str().unwrap().contains("message_stop") {
            let error = sent.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("ended in the middle"), "{source}: {error}");
            unread.push(source);
            continue;
        }
        let exchange = sent.unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!((exchange.status, exchange.is_stream), (200, stream), "{source}");
        let ours = decode(&exchange);
        // The vendor's own client fails here too: there is no answer to compare with, and it must not end the run.
        let Some(expected) = reply.get("read") else {
            unread.push(source);
            continue;
        };
        let mut expected = expected.clone();
        match ours.map(|answer| read(&answer)) {
            Ok(ours) if is_cut_short(&ours, &mut expected) || ours == expected => {
                *read_alike.entry((name, stream)).or_insert(0) += 1
            }
            other => different.push(format!("{source}: {other:?} is not {expected}")),
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    // So many were there when this was written; fewer would mean that they are not found any more.
    for ((name, stream), least) in
        [(("anthropic", false), 18), (("anthropic", true), 24), (("openai-chat", false), 14), (("openai-responses", false), 1)]
    {
        assert!(read_alike.get(&(name, stream)).is_some_and(|count| *count >= least), "{name}, stream {stream}: {read_alike:?}");
    }
    assert!(unread.len() <= 1, "{unread:?}");
}

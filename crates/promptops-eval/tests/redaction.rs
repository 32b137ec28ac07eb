//! What providers and programs say when they fail reaches messages, reports and journals without what is to be redacted.

#![cfg(test)]

mod server;
mod setup;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt as _, ready};
use promptops_eval::EvalError;
use promptops_eval::client::command::{self, CommandClient};
use promptops_eval::client::http::{AwsAccess, AwsKeySource, AwsKeys, Credential, HttpClient, Settings};
use promptops_eval::client::{Api, Call, ClientError, ModelClient};
use promptops_eval::recording::{REDACTED, Recording, Redaction, Replay};
use promptops_prompt::{Message, Role};
use server::{Behaviour, Server, completion};
use setup::{Setup, subject};

const KEY: &str = "sk-live-planted/4711";
const MAIL: &str = "ada@example.com";

fn redaction() -> Redaction {
    Redaction::new(&[r"\S+@example\.com".to_owned()]).unwrap()
}

fn client(url: &str, api: Api, credential: Credential) -> HttpClient {
    let (url, timeout) = (url.to_owned(), Duration::from_secs(30));
    let settings = Settings { api, url, credential, timeout, stream: false, api_version: None };
    HttpClient::new(settings).unwrap().redacting(&redaction())
}

fn keyed(url: &str) -> HttpClient {
    client(url, Api::OpenaiChat, Credential::Key(KEY.into()))
}

fn call() -> Call {
    let messages = vec![Message { role: Role::User, content: "hello".into() }];
    Call { model: "m".into(), messages, parameters: serde_json::Map::new(), tools: None }
}

/// What a body may hold, in every way in which one writes it: as it is, in an address, in base64 of several beginnings.
fn planted() -> Vec<String> {
    let basic = STANDARD.encode(format!("user:{KEY}"));
    let token = URL_SAFE_NO_PAD.encode(format!("{{\"mail\":\"{MAIL}\"}}"));
    vec![KEY.to_owned(), KEY.replace('/', "%2F").replace('-', "%2D"), STANDARD.encode(KEY), basic, MAIL.to_owned(), token]
}

/// Asserts that a text holds no secret, nor a piece of one that would be worth something.
fn clean(text: &str, what: &str) {
    for secret in planted() {
        let pieces = secret.as_bytes().windows(8).map(|piece| std::str::from_utf8(piece).unwrap());
        for piece in pieces {
            assert!(!text.contains(piece), "{what}: `{piece}` of `{secret}` in {text}");
        }
    }
}

/// Every body in which a provider can put a text.
fn bodies(said: &str) -> Vec<(&'static str, String)> {
    let escaped = said.replace('/', "\\/").replace('@', "\\u0040");
    vec![
        ("text/html", format!("<html><p>Request was: Authorization: Bearer {said}</p></html>")),
        ("application/json", format!("{{\"error\": {{\"message\": \"denied to {escaped} here\"}}}}")),
        // The message is cut after 200 letters, in the middle of what is planted.
        ("text/plain", format!("{} {said} and more", "x".repeat(190))),
        ("application/json", format!("{{\"detail\": [{{\"{}\": \"{said}\"}}]}}", "y".repeat(170))),
        ("text/event-stream", format!("event: error\ndata: {{\"error\": {{\"message\": \"no {said}\"}}}}\n\n")),
    ]
}

#[tokio::test]
async fn whatever_the_status_nothing_planted_is_told() {
    for said in planted() {
        for (kind, body) in bodies(&said) {
            let server = Server::start(move |number, _| {
                let statuses = [200, 302, 400, 401, 403, 404, 418, 429, 500, 503];
                Behaviour::Answer(statuses[number], vec![("content-type", kind)], body.clone())
            })
            .await;
            let client = keyed(&server.url());
            for status in [200, 302, 400, 401, 403, 404, 418, 429, 500, 503] {
                let what = format!("{kind} with status {status}");
                match client.send(&call()).await {
                    // One that is recorded: its body is as clean as what is told of it.
                    Ok(exchange) => clean(&exchange.body, &what),
                    Err(error) => {
                        let told = error.to_string();
                        clean(&format!("{told} {error:?}"), &what);
                        assert!(told.contains(REDACTED) || told.contains(&REDACTED[..5]) || told.contains("…"), "{what}: {told}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn reports_recordings_and_journals_are_clean() {
    let folder = tempfile::tempdir().unwrap();
    for (number, said) in planted().into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.jsonl"));
        let recording = Recording::open(&path, Replay::Auto, redaction()).unwrap();
        let server = Server::start(move |_, received| {
            let message = received.last_message();
            let case: usize = message.rsplit(' ').next().unwrap().parse().unwrap();
            match case {
                3 => Behaviour::Answer(400, vec![("content-type", "application/json")], format!("{{\"error\": \"no {said}\"}}")),
                1 => Behaviour::Answer(500, vec![("content-type", "text/html")], format!("<p>got {said}")),
                5 => Behaviour::ok(completion(&format!("it is {said}"))),
                _ => Behaviour::ok(completion(if message.contains("invoice") { "billing" } else { "technical" })),
            }
        })
        .await;
        let (candidate, client) = (subject(2, "new", "m"), keyed(&server.url()));
        let journal = path.with_extension("journal");
        let evaluated = Setup::default().evaluate(Some(&client), &recording, &candidate, None).await.unwrap();
        let report = serde_json::to_string(&evaluated.0).unwrap();
        clean(&report, "the report");
        assert!(report.contains("<p>got [redacted]"), "{report}");
        assert_eq!(evaluated.0.errors.candidate, 2);
        let recorded = std::fs::read_to_string(&path).unwrap();
        clean(&recorded, "the recording");
        assert!(recorded.contains(&format!("it is {REDACTED}")), "{recorded}");
        assert!(!journal.exists());
        // What ends a run is told at once, and nothing else.
        let refusing = Server::start(|_, _| Behaviour::Answer(401, vec![], format!("<p>bad key {KEY} of {MAIL}"))).await;
        let error = Setup::default().evaluate(Some(&keyed(&refusing.url())), &recording, &subject(3, "other", "m"), None).await;
        let Err(EvalError::Client { source, .. }) = error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), "the provider refuses the key (status 401): `<p>bad key [redacted] of [redacted]`");
    }
}

#[tokio::test]
async fn what_was_recorded_before_there_was_a_pattern_is_not_told_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.jsonl");
    let page = format!("<p>{} {MAIL}", "x".repeat(190));
    let server = Server::start(move |_, _| Behaviour::Answer(400, vec![], page.clone())).await;
    let old = Recording::open(&path, Replay::Auto, Redaction::default()).unwrap();
    let candidate = subject(2, "new", "m");
    Setup::default().evaluate(Some(&setup::client(&server.url())), &old, &candidate, None).await.unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains(MAIL));
    drop(old);
    let replayed = Recording::open(&path, Replay::Only, redaction()).unwrap();
    let report = Setup::default().evaluate(None, &replayed, &candidate, None).await.unwrap().0;
    clean(&serde_json::to_string(&report).unwrap(), "the replayed report");
    assert_eq!(report.errors.candidate, 60);
}

/// Keys of AWS that end.
struct Temporary;

impl AwsKeySource for Temporary {
    fn keys(&self) -> BoxFuture<'_, Result<AwsKeys, String>> {
        let (access_key_id, secret_access_key) = ("AKIDEXAMPLE".to_owned(), "wJalr/planted/secret".to_owned());
        ready(Ok(AwsKeys { access_key_id, secret_access_key, session_token: Some(KEY.to_owned()) })).boxed()
    }
}

fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_115_200, 0).unwrap()
}

#[tokio::test]
async fn what_aws_says_of_a_wrong_signature_has_no_token_in_it() {
    // As AWS does: it repeats the request that it expected to be signed, with all its headers.
    let server = Server::start(|_, _| {
        let message =
            format!("The Canonical String should have been 'POST\\nx-amz-security-token:{KEY}\\n\\nhost' wJalr/planted/secret");
        Behaviour::Answer(403, vec![("content-type", "application/json")], format!("{{\"message\": \"{message}\"}}"))
    })
    .await;
    let access = AwsAccess { region: "us-east-1".into(), keys: Arc::new(Temporary), clock };
    let url = server.url().trim_end_matches("/v1").to_owned();
    let error = client(&url, Api::Bedrock, Credential::Aws(access)).send(&call()).await.unwrap_err();
    assert!(matches!(error, ClientError::Auth { status: 403, .. }), "{error}");
    let told = error.to_string();
    clean(&told, "a wrong signature");
    assert!(told.contains("x-amz-security-token:[redacted]") && told.ends_with("[redacted]`"), "{told}");
}

#[tokio::test]
async fn a_password_in_the_address_is_not_told_by_who_was_sent_it() {
    let server = Server::start(|_, received| {
        let sent = received.authorization.clone().unwrap();
        Behaviour::Answer(503, vec![], format!("upstream got {sent}"))
    })
    .await;
    let url = server.url().replace("http://", "http://someone:planted-password@");
    let error = client(&url, Api::OpenaiChat, Credential::None).send(&call()).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider failed (status 503): `upstream got Basic [redacted]`");
}

#[cfg(unix)]
#[tokio::test]
async fn what_programs_complain_of_is_clean() {
    let folder = tempfile::tempdir().unwrap();
    let held = redaction().and_secret(KEY);
    for said in planted() {
        let scripts = [
            format!("echo 'key {said} is wrong' >&2; exit 3"),
            format!("echo '{} {said} is wrong' >&2; exit 3", "x".repeat(190)),
            format!("echo 'oops: {said}'"),
            format!("echo '{} {said}'", "x".repeat(70)),
            format!("echo '{{\"note\": \"{said}\", \"{said}\": 1}}'"),
        ];
        for script in scripts {
            let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
            let settings = command::Settings { command, directory: "/".into(), timeout: Duration::from_secs(30) };
            let model = CommandClient::new(settings).unwrap().redacting(&held);
            clean(&model.send(&call()).await.unwrap_err().to_string(), "a model that is a program");
            let said = scored(&script, folder.path(), &held).await;
            clean(&said, "a scorer that is a program");
            assert!(said.contains(REDACTED) || said.contains('…'), "{said}");
        }
        let note = scored(&format!("echo '{{\"score\": 0, \"note\": \"see {said}\"}}'"), folder.path(), &held).await;
        assert!(note.contains(&format!("see {REDACTED}")), "{note}");
    }
}

/// Returns what the report says when a program judges.
#[cfg(unix)]
async fn scored(script: &str, folder: &Path, redaction: &Redaction) -> String {
    let script = serde_json::Value::from(script);
    let text = format!(
        "prompt: support.intent\ndataset: intents.csv\ncase: id\nmust_pass: critical\nmetrics:\n  - name: judged\n    margin: 0.1\n    \
         scorer: {{type: command, command: [sh, -c, {script}]}}\n"
    );
    let setup = Setup { text, folder: "/".into(), cases: 2, redaction: redaction.clone(), ..Setup::default() };
    let server = setup::labelling(|_, _| false).await;
    let client = setup::client(&server.url());
    let recording = setup::off(folder);
    let (report, _) = setup.evaluate(Some(&client), &recording, &subject(2, "new", "m"), None).await.unwrap();
    serde_json::to_string(&report).unwrap()
}

//! A program in the place of a model: it reads a call from its standard input and writes an answer to its standard output.
//!
//! In: `{"model": …, "messages": [{"role": …, "content": …}], "parameters": {…}, "tools": …}`. Out: `{"text": …}`, and whatever
//! it knows of `tool_calls` (each with `name` and `arguments`), `model`, `finish_reason` and `usage` (`input`, `output`,
//! `cached_input`, `cache_write`, `reasoning`).

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::Instant;

use super::http::MAX_BODY_BYTES;
use super::refusal::excerpt;
use super::{Answer, Api, Call, ClientError, Exchange, ModelClient, ToolCall, Usage, decode};

/// The most that is read of what a program says on its standard error.
const MAX_COMPLAINT_BYTES: u64 = 64 << 10;
/// How long a program that has ended is listened to.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Which program to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it is started.
    pub directory: PathBuf,
    /// Time for one call.
    pub timeout: Duration,
}

/// Starts the program anew for every call. It is ended when its time is over.
#[derive(Debug)]
pub struct CommandClient {
    settings: Settings,
}

impl CommandClient {
    /// Prepares a client; nothing is started yet.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the command names no program.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        if settings.command.first().is_none_or(String::is_empty) {
            return Err(ClientError::Unreachable { url: String::new(), message: "the command names no program".to_owned() });
        }
        Ok(Self { settings })
    }

    async fn exchange(&self, call: &Call) -> Result<Exchange, ClientError> {
        let started = Instant::now();
        let Settings { command, directory, timeout } = &self.settings;
        let child = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| ClientError::Unreachable { url: command[0].clone(), message: error.to_string() })?;
        let input = call.to_json().to_string();
        let body = match tokio::time::timeout(*timeout, converse(child, input.into_bytes())).await {
            Ok(body) => body?,
            Err(_) => return Err(ClientError::Timeout { after: *timeout }),
        };
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let exchange = Exchange::document(Api::Command, 200, body, latency_ms);
        decode(&exchange).map(|_| exchange)
    }
}

impl ModelClient for CommandClient {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
        self.exchange(call).boxed()
    }
}

/// Hands the input over and reads what comes back, all at once: a program that fills one pipe while we wait at another would
/// never end.
async fn converse(mut child: Child, input: Vec<u8>) -> Result<String, ClientError> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(ClientError::Command("it has no pipes".to_owned()));
    };
    let failed = |error: io::Error| ClientError::Command(error.to_string());
    let write = async {
        match stdin.write_all(&input).await {
            // A program need not read what it does not use.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other.map_err(failed)?,
        }
        drop(stdin);
        Ok(())
    };
    // Read on the side, so that a program that complains at length can end.
    let listening = tokio::spawn(listen(stderr));
    let mut output = Vec::new();
    let read = async {
        let length = stdout.take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut output).await.map_err(failed)?;
        // Whoever writes without an end may never read what we write.
        let is_too_long = length > MAX_BODY_BYTES;
        let too_long = || ClientError::Malformed(format!("the answer is larger than {MAX_BODY_BYTES} bytes"));
        if is_too_long { Err(too_long()) } else { Ok(()) }
    };
    tokio::try_join!(write, read)?;
    let status = child.wait().await.map_err(failed)?;
    if !status.success() {
        // What it started may keep its standard error open for ever.
        let said = tokio::time::timeout(LAST_WORDS, listening).await.ok().and_then(Result::ok).unwrap_or_default();
        let said = if said.trim().is_empty() { String::new() } else { format!(": {}", excerpt(&said)) };
        return Err(ClientError::Command(format!("it ended with {status}{said}")));
    }
    String::from_utf8(output).map_err(|_| ClientError::Malformed("the answer is not UTF-8".to_owned()))
}

/// Returns the beginning of what a program says on its standard error; the rest is read and dropped.
async fn listen(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    // What cannot be read was not said.
    let _ = (&mut stderr).take(MAX_COMPLAINT_BYTES).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Reads the answer out of a document; an error says what the document does.
pub(super) fn answer(json: &Value) -> Result<Answer, &'static str> {
    let text = match (json.get("text"), json.get("tool_calls")) {
        (Some(Value::String(text)), _) => text.clone(),
        (None | Some(Value::Null), Some(Value::Array(_))) => String::new(),
        _ => return Err("has no `text`"),
    };
    let string = |name: &str| json[name].as_str().map(str::to_owned);
    let tool_calls = json["tool_calls"].as_array().into_iter().flatten().map(|call| ToolCall {
        name: call["name"].as_str().unwrap_or_default().to_owned(),
        arguments: call["arguments"].clone(),
    });
    Ok(Answer {
        text,
        tool_calls: tool_calls.collect(),
        model: string("model").unwrap_or_default(),
        fingerprint: string("fingerprint"),
        finish_reason: string("finish_reason"),
        usage: json.get("usage").filter(|usage| usage.is_object()).map(usage),
        ..Answer::default()
    })
}

/// Writes an answer as a program would.
pub(super) fn document(answer: &Answer) -> Value {
    let calls = answer.tool_calls.iter().map(|call| json!({"name": call.name, "arguments": call.arguments}));
    json!({
        "text": answer.text,
        "tool_calls": calls.collect::<Vec<_>>(),
        "model": answer.model,
        "fingerprint": answer.fingerprint,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage,
    })
}

fn usage(json: &Value) -> Usage {
    let number = |name: &str| json[name].as_u64().unwrap_or(0);
    Usage {
        input: number("input"),
        output: number("output"),
        cached_input: number("cached_input"),
        cache_write: number("cache_write"),
        reasoning: number("reasoning"),
    }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::{Message, Role};
    use serde_json::Map;

    use super::*;

    #[test]
    fn what_a_program_knows_is_taken_over() {
        let call = json!({"name": "f", "arguments": {"a": 1}});
        let document = json!({"text": "hi", "model": "mine", "usage": {"input": 3, "output": 2}, "tool_calls": [call]});
        let answer = answer(&document).unwrap();
        assert_eq!((answer.text.as_str(), answer.model.as_str()), ("hi", "mine"));
        assert_eq!(answer.usage, Some(Usage { input: 3, output: 2, ..Usage::default() }));
        assert_eq!(answer.tool_calls, [ToolCall { name: "f".into(), arguments: json!({"a": 1}) }]);
        assert_eq!(super::answer(&super::document(&answer)), Ok(answer));
        assert!(super::answer(&json!({"output": "hi"})).is_err());
        assert!(super::answer(&json!("hi")).is_err());
    }

    #[cfg(unix)]
    mod started {
        use super::*;

        async fn ask(script: &str, timeout: Duration) -> Result<Answer, ClientError> {
            let command = ["sh", "-c", script].map(str::to_owned).to_vec();
            let client = CommandClient::new(Settings { command, directory: "/".into(), timeout }).unwrap();
            let messages = vec![Message { role: Role::User, content: "x".repeat(200_000) }];
            let call = Call { model: "m".into(), messages, parameters: Map::new(), tools: None };
            client.send(&call).await.and_then(|exchange| decode(&exchange))
        }

        const LONG: Duration = Duration::from_secs(60);

        #[tokio::test]
        async fn a_program_answers_what_it_was_asked() {
            let answer = ask(r#"printf '{"text": "%s"}' "$(wc -c)""#, LONG).await.unwrap();
            assert!(answer.text.trim().parse::<usize>().unwrap() > 200_000);
            // One that reads nothing and fills its standard error answers as well.
            let answer = ask(r#"head -c 1000000 /dev/zero >&2; echo '{"text": "hi"}'"#, LONG).await.unwrap();
            assert_eq!(answer.text, "hi");
        }

        #[tokio::test]
        async fn a_program_that_misbehaves_is_an_error_of_its_kind() {
            let failed = ask("echo 'no such file' >&2; exit 3", LONG).await.unwrap_err();
            assert_eq!(failed.to_string(), "the program failed: it ended with exit status: 3: `no such file`");
            assert!(failed.class().is_outside());
            let hung = ask("exec sleep 600", Duration::from_millis(50)).await.unwrap_err();
            assert!(matches!(hung, ClientError::Timeout { .. }), "{hung}");
            let endless = ask("exec cat /dev/zero", LONG).await.unwrap_err();
            assert!(endless.to_string().contains("larger than"), "{endless}");
            let nonsense = ask("echo hello", LONG).await.unwrap_err();
            assert_eq!(nonsense.to_string(), "the answer cannot be read: it is not JSON: `hello`");
        }

        #[tokio::test]
        async fn a_program_that_is_not_there_ends_the_run() {
            let settings = Settings { command: vec!["no-such-program".into()], directory: "/".into(), timeout: LONG };
            let call = Call { model: "m".into(), messages: vec![], parameters: Map::new(), tools: None };
            let error = CommandClient::new(settings).unwrap().send(&call).await.unwrap_err();
            assert!(error.class().is_fatal(), "{error}");
        }
    }
}

//! A program in the place of a model: it reads a call from its standard input and writes an answer to its standard output.
//!
//! In: `{"model": …, "messages": [{"role": …, "content": …}], "parameters": {…}, "tools": …}`. Out: `{"text": …}`, and whatever
//! it knows of `tool_calls` (each with `name` and `arguments`), `model`, `finish_reason` and `usage` (`input`, `output`,
//! `cached_input`, `cache_write`, `reasoning`).

use std::path::PathBuf;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::http::MAX_BODY_BYTES;
use super::refusal::excerpt;
use super::{Answer, Api, Call, ClientError, Exchange, ModelClient, ToolCall, Usage, decode};
use crate::program::{Program, ProgramError};
use crate::recording::Redaction;

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

/// Starts the program anew for every call. When its time is over it is ended, with all that it started.
#[derive(Debug)]
pub struct CommandClient {
    settings: Settings,
    redaction: Redaction,
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
        Ok(Self { settings, redaction: Redaction::default() })
    }

    /// Blots this out of what the program writes, on its standard error as well, before anything is told about it.
    #[must_use]
    pub fn redacting(mut self, redaction: &Redaction) -> Self {
        self.redaction = self.redaction.and(redaction);
        self
    }

    async fn exchange(&self, call: &Call) -> Result<Exchange, ClientError> {
        let started = Instant::now();
        let Settings { command, directory, timeout } = self.settings.clone();
        let program = Program { command, directory, timeout, max_output_bytes: MAX_BODY_BYTES };
        let input = call.to_json().to_string();
        let body = program.run(input.as_bytes()).await.map_err(|error| self.failure(error))?;
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut exchange = Exchange::document(Api::Command, 200, body, latency_ms);
        self.redaction.apply(&mut exchange);
        match decode(&exchange) {
            Ok(_) => Ok(exchange),
            Err(error) => Err(error.redacted(&self.redaction)),
        }
    }

    fn failure(&self, error: ProgramError) -> ClientError {
        match error.redacted(&self.redaction) {
            ProgramError::Start(error) => {
                ClientError::Unreachable { url: self.settings.command[0].clone(), message: error.to_string() }
            }
            ProgramError::Timeout(after) => ClientError::Timeout { after },
            ProgramError::TooMuch(most) => ClientError::Malformed(format!("the answer is larger than {most} bytes")),
            ProgramError::NoText => ClientError::Malformed("the answer is not UTF-8".to_owned()),
            ProgramError::Failed { status, stderr } => {
                let said = if stderr.trim().is_empty() { String::new() } else { format!(": {}", excerpt(&stderr)) };
                ClientError::Command(format!("it ended with {status}{said}"))
            }
            ProgramError::Pipe(error) => ClientError::Command(error.to_string()),
        }
    }
}

impl ModelClient for CommandClient {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
        self.exchange(call).boxed()
    }
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

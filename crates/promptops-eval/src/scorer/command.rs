//! `command`: a program judges the answer.

use std::path::Path;
use std::time::Duration;

use futures::FutureExt as _;
use promptops_prompt::Digest;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass, excerpt};
use crate::program::Program;
use crate::recording::Redaction;
use crate::spec::fields::Fields;

/// The most that a program may write about one answer.
const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// Seconds that a program may take unless the eval file says otherwise.
const TIMEOUT_SECONDS: f64 = 30.0;
/// Programs that run at the same time: each takes a processor, however many answers are under way.
const MAX_RUNNING: usize = 8;
/// The largest file of a command whose content enters the description.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Grades an answer by what a program says about it, which is started anew for every answer, beside the eval file.
///
/// In, as JSON: `answer`, `case`, `values` (the row), `messages`, `model`, `finish_reason`, `tool_calls`, `usage`, `latency_ms`,
/// `cost_usd`, `repeat`. Out, as JSON: `score` from 0 to 1, `passed`, or both, and `note`. A program that fails, runs longer than
/// `timeout` seconds or writes anything else judges nothing; it is ended with all that it started.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandSettings {
    command: Vec<String>,
    timeout: Duration,
}

impl CommandSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let command = fields.required("command").and_then(|_| fields.texts("command"));
        let timeout = fields.number("timeout");
        if let Some(timeout) = timeout.as_ref().filter(|timeout| !(0.001..=3600.0).contains(&timeout.value)) {
            let message = format!("`timeout` is a number of seconds up to 3600, not {}", timeout.value);
            fields.findings.error(timeout.span.clone(), message);
            return None;
        }
        let timeout = Duration::from_secs_f64(timeout.map_or(TIMEOUT_SECONDS, |timeout| timeout.value));
        Some(Self { command: command?, timeout })
    }
}

impl Settings for CommandSettings {
    fn grading(&self) -> Grading {
        Grading::Share
    }

    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let directory = building.folder.to_owned();
        let files = files(&self.command, &directory)?;
        let (command, timeout) = (self.command.clone(), self.timeout);
        let program = Program { command, directory, timeout, max_output_bytes: MAX_OUTPUT_BYTES };
        let redaction = building.redaction.clone();
        Ok(Box::new(CommandScorer { program, files, redaction, running: Semaphore::new(MAX_RUNNING) }))
    }
}

/// Returns the digests of the files that a command names: a changed script is another scorer.
fn files(command: &[String], directory: &Path) -> Result<Vec<(String, Digest)>, String> {
    let mut files = Vec::new();
    for word in command {
        let path = directory.join(word);
        if !path.metadata().is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE_BYTES) {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| format!("`{word}` cannot be read: {error}"))?;
        files.push((word.clone(), Digest::of(&bytes)));
    }
    Ok(files)
}

#[derive(Debug)]
struct CommandScorer {
    program: Program,
    files: Vec<(String, Digest)>,
    redaction: Redaction,
    running: Semaphore,
}

/// What a program writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    score: Option<f64>,
    passed: Option<bool>,
    note: Option<String>,
}

impl CommandScorer {
    async fn judge(&self, judged: &Judged<'_>) -> Result<Score, Unjudged> {
        let unjudged = |message: String| Unjudged {
            class: UnjudgedClass::Program,
            message: format!("the program `{}` gave no verdict: {message}", self.program.command[0]),
        };
        let _permit = self.running.acquire().await.map_err(|error| unjudged(error.to_string()))?;
        let input = input(judged).to_string();
        let output = self.program.run(input.as_bytes()).await;
        let output = output.map_err(|error| unjudged(error.redacted(&self.redaction).to_string()))?;
        let wrote = || format!("it wrote `{}`", excerpt(&self.redaction.text(&output)));
        let verdict: Verdict = serde_json::from_str(output.trim())
            .map_err(|error| unjudged(format!("{}, which is no score: {}", wrote(), self.redaction.text(&error.to_string()))))?;
        let note = verdict.note.map(|note| self.redaction.text(&note).into_owned());
        match (verdict.score, verdict.passed) {
            (Some(score), _) if !(0.0..=1.0).contains(&score) => {
                Err(unjudged(format!("{}; a `score` lies from 0 to 1", wrote())))
            }
            (Some(value), passed) => Ok(Score { value, passed: passed.unwrap_or(value >= 0.5), note, classified: None }),
            (None, Some(passed)) => Ok(Score { note, ..if passed { Score::pass() } else { Score::fail("") } }),
            (None, None) => Err(unjudged(format!("{}, without `score` and `passed`", wrote()))),
        }
    }
}

fn input(judged: &Judged<'_>) -> Value {
    let answer = judged.answer;
    let calls = answer.tool_calls.iter().map(|call| json!({"name": call.name, "arguments": call.arguments}));
    json!({
        "answer": answer.text,
        "case": judged.case.head.name,
        "values": judged.case.values,
        "messages": judged.call.messages,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "tool_calls": calls.collect::<Vec<_>>(),
        "usage": answer.usage,
        "latency_ms": answer.latency_ms,
        "cost_usd": judged.cost_usd,
        "repeat": judged.repeat,
    })
}

impl Scorer for CommandScorer {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        Judgement::Pending(self.judge(judged).boxed())
    }

    fn describe(&self) -> Value {
        json!({"type": "command", "command": self.program.command, "files": self.files})
    }

    fn runs_program(&self) -> bool {
        true
    }
}

#[cfg(all(test, unix))]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, scorer_in, settle};
    use crate::scorer::{Score, Unjudged, UnjudgedClass};

    /// Judges the answer `hello` with a shell script.
    async fn judge(script: &str, more: &str) -> Result<Score, Unjudged> {
        let text = format!("{{type: command, command: [sh, -c, {}]{more}}}", json!(script));
        let folder = tempfile::tempdir().unwrap();
        let scorer = scorer_in(&text, folder.path()).unwrap();
        settle(scorer.as_ref(), &answer("hello"), &case(json!({"want": "hello"}))).await
    }

    #[tokio::test]
    async fn a_program_sees_the_case_and_gives_a_score() {
        let script = r#"input=$(cat); case "$input" in *'"answer":"hello"'*'"values":{"want":"hello"}'*) echo '{"score": 0.75, "note": "seen"}';; esac"#;
        let score = judge(script, "").await.unwrap();
        assert_eq!((score.value, score.passed, score.note.as_deref()), (0.75, true, Some("seen")));
        assert!(!judge(r#"echo '{"passed": false}'"#, "").await.unwrap().passed);
        assert!(judge(r#"echo '{"score": 0.2, "passed": true}'"#, "").await.unwrap().passed);
        assert_eq!(judge(r#"echo '{"score": 0.2}'"#, ", threshold: 0.5, not: true").await.unwrap().value, 1.0);
    }

    #[tokio::test]
    async fn what_is_no_verdict_is_an_error_and_says_why() {
        let cases = [
            ("echo good", "it wrote `good`, which is no score: expected value at line 1 column 1"),
            (r#"echo '{"score": 7}'"#, "it wrote `{\"score\": 7}`; a `score` lies from 0 to 1"),
            ("echo '{}'", "it wrote `{}`, without `score` and `passed`"),
            ("echo oops >&2; exit 1", "it ended with exit status: 1 and said `oops`"),
            ("cat /dev/zero", "it was ended because it wrote more than 1048576 bytes"),
        ];
        for (script, expected) in cases {
            let unjudged = judge(script, "").await.unwrap_err();
            assert_eq!(unjudged.class, UnjudgedClass::Program);
            assert_eq!(unjudged.message, format!("the program `sh` gave no verdict: {expected}"));
        }
        let hung = judge("sleep 600", ", timeout: 0.2").await.unwrap_err();
        assert_eq!(hung.message, "the program `sh` gave no verdict: it was ended after 200 ms");
        // Neither does turning it around make a verdict of it.
        assert!(judge("exit 1", ", not: true").await.is_err());
    }

    #[test]
    fn a_changed_script_is_another_scorer() {
        let folder = tempfile::tempdir().unwrap();
        let describe = |script: &str| {
            std::fs::write(folder.path().join("score.sh"), script).unwrap();
            scorer_in("{type: command, command: [sh, score.sh]}", folder.path()).unwrap().describe()
        };
        assert_eq!(describe("a"), describe("a"));
        assert_ne!(describe("a"), describe("b"));
    }

    #[test]
    fn a_command_names_a_program() {
        let refused = |text: &str| scorer_in(text, std::path::Path::new("/")).unwrap_err();
        assert_eq!(refused("{type: command}"), "the scorer lacks `command`");
        assert_eq!(refused("{type: command, command: []}"), "`command` is empty");
        assert_eq!(refused("{type: command, command: [x], timeout: 0}"), "`timeout` is a number of seconds up to 3600, not 0");
    }
}

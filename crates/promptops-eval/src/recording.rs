//! Record and replay: answers kept in a file, so that a run needs neither network nor key.
//!
//! One JSON Lines file per eval, sorted by request and repeat: equal answers give equal bytes, and changes merge in Git. A
//! line holds the digest of the request, the status, the body and the latency. The request itself, its headers and the key
//! are never written.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use promptops_prompt::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Api, Exchange};
use crate::error::EvalError;

/// When recorded answers are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Never, and nothing is recorded.
    Off,
    /// Where there are some; the others are asked for and recorded.
    Auto,
    /// Always; a missing one is an error, and nothing is sent.
    Only,
}

/// Names one answer: the digest of the call and the number of the repeat, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The digest of the call.
    pub request: Digest,
    /// Which of several answers to the same call, from 0.
    pub repeat: u32,
}

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    request: Digest,
    repeat: u32,
    api: Api,
    status: u16,
    #[serde(default, skip_serializing_if = "is_false")]
    stream: bool,
    latency_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The body as JSON, or as text where it is none (or is a JSON string, which would look like text).
    body: Value,
}

impl Line {
    fn new(key: Key, exchange: &Exchange) -> Self {
        let parsed = serde_json::from_str(&exchange.body).ok().filter(|value: &Value| !value.is_string());
        let body = parsed.unwrap_or_else(|| Value::String(exchange.body.clone()));
        Self {
            request: key.request,
            repeat: key.repeat,
            api: exchange.api,
            status: exchange.status,
            stream: exchange.is_stream,
            latency_ms: exchange.latency_ms,
            first_token_ms: exchange.first_token_ms,
            request_id: exchange.request_id.clone(),
            body,
        }
    }

    fn into_entry(self) -> (Key, Exchange) {
        let body = match self.body {
            Value::String(text) => text,
            json => json.to_string(),
        };
        let key = Key { request: self.request, repeat: self.repeat };
        let exchange = Exchange {
            api: self.api,
            status: self.status,
            body,
            is_stream: self.stream,
            latency_ms: self.latency_ms,
            first_token_ms: self.first_token_ms,
            request_id: self.request_id,
            hold: None,
        };
        (key, exchange)
    }
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The recorded answers of one eval.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    mode: Replay,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Exchange>,
    is_changed: bool,
}

/// Returns where the answers of the eval at `spec` are recorded: `recordings/<name>.jsonl` beside it.
pub fn path_for(spec: &Path) -> PathBuf {
    let name = spec.file_stem().unwrap_or_default().to_string_lossy();
    spec.with_file_name("recordings").join(format!("{name}.jsonl"))
}

impl Recording {
    /// Reads the answers at `path`; a file that does not exist holds none. Reads nothing in [`Replay::Off`].
    ///
    /// # Errors
    /// [`EvalError::RecordingFile`], [`EvalError::CorruptRecording`].
    pub fn open(path: &Path, mode: Replay) -> Result<Self, EvalError> {
        let entries = if mode == Replay::Off { BTreeMap::new() } else { read(path)? };
        Ok(Self { path: path.to_owned(), mode, state: Mutex::new(State { entries, is_changed: false }) })
    }

    /// Returns when recorded answers are used.
    pub fn mode(&self) -> Replay {
        self.mode
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a recorded answer.
    pub fn get(&self, key: &Key) -> Option<Exchange> {
        self.state().entries.get(key).cloned()
    }

    /// Keeps an answer until [`Recording::save`]; does nothing unless the mode is [`Replay::Auto`].
    pub fn put(&self, key: Key, exchange: Exchange) {
        if self.mode == Replay::Auto {
            let mut state = self.state();
            state.entries.insert(key, exchange);
            state.is_changed = true;
        }
    }

    /// Writes the file if anything was added. Atomic: the file holds either all the old answers or all the new ones.
    ///
    /// # Errors
    /// [`EvalError::RecordingFile`].
    pub fn save(&self) -> Result<(), EvalError> {
        let mut state = self.state();
        if state.is_changed {
            write(&self.path, &state.entries).map_err(|source| self.failure("write", source))?;
            state.is_changed = false;
        }
        Ok(())
    }

    fn failure(&self, action: &'static str, source: std::io::Error) -> EvalError {
        EvalError::RecordingFile { action, path: self.path.clone(), source }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the map half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<BTreeMap<Key, Exchange>, EvalError> {
    let failure = |source| EvalError::RecordingFile { action: "read", path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failure(error)),
    };
    let mut entries = BTreeMap::new();
    for (index, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(failure)?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line: Line = serde_json::from_slice(&line).map_err(|error| EvalError::CorruptRecording {
            path: path.to_owned(),
            line: index + 1,
            message: error.to_string(),
        })?;
        let (key, exchange) = line.into_entry();
        // After a merge of two branches both may have recorded the same call: the first stays.
        entries.entry(key).or_insert(exchange);
    }
    Ok(entries)
}

fn write(path: &Path, entries: &BTreeMap<Key, Exchange>) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    // Readable like any other file of the repository; the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".recording-").tempfile_in(folder)?;
    let mut writer = BufWriter::new(file.as_file_mut());
    for (key, exchange) in entries {
        serde_json::to_writer(&mut writer, &Line::new(*key, exchange))?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    drop(writer);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, repeat: u32) -> Key {
        Key { request: Digest::of(text.as_bytes()), repeat }
    }

    fn exchange(body: &str) -> Exchange {
        Exchange::document(Api::OpenaiChat, 200, body, 3)
    }

    #[test]
    fn the_order_of_recording_does_not_show_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for (name, order) in [("a", [0, 1, 2]), ("b", [2, 0, 1])] {
            let path = folder.path().join("recordings").join(name);
            let recording = Recording::open(&path, Replay::Auto).unwrap();
            for index in order {
                recording.put(key(&index.to_string(), index), exchange(&format!("{{\"n\": {index}}}")));
            }
            recording.save().unwrap();
            files.push(std::fs::read(&path).unwrap());
        }
        assert_eq!(files[0], files[1]);
        assert_eq!(files[0].iter().filter(|byte| **byte == b'\n').count(), 3);
    }

    #[test]
    fn what_is_read_is_what_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let bodies = [r#"{"b":1,"a":[0.5,null]}"#, "plain text", r#""a JSON string""#, "", "line\nbreak"];
        let recording = Recording::open(&path, Replay::Auto).unwrap();
        for (index, body) in bodies.iter().enumerate() {
            recording.put(key("call", index as u32), exchange(body));
        }
        recording.save().unwrap();
        let again = Recording::open(&path, Replay::Only).unwrap();
        for (index, body) in bodies.iter().enumerate() {
            assert_eq!(again.get(&key("call", index as u32)).unwrap(), exchange(body));
        }
        assert_eq!(again.get(&key("other", 0)), None);
    }

    #[test]
    fn only_auto_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        for mode in [Replay::Off, Replay::Only] {
            let recording = Recording::open(&path, mode).unwrap();
            recording.put(key("call", 0), exchange("{}"));
            recording.save().unwrap();
            assert!(!path.exists(), "{mode:?}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = Recording::open(&path, Replay::Auto).unwrap();
        recording.put(key("call", 0), exchange("{}"));
        recording.save().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("<<<<<<< HEAD\n");
        std::fs::write(&path, text).unwrap();
        let error = Recording::open(&path, Replay::Auto).unwrap_err();
        assert!(error.to_string().starts_with("line 2 of the recording `"), "{error}");
        assert!(Recording::open(&path, Replay::Off).is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A file where the folder should be.
        std::fs::write(folder.path().join("recordings"), "").unwrap();
        let recording = Recording::open(&path_for(&folder.path().join("intents.yaml")), Replay::Off).unwrap();
        assert_eq!(recording.path(), folder.path().join("recordings/intents.jsonl"));
        let recording = Recording { mode: Replay::Auto, ..recording };
        recording.put(key("call", 0), exchange("{}"));
        assert!(matches!(recording.save(), Err(EvalError::RecordingFile { action: "write", .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

//! Record and replay: answers kept in a file, so that a run needs neither network nor key.
//!
//! One JSON Lines file per eval, sorted by request and repeat: equal answers give equal bytes, and changes merge in Git. A
//! line holds the digest of the request, the status, the body and the latency. The request itself, its headers and the key
//! are never written.
//!
//! Answers of a run are appended to a journal beside the file as they come, so that one that is killed loses none of them;
//! the next run takes them over. In memory lies only where each answer is, not what it says.

mod index;
mod line;
mod redaction;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use promptops_prompt::Digest;

use self::index::{Index, Place};
use self::line::Line;
use crate::client::{ClientError, Exchange, decode};
use crate::error::EvalError;

pub use self::redaction::{REDACTED, Redaction};

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

/// The recorded answers of one eval.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    mode: Replay,
    redaction: Redaction,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    index: Index,
    /// The recorded file, where there is one.
    kept: Option<File>,
    /// Answers of this run, and of one that was killed: the journal, or a file without a name when nothing is recorded.
    spool: Option<File>,
    spool_length: u64,
    is_changed: bool,
}

/// Bytes that are read before the end of a line is looked for.
const READ_AT_ONCE: usize = 4 << 10;

/// Returns where the answers of the eval at `spec` are recorded: `recordings/<name>.jsonl` beside it.
pub fn path_for(spec: &Path) -> PathBuf {
    let name = spec.file_stem().unwrap_or_default().to_string_lossy();
    spec.with_file_name("recordings").join(format!("{name}.jsonl"))
}

impl Recording {
    /// Opens the answers at `path`; a file that does not exist holds none. Reads nothing in [`Replay::Off`]. In
    /// [`Replay::Auto`] answers of a run that was killed are taken over.
    ///
    /// # Errors
    /// [`EvalError::RecordingFile`], [`EvalError::CorruptRecording`]; [`EvalError::RecordingInUse`] when another run records
    /// into the same file.
    pub fn open(path: &Path, mode: Replay, redaction: Redaction) -> Result<Self, EvalError> {
        let recording = Self { path: path.to_owned(), mode, redaction, state: Mutex::default() };
        {
            let mut state = recording.state();
            if mode != Replay::Off {
                recording.read_kept(&mut state)?;
            }
            if mode == Replay::Auto && recording.journal().exists() {
                recording.open_journal(&mut state)?;
            }
        }
        Ok(recording)
    }

    /// Returns when recorded answers are used.
    pub fn mode(&self) -> Replay {
        self.mode
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an answer that is recorded, or was put by this run, and whether this run asks for it the first time.
    ///
    /// # Errors
    /// [`EvalError::RecordingFile`], [`EvalError::CorruptRecording`].
    pub fn get(&self, key: &Key) -> Result<Option<(Exchange, bool)>, EvalError> {
        let mut state = self.state();
        let candidates: Vec<Place> = state.index.candidates(key).collect();
        for place in candidates {
            let bytes = state.bytes(place).map_err(|source| self.failure("read", source))?;
            let line: Line = serde_json::from_slice(&bytes).map_err(|error| self.corrupt(0, &error))?;
            if line.key() == *key {
                state.index.replace(key, place, place.used());
                return Ok(Some((line.into_exchange(), !place.is_used())));
            }
        }
        Ok(None)
    }

    /// Tells whether an answer is recorded, without asking for it.
    ///
    /// # Errors
    /// [`EvalError::RecordingFile`].
    pub fn has(&self, key: &Key) -> Result<bool, EvalError> {
        let place = self.state().place(key).map_err(|source| self.failure("read", source))?;
        Ok(place.is_some())
    }

    /// Blots out of an answer what must not be kept, and keeps it, in place of another under the same key: beside the file in [`Replay::Auto`], for this run alone in
    /// [`Replay::Off`].
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn put(&self, key: Key, exchange: &mut Exchange) -> Result<(), EvalError> {
        self.redaction.apply(exchange);
        let mut bytes = serde_json::to_vec(&Line::new(key, exchange)).map_err(|error| self.corrupt(0, &error))?;
        bytes.push(b'\n');
        let mut state = self.state();
        if state.spool.is_none() {
            if self.mode == Replay::Auto {
                self.open_journal(&mut state)?;
            } else {
                state.spool = Some(tempfile::tempfile().map_err(|source| self.failure("write", source))?);
            }
        }
        state.append(key, &bytes).map_err(|source| self.failure("write", source))
    }

    /// Returns the error of reading this answer without what must not be told.
    pub(crate) fn redacted(&self, mut exchange: Exchange, error: ClientError) -> ClientError {
        // The body, and not the error alone, which holds the beginning of it and maybe half of a match.
        self.redaction.apply(&mut exchange);
        decode(&exchange).err().filter(|redacted| redacted.class() == error.class()).unwrap_or(error).redacted(&self.redaction)
    }

    /// Takes every answer out that this run did not ask for, and returns how many.
    pub fn prune(&self) -> usize {
        let mut state = self.state();
        let before = state.index.len();
        state.index.keep_used();
        let pruned = before - state.index.len();
        state.is_changed |= pruned > 0;
        pruned
    }

    /// Writes the file if anything was added or taken out, and ends the journal. Atomic: the file holds either all the old
    /// answers or all the new ones. Does nothing unless the mode is [`Replay::Auto`], or something was pruned.
    ///
    /// # Errors
    /// [`EvalError::RecordingFile`].
    pub fn save(&self) -> Result<(), EvalError> {
        let mut state = self.state();
        let has_journal = self.mode == Replay::Auto && state.spool.is_some();
        if self.mode != Replay::Off && state.is_changed {
            state.write(&self.path).map_err(|source| self.failure("write", source))?;
        }
        if has_journal {
            state.spool = None;
            std::fs::remove_file(self.journal()).map_err(|source| self.failure("write", source))?;
        }
        Ok(())
    }

    /// Returns where the answers of a run lie until it is over.
    fn journal(&self) -> PathBuf {
        self.path.with_extension("journal")
    }

    fn read_kept(&self, state: &mut State) -> Result<(), EvalError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.failure("read", error)),
        };
        let mut lines = Lines::of(&file);
        let mut doubtful = Vec::new();
        while let Some((number, offset, bytes)) = lines.next().map_err(|source| self.failure("read", source))? {
            let key = line::key(bytes).map_err(|error| self.corrupt(number, &error))?;
            let place = Place::new(false, offset);
            if let Err(taken) = state.index.add(&key, place) {
                doubtful.push((key, place, taken));
            }
        }
        state.kept = Some(file);
        // After a merge of two branches both may have recorded the same call: the first stays.
        state.settle(doubtful).map_err(|source| self.failure("read", source))
    }

    /// Opens the journal for this run alone and takes over what a killed one left. A line that is not whole is what was being
    /// written then.
    fn open_journal(&self, state: &mut State) -> Result<(), EvalError> {
        let path = self.journal();
        let failure = |source| self.failure("write", source);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failure)?;
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failure)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(EvalError::RecordingInUse { path: self.path.clone() }),
            Err(TryLockError::Error(error)) => return Err(failure(error)),
        }
        let mut lines = Lines::of(&file);
        let (mut whole, mut doubtful) = (0, Vec::new());
        while let Some((_, offset, bytes)) = lines.next().map_err(failure)? {
            let Ok(key) = line::key(bytes) else { break };
            let place = Place::new(true, offset);
            whole = offset + bytes.len() as u64 + 1;
            if let Err(taken) = state.index.add(&key, place) {
                doubtful.push((key, place, taken));
            }
        }
        file.set_len(whole).map_err(failure)?;
        state.is_changed |= whole > 0;
        state.spool_length = whole;
        state.spool = Some(file);
        state.settle(doubtful).map_err(failure)
    }

    fn failure(&self, action: &'static str, source: io::Error) -> EvalError {
        EvalError::RecordingFile { action, path: self.path.clone(), source }
    }

    fn corrupt(&self, line: usize, error: &serde_json::Error) -> EvalError {
        EvalError::CorruptRecording { path: self.path.clone(), line, message: error.to_string() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the map half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, key: Key, bytes: &[u8]) -> io::Result<()> {
        let (offset, spool) = (self.spool_length, self.spool.as_mut());
        let spool = spool.ok_or_else(|| io::Error::other("there is no journal"))?;
        spool.seek(SeekFrom::Start(offset))?;
        spool.write_all(bytes)?;
        self.spool_length += bytes.len() as u64;
        self.is_changed = true;
        let place = Place::new(true, offset).used();
        if self.index.add(&key, place).is_err() {
            match self.place(&key)? {
                // What was asked for once more takes the place of what was there.
                Some(old) => self.index.replace(&key, old, place),
                None => self.index.add_further(key, place),
            }
        }
        Ok(())
    }

    /// Returns where the answer under a key lies, if there is one.
    fn place(&mut self, key: &Key) -> io::Result<Option<Place>> {
        let candidates: Vec<Place> = self.index.candidates(key).collect();
        for place in candidates {
            if line::key(&self.bytes(place)?)? == *key {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Adds answers whose keys begin like others, unless they are the same: then the first stays.
    fn settle(&mut self, doubtful: Vec<(Key, Place, Option<Place>)>) -> io::Result<()> {
        for (key, place, taken) in doubtful {
            let is_same = match taken {
                Some(taken) => line::key(&self.bytes(taken)?)? == key,
                None => false,
            };
            if !is_same {
                self.index.add_further(key, place);
            }
        }
        Ok(())
    }

    /// Reads the line at a place, without its end.
    fn bytes(&mut self, place: Place) -> io::Result<Vec<u8>> {
        let file = if place.is_in_spool() { self.spool.as_mut() } else { self.kept.as_mut() };
        let file = file.ok_or_else(|| io::Error::other("the file is closed"))?;
        file.seek(SeekFrom::Start(place.offset()))?;
        let mut bytes = Vec::new();
        let mut most = READ_AT_ONCE;
        loop {
            let looked_at = bytes.len();
            let read = io::Read::by_ref(file).take((most - looked_at) as u64).read_to_end(&mut bytes)?;
            if let Some(end) = bytes[looked_at..].iter().position(|byte| *byte == b'\n') {
                bytes.truncate(looked_at + end);
                return Ok(bytes);
            }
            if read == 0 {
                return Ok(bytes);
            }
            most *= 4;
        }
    }

    fn write(&mut self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // Readable like any other file of the repository; the umask still applies.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(".recording-").tempfile_in(folder)?;
        let mut writer = BufWriter::new(file.as_file_mut());
        let mut offset = 0;
        let mut moved = |state: &mut Self, place: &mut Place| {
            let bytes = state.bytes(*place)?;
            writer.write_all(&bytes)?;
            writer.write_all(b"\n")?;
            *place = place.moved(offset);
            offset += bytes.len() as u64 + 1;
            Ok::<_, io::Error>(())
        };
        let index = match self.index.in_order() {
            Some(mut places) => {
                for (_, place) in &mut places {
                    moved(self, place)?;
                }
                Moved::All(places)
            }
            None => {
                let mut index = self.index.clone();
                for (key, place) in self.by_key()? {
                    let mut new = place;
                    moved(self, &mut new)?;
                    index.replace(&key, place, new);
                }
                Moved::Index(index)
            }
        };
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        let kept = file.persist(path).map_err(|error| error.error)?;
        let mut before = std::mem::take(self);
        let index = match index {
            Moved::All(places) => {
                before.index.replace_all(places);
                before.index
            }
            Moved::Index(index) => index,
        };
        *self = Self { index, kept: Some(kept), ..Self::default() };
        Ok(())
    }

    /// Returns every key with its place, in the order of the keys, which are read for it.
    fn by_key(&mut self) -> io::Result<Vec<(Key, Place)>> {
        let mut places = Vec::with_capacity(self.index.len());
        for place in self.index.all().collect::<Vec<_>>() {
            places.push((line::key(&self.bytes(place)?)?, place));
        }
        places.sort_unstable_by_key(|(key, _)| *key);
        Ok(places)
    }
}

/// Where answers lie once a file is written anew.
enum Moved {
    /// The places that change, all of them, by the beginnings of their keys.
    All(Vec<(u64, Place)>),
    /// The whole.
    Index(Index),
}

/// The lines of a file that are not empty, each with its number, from 1, and where it starts.
struct Lines<'a> {
    reader: BufReader<&'a File>,
    bytes: Vec<u8>,
    offset: u64,
    number: usize,
}

impl<'a> Lines<'a> {
    fn of(file: &'a File) -> Self {
        Self { reader: BufReader::new(file), bytes: Vec::new(), offset: 0, number: 0 }
    }

    fn next(&mut self) -> io::Result<Option<(usize, u64, &[u8])>> {
        loop {
            self.bytes.clear();
            let start = self.offset;
            let read = self.reader.read_until(b'\n', &mut self.bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.offset += read as u64;
            self.number += 1;
            if self.bytes.last() == Some(&b'\n') {
                self.bytes.pop();
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                break Ok(Some((self.number, start, &self.bytes)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Api;

    fn key(text: &str, repeat: u32) -> Key {
        Key { request: Digest::of(text.as_bytes()), repeat }
    }

    fn exchange(body: &str) -> Exchange {
        Exchange::document(Api::OpenaiChat, 200, body, 3)
    }

    fn open(path: &Path, mode: Replay) -> Recording {
        Recording::open(path, mode, Redaction::default()).unwrap()
    }

    fn put(recording: &Recording, key: Key, body: &str) {
        recording.put(key, &mut exchange(body)).unwrap();
    }

    fn get(recording: &Recording, key: Key) -> Option<Exchange> {
        recording.get(&key).unwrap().map(|(exchange, _)| exchange)
    }

    #[test]
    fn the_order_of_recording_does_not_show_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for (name, order) in [("a", [0, 1, 2]), ("b", [2, 0, 1])] {
            let path = folder.path().join("recordings").join(name);
            let recording = open(&path, Replay::Auto);
            for index in order {
                put(&recording, key(&index.to_string(), index), &format!("{{\"n\": {index}}}"));
            }
            recording.save().unwrap();
            // What was written is found in the new file as it was in the journal.
            assert_eq!(get(&recording, key("1", 1)).unwrap().body, "{\"n\":1}");
            files.push(std::fs::read(&path).unwrap());
        }
        assert_eq!(files[0], files[1]);
        assert_eq!(files[0].iter().filter(|byte| **byte == b'\n').count(), 3);
        assert_eq!(std::fs::read_dir(folder.path().join("recordings")).unwrap().count(), 2);
    }

    #[test]
    fn what_is_read_is_what_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let bodies = [r#"{"b":1,"a":[0.5,null]}"#, "plain text", r#""a JSON string""#, "", "line\nbreak"];
        let recording = open(&path, Replay::Auto);
        for (index, body) in bodies.iter().enumerate() {
            put(&recording, key("call", index as u32), body);
        }
        let streamed = Exchange {
            is_stream: true,
            first_token_ms: Some(2),
            request_id: Some("req".into()),
            ..Exchange::document(Api::Bedrock, 200, "event: metadata\ndata: {}\n\n", 9)
        };
        recording.put(key("streamed", 0), &mut streamed.clone()).unwrap();
        recording.save().unwrap();
        let again = open(&path, Replay::Only);
        for (index, body) in bodies.iter().enumerate() {
            assert_eq!(get(&again, key("call", index as u32)).unwrap(), exchange(body));
        }
        assert_eq!(get(&again, key("streamed", 0)), Some(streamed));
        assert_eq!(get(&again, key("other", 0)), None);
        let firsts: Vec<bool> = (0..2).map(|_| open(&path, Replay::Only).get(&key("call", 0)).unwrap().unwrap().1).collect();
        assert_eq!(firsts, [true, true]);
        assert!(!again.get(&key("call", 0)).unwrap().unwrap().1);
    }

    #[test]
    fn answers_of_a_run_that_was_killed_are_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = open(&path, Replay::Auto);
        put(&recording, key("a", 0), "{\"a\":1}");
        recording.save().unwrap();
        put(&recording, key("b", 0), "{\"b\":1}");
        put(&recording, key("c", 0), "{\"c\":1}");
        // Killed: the last line was not written whole, and nothing was saved.
        drop(recording);
        let journal = folder.path().join("eval.journal");
        let mut text = std::fs::read_to_string(&journal).unwrap();
        text.truncate(text.len() - 9);
        std::fs::write(&journal, text).unwrap();
        let next = open(&path, Replay::Auto);
        assert_eq!(get(&next, key("b", 0)).unwrap().body, "{\"b\":1}");
        assert_eq!(get(&next, key("c", 0)), None);
        put(&next, key("d", 0), "{\"d\":1}");
        next.save().unwrap();
        assert!(!journal.exists());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        // Only what is committed counts where nothing may be sent.
        std::fs::write(&journal, "").unwrap();
        assert!(get(&open(&path, Replay::Only), key("d", 0)).is_some());
    }

    #[test]
    fn what_is_recorded_once_more_takes_the_place_of_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = open(&path, Replay::Auto);
        put(&recording, key("a", 0), "{\"a\":1}");
        put(&recording, key("a", 900), "{\"a\":900}");
        recording.save().unwrap();
        let next = open(&path, Replay::Auto);
        assert!(next.has(&key("a", 0)).unwrap() && !next.has(&key("a", 1)).unwrap());
        put(&next, key("a", 0), "{\"a\":2}");
        put(&next, key("a", 900), "{\"a\":901}");
        assert_eq!(get(&next, key("a", 0)).unwrap().body, "{\"a\":2}");
        next.save().unwrap();
        let last = open(&path, Replay::Only);
        let bodies = [0, 900].map(|repeat| get(&last, key("a", repeat)).unwrap().body);
        assert_eq!(bodies, ["{\"a\":2}", "{\"a\":901}"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn two_runs_do_not_record_into_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let first = open(&path, Replay::Auto);
        put(&first, key("a", 0), "{}");
        let second = Recording::open(&path, Replay::Auto, Redaction::default());
        assert!(matches!(second, Err(EvalError::RecordingInUse { .. })));
        first.save().unwrap();
        put(&open(&path, Replay::Auto), key("b", 0), "{}");
    }

    #[test]
    fn only_auto_records_and_off_remembers_for_its_own_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = open(&path, Replay::Off);
        put(&recording, key("call", 0), "{}");
        assert!(get(&recording, key("call", 0)).is_some());
        recording.save().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_run_did_not_ask_for_is_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = open(&path, Replay::Auto);
        put(&recording, key("old", 0), "{}");
        put(&recording, key("new", 0), "{}");
        recording.save().unwrap();
        let next = open(&path, Replay::Only);
        assert!(get(&next, key("new", 0)).is_some());
        assert_eq!(next.prune(), 1);
        next.save().unwrap();
        assert!(get(&open(&path, Replay::Only), key("old", 0)).is_none());
        assert!(get(&open(&path, Replay::Only), key("new", 0)).is_some());
    }

    #[test]
    fn of_two_lines_of_one_call_the_first_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = open(&path, Replay::Auto);
        put(&recording, key("call", 0), "{\"n\":1}");
        // More repeats than a short key holds, and an answer that is longer than what is read at once.
        put(&recording, key("call", 500), &format!("\"{}\"", "long ".repeat(9000)));
        recording.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let other = text.lines().next().unwrap().replace("{\"n\":1}", "{\"n\":2}");
        std::fs::write(&path, format!("{text}{other}\n")).unwrap();
        let merged = open(&path, Replay::Auto);
        assert_eq!(get(&merged, key("call", 0)).unwrap().body, "{\"n\":1}");
        assert_eq!(get(&merged, key("call", 500)).unwrap().body.len(), 45_002);
        put(&merged, key("b", 0), "{}");
        merged.save().unwrap();
        // What is written anew is in order, and holds each call once.
        let keys: Vec<Key> =
            std::fs::read_to_string(&path).unwrap().lines().map(|line| line::key(line.as_bytes()).unwrap()).collect();
        assert!(keys.len() == 3 && keys.is_sorted(), "{keys:?}");
        assert_eq!(get(&merged, key("call", 500)).unwrap().body.len(), 45_002);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.jsonl");
        let recording = open(&path, Replay::Auto);
        put(&recording, key("call", 0), "{}");
        recording.save().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("<<<<<<< HEAD\n");
        std::fs::write(&path, text).unwrap();
        let error = Recording::open(&path, Replay::Auto, Redaction::default()).unwrap_err();
        assert!(error.to_string().starts_with("line 2 of the recording `"), "{error}");
        assert!(Recording::open(&path, Replay::Off, Redaction::default()).is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A file where the folder should be.
        std::fs::write(folder.path().join("recordings"), "").unwrap();
        let recording = open(&path_for(&folder.path().join("intents.yaml")), Replay::Off);
        assert_eq!(recording.path(), folder.path().join("recordings/intents.jsonl"));
        let recording = Recording { mode: Replay::Auto, ..recording };
        let written = recording.put(key("call", 0), &mut exchange("{}"));
        assert!(matches!(written, Err(EvalError::RecordingFile { action: "write", .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

//! The folder of segments, and the thread that writes them.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::received::Received;
use super::segment::{self, MAGIC, Segment, SegmentError};

/// Bytes that are synced at once at most, if no single append is larger.
const COMMIT_BYTES: usize = 8 << 20;
/// Bytes besides its payload that an append is counted with, so that many small ones are bounded too.
const APPEND_BYTES: usize = 256;

/// How a log behaves.
#[derive(Debug, Clone)]
pub struct IngestSettings {
    /// Where the segments are. One process at a time uses it.
    pub folder: PathBuf,
    /// Bytes after which a segment is sealed.
    pub segment_bytes: u64,
    /// Time after its first record after which a segment is sealed.
    pub segment_age: Duration,
    /// Bytes that may wait to be written.
    pub queue_bytes: usize,
    /// Bytes that may be on the disk: what the lake does not have yet.
    pub spool_bytes: u64,
}

impl IngestSettings {
    /// Returns the usual settings for a log in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, segment_bytes: 8 << 20, segment_age: Duration::from_secs(5), queue_bytes: 64 << 20, spool_bytes: 4 << 30 }
    }
}

/// Records are not taken; whoever sent them should keep them and try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// More is sent than the disk takes.
    #[error("too many records wait to be written")]
    QueueFull,
    /// The lake has not taken records for a while, and there is no more room for them here.
    #[error("too many records wait for the lake")]
    SpoolFull,
    /// The log is being closed.
    #[error("the log is closed")]
    Closed,
}

/// Records were not written, or it is not known whether they were; sending them again counts nothing twice.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot write the log: {message}")]
pub struct WriteFailed {
    /// The kind of the operating system's error.
    pub kind: io::ErrorKind,
    /// What it said.
    pub message: String,
}

/// Told once, when records are on the disk or could not be written.
pub type Acknowledge = Box<dyn FnOnce(Result<(), WriteFailed>) + Send>;

/// A log of records that are on their way to a lake.
///
/// Dropping it writes and syncs what waits.
#[derive(Debug)]
pub struct IngestLog {
    settings: IngestSettings,
    shared: Arc<Shared>,
    sender: Option<Sender<Append>>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as this is: another process cannot open the log.
    _lock: File,
}

#[derive(Debug, Default)]
struct Shared {
    queued_bytes: AtomicUsize,
    /// Of the segments that exist.
    spooled_bytes: AtomicU64,
    sealed: Mutex<VecDeque<Segment>>,
}

struct Append {
    received: Received,
    acknowledge: Acknowledge,
}

impl Append {
    fn bytes(&self) -> usize {
        self.received.bytes() + APPEND_BYTES
    }
}

impl IngestLog {
    /// Opens the log, making its folder if there is none. What an earlier process left is sealed: see [`IngestLog::sealed`].
    ///
    /// # Errors
    /// [`SegmentError::Read`] when the folder cannot be used or another process uses it, [`SegmentError::Damaged`] or
    /// [`SegmentError::Foreign`] for a segment that cannot be read; nothing is removed then.
    pub fn open(settings: IngestSettings) -> Result<Self, SegmentError> {
        let folder = settings.folder.clone();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SegmentError::Read { path, source }
        };
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => failed(&lock_path)(io::Error::other("another process uses this log")),
            fs::TryLockError::Error(error) => failed(&lock_path)(error),
        })?;
        let mut sealed = VecDeque::new();
        let mut number = 0;
        for segment in segment::list(&folder).map_err(failed(&folder))? {
            number = segment.number;
            let bytes = fs::read(&segment.path).map_err(failed(&segment.path))?;
            if segment::frames(&segment.path, &bytes)?.payloads.is_empty() {
                fs::remove_file(&segment.path).map_err(failed(&segment.path))?;
            } else {
                sealed.push_back(segment);
            }
        }
        let spooled_bytes = AtomicU64::new(sealed.iter().map(Segment::bytes).sum());
        let shared = Arc::new(Shared { queued_bytes: AtomicUsize::new(0), spooled_bytes, sealed: Mutex::new(sealed) });
        let (sender, receiver) = channel();
        let writer = Writer { settings: settings.clone(), shared: Arc::clone(&shared), next: number + 1, active: None };
        let thread = Builder::new().name("promptops-log".into()).spawn(move || writer.run(&receiver)).map_err(failed(&folder))?;
        Ok(Self { settings, shared, sender: Some(sender), writer: Some(thread), _lock: lock })
    }

    /// Takes records, and calls `acknowledge` from the writer's thread when they are on the disk.
    ///
    /// # Errors
    /// [`NotTaken`], at once; `acknowledge` is then never called.
    pub fn append(&self, received: Received, acknowledge: Acknowledge) -> Result<(), NotTaken> {
        if received.records() == 0 {
            acknowledge(Ok(()));
            return Ok(());
        }
        if self.spooled_bytes() >= self.settings.spool_bytes {
            return Err(NotTaken::SpoolFull);
        }
        let append = Append { received, acknowledge };
        let bytes = append.bytes();
        let before = self.shared.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
        // One append is taken however large it is, or it could never be.
        if before > 0 && before + bytes > self.settings.queue_bytes {
            self.shared.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(NotTaken::QueueFull);
        }
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send(append).is_ok());
        if !sent {
            self.shared.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(NotTaken::Closed);
        }
        Ok(())
    }

    /// Returns the segments that the lake should be given, the oldest first.
    #[must_use]
    pub fn sealed(&self) -> Vec<Segment> {
        self.shared.sealed().iter().cloned().collect()
    }

    /// Removes a segment whose records are in the lake.
    ///
    /// # Errors
    /// The operating system's. The segment is then still there, and may be given to the lake again.
    pub fn remove(&self, segment: &Segment) -> io::Result<()> {
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut sealed = self.shared.sealed();
        let before = sealed.len();
        sealed.retain(|one| one.number != segment.number);
        if sealed.len() < before {
            self.shared.spooled_bytes.fetch_sub(segment.bytes, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Returns the bytes that wait to be written.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued_bytes.load(Ordering::Acquire)
    }

    /// Returns the bytes on the disk.
    #[must_use]
    pub fn spooled_bytes(&self) -> u64 {
        self.shared.spooled_bytes.load(Ordering::Acquire)
    }

    /// Writes what waits and seals the last segment. Nothing is taken any more.
    pub fn close(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has told nobody that anything was written.
            let _ = writer.join();
        }
    }
}

impl Drop for IngestLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn sealed(&self) -> std::sync::MutexGuard<'_, VecDeque<Segment>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    settings: IngestSettings,
    shared: Arc<Shared>,
    /// The number of the next segment.
    next: u64,
    active: Option<Active>,
}

/// The segment that is written to.
struct Active {
    file: File,
    segment: Segment,
    since: Instant,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Append>) {
        loop {
            let wait = self
                .active
                .as_ref()
                .map_or(Duration::MAX, |active| self.settings.segment_age.saturating_sub(active.since.elapsed()));
            match receiver.recv_timeout(wait) {
                Ok(first) => self.commit(first, receiver),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let is_due = |active: &Active| {
                active.segment.bytes >= self.settings.segment_bytes || active.since.elapsed() >= self.settings.segment_age
            };
            if self.active.as_ref().is_some_and(is_due) {
                self.seal();
            }
        }
        self.seal();
    }

    /// Writes what waits, syncs it, and tells whoever waits for it.
    fn commit(&mut self, first: Append, receiver: &Receiver<Append>) {
        let mut payload = Vec::with_capacity(first.received.bytes());
        let mut appends = vec![first];
        let mut bytes = appends[0].bytes();
        while bytes < COMMIT_BYTES
            && let Ok(append) = receiver.try_recv()
        {
            bytes += append.bytes();
            appends.push(append);
        }
        appends.iter().for_each(|append| payload.extend_from_slice(&append.received.lines));
        let written = self.write(&payload).map_err(|error| WriteFailed { kind: error.kind(), message: error.to_string() });
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        for append in appends {
            (append.acknowledge)(written.clone());
        }
    }

    fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 64);
        if self.active.is_none() {
            self.active = Some(self.begin()?);
            bytes.extend_from_slice(MAGIC);
        }
        segment::frame(&mut bytes, payload);
        let active = self.active.as_mut().expect("it was begun above");
        let written = active.file.write_all(&bytes).and_then(|()| active.file.sync_data());
        if let Err(error) = written {
            // After a failed sync nobody knows what is on the disk, and a second one may say that all is well. What was synced before
            // stays, in a segment that is not touched again; what may be there of this frame was told to nobody.
            let _ = active.file.set_len(active.segment.bytes);
            self.seal();
            return Err(error);
        }
        active.segment.bytes += bytes.len() as u64;
        self.shared.spooled_bytes.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Active> {
        let path = segment::path_of(&self.settings.folder, self.next);
        let file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        // Without it the file itself might be gone after a loss of power.
        File::open(&self.settings.folder)?.sync_all()?;
        let number = self.next;
        self.next += 1;
        Ok(Active { file, segment: Segment { number, path, bytes: 0 }, since: Instant::now() })
    }

    fn seal(&mut self) {
        let Some(active) = self.active.take() else { return };
        if active.segment.bytes == 0 {
            // Nothing was ever written to it. Should it stay, the next process removes it.
            let _ = fs::remove_file(&active.segment.path);
            return;
        }
        self.shared.sealed().push_back(active.segment);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::record::Invocation;
    use crate::v1;

    fn settings(folder: &Path) -> IngestSettings {
        IngestSettings { segment_age: Duration::from_secs(3600), ..IngestSettings::new(folder.join("log")) }
    }

    fn received(ids: std::ops::Range<u128>) -> Received {
        let lines: Vec<String> =
            ids.map(|id| v1::to_line(&Invocation::new(chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(id)))).collect();
        Received::json(lines.join("\n").as_bytes()).unwrap()
    }

    /// Appends and waits until it is told how that went.
    fn append(log: &IngestLog, ids: std::ops::Range<u128>) -> Result<(), String> {
        let (told, hear) = channel();
        let tell = move |written: Result<(), WriteFailed>| told.send(written.map_err(|error| error.to_string())).unwrap();
        log.append(received(ids), Box::new(tell)).map_err(|error| error.to_string())?;
        hear.recv().unwrap()
    }

    fn ids(segments: &[Segment]) -> Vec<u128> {
        segments.iter().flat_map(|segment| segment.read().unwrap()).map(|record| record.invocation_id.as_u128()).collect()
    }

    #[test]
    fn what_was_acknowledged_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = IngestLog::open(settings(folder.path())).unwrap();
        append(&log, 1..4).unwrap();
        append(&log, 4..5).unwrap();
        append(&log, 5..5).unwrap();
        assert_eq!(log.sealed(), []);
        log.close();
        assert_eq!(ids(&log.sealed()), [1, 2, 3, 4]);
        assert_eq!(append(&log, 5..6), Err("the log is closed".to_owned()));
        assert_eq!(log.queued_bytes(), 0);
        for segment in log.sealed() {
            log.remove(&segment).unwrap();
            log.remove(&segment).unwrap();
        }
        assert_eq!((log.sealed(), log.spooled_bytes()), (vec![], 0));
    }

    #[test]
    fn segments_are_sealed_by_size_and_age() {
        let folder = tempfile::tempdir().unwrap();
        let log = IngestLog::open(IngestSettings { segment_bytes: 1, ..settings(folder.path()) }).unwrap();
        append(&log, 1..2).unwrap();
        append(&log, 2..3).unwrap();
        drop(log);
        let log = IngestLog::open(IngestSettings { segment_age: Duration::ZERO, ..settings(folder.path()) }).unwrap();
        append(&log, 3..4).unwrap();
        append(&log, 4..5).unwrap();
        let log = {
            drop(log);
            IngestLog::open(settings(folder.path())).unwrap()
        };
        assert_eq!(ids(&log.sealed()), [1, 2, 3, 4]);
        assert_eq!(log.sealed().iter().map(Segment::number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    /// Cuts what a process that died has left at every byte, and begins again.
    #[test]
    fn a_cut_loses_nothing_that_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let log = IngestLog::open(settings(folder.path())).unwrap();
        append(&log, 1..3).unwrap();
        let acknowledged = log.spooled_bytes();
        append(&log, 3..5).unwrap();
        drop(log);
        let path = segment::path_of(&folder.path().join("log"), 1);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let log = IngestLog::open(settings(folder.path())).unwrap();
            let expected: &[u128] = if cut < usize::try_from(acknowledged).unwrap() { &[] } else { &[1, 2] };
            assert_eq!(ids(&log.sealed()), expected, "cut at {cut}");
            append(&log, 9..10).unwrap();
            drop(log);
            let later = segment::list(&folder.path().join("log"))
                .unwrap()
                .into_iter()
                .rfind(|segment| segment.number > 1 || expected.is_empty());
            assert_eq!(ids(later.as_slice()), [9]);
            fs::remove_file(&later.unwrap().path).unwrap();
        }
    }

    #[test]
    fn bounds_refuse_before_anything_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let log = IngestLog::open(IngestSettings { spool_bytes: 1, ..settings(folder.path()) }).unwrap();
        append(&log, 1..2).unwrap();
        assert_eq!(append(&log, 2..3), Err("too many records wait for the lake".to_owned()));
        drop(log);

        let log = IngestLog::open(IngestSettings { queue_bytes: 0, ..settings(folder.path()) }).unwrap();
        let (told, hear) = channel();
        let (let_go, wait) = channel::<()>();
        // The writer's thread is held in its first acknowledgement; what comes then waits.
        let held = Box::new(move |written: Result<(), WriteFailed>| {
            told.send(written.is_ok()).unwrap();
            wait.recv().unwrap();
        });
        log.append(received(3..4), held).unwrap();
        assert!(hear.recv().unwrap());
        let (told_second, hear_second) = channel();
        log.append(received(4..5), Box::new(move |written| told_second.send(written.is_ok()).unwrap())).unwrap();
        let never = Box::new(|_| unreachable!("it was not taken"));
        assert_eq!(log.append(received(5..6), never), Err(NotTaken::QueueFull));
        assert!(log.queued_bytes() > 0);
        let_go.send(()).unwrap();
        assert!(hear_second.recv().unwrap());
        drop(log);
        assert_eq!(ids(&segment::list(&folder.path().join("log")).unwrap()), [1, 3, 4]);
    }

    #[test]
    fn a_failed_write_is_told_and_the_next_one_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = IngestLog::open(settings(folder.path())).unwrap();
        // The file that the first segment would be is there already.
        let path = segment::path_of(&folder.path().join("log"), 1);
        fs::create_dir(&path).unwrap();
        assert!(append(&log, 1..2).unwrap_err().starts_with("cannot write the log: "));
        fs::remove_dir(&path).unwrap();
        append(&log, 1..2).unwrap();
        drop(log);
        assert_eq!(ids(&segment::list(&folder.path().join("log")).unwrap()), [1]);
    }

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let log = IngestLog::open(settings(folder.path())).unwrap();
        let error = IngestLog::open(settings(folder.path())).unwrap_err();
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "another process uses this log");
        drop(log);
        IngestLog::open(settings(folder.path())).unwrap();
    }

    #[test]
    fn many_threads_share_a_sync_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = IngestLog::open(IngestSettings { segment_bytes: 20_000, ..settings(folder.path()) }).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8_u128 {
                let log = &log;
                scope.spawn(move || {
                    (0..50).for_each(|number| append(log, thread * 1000 + number..thread * 1000 + number + 1).unwrap())
                });
            }
        });
        drop(log);
        let mut found = ids(&segment::list(&folder.path().join("log")).unwrap());
        found.sort_unstable();
        assert_eq!(found, (0..8).flat_map(|thread| thread * 1000..thread * 1000 + 50).collect::<Vec<u128>>());
    }
}

//! A folder of files of records, for whoever takes them on: one of our own sinks when its server is back, `promptops invocations
//! import`, or any program that uploads files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{Carrier, Occasion, Patience};
use crate::record::Invocation;
use crate::v1;

/// How the name of a file ends that nobody writes to any more. It never changes, and is whoever's who moves or removes it.
const CLOSED: &str = "jsonl";
/// How the name of a file ends that a process writes to.
const OPEN: &str = "open";

/// When a file of a [`Spool`] is closed, and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// A file that has so many bytes is closed.
    pub file_bytes: u64,
    /// A file that is so old is closed.
    pub file_age: Duration,
    /// The most bytes of all files that are closed. Beyond that the oldest are removed, and their records counted as dropped.
    pub total_bytes: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { file_bytes: 16 << 20, file_age: Duration::from_secs(60), total_bytes: 1 << 30 }
    }
}

/// Appends records to files of a folder, as JSON lines (`spec/invocation.md`).
///
/// A file is named `TIME-PROCESS-NUMBER.jsonl.open` while it is written to, and renamed to `TIME-PROCESS-NUMBER.jsonl` when it is
/// closed: whole, synced to the disk, and never written to again. So whoever takes files that end in `.jsonl` gets whole lines. By
/// name they are sorted by time. Any number of processes on one machine may share a folder: each writes to its own file, and closes
/// what one that died has left.
pub struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    open: Option<OpenFile>,
    number: u32,
}

struct OpenFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    opened: Instant,
    /// The last write stopped inside a line.
    line_is_cut: bool,
}

impl Spool {
    /// Opens a folder, which is created where it is absent, and closes the files that processes which died have left in it.
    ///
    /// # Errors
    /// The file system's error when the folder cannot be created or read.
    pub fn open(
        folder: &Path,
        limits: SpoolLimits,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let spool = Self { folder: folder.to_owned(), limits, clock: Arc::new(clock), open: None, number: 0 };
        spool.adopt()?;
        Ok(spool)
    }

    /// Appends records and returns how many are lost: those that could not be written, and those of old files that had to go.
    pub fn append(&mut self, records: &[Invocation]) -> u64 {
        let lines: Vec<String> = records.iter().map(v1::to_line).collect();
        self.append_lines(&lines)
    }

    /// Appends records that are lines of JSON already, see [`Spool::append`].
    pub fn append_lines(&mut self, lines: &[String]) -> u64 {
        let mut lost = 0;
        for line in lines {
            let is_written = self.write(format!("{line}\n").as_bytes());
            lost += u64::from(is_written.is_err());
            if self.open.as_ref().is_some_and(|open| open.bytes >= self.limits.file_bytes) {
                lost += self.close();
            }
        }
        if self.due().is_some_and(|due| due <= Instant::now()) {
            lost += self.close();
        }
        lost
    }

    /// Returns when the file that is written to has to be closed.
    pub fn due(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.opened + self.limits.file_age)
    }

    /// Closes the file that is written to, and removes the oldest where there are too many. Returns how many records are lost.
    ///
    /// When it cannot be renamed it is written to no longer, and closed by the next that opens the folder.
    pub fn close(&mut self) -> u64 {
        let Some(open) = self.open.take() else { return 0 };
        if open.bytes == 0 {
            // Nothing could be written.
            let _ = fs::remove_file(&open.path);
            return 0;
        }
        // A disk that cannot sync has told so when it was written to, or holds what it holds.
        let _ = open.file.sync_data();
        let _ = fs::rename(&open.path, open.path.with_extension(""));
        self.trim()
    }

    /// Returns the files that are closed, oldest first.
    ///
    /// # Errors
    /// The file system's error when the folder cannot be read.
    pub fn closed(&self) -> io::Result<Vec<PathBuf>> {
        self.files(CLOSED)
    }

    fn files(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(self.create()?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.line_is_cut {
            // Else this line would be lost with the one that was cut.
            open.file.write_all(b"\n")?;
            open.bytes += 1;
            open.line_is_cut = false;
        }
        match open.file.write_all(line) {
            Ok(()) => {
                open.bytes += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Nobody else writes to the file, so what came of the line can be taken back, also on a full disk.
                open.line_is_cut = open.file.set_len(open.bytes).is_err();
                Err(error)
            }
        }
    }

    /// Creates a file that this process holds the lock of.
    fn create(&mut self) -> io::Result<OpenFile> {
        loop {
            self.number += 1;
            let time_ms = (self.clock)().timestamp_millis();
            let name = format!("{time_ms:013}-{}-{:06}.{CLOSED}.{OPEN}", std::process::id(), self.number);
            let path = self.folder.join(name);
            let file = match OpenOptions::new().create_new(true).append(true).open(&path) {
                // Of a process that had the same number, as in containers.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let is_held = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                // This file system has no locks. What a process leaves there stays open.
                Err(TryLockError::Error(_)) => true,
            };
            // Between its creation and the lock another may have taken it for one of a process that died.
            if is_held && path.exists() {
                return Ok(OpenFile { file, path, bytes: 0, opened: Instant::now(), line_is_cut: false });
            }
        }
    }

    /// Closes the files of processes that died: nobody holds their locks.
    fn adopt(&self) -> io::Result<()> {
        for path in self.files(OPEN)? {
            // Another process may adopt it at the same time, or close it.
            let Ok(file) = OpenOptions::new().append(true).open(&path) else { continue };
            if file.try_lock().is_ok() {
                let _ = fs::rename(&path, path.with_extension(""));
            }
        }
        Ok(())
    }

    fn trim(&self) -> u64 {
        let Ok(files) = self.closed() else { return 0 };
        let sizes = files.into_iter().filter_map(|path| Some((path.metadata().ok()?.len(), path)));
        let sizes: Vec<(u64, PathBuf)> = sizes.collect();
        let mut total: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
        let mut lost = 0;
        for (bytes, path) in sizes {
            if total <= self.limits.total_bytes {
                break;
            }
            total -= bytes;
            let lines = fs::read(&path).map_or(0, |read| read.iter().filter(|byte| **byte == b'\n').count());
            // Whoever removes it counts it; another process may do the same, or an uploader have taken it.
            if fs::remove_file(&path).is_ok() {
                lost += lines as u64;
            }
        }
        lost
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.close();
    }
}

/// Carries records to a [`Spool`].
pub struct SpoolCarrier(pub Spool);

impl Carrier for SpoolCarrier {
    fn carry(&mut self, batch: &[Invocation], _: &Patience<'_>) -> u64 {
        self.0.append(batch)
    }

    /// Closes the file: whoever flushes wants what was recorded to be taken on.
    fn settle(&mut self, _: Occasion, _: &Patience<'_>) -> u64 {
        self.0.close()
    }

    fn due(&self) -> Option<Instant> {
        self.0.due()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn invocations(numbers: std::ops::Range<u128>) -> Vec<Invocation> {
        numbers.map(|number| Invocation::new(DateTime::UNIX_EPOCH, Uuid::from_u128(number))).collect()
    }

    fn spool(folder: &Path, limits: SpoolLimits) -> Spool {
        Spool::open(folder, limits, || DateTime::UNIX_EPOCH).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn ids(files: &[PathBuf]) -> Vec<u128> {
        let lines = files.iter().map(|file| fs::read_to_string(file).unwrap());
        let ids = lines.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        ids.map(|line| serde_json::from_str::<v1::InvocationV1>(&line).unwrap().invocation_id.unwrap().as_u128()).collect()
    }

    #[test]
    fn a_file_has_another_name_until_nobody_writes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/spool");
        let mut spool = spool(&path, SpoolLimits::default());
        assert_eq!(spool.append(&invocations(0..3)), 0);
        let process = std::process::id();
        assert_eq!(names(&path), [format!("0000000000000-{process}-000001.jsonl.open")]);
        assert!(spool.closed().unwrap().is_empty());
        assert_eq!(spool.close(), 0);
        assert_eq!(names(&path), [format!("0000000000000-{process}-000001.jsonl")]);
        assert_eq!(ids(&spool.closed().unwrap()), [0, 1, 2]);
        assert_eq!(spool.close(), 0, "there is none to close");
    }

    #[test]
    fn size_and_age_close_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let line = v1::to_line(&invocations(0..1)[0]).len() as u64 + 1;
        let mut by_size = spool(folder.path(), SpoolLimits { file_bytes: line * 2, ..SpoolLimits::default() });
        by_size.append(&invocations(0..5));
        let files = by_size.closed().unwrap();
        assert_eq!((files.len(), ids(&files)), (2, vec![0, 1, 2, 3]));
        drop(by_size);

        let folder = tempfile::tempdir().unwrap();
        let mut by_age = spool(folder.path(), SpoolLimits { file_age: Duration::ZERO, ..SpoolLimits::default() });
        assert_eq!(by_age.due(), None);
        by_age.append(&invocations(0..2));
        assert_eq!(ids(&by_age.closed().unwrap()), [0, 1]);
    }

    #[test]
    fn the_oldest_goes_when_there_is_too_much_and_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let line = v1::to_line(&invocations(0..1)[0]).len() as u64 + 1;
        let limits = SpoolLimits { file_bytes: line * 2, total_bytes: line * 4, ..SpoolLimits::default() };
        let mut spool = spool(folder.path(), limits);
        assert_eq!(spool.append(&invocations(0..8)), 4);
        assert_eq!(ids(&spool.closed().unwrap()), [4, 5, 6, 7]);
    }

    #[test]
    fn what_a_process_left_is_closed_and_what_another_writes_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("0000000000001-999999-000001.jsonl.open");
        fs::write(&left, v1::to_line(&invocations(7..8)[0]) + "\n").unwrap();
        let mut first = spool(folder.path(), SpoolLimits::default());
        assert_eq!(ids(&first.closed().unwrap()), [7]);
        first.append(&invocations(1..2));
        let mut second = spool(folder.path(), SpoolLimits::default());
        assert_eq!(second.closed().unwrap().len(), 1, "the first still writes to its own");
        second.append(&invocations(2..3));
        drop(first);
        drop(second);
        let spool = spool(folder.path(), SpoolLimits::default());
        let mut found = ids(&spool.closed().unwrap());
        found.sort_unstable();
        assert_eq!(found, [1, 2, 7]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_the_records_and_they_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(&folder.path().join("spool"), SpoolLimits::default());
        fs::remove_dir(folder.path().join("spool")).unwrap();
        assert_eq!(spool.append(&invocations(0..3)), 3);
        fs::create_dir(folder.path().join("spool")).unwrap();
        assert_eq!(spool.append(&invocations(3..4)), 0, "when there is room again it goes on");
        spool.close();
        assert_eq!(ids(&spool.closed().unwrap()), [3]);
    }
}

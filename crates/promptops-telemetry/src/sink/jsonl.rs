//! Records as JSON lines in a file that several processes may share.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{Counter, Sink};
use crate::record::Invocation;
use crate::v1;

/// Longest line that is written with its content, bytes. A longer record is written without `input` and `output`.
///
/// The import reads lines of this length; see [`crate::import::MAX_ROW_BYTES`].
const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// Appends each record to a file as one line of JSON, see `spec/invocation.md`.
///
/// The file is opened for appending and each line is one `write` call, so several threads and processes on one machine
/// may share it without mixing lines (network file systems do not promise that). A write that fails, or a full disk,
/// counts as a dropped record; the next write after a cut-off line begins a new line, so that one record is lost and
/// not two.
#[derive(Debug)]
pub struct JsonlSink<W: Write + Send = File> {
    output: Mutex<Output<W>>,
    dropped: Counter,
}

#[derive(Debug)]
struct Output<W> {
    writer: W,
    /// The last write stopped inside a line.
    line_is_cut: bool,
}

impl JsonlSink<File> {
    /// Opens `path` for appending, creating the file and its folders when they are absent.
    ///
    /// # Errors
    ///
    /// The file system's error when the file cannot be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            create_dir_all(folder)?;
        }
        Ok(Self::to_writer(OpenOptions::new().create(true).append(true).open(path)?))
    }
}

impl<W: Write + Send> JsonlSink<W> {
    /// Writes to any unbuffered writer, such as standard output.
    pub fn to_writer(writer: W) -> Self {
        Self { output: Mutex::new(Output { writer, line_is_cut: false }), dropped: Counter::default() }
    }
}

impl<W: Write + Send> Sink for JsonlSink<W> {
    fn record(&self, invocation: &Invocation) {
        let mut line = v1::to_line(invocation);
        if line.len() > MAX_LINE_BYTES {
            line = v1::to_line(&Invocation { input: None, output: None, ..invocation.clone() });
        }
        if line.len() > MAX_LINE_BYTES {
            self.dropped.add_one();
            return;
        }
        line.push('\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if !output.write_line(&line) {
            self.dropped.add_one();
        }
    }

    fn flush(&self) {
        // A record that was taken has been handed to the writer; should flushing fail there is nothing left to count.
        let _ = self.output.lock().unwrap_or_else(PoisonError::into_inner).writer.flush();
    }

    fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

impl<W: Write> Output<W> {
    /// Writes one line with one call; returns whether all of it was written.
    fn write_line(&mut self, line: &str) -> bool {
        let repaired;
        let bytes = if self.line_is_cut {
            repaired = format!("\n{line}");
            repaired.as_bytes()
        } else {
            line.as_bytes()
        };
        match write_once(&mut self.writer, bytes) {
            Ok(written) if written == bytes.len() => {
                self.line_is_cut = false;
                true
            }
            Ok(0) | Err(_) => false,
            Ok(_) => {
                // End the cut line at once, before another process appends to it; a full disk may refuse even this.
                self.line_is_cut = !matches!(write_once(&mut self.writer, b"\n"), Ok(1));
                false
            }
        }
    }
}

/// Calls `write` once, again only when a signal came before anything was written.
fn write_once(writer: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match writer.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn invocation(number: u128) -> Invocation {
        Invocation::new(chrono::DateTime::UNIX_EPOCH, Uuid::from_u128(number))
    }

    /// Answers each call with the next of the given results, and keeps what it took.
    struct Scripted {
        results: Vec<io::Result<usize>>,
        written: Vec<u8>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.results.is_empty() {
                self.written.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
            let taken = self.results.remove(0)?.min(bytes.len());
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written_with(results: Vec<io::Result<usize>>, records: u128) -> (Vec<String>, u64) {
        let sink = JsonlSink::to_writer(Scripted { results, written: Vec::new() });
        for number in 0..records {
            sink.record(&invocation(number));
        }
        let written = sink.output.into_inner().unwrap().writer.written;
        (String::from_utf8(written).unwrap().lines().map(str::to_owned).collect(), sink.dropped.get())
    }

    #[test]
    fn a_full_disk_is_counted_and_the_next_record_is_whole() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let (lines, dropped) = written_with(vec![Err(full()), Err(full())], 3);
        assert_eq!(dropped, 2);
        assert_eq!(lines, [v1::to_line(&invocation(2))]);
    }

    #[test]
    fn a_cut_line_costs_one_record() {
        // Ten bytes of the first line, then nothing at all, then space again.
        let full = io::Error::from(ErrorKind::StorageFull);
        let (lines, dropped) = written_with(vec![Ok(10), Err(full)], 3);
        assert_eq!(dropped, 1);
        assert_eq!(lines[0].len(), 10);
        assert_eq!(lines[1..], [v1::to_line(&invocation(1)), v1::to_line(&invocation(2))]);
    }

    #[test]
    fn an_interrupted_write_is_repeated() {
        let (lines, dropped) = written_with(vec![Err(ErrorKind::Interrupted.into())], 1);
        assert_eq!((lines.len(), dropped), (1, 0));
    }

    #[test]
    fn an_overlong_record_loses_its_content_only() {
        let sink = JsonlSink::to_writer(Vec::new());
        let mut long = invocation(1);
        long.label = Some("refund".into());
        long.input = Some("x".repeat(MAX_LINE_BYTES));
        sink.record(&long);
        let written = String::from_utf8(sink.output.into_inner().unwrap().writer).unwrap();
        assert_eq!(written.trim_end(), v1::to_line(&Invocation { input: None, ..long }));
        assert_eq!(sink.dropped.get(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_full_device_is_counted() {
        let sink = JsonlSink::open(Path::new("/dev/full")).unwrap();
        sink.record(&invocation(1));
        sink.flush();
        assert_eq!(sink.dropped(), 1);
    }
}

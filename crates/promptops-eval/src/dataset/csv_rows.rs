//! Rows of comma-separated values.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use serde_json::Value;

use super::MAX_ROW_BYTES;
use super::rows::{Event, Problem, Row};

/// What is read at most for one row: a row of the largest size, and what the reader takes beforehand.
const MOST_BYTES: usize = MAX_ROW_BYTES + (64 << 10);

/// Reads no more for one row than a row may have: without a closing quote, a row would have the whole rest of the file.
struct Bounded<R> {
    source: R,
    left: Arc<AtomicUsize>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(TooLong));
        }
        let most = buffer.len().min(left);
        let read = self.source.read(&mut buffer[..most])?;
        self.left.fetch_sub(read, Ordering::Relaxed);
        Ok(read)
    }
}

/// Says that a row does not end where it must.
#[derive(Debug)]
struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the row is too long")
    }
}

impl std::error::Error for TooLong {}

/// Returns the header and every row.
pub(super) fn events<R: Read + Send>(source: R) -> impl Iterator<Item = io::Result<Event>> + Send {
    // Rows of another length are told by us, with their line, and the next row is read all the same.
    let left = Arc::new(AtomicUsize::new(MOST_BYTES));
    let reader = ReaderBuilder::new().flexible(true).from_reader(Bounded { source, left: Arc::clone(&left) });
    CsvRows { reader, left, header: None, record: StringRecord::new(), has_ended: false }
}

struct CsvRows<R> {
    reader: csv::Reader<Bounded<R>>,
    left: Arc<AtomicUsize>,
    header: Option<Vec<String>>,
    record: StringRecord,
    has_ended: bool,
}

impl<R: Read> CsvRows<R> {
    fn read_header(&mut self) -> io::Result<Option<Event>> {
        let header = match self.reader.headers() {
            Ok(header) => header.iter().map(str::to_owned).collect::<Vec<_>>(),
            Err(error) => {
                self.has_ended = true;
                return unreadable(error, 1, 0..0).map(Some);
            }
        };
        if header.is_empty() {
            return Ok(None);
        }
        let span = 0..byte(self.reader.position().byte());
        Ok(Some(Event::Header { names: self.header.insert(header).clone(), span }))
    }

    fn read_row(&mut self) -> io::Result<Option<Event>> {
        let Some(header) = &self.header else { return self.read_header() };
        let start = self.reader.position().clone();
        self.left.store(MOST_BYTES, Ordering::Relaxed);
        let result = self.reader.read_record(&mut self.record);
        let span = byte(start.byte())..byte(self.reader.position().byte());
        // The reader skips empty lines, so the place before reading may lie above the row.
        let line = self.record.position().map_or(start.line(), csv::Position::line);
        Ok(Some(match result {
            Ok(false) => return Ok(None),
            Ok(true) if span.len() > MAX_ROW_BYTES => {
                Event::Problem(Problem::new(line, span, format!("the row is larger than {MAX_ROW_BYTES} bytes")))
            }
            Ok(true) if self.record.len() != header.len() => {
                let message = format!("the row has {} values, the header {}", self.record.len(), header.len());
                Event::Problem(Problem::new(line, span, message))
            }
            Ok(true) => {
                let pairs = header.iter().zip(&self.record);
                let values = pairs.map(|(column, cell)| (column.clone(), Value::String(cell.to_owned()))).collect();
                Event::Row(Row { line, span, values })
            }
            Err(error) => {
                // Where a row ends that is too long, so that the next one begins, is not known.
                self.has_ended |= is_too_long(&error);
                let line = error.position().map_or(start.line(), csv::Position::line);
                unreadable(error, line, span)?
            }
        }))
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let event = self.read_row().transpose();
        self.has_ended |= !matches!(event, Some(Ok(_)));
        event
    }
}

fn unreadable(error: csv::Error, line: u64, span: Range<usize>) -> io::Result<Event> {
    if is_too_long(&error) {
        let message = format!("the row is larger than {MAX_ROW_BYTES} bytes; perhaps a quote is not closed");
        return Ok(Event::Problem(Problem::new(line, span, message)));
    }
    Ok(Event::Problem(match error.into_kind() {
        ErrorKind::Io(error) => return Err(error),
        ErrorKind::Utf8 { .. } => Problem::no_text(line, span),
        other => Problem::new(line, span, format!("the row cannot be read: {other:?}")),
    }))
}

fn is_too_long(error: &csv::Error) -> bool {
    matches!(error.kind(), ErrorKind::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<TooLong>()))
}

fn byte(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that never ends: a header, two rows, then a quote that nobody closes.
    struct Endless {
        beginning: &'static [u8],
        given: Arc<AtomicUsize>,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = match self.beginning {
                [] => {
                    buffer.fill(b'x');
                    buffer.len()
                }
                _ => self.beginning.read(buffer)?,
            };
            self.given.fetch_add(read, Ordering::Relaxed);
            Ok(read)
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_with_its_line_and_not_read_to_the_end() {
        for (beginning, line) in [(&b"id,text\na,x\nb,\"y\nz\"\nc,\"open\n"[..], 5), (&b"id,\"text\n"[..], 1)] {
            let given = Arc::new(AtomicUsize::new(0));
            let events = events(Endless { beginning, given: Arc::clone(&given) }).collect::<io::Result<Vec<Event>>>().unwrap();
            let Some(Event::Problem(problem)) = events.last() else { panic!("the last event is a problem") };
            assert_eq!(problem.message, "the row is larger than 4194304 bytes; perhaps a quote is not closed");
            assert_eq!(problem.line, line);
            assert!(given.load(Ordering::Relaxed) <= 2 * MOST_BYTES);
        }
    }
}

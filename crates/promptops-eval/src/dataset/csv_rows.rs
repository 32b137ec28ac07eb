//! Rows of comma-separated values.

use std::io::{self, Read};
use std::ops::Range;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use serde_json::Value;

use super::MAX_ROW_BYTES;
use super::rows::{Event, Problem, Row};

/// Returns the header and every row.
pub(super) fn events<R: Read + Send>(source: R) -> impl Iterator<Item = io::Result<Event>> + Send {
    // Rows of another length are told by us, with their line, and the next row is read all the same.
    let reader = ReaderBuilder::new().flexible(true).from_reader(source);
    CsvRows { reader, header: None, record: StringRecord::new(), has_ended: false }
}

struct CsvRows<R> {
    reader: csv::Reader<R>,
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
                let line = error.position().map_or(line, csv::Position::line);
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
    Ok(Event::Problem(match error.into_kind() {
        ErrorKind::Io(error) => return Err(error),
        ErrorKind::Utf8 { .. } => Problem::no_text(line, span),
        other => Problem::new(line, span, format!("the row cannot be read: {other:?}")),
    }))
}

fn byte(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

//! Rows of a CSV file.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::mapping::{Rule, Rules};
use super::{ColumnMapping, ImportError, MAX_ROW_BYTES, RejectedRow, Row, listed};
use crate::hash::derived_id;
use crate::record::Invocation;

pub(super) struct CsvRows<R> {
    reader: Reader<Guarded<R>>,
    /// Bytes that may still be read before the next row must begin.
    allowance: Arc<AtomicUsize>,
    mapping: ColumnMapping,
    /// Each rule with the position of its column.
    rules: Vec<(Rule, usize)>,
    header: ByteRecord,
    row: ByteRecord,
    /// Rows read so far.
    number: u64,
}

impl<R: BufRead> CsvRows<R> {
    pub(super) fn new(reader: R, mapping: &ColumnMapping) -> Result<Self, ImportError> {
        let allowance = Arc::new(AtomicUsize::new(MAX_ROW_BYTES));
        let guarded = Guarded { inner: reader, allowance: Arc::clone(&allowance) };
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(guarded);
        let header = match reader.byte_headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(failure(error, &allowance, 1)),
        };
        if header.is_empty() {
            return Err(ImportError::NoHeader);
        }
        let rules = located(mapping, &header)?;
        Ok(Self { reader, allowance, mapping: mapping.clone(), rules, header, row: ByteRecord::new(), number: 0 })
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, ImportError> {
        self.allowance.store(MAX_ROW_BYTES, Ordering::Relaxed);
        let begin = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.row) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(failure(error, &self.allowance, begin)),
        }
        self.number += 1;
        let line = self.row.position().map_or(begin, csv::Position::line);
        Ok(Some(self.invocation().map_err(|reason| RejectedRow { line, reason })))
    }

    fn invocation(&self) -> Result<Invocation, String> {
        if self.row.len() != self.header.len() {
            return Err(format!("the row has {} fields, the header {}", self.row.len(), self.header.len()));
        }
        let values = self.rules.iter().map(|(rule, position)| {
            let text = std::str::from_utf8(&self.row[*position])
                .map_err(|error| format!("column `{}`: invalid UTF-8 at byte {}", rule.column, error.valid_up_to() + 1));
            (rule, text)
        });
        let mut record = self.mapping.record(values)?;
        if record.invocation_id.is_nil() {
            let number = self.number.to_be_bytes();
            let mut parts: Vec<&[u8]> = vec![b"csv", &number];
            parts.extend(&self.header);
            parts.extend(&self.row);
            record.invocation_id = derived_id(record.time, &parts);
        }
        Ok(record)
    }
}

/// Finds the column of each rule.
fn located(mapping: &ColumnMapping, header: &ByteRecord) -> Result<Vec<(Rule, usize)>, ImportError> {
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let present = || listed(names.iter().map(String::as_str));
    match &mapping.rules {
        Rules::SameNames => {
            let rules: Vec<(Rule, usize)> =
                names.iter().enumerate().filter_map(|(position, name)| Some((Rule::same_name(name)?, position))).collect();
            if !rules.iter().any(|(rule, _)| rule.is_time()) {
                return Err(ImportError::NoTime { present: present() });
            }
            Ok(rules)
        }
        Rules::Given(rules) => rules
            .iter()
            .map(|rule| {
                let position = names.iter().position(|name| *name == rule.column);
                let position = position.ok_or_else(|| ImportError::MissingColumn {
                    column: rule.column.clone(),
                    field: rule.name.clone(),
                    present: present(),
                })?;
                Ok((rule.clone(), position))
            })
            .collect(),
    }
}

/// Tells a row without end from a disk that failed.
fn failure(error: csv::Error, allowance: &AtomicUsize, line: u64) -> ImportError {
    match error.into_kind() {
        ErrorKind::Io(_) if allowance.load(Ordering::Relaxed) == 0 => ImportError::RowTooLong { line },
        ErrorKind::Io(source) => ImportError::Read { line, source },
        // A flexible reader of bytes meets no other kind.
        _ => ImportError::Read { line, source: io::Error::other("the CSV cannot be read") },
    }
}

/// Fails a read once a row has taken more than its allowance, since the CSV reader itself keeps growing its buffer.
struct Guarded<R> {
    inner: R,
    allowance: Arc<AtomicUsize>,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other("the row is too long"));
        }
        let wanted = buffer.len().min(left);
        let read = self.inner.read(&mut buffer[..wanted])?;
        self.allowance.store(left - read, Ordering::Relaxed);
        Ok(read)
    }
}

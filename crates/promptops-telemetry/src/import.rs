//! Foreign files as invocation records: JSON lines, and CSV with a column mapping.
//!
//! Rows stream: memory holds one row at a time, whatever the size of the file. A row that cannot be read is left out and
//! reported with its line and reason; only a file that cannot be read at all ends the import with an error.
//!
//! # Counting once
//!
//! A row that names no invocation id gets one derived from the row itself: its time, its number in the file and all its
//! bytes (for CSV the header too). The name of the file and the column mapping do not enter. So the same file imported
//! again, under another name or after rows were appended to it, yields the same ids; equal rows at different places are
//! different invocations.
//!
//! ```
//! use promptops_telemetry::import::{ColumnMapping, Import};
//!
//! let mapping = ColumnMapping::parse(
//!     r#"
//!     [columns]
//!     time = { column = "asked" }
//!     latency_ms = { column = "seconds", scale = 1000 }
//!     "#,
//! )?;
//! let file = "asked,seconds\n2026-05-01 12:00:00,0.5\nlater,0.5\n";
//! let mut rows = Import::csv(file.as_bytes(), &mapping, "answers.csv")?;
//! let first = rows.next().expect("a row")?;
//! assert_eq!(first.latency_ms, Some(500.0));
//! assert!(rows.next().is_none());
//! assert_eq!(rows.rejected().first[0].line, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv_rows;
mod field;
mod jsonl_rows;
mod mapping;
mod time_format;

pub use mapping::{ColumnMapping, MappingError};

use std::io::{self, BufRead};

use crate::hash::content_hash;
use crate::record::Invocation;
use csv_rows::CsvRows;
use jsonl_rows::JsonlRows;

/// Longest row that is read, bytes. A longer line of JSON is rejected; a longer CSV row, most often an unclosed quote,
/// ends the import.
pub const MAX_ROW_BYTES: usize = 16 * 1024 * 1024;

/// How many rejected rows are kept with their reasons; all of them are counted.
pub const MAX_REASONS: usize = 100;

/// Reads invocations from a file, one at a time.
///
/// Iterate until the end, then ask [`Import::rejected`] what was left out. After an error the iterator ends.
pub struct Import<R> {
    rows: Rows<R>,
    source: String,
    rejected: Rejected,
    ended: bool,
}

enum Rows<R> {
    Jsonl(JsonlRows<R>),
    Csv(Box<CsvRows<R>>),
}

/// One row: an invocation, or why there is none.
type Row = Result<Invocation, RejectedRow>;

/// What an import left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many rows were left out.
    pub count: u64,
    /// The first of them, at most [`MAX_REASONS`], in the order of the file.
    pub first: Vec<RejectedRow>,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Line of the file that the row begins on, from 1.
    pub line: u64,
    /// Why, as a lower-case fragment.
    pub reason: String,
}

/// The file as a whole cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Reading failed; try again, or look after the disk.
    #[error("reading stopped at line {line}")]
    Read {
        /// Line that was being read, from 1.
        line: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing can be read from the file: correct its format, or choose the right one.
    #[error("the file has no header row")]
    NoHeader,
    /// The mapping names a column that the file does not have: correct the mapping.
    #[error("the file has no column `{column}`, which the mapping wants for `{field}`; it has {present}")]
    MissingColumn {
        /// Column that the mapping names.
        column: String,
        /// Field that it is mapped to.
        field: String,
        /// Columns that the file has, listed for the reader.
        present: String,
    },
    /// No column gives the time: the file needs a mapping.
    #[error("no column is called `time`; the file has {present}")]
    NoTime {
        /// Columns that the file has, listed for the reader.
        present: String,
    },
    /// A row has no end in sight: correct the file, most often a quote that is never closed.
    #[error(
        "the row that begins at line {line} is longer than {MAX_ROW_BYTES} bytes, which suggests a quote that is never closed"
    )]
    RowTooLong {
        /// Line that the row begins on, from 1.
        line: u64,
    },
}

impl<R: BufRead> Import<R> {
    /// Reads JSON lines in the wire form [`crate::v1`]. Rows that name no source get `source`.
    pub fn jsonl(reader: R, source: &str) -> Self {
        Self::new(Rows::Jsonl(JsonlRows::new(reader)), source)
    }

    /// Reads CSV with a header row, taking fields from columns as `mapping` says. Rows get `source` unless the mapping
    /// says otherwise.
    ///
    /// # Errors
    ///
    /// When the header cannot be read or lacks a column that the mapping names.
    pub fn csv(reader: R, mapping: &ColumnMapping, source: &str) -> Result<Self, ImportError> {
        Ok(Self::new(Rows::Csv(Box::new(CsvRows::new(reader, mapping)?)), source))
    }

    fn new(rows: Rows<R>, source: &str) -> Self {
        Self { rows, source: source.to_owned(), rejected: Rejected::default(), ended: false }
    }

    /// Returns what was left out so far.
    #[must_use]
    pub const fn rejected(&self) -> &Rejected {
        &self.rejected
    }
}

impl<R: BufRead> Iterator for Import<R> {
    type Item = Result<Invocation, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let row = match &mut self.rows {
                Rows::Jsonl(rows) => rows.next_row(),
                Rows::Csv(rows) => rows.next_row(),
            };
            match row {
                Ok(Some(Ok(mut invocation))) => {
                    describe_content(&mut invocation);
                    invocation.source.get_or_insert_with(|| self.source.clone());
                    return Some(Ok(invocation));
                }
                Ok(Some(Err(rejected))) => self.rejected.add(rejected),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Rejected {
    fn add(&mut self, row: RejectedRow) {
        self.count += 1;
        if self.first.len() < MAX_REASONS {
            self.first.push(row);
        }
    }
}

/// Fills in what follows from the content where the row does not say it.
fn describe_content(invocation: &mut Invocation) {
    if let (None, Some(input)) = (&invocation.input_hash, &invocation.input) {
        invocation.input_hash = Some(content_hash(input));
    }
    if let (None, Some(output)) = (invocation.output_length, &invocation.output) {
        invocation.output_length = Some(output.chars().count() as u64);
    }
}

/// Quotes a value for a reason, cut to a length that can be read.
pub(crate) fn quoted(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = value.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Lists names for the reader of an error.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(quoted).collect();
    if names.is_empty() { "no columns".to_owned() } else { names.join(", ") }
}

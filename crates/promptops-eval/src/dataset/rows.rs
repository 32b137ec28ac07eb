//! The rows of a source: what is read before anybody asks what it means, and the cases when it is read again.

use std::io::{self, BufReader};
use std::ops::Range;

use serde_json::{Map, Value};

use super::source::{Hash, Hashing, Source};
use super::{Case, Dataset, DatasetError, Format, builder, csv_rows, jsonl_rows, yaml_rows};

/// A row before its meaning is known.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) span: Range<usize>,
    pub(super) values: Map<String, Value>,
}

/// What is wrong with a row, or with the file from here on.
pub(super) struct Problem {
    pub(super) line: u64,
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(line: u64, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { line, span, message: message.into(), hint: None }
    }

    /// Says that these bytes are no text.
    pub(super) fn no_text(line: u64, span: Range<usize>) -> Self {
        let hint = "write the file as UTF-8; `iconv -f WINDOWS-1252 -t UTF-8` converts Latin-1 and Windows-1252";
        Self { hint: Some(hint), ..Self::new(line, span, "the row is not UTF-8") }
    }
}

/// What a reader of rows meets.
pub(super) enum Event {
    /// The names of the columns, in formats that state them once.
    Header { names: Vec<String>, span: Range<usize> },
    /// A row.
    Row(Row),
    /// Something that is neither.
    Problem(Problem),
}

/// Everything that a source holds, in its order.
pub(super) type Events = Box<dyn Iterator<Item = io::Result<Event>> + Send>;

/// Starts to read; the hash is that of the source once the last event was taken.
pub(super) fn open(format: Format, source: &Source) -> io::Result<(Events, Hash)> {
    if format == Format::Parquet {
        return open_parquet(source);
    }
    let hash = Hash::default();
    let mut reader = BufReader::new(Hashing::new(source.open()?, hash.clone()));
    if let Some(problem) = super::source::wide_text(&mut reader)? {
        return Ok((Box::new(std::iter::once(Ok(Event::Problem(problem)))), hash));
    }
    let events: Events = match format {
        Format::Csv => Box::new(csv_rows::events(reader)),
        Format::JsonLines => Box::new(jsonl_rows::events(reader)),
        Format::Yaml => Box::new(yaml_rows::events(reader)),
        // Read above.
        Format::Parquet => Box::new(std::iter::empty()),
    };
    Ok((events, hash))
}

/// Parquet is not read from its start to its end, so it is hashed beforehand.
#[cfg(feature = "parquet")]
fn open_parquet(source: &Source) -> io::Result<(Events, Hash)> {
    let hash = Hash::default();
    io::copy(&mut Hashing::new(source.open()?, hash.clone()), &mut io::sink())?;
    Ok((super::parquet_rows::events(source)?, hash))
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(_: &Source) -> io::Result<(Events, Hash)> {
    let problem = Problem::new(1, 0..0, "this build of promptops reads no Parquet");
    Ok((Box::new(std::iter::once(Ok(Event::Problem(problem)))), Hash::default()))
}

/// The cases of a dataset, read again.
pub struct Rows<'a> {
    dataset: &'a Dataset,
    state: State,
    index: usize,
}

enum State {
    /// Nothing was read yet.
    New,
    /// In the middle.
    Open(Events, Hash),
    /// After the last row or an error.
    Ended,
}

impl<'a> Rows<'a> {
    pub(super) fn new(dataset: &'a Dataset) -> Self {
        Self { dataset, state: State::New, index: 0 }
    }

    fn read(&mut self) -> Result<Option<Case>, DatasetError> {
        if let Source::Held(cases) = &self.dataset.source {
            self.index += 1;
            return Ok(cases.get(self.index - 1).cloned());
        }
        if let State::New = self.state {
            let (events, hash) = open(self.dataset.format, &self.dataset.source).map_err(DatasetError::Io)?;
            self.state = State::Open(events, hash);
        }
        let State::Open(events, hash) = &mut self.state else { return Ok(None) };
        let changed = || DatasetError::Changed { path: self.dataset.path.clone() };
        for event in events {
            let row = match event.map_err(DatasetError::Io)? {
                Event::Header { .. } => continue,
                Event::Row(row) => row,
                Event::Problem(_) => return Err(changed()),
            };
            let head = self.dataset.heads.get(self.index).ok_or_else(changed)?;
            // What else differs shows in the digest, but only at the end; a shifted row would be judged by another's head.
            let name = builder::name(&self.dataset.roles, self.index, &row.values);
            if head.line != row.line || name.as_deref() != Ok(head.name.as_str()) {
                return Err(changed());
            }
            self.index += 1;
            return Ok(Some(Case { head, values: row.values }));
        }
        if hash.digest() == self.dataset.digest { Ok(None) } else { Err(changed()) }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Case, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Ended;
        }
        item
    }
}

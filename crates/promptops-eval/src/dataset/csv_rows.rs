//! Rows of comma-separated values.

use std::io::{self, Read};
use std::ops::Range;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use serde_json::Value;

use super::{Builder, MAX_ROW_BYTES, Row};

/// Reads every row into `builder`.
pub(super) fn read(source: impl Read, builder: &mut Builder<'_>) -> io::Result<()> {
    // Rows of another length are told by us, with their line, and the next row is read all the same.
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
    let Some(header) = read_header(&mut reader, builder)? else { return Ok(()) };
    let mut record = StringRecord::new();
    while !builder.is_full() {
        let start = reader.position().clone();
        let result = reader.read_record(&mut record);
        let span = byte(start.byte())..byte(reader.position().byte());
        // The reader skips empty lines, so the place before reading may lie above the row.
        let line = record.position().map_or(start.line(), csv::Position::line);
        match result {
            Ok(false) => return Ok(()),
            Ok(true) if span.len() > MAX_ROW_BYTES => {
                builder.problem(line, span, &format!("the row is larger than {MAX_ROW_BYTES} bytes"));
            }
            Ok(true) if record.len() != header.len() => {
                let message = format!("the row has {} values, the header {}", record.len(), header.len());
                builder.problem(line, span, &message);
            }
            Ok(true) => {
                let pairs = header.iter().zip(&record);
                let values = pairs.map(|(column, cell)| (column.clone(), Value::String(cell.to_owned()))).collect();
                builder.add(Row { line, span, values });
            }
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                unreadable(error, line, span, builder)?;
            }
        }
    }
    Ok(())
}

/// Returns the names of the columns, or nothing when the header is not good enough to go on.
fn read_header<R: Read>(reader: &mut csv::Reader<R>, builder: &mut Builder<'_>) -> io::Result<Option<Vec<String>>> {
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            unreadable(error, 1, 0..0, builder)?;
            return Ok(None);
        }
    };
    if header.is_empty() {
        return Ok(None);
    }
    let span = 0..byte(reader.position().byte());
    let mut names: Vec<String> = Vec::new();
    for name in &header {
        if names.iter().any(|seen| seen == name) {
            builder.problem(1, span.clone(), &format!("column `{name}` is there twice"));
            return Ok(None);
        }
        builder.see_column(name);
        names.push(name.to_owned());
    }
    let missing = builder.missing(|column| names.iter().any(|name| name == column));
    if !missing.is_empty() {
        let message = format!("the header lacks `{}`; its columns are `{}`", missing.join("`, `"), names.join("`, `"));
        builder.problem(1, span, &message);
        return Ok(None);
    }
    Ok(Some(names))
}

fn unreadable(error: csv::Error, line: u64, span: Range<usize>, builder: &mut Builder<'_>) -> io::Result<()> {
    match error.into_kind() {
        ErrorKind::Io(error) => return Err(error),
        ErrorKind::Utf8 { .. } => builder.problem(line, span, "the row is not UTF-8"),
        other => builder.problem(line, span, &format!("the row cannot be read: {other:?}")),
    }
    Ok(())
}

fn byte(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

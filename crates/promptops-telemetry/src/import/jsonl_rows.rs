//! Rows of a JSONL file.

use std::io::{self, BufRead, ErrorKind};

use super::{ImportError, MAX_ROW_BYTES, RejectedRow, Row, quoted};
use crate::hash::derived_id;
use crate::v1::{InvocationV1, SCHEMA_VERSION};

pub(super) struct JsonlRows<R> {
    reader: R,
    /// Lines read so far.
    line: u64,
    buffer: Vec<u8>,
}

enum Line {
    End,
    Whole,
    TooLong,
}

impl<R: BufRead> JsonlRows<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, line: 0, buffer: Vec::new() }
    }

    /// Reads the next line that is not blank.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, ImportError> {
        loop {
            self.line += 1;
            let line =
                read_line(&mut self.reader, &mut self.buffer).map_err(|source| ImportError::Read { line: self.line, source })?;
            match line {
                Line::End => return Ok(None),
                Line::TooLong => {
                    let reason = format!("the line is longer than {MAX_ROW_BYTES} bytes");
                    return Ok(Some(Err(RejectedRow { line: self.line, reason })));
                }
                Line::Whole => {}
            }
            let mut bytes = self.buffer.trim_ascii();
            if self.line == 1 {
                bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
            }
            if !bytes.is_empty() {
                let row = invocation(bytes, self.line);
                return Ok(Some(row.map_err(|reason| RejectedRow { line: self.line, reason })));
            }
        }
    }
}

fn invocation(bytes: &[u8], line: u64) -> Result<crate::Invocation, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("invalid UTF-8 at byte {}", error.valid_up_to() + 1))?;
    // The parser would also take an array, its elements as fields in the order of the type.
    if !text.starts_with('{') {
        return Err(format!("not a JSON object: {}", quoted(text)));
    }
    let wire: InvocationV1 = serde_json::from_str(text).map_err(|error| reason(&error))?;
    if wire.schema_version != SCHEMA_VERSION {
        return Err(format!("schema version `{}` is not the one that is known, `{SCHEMA_VERSION}`", wire.schema_version));
    }
    if wire.prompt_version == Some(0) {
        return Err("`prompt_version` begins at 1, not `0`".to_owned());
    }
    for (name, number) in
        [("latency_ms", wire.latency_ms), ("time_to_first_token_ms", wire.time_to_first_token_ms), ("cost_usd", wire.cost_usd)]
    {
        if let Some(number) = number.filter(|number| *number < 0.0) {
            return Err(format!("`{name}` is negative: {}", quoted(&number.to_string())));
        }
    }
    Ok(wire.into_invocation(|time| derived_id(time, &[b"jsonl", &line.to_be_bytes(), bytes])))
}

/// Words the parser's message for one line: its line number is always 1.
fn reason(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

/// Reads one line without its end into `buffer`, keeping no more than [`MAX_ROW_BYTES`].
fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let mut read_any = false;
    let mut too_long = false;
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(match (read_any, too_long) {
                (false, _) => Line::End,
                (true, false) => Line::Whole,
                (true, true) => Line::TooLong,
            });
        }
        read_any = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let content = &available[..end.unwrap_or(available.len())];
        too_long |= buffer.len() + content.len() > MAX_ROW_BYTES;
        if too_long {
            buffer.clear();
        } else {
            buffer.extend_from_slice(content);
        }
        let used = end.map_or(available.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

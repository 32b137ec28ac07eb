//! Rows of JSON Lines.

use std::io::{self, BufRead};
use std::ops::Range;

use serde_json::Value;

use super::MAX_ROW_BYTES;
use super::rows::{Event, Problem, Row};

/// Returns every row.
pub(super) fn events<R: BufRead + Send>(source: R) -> impl Iterator<Item = io::Result<Event>> + Send {
    JsonlRows { source, bytes: Vec::new(), start: 0, line: 0, has_ended: false }
}

struct JsonlRows<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    line: u64,
    has_ended: bool,
}

impl<R: BufRead> JsonlRows<R> {
    fn read_row(&mut self) -> io::Result<Option<Event>> {
        loop {
            self.bytes.clear();
            let limit = MAX_ROW_BYTES as u64 + 1;
            let count = io::Read::take(&mut self.source, limit).read_until(b'\n', &mut self.bytes)?;
            if count == 0 {
                return Ok(None);
            }
            self.line += 1;
            let (line, span) = (self.line, self.start..self.start + count);
            self.start = span.end;
            if count > MAX_ROW_BYTES {
                // The rest of the row would look like rows of its own.
                self.has_ended = true;
                let message = format!("the row is larger than {MAX_ROW_BYTES} bytes");
                return Ok(Some(Event::Problem(Problem::new(line, span, message))));
            }
            let text = self.bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).filter(|_| line == 1).unwrap_or(&self.bytes);
            if !text.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(row(text, line, span)));
            }
        }
    }
}

impl<R: BufRead> Iterator for JsonlRows<R> {
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

fn row(text: &[u8], line: u64, span: Range<usize>) -> Event {
    let Ok(text) = std::str::from_utf8(text) else { return Event::Problem(Problem::no_text(line, span)) };
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Event::Row(Row { line, span, values }),
        Ok(_) => Event::Problem(Problem::new(line, span, "the row is not a JSON object")),
        // The parser counts lines of the row, which is always the first.
        Err(error) => Event::Problem(Problem::new(line, span, format!("the row is not JSON, near column {}", error.column()))),
    }
}

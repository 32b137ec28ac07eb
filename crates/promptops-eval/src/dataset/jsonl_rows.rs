//! Rows of JSON Lines.

use std::io::{self, BufRead, Read as _};
use std::ops::Range;

use serde_json::Value;

use super::{Builder, MAX_ROW_BYTES, Row};

/// Reads every row into `builder`.
pub(super) fn read(mut source: impl BufRead, builder: &mut Builder<'_>) -> io::Result<()> {
    let (mut start, mut line) = (0, 0);
    let mut bytes = Vec::new();
    while !builder.is_full() {
        bytes.clear();
        let limit = MAX_ROW_BYTES as u64 + 1;
        let count = source.by_ref().take(limit).read_until(b'\n', &mut bytes)?;
        if count == 0 {
            break;
        }
        line += 1;
        let span = start..start + count;
        start = span.end;
        if count > MAX_ROW_BYTES {
            // The rest of the row would look like rows of its own.
            builder.problem(line, span, &format!("the row is larger than {MAX_ROW_BYTES} bytes"));
            break;
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).filter(|_| line == 1).unwrap_or(&bytes);
        if !text.iter().all(u8::is_ascii_whitespace) {
            add(text, line, span, builder);
        }
    }
    Ok(())
}

fn add(text: &[u8], line: u64, span: Range<usize>, builder: &mut Builder<'_>) {
    let Ok(text) = std::str::from_utf8(text) else { return builder.problem(line, span, "the row is not UTF-8") };
    let values = match serde_json::from_str(text) {
        Ok(Value::Object(values)) => values,
        Ok(_) => return builder.problem(line, span, "the row is not a JSON object"),
        // The parser counts lines of the row, which is always the first.
        Err(error) => return builder.problem(line, span, &format!("the row is not JSON, near column {}", error.column())),
    };
    let missing = builder.missing(|column| values.contains_key(column));
    if !missing.is_empty() {
        return builder.problem(line, span, &format!("the row lacks `{}`", missing.join("`, `")));
    }
    for column in values.keys() {
        builder.see_column(column);
    }
    builder.add(Row { line, span, values });
}

//! What was received: checked, and as the log keeps it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::Error;

use crate::record::{Invocation, OutOfRange};
use crate::v1::{InvocationV1, SCHEMA_VERSION};

/// Records that were checked, as lines of the wire form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    pub(super) lines: Vec<u8>,
    records: usize,
}

/// A record is not taken, and with it nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// What was sent is no list of records.
    #[error("what was sent is neither a JSON array of records nor one record a line: {0}")]
    NotRecords(#[source] Error),
    /// One of them is none.
    #[error("record {number}: {source}")]
    NotARecord {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        source: Error,
    },
    /// One of them cannot be told from others when it is sent again.
    #[error("record {number} has no `invocation_id`")]
    NoId {
        /// Which one, from 1.
        number: usize,
    },
    /// One of them is of a later form than this program knows.
    #[error("record {number} has schema version {version}; {SCHEMA_VERSION} is the latest known here")]
    LaterVersion {
        /// Which one, from 1.
        number: usize,
        /// Its version.
        version: u32,
    },
    /// One of them has a value that no lake holds.
    #[error("record {number}: {source}")]
    OutOfRange {
        /// Which one, from 1.
        number: usize,
        /// Which value.
        source: OutOfRange,
    },
}

impl Received {
    /// Reads a JSON array of records in the wire form [`crate::v1`], one record, or one record a line.
    ///
    /// # Errors
    /// [`ReceiveError`] for the first record that is not taken.
    pub fn json(body: &[u8]) -> Result<Self, ReceiveError> {
        let text = std::str::from_utf8(body).map_err(|error| ReceiveError::NotRecords(Error::custom(error)))?;
        let mut received = Self { lines: Vec::with_capacity(body.len() + 1), records: 0 };
        match text.trim_ascii_start().strip_prefix('[') {
            Some(items) => received.take_array(items)?,
            None => received.take_lines(text)?,
        }
        Ok(received)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`OutOfRange`] for one that no lake holds; it is then left out.
    pub fn push(&mut self, record: &Invocation) -> Result<(), OutOfRange> {
        record.check_range()?;
        serde_json::to_writer(&mut self.lines, &InvocationV1::from(record)).expect("memory can be written, and a record is JSON");
        self.lines.push(b'\n');
        self.records += 1;
        Ok(())
    }

    /// Returns how many records there are.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Returns the bytes that the log will keep.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// Returns the records as lines of the wire form.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    fn take_lines(&mut self, text: &str) -> Result<(), ReceiveError> {
        let mut items = serde_json::Deserializer::from_str(text).into_iter();
        let mut start = 0;
        while let Some(item) = items.next() {
            expect_no_array(&text[start..])?;
            self.take(item, &text[start..items.byte_offset()])?;
            start = items.byte_offset();
        }
        Ok(())
    }

    /// Takes what comes after the opening bracket.
    fn take_array(&mut self, items: &str) -> Result<(), ReceiveError> {
        let not_records = |reason: &str| Err(ReceiveError::NotRecords(Error::custom(reason)));
        let mut rest = items.trim_ascii_start();
        if rest.starts_with(']') {
            rest = rest[1..].trim_ascii_start();
            return if rest.is_empty() { Ok(()) } else { not_records("something follows the array") };
        }
        loop {
            expect_no_array(rest)?;
            let mut items = serde_json::Deserializer::from_str(rest).into_iter();
            let Some(item) = items.next() else { return not_records("the array is not closed") };
            let end = items.byte_offset();
            self.take(item, &rest[..end])?;
            rest = rest[end..].trim_ascii_start();
            match rest.as_bytes().first() {
                Some(b',') => rest = &rest[1..],
                Some(b']') if rest[1..].trim_ascii_start().is_empty() => return Ok(()),
                _ => return not_records("the array is not closed, or something follows it"),
            }
        }
    }

    fn take(&mut self, item: Result<Checked, Error>, json: &str) -> Result<(), ReceiveError> {
        self.records += 1;
        let number = self.records;
        let record = item.map_err(|source| {
            if source.is_data() { ReceiveError::NotARecord { number, source } } else { ReceiveError::NotRecords(source) }
        })?;
        if record.schema_version > SCHEMA_VERSION {
            return Err(ReceiveError::LaterVersion { number, version: record.schema_version });
        }
        if record.invocation_id.is_none() {
            return Err(ReceiveError::NoId { number });
        }
        record.check_range().map_err(|source| ReceiveError::OutOfRange { number, source })?;
        let json = json.trim_ascii();
        if json.contains(['\n', '\r']) {
            // Written over several lines. Between texts a line feed is white space, within them there is none.
            self.lines.extend(json.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
        } else {
            self.lines.extend_from_slice(json.as_bytes());
        }
        self.lines.push(b'\n');
        Ok(())
    }
}

/// Refuses an array, which would be read as the members of a record in their order.
fn expect_no_array(json: &str) -> Result<(), ReceiveError> {
    if json.trim_ascii_start().starts_with('[') {
        return Err(ReceiveError::NotRecords(Error::custom("there is an array where a record should be")));
    }
    Ok(())
}

/// A record whose texts are only seen to be texts: what was received is kept as it is.
type Checked = InvocationV1<IsText>;

#[derive(Debug)]
struct IsText;

impl<'de> Deserialize<'de> for IsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;

        impl Visitor<'_> for AnyText {
            type Value = IsText;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<IsText, E> {
                Ok(IsText)
            }
        }

        deserializer.deserialize_str(AnyText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000001";

    fn lines(body: &str) -> Result<String, String> {
        Received::json(body.as_bytes())
            .map(|received| String::from_utf8(received.lines).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn arrays_single_records_and_lines_are_the_same() {
        let one = format!(r#"{{"time":"2026-05-01T12:00:00Z","invocation_id":"{ID}","output":"a\nb"}}"#);
        let expected = format!("{one}\n{one}\n");
        assert_eq!(lines(&format!("[{one}, {one}]")).unwrap(), expected);
        assert_eq!(lines(&format!(" {one}\n\n{one}")).unwrap(), expected);
        assert_eq!(lines(&format!("{one}{one}")).unwrap(), expected);
        assert_eq!(lines("[]").unwrap(), "");
        assert_eq!(lines("").unwrap(), "");
        let spread = one.replace(',', ",\r\n  ");
        assert_eq!(lines(&format!("[{spread}]")).unwrap(), one.replace(',', ",  ") + "\n");
    }

    #[test]
    fn the_first_record_that_is_none_is_named() {
        let good = format!(r#"{{"time":"2026-05-01T12:00:00Z","invocation_id":"{ID}"}}"#);
        for (bad, message) in [
            (r#"{"time":"2026-05-01T12:00:00Z"}"#, "record 2 has no `invocation_id`"),
            (r#"{"invocation_id":"x"}"#, "record 2: UUID parsing failed"),
            (r#"{"time":"yesterday"}"#, "record 2: `time` is not as `2026-05-01T10:00:00Z`: `yesterday`"),
            ("7", "record 2: invalid type: integer `7`"),
            (
                &good.replace("{\"time", r#"{"schema_version":2,"time"#),
                "record 2 has schema version 2; 1 is the latest known here",
            ),
            (&good.replace("2026", "0001"), "record 2: the year of `time` is not within 1970 to 9999"),
            (
                &good.replace("{\"time", r#"{"prompt_version":4000000000,"time"#),
                "record 2: `prompt_version` is out of range: `4000000000`",
            ),
        ] {
            let error = lines(&format!("[{good},{bad}]")).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        for bad in ["[", "[[]]", &format!("{good}[1]"), "[1,]", "nonsense", "{\"a\"", &format!("{good} ]")] {
            let error = lines(bad).unwrap_err();
            assert!(error.starts_with("what was sent is neither") || error.starts_with("record 1"), "{error}");
        }
    }
}

//! AWS's binary event streams, turned into server-sent events.
//!
//! A message is: its length, the length of its headers and a checksum of both (4 bytes each); the headers; the payload; a
//! checksum of all before it. Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>,
//! which Bedrock shares.

use serde_json::Value;

use super::server_sent_events::Event;

/// The longest message that is read; AWS's own limit is 16 MiB of payload.
const MAX_MESSAGE_BYTES: usize = 17 << 20;
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

/// Reads messages from bytes as they come.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// Takes the next bytes, and returns the messages that are complete now.
    ///
    /// # Errors
    /// What is wrong with the stream; it cannot be read further.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, &'static str> {
        self.bytes.extend_from_slice(bytes);
        let (mut events, mut start) = (Vec::new(), 0);
        while let Some(length) = message_length(&self.bytes[start..])? {
            if self.bytes.len() - start < length {
                break;
            }
            events.push(read(&self.bytes[start..start + length])?);
            start += length;
        }
        self.bytes.drain(..start);
        Ok(events)
    }

    /// Tells whether the stream ended between two messages.
    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

fn number(bytes: &[u8]) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

fn message_length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some(prelude) = bytes.get(..PRELUDE_BYTES) else { return Ok(None) };
    let checksum = crc32fast::hash(&prelude[..8]).to_be_bytes();
    let length = number(prelude).filter(|_| checksum == prelude[8..]).ok_or("has a message with a wrong checksum")?;
    if (PRELUDE_BYTES + CHECKSUM_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
        Ok(Some(length))
    } else {
        Err("has a message of an impossible length")
    }
}

fn read(message: &[u8]) -> Result<Event, &'static str> {
    let (content, checksum) = message.split_at(message.len() - CHECKSUM_BYTES);
    if crc32fast::hash(content).to_be_bytes() != checksum {
        return Err("has a message with a wrong checksum");
    }
    let headers_length = number(&content[4..]).unwrap_or(usize::MAX);
    let rest = &content[PRELUDE_BYTES..];
    let (headers, payload) = rest.split_at_checked(headers_length).ok_or("has a message whose headers are too long")?;
    let (mut name, mut fallback) = (String::new(), String::new());
    for (header, value) in texts(headers).ok_or("has a message whose headers cannot be read")? {
        match header.as_str() {
            ":event-type" | ":exception-type" => name = value,
            ":error-code" => fallback = value,
            _ => {}
        }
    }
    // An error that is not of the service's own kinds has a code instead of a type.
    let name = if name.is_empty() { format!("{fallback}Exception") } else { name };
    // Written anew, so that it is on one line whatever the service sent.
    let data = match serde_json::from_slice::<Value>(payload) {
        Ok(json) => json.to_string(),
        Err(_) => Value::String(String::from_utf8_lossy(payload).into_owned()).to_string(),
    };
    Ok(Event { name, data })
}

/// Reads the headers whose values are texts; the others are passed over.
fn texts(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let (length, rest) = match kind {
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            9 => (16, rest),
            6 | 7 => {
                let (length, rest) = rest.split_at_checked(2)?;
                (usize::from(u16::from_be_bytes([length[0], length[1]])), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if *kind == 7 {
            texts.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()));
        }
        bytes = rest;
    }
    Some(texts)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes a message with one text header.
    pub(in super::super) fn message(header: &str, value: &str, payload: &str) -> Vec<u8> {
        let mut headers = vec![header.len() as u8];
        headers.extend_from_slice(header.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
        let length = PRELUDE_BYTES + headers.len() + payload.len() + CHECKSUM_BYTES;
        let mut message = (length as u32).to_be_bytes().to_vec();
        message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
        message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
        message.extend_from_slice(&headers);
        message.extend_from_slice(payload.as_bytes());
        message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
        message
    }

    #[test]
    fn chunks_may_end_anywhere() {
        let stream = [
            message(":event-type", "contentBlockDelta", "{\n\"a\": 1}"),
            message(":exception-type", "throttlingException", "{\"message\":\"slow\"}"),
            message(":error-code", "Internal", "no json"),
        ]
        .concat();
        for size in 1..stream.len() {
            let mut reader = Reader::default();
            let events: Vec<Event> = stream.chunks(size).flat_map(|chunk| reader.push(chunk).unwrap()).collect();
            let events: Vec<_> = events.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
            let expected = [
                ("contentBlockDelta", "{\"a\":1}"),
                ("throttlingException", "{\"message\":\"slow\"}"),
                ("InternalException", "\"no json\""),
            ];
            assert_eq!(events, expected);
            assert!(reader.is_at_end());
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let stream = message(":event-type", "messageStop", "{\"stopReason\":\"end_turn\"}");
        for index in 0..stream.len() {
            let mut changed = stream.clone();
            changed[index] ^= 0x10;
            assert!(Reader::default().push(&changed).is_err(), "byte {index}");
        }
    }

    #[test]
    fn a_stream_that_breaks_off_has_a_rest() {
        let stream = message(":event-type", "messageStop", "{}");
        let mut reader = Reader::default();
        assert_eq!(reader.push(&stream[..stream.len() - 1]), Ok(vec![]));
        assert!(!reader.is_at_end());
    }
}

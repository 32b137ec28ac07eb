//! Server-sent events, as the WHATWG's HTML standard defines them: what streams of answers are made of.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; empty where the stream gives none.
    pub(super) name: String,
    /// Its data; several lines are joined.
    pub(super) data: String,
}

/// Reads every complete event of a text.
///
/// An event that no empty line ends is incomplete by the standard. The last one of a text counts all the same when its data is whole
/// JSON, as the vendors' clients have it: nothing of it can be missing, and some streams end with their last character.
pub(super) fn read(text: &str) -> Vec<Event> {
    let mut reader = Reader::default();
    reader.push(text.as_bytes());
    if !reader.line.is_empty() {
        reader.end_line();
    }
    if reader.data.as_deref().is_some_and(|data| serde_json::from_str::<IgnoredAny>(data).is_ok()) {
        reader.end_line();
    }
    std::mem::take(&mut reader.events)
}

/// Reads events from bytes as they come.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    after_return: bool,
    name: String,
    data: Option<String>,
    /// Events that are complete and were not taken yet.
    pub(super) events: Vec<Event>,
}

impl Reader {
    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => self.end_line(),
                _ => self.line.push(*byte),
            }
            self.after_return = *byte == b'\r';
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(data) = self.data.take() {
                self.events.push(Event { name, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment keeps the connection open; ids and pauses are for readers that come back.
            _ => {}
        }
    }
}

/// Writes one event. `data` must be on one line, as JSON is that nobody indented.
pub(super) fn write(text: &mut String, name: &str, data: &str) {
    // Writing to a string cannot fail.
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn reads_names_and_data_whatever_ends_the_lines() {
        let text = "\u{feff}: hello\n\ndata: {\"a\": 1}\n\nevent: stop\r\ndata:x\r\ndata: y\r\n\r\nid: 7\rdata\r\rdata: cut";
        assert_eq!(read(text), [event("", "{\"a\": 1}"), event("stop", "x\ny"), event("", "")]);
    }

    #[test]
    fn the_last_event_needs_no_empty_line_when_nothing_of_it_is_missing() {
        for end in ["", "\n", "\r\n"] {
            let text = format!("data: 1\n\nevent: stop\ndata: {{\"type\": \"stop\"}}{end}");
            assert_eq!(read(&text), [event("", "1"), event("stop", "{\"type\": \"stop\"}")]);
        }
        assert_eq!(read("data: 1\n\nevent: stop\ndata: {\"type\": \"st"), [event("", "1")]);
        assert_eq!(read("data: 1\n\nevent: stop"), [event("", "1")]);
    }

    #[test]
    fn chunks_may_end_anywhere() {
        let text = "event: a\ndata: é\r\n\r\ndata: [DONE]\n\n";
        for size in 1..text.len() {
            let mut reader = Reader::default();
            text.as_bytes().chunks(size).for_each(|chunk| reader.push(chunk));
            assert_eq!(reader.events, [event("a", "é"), event("", "[DONE]")], "{size}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut text = String::new();
        write(&mut text, "messageStop", "{}");
        write(&mut text, "metadata", "{\"x\": \"a b\"}");
        assert_eq!(read(&text), [event("messageStop", "{}"), event("metadata", "{\"x\": \"a b\"}")]);
    }
}

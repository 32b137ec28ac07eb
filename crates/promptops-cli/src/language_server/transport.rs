//! How messages come in and go out: a header with the length, then JSON.

use std::io::{BufRead, Read as _, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use lsp_server::Message;

/// The most bytes of one message. A file that is read has fewer.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// The most bytes of one line of a header.
const MAX_HEADER_BYTES: u64 = 4 << 10;
/// So many messages wait at most.
const WAITING: usize = 64;

/// What came in.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(Message),
    /// A body that is no message. What follows it can still be read.
    Garbage(String),
    /// Something after which nothing can be read.
    Broken(String),
    /// Nothing more comes.
    End,
}

/// Reads standard input on a thread of its own.
pub fn listen() -> Receiver<Incoming> {
    let (sender, receiver) = sync_channel(WAITING);
    std::thread::spawn(move || read_all(&mut std::io::stdin().lock(), &sender));
    receiver
}

fn read_all(input: &mut impl BufRead, sender: &SyncSender<Incoming>) {
    loop {
        let incoming = match read(input) {
            Ok(incoming) => incoming,
            Err(error) => Incoming::Broken(error.to_string()),
        };
        let is_last = matches!(incoming, Incoming::Broken(_) | Incoming::End);
        // Nobody listens any more when the server has ended.
        if sender.send(incoming).is_err() || is_last {
            return;
        }
    }
}

fn read(input: &mut impl BufRead) -> std::io::Result<Incoming> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        input.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(if length.is_none() { Incoming::End } else { Incoming::Broken("the input ends in a header".to_owned()) });
        }
        let text = String::from_utf8_lossy(&line);
        let header = text.trim_end();
        if header.is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else {
            return Ok(Incoming::Broken("a line of the header has no colon".to_owned()));
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let Some(length) = length.filter(|length| *length <= MAX_MESSAGE_BYTES) else {
        return Ok(Incoming::Broken(format!("the header names no length up to {MAX_MESSAGE_BYTES} bytes")));
    };
    let mut body = Vec::new();
    input.by_ref().take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Ok(Incoming::Broken("the input ends in a message".to_owned()));
    }
    Ok(match serde_json::from_slice(&body) {
        Ok(message) => Incoming::Message(message),
        Err(error) => Incoming::Garbage(error.to_string()),
    })
}

/// Sends a message.
pub fn send(message: &Message) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    message.write(&mut output)?;
    output.flush()
}

/// Says that a body was no message; it has no number that an answer could have.
pub fn send_parse_error(reason: &str) -> std::io::Result<()> {
    let error = serde_json::json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": reason}});
    let text = error.to_string();
    let mut output = std::io::stdout().lock();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut input = text.as_bytes();
        let mut found = Vec::new();
        loop {
            let incoming = read(&mut input).unwrap();
            found.push(match &incoming {
                Incoming::Message(Message::Request(request)) => request.method.clone(),
                Incoming::Message(_) => "another".to_owned(),
                Incoming::Garbage(_) => "garbage".to_owned(),
                Incoming::Broken(reason) => reason.clone(),
                Incoming::End => "end".to_owned(),
            });
            if matches!(incoming, Incoming::Broken(_) | Incoming::End) {
                return found;
            }
        }
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\nContent-Type: x\r\n\r\n{body}", body.len())
    }

    #[test]
    fn reads_on_after_garbage_and_stops_where_nothing_can_be_read() {
        let request = framed(r#"{"jsonrpc":"2.0","id":1,"method":"shutdown"}"#);
        assert_eq!(all(&format!("{request}{}{request}", framed("{]"))), ["shutdown", "garbage", "shutdown", "end"]);
        assert_eq!(all(&framed("[1, 2]")), ["garbage", "end"]);
        assert_eq!(all("what is this\n"), ["a line of the header has no colon"]);
        assert_eq!(all("Content-Length: 5\r\n\r\nabc"), ["the input ends in a message"]);
        assert_eq!(all("Content-Length: 5\r\n"), ["the input ends in a header"]);
        for length in ["x", "-1", "99999999999999999999", "999999999999"] {
            assert_eq!(all(&format!("Content-Length: {length}\r\n\r\n")), ["the header names no length up to 16777216 bytes"]);
        }
        assert_eq!(all(&"x".repeat(10_000)), ["a line of the header has no colon"]);
    }
}

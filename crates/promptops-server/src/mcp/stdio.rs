//! Agents that started this process and talk to it over its streams: one message on each line.
//!
//! Reading and writing have a thread each, so that a client that sends half a line, or does not read, holds up nothing, and
//! the process can end while a read is under way.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use rmcp::model::ClientJsonRpcMessage;
use rmcp::service::{RoleServer, RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server_with_ct};
use rmcp::transport::{Transport, TransportAdapterIdentity};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::handler::AgentHandler;
use super::message::{self, Read as ReadMessage};
use super::{AgentSettings, Agents, AgentsError};

/// Bytes of one line. More than all arguments of a request may have, so that those are refused by name.
const MAX_LINE_BYTES: usize = 16 << 20;
/// Lines that wait on either side.
const WAITING: usize = 64;
/// How long the last answers may take to be read once all else has ended.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Serves one client until it closes `input`, stops reading `output`, or `shutdown` completes. What is written to `output` is
/// messages of the protocol and nothing else. Every invocation is then recorded.
///
/// # Errors
/// [`AgentsError`]. Nothing that a client sends is one.
pub async fn serve(
    settings: AgentSettings,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), AgentsError> {
    let agents = Agents::new(settings)?;
    let (lines, received) = mpsc::channel(WAITING);
    let (sent, written) = mpsc::channel(WAITING);
    let (wrote_all, all_written) = oneshot::channel();
    start("promptops-mcp-in", move || read_lines(BufReader::new(input), &lines))?;
    start("promptops-mcp-out", move || {
        write_lines(output, written);
        let _ = wrote_all.send(());
    })?;

    let ended = agents.closing.child_token();
    let transport = Streams { lines: received, answers: sent, has_begun: false, ended: ended.clone() };
    let handler = AgentHandler::new(std::sync::Arc::clone(&agents), ended);
    let closing = agents.closing.child_token();
    let serving = serve_server_with_ct::<_, _, _, TransportAdapterIdentity>(handler, transport, closing.clone());
    let served = async {
        match serving.await {
            Ok(running) => {
                if let Err(error) = running.waiting().await {
                    tracing::error!(%error, "serving panicked");
                }
            }
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {}
            Err(error) => tracing::warn!(%error, "the client did not connect as the protocol says"),
        }
    };
    tokio::pin!(served, shutdown);
    tokio::select! {
        () = &mut served => {}
        () = &mut shutdown => {
            agents.close();
            served.await;
        }
    }
    agents.close();
    // A client that does not read any more gets no more.
    let _ = tokio::time::timeout(LAST_WRITES, all_written).await;
    Ok(())
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), AgentsError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(AgentsError::Thread)
}

/// A line, or that one was too long.
enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Reads lines until there are no more, or nobody wants them.
fn read_lines(mut input: impl BufRead, lines: &mpsc::Sender<Line>) {
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        let available = match input.fill_buf() {
            Ok([]) => return,
            Ok(available) => available,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        is_too_long = is_too_long || line.len() + part.len() > MAX_LINE_BYTES;
        if is_too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(end.is_some());
        input.consume(taken);
        if end.is_none() {
            continue;
        }
        let whole = std::mem::take(&mut line);
        let read = if std::mem::take(&mut is_too_long) { Line::TooLong } else { Line::Whole(whole) };
        if lines.blocking_send(read).is_err() {
            return;
        }
    }
}

/// Writes lines until there are no more, or nobody reads them.
fn write_lines(mut output: impl Write, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.blocking_recv() {
        if output.write_all(&line).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

/// The streams, as the protocol sees them.
struct Streams {
    lines: mpsc::Receiver<Line>,
    answers: mpsc::Sender<Vec<u8>>,
    /// Whether a request came: what comes before it can only be ignored.
    has_begun: bool,
    /// Cancelled when the client has said all: what was asked is still answered, but nobody listens any more.
    ended: CancellationToken,
}

impl Transport<RoleServer> for Streams {
    type Error = std::io::Error;

    fn send(&mut self, item: TxJsonRpcMessage<RoleServer>) -> impl Future<Output = std::io::Result<()>> + Send + 'static {
        let line = line(&item);
        let answers = self.answers.clone();
        async move { answers.send(line?).await.map_err(|_| std::io::ErrorKind::BrokenPipe.into()) }
    }

    /// May be dropped at any time: a line is taken whole or not at all, and an answer to what is no message is sent without
    /// waiting, or not at all when too many wait already.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let Some(came) = self.lines.recv().await else {
                self.ended.cancel();
                return None;
            };
            let read = match came {
                Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole(line) => message::read(&line),
                Line::TooLong => ReadMessage::Refused(message::too_large(MAX_LINE_BYTES)),
            };
            match read {
                ReadMessage::Message(message) => {
                    self.has_begun = self.has_begun || matches!(*message, ClientJsonRpcMessage::Request(_));
                    if self.has_begun {
                        return Some(*message);
                    }
                }
                ReadMessage::Refused(refusal) => {
                    if let Ok(line) = line(&refusal) {
                        let _ = self.answers.try_send(line);
                    }
                }
                ReadMessage::Ignored => {}
            }
        }
    }

    async fn close(&mut self) -> std::io::Result<()> {
        self.lines.close();
        Ok(())
    }
}

fn line(message: &TxJsonRpcMessage<RoleServer>) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Option<Vec<u8>>> {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        read_lines(BufReader::with_capacity(1 << 10, input), &sender);
        drop(sender);
        let mut lines = Vec::new();
        while let Some(line) = receiver.blocking_recv() {
            lines.push(match line {
                Line::Whole(line) => Some(line),
                Line::TooLong => None,
            });
        }
        lines
    }

    #[test]
    fn lines_are_read_whole_and_one_that_is_too_long_costs_no_other() {
        assert_eq!(lines(b"a\n\nb\r\nlast without an end"), [Some(b"a".to_vec()), Some(vec![]), Some(b"b\r".to_vec())]);
        let mut input = vec![b'x'; MAX_LINE_BYTES + 1];
        input.extend(b"\nafter\n");
        assert_eq!(lines(&input), [None, Some(b"after".to_vec())]);
        let mut largest = vec![b'x'; MAX_LINE_BYTES];
        largest.push(b'\n');
        assert_eq!(lines(&largest)[0].as_ref().map(Vec::len), Some(MAX_LINE_BYTES));
    }
}

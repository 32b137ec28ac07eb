//! Records to `promptops serve --record`.

use std::io::Write as _;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use promptops_store::{Connection, Post, StoreOptions};
use promptops_telemetry::sink::{Carrier, Occasion, Patience, Spool};
use promptops_telemetry::{Invocation, v1};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::retry::{Retry, Sent, Tell};

/// Time for an answer. The server answers when the records are on its disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a request under way looks whether the process is about to end.
const LOOK: Duration = Duration::from_millis(50);
/// The most of the time left at the end that is kept for the spool. It is a quarter where that is less.
const FOR_SPOOL: Duration = Duration::from_millis(500);
/// The most records of a request that is made of a spooled file.
const LINES: usize = 500;
/// The most bytes of such a request before it is compressed, unless one record alone has more. The server takes 16 MB.
const LINE_BYTES: usize = 4 << 20;

/// Posts records as lines of JSON, compressed, and again until the server has taken them.
///
/// With a spool nobody waits for a server that does not answer: what it does not take is put there, also what comes after, and sent
/// when it answers again, by this process or the next with the same spool. A record that was sent twice counts once.
pub(crate) struct ServerCarrier {
    url: String,
    options: StoreOptions,
    /// Opened by the first batch, since reading the certificates of a machine takes its time.
    client: Option<(Runtime, Connection)>,
    retry: Retry,
    spool: Option<Spool>,
    /// Until when the server is left in peace, while records go to the spool.
    resting_until: Option<Instant>,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl ServerCarrier {
    pub(crate) fn new(url: String, options: StoreOptions, spool: Option<Spool>, tell: Tell) -> Self {
        Self { url, options, client: None, retry: Retry::new(tell), spool, resting_until: None }
    }

    /// Posts lines once.
    fn post(&mut self, lines: &[String], patience: &Patience<'_>) -> Sent {
        let refused = |reason| Sent::Refused { reason, fewer_may_pass: false };
        if self.client.is_none() {
            match self.connect() {
                Ok(client) => self.client = Some(client),
                Err(reason) => return refused(reason),
            }
        }
        let Some((runtime, connection)) = &self.client else { return refused(String::new()) };
        let headers = [("content-type", "application/x-ndjson"), ("content-encoding", "gzip")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let post = Post { path: "v1/invocations", headers: &headers, body: zipped(lines).into(), patience: PATIENCE };
        let for_spool = if self.spool.is_some() { FOR_SPOOL } else { Duration::ZERO };
        match runtime.block_on(in_time(connection.post_once(post), patience, for_spool)) {
            None => Sent::Later { reason: "the server did not answer before the end".to_owned(), pause: None },
            Some(Ok((answer, pause))) => {
                let says = || match serde_json::from_slice::<Problem>(&answer.body) {
                    Ok(problem) => format!("the server answered {}: {}", answer.status, problem.detail),
                    Err(_) => format!("the server answered {}", answer.status),
                };
                match answer.status {
                    200..300 => Sent::Taken { rejected: 0 },
                    408 | 425 | 429 | 500.. => Sent::Later { reason: says(), pause },
                    // Of records that the server cannot read or that are too many, others may be as they should.
                    status => Sent::Refused { reason: says(), fewer_may_pass: matches!(status, 400 | 413) },
                }
            }
            Some(Err(error)) => {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Sent::Later { reason: cause, pause: None }
            }
        }
    }

    fn connect(&self) -> Result<(Runtime, Connection), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let connection = Connection::open(&self.url, &self.options).map_err(|error| error.to_string())?;
        Ok((runtime, connection))
    }

    /// Posts lines until they are taken, or put into the spool, or nothing helps. Returns how many are lost.
    fn deliver(&mut self, lines: &[String], patience: &Patience<'_>) -> u64 {
        if lines.is_empty() {
            return 0;
        }
        loop {
            let (reason, pause) = match self.post(lines, patience) {
                Sent::Taken { rejected } => {
                    self.retry.succeeded();
                    return rejected;
                }
                Sent::Refused { fewer_may_pass: true, .. } if lines.len() > 1 => {
                    let (first, second) = lines.split_at(lines.len() / 2);
                    return self.deliver(first, patience) + self.deliver(second, patience);
                }
                Sent::Refused { reason, .. } => {
                    self.retry.failed(format!("records are lost: {reason}"));
                    return lines.len() as u64;
                }
                Sent::Later { reason, pause } => (reason, pause),
            };
            let pause = self.retry.next_pause(pause);
            if let Some(spool) = &mut self.spool {
                self.retry.failed(format!("records wait in the spool: {reason}"));
                self.resting_until = Some(Instant::now() + pause);
                return spool.append_lines(lines);
            }
            self.retry.failed(format!("records wait: {reason}"));
            if !patience.pause(pause) {
                return lines.len() as u64;
            }
        }
    }

    fn is_resting(&self) -> bool {
        self.resting_until.is_some_and(|until| until > Instant::now())
    }

    /// Sends one file of the spool, and tells how many records are lost by that, and whether to go on with the next.
    fn send_file(&mut self, file: &Path, patience: &Patience<'_>) -> (u64, bool) {
        let Ok(text) = std::fs::read_to_string(file) else {
            // Another process has sent and removed it, or it is none of ours.
            return (0, true);
        };
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut lost = 0;
        for batch in batches(&lines) {
            match self.post(batch, patience) {
                Sent::Taken { rejected } => {
                    self.retry.succeeded();
                    lost += rejected;
                }
                Sent::Later { reason, pause } => {
                    // The file stays, and is sent from its beginning: what was taken of it counts once.
                    self.retry.failed(format!("records wait in the spool: {reason}"));
                    self.resting_until = Some(Instant::now() + self.retry.next_pause(pause));
                    return (lost, false);
                }
                Sent::Refused { .. } => lost += self.deliver(batch, patience),
            }
        }
        self.resting_until = None;
        let _ = std::fs::remove_file(file);
        (lost, true)
    }
}

impl Carrier for ServerCarrier {
    fn carry(&mut self, batch: &[Invocation], patience: &Patience<'_>) -> u64 {
        let lines: Vec<String> = batch.iter().map(v1::to_line).collect();
        if self.is_resting()
            && let Some(spool) = &mut self.spool
        {
            return spool.append_lines(&lines);
        }
        self.deliver(&lines, patience)
    }

    fn settle(&mut self, _: Occasion, patience: &Patience<'_>) -> u64 {
        let is_resting = self.is_resting();
        let Some(spool) = &mut self.spool else { return 0 };
        let mut lost = spool.close();
        if is_resting {
            return lost;
        }
        for file in spool.closed().unwrap_or_default() {
            let (more, goes_on) = self.send_file(&file, patience);
            lost += more;
            if !goes_on || patience.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
        }
        lost
    }

    fn due(&self) -> Option<Instant> {
        let spool = self.spool.as_ref()?;
        let has_files = spool.due().is_some() || spool.closed().is_ok_and(|files| !files.is_empty());
        has_files.then(|| self.resting_until.unwrap_or_else(Instant::now))
    }
}

/// Waits for an answer; nothing when the end comes first. The end may come into sight while it is waited for, and then this leaves
/// `for_spool` of the time, or a quarter.
async fn in_time<A>(answer: impl Future<Output = A>, patience: &Patience<'_>, for_spool: Duration) -> Option<A> {
    let mut answer = pin!(answer);
    loop {
        let left = patience.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = left.map_or(LOOK, |left| left - for_spool.min(left / 4));
        match tokio::time::timeout(wait, answer.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_) if left.is_some() => return None,
            Err(_) => {}
        }
    }
}

fn zipped(lines: &[String]) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    for line in lines {
        zip.write_all(line.as_bytes()).and_then(|()| zip.write_all(b"\n")).expect("memory takes whatever is written");
    }
    zip.finish().expect("memory takes whatever is written")
}

/// Cuts lines into what a request takes.
fn batches(lines: &[String]) -> Vec<&[String]> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, line) in lines.iter().enumerate() {
        if index > start && (index - start == LINES || bytes + line.len() > LINE_BYTES) {
            batches.push(&lines[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += line.len();
    }
    if start < lines.len() {
        batches.push(&lines[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_by_lines_and_bytes_and_lose_nothing() {
        let short: Vec<String> = (0..1201).map(|number| number.to_string()).collect();
        assert_eq!(batches(&short).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [500, 500, 201]);
        assert_eq!(batches(&short).concat(), short);
        let long = vec!["x".repeat(3 << 20), "y".repeat(3 << 20), "z".repeat(9 << 20), "w".into()];
        assert_eq!(batches(&long).iter().map(|batch| batch.len()).collect::<Vec<_>>(), [1, 1, 1, 1]);
        assert_eq!(batches(&[]).len(), 0);
    }
}

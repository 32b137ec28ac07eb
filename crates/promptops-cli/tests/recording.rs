//! `promptops serve --record`, killed over and over while it is sent invocations (G4).

#![cfg(test)]
#![cfg(feature = "lake")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::Project;

const SENDERS: usize = 4;
const BATCH: usize = 25;
const BATCHES: usize = 60;
/// Batches that are acknowledged between two kills.
const BETWEEN_KILLS: usize = 20;

/// Starts a server, and returns it with its address.
fn serve(project: &Project) -> (Child, String) {
    let mut command = project.promptops(["serve", "--trust-loopback", "--record", "--listen", "127.0.0.1:0", "--log", "events"]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split(' ').find_map(|word| word.strip_prefix("http://")).unwrap_or_else(|| panic!("no address in {line}"));
    (server, url.trim_end_matches(',').to_owned())
}

/// Sends a batch; says whether it was acknowledged.
fn post(address: &str, body: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        stream,
        "POST /v1/invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("{{\"recorded\":{BATCH}}}")))
}

/// Invocations of several hours, some of them years off.
fn batch(sender: usize, number: usize) -> String {
    let records: Vec<String> = (0..BATCH)
        .map(|index| {
            let year = if index == 0 { 1999 } else { 2026 };
            format!(
                "{{\"time\":\"{year}-05-01T{:02}:00:00Z\",\"invocation_id\":\"019f0000-0000-7000-8000-{:012}\",\"prompt_id\":\"support.intent\",\
                 \"latency_ms\":{index}}}",
                number % 3,
                (sender * BATCHES + number) * BATCH + index,
            )
        })
        .collect();
    format!("[{}]", records.join(","))
}

#[test]
fn killed_over_and_over_nothing_acknowledged_is_lost_and_nothing_counts_twice() {
    let project = Project::committed();
    assert_eq!(project.run(["registry", "init"]).exit, 0);
    let (server, address) = serve(&project);
    let (server, address) = (Mutex::new(server), Mutex::new(address));
    let acknowledged = AtomicUsize::new(0);
    let sent_again = AtomicUsize::new(0);
    let kills = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (address, acknowledged, sent_again) = (&address, &acknowledged, &sent_again);
            scope.spawn(move || {
                for number in 0..BATCHES {
                    let body = batch(sender, number);
                    loop {
                        let now = address.lock().unwrap().clone();
                        if matches!(post(&now, &body), Ok(true)) {
                            break;
                        }
                        // It may have been written all the same.
                        sent_again.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    acknowledged.fetch_add(1, Ordering::Release);
                }
            });
        }
        for killed in 1.. {
            while acknowledged.load(Ordering::Acquire) < (killed * BETWEEN_KILLS).min(SENDERS * BATCHES) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if acknowledged.load(Ordering::Acquire) == SENDERS * BATCHES {
                break;
            }
            let mut server = server.lock().unwrap();
            server.kill().unwrap();
            server.wait().unwrap();
            kills.fetch_add(1, Ordering::Relaxed);
            let (next, at) = serve(&project);
            *server = next;
            *address.lock().unwrap() = at;
        }
    });
    assert!(kills.load(Ordering::Relaxed) >= 5, "{kills:?}");
    assert!(sent_again.load(Ordering::Relaxed) > 0, "no batch was cut off");

    let mut server = server.into_inner().unwrap();
    let told = std::process::Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let query = "SELECT count(*) AS records, count(DISTINCT invocation_id) AS ids, sum(latency_ms) AS latency, count(DISTINCT hour) AS hours FROM invocations";
    let total = SENDERS * BATCHES * BATCH;
    let latency = SENDERS * BATCHES * (0..BATCH).sum::<usize>();
    let answer = project.run(["query", query, "--format", "json"]);
    let expected = format!("{{\"records\":{total},\"ids\":{total},\"latency\":{latency}.0,\"hours\":3}}\n");
    assert_eq!((answer.exit, answer.stdout), (0, expected));
    let left: Vec<_> = project.files(".promptops/log").into_iter().map(|(path, _)| path).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

//! Asks a server on loopback for the same resources over and over, and says how fast it answers.
//!
//! `cargo run --release -p promptops-server --example load_http -- <address> <paths file> <connections> <seconds> [<header>…]`
//!
//! The paths file has one path a line; each connection begins at another line and asks for one after the other. A connection
//! is kept and never has more than one request under way, as with most clients. The first second does not count. One thread,
//! so that on two cores the server has the other. Prints one JSON object; times are from the first byte sent to the last byte
//! read. Ends with an error when any answer is not 200.

mod loopback;

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use loopback::{Failure, quantile, read_answer};

const WARM_UP: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the answer of a program that is run by hand")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, paths, connections, seconds, headers @ ..] = arguments.as_slice() else {
        return Err("usage: load_http <address> <paths file> <connections> <seconds> [<header>…]".into());
    };
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let requests: Vec<Vec<u8>> = std::fs::read_to_string(paths)?
        .lines()
        .map(|path| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").into_bytes())
        .collect();
    let requests: &'static [Vec<u8>] = requests.leak();
    let measured = Duration::from_secs_f64(seconds.parse()?);
    let connections: usize = connections.parse()?;

    let start = Instant::now() + WARM_UP;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..connections {
        let stream = TcpStream::connect(address.as_str()).await?;
        stream.set_nodelay(true)?;
        asking.spawn(ask(stream, requests, number * requests.len() / connections, start, start + measured));
    }
    let mut times = Vec::new();
    while let Some(asked) = asking.join_next().await {
        times.extend(asked??);
    }
    times.sort_unstable();
    let microseconds = |share: f64| quantile(&times, share) * 1e6;
    println!(
        "{{\"requests\": {}, \"per_second\": {:.0}, \"p50_us\": {:.0}, \"p99_us\": {:.0}, \"max_us\": {:.0}}}",
        times.len(),
        times.len() as f64 / measured.as_secs_f64(),
        microseconds(0.5),
        microseconds(0.99),
        microseconds(1.0),
    );
    Ok(())
}

/// Asks until `end`, and returns how long each answer after `start` took.
async fn ask(
    mut stream: TcpStream,
    requests: &[Vec<u8>],
    first: usize,
    start: Instant,
    end: Instant,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    let mut answer = Vec::with_capacity(64 << 10);
    for request in requests.iter().cycle().skip(first) {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        stream.write_all(request).await?;
        let status = read_answer(&mut stream, &mut answer).await?;
        if status != 200 {
            return Err(format!("the server answered {status}: {}", String::from_utf8_lossy(&answer)).into());
        }
        if sent >= start {
            times.push(sent.elapsed());
        }
    }
    Ok(times)
}

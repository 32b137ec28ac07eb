//! Two servers that record into one bucket, both killed over and over, beside compactions that are killed too (G4).

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
const BATCHES: usize = 40;
const RECORDS: usize = SENDERS * BATCHES * BATCH;
/// Batches that are acknowledged between two kills.
const BETWEEN_KILLS: usize = 16;

/// A server process with a log of its own, and its address.
struct Served {
    process: Child,
    address: String,
}

/// A project whose lake is in a bucket, and what reaches that.
struct Shared {
    project: Project,
    environment: Vec<(String, String)>,
}

impl Shared {
    fn serve(&self, name: &str) -> Served {
        let log = format!("log-{name}");
        let arguments = [
            "serve",
            "--trust-loopback",
            "--record",
            "--record-log",
            &log,
            "--listen",
            "127.0.0.1:0",
            "--rate-limit",
            "0",
            "--log",
            "events",
        ];
        let mut command = self.project.promptops(arguments);
        command.envs(self.environment.iter().cloned());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').find_map(|word| word.strip_prefix("http://")).unwrap();
        Served { process, address: address.trim_end_matches(',').to_owned() }
    }

    fn run<const N: usize>(&self, arguments: [&str; N]) -> support::Run {
        let mut command = self.project.promptops(arguments);
        command.envs(self.environment.iter().cloned());
        self.project.finish(command)
    }

    /// Begins a compaction and kills it after a while; returns whether it was killed before its end.
    fn kill_a_compaction(&self, after: Duration) -> bool {
        let mut command = self.project.promptops(["lake", "compact"]);
        command.envs(self.environment.iter().cloned());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        process.kill().unwrap();
        !process.wait().unwrap().success()
    }
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
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

fn batch(sender: usize, number: usize) -> String {
    let records: Vec<String> = (0..BATCH)
        .map(|index| {
            let id = (sender * BATCHES + number) * BATCH + index;
            format!(
                "{{\"time\":\"2026-05-01T{:02}:00:00Z\",\"invocation_id\":\"019f0000-0000-7000-8000-{id:012}\",\"latency_ms\":{index}}}",
                index % 3
            )
        })
        .collect();
    format!("[{}]", records.join(","))
}

/// Over a folder: any number of servers may share one disk.
#[test]
fn over_a_folder_each_record_counts_once() {
    let project = Project::committed();
    project.write("promptops.toml", "[lake]\nurl = \"file://lake\"\n");
    account(&Shared { project, environment: Vec::new() });
}

/// Over versitygw, a real S3 server, which the test runner starts with this bucket in it.
#[test]
#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the server is")]
fn over_a_bucket_each_record_counts_once() {
    const VARIABLE: &str = "PROMPTOPS_TEST_VERSITYGW_ENDPOINT";
    let Some(endpoint) = std::env::var(VARIABLE).ok().filter(|endpoint| !endpoint.is_empty()) else {
        println!("skipped: {VARIABLE} is not set");
        return;
    };
    let project = Project::committed();
    let name = project.root().file_name().unwrap().to_string_lossy().into_owned();
    project.write("promptops.toml", format!("[lake]\nurl = \"s3://promptops-tests/lake-{name}-{}\"\n", std::process::id()));
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    account(&Shared { project, environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into() });
}

/// Sends every batch until one of two servers acknowledges it, and every third to both; kills servers and compactions meanwhile;
/// then every record is in its hour once.
fn account(shared: &Shared) {
    assert_eq!(shared.run(["registry", "init"]).exit, 0);
    let servers = [Mutex::new(shared.serve("a")), Mutex::new(shared.serve("b"))];
    let acknowledged = AtomicUsize::new(0);
    let (mut kills, mut killed_compactions) = (0, 0);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (servers, acknowledged) = (&servers, &acknowledged);
            scope.spawn(move || {
                for number in 0..BATCHES {
                    let body = batch(sender, number);
                    let deliver = |first: usize| {
                        for attempt in first.. {
                            let address = servers[attempt % 2].lock().unwrap().address.clone();
                            // One that was not acknowledged may have been written all the same; it goes to the other server.
                            if matches!(post(&address, &body), Ok(true)) {
                                break;
                            }
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    };
                    deliver(sender);
                    if number % 3 == 0 {
                        deliver(sender + 1);
                    }
                    acknowledged.fetch_add(1, Ordering::Release);
                }
            });
        }
        for killed in 1.. {
            let enough = (killed * BETWEEN_KILLS).min(SENDERS * BATCHES);
            while acknowledged.load(Ordering::Acquire) < enough {
                killed_compactions += usize::from(shared.kill_a_compaction(Duration::from_millis(20 + 15 * (killed as u64 % 7))));
            }
            if acknowledged.load(Ordering::Acquire) == SENDERS * BATCHES {
                break;
            }
            let mut server = servers[killed % 2].lock().unwrap();
            server.process.kill().unwrap();
            server.process.wait().unwrap();
            *server = shared.serve(["a", "b"][killed % 2]);
            kills += 1;
        }
    });
    assert!(kills >= 5, "{kills}");
    assert!(killed_compactions > 0, "no compaction was cut off");
    let ask = |sql: &str| {
        let answer = shared.run(["query", sql, "--format", "csv"]);
        assert_eq!(answer.exit, 0, "{}", answer.stderr);
        answer.stdout
    };
    for server in servers {
        let mut server = server.into_inner().unwrap();
        let told = std::process::Command::new("kill").arg(server.process.id().to_string()).status().unwrap();
        assert!(told.success());
        assert_eq!(server.process.wait().unwrap().code(), Some(0));
    }
    let total = "SELECT count(*) AS n, count(DISTINCT invocation_id) AS ids, sum(latency_ms) AS latency FROM invocations";
    let latency = SENDERS * BATCHES * (0..BATCH).sum::<usize>();
    let expected = format!("n,ids,latency\n{RECORDS},{RECORDS},{latency}.0\n");
    assert_eq!(ask(total), expected, "before the last compaction");
    assert_eq!(shared.run(["lake", "compact"]).exit, 0);
    assert_eq!(ask(total), expected, "after it");
    let verified = shared.run(["lake", "verify", "--json"]);
    let verified: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    let counted = (&verified["sound"], &verified["invocations"], &verified["waiting"]);
    assert_eq!(counted, (&true.into(), &RECORDS.into(), &0.into()), "{verified}");
}

//! Sends invocations to a server on loopback, and says how many it acknowledged and how fast.
//!
//! `cargo run --release -p promptops-server --example load_ingest -- <address> <json|otlp> <records a request> <connections> <seconds> <records a second> [<header>…]`
//!
//! With 0 records a second every connection sends as soon as it was answered; otherwise requests are due at even times, and an
//! answer is timed from when its request was due, so that a server that stalls does not hide it. Every record has ids and hashes of
//! its own; the other values repeat after some thousands of records. What the server has no room for is sent again after a
//! moment, and counted. One thread, so that on two cores the server has the other. Prints one JSON object.

mod loopback;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use loopback::{Failure, quantile, read_answer};

/// Different bodies, before values other than ids repeat.
const BODIES: usize = 16;
/// What a request waits that was refused for want of room.
const REFUSED_WAIT: Duration = Duration::from_millis(50);

/// Random numbers that are good enough for ids; xorshift64*.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn hexadecimal(&mut self, digits: usize) -> String {
        let mut bytes = vec![0; digits];
        self.fill(&mut bytes, true);
        String::from_utf8(bytes).expect("digits are ASCII")
    }

    /// Overwrites bytes with random ones, or random digits.
    fn fill(&mut self, bytes: &mut [u8], as_digits: bool) {
        for chunk in bytes.chunks_mut(8) {
            let mut number = self.next();
            for byte in chunk {
                *byte = if as_digits { b"0123456789abcdef"[(number & 15) as usize] } else { number as u8 };
                number >>= 8;
            }
        }
    }
}

/// A request's body, and where in it the ids are that are new each time.
#[derive(Clone)]
struct Body {
    bytes: Vec<u8>,
    ids: Vec<(usize, usize)>,
    as_digits: bool,
}

impl Body {
    fn renew(&mut self, numbers: &mut Numbers) {
        for (at, length) in &self.ids {
            numbers.fill(&mut self.bytes[*at..*at + *length], self.as_digits);
        }
    }
}

/// One call of a model, as an application makes thousands of.
struct CallFacts {
    prompt: u64,
    latency_us: u64,
    input_tokens: u64,
    output_tokens: u64,
    at: SystemTime,
}

/// What the clock says.
#[expect(clippy::disallowed_methods, reason = "a program that is run by hand sends what happens now")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl CallFacts {
    fn new(numbers: &mut Numbers) -> Self {
        let (input_tokens, output_tokens) = (50 + numbers.below(850), 5 + numbers.below(295));
        let latency_us = 100_000 + numbers.below(3_900_000);
        let at = now() - Duration::from_micros(numbers.below(10_000_000));
        Self { prompt: numbers.below(50), latency_us, input_tokens, output_tokens, at }
    }

    fn prompt_id(&self) -> String {
        format!("support.answer-{:03}", self.prompt)
    }

    fn cost_usd(&self) -> f64 {
        (self.input_tokens * 25 + self.output_tokens * 100) as f64 / 1e7
    }

    fn nanoseconds(&self) -> u64 {
        self.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

fn json_body(records: usize, numbers: &mut Numbers) -> Body {
    let (mut bytes, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..records {
        let facts = CallFacts::new(numbers);
        let time = chrono::DateTime::<chrono::Utc>::from(facts.at).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        // A UUIDv7: its time as it is, 12 random digits at the end.
        let milliseconds = facts.nanoseconds() / 1_000_000;
        let id_head = format!(
            "{:08x}-{:04x}-7{}-8{}-",
            milliseconds >> 16,
            milliseconds & 0xffff,
            numbers.hexadecimal(3),
            numbers.hexadecimal(3)
        );
        let (id, trace, span, hash) =
            (numbers.hexadecimal(12), numbers.hexadecimal(32), numbers.hexadecimal(16), numbers.hexadecimal(64));
        let record = json!({
            "schema_version": 1, "time": time, "invocation_id": format!("{id_head}{id}"), "trace_id": trace, "span_id": span,
            "session": format!("session-{}", numbers.below(10_000)), "service": "support-desk", "runtime": "process", "environment": "prod",
            "prompt_id": facts.prompt_id(), "prompt_version": 1 + facts.prompt % 4,
            "prompt_digest": format!("sha256:{:064x}", facts.prompt), "input_hash": format!("sha256:{hash}"),
            "operation": "chat", "provider": "openai", "requested_model": "gpt-5.2", "responded_model": "gpt-5.2-2026-02-01",
            "latency_ms": facts.latency_us as f64 / 1000.0, "input_tokens": facts.input_tokens, "output_tokens": facts.output_tokens,
            "cached_tokens": 0, "cost_usd": facts.cost_usd(), "price_table": "litellm-2026-10-01", "status": "ok",
            "finish_reason": "stop", "valid": true, "refusal": false, "output_length": 4 * facts.output_tokens,
        });
        let line = record.to_string();
        for part in [id, trace, span, hash] {
            let at = line.find(&part).expect("the part is in the line");
            ids.push((bytes.len() + at, part.len()));
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    Body { bytes, ids, as_digits: true }
}

fn otlp_body(records: usize, numbers: &mut Numbers) -> Body {
    let mut keys = Vec::new();
    let attribute = |key: &str, value: any_value::Value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    let text = |key: &str, value: &str| attribute(key, any_value::Value::StringValue(value.to_owned()));
    let count = |key: &str, value: u64| attribute(key, any_value::Value::IntValue(value as i64));
    let spans = (0..records).map(|_| {
        let facts = CallFacts::new(numbers);
        let mut id = [0; 24];
        numbers.fill(&mut id, false);
        keys.push(id);
        Span {
            trace_id: id[..16].to_vec(),
            span_id: id[16..].to_vec(),
            name: "chat gpt-5.2".to_owned(),
            kind: 3,
            start_time_unix_nano: facts.nanoseconds(),
            end_time_unix_nano: facts.nanoseconds() + facts.latency_us * 1000,
            attributes: vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-5.2"),
                text("gen_ai.response.model", "gpt-5.2-2026-02-01"),
                text("gen_ai.prompt.name", &facts.prompt_id()),
                text("gen_ai.prompt.version", &(1 + facts.prompt % 4).to_string()),
                text("gen_ai.conversation.id", &format!("session-{}", numbers.below(10_000))),
                count("gen_ai.usage.input_tokens", facts.input_tokens),
                count("gen_ai.usage.output_tokens", facts.output_tokens),
                attribute(
                    "gen_ai.response.finish_reasons",
                    any_value::Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
                        values: vec![AnyValue { value: Some(any_value::Value::StringValue("stop".to_owned())) }],
                    }),
                ),
            ],
            status: Some(Status { code: 1, message: String::new() }),
            ..Span::default()
        }
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    let resource = Resource {
        attributes: vec![text("service.name", "support-desk"), text("deployment.environment.name", "prod")],
        ..Resource::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }],
    };
    let bytes = request.encode_to_vec();
    let mut ids = Vec::new();
    let mut from = 0;
    for key in keys {
        for part in [&key[..16], &key[16..]] {
            let at = from + bytes[from..].windows(part.len()).position(|window| window == part).expect("the id is in the body");
            ids.push((at, part.len()));
            from = at;
        }
    }
    Body { bytes, ids, as_digits: false }
}

#[derive(Default)]
struct Sent {
    acknowledged: u64,
    refused: u64,
    times: Vec<Duration>,
}

struct Plan {
    head: String,
    records: usize,
    start: Instant,
    end: Instant,
    /// Between two requests of one connection; none to send as fast as answers come.
    interval: Option<Duration>,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the answer of a program that is run by hand")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, format, records, connections, seconds, rate, headers @ ..] = arguments.as_slice() else {
        return Err(
            "usage: load_ingest <address> <json|otlp> <records> <connections> <seconds> <records a second> [<header>…]".into()
        );
    };
    let (records, connections, rate): (usize, u32, f64) = (records.parse()?, connections.parse()?, rate.parse()?);
    let (path, content_type, make): (_, _, fn(usize, &mut Numbers) -> Body) = match format.as_str() {
        "json" => ("/v1/invocations", "application/x-ndjson", json_body),
        "otlp" => ("/v1/traces", "application/x-protobuf", otlp_body),
        other => return Err(format!("no format is called `{other}`").into()),
    };
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n{headers}");
    let seed = now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    let mut numbers = Numbers(seed | 1);
    let bodies: Vec<Body> = (0..BODIES).map(|_| make(records, &mut numbers)).collect();
    let bytes = bodies.iter().map(|body| body.bytes.len()).sum::<usize>() / (BODIES * records);

    let start = Instant::now();
    let interval = (rate > 0.0).then(|| Duration::from_secs_f64(records as f64 * f64::from(connections) / rate));
    let plan: &'static Plan =
        Box::leak(Box::new(Plan { head, records, start, end: start + Duration::from_secs_f64(seconds.parse()?), interval }));
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..connections {
        let stream = TcpStream::connect(address.as_str()).await?;
        stream.set_nodelay(true)?;
        let delay = interval.unwrap_or_default() * number / connections;
        sending.spawn(send(stream, bodies.clone(), Numbers(numbers.next() | 1), plan, delay));
    }
    let mut total = Sent::default();
    while let Some(sent) = sending.join_next().await {
        let sent = sent??;
        total.acknowledged += sent.acknowledged;
        total.refused += sent.refused;
        total.times.extend(sent.times);
    }
    total.times.sort_unstable();
    let wall = start.elapsed().as_secs_f64();
    let milliseconds = |share: f64| quantile(&total.times, share) * 1e3;
    println!(
        "{}",
        json!({
            "records": total.acknowledged, "per_second": (total.acknowledged as f64 / wall).round(), "refused_requests": total.refused,
            "p50_ms": milliseconds(0.5), "p99_ms": milliseconds(0.99), "max_ms": milliseconds(1.0), "bytes_per_record": bytes,
        })
    );
    Ok(())
}

/// Sends one request after the other until the end.
async fn send(
    mut stream: TcpStream,
    mut bodies: Vec<Body>,
    mut numbers: Numbers,
    plan: &Plan,
    delay: Duration,
) -> Result<Sent, Failure> {
    let mut sent = Sent::default();
    let mut answer = Vec::with_capacity(4096);
    let mut due = plan.start + delay;
    for number in 0.. {
        if let Some(interval) = plan.interval {
            tokio::time::sleep_until(due.into()).await;
            due += interval;
        }
        let since = plan.interval.map_or_else(Instant::now, |interval| due - interval);
        if since >= plan.end {
            break;
        }
        let body = &mut bodies[number % BODIES];
        body.renew(&mut numbers);
        let head = format!("{}Content-Length: {}\r\n\r\n", plan.head, body.bytes.len());
        loop {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body.bytes).await?;
            match read_answer(&mut stream, &mut answer).await? {
                200 => break,
                429 | 503 => {
                    sent.refused += 1;
                    tokio::time::sleep(REFUSED_WAIT).await;
                }
                status => return Err(format!("the server answered {status}: {}", String::from_utf8_lossy(&answer)).into()),
            }
        }
        sent.acknowledged += plan.records as u64;
        sent.times.push(since.elapsed());
    }
    Ok(sent)
}

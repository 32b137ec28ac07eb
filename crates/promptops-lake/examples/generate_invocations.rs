//! Fills a lake with invocations as a busy month would, for measuring: `generate_invocations FOLDER RECORDS [DAYS]`.
//!
//! Fifty prompts (a few of them busy), four versions, three models, latencies of a log-normal distribution, ids as the SDK makes them, traces,
//! sessions and hashes of inputs. The same arguments give the same records.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a tool of the bench")]

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use promptops_lake::Lake;
use promptops_telemetry::{Invocation, Status, Uuid};

/// A splitmix64 generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A value of the standard normal distribution, by the method of Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.share().max(f64::MIN_POSITIVE).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }
}

fn invocation(time: DateTime<Utc>, random: &mut Random) -> Invocation {
    let milliseconds = u128::try_from(time.timestamp_millis()).unwrap();
    let noise = u128::from(random.next()) << 64 | u128::from(random.next());
    let version_and_variant = 0x7000_u128 << 64 | 0x8_u128 << 60;
    let id = milliseconds << 80 | version_and_variant | noise & (0x0FFF_u128 << 64) | noise & ((1 << 60) - 1);
    // Zipf: the first prompts have most of the calls.
    let prompt = ((1.0 / random.share().max(1e-3)).powf(0.6) as u64 - 1).min(49);
    let version = 1 + random.below(4) as u32;
    let (model, input_price, output_price) =
        [("gpt-4o", 2.5e-6, 1e-5), ("gpt-4.1-mini", 4e-7, 1.6e-6), ("claude-sonnet-4-5", 3e-6, 1.5e-5)][random.below(3) as usize];
    let input_tokens = (420.0 + 60.0 * random.normal()).max(1.0) as u64;
    let output_tokens = (120.0 + 30.0 * random.normal()).max(1.0) as u64;
    let is_error = random.share() < 0.03;
    // As clocks measure it: to the microsecond.
    let latency = ((6.5 + 0.6 * random.normal()).exp() * 1000.0).round() / 1000.0;
    Invocation {
        trace_id: Some(format!("{:016x}{:016x}", random.next(), random.next())),
        span_id: Some(format!("{:016x}", random.next())),
        session: Some(format!("session-{:08x}", random.below(1 << 32))),
        service: Some(format!("service-{}", prompt % 7)),
        runtime: Some("lambda".to_owned()),
        environment: Some("prod".to_owned()),
        prompt_id: Some(format!("support.answer-{prompt:03}")),
        prompt_version: Some(version),
        prompt_digest: Some(format!("sha256:{:064x}", prompt * 4 + u64::from(version))),
        provider: Some("openai".to_owned()),
        requested_model: Some(model.to_owned()),
        responded_model: (!is_error).then(|| format!("{model}-2026-03-01")),
        parameters_hash: Some(format!("sha256:{prompt:064x}")),
        latency_ms: Some(latency),
        input_tokens: Some(input_tokens),
        output_tokens: (!is_error).then_some(output_tokens),
        cost_usd: (!is_error).then_some(input_tokens as f64 * input_price + output_tokens as f64 * output_price),
        price_table: Some("2026-11".to_owned()),
        status: if is_error { Status::Error } else { Status::Ok },
        error_type: is_error.then(|| "timeout".to_owned()),
        finish_reason: (!is_error).then(|| "stop".to_owned()),
        valid: (!is_error).then_some(true),
        output_length: (!is_error).then_some(output_tokens * 4),
        source: Some("promptops-python".to_owned()),
        ..Invocation::new(time, Uuid::from_u128(id))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lake = Lake::open_folder(Path::new(&arguments[0])).unwrap();
    let records: u64 = arguments[1].parse().unwrap();
    let days: i64 = arguments.get(2).map_or(30, |days| days.parse().unwrap());
    let start: DateTime<Utc> = "2026-06-01T00:00:00Z".parse().unwrap();
    let hours = days * 24;
    let mut random = Random(7);
    for hour in 0..hours {
        let count = records * (hour as u64 + 1) / hours as u64 - records * hour as u64 / hours as u64;
        let of_hour: Vec<Invocation> = (0..count)
            .map(|_| {
                let time = start + TimeDelta::hours(hour) + TimeDelta::microseconds(random.below(3_600_000_000) as i64);
                invocation(time, &mut random)
            })
            .collect();
        lake.append(&of_hour).await.unwrap();
    }
    println!("{records} invocations in {hours} hours");
}

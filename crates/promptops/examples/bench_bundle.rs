//! Measures opening a bundle and loading a prompt from it for the first time, and prints nanoseconds as JSON.
//!
//! ```sh
//! cargo run --release -p promptops --example bench_bundle <bundle> <id>
//! ```
//!
//! Each round makes a loader of its own, as a process that starts does; the file is in the page cache. Figures are medians.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use promptops::{Loader, Settings};
use serde_json::json;

const ROUNDS: usize = 101;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, id] = arguments.as_slice() else { return Err("usage: bench_bundle <bundle> <id>".into()) };
    let (mut opened, mut loaded) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let mut settings = Settings::new(Path::new("/"), Arc::new(|| chrono::DateTime::UNIX_EPOCH));
        settings.bundle = Some(bundle.into());
        let start = Instant::now();
        let loader = Loader::from_settings(&settings)?;
        let open = start.elapsed();
        loader.load(id, None)?;
        opened.push(open);
        loaded.push(start.elapsed());
    }
    let result = json!({"open_ns": median(opened), "open_and_load_ns": median(loaded)});
    writeln!(std::io::stdout(), "{result}")?;
    Ok(())
}

/// Leaves the first round out, which reads the file from the disk.
fn median(mut times: Vec<Duration>) -> u64 {
    times.remove(0);
    times.sort_unstable();
    u64::try_from(times[times.len() / 2].as_nanos()).unwrap_or(u64::MAX)
}

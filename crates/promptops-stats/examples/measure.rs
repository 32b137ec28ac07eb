//! Measures what the gate's methods hold and writes it into `docs/concepts/statistics.md`.
//!
//!     cargo run --release -p promptops-stats --example measure
//!
//! Seeded: the same tables come out every time.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for whoever works on this crate")]

#[path = "../tests/simulations/mod.rs"]
mod simulations;

use std::fmt::Write as _;

use simulations::{
    Rate, bca_misses, false_alarms_of_betting, false_alarms_of_peeking, false_passes_of_betting, misses_of_asymptotic,
    price_of_betting, ratio_too_low, stops, tango_false_pass,
};

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- end of what was measured -->";

fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/concepts/statistics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let tables = tables();
    println!("{tables}");
    std::fs::write(path, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
}

fn percent(rate: Rate) -> String {
    format!("{:.1} %", 100.0 * rate.share())
}

fn tables() -> String {
    let mut text = String::new();
    let passed: Vec<String> =
        [40, 100, 200, 400].map(|cases| format!("{:.1} %", 100.0 * tango_false_pass(cases, 0.05, 0.05))).to_vec();
    let _ = writeln!(text, "\n| A candidate worse by just the margin of 5 points passes, n = | 40 | 100 | 200 | 400 |");
    let _ = writeln!(text, "|---|---|---|---|---|");
    let _ = writeln!(text, "| Tango's interval at 90 %, worst of 5 win rates, exact | {} |", passed.join(" | "));

    let _ = writeln!(text, "\n| Looking while the run goes on, no difference, up to 500 cases, 4,000 runs | False alarms |");
    let _ = writeln!(text, "|---|---|");
    for (name, step) in [("once, at the end", 500), ("after every 20 cases", 20), ("after every case from 20 on", 1)] {
        let _ = writeln!(text, "| ordinary 95 % interval, {name} | {} |", percent(false_alarms_of_peeking(4000, 500, step)));
    }
    let _ = writeln!(
        text,
        "| betting, α = 5 % on one side, after every case | {} |",
        percent(false_alarms_of_betting(4000, 500, 0.05))
    );
    let _ = writeln!(
        text,
        "| betting, a candidate worse by just the margin of 5 points passes | {} |",
        percent(false_passes_of_betting(4000, 500, 0.05, 0.05))
    );

    let _ = writeln!(text, "\n| Width of the betting interval, times that of a single look, n = | 100 | 300 | 1000 |");
    let _ = writeln!(text, "|---|---|---|---|");
    let prices: Vec<String> = [100, 300, 1000].map(|cases| format!("{:.2}", price_of_betting(200, cases))).to_vec();
    let _ = writeln!(text, "| one case in ten differs, mean of 200 runs | {} |", prices.join(" | "));

    let _ = writeln!(text, "\n| Runs that may stop early, margin 5 points, 1,000 cases, 500 runs | Stop early | Cases asked |");
    let _ = writeln!(text, "|---|---|---|");
    for (name, wins, losses) in [
        ("no answer changes", 0.0, 0.0),
        ("2 % won and 2 % lost", 0.02, 0.02),
        ("5 % won and 5 % lost", 0.05, 0.05),
        ("2 % won and 12 % lost", 0.02, 0.12),
        ("2 % won and 32 % lost", 0.02, 0.32),
    ] {
        let (asked, stopped) = stops(500, 1000, 0.05, (wins, losses));
        let _ = writeln!(text, "| {name} | {} | {:.0} % |", percent(stopped), 100.0 * asked);
    }

    let _ = writeln!(text, "\n| Quantities (log-normal) | Rate |");
    let _ = writeln!(text, "|---|---|");
    let asymptotic = percent(misses_of_asymptotic(2000, 1000));
    let _ = writeln!(text, "| asymptotic sequence at 95 % ever misses the mean, 50 to 1,000 units | {asymptotic} |");
    for cases in [50, 200] {
        let (bootstrap, student) = ratio_too_low(1000, cases);
        let _ = writeln!(
            text,
            "| ratio of costs, 90 % interval too low, n = {cases}: bootstrap, Student's t | {}, {} |",
            percent(bootstrap),
            percent(student)
        );
        let _ = writeln!(text, "| mean, 95 % bootstrap interval misses it, n = {cases} | {} |", percent(bca_misses(1000, cases)));
    }
    text.push('\n');
    text
}

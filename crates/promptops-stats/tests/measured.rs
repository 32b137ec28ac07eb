//! What `docs/concepts/statistics.md` says was measured, measured again by fewer runs and held to its bounds.
//!
//! `cargo run --release -p promptops-stats --example measure` measures by many runs and writes the tables.

mod simulations;

use simulations::{
    bca_misses, false_alarms_of_betting, false_alarms_of_peeking, false_passes_of_betting, misses_of_asymptotic,
    price_of_betting, ratio_too_low, stops, tango_false_pass,
};

#[test]
fn tango_passes_what_is_worse_by_the_margin_about_as_often_as_alpha() {
    for cases in [50, 100] {
        let passed = tango_false_pass(cases, 0.05, 0.05);
        assert!((0.02..=0.065).contains(&passed), "{cases}: {passed}");
    }
}

#[test]
fn peeking_multiplies_false_alarms_and_betting_does_not() {
    let once = false_alarms_of_peeking(600, 500, 500);
    let always = false_alarms_of_peeking(600, 500, 1);
    assert!(once.is_at_most(0.05), "{once:?}");
    assert!(always.share() > 0.25, "{always:?}");
    let betting = false_alarms_of_betting(600, 500, 0.05);
    assert!(betting.is_at_most(0.05), "{betting:?}");
    let passes = false_passes_of_betting(600, 500, 0.05, 0.05);
    assert!(passes.is_at_most(0.05), "{passes:?}");
}

#[test]
fn betting_costs_width_and_saves_cases() {
    let price = price_of_betting(20, 500);
    assert!((1.2..2.0).contains(&price), "{price}");
    let (asked, stopped) = stops(60, 500, 0.05, (0.02, 0.22));
    assert!(asked < 0.35 && stopped.share() > 0.95, "{asked} {stopped:?}");
}

#[test]
fn quantities_are_bounded_in_the_long_run() {
    let missed = misses_of_asymptotic(300, 500);
    assert!(missed.is_at_most(0.05), "{missed:?}");
    let (bootstrap, student) = ratio_too_low(150, 60);
    assert!(bootstrap.is_at_most(0.12), "{bootstrap:?} {student:?}");
    let missed = bca_misses(150, 60);
    assert!(missed.is_at_most(0.11), "{missed:?}");
}

#[test]
fn the_documentation_has_the_tables_that_the_example_writes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/concepts/statistics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("<!-- measured -->\n").unwrap();
    let (tables, _) = rest.split_once("<!-- end of what was measured -->").unwrap();
    for heading in ["Looking while the run goes on", "A candidate worse by just the margin", "Quantities"] {
        assert!(tables.contains(heading), "no table `{heading}`");
    }
}

//! Two windows as a caller sees them: false alarms, power, missing data, sessions, JSON.

#![expect(clippy::unwrap_used, clippy::panic, reason = "functions that tests share unwrap as tests do")]

use std::f64::consts::TAU;

use chrono::{DateTime, TimeDelta, Utc};
use promptops_drift::v1::ComparisonV1;
use promptops_drift::{
    Comparison, DriftError, LedgerField, Method, Options, Outcome, Shortage, Signal, SignalName, WindowName, compare,
};
use promptops_stats::SplitMix64;
use promptops_telemetry::{Invocation, Status, Uuid};

/// Says how the calls of a simulated window behave.
#[derive(Clone, Copy)]
struct Behaviour {
    rows: u32,
    errors: f64,
    valid: f64,
    refusals: f64,
    latency_ms: f64,
    tokens: f64,
    score: f64,
    model: &'static str,
    /// Rows of one session, and how much of its behaviour they share, from 0 to 1.
    session: Option<(u32, f64)>,
}

const STEADY: Behaviour = Behaviour {
    rows: 300,
    errors: 0.02,
    valid: 0.95,
    refusals: 0.03,
    latency_ms: 400.0,
    tokens: 120.0,
    score: 0.7,
    model: "model-2026-01",
    session: None,
};

fn normal(random: &mut SplitMix64) -> f64 {
    (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (TAU * random.unit()).cos()
}

/// Draws a window: skewed latencies, tokens and costs, five labels of unequal shares, one graded and one binary score.
fn window(random: &mut SplitMix64, behaviour: &Behaviour) -> Vec<Invocation> {
    let start: DateTime<Utc> = "2026-05-01T00:00:00Z".parse().unwrap();
    let (mut common, mut common_uniform) = (0.0, 0.0);
    (0..behaviour.rows)
        .map(|row| {
            let (size, shared) = behaviour.session.unwrap_or((1, 0.0));
            if row % size == 0 {
                (common, common_uniform) = (normal(random), random.unit());
            }
            let mut z = || shared.sqrt() * common + (1.0 - shared).sqrt() * normal(random);
            let (slow, long) = ((0.6 * z()).exp(), (0.5 * z()).exp());
            let grade = behaviour.score + 0.1 * z();
            let mut chance = |share: f64| {
                let own = random.unit();
                let copied = random.unit() < shared;
                (if copied { common_uniform } else { own }) < share
            };
            let failed = chance(behaviour.errors);
            let (valid, refusal) = (chance(behaviour.valid), chance(behaviour.refusals));
            let label = match random.below(100) {
                0..50 => "billing",
                50..80 => "technical",
                80..95 => "sales",
                95..99 => "retention",
                _ => "other",
            };
            let base = Invocation {
                session: behaviour.session.map(|(size, _)| format!("s{}", row / size)),
                requested_model: Some("model".to_owned()),
                responded_model: Some(behaviour.model.to_owned()),
                latency_ms: Some(behaviour.latency_ms * slow),
                ..Invocation::new(start + TimeDelta::seconds(i64::from(row)), Uuid::from_u128(u128::from(row)))
            };
            if failed {
                return Invocation { status: Status::Error, error_type: Some("timeout".to_owned()), ..base };
            }
            let tokens = (behaviour.tokens * long).round();
            Invocation {
                input_tokens: Some(200 + random.below(50)),
                output_tokens: Some(tokens as u64),
                output_length: Some(4 * tokens as u64),
                cost_usd: Some(1e-5 * tokens),
                label: Some(label.to_owned()),
                valid: Some(valid),
                refusal: Some(refusal),
                scores: [("judge".to_owned(), grade), ("exact".to_owned(), f64::from(u8::from(grade > 0.68)))].into(),
                ..base
            }
        })
        .collect()
}

fn named<'a>(comparison: &'a Comparison, name: &SignalName) -> &'a Signal {
    comparison.signal(name).unwrap_or_else(|| panic!("no signal {name:?}"))
}

/// Fails unless every interval agrees with its outcome and every tested signal is explained.
fn consistent(comparison: &Comparison) {
    for signal in &comparison.signals {
        match (signal.outcome, signal.interval, signal.method) {
            (Outcome::Insufficient(_), None, None) => assert!(signal.p_value.is_none()),
            (_, None, Some(Method::Constant)) => {}
            (outcome, Some(interval), Some(_)) => {
                assert_eq!(outcome == Outcome::Changed, !interval.contains(0.0), "{signal:?}");
                assert!(interval.contains(signal.difference.unwrap()), "{signal:?}");
                assert!((0.0..=1.0).contains(&signal.p_value.unwrap()));
            }
            _ => panic!("inconsistent: {signal:?}"),
        }
    }
}

/// Returns the share of comparisons of equal behaviour in which any signal is called changed.
fn false_alarms(runs: u32, seed: u64, baseline: &Behaviour, current: &Behaviour) -> f64 {
    let mut random = SplitMix64::new(seed);
    let mut alarms = 0;
    for _ in 0..runs {
        let (first, second) = (window(&mut random, baseline), window(&mut random, current));
        let comparison = compare(&first, &second, &Options::default()).unwrap();
        assert!(comparison.tested >= 12, "{} signals tested", comparison.tested);
        consistent(&comparison);
        alarms += u32::from(comparison.changed().next().is_some());
    }
    f64::from(alarms) / f64::from(runs)
}

/// Fails when a rate exceeds 5 % by more than three standard errors of so many runs.
fn within_alpha(rate: f64, runs: u32) {
    let error = (0.05 * 0.95 / f64::from(runs)).sqrt();
    assert!(rate <= 0.05 + 3.0 * error, "false alarms in {rate} of the comparisons");
}

#[test]
fn without_drift_one_comparison_in_twenty_at_most_alarms() {
    let runs = 250;
    let rate = false_alarms(runs, 1, &STEADY, &STEADY);
    println!("300 against 300 rows: any false alarm {rate:.4}");
    within_alpha(rate, runs);
}

#[test]
fn unequal_windows_keep_the_rate_too() {
    let runs = 150;
    let rate = false_alarms(runs, 2, &Behaviour { rows: 900, ..STEADY }, &Behaviour { rows: 150, ..STEADY });
    println!("900 against 150 rows: any false alarm {rate:.4}");
    within_alpha(rate, runs);
}

#[test]
fn sessions_do_not_multiply_the_evidence() {
    let runs = 150;
    let sessions = Behaviour { session: Some((6, 0.6)), ..STEADY };
    let rate = false_alarms(runs, 3, &sessions, &sessions);
    println!("50 against 50 sessions of 6: any false alarm {rate:.4}");
    within_alpha(rate, runs);

    // The same rows with their sessions forgotten alarm far too often.
    let mut random = SplitMix64::new(3);
    let forgotten = (0..100)
        .filter(|_| {
            let mut forget = || -> Vec<Invocation> {
                window(&mut random, &sessions).into_iter().map(|row| Invocation { session: None, ..row }).collect()
            };
            let (first, second) = (forget(), forget());
            compare(&first, &second, &Options::default()).unwrap().changed().next().is_some()
        })
        .count();
    println!("the same, sessions forgotten: {:.4}", forgotten as f64 / 100.0);
    assert!(forgotten > 20, "{forgotten}");
}

#[test]
fn clear_shifts_are_found_and_only_those() {
    let shifted = Behaviour { valid: 0.80, latency_ms: 560.0, tokens: 160.0, score: 0.6, model: "model-2026-04", ..STEADY };
    let mut random = SplitMix64::new(4);
    let (runs, mut found, mut wrong) = (40, 0, 0);
    for _ in 0..runs {
        let (first, second) = (window(&mut random, &STEADY), window(&mut random, &shifted));
        let comparison = compare(&first, &second, &Options::default()).unwrap();
        consistent(&comparison);
        let all = [
            SignalName::ValidShare,
            SignalName::OutputTokens,
            SignalName::OutputLength,
            SignalName::Cost,
            SignalName::LatencyMedian,
            SignalName::Score("judge".to_owned()),
            SignalName::Score("exact".to_owned()),
        ];
        found += u32::from(all.iter().all(|name| named(&comparison, name).outcome == Outcome::Changed));
        assert!(named(&comparison, &SignalName::ValidShare).difference.unwrap() < 0.0);
        wrong += u32::from(named(&comparison, &SignalName::InputTokens).outcome == Outcome::Changed);
        let changes: Vec<LedgerField> = comparison.ledger_changes().map(|entry| entry.field).collect();
        assert_eq!(changes, [LedgerField::RespondedModel]);
    }
    println!("every one of seven shifts found in {found} of {runs}; unchanged input tokens called changed in {wrong}");
    assert!(found >= runs * 9 / 10 && wrong <= 4, "{found} and {wrong} of {runs}");
}

#[test]
fn values_are_those_of_the_rows() {
    let mut random = SplitMix64::new(10);
    let shifted = Behaviour { latency_ms: 900.0, ..STEADY };
    let (first, second) = (window(&mut random, &STEADY), window(&mut random, &shifted));
    let comparison = compare(&first, &second, &Options::default()).unwrap();

    let costs: Vec<f64> = second.iter().filter_map(|row| row.cost_usd).collect();
    let mean = costs.iter().sum::<f64>() / costs.len() as f64;
    let cost = named(&comparison, &SignalName::Cost);
    assert!((cost.current.value.unwrap() - mean).abs() < 1e-15);
    let errors = second.iter().filter(|row| row.status == Status::Error).count();
    assert!(errors > 0);
    // A failed call has no cost and misses none.
    assert_eq!((cost.current.rows, cost.current.missing), (300 - errors, 0));
    let share = named(&comparison, &SignalName::ErrorShare).current;
    assert_eq!((share.rows, share.value), (300, Some(errors as f64 / 300.0)));

    let bound = comparison.slow_above_ms.unwrap();
    let answered = |rows: &[Invocation]| -> Vec<f64> {
        rows.iter().filter(|row| row.status == Status::Ok).filter_map(|row| row.latency_ms).collect()
    };
    let above = |latencies: &[f64]| latencies.iter().filter(|latency| **latency > bound).count() as f64 / latencies.len() as f64;
    let slow = named(&comparison, &SignalName::SlowShare);
    assert!((slow.baseline.value.unwrap() - 0.05).abs() < 0.005, "{slow:?}");
    assert_eq!(slow.current.value, Some(above(&answered(&second))));
    assert_eq!(slow.outcome, Outcome::Changed);

    let mut latencies = answered(&second);
    latencies.sort_by(f64::total_cmp);
    let middle = (latencies[(latencies.len() - 1) / 2] + latencies[latencies.len() / 2]) / 2.0;
    let median = named(&comparison, &SignalName::LatencyMedian);
    assert!((median.current.value.unwrap() - middle).abs() < 1e-9);
    assert!(median.interval.unwrap().contains(500.0), "{median:?}");
    let exact = named(&comparison, &SignalName::Score("exact".to_owned()));
    assert_eq!(exact.method, Some(Method::Newcombe));
    assert_eq!(named(&comparison, &SignalName::Score("judge".to_owned())).method, Some(Method::Welch));
}

#[test]
fn a_small_shift_is_called_not_shown_with_an_interval_that_leaves_it_open() {
    let mut random = SplitMix64::new(5);
    let first = window(&mut random, &Behaviour { rows: 120, ..STEADY });
    let second = window(&mut random, &Behaviour { rows: 120, valid: 0.93, ..STEADY });
    let comparison = compare(&first, &second, &Options::default()).unwrap();
    let valid = named(&comparison, &SignalName::ValidShare);
    assert_eq!(valid.outcome, Outcome::NotShown);
    assert!(valid.interval.unwrap().contains(-0.02));
}

#[test]
fn missing_values_are_counted_and_not_taken_for_zero() {
    let mut random = SplitMix64::new(6);
    let first = window(&mut random, &Behaviour { errors: 0.0, ..STEADY });
    let mut second = window(&mut random, &Behaviour { errors: 0.0, ..STEADY });
    for (index, row) in second.iter_mut().enumerate() {
        row.cost_usd = None;
        row.refusal = if index < 20 { row.refusal } else { None };
        row.label = if index < 200 { row.label.take() } else { None };
        row.input_tokens = if index < 100 { row.input_tokens } else { None };
    }
    let comparison = compare(&first, &second, &Options::default()).unwrap();
    consistent(&comparison);
    let cost = named(&comparison, &SignalName::Cost);
    assert_eq!((cost.current.rows, cost.current.missing, cost.current.value), (0, 300, None));
    assert_eq!((cost.difference, cost.outcome), (None, Outcome::Insufficient(Shortage::Rows { needed: 30 })));
    let refusal = named(&comparison, &SignalName::RefusalShare);
    assert_eq!((refusal.current.rows, refusal.current.missing), (20, 280));
    assert!(matches!(refusal.outcome, Outcome::Insufficient(_)) && refusal.current.value.is_some());
    let billing = named(&comparison, &SignalName::Label("billing".to_owned()));
    assert_eq!((billing.current.rows, billing.current.missing), (200, 100));
    let tokens = named(&comparison, &SignalName::InputTokens);
    assert_eq!((tokens.current.missing, tokens.outcome), (200, Outcome::NotShown));
    let insufficient = comparison.signals.iter().filter(|signal| matches!(signal.outcome, Outcome::Insufficient(_))).count();
    assert_eq!(comparison.tested + insufficient, comparison.signals.len());
}

#[test]
fn a_new_label_and_a_new_price_are_changes() {
    let start: DateTime<Utc> = "2026-05-01T00:00:00Z".parse().unwrap();
    let rows = |label: fn(u32) -> &'static str, cost: f64| -> Vec<Invocation> {
        (0..120)
            .map(|row| Invocation {
                label: Some(label(row).to_owned()),
                cost_usd: Some(cost),
                ..Invocation::new(start, Uuid::from_u128(u128::from(row)))
            })
            .collect()
    };
    let before = rows(|row| if row % 2 == 0 { "a" } else { "b" }, 0.003);
    let after = rows(|row| ["a", "b", "c", "a", "b", "c", "c"][row as usize % 7], 0.004);
    let comparison = compare(&before, &after, &Options::default()).unwrap();
    consistent(&comparison);
    let label = named(&comparison, &SignalName::Label("c".to_owned()));
    assert_eq!((label.baseline.value, label.outcome), (Some(0.0), Outcome::Changed));
    let cost = named(&comparison, &SignalName::Cost);
    assert_eq!((cost.method, cost.interval, cost.outcome), (Some(Method::Constant), None, Outcome::Changed));
    assert!(comparison.signal(&SignalName::OtherLabels).is_none());
    assert!(comparison.label_divergence.unwrap().jensen_shannon > 0.1);
}

#[test]
fn an_empty_window_is_an_error_that_names_it() {
    let rows = window(&mut SplitMix64::new(7), &STEADY);
    let error = compare(&rows, &[], &Options::default()).unwrap_err();
    assert_eq!(error, DriftError::EmptyWindow(WindowName::Current));
    assert_eq!(error.to_string(), "a window holds no invocation: `current`");
    let error = compare(&[], &rows, &Options::default()).unwrap_err();
    assert_eq!(error, DriftError::EmptyWindow(WindowName::Baseline));
    assert_eq!(compare(&rows, &rows, &Options { alpha: 0.0, ..Options::default() }), Err(DriftError::Alpha(0.0)));
}

#[test]
fn rows_that_say_nothing_test_only_errors() {
    let start: DateTime<Utc> = "2026-05-01T00:00:00Z".parse().unwrap();
    let rows: Vec<Invocation> = (0..40).map(|row| Invocation::new(start, Uuid::from_u128(row))).collect();
    let comparison = compare(&rows, &rows, &Options::default()).unwrap();
    consistent(&comparison);
    assert_eq!(comparison.tested, 1);
    assert_eq!((comparison.slow_above_ms, comparison.label_divergence), (None, None));
    assert!(comparison.ledger.is_empty() && comparison.changed().next().is_none());
}

#[test]
fn json_is_versioned_and_returns_the_same() {
    let mut random = SplitMix64::new(8);
    let (first, second) = (window(&mut random, &STEADY), window(&mut random, &Behaviour { rows: 110, ..STEADY }));
    let comparison = compare(&first, &second, &Options::default()).unwrap();
    let wire = ComparisonV1::from(&comparison);
    let text = serde_json::to_string(&wire).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let read: ComparisonV1 = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
    assert_eq!(value["schema_version"], 1);
    assert_eq!(value["baseline"]["first"], "2026-05-01T00:00:00.000000Z");
    assert_eq!(value["signals"][0]["signal"], "error_share");
    assert_eq!(value["signals"][0]["unit"], "share");
    assert_eq!(value["signals"][0]["method"], "newcombe");
    let subjects: Vec<&str> =
        wire.signals.iter().filter(|signal| signal.signal == "score").filter_map(|s| s.subject.as_deref()).collect();
    assert_eq!(subjects, ["exact", "judge"]);
    assert_eq!(value["ledger"][0]["field"], "requested_model");
    assert_eq!(value["ledger"][0]["differs"], false);
}

//! The support desk's prompts, answered by the engine: editing a prompt changes how many answers are right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[path = "support_desk/prompt_files.rs"]
mod prompt_files;
use prompt_files::{PromptFile, Row, read_rows, read_yaml, support_desk};

const SMALL: &str = "offline-small-2026-01";
const LARGE: &str = "offline-large-2026-01";
const LARGE_LATER: &str = "offline-large-2026-07";

const FIRST: &str = "history/01-first-classifier/prompts/customer-support/intent-classifier.yaml";
const ACCEPTED: &str = "prompts/customer-support/intent-classifier.yaml";
const PROPOSED: &str = "proposal/prompts/customer-support/intent-classifier.yaml";

fn prompt(path: &str) -> PromptFile {
    PromptFile::read(&support_desk().join(path))
}

fn intents() -> Vec<Row> {
    read_rows(&support_desk().join("datasets/intents.csv"))
}

/// Whether each row is answered as expected, with a bare label and nothing else.
fn hits(path: &str, model: &str, rows: &[Row], expected: &str) -> Vec<bool> {
    let prompt = prompt(path);
    let answer = |row: &Row| prompt.answer(model, &BTreeMap::from([("message".to_owned(), row["message"].clone())]));
    rows.iter().map(|row| answer(row) == row[expected]).collect()
}

fn share(hits: &[bool]) -> f64 {
    hits.iter().filter(|hit| **hit).count() as f64 / hits.len() as f64
}

/// The lower end of the 99 % interval of the paired difference `better - worse` (normal approximation).
fn least_difference(better: &[bool], worse: &[bool]) -> f64 {
    let differences: Vec<f64> =
        better.iter().zip(worse).map(|(better, worse)| f64::from(*better as u8) - f64::from(*worse as u8)).collect();
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let variance = differences.iter().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (count - 1.0);
    mean - 2.576 * (variance / count).sqrt()
}

#[test]
fn the_accepted_version_beats_the_first_and_the_proposed_one() {
    let rows = intents();
    let accepted = hits(ACCEPTED, LARGE, &rows, "intent");
    assert!((0.85..=0.95).contains(&share(&accepted)), "accepted: {}", share(&accepted));
    for path in [FIRST, PROPOSED] {
        let other = hits(path, LARGE, &rows, "intent");
        let least = least_difference(&accepted, &other);
        assert!(least > 0.10, "{path}: {} against {}, at least {least}", share(&other), share(&accepted));
    }
}

#[test]
fn the_small_model_is_worse_and_the_later_one_differs() {
    let rows = intents();
    let (small, large, later) = (
        hits(ACCEPTED, SMALL, &rows, "intent"),
        hits(ACCEPTED, LARGE, &rows, "intent"),
        hits(ACCEPTED, LARGE_LATER, &rows, "intent"),
    );
    assert!(share(&small) + 0.03 < share(&large), "{} against {}", share(&small), share(&large));
    assert_ne!(large, later);
}

#[test]
fn every_critical_message_is_routed_right_by_the_accepted_version_only() {
    let rows: Vec<Row> = intents().into_iter().filter(|row| row["critical"] == "true").collect();
    assert_eq!(rows.len(), 10);
    assert_eq!(share(&hits(ACCEPTED, LARGE, &rows, "intent")), 1.0);
    assert!(share(&hits(PROPOSED, LARGE, &rows, "intent")) < 1.0);
}

#[test]
fn what_the_files_state_as_baseline_is_what_is_measured() {
    let urgency = read_rows(&support_desk().join("datasets/urgency.jsonl"));
    for (path, rows, expected) in [(ACCEPTED, intents(), "intent"), ("prompts/customer-support/urgency.yaml", urgency, "urgency")]
    {
        let stated = read_yaml(&support_desk().join(path))["metrics"]["baseline_accuracy"].as_f64();
        let measured = share(&hits(path, LARGE, &rows, expected));
        assert_eq!(stated, Some((measured * 1000.0).round() / 1000.0), "{path}");
    }
}

#[test]
fn data_sets_are_sound_and_no_prompt_shows_one_of_their_messages() {
    let urgency = read_rows(&support_desk().join("datasets/urgency.jsonl"));
    let accepted = std::fs::read_to_string(support_desk().join(ACCEPTED)).expect("the prompt can be read");
    for (rows, column, labels) in [
        (intents(), "intent", &["billing", "technical", "sales", "retention", "other"][..]),
        (urgency, "urgency", &["high", "normal", "low"][..]),
    ] {
        let ids: BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str()).collect();
        let messages: BTreeSet<&str> = rows.iter().map(|row| row["message"].as_str()).collect();
        assert_eq!((ids.len(), messages.len()), (rows.len(), rows.len()), "ids and messages are unique");
        for row in &rows {
            assert!(labels.contains(&row[column].as_str()), "{}", row["id"]);
            assert!(["true", "false"].contains(&row["critical"].as_str()), "{}", row["id"]);
            assert!(!accepted.contains(&row["message"]), "{} is an example of the prompt", row["id"]);
        }
    }
    assert!(intents().len() >= 200);
}

#[test]
fn the_urgency_prompt_is_useful_too() {
    let rows = read_rows(&support_desk().join("datasets/urgency.jsonl"));
    let hits = hits("prompts/customer-support/urgency.yaml", LARGE, &rows, "urgency");
    assert!(share(&hits) >= 0.75, "{}", share(&hits));
    let critical = rows.iter().zip(&hits).filter(|(row, _)| row["critical"] == "true");
    assert!(critical.clone().count() > 0 && critical.clone().all(|(_, hit)| *hit));
}

fn answer(path: &str, inputs: Value) -> String {
    prompt(path).answer_json(LARGE, &inputs)
}

#[test]
fn sentiment_comes_as_json() {
    let text = answer(
        "prompts/customer-support/sentiment.yaml",
        serde_json::json!({"message": "I am so disappointed, the export is broken again."}),
    );
    let value: Value = serde_json::from_str(&text).expect("the answer is JSON");
    assert_eq!(value["sentiment"], "negative");
    assert_eq!(value["reason"], "mentions disappointed, broken");
}

#[test]
fn invoice_details_are_copied_from_the_message() {
    let message = "Invoice LK-20418 of 3 May 2026 says €118.00, it should be 108. Best, Ada <ada@harbour.example>";
    let text = answer("prompts/customer-support/order-details.yaml", serde_json::json!({"message": message}));
    let expected = serde_json::json!({
        "invoice_number": "LK-20418", "amount": "€118.00", "date": "3 May 2026", "email": "ada@harbour.example",
    });
    assert_eq!(serde_json::from_str::<Value>(&text).expect("the answer is JSON"), expected);
}

#[test]
fn a_ticket_is_summed_up_in_three_bullets() {
    let turns = [
        "Customer: Hello there.",
        "Customer: The calendar sync with Outlook stopped on Monday.",
        "Agent: Which version of Outlook do you use?",
        "Customer: Version 16. The sync stops after ten bookings, and the calendar stays empty.",
        "Customer: It rains here.",
    ];
    let text =
        answer("prompts/customer-support/ticket-summary.yaml", serde_json::json!({"customer": "Harbour Café", "turns": turns}));
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().all(|line| line.starts_with("- ")), "{text}");
    assert!(text.contains("The calendar sync with Outlook stopped on Monday."), "{text}");
    assert!(!text.contains("It rains here"), "{text}");
}

#[test]
fn letters_use_the_facts_that_touch_the_message() {
    let reply = answer(
        "prompts/customer-support/reply-draft.yaml",
        serde_json::json!({
            "message": "When does my refund arrive?",
            "agent": "Maja",
            "facts": ["Refunds arrive within five working days.", "The calendar can be printed."],
        }),
    );
    assert!(reply.contains("Refunds arrive within five working days."), "{reply}");
    assert!(!reply.contains("printed"), "{reply}");
    assert!(reply.ends_with("Maja, Larkspur support"), "{reply}");

    let inputs =
        serde_json::json!({"message": "Please cancel, or can I pause the subscription?", "agent": "Jonas", "plan": "Team"});
    let letter = answer("prompts/retention/cancellation-reply.yaml", inputs);
    assert!(letter.contains("A subscription can be paused for up to three months"), "{letter}");

    let inputs = serde_json::json!({"message": "Delete my personal data.", "agent": "Lena", "received": "2026-05-14"});
    let letter = answer("prompts/compliance/data-request-reply.yaml", inputs);
    assert!(letter.contains("Deletion of personal data is carried out within one month"), "{letter}");
}

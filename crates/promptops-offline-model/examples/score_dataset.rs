//! Prints how often each model answers each version of the support desk's prompts as its data sets expect.
//!
//! `cargo run -p promptops-offline-model --example score_dataset`; with `-- mistakes` it names every case missed.

#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use std::collections::BTreeMap;

use promptops_offline_model::MODELS;

#[path = "../tests/support_desk/prompt_files.rs"]
mod prompt_files;
use prompt_files::{PromptFile, Row, read_rows, support_desk};

const INTENTS: [(&str, &str); 3] = [
    ("intent v1", "history/01-first-classifier/prompts/customer-support/intent-classifier.yaml"),
    ("intent v2", "prompts/customer-support/intent-classifier.yaml"),
    ("intent v3", "proposal/prompts/customer-support/intent-classifier.yaml"),
];

fn main() {
    let names_mistakes = std::env::args().nth(1).is_some_and(|argument| argument == "mistakes");
    let intents = read_rows(&support_desk().join("datasets/intents.csv"));
    for (name, path) in INTENTS {
        report(name, path, &intents, "intent", names_mistakes);
    }
    let urgency = read_rows(&support_desk().join("datasets/urgency.jsonl"));
    report("urgency v1", "prompts/customer-support/urgency.yaml", &urgency, "urgency", names_mistakes);
}

fn report(name: &str, path: &str, rows: &[Row], expected: &str, names_mistakes: bool) {
    let prompt = PromptFile::read(&support_desk().join(path));
    for model in MODELS {
        let mut right = 0;
        let mut by_group: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let mut confusions: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            let inputs = BTreeMap::from([("message".to_owned(), row["message"].clone())]);
            let answer = prompt.answer(model.name, &inputs);
            let hit = answer == row[expected];
            right += usize::from(hit);
            let critical = if row.get("critical").is_some_and(|value| value == "true") { "critical" } else { "" };
            for group in [row.get("difficulty").map_or("", String::as_str), critical, &row[expected]] {
                let counts = by_group.entry(group.to_owned()).or_default();
                counts.0 += usize::from(hit);
                counts.1 += 1;
            }
            if !hit {
                if names_mistakes {
                    println!("    {} {}: {} is not {answer}", model.name, row["id"], row[expected]);
                }
                *confusions.entry(format!("{}>{answer}", row[expected])).or_default() += 1;
            }
        }
        println!("{name:<11} {:<22} {right}/{} = {:.3}", model.name, rows.len(), right as f64 / rows.len() as f64);
        for (group, (right, all)) in by_group.iter().filter(|(group, _)| !group.is_empty()) {
            println!("    {group:<10} {right}/{all}");
        }
        println!("    confused   {confusions:?}");
    }
}

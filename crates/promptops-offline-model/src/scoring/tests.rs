use super::*;
use crate::model::{Abilities, abilities};
use crate::prompt_reading::{self, Task};
use crate::request::{Message as Said, Request, ResponseFormat, Role};

const SMALL: &str = "offline-small-2026-01";
const LARGE: &str = "offline-large-2026-01";

const DEFINED: &str = "Answer with one of: billing, technical, retention, other.\n\
    - billing: invoices, refunds, payment by credit card\n\
    - technical: crashes, errors, pages not loading\n\
    - retention: cancelling, leaving us\n\
    - other: anything else\n";

fn verdict(model: &str, system: &str, text: &str) -> (LabelSet, Verdict) {
    let message = |role, content: &str| Said { role, content: content.to_owned() };
    let request = Request {
        model: model.to_owned(),
        messages: vec![message(Role::System, system), message(Role::User, text)],
        temperature: 0.0,
        max_tokens: None,
        seed: None,
        response_format: ResponseFormat::Text,
    };
    let reading = prompt_reading::read(&request);
    let Task::Choose(set) = reading.task else { panic!("expected a choice") };
    let abilities: &Abilities = abilities(model).expect("the model is offered");
    let verdict = score(&set, &reading.input, reading.focus, abilities);
    (set, verdict)
}

fn label(model: &str, system: &str, text: &str) -> String {
    let (set, verdict) = verdict(model, system, text);
    let best = crate::sampling::pick(&verdict.scores, 0.0, 0).expect("there are labels");
    set.labels[best].name.clone()
}

#[test]
fn definitions_decide() {
    assert_eq!(label(LARGE, DEFINED, "My refund has not come"), "billing");
    assert_eq!(label(LARGE, DEFINED, "It crashed with an error"), "technical");
}

#[test]
fn without_its_definition_a_label_is_missed() {
    let cut = DEFINED.replace("- billing: invoices, refunds, payment by credit card\n", "");
    assert_eq!(label(LARGE, &cut, "My refund has not come"), "other");
}

#[test]
fn nothing_fits_needs_a_rule_and_is_the_first_label_without_one() {
    assert_eq!(label(LARGE, DEFINED, "What a lovely spring"), "other");
    let unruled = DEFINED.replace("- other: anything else\n", "");
    assert_eq!(label(LARGE, &unruled, "What a lovely spring"), "billing");
}

#[test]
fn a_stated_tie_break_decides_between_two() {
    let text = "The invoice shows an error";
    let technical = format!("{DEFINED}If both billing and technical fit, choose technical.");
    let billing = format!("{DEFINED}If both billing and technical fit, choose billing.");
    assert_eq!(label(LARGE, &technical, text), "technical");
    assert_eq!(label(LARGE, &billing, text), "billing");
}

#[test]
fn a_condition_outweighs_definitions() {
    let text = "Crashes, errors: I will switch to another provider";
    let ruled = format!("{DEFINED}If they say they switch or move away, choose retention.");
    assert_eq!(label(LARGE, DEFINED, text), "technical");
    let (set, verdict) = verdict(LARGE, &ruled, text);
    assert_eq!(set.rules.conditions.len(), 1);
    assert_eq!(verdict.scores[2], 2.0);
}

#[test]
fn what_is_denied_speaks_against_its_label() {
    assert_eq!(label(LARGE, DEFINED, "I want to cancel"), "retention");
    assert_eq!(label(LARGE, DEFINED, "I don't want to cancel, I need an invoice"), "billing");
    let (_, denied) = verdict(LARGE, DEFINED, "I don't want to cancel");
    assert_eq!(denied.scores[2], -0.5);
}

#[test]
fn exclusions_count_against() {
    let excluded = DEFINED.replace("not loading", "not loading, but not passwords");
    let (_, with) = verdict(LARGE, &excluded, "an error about passwords");
    let (_, without) = verdict(LARGE, DEFINED, "an error about passwords");
    assert_eq!(without.scores[1] - with.scores[1], 1.0);
}

#[test]
fn only_large_models_learn_from_examples() {
    let shown = format!("{DEFINED}\"The dunning letter is wrong\" → billing\n\"The wheel spins forever\" → technical\n");
    assert_eq!(label(LARGE, &shown, "another dunning letter"), "billing");
    assert_eq!(label(SMALL, &shown, "another dunning letter"), "other");
}

#[test]
fn only_large_models_see_word_pairs_and_forgive_typos() {
    let pair = |model| verdict(model, DEFINED, "my credit card").1.scores[0];
    assert_eq!(pair(LARGE) - pair(SMALL), PAIR_WEIGHT);
    assert_eq!(label(LARGE, DEFINED, "my invioce please"), "billing");
    assert_eq!(label(SMALL, DEFINED, "my invioce please"), "other");
}

#[test]
fn a_word_of_every_label_decides_nothing() {
    let system = "Answer with one of: a1, b1.\n- a1: red car\n- b1: blue car";
    let (_, verdict) = verdict(LARGE, system, "a car");
    assert_eq!(verdict.scores, [0.0, 0.0]);
}

#[test]
fn quotes_are_skipped_only_when_the_prompt_says_so() {
    let text = "> your invoice and refund\n> payment by credit card\nThe page shows an error";
    assert_eq!(label(LARGE, DEFINED, text), "billing");
    let skipping = format!("{DEFINED}Ignore quoted text.");
    assert_eq!(label(LARGE, &skipping, text), "technical");
    assert_eq!(without_quotes("they said \"we will refund you\" twice"), "they said  twice");
    assert_eq!(without_quotes("> all of it is quoted"), "> all of it is quoted");
}

#[test]
fn requests_outweigh_stories_when_the_prompt_says_so() {
    let text = "There were errors and crashes last year. Please send me my invoice.";
    assert_eq!(label(LARGE, DEFINED, text), "technical");
    let focused = format!("{DEFINED}What the customer asks for decides, not the story around it.");
    assert_eq!(label(LARGE, &focused, text), "billing");
}

#[test]
fn matched_words_are_the_messages_own_in_its_order() {
    let (_, verdict) = verdict(LARGE, DEFINED, "A refund for two invoices");
    assert_eq!(verdict.matched[0], ["refund", "invoices"]);
}

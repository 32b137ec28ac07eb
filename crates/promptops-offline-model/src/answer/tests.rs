use super::*;
use crate::model::abilities;
use crate::prompt_reading;
use crate::request::{Message, Request, ResponseFormat, Role};
use serde_json::json;

const SET: &str = "Labels: billing, technical.\n- billing: invoices\n- technical: crashes\n";
const OLD: &str = "offline-large-2026-01";
const NEW: &str = "offline-large-2026-07";

fn answer(model: &str, system: &str, text: &str, response_format: ResponseFormat) -> String {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    let request = Request {
        model: model.to_owned(),
        messages: vec![message(Role::System, system), message(Role::User, text)],
        temperature: 0.0,
        max_tokens: None,
        seed: None,
        response_format,
    };
    let abilities = abilities(model).expect("the model is offered");
    write(&prompt_reading::read(&request), abilities, Draw { temperature: 0.0, seed: 0 })
}

fn said(model: &str, demand: &str) -> String {
    answer(model, &format!("{SET}{demand}"), "it crashes", ResponseFormat::Text)
}

#[test]
fn without_a_demand_the_answer_is_prose() {
    assert_eq!(said(OLD, ""), "I would label this message as technical.");
}

#[test]
fn a_firm_demand_is_obeyed_by_all_and_a_mild_one_by_the_strict() {
    assert_eq!(said(OLD, "Answer with only the label."), "technical");
    assert_eq!(said(NEW, "Answer with only the label."), "technical");
    assert_eq!(said(OLD, "Answer with the label."), "The label is technical.");
    assert_eq!(said(NEW, "Answer with the label."), "technical");
}

#[test]
fn json_is_written_with_the_keys_shown() {
    let demand = "Answer with only JSON: {\"intent\": …, \"reason\": …, \"confidence\": …}";
    assert_eq!(said(OLD, demand), r#"{"intent":"technical","reason":"mentions crashes","confidence":1.0}"#);
    let mild = "Answer as JSON {\"intent\": …}.";
    assert_eq!(said(OLD, mild), "```json\n{\"intent\":\"technical\"}\n```");
    assert_eq!(said(NEW, mild), "{\"intent\":\"technical\"}");
}

#[test]
fn json_mode_without_keys_names_the_label() {
    assert_eq!(answer(OLD, SET, "it crashes", ResponseFormat::JsonObject), r#"{"label":"technical"}"#);
}

#[test]
fn a_schema_decides_the_form() {
    let bare = ResponseFormat::JsonSchema(json!({"type": "string", "enum": ["billing", "technical"]}));
    assert_eq!(answer(OLD, SET, "it crashes", bare), "\"technical\"");
    let object = ResponseFormat::JsonSchema(json!({"type": "object", "properties": {
        "team": {"enum": ["billing", "technical"]},
        "order_number": {"type": ["string", "null"]},
        "email": {"type": "string"},
        "amount": {"type": "number"},
        "dates": {"type": "array"},
    }}));
    assert_eq!(
        answer(OLD, SET, "order 4711 for $20 crashes since 2026-03-01", object),
        r#"{"team":"technical","order_number":"4711","email":"","amount":20.0,"dates":["2026-03-01"]}"#
    );
}

#[test]
fn prompts_without_labels_get_text() {
    let story = "I like tea. The export of invoices fails at night. The export fails.";
    let summary = answer(OLD, "Summarise the message in one sentence.", story, ResponseFormat::Text);
    assert_eq!(summary, "The export of invoices fails at night.");
    let reply = answer(OLD, "Write a reply to the customer. Sign as \"Support\".", story, ResponseFormat::Text);
    assert!(reply.starts_with("Hello,\n\nthank you for your message"), "{reply}");
    assert!(reply.ends_with("\n\nSupport"), "{reply}");
}

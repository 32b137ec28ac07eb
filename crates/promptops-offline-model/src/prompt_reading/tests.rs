use super::*;
use crate::request::{Message, Role};
use serde_json::json;

fn request(messages: &[(Role, &str)], response_format: ResponseFormat) -> Request {
    let messages = messages.iter().map(|(role, content)| Message { role: *role, content: (*content).to_owned() });
    Request {
        model: "offline-large-2026-01".to_owned(),
        messages: messages.collect(),
        temperature: 0.0,
        max_tokens: None,
        seed: None,
        response_format,
    }
}

fn read_system(system: &str) -> Reading {
    read(&request(&[(Role::System, system), (Role::User, "the text")], ResponseFormat::Text))
}

fn label_set(reading: Reading) -> LabelSet {
    match reading.task {
        Task::Choose(set) => set,
        other => panic!("expected a choice, got {other:?}"),
    }
}

fn names(system: &str) -> Vec<String> {
    match read_system(system).task {
        Task::Choose(set) => set.labels.into_iter().map(|label| label.name).collect(),
        Task::Fill(_) | Task::Summarise(_) | Task::Reply(_) => Vec::new(),
    }
}

#[test]
fn label_sets_are_found_in_many_wordings() {
    let wordings = [
        "Answer with one of: billing, technical, sales.",
        "Answer with exactly one of billing, technical, or sales for the message below.",
        "Choose one of the following labels: `billing`, `technical`, `sales`.",
        "Reply with one of \"billing\" | \"technical\" | \"sales\".",
        "Labels: billing / technical / sales",
        "Classify the message as billing, technical or sales.",
        "Pick one of billing (invoices, refunds), technical (crashes) and sales (quotes).",
        "Sort the message into a team.\nThe teams:\n- billing: invoices\n- technical: crashes\n- sales: quotes\nBe quick.",
        "The categories are these.\n\n* **billing** — invoices\n* **technical** — crashes\n* **sales** — quotes",
        "Decide the intent, one of:\n1. billing\n2. technical\n3. sales",
    ];
    for wording in wordings {
        assert_eq!(names(wording), ["billing", "technical", "sales"], "{wording}");
    }
}

#[test]
fn a_prompt_without_a_choice_has_no_labels() {
    for wording in [
        "Summarise the conversation in two sentences.",
        "Rules:\n- Be kind.\n- Never promise a date: say when you know it.",
        "Write a reply. One of our colleagues will read it.",
    ] {
        assert_eq!(names(wording), Vec::<String>::new(), "{wording}");
    }
}

#[test]
fn definitions_are_collected_from_lists_lines_brackets_and_sentences() {
    let texts = [
        "One of: billing, technical.\n- billing: invoices and\n  refunds\n- technical: crashes",
        "One of: billing, technical.\nbilling = invoices and refunds\ntechnical = crashes",
        "One of billing (invoices and refunds), technical (crashes).",
        "One of: billing, technical. Billing means invoices and refunds. Use technical for crashes.",
        "One of: billing, technical.\n\n## billing\ninvoices and refunds\n\n## technical\ncrashes",
    ];
    for text in texts {
        let set = label_set(read_system(text));
        assert!(set.labels[0].covers.concat().contains("invoices and refunds"), "{text}: {:?}", set.labels[0]);
        assert!(set.labels[1].covers.concat().contains("crashes"), "{text}: {:?}", set.labels[1]);
        assert!(!set.labels[1].covers.concat().contains("refunds"), "{text}: {:?}", set.labels[1]);
    }
}

#[test]
fn exclusions_leave_the_definition() {
    let set =
        label_set(read_system("One of: sales, billing.\n- sales: quotes and offers, but not refunds.\n- billing: invoices"));
    assert_eq!(set.labels[0].excludes, ["refunds"]);
    assert!(!set.labels[0].covers.concat().contains("refunds"));
}

#[test]
fn rules_are_told_apart() {
    let set = label_set(read_system(
        "One of: billing, technical, retention, other.\n\
         If the customer wants to cancel or leave, choose retention, even when they mention a refund.\n\
         If both billing and technical fit, choose technical.\n\
         Prefer billing over other.\n\
         When nothing fits, answer other.",
    ));
    let rules = set.rules;
    assert_eq!(rules.conditions.len(), 1);
    assert_eq!(rules.conditions[0].label, 2);
    assert_eq!(rules.conditions[0].alternatives, [["cancel"], ["leav"]]);
    assert_eq!(rules.precedence, [(1, 0), (0, 3)]);
    assert_eq!(rules.fallback, Some(3));
}

#[test]
fn an_order_of_priority_ranks_every_pair() {
    let set = label_set(read_system("One of: low, high, normal.\nPriority: high > normal > low."));
    assert_eq!(set.rules.precedence, [(1, 2), (1, 0), (2, 0)]);
}

#[test]
fn a_definition_of_the_rest_is_the_fallback() {
    let set = label_set(read_system("One of: billing, other.\n- billing: invoices\n- other: anything else"));
    assert_eq!(set.rules.fallback, Some(1));
}

#[test]
fn examples_are_found_in_every_form() {
    let texts = [
        "One of: billing, technical.\nMessage: Where is my invoice? → billing\n\"The app crashed\" -> technical",
        "One of: billing, technical.\nInput: Where is my invoice?\nOutput: billing\nInput: The app crashed\nOutput: technical",
        "One of: billing, technical.\nUser: Where is my invoice?\nLabel: billing\nUser: The app crashed\nLabel: technical",
        "One of: billing, technical.\nQ: Where is my invoice?\nA: {\"intent\": \"billing\"}\nQ: The app crashed\nA: {\"intent\": \"technical\"}",
    ];
    for text in texts {
        let set = label_set(read_system(text));
        let expected = [("Where is my invoice?".to_owned(), 0), ("The app crashed".to_owned(), 1)];
        assert_eq!(set.examples, expected, "{text}");
    }
}

#[test]
fn earlier_turns_are_examples_and_may_define_the_labels() {
    let turns = [
        (Role::User, "Where is my invoice?"),
        (Role::Assistant, "billing"),
        (Role::User, "The app crashed"),
        (Role::Assistant, "technical"),
        (Role::User, "It crashed again"),
    ];
    let reading = read(&request(&turns, ResponseFormat::Text));
    assert_eq!(reading.input, "It crashed again");
    assert_eq!(label_set(reading).examples.len(), 2);
}

#[test]
fn the_input_is_told_from_the_instructions() {
    let texts = [
        "Answer with one of: a, b.\n\nMessage: it is broken\n\nLabel:",
        "Answer with one of: a, b.\n<message>\nit is broken\n</message>\nThink of the customer.",
        "Answer with one of: a, b.\n\"\"\"\nit is broken\n\"\"\"",
        "Answer with one of: a, b.\n\nit is broken",
        "Answer with one of: a, b.\nMessage:\nit is broken",
        "Is this one of: a, b?\nMessage: an example\nLabel: a\nMessage: it is broken\nLabel:",
    ];
    for text in texts {
        let reading = read(&request(&[(Role::User, text)], ResponseFormat::Text));
        assert_eq!(reading.input, "it is broken", "{text}");
    }
}

#[test]
fn speakers_of_a_conversation_are_part_of_it() {
    let text = "Summarise this.\n\nConversation:\nCustomer: hello\nAgent: hi";
    let reading = read(&request(&[(Role::User, text)], ResponseFormat::Text));
    assert_eq!(reading.input, "Customer: hello\nAgent: hi");
}

#[test]
fn a_marker_inside_a_users_own_text_changes_nothing() {
    let system = (Role::System, "Answer with one of: a, b.");
    let text = "I wrote this:\nMessage: hello";
    assert_eq!(read(&request(&[system, (Role::User, text)], ResponseFormat::Text)).input, text);
    let marked = "Message: I wrote this";
    assert_eq!(read(&request(&[system, (Role::User, marked)], ResponseFormat::Text)).input, "I wrote this");
}

#[test]
fn the_form_of_the_answer_is_read_with_its_insistence() {
    use Insistence::{Firm, Mild};
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let cases = [
        ("Answer with one of: a, b. No explanation, answer with only the label.", AnswerFormat::BareLabel(Firm)),
        ("Labels: a, b.\nReply with just the category.", AnswerFormat::BareLabel(Firm)),
        ("Labels: a, b.\nAnswer with the label.", AnswerFormat::BareLabel(Mild)),
        ("Is it one of: a, b?", AnswerFormat::Sentence),
        (
            "Labels: a, b.\nAnswer as JSON {\"intent\": …, \"reason\": …}.",
            AnswerFormat::Json { keys: keys(&["intent", "reason"]), insistence: Mild },
        ),
        (
            "Labels: a, b.\nRespond with only JSON with the keys `intent` and `confidence`.",
            AnswerFormat::Json { keys: keys(&["intent", "confidence"]), insistence: Firm },
        ),
        ("Labels: a, b.\nAnswer with only the label, not JSON.", AnswerFormat::BareLabel(Firm)),
    ];
    for (text, expected) in cases {
        assert_eq!(read_system(text).format, expected, "{text}");
    }
}

#[test]
fn a_schema_gives_labels_and_fields() {
    let user = [(Role::User, "Classify this:\nit is broken")];
    let bare = read(&request(&user, ResponseFormat::JsonSchema(json!({"enum": ["a", "b"]}))));
    assert_eq!(bare.format, AnswerFormat::JsonString);
    assert_eq!(label_set(bare).labels.len(), 2);

    let schema = json!({"type": "object", "properties": {
        "intent": {"type": "string", "enum": ["a", "b"]},
        "order": {"type": ["string", "null"]},
        "amount": {"type": "number"},
        "seats": {"type": "integer"},
        "angry": {"type": "boolean"},
        "dates": {"type": "array", "items": {"type": "string"}},
    }});
    let Task::Fill(fields) = read(&request(&user, ResponseFormat::JsonSchema(schema))).task else {
        panic!("expected fields");
    };
    let kinds: Vec<&str> = fields
        .iter()
        .map(|field| match field.kind {
            FieldKind::Choice(_) => "choice",
            FieldKind::Text => "text",
            FieldKind::Number => "number",
            FieldKind::Integer => "integer",
            FieldKind::Boolean => "boolean",
            FieldKind::List => "list",
        })
        .collect();
    assert_eq!(kinds, ["choice", "text", "number", "integer", "boolean", "list"]);
    assert!(fields[1].nullable && !fields[2].nullable);
}

#[test]
fn the_focus_is_what_the_prompt_asks_for() {
    let plain = read_system("Answer with one of: a, b.").focus;
    assert_eq!(plain, Focus::default());
    let quotes = read_system("Answer with one of: a, b. Ignore quoted text.").focus;
    assert!(quotes.skip_quotes && !quotes.requests_first);
    let requests = read_system("Answer with one of: a, b. What the customer asks for decides.").focus;
    assert!(requests.requests_first && !requests.skip_quotes);
}

#[test]
fn a_writing_brief_holds_limits_facts_and_signature() {
    let reading = read_system(
        "Draft a reply to the customer in at most three sentences and 60 words.\n\nFacts:\n- Refunds take five days. Ask for the order.\n- We close at six.\n\nSign with \"The team\".",
    );
    let Task::Reply(brief) = reading.task else { panic!("expected a reply") };
    assert_eq!(brief.limits, Limits { sentences: Some(3), words: Some(60) });
    assert_eq!(brief.facts, ["Refunds take five days.", "Ask for the order.", "We close at six."]);
    assert_eq!(brief.signature.as_deref(), Some("The team"));
    assert!(!brief.bullets);
}

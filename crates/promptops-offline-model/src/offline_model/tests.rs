use super::*;
use serde_json::{Value, json};

fn request(extra: Value) -> Request {
    let mut body = json!({
        "model": "offline-large-2026-01",
        "messages": [
            {"role": "system", "content": "Labels: billing, technical.\n- billing: invoices\n- technical: crashes"},
            {"role": "user", "content": "invoices and crashes, crashes and invoices"},
        ],
    });
    let object = body.as_object_mut().expect("the body is an object");
    object.extend(extra.as_object().expect("the extra is an object").clone());
    Request::from_json(&body).expect("the request is valid")
}

fn text(request: &Request) -> String {
    let response = OfflineModel::new().complete(request).expect("the model is offered");
    response.choices[0].message.content.clone()
}

#[test]
fn a_reply_names_what_it_is_and_counts_its_tokens() {
    let response = OfflineModel::new().complete(&request(json!({}))).expect("the model is offered");
    assert_eq!(response.model, "offline-large-2026-01");
    assert_eq!(response.system_fingerprint, FINGERPRINT);
    assert_eq!(response.choices[0].finish_reason, "stop");
    let usage = response.usage;
    assert_eq!(usage.completion_tokens, tokens::count(&response.choices[0].message.content));
    assert_eq!(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

#[test]
fn max_tokens_cuts_and_says_so() {
    let response = OfflineModel::new().complete(&request(json!({"max_tokens": 2}))).expect("the model is offered");
    assert_eq!(response.choices[0].message.content, "I would");
    assert_eq!(response.choices[0].finish_reason, "length");
    assert_eq!(response.usage.completion_tokens, 2);
}

#[test]
fn an_unknown_model_is_refused() {
    let error = OfflineModel::new().complete(&request(json!({"model": "gpt-5"}))).expect_err("it is not offered");
    assert_eq!(error, ApiError::UnknownModel { model: "gpt-5".into() });
    assert_eq!(error.status(), 404);
}

#[test]
fn zero_temperature_ignores_the_seed() {
    let answers: Vec<String> = (0..20).map(|seed| text(&request(json!({"seed": seed})))).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_warm_draw_repeats_with_its_seed_and_varies_without() {
    let warm = |seed| text(&request(json!({"temperature": 1.0, "seed": seed})));
    assert_eq!(warm(3), warm(3));
    let differing = (0..40).filter(|seed| warm(*seed).contains("billing")).count();
    assert!((1..40).contains(&differing), "{differing} of 40");
    let unseeded = request(json!({"temperature": 1.0}));
    assert_eq!(text(&unseeded), text(&unseeded));
}

#[test]
fn equal_requests_have_equal_ids_and_others_do_not() {
    let id = |extra| OfflineModel::new().complete(&request(extra)).expect("the model is offered").id;
    assert_eq!(id(json!({})), id(json!({})));
    assert_ne!(id(json!({})), id(json!({"seed": 1})));
}

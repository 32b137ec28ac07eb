//! What a provider says when it does not answer, put into the classes of [`ClientError`].

use serde_json::Value;

use super::ClientError;

/// Codes and kinds of errors, in lower case, by which providers say that the key or the account is to blame, whatever the status.
const NO_ACCESS: [&str; 15] = [
    "insufficient_quota",
    "insufficient_balance",
    "insufficient_credits",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "payment_required",
    "account_deactivated",
    "access_terminated",
    "invalid_api_key",
    "api_key_invalid",
    "authentication_error",
    "permission_error",
    "unrecognizedclientexception",
    "expiredtokenexception",
];

/// The same as sentences, which some providers put into an error that otherwise looks like that of a bad request: Anthropic
/// answers 400 when nothing is left to spend, Gemini and xAI when the key is wrong.
const NO_ACCESS_SENTENCES: [&str; 12] = [
    "credit balance is too low",
    "insufficient balance",
    "insufficient credit",
    "insufficient funds",
    "billing hard limit",
    "billing limit has been reached",
    "check your plan and billing",
    "account is not active",
    "api key not valid",
    "invalid api key",
    "incorrect api key",
    "api key expired",
];

/// Turns a status that is not 200 into an error with what the body says.
///
/// Only 400, 413 and 422 are about the one request, and so about the prompt. Whatever else a provider refuses it would refuse
/// any version, and that may decide nothing.
pub(super) fn of_status(status: u16, body: &str) -> ClientError {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let message = message(body, json.as_ref());
    match status {
        401 | 402 | 403 | 407 => ClientError::Auth { status, message },
        // Waiting does not help where nothing is left to spend.
        400 | 413 | 422 | 429 if is_no_access(json.as_ref()) => ClientError::Auth { status, message },
        400 if is_no_access_sentence(&message) => ClientError::Auth { status, message },
        400 | 413 | 422 => ClientError::BadRequest { status, message },
        404 | 405 | 410 => ClientError::NotFound { message },
        429 => ClientError::RateLimit { retry_after: None, message },
        400.. => ClientError::Server { status, message },
        _ => ClientError::Malformed(format!("status {status}: {message}")),
    }
}

fn is_no_access(json: Option<&Value>) -> bool {
    let places = ["/error/code", "/error/type", "/error/status", "/code", "/type", "/__type"];
    let said = places.iter().filter_map(|place| json?.pointer(place)?.as_str());
    said.map(str::to_ascii_lowercase).any(|said| NO_ACCESS.contains(&said.as_str()))
}

fn is_no_access_sentence(message: &str) -> bool {
    let message = message.to_lowercase();
    NO_ACCESS_SENTENCES.iter().any(|sentence| message.contains(sentence))
}

/// Turns an error that comes as an event of a stream into the error that its status would be.
pub(super) fn of_event(kind: &str, data: &str) -> ClientError {
    let kind = kind.to_ascii_lowercase();
    let status = if kind.contains("throttling") || kind.contains("rate_limit") {
        429
    } else if kind.contains("validation") || kind.contains("invalid_request") || kind.contains("invalid_prompt") {
        400
    } else if NO_ACCESS.contains(&kind.as_str()) {
        401
    } else {
        500
    };
    of_status(status, data)
}

/// Returns the error of a body that is not what the API promises; `what` begins with a verb.
pub(super) fn malformed(what: &str, body: &str) -> ClientError {
    ClientError::Malformed(format!("it {what}: {}", excerpt(body)))
}

/// Returns the error of a stream that ended before it was complete.
pub(super) fn cut_off() -> ClientError {
    ClientError::Malformed("the stream ended in the middle of the answer".to_owned())
}

fn message(body: &str, json: Option<&Value>) -> String {
    let said = json.and_then(|json| {
        let in_error = json.pointer("/error/message").or_else(|| json.get("error").filter(|error| error.is_string()));
        in_error.or_else(|| json.get("message")).or_else(|| json.get("Message"))
    });
    excerpt(said.and_then(Value::as_str).unwrap_or(body))
}

/// Returns the beginning of a text on one line, for an error.
pub(crate) fn excerpt(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_class() {
        let error = |status| of_status(status, r#"{"error": {"message": "no"}}"#);
        let of_class =
            |class: &str| -> Vec<u16> { (302..600).filter(|status| error(*status).class().to_string() == class).collect() };
        assert_eq!(of_class("bad-request"), [400, 413, 422]);
        assert_eq!(of_class("auth"), [401, 402, 403, 407]);
        assert_eq!(of_class("not-found"), [404, 405, 410]);
        assert_eq!(of_class("rate-limit"), [429]);
        assert_eq!(of_class("malformed"), (302..400).collect::<Vec<_>>());
        assert_eq!(of_class("server").len(), 600 - 400 - 11);
        assert_eq!(error(401).to_string(), "the provider refuses the key (status 401): `no`");
    }

    #[test]
    fn the_message_is_found_wherever_a_provider_puts_it() {
        let message = |body: &str| match of_status(400, body) {
            ClientError::BadRequest { message, .. } => message,
            other => panic!("{other}"),
        };
        assert_eq!(message(r#"{"type": "error", "error": {"type": "x", "message": "anthropic's"}}"#), "`anthropic's`");
        assert_eq!(message(r#"{"message": "bedrock's"}"#), "`bedrock's`");
        assert_eq!(message(r#"{"error": "ollama's"}"#), "`ollama's`");
        assert_eq!(message("<html>\n<body>nginx"), "`<html> <body>nginx`");
        assert!(message(&"x".repeat(9999)).len() < 300);
    }

    #[test]
    fn an_empty_account_is_not_worth_waiting_for() {
        let error = of_status(429, r#"{"error": {"message": "over quota", "code": "insufficient_quota"}}"#);
        assert!(error.class().is_fatal() && !error.is_transient(), "{error}");
        // As providers really say it.
        let anthropic = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#;
        let deepseek = r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#;
        let gemini =
            r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#;
        let openai = r#"{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}"#;
        for (status, body) in [(400, anthropic), (402, deepseek), (400, gemini), (400, openai), (402, "")] {
            assert!(of_status(status, body).class().is_fatal(), "{status} {body}");
        }
        // A request that is refused for itself is not mistaken for one of them.
        let about_the_request = r#"{"error":{"message":"Invalid value: 'billing'. Supported values are: 'system', 'user'.","type":"invalid_request_error","code":"invalid_value"}}"#;
        assert_eq!(of_status(400, about_the_request).class().to_string(), "bad-request");
    }

    #[test]
    fn an_error_in_a_stream_is_as_one_before_it() {
        assert_eq!(of_event("throttlingException", r#"{"message": "slow"}"#).class(), of_status(429, "").class());
        assert_eq!(of_event("overloaded_error", "{}").class(), of_status(529, "").class());
        assert_eq!(of_event("validationException", "{}").class(), of_status(400, "").class());
        assert_eq!(of_event("billing_error", "{}").class(), of_status(402, "").class());
    }
}

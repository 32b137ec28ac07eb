//! What a provider says when it does not answer, put into the classes of [`ClientError`].

use serde_json::Value;

use super::ClientError;

/// Turns a status that is not 200 into an error with what the body says.
pub(super) fn of_status(status: u16, body: &str) -> ClientError {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let message = message(body, json.as_ref());
    match status {
        // OpenAI says so when nothing is left to spend: waiting does not help.
        429 if code(json.as_ref()) == Some("insufficient_quota") => ClientError::Auth { status, message },
        401 | 403 => ClientError::Auth { status, message },
        404 => ClientError::NotFound { message },
        429 => ClientError::RateLimit { retry_after: None, message },
        408 | 409 | 424 | 500.. => ClientError::Server { status, message },
        400..=499 => ClientError::BadRequest { status, message },
        _ => ClientError::Malformed(format!("status {status}: {message}")),
    }
}

/// Turns an error that comes as an event of a stream into the error that its status would be.
pub(super) fn of_event(kind: &str, data: &str) -> ClientError {
    let kind = kind.to_ascii_lowercase();
    let status = if kind.contains("throttling") || kind.contains("rate_limit") {
        429
    } else if kind.contains("validation") || kind.contains("invalid_request") || kind.contains("invalid_prompt") {
        400
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

fn code(json: Option<&Value>) -> Option<&str> {
    json?.pointer("/error/code")?.as_str()
}

/// Returns the beginning of a text on one line, for an error.
pub(super) fn excerpt(text: &str) -> String {
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
        let text: Vec<String> =
            [400, 401, 403, 404, 408, 413, 422, 424, 429, 500, 529, 302].map(|status| error(status).class().to_string()).to_vec();
        let expected = [
            "bad-request",
            "auth",
            "auth",
            "not-found",
            "server",
            "bad-request",
            "bad-request",
            "server",
            "rate-limit",
            "server",
            "server",
            "malformed",
        ];
        assert_eq!(text, expected);
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
    }

    #[test]
    fn an_error_in_a_stream_is_as_one_before_it() {
        assert_eq!(of_event("throttlingException", r#"{"message": "slow"}"#).class(), of_status(429, "").class());
        assert_eq!(of_event("overloaded_error", "{}").class(), of_status(529, "").class());
        assert_eq!(of_event("validationException", "{}").class(), of_status(400, "").class());
    }
}

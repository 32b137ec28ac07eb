//! Names of errors that mean the same whichever client raised them.

/// Returns the `error_type` for the name of an exception or error code, as clients of the providers call them.
///
/// Known ones become `timeout`, `rate_limit`, `connection`, `cancelled`, `authentication`, `permission`, `not_found`,
/// `invalid_request`, `overloaded` or `server_error`; any other becomes snake case.
#[must_use]
pub fn error_type(name: &str) -> String {
    // Inside of streams, AWS writes the first letter small.
    let capitalised = name.ends_with("Exception").then(|| capitalised(name));
    let known = match capitalised.as_deref().unwrap_or(name) {
        "APITimeoutError"
        | "APIConnectionTimeoutError"
        | "RequestTimeoutError"
        | "GatewayTimeoutError"
        | "TimeoutError"
        | "ReadTimeout"
        | "ReadTimeoutError"
        | "ConnectTimeout"
        | "ConnectTimeoutError"
        | "Timeout"
        | "TimeoutException"
        | "ModelTimeoutException"
        | "WriteTimeout"
        | "PoolTimeout"
        | "ETIMEDOUT"
        | "UND_ERR_CONNECT_TIMEOUT"
        | "UND_ERR_HEADERS_TIMEOUT"
        | "UND_ERR_BODY_TIMEOUT"
        | "timeout_error" => "timeout",
        "RateLimitError"
        | "rate_limit_error"
        | "rate_limit_exceeded"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "ServiceQuotaExceededException" => "rate_limit",
        "APIConnectionError"
        | "ConnectionError"
        | "ConnectError"
        | "EndpointConnectionError"
        | "ConnectionResetError"
        | "ConnectionRefusedError"
        | "ConnectionClosedError"
        | "RemoteProtocolError"
        | "ECONNREFUSED"
        | "ECONNRESET"
        | "EHOSTUNREACH"
        | "ENOTFOUND"
        | "EPIPE"
        | "UND_ERR_SOCKET" => "connection",
        "APIUserAbortError" | "AbortError" | "CancelledError" | "ClientClosedRequestError" => "cancelled",
        "AuthenticationError"
        | "authentication_error"
        | "UnrecognizedClientException"
        | "NoCredentialsError"
        | "ExpiredTokenException" => "authentication",
        "PermissionDeniedError" | "permission_error" | "AccessDeniedException" => "permission",
        "NotFoundError" | "not_found_error" | "ResourceNotFoundException" => "not_found",
        "BadRequestError"
        | "invalid_request_error"
        | "invalid_prompt"
        | "UnprocessableEntityError"
        | "ValidationException"
        | "RequestTooLargeError"
        | "ContentTooLargeError" => "invalid_request",
        "OverloadedError"
        | "overloaded_error"
        | "ServiceUnavailableException"
        | "ServiceUnavailableError"
        | "ModelNotReadyException" => "overloaded",
        "InternalServerError"
        | "APIError"
        | "api_error"
        | "ModelStreamErrorException"
        | "InternalServerException"
        | "ModelErrorException" => "server_error",
        other => return snake_case(other),
    };
    known.to_owned()
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            before = None;
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        // `HTTPError` is two words: the last capital before a small letter begins the next.
        let begins_word = letter.is_uppercase()
            && before
                .is_some_and(|before: char| !before.is_uppercase() || letters.peek().is_some_and(|next| next.is_lowercase()));
        if begins_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        before = Some(letter);
    }
    snake.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_of_the_clients_have_one_name() {
        for (name, expected) in [
            ("APITimeoutError", "timeout"),
            ("ThrottlingException", "rate_limit"),
            ("throttlingException", "rate_limit"),
            ("ECONNREFUSED", "connection"),
            ("AbortError", "cancelled"),
            ("KeyError", "key_error"),
            ("HTTPError", "http_error"),
            ("JSONDecodeError", "json_decode_error"),
            ("my.Module-Error", "my_module_error"),
            ("", ""),
        ] {
            assert_eq!(error_type(name), expected, "{name}");
        }
    }
}

//! Why a request was not answered, in the form of RFC 9457.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use promptops::Error;
use serde::Serialize;

/// A problem. `code` is the one that every SDK has for the same failure.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self { status: status.as_u16(), title, detail: detail.into(), code, hint: None }
    }

    /// Returns the problem that a failure of the SDK is.
    pub(crate) fn of(error: &Error) -> Self {
        let status = match error.code() {
            "not-found" | "invalid-name" => StatusCode::NOT_FOUND,
            "not-pinned" => StatusCode::FORBIDDEN,
            "render" => StatusCode::UNPROCESSABLE_ENTITY,
            "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { hint: error.hint(), ..Self::new(status, error.code(), error.full_message()) }
    }

    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/problem+json"));
        response
    }
}

//! Refusals: problem+json (RFC 9457) with the class that a client chooses its exit code by.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use promptops_registry::RegistryError;
use promptops_registry::api::v1::{KindV1, Problem};
use promptops_store::StoreError;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Box<Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// Returns the refusal of a request that is wrong in itself.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new("bad-request", 400, KindV1::Usage, detail).into()
    }

    /// Returns the refusal of a caller who shows no key, or none that counts.
    pub(crate) fn unauthenticated(detail: &str) -> Self {
        let problem = Problem::new("unauthenticated", 401, KindV1::Unavailable, detail)
            .hint("send a key as `Authorization: Bearer pk_…`; programs of PromptOps take it from PROMPTOPS_API_KEY");
        // Basic too, with the key as password: a browser then asks for it.
        let challenge = HeaderValue::from_static("Bearer realm=\"promptops\", Basic realm=\"promptops\", charset=\"UTF-8\"");
        Self::from(problem).with(WWW_AUTHENTICATE, challenge)
    }

    /// Returns the refusal of a caller whose key does not cover what is asked.
    pub(crate) fn forbidden(scope: &str) -> Self {
        let detail = format!("the key has no scope that covers `{scope}`");
        let hint = "ask for a key with this scope; `promptops key create` makes one";
        Problem::new("out-of-scope", 403, KindV1::Unavailable, detail).hint(hint).into()
    }

    /// Returns the refusal of a caller who asks too often.
    pub(crate) fn too_many_requests(wait_s: u64) -> Self {
        let problem = Problem::new("too-many-requests", 429, KindV1::Unavailable, "too many requests in too short a time");
        Self::from(problem.hint(format!("wait {wait_s} s"))).with(RETRY_AFTER, wait_s.into())
    }

    /// Returns the refusal of a server that has too much to do.
    pub(crate) fn overloaded() -> Self {
        let problem = Problem::new("overloaded", 503, KindV1::Unavailable, "the server has too many requests under way");
        Self::from(problem.hint("wait a second, then repeat the request")).with(RETRY_AFTER, 1.into())
    }

    /// Returns the refusal of a request that took too long.
    pub(crate) fn too_slow() -> Self {
        let detail = "the request took longer than the server allows";
        let hint = "repeat it: what was begun goes on, and repeating is safe";
        Problem::new("too-slow", 503, KindV1::Unavailable, detail).hint(hint).into()
    }

    /// Returns the refusal of records that there is no room for now.
    pub(crate) fn no_room(detail: &str, wait_s: u64) -> Self {
        let problem = Problem::new("no-room", 429, KindV1::Unavailable, detail);
        Self::from(problem.hint(format!("keep the records, wait {wait_s} s, and send them again")))
            .with(RETRY_AFTER, wait_s.into())
    }

    /// Returns the refusal of records that could not be written.
    pub(crate) fn not_written(kind: KindV1) -> Self {
        let problem = Problem::new("not-written", 503, kind, "the records could not be written to the log");
        let hint = "keep them and send them again; what was written after all counts once";
        Self::from(problem.hint(hint)).with(RETRY_AFTER, 5.into())
    }

    /// Returns the refusal of a body that is too large.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the body of the request is larger than {limit} bytes");
        Problem::new("too-large", 413, KindV1::Usage, detail).hint("send less at a time").into()
    }

    /// Returns the refusal of a body that is not JSON.
    pub(crate) fn unsupported_media_type() -> Self {
        let detail = "the body of the request must be JSON, sent with `Content-Type: application/json`";
        Problem::new("unsupported-media-type", 415, KindV1::Usage, detail).into()
    }

    /// Returns the refusal of a path that leads nowhere.
    pub(crate) fn no_such_route(path: &str) -> Self {
        let problem = Problem::new("no-such-route", 404, KindV1::NotFound, format!("nothing is served at `{path}`"));
        problem.hint("`/v1/openapi.json` describes what is").into()
    }

    /// Returns the refusal of a method that the path does not take.
    pub(crate) fn method_not_allowed() -> Self {
        Problem::new("method-not-allowed", 405, KindV1::Usage, "the path does not take this method").into()
    }

    /// Returns the refusal of a key under which there is no object.
    pub(crate) fn object_not_found(key: &str) -> Self {
        Problem::new("object-not-found", 404, KindV1::NotFound, format!("there is no object `{key}`")).into()
    }

    /// Returns what is said of it.
    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), headers: Vec::new() }
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        let problem = Problem::from(&error);
        if problem.status >= 500 {
            // The answer leaves causes out: they are about this server's surroundings.
            tracing::error!(error = causes(&error), "a request failed");
        }
        problem.into()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let error = RegistryError::from(error);
        let mut refusal = Self::from(error);
        if refusal.problem.status == 503 {
            // Hints of stores are for whoever runs the server.
            refusal.problem.hint = Some("repeat the request; if it keeps failing, tell whoever runs the server".to_owned());
        }
        refusal
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self.problem).expect("a problem has only string keys");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // Absence is not for ever: what is missing may be published the next moment.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        response
    }
}

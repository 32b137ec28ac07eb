//! Bodies and answers in JSON, and what requests say in their path and query.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::state::Shared;

/// The largest whole number that the description of the API lets anybody send: JSON carries exactly what a double does.
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The body of a request. It must be announced as JSON: a page in a browser cannot send that to another site without
/// being asked first, and this server never says yes.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Refusal> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::unsupported_media_type());
        }
        let body = whole_body(request, state.settings.limits.body_bytes).await?;
        read(&body).map(Self).map_err(|error| Refusal::bad_request(format!("the body is not what is taken here: {error}")))
    }
}

/// Reads the body of a request as it came.
pub(crate) async fn whole_body(request: Request, limit: usize) -> Result<Bytes, Refusal> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Refusal::too_large(limit));
    }
    match axum::body::to_bytes(request.into_body(), limit).await {
        Ok(body) => Ok(body),
        Err(error) if is_length_limit(&error) => Err(Refusal::too_large(limit)),
        Err(_) => Err(Refusal::bad_request("the body of the request was cut off")),
    }
}

/// Reads JSON. `1.0` is the whole number 1, as JSON Schema and the canonical form have it; what reads numbers here does not,
/// so it is told in a second attempt.
fn read<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body).or_else(|error: serde_json::Error| {
        if !error.is_data() || error.to_string().starts_with("duplicate field") {
            return Err(error);
        }
        let mut value: Value = serde_json::from_slice(body)?;
        write_whole_numbers(&mut value);
        // The second attempt knows of fewer mistakes, so what it says is the one that counts.
        serde_json::from_value(value)
    })
}

fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            // Beyond it a number with a point is no certain whole number.
            let is_whole = |float: &f64| number.is_f64() && float.fract() == 0. && float.abs() <= MAX_NUMBER as f64;
            if let Some(float) = number.as_f64().filter(is_whole) {
                *number = (float as i64).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(map) => map.values_mut().for_each(write_whole_numbers),
        _ => {}
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        // The type that says so is private to a library below; its text is what it prints everywhere.
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        next = error.source();
    }
    false
}

/// What the path says. What does not fit is refused with a problem.
pub(crate) struct InPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Refusal> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|rejection| Refusal::bad_request(rejection.body_text()))
    }
}

/// What the query says. What does not fit is refused with a problem.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for InQuery<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refusal> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(value)| Self(value)).map_err(|rejection| Refusal::bad_request(rejection.body_text()))
    }
}

/// An answer that holds at this moment only.
pub(crate) struct Now<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Now<T> {
    fn into_response(self) -> Response<Body> {
        answer(StatusCode::OK, &self.0)
    }
}

/// Answers in JSON with a status; nobody keeps the answer.
pub(crate) fn answer(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(value).expect("wire types have only string keys")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

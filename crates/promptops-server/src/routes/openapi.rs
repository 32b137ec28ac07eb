//! `GET /v1/openapi.json`: what is served, for programs.

use std::sync::LazyLock;

use axum::http::header::{CONTENT_TYPE, HeaderName};

static DOCUMENT: LazyLock<String> = LazyLock::new(crate::openapi::document);

/// This description.
#[utoipa::path(get, operation_id = "describe", path = "/v1/openapi.json", tag = "health", security(()), responses((status = 200, body = crate::schema::Object)))]
pub(crate) async fn document() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

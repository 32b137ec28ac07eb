//! `GET /`: where to go from here, for whoever opens the server in a browser.

use axum::http::header::{CONTENT_TYPE, HeaderName};

const TEXT: &str = "\
This is a registry of prompts.

  /v1/prompts                                list and search
  /v1/prompts/{id}                           one prompt and its versions
  /v1/prompts/{id}/versions/{version}/text   a version, to read
  /v1/prompts/{id}/versions/{version}        its record, with digest and provenance
  /v1/environments                           what is live where
  /v1/audit/entries                          who did what, when
  /v1/openapi.json                           all of this, for programs

Reading may take an API key: send it as `Authorization: Bearer pk_...`, or give it as the password when asked.
";

/// What is served, in words.
#[utoipa::path(get, operation_id = "showIndex", path = "/", tag = "health", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn index() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], TEXT)
}

//! `GET /healthz`, `/readyz` and `/metrics`: for whoever runs the server.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use promptops_registry::Registry;
use promptops_registry::api::v1::{KindV1, Problem};

use crate::refusal::Refusal;
use crate::schema;
use crate::state::Shared;

/// Whether the process lives. Asks nobody else: a store that is down is no reason to restart a server.
#[utoipa::path(get, operation_id = "isAlive", path = "/healthz", tag = "health", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether requests should be sent here: the store answers, and the server is not about to end.
#[utoipa::path(get, operation_id = "isReady", path = "/readyz", tag = "health", security(()), responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 503, description = "Not now", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn ready(State(state): State<Shared>) -> Result<&'static str, Refusal> {
    if state.is_draining.load(Ordering::Acquire) {
        return Err(Problem::new("draining", 503, KindV1::Unavailable, "the server is shutting down").into());
    }
    Registry::open(state.registry.store().clone()).await?;
    Ok("ok\n")
}

/// What the server has counted, in the text form of Prometheus.
#[utoipa::path(get, operation_id = "showMetrics", path = "/metrics", tag = "health", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 401, description = "No key", body = schema::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn metrics(State(state): State<Shared>) -> ([(HeaderName, &'static str); 1], Vec<u8>) {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.text(state.objects.held()))
}

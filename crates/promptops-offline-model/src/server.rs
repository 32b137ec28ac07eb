//! The HTTP server around the engine.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::api_error::ApiError;
use crate::offline_model::OfflineModel;
use crate::request::Request;

/// How the endpoint behaves; the default serves anyone, at once and without limit.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The key that clients must send as `Authorization: Bearer …`; any or none without it.
    pub api_key: Option<String>,
    /// Completions served before every further one is answered 429 with `Retry-After: 1`; for testing clients.
    pub requests_before_limit: Option<u64>,
    /// How long each completion is held back; for testing clients.
    pub delay: Option<Duration>,
    /// Unix time in seconds for `created`; 0 is written without it.
    pub clock: Option<fn() -> u64>,
}

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener failed.
    #[error("cannot serve on the listening socket")]
    Listen(#[source] std::io::Error),
}

const RETRY_AFTER: Duration = Duration::from_secs(1);

struct Endpoint {
    model: OfflineModel,
    settings: Settings,
    served: AtomicU64,
}

/// Serves the endpoint on `listener` until `shutdown` completes; requests under way are finished first.
///
/// # Errors
/// [`ServeError::Listen`] when the socket fails. A bad request is answered, never an error.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let endpoint = Endpoint { model: OfflineModel::new(), settings, served: AtomicU64::new(0) };
    let router = Router::new()
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/models", get(models))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_route)
        .with_state(Arc::new(endpoint));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await.map_err(ServeError::Listen)
}

async fn chat_completions(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    endpoint.authorise(&headers)?;
    endpoint.admit()?;
    if let Some(delay) = endpoint.settings.delay {
        tokio::time::sleep(delay).await;
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::InvalidRequest { message: "could not read the request body".to_owned(), param: None },
    })?;
    let mut response = endpoint.model.complete(&Request::from_slice(&body)?)?;
    response.created = endpoint.settings.clock.map_or(0, |clock| clock());
    Ok(Json(response).into_response())
}

async fn models(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap) -> Result<Response, ApiError> {
    endpoint.authorise(&headers)?;
    Ok(Json(endpoint.model.models()).into_response())
}

async fn unknown_route(method: Method, uri: Uri) -> ApiError {
    ApiError::UnknownRoute { method: method.to_string(), path: uri.path().to_owned() }
}

impl Endpoint {
    fn authorise(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(key) = &self.settings.api_key else { return Ok(()) };
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match sent.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(sent) if sent == key => Ok(()),
            _ => Err(ApiError::Unauthorized),
        }
    }

    fn admit(&self) -> Result<(), ApiError> {
        let served = self.served.fetch_add(1, Ordering::Relaxed);
        match self.settings.requests_before_limit {
            Some(limit) if served >= limit => Err(ApiError::RateLimited { retry_after: RETRY_AFTER }),
            _ => Ok(()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body())).into_response();
        if let Self::RateLimited { retry_after } = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
        }
        response
    }
}

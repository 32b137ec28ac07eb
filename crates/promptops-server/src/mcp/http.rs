//! Agents that come over streamable HTTP, at `/mcp`, behind the guard of every route.
//!
//! A session belongs to the holder of the key that began it. A page in a browser is refused: no `Origin` is let in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::response::IntoResponse;
use promptops_registry::api::v1::{KindV1, Problem};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::Agents;
use super::handler::AgentHandler;
use super::message::{self, Read};
use super::visitor::Principal;
use crate::access::Caller;
use crate::refusal::Refusal;
use crate::state::Shared;

/// Where agents come to.
pub(crate) const ROUTE: &str = "/mcp";
/// The header that names a session.
pub(crate) const SESSION_HEADER: &str = "mcp-session-id";

/// Sessions at the same time.
const MAX_SESSIONS: usize = 1_000;
/// How long a session lasts that nothing comes from.
const SESSION_TIME: Duration = Duration::from_secs(60 * 60);

/// What serves agents over HTTP.
pub(crate) struct Mount {
    agents: Arc<Agents>,
    service: StreamableHttpService<AgentHandler, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
    owners: Mutex<HashMap<String, Principal>>,
    body_bytes: usize,
}

impl Mount {
    pub(crate) fn new(agents: Arc<Agents>, body_bytes: usize) -> Self {
        let config = StreamableHttpServerConfig::default()
            // The guard looks at `Host` where there is no key, which is where it matters.
            .disable_allowed_hosts()
            .enforce_origin_validation()
            .with_max_request_body_bytes(body_bytes)
            .with_cancellation_token(agents.closing.child_token());
        let mut session_config = SessionConfig::default();
        session_config.keep_alive = Some(SESSION_TIME);
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = session_config;
        let sessions = Arc::new(sessions);
        let made_for = Arc::clone(&agents);
        let make = move || Ok(AgentHandler::new(Arc::clone(&made_for), made_for.closing.child_token()));
        let service = StreamableHttpService::new(make, Arc::clone(&sessions), config);
        Self { agents, service, sessions, owners: Mutex::default(), body_bytes }
    }

    /// Ends every session and stream, and records every invocation that is open.
    pub(crate) fn close(&self) {
        self.agents.close();
    }

    /// Remembers whose a new session is, and forgets those that are over when there are many.
    async fn begin_session(&self, id: String, principal: Principal) {
        let live = self.sessions.sessions.read().await;
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= 2 * MAX_SESSIONS {
            owners.retain(|id, _| live.contains_key(id.as_str()));
        }
        owners.insert(id, principal);
    }

    fn is_of(&self, session: &str, principal: &Principal) -> bool {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(session) == Some(principal)
    }
}

/// Answers a request of an agent.
pub(crate) async fn answer(State(state): State<Shared>, request: Request) -> Response<Body> {
    let Some(mount) = state.agents.as_ref() else { return Refusal::no_such_route(ROUTE).into_response() };
    match try_answer(mount, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn try_answer(mount: &Mount, request: Request) -> Result<Response<Body>, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Anonymous);
    let asked = match &caller {
        Caller::Key(key) => key.agent_environment(),
        Caller::Anonymous | Caller::Trusted(_) => None,
    };
    if mount.agents.followed(asked).is_none() {
        return Err(no_environment());
    }
    let principal = Principal::from(&caller);
    let session = request.headers().get(SESSION_HEADER).map(|id| id.to_str().unwrap_or_default().to_owned());
    if session.as_ref().is_some_and(|id| !mount.is_of(id, &principal)) {
        return Err(no_session());
    }
    let request = match *request.method() {
        Method::POST => match read(mount, request).await? {
            Ok(request) => request,
            Err(answer) => return Ok(answer),
        },
        _ => request,
    };
    let is_end = request.method() == Method::DELETE;
    let mut response = mount.service.handle(request).await;
    if is_end && response.status() == StatusCode::ACCEPTED {
        // The session is over; clients take the answer that it will be for a failure.
        *response.status_mut() = StatusCode::NO_CONTENT;
        mount.owners.lock().unwrap_or_else(PoisonError::into_inner).remove(session.as_deref().unwrap_or_default());
    }
    if session.is_none()
        && let Some(id) = response.headers().get(SESSION_HEADER).and_then(|id| id.to_str().ok())
    {
        mount.begin_session(id.to_owned(), principal).await;
    }
    Ok(response.map(Body::new))
}

/// Reads the message that a request brings, and answers what is none.
async fn read(mount: &Mount, request: Request) -> Result<Result<Request, Response<Body>>, Refusal> {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, mount.body_bytes).await else {
        return Ok(Err(refused(StatusCode::PAYLOAD_TOO_LARGE, &message::too_large(mount.body_bytes))));
    };
    match message::read(&bytes) {
        Read::Message(message) => {
            if begins_session(&message) && mount.sessions.sessions.read().await.len() >= MAX_SESSIONS {
                return Err(Refusal::overloaded());
            }
            Ok(Ok(Request::from_parts(parts, Body::from(bytes))))
        }
        Read::Refused(refusal) => Ok(Err(refused(StatusCode::BAD_REQUEST, &refusal))),
        Read::Ignored => Ok(Err(StatusCode::ACCEPTED.into_response())),
    }
}

fn begins_session(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, ClientJsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::InitializeRequest(_)))
}

fn refused(status: StatusCode, refusal: &ServerJsonRpcMessage) -> Response<Body> {
    let body = serde_json::to_vec(refusal).expect("messages have only string keys");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn no_environment() -> Refusal {
    let detail = "nothing says which environment's prompts the caller sees";
    let hint =
        "use a key with a scope `agent:<environment>`, which `promptops key create` makes, or start the server with `--env`";
    Problem::new("no-environment", 403, KindV1::Unavailable, detail).hint(hint).into()
}

/// A session of somebody else is one that there is not.
fn no_session() -> Refusal {
    Problem::new("session-not-found", 404, KindV1::NotFound, "there is no such session").hint("begin a new one").into()
}

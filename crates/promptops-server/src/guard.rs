//! What every request passes on its way in and out: who asks, how often, for how long; counted and logged.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, Response, Uri, Version};
use axum::middleware::Next;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use promptops_registry::api::v1::{KindV1, Problem};
use promptops_registry::keys::Token;

use crate::access::Caller;
use crate::mcp;
use crate::rate_limit::Client;
use crate::refusal::Refusal;
use crate::routes;
use crate::settings::Access;
use crate::state::{ServerState, Shared};

/// From where a request came; put there by the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// A request under way, counted until it is answered or given up.
struct UnderWay<'a>(&'a ServerState);

impl<'a> UnderWay<'a> {
    fn begin(state: &'a ServerState) -> Option<Self> {
        let before = state.under_way.fetch_add(1, Ordering::AcqRel);
        state.metrics.in_flight.inc();
        let begun = Self(state);
        (before < state.settings.limits.concurrent_requests).then_some(begun)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.metrics.in_flight.dec();
    }
}

/// Lets a request in, or refuses it.
pub(crate) async fn guard(State(state): State<Shared>, mut request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let address = address(&request, &state);
    let mut caller = None;
    let host = host(request.headers(), request.uri(), request.version());
    let admitted = admit(&state, request.headers(), host, route, address, started).await;
    let under_way = UnderWay::begin(&state);
    let mut response = match (admitted, &under_way) {
        (Err(refusal), _) => refusal.into_response(),
        (Ok(_), None) if !routes::is_open(route) => Refusal::overloaded().into_response(),
        (Ok(admitted), _) => {
            request.extensions_mut().insert(admitted.clone());
            caller = Some(admitted);
            let limits = &state.settings.limits;
            let time = if matches!(method, Method::GET | Method::HEAD) { limits.read_time } else { limits.write_time };
            match tokio::time::timeout(time, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Refusal::too_slow().into_response(),
            }
        }
    };
    drop(under_way);
    // What is shown was written by others; a browser must not take it for a page.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (seconds, status) = (started.elapsed().as_secs_f64(), response.status());
    state.metrics.answered(method_name(&method), route, status.as_str(), seconds);
    let caller = caller.as_ref().map_or("-", Caller::name);
    let ms = (seconds * 1e6).round() / 1e3;
    tracing::info!(target: "access", %method, path, status = status.as_u16(), ms, %address, caller);
    response
}

/// Bounds what is counted by method: a client can make up any name.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}

/// Finds out who asks, and refuses who must not, or not so often.
async fn admit(
    state: &Shared,
    headers: &HeaderMap,
    host: &str,
    route: &str,
    address: IpAddr,
    now: Instant,
) -> Result<Caller, Refusal> {
    if routes::is_open(route) {
        return Ok(Caller::Anonymous);
    }
    let take = |client: &Client| state.rate.take(client, now).map_err(Refusal::too_many_requests);
    let by_address = Client::of_address(address);
    if headers.contains_key(AUTHORIZATION) {
        let token = token(headers).and_then(|text| Token::parse(&text));
        let Some(token) = token else {
            take(&by_address)?;
            return Err(Refusal::unauthenticated("the API key is not written as one"));
        };
        // An id that is not known yet costs a look into the store, which a guesser must not have for nothing.
        if !state.keys.is_known(token.id()) {
            take(&by_address)?;
        }
        let key = match state.keys.key(&token, (state.settings.clock)()).await {
            Ok(key) => key,
            Err(refusal) => {
                take(&by_address)?;
                return Err(refusal);
            }
        };
        take(&Client::Key(key.id.clone()))?;
        if key.is_for_agents_only() && route != mcp::http::ROUTE {
            return Err(Refusal::forbidden("read"));
        }
        return Ok(Caller::Key(key));
    }
    take(&by_address)?;
    match &state.settings.access {
        Access::PublicRead => Ok(Caller::Anonymous),
        Access::Trusted { actor } if is_loopback_name(host) => Ok(Caller::Trusted(actor.as_str().into())),
        Access::Trusted { .. } => {
            let detail = "without a key this server answers under a loopback name only";
            Err(Problem::new("foreign-host", 403, KindV1::Unavailable, detail).into())
        }
        Access::Keys => Err(Refusal::unauthenticated("an API key is needed")),
    }
}

/// Returns what was sent as key: as bearer, or as the password of the dialogue that a browser shows.
fn token(headers: &HeaderMap) -> Option<String> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    Some(decoded.split_once(':')?.1.to_owned())
}

/// Returns the address of the client: of the connection, or what a proxy says last when there is one.
fn address(request: &Request, state: &ServerState) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    if !state.settings.is_behind_proxy {
        return peer;
    }
    // Whatever stands before the last was sent by the client, who can write what it likes.
    let forwarded = request.headers().get_all("x-forwarded-for").into_iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}

/// Returns whom a request was meant for.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri, version: Version) -> &'a str {
    match (version, uri.authority()) {
        (Version::HTTP_2, Some(authority)) => authority.as_str(),
        _ => headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
    }
}

/// Tells whether a request was meant for a loopback name. A page in a browser can make its own name point here, but not
/// make the browser send another.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_bearer_or_as_password() {
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(value).unwrap())]);
            token(&headers)
        };
        assert_eq!(read("Bearer pk_1_a").as_deref(), Some("pk_1_a"));
        assert_eq!(read("bearer  pk_1_a").as_deref(), Some("pk_1_a"));
        assert_eq!(read(&format!("Basic {}", STANDARD.encode("me:pk_1_a"))).as_deref(), Some("pk_1_a"));
        for bad in ["Bearer", "Digest a", "Basic !", &format!("Basic {}", STANDARD.encode("pk_1_a"))] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_loopback_names_are_loopback() {
        for (host, is_loopback) in [
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("127.0.0.1:1", true),
            ("[::1]:8080", true),
            ("localhost.evil.example", false),
            ("evil.example:8080", false),
            ("192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback_name(host), is_loopback, "{host}");
        }
    }
}

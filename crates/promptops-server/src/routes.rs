//! What is served, one file each.

#![expect(unused_qualifications, reason = "what the macro that describes a route writes")]

mod approvals;
mod audit;
mod content;
mod environments;
mod evidence;
mod folders;
mod health;
mod index;
mod invocations;
pub(crate) mod objects;
mod openapi;
mod prompt;
mod prompts;
mod publications;
mod releases;
mod rollbacks;
mod statuses;
mod text;
mod version;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::any;
use promptops_registry::api::v1::{KindV1, Problem};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::guard;
use crate::mcp::http::{ROUTE, answer};
use crate::openapi::Description;
use crate::otlp;
use crate::refusal::Refusal;
use crate::state::Shared;

/// Routes that take no key: whoever asks after the health of a server has none, and the description is no secret.
const OPEN: [&str; 4] = ["/", "/healthz", "/readyz", "/v1/openapi.json"];

/// Tells whether a route takes no key.
pub(crate) fn is_open(route: &str) -> bool {
    OPEN.contains(&route) || route == "none"
}

/// Returns every route with its description.
pub(crate) fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(index::index))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(objects::list))
        .routes(routes!(objects::read))
        .routes(routes!(folders::list))
        .routes(routes!(prompts::list))
        .routes(routes!(prompt::read))
        .routes(routes!(version::read))
        .routes(routes!(content::read))
        .routes(routes!(text::read))
        .routes(routes!(environments::list))
        .routes(routes!(environments::read))
        .routes(routes!(environments::at))
        .routes(routes!(releases::list, releases::deploy))
        .routes(routes!(releases::read))
        .routes(routes!(rollbacks::roll_back))
        .routes(routes!(publications::publish))
        .routes(routes!(statuses::change))
        .routes(routes!(evidence::record))
        .routes(routes!(approvals::approve))
        .routes(routes!(invocations::record))
        .routes(routes!(audit::head))
        .routes(routes!(audit::entries))
        .routes(routes!(openapi::document))
}

/// Returns what tells how a server does.
fn watched() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health::alive)).routes(routes!(health::ready)).routes(routes!(health::metrics))
}

/// Returns everything that is served, behind the guard.
pub(crate) fn router(state: &Shared) -> Router {
    let described = if state.settings.serves_registry { described() } else { watched() };
    let (mut router, _) = described.split_for_parts();
    if state.settings.serves_registry {
        router = otlp::add_routes(router);
    }
    if state.agents.is_some() {
        router = router.route(ROUTE, any(answer));
    }
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(from_fn(otlp::in_its_words))
        .with_state(state.clone())
}

async fn no_such_route(request: Request) -> Refusal {
    Refusal::no_such_route(request.uri().path())
}

/// The header that says which methods are taken is added by the router.
async fn method_not_allowed() -> Refusal {
    Refusal::method_not_allowed()
}

/// Refuses a word of the path that is no name of what it should name.
fn no_name(error: impl std::fmt::Display) -> Refusal {
    Problem::new("bad-request", 400, KindV1::Usage, error.to_string()).into()
}

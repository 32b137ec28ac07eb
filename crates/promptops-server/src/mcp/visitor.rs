//! Who asks, what they see, and what is recorded of them.

use std::sync::Arc;

use promptops_registry::keys::KeyId;
use promptops_telemetry::{Invocation, Uuid};
use rmcp::ErrorData;
use rmcp::model::{Extensions, RequestMetaObject};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use super::Agents;
use super::invocations::new_id;
use super::live::Followed;
use super::names;
use crate::access::Caller;

/// Bytes of a name that a client says of itself and that is recorded.
const MAX_NAME_BYTES: usize = 200;
/// The kind of process that invocations are recorded with.
const RUNTIME: &str = "agent";
/// Where the record came from.
const SOURCE: &str = "mcp";

/// Who asks, as far as it decides whose sessions and invocations they may touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Principal {
    /// The process that started this one.
    Local,
    /// Whoever has a key.
    Key(KeyId),
    /// The one person on this machine, where no key is needed.
    Trusted,
    /// Somebody without a key, where reading takes none.
    Anonymous,
}

impl From<&Caller> for Principal {
    fn from(caller: &Caller) -> Self {
        match caller {
            Caller::Anonymous => Self::Anonymous,
            Caller::Key(key) => Self::Key(key.id.clone()),
            Caller::Trusted(_) => Self::Trusted,
        }
    }
}

/// Who asks, and what they see.
pub(crate) struct Visitor {
    pub(crate) principal: Principal,
    pub(crate) followed: Arc<Followed>,
    /// Whether a session of HTTP goes with the request.
    has_session: bool,
}

impl Visitor {
    /// Finds out who sends a request: a local client, or the caller that the guard let in.
    ///
    /// # Errors
    /// Invalid request when nothing says whose prompts the caller sees.
    pub(crate) fn of(agents: &Agents, extensions: &Extensions) -> Result<Self, ErrorData> {
        let Some(parts) = extensions.get::<axum::http::request::Parts>() else {
            let followed = agents.followed(None).ok_or_else(no_environment)?;
            return Ok(Self { principal: Principal::Local, followed, has_session: true });
        };
        // Without a caller the guard was not passed, which is no way to see anything.
        let caller = parts.extensions.get::<Caller>().ok_or_else(no_environment)?;
        let asked = match caller {
            Caller::Key(key) => key.agent_environment(),
            Caller::Anonymous | Caller::Trusted(_) => None,
        };
        let followed = agents.followed(asked).ok_or_else(no_environment)?;
        Ok(Self { principal: caller.into(), followed, has_session: parts.headers.contains_key(super::http::SESSION_HEADER) })
    }

    /// Tells whether the caller may report on invocations, which writes.
    pub(crate) fn may_report(&self) -> bool {
        self.principal != Principal::Anonymous
    }

    /// Returns the record of what a request begins. `connection` is the session of the transport, where it has one.
    ///
    /// # Errors
    /// Invalid params when `_meta` names a parent that is no id.
    pub(crate) fn invocation(
        &self,
        agents: &Agents,
        context: &RequestContext<RoleServer>,
        connection: Uuid,
    ) -> Result<Invocation, ErrorData> {
        let time = agents.now();
        let said = |name: &str| said(&context.meta, name);
        let parent = match context.meta.0.0.get(names::PARENT) {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_str().and_then(|text| text.parse().ok()).ok_or_else(no_parent)?),
        };
        let client = || context.client_info().map(|client| cut(&client.name));
        let session = || self.has_session.then(|| connection.to_string());
        Ok(Invocation {
            trace_id: context.meta.0.get_traceparent().and_then(trace_id),
            parent_invocation: parent,
            agent: said(names::AGENT).or_else(client),
            session: said(names::SESSION).or_else(session),
            service: agents.service().map(str::to_owned),
            runtime: Some(RUNTIME.to_owned()),
            environment: self.followed.environment_name().map(str::to_owned),
            source: Some(SOURCE.to_owned()),
            ..Invocation::new(time, new_id(time))
        })
    }

    /// Returns the connection that ends the invocations that a request begins, where there is one.
    pub(crate) fn ended_by(&self, connection: Uuid) -> Option<Uuid> {
        self.has_session.then_some(connection)
    }
}

fn no_environment() -> ErrorData {
    let message = "nothing says which environment's prompts you see; use an API key with a scope `agent:<environment>`, or start the \
                   server with `--env`";
    ErrorData::invalid_request(message, None)
}

fn no_parent() -> ErrorData {
    let message = format!("`_meta` has a `{}` that is no id of an invocation", names::PARENT);
    ErrorData::invalid_params(message, Some(json!({"argument": names::PARENT})))
}

/// Returns what a request says of itself.
fn said(meta: &RequestMetaObject, name: &str) -> Option<String> {
    meta.0.0.get(name).and_then(Value::as_str).map(cut).filter(|text| !text.is_empty())
}

/// Makes a name that somebody else chose fit for a record.
pub(crate) fn cut(text: &str) -> String {
    let mut kept = String::new();
    for letter in text.trim().chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > MAX_NAME_BYTES {
            break;
        }
        kept.push(letter);
    }
    kept
}

/// Reads the trace out of a `traceparent` of W3C trace context, version 00 or later.
fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_trace = trace.len() == 32 && is_hex(trace) && trace.bytes().any(|byte| byte != b'0');
    (version.len() == 2 && version != "ff" && is_hex(version) && is_trace).then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trace_is_one() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        for bad in ["", "00", "00-0-0-0", &format!("ff-{trace}-00f067aa0ba902b7-01"), &format!("00-{}-1-1", "0".repeat(32))] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_of_others_are_cut() {
        assert_eq!(cut(" Claude\n Desktop\u{7} "), "Claude Desktop");
        assert_eq!(cut(&"ä".repeat(1_000)).len(), MAX_NAME_BYTES);
    }
}

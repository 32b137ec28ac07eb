//! The members of `_meta` that are ours.

/// Of a listed prompt: the pinned version, a whole number.
pub(crate) const VERSION: &str = "promptops/version";
/// Of a listed prompt: who answers for it.
pub(crate) const OWNER: &str = "promptops/owner";
/// Of a listed prompt: its tags.
pub(crate) const TAGS: &str = "promptops/tags";
/// Of a prompt that was got: version, digest, owner, model, parameters, output, tools.
pub(crate) const PROMPT: &str = "promptops/prompt";
/// Of a prompt that was got: the id of the invocation that this began.
pub(crate) const INVOCATION: &str = "promptops/invocation";
/// Of a message of a prompt: the role it is written for, where MCP has none such.
pub(crate) const ROLE: &str = "promptops/role";

/// Of a request: the id of the invocation that causes the one that this begins.
pub(crate) const PARENT: &str = "promptops/parent";
/// Of a request: the agent that asks, in place of the client's name.
pub(crate) const AGENT: &str = "promptops/agent";
/// Of a request: the session that it belongs to, in place of the connection's.
pub(crate) const SESSION: &str = "promptops/session";

//! What is answered to which request of the protocol.

use std::ops::Bound;
use std::sync::Arc;

use promptops_prompt::{PromptId, Role};
use promptops_registry::RegistryError;
use promptops_telemetry::Uuid;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CustomRequest, CustomResult, ErrorCode,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, PromptMessage, Reference, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::arguments::{self, shortened};
use super::invocations::new_id;
use super::live::Live;
use super::pinned_prompt::PinnedPrompt;
use super::visitor::Visitor;
use super::{Agents, completion, names, paging, tools};
use crate::refusal::Refusal;

/// Names that an error suggests.
const SUGGESTED: usize = 3;
/// Likeness from which on a name is suggested.
const LIKE: f64 = 0.7;

/// What a client is told when it connects.
const INSTRUCTIONS: &str = "Prompts that are released to one environment, by id. `prompts/get` renders the version that is pinned \
    there; its `_meta` \"promptops/prompt\" has the model and parameters it is written for.";
/// What it is told besides, where invocations are recorded.
const RECORDED: &str = " `_meta` \"promptops/invocation\" is the id to report on with the tool `report_outcome`. To make a run a tree, \
    send the id of the causing invocation as `_meta` \"promptops/parent\" of the next `prompts/get`.";

/// Answers the requests of one connection, or, where the protocol has no connections, one request.
pub(crate) struct AgentHandler {
    agents: Arc<Agents>,
    /// Stands for the connection in records. It opens nothing, unlike the session id of HTTP.
    connection: Uuid,
    ended: CancellationToken,
    _ends: DropGuard,
}

impl AgentHandler {
    /// `ended` says when nothing more comes from the client; it is said by this, too, when this goes.
    pub(crate) fn new(agents: Arc<Agents>, ended: CancellationToken) -> Self {
        Self { connection: new_id(agents.now()), _ends: ended.clone().drop_guard(), ended, agents }
    }

    async fn live(&self, visitor: &Visitor) -> Result<Arc<Live>, ErrorData> {
        visitor.followed.live().await.map_err(failed)
    }

    /// Returns a prompt that the caller sees.
    async fn prompt(&self, visitor: &Visitor, name: &str) -> Result<Arc<PinnedPrompt>, ErrorData> {
        let live = self.live(visitor).await?;
        let found = name.parse::<PromptId>().ok().and_then(|id| live.pins.get_key_value(&id));
        let (id, pin) = found.ok_or_else(|| unknown_prompt(name, &live))?;
        visitor.followed.prompt(id, pin).await.map_err(failed)
    }
}

impl Drop for AgentHandler {
    fn drop(&mut self) {
        self.agents.invocations.end_connection(self.connection);
    }
}

impl ServerHandler for AgentHandler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_tools()
            .build();
        let server = Implementation::new("promptops", env!("CARGO_PKG_VERSION")).with_title("PromptOps");
        let recorded = if self.agents.invocations.are_recorded() { RECORDED } else { "" };
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(format!("{INSTRUCTIONS}{recorded}"))
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let visitor = Visitor::of(&self.agents, &context.extensions)?;
        let after = request.and_then(|request| request.cursor).map(|cursor| paging::read(&cursor)).transpose()?;
        let live = self.live(&visitor).await?;
        let after = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = live.pins.range::<PromptId, _>((after, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(self.agents.page).collect();
        let next = rest.next().and_then(|_| page.last().map(|(id, _)| paging::cursor(id)));
        let prompts = visitor.followed.prompts(page.into_iter()).await.map_err(failed)?;
        let mut result = ListPromptsResult::with_all_items(prompts.iter().map(|prompt| prompt.listed()).collect());
        result.next_cursor = next;
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let visitor = Visitor::of(&self.agents, &context.extensions)?;
        let prompt = self.prompt(&visitor, &request.name).await?;
        let values = arguments::read(&prompt, request.arguments)?;
        let mut invocation = visitor.invocation(&self.agents, &context, self.connection)?;
        let rendering = Arc::clone(&prompt);
        // A template may work for as long as its fuel lasts, which other requests must not wait for.
        let rendered = tokio::task::spawn_blocking(move || rendering.render(&values)).await;
        let rendered = rendered.map_err(|error| {
            tracing::error!(%error, prompt = %prompt.reference(), "rendering panicked");
            ErrorData::internal_error("the server failed; this is a bug, please report it", None)
        })?;
        let rendered = rendered.map_err(|error| {
            let message = format!("prompt `{}` did not render: {}", prompt.reference(), shortened(&error));
            ErrorData::invalid_params(message, None)
        })?;

        let (parameters_hash, tools_hash) = prompt.hashes();
        invocation.prompt_id = Some(prompt.id().to_string());
        invocation.prompt_version = Some(prompt.record().version.number());
        invocation.prompt_digest = Some(prompt.record().digest.to_string());
        invocation.input_hash = Some(rendered.digest().to_string());
        invocation.requested_model = Some(prompt.content().model.clone());
        invocation.parameters_hash = parameters_hash;
        invocation.tools_hash = tools_hash;

        let messages = rendered.messages.iter().map(|message| wire_message(message.role, &message.content)).collect();
        let mut result = GetPromptResult::new(messages);
        result.description = prompt.record().metadata.purpose.clone();
        let mut meta = MetaObject::new();
        meta.0.insert(names::PROMPT.to_owned(), prompt.described());
        if self.agents.invocations.are_recorded() {
            meta.0.insert(names::INVOCATION.to_owned(), invocation.invocation_id.to_string().into());
        }
        result.meta = Some(meta);
        self.agents.invocations.begin(invocation, visitor.principal.clone(), visitor.ended_by(self.connection));
        Ok(result.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let visitor = Visitor::of(&self.agents, &context.extensions)?;
        match &request.r#ref {
            Reference::Prompt(reference) => {
                let prompt = self.prompt(&visitor, &reference.name).await?;
                completion::complete(&prompt, &request.argument.name, &request.argument.value)
            }
            _ => Err(ErrorData::invalid_params("there are no resources; `ref` names a prompt", None)),
        }
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let visitor = Visitor::of(&self.agents, &context.extensions)?;
        Ok(ListToolsResult::with_all_items(tools::offered(&self.agents, &visitor)))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let visitor = Visitor::of(&self.agents, &context.extensions)?;
        let live = self.live(&visitor).await?;
        let arguments = request.arguments.unwrap_or_default();
        let called = tools::Call { agents: &self.agents, visitor: &visitor, live: &live };
        Ok(called.run(&request.name, arguments).await?.into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name)
    }

    /// Tells a client whose connection lasts of every change, until it ends.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let Ok(visitor) = Visitor::of(&self.agents, &context.extensions) else { return };
        tokio::spawn(tell(context.peer, visitor, self.ended.clone()));
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().prompts_list_changed().build())
    }

    /// Tells a client that listens of every change, until it stops.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let visitor = Visitor::of(&self.agents, &context.request_context().extensions)?;
        // What is live now is no change.
        self.live(&visitor).await?;
        let mut changes = visitor.followed.changes();
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() || context.sink().notify_prompt_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
                () = context.cancelled() => return Ok(()),
                () = self.ended.cancelled() => return Ok(()),
            }
        }
    }

    async fn on_custom_request(&self, request: CustomRequest, _: RequestContext<RoleServer>) -> Result<CustomResult, ErrorData> {
        // A request whose params have another shape comes here as well.
        if ["prompts/get", "prompts/list", "completion/complete", "tools/call", "tools/list"].contains(&request.method.as_str()) {
            let message = format!("the params of `{}` have another shape than the protocol says", request.method);
            return Err(ErrorData::invalid_params(message, None));
        }
        let message = format!("there is no method `{}`", shortened(&request.method));
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None))
    }
}

async fn tell(peer: Peer<RoleServer>, visitor: Visitor, ended: CancellationToken) {
    // What is live now is no change; where nothing can be seen yet, the first that is will be one.
    let _ = visitor.followed.live().await;
    let mut changes = visitor.followed.changes();
    loop {
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() || peer.notify_prompt_list_changed().await.is_err() {
                    return;
                }
            }
            () = ended.cancelled() => return,
        }
    }
}

/// Writes a message of a prompt. MCP knows users and assistants; what is neither comes as a user's and says so.
fn wire_message(role: Role, text: &str) -> PromptMessage {
    let wire = match role {
        Role::Assistant => rmcp::model::Role::Assistant,
        Role::System | Role::Developer | Role::User => rmcp::model::Role::User,
    };
    let mut meta = MetaObject::new();
    meta.0.insert(names::ROLE.to_owned(), role.name().into());
    let meta = matches!(role, Role::System | Role::Developer).then_some(meta);
    PromptMessage::new_text_with_meta(wire, text, meta)
}

/// Refuses a name that nothing has which the caller sees, and says which are like it.
pub(crate) fn unknown_prompt(name: &str, live: &Live) -> ErrorData {
    let last = |id: &str| id.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |id: &PromptId| {
        let whole = strsim::normalized_damerau_levenshtein(name, id.as_str());
        whole.max(strsim::normalized_damerau_levenshtein(&last(name), &last(id.as_str())) * 0.95)
    };
    // Names have 200 bytes at most; against a longer one all would be compared for nothing.
    let like = live.pins.keys().filter(|_| name.len() <= 200).map(|id| (likeness(id), id));
    let mut like: Vec<_> = like.filter(|(likeness, _)| *likeness >= LIKE).collect();
    like.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    let like: Vec<String> = like.iter().take(SUGGESTED).map(|(_, id)| format!("`{id}`")).collect();
    let hint = if like.is_empty() { String::new() } else { format!("; did you mean {}?", like.join(" or ")) };
    let message = format!("no prompt `{}` is released here{hint}", shortened(name));
    ErrorData::invalid_params(message, Some(json!({"prompt": shortened(name)})))
}

/// Answers a failure of the registry as the server's other routes do.
pub(crate) fn failed(error: RegistryError) -> ErrorData {
    let refusal = Refusal::from(error);
    let problem = refusal.problem();
    let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
    ErrorData::internal_error(format!("{}{hint}", problem.detail), None)
}

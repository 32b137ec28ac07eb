//! Which attribute of a span is which member of the record: the one table, in code and in `spec/invocation.md`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Whose name an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Convention {
    /// OpenTelemetry's conventions: of GenAI as of semantic-conventions v1.41.1, of resources and of errors.
    OpenTelemetry,
    /// OpenTelemetry's later conventions, which are in semantic-conventions-genai only.
    OpenTelemetryLater,
    /// OpenTelemetry's earlier names, which instrumentations still write.
    OpenTelemetryEarlier,
    /// OpenInference, which the instrumentations of Arize Phoenix write.
    OpenInference,
    /// OpenLLMetry, which the instrumentations of Traceloop write.
    OpenLlmetry,
}

/// A member of the record that attributes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented where it is meant, in `Invocation`")]
pub enum Member {
    InvocationId,
    ParentInvocation,
    Agent,
    Session,
    Service,
    Runtime,
    Environment,
    PromptId,
    PromptVersion,
    PromptDigest,
    Arm,
    InputHash,
    Operation,
    Provider,
    RequestedModel,
    RespondedModel,
    ResponseId,
    Fingerprint,
    ServiceTier,
    ParametersHash,
    ToolsHash,
    LatencyMs,
    TimeToFirstTokenMs,
    InputTokens,
    OutputTokens,
    CachedTokens,
    CacheWriteTokens,
    ReasoningTokens,
    CostUsd,
    PriceTable,
    ErrorType,
    FinishReason,
    Label,
    Valid,
    Refusal,
    OutputLength,
    Stratum,
    Source,
    Input,
    Output,
}

impl Member {
    /// Every member that attributes say, in the order of the record.
    pub const ALL: [Self; 40] = [
        Self::InvocationId,
        Self::ParentInvocation,
        Self::Agent,
        Self::Session,
        Self::Service,
        Self::Runtime,
        Self::Environment,
        Self::PromptId,
        Self::PromptVersion,
        Self::PromptDigest,
        Self::Arm,
        Self::InputHash,
        Self::Operation,
        Self::Provider,
        Self::RequestedModel,
        Self::RespondedModel,
        Self::ResponseId,
        Self::Fingerprint,
        Self::ServiceTier,
        Self::ParametersHash,
        Self::ToolsHash,
        Self::LatencyMs,
        Self::TimeToFirstTokenMs,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CachedTokens,
        Self::CacheWriteTokens,
        Self::ReasoningTokens,
        Self::CostUsd,
        Self::PriceTable,
        Self::ErrorType,
        Self::FinishReason,
        Self::Label,
        Self::Valid,
        Self::Refusal,
        Self::OutputLength,
        Self::Stratum,
        Self::Source,
        Self::Input,
        Self::Output,
    ];

    /// Returns the name that the wire and the lake use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvocationId => "invocation_id",
            Self::ParentInvocation => "parent_invocation",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Service => "service",
            Self::Runtime => "runtime",
            Self::Environment => "environment",
            Self::PromptId => "prompt_id",
            Self::PromptVersion => "prompt_version",
            Self::PromptDigest => "prompt_digest",
            Self::Arm => "arm",
            Self::InputHash => "input_hash",
            Self::Operation => "operation",
            Self::Provider => "provider",
            Self::RequestedModel => "requested_model",
            Self::RespondedModel => "responded_model",
            Self::ResponseId => "response_id",
            Self::Fingerprint => "fingerprint",
            Self::ServiceTier => "service_tier",
            Self::ParametersHash => "parameters_hash",
            Self::ToolsHash => "tools_hash",
            Self::LatencyMs => "latency_ms",
            Self::TimeToFirstTokenMs => "time_to_first_token_ms",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::CachedTokens => "cached_tokens",
            Self::CacheWriteTokens => "cache_write_tokens",
            Self::ReasoningTokens => "reasoning_tokens",
            Self::CostUsd => "cost_usd",
            Self::PriceTable => "price_table",
            Self::ErrorType => "error_type",
            Self::FinishReason => "finish_reason",
            Self::Label => "label",
            Self::Valid => "valid",
            Self::Refusal => "refusal",
            Self::OutputLength => "output_length",
            Self::Stratum => "stratum",
            Self::Source => "source",
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    /// Tells whether this is what went to the model or came from it, which is kept only where somebody said so.
    pub(super) const fn is_content(self) -> bool {
        matches!(self, Self::Input | Self::Output)
    }
}

use Convention::{OpenInference, OpenLlmetry, OpenTelemetry, OpenTelemetryEarlier, OpenTelemetryLater};

/// A member, and the attribute by which a convention says it.
pub type Row = (Member, Convention, &'static str);

/// What other conventions call the members. Of several names of one member, the first that a span has counts.
///
/// Before all of them count our own: `promptops.` and the name of the member.
pub const ATTRIBUTES: &[Row] = &[
    (Member::Agent, OpenTelemetry, "gen_ai.agent.name"),
    (Member::Agent, OpenInference, "agent.name"),
    (Member::Session, OpenTelemetry, "gen_ai.conversation.id"),
    (Member::Session, OpenInference, "session.id"),
    (Member::Session, OpenLlmetry, "traceloop.association.properties.session_id"),
    (Member::Service, OpenTelemetry, "service.name"),
    (Member::Environment, OpenTelemetry, "deployment.environment.name"),
    (Member::Environment, OpenTelemetryEarlier, "deployment.environment"),
    (Member::PromptId, OpenTelemetry, "gen_ai.prompt.name"),
    (Member::PromptId, OpenLlmetry, "traceloop.prompt.key"),
    (Member::PromptVersion, OpenTelemetryLater, "gen_ai.prompt.version"),
    (Member::PromptVersion, OpenInference, "llm.prompt_template.version"),
    (Member::PromptVersion, OpenLlmetry, "traceloop.prompt.version"),
    (Member::Operation, OpenTelemetry, "gen_ai.operation.name"),
    (Member::Operation, OpenInference, "openinference.span.kind"),
    (Member::Operation, OpenLlmetry, "llm.request.type"),
    (Member::Provider, OpenTelemetry, "gen_ai.provider.name"),
    (Member::Provider, OpenTelemetryEarlier, "gen_ai.system"),
    (Member::Provider, OpenInference, "llm.provider"),
    (Member::Provider, OpenInference, "llm.system"),
    (Member::RequestedModel, OpenTelemetry, "gen_ai.request.model"),
    (Member::RequestedModel, OpenInference, "llm.request.model_name"),
    (Member::RequestedModel, OpenInference, "llm.model_name"),
    (Member::RequestedModel, OpenInference, "embedding.model_name"),
    (Member::RespondedModel, OpenTelemetry, "gen_ai.response.model"),
    (Member::RespondedModel, OpenInference, "llm.response.model_name"),
    (Member::ResponseId, OpenTelemetry, "gen_ai.response.id"),
    (Member::Fingerprint, OpenTelemetry, "openai.response.system_fingerprint"),
    (Member::Fingerprint, OpenTelemetryEarlier, "gen_ai.openai.response.system_fingerprint"),
    (Member::Fingerprint, OpenLlmetry, "gen_ai.openai.system_fingerprint"),
    (Member::ServiceTier, OpenTelemetry, "openai.response.service_tier"),
    (Member::ServiceTier, OpenTelemetryEarlier, "gen_ai.openai.response.service_tier"),
    (Member::ParametersHash, OpenInference, "llm.invocation_parameters"),
    (Member::ToolsHash, OpenTelemetry, "gen_ai.tool.definitions"),
    (Member::ToolsHash, OpenLlmetry, "llm.request.functions"),
    (Member::TimeToFirstTokenMs, OpenTelemetry, "gen_ai.response.time_to_first_chunk"),
    (Member::InputTokens, OpenTelemetry, "gen_ai.usage.input_tokens"),
    (Member::InputTokens, OpenTelemetryEarlier, "gen_ai.usage.prompt_tokens"),
    (Member::InputTokens, OpenInference, "llm.token_count.prompt"),
    (Member::InputTokens, OpenLlmetry, "llm.usage.prompt_tokens"),
    (Member::OutputTokens, OpenTelemetry, "gen_ai.usage.output_tokens"),
    (Member::OutputTokens, OpenTelemetryEarlier, "gen_ai.usage.completion_tokens"),
    (Member::OutputTokens, OpenInference, "llm.token_count.completion"),
    (Member::OutputTokens, OpenLlmetry, "llm.usage.completion_tokens"),
    (Member::CachedTokens, OpenTelemetry, "gen_ai.usage.cache_read.input_tokens"),
    (Member::CachedTokens, OpenInference, "llm.token_count.prompt_details.cache_read"),
    (Member::CachedTokens, OpenLlmetry, "gen_ai.usage.cache_read_input_tokens"),
    (Member::CacheWriteTokens, OpenTelemetry, "gen_ai.usage.cache_creation.input_tokens"),
    (Member::CacheWriteTokens, OpenTelemetryLater, "gen_ai.usage.cache_write.input_tokens"),
    (Member::CacheWriteTokens, OpenInference, "llm.token_count.prompt_details.cache_write"),
    (Member::CacheWriteTokens, OpenLlmetry, "gen_ai.usage.cache_creation_input_tokens"),
    (Member::ReasoningTokens, OpenTelemetry, "gen_ai.usage.reasoning.output_tokens"),
    (Member::ReasoningTokens, OpenInference, "llm.token_count.completion_details.reasoning"),
    (Member::ReasoningTokens, OpenLlmetry, "gen_ai.usage.reasoning_tokens"),
    (Member::CostUsd, OpenInference, "llm.cost.total"),
    (Member::ErrorType, OpenTelemetry, "error.type"),
    (Member::FinishReason, OpenTelemetry, "gen_ai.response.finish_reasons"),
    (Member::FinishReason, OpenInference, "llm.finish_reason"),
    (Member::FinishReason, OpenLlmetry, "gen_ai.response.finish_reason"),
    (Member::FinishReason, OpenLlmetry, "gen_ai.completion.0.finish_reason"),
    (Member::FinishReason, OpenLlmetry, "llm.response.finish_reason"),
    (Member::FinishReason, OpenLlmetry, "llm.response.stop_reason"),
    (Member::Input, OpenTelemetry, "gen_ai.input.messages"),
    (Member::Input, OpenTelemetryEarlier, "gen_ai.prompt"),
    (Member::Input, OpenInference, "input.value"),
    (Member::Input, OpenLlmetry, "gen_ai.prompt.0.content"),
    (Member::Output, OpenTelemetry, "gen_ai.output.messages"),
    (Member::Output, OpenTelemetryEarlier, "gen_ai.completion"),
    (Member::Output, OpenInference, "output.value"),
    (Member::Output, OpenLlmetry, "gen_ai.completion.0.content"),
];

/// The sampling parameters that `parameters_hash` is of, without `gen_ai.request.`.
pub const PARAMETERS: &[&str] = &[
    "choice.count",
    "frequency_penalty",
    "max_tokens",
    "presence_penalty",
    "reasoning.level",
    "seed",
    "stop_sequences",
    "temperature",
    "top_k",
    "top_p",
];

/// What an attribute says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says<'a> {
    /// A member, by a row of the table or by our own name; a lower rank counts before a higher one.
    Member { member: Member, row: Option<&'static Row>, rank: u8 },
    /// A sampling parameter.
    Parameter(&'static str),
    /// What a span of Traceloop's own SDK is: a workflow, a task, an agent or a tool.
    TraceloopKind,
    /// A score.
    Score(&'a str),
    /// Where a function of a cloud runs.
    CloudPlatform,
}

static KNOWN: LazyLock<HashMap<&'static str, Says<'static>>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for row @ (member, _, attribute) in ATTRIBUTES {
        let earlier = ATTRIBUTES.iter().take_while(|(_, _, other)| other != attribute).filter(|(other, ..)| other == member);
        let rank = u8::try_from(earlier.count() + 1).expect("a member has a few names");
        known.insert(*attribute, Says::Member { member: *member, row: Some(row), rank });
    }
    known.insert("traceloop.span.kind", Says::TraceloopKind);
    known.insert("cloud.platform", Says::CloudPlatform);
    known
});

/// Returns what an attribute says, if it says anything here.
pub(super) fn meaning(attribute: &str) -> Option<Says<'_>> {
    if let Some(ours) = attribute.strip_prefix("promptops.") {
        if let Some(score) = ours.strip_prefix("scores.").filter(|score| !score.is_empty()) {
            return Some(Says::Score(score));
        }
        let member = Member::ALL.into_iter().find(|member| member.name() == ours)?;
        return Some(Says::Member { member, row: None, rank: 0 });
    }
    if let Some(parameter) = attribute.strip_prefix("gen_ai.request.")
        && let Some(parameter) = PARAMETERS.iter().find(|known| **known == parameter)
    {
        return Some(Says::Parameter(parameter));
    }
    KNOWN.get(attribute).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_attribute_says_one_thing_and_each_member_is_at_its_place() {
        let attributes: BTreeSet<&str> = ATTRIBUTES.iter().map(|(_, _, attribute)| *attribute).collect();
        assert_eq!(attributes.len(), ATTRIBUTES.len());
        for (place, member) in Member::ALL.into_iter().enumerate() {
            assert_eq!(member as usize, place, "{member:?}");
        }
        assert!(ATTRIBUTES.is_sorted_by_key(|(member, ..)| *member), "the names of a member stand together");
    }

    #[test]
    fn names_that_are_preferred_have_lower_ranks() {
        let rank = |attribute| match meaning(attribute) {
            Some(Says::Member { member, rank, .. }) => (member, rank),
            other => panic!("{attribute}: {other:?}"),
        };
        assert_eq!(rank("promptops.session"), (Member::Session, 0));
        assert_eq!(rank("gen_ai.conversation.id"), (Member::Session, 1));
        assert_eq!(rank("session.id"), (Member::Session, 2));
        assert_eq!(rank("llm.model_name"), (Member::RequestedModel, 3));
        assert_eq!(meaning("gen_ai.request.temperature"), Some(Says::Parameter("temperature")));
        assert_eq!(meaning("promptops.scores.judge"), Some(Says::Score("judge")));
        for unknown in ["", "promptops.", "promptops.scores.", "promptops.time", "gen_ai.request.stream", "http.route"] {
            assert_eq!(meaning(unknown), None, "{unknown}");
        }
    }
}

//! A reply that comes in events.

use serde_json::{Map, Value};

use super::{Reply, anthropic, bedrock, openai_chat, openai_responses};
use crate::error_type::error_type;

/// Gathers the events of a streamed reply.
///
/// The provider is known by the first event that is one of its own; events of no known form are passed over. Of the answer
/// the text is kept, of what tools are called with and of reasoning nothing.
///
/// ```
/// use promptops::ReplyStream;
/// use serde_json::json;
///
/// let mut stream = ReplyStream::default();
/// for event in [
///     json!({"messageStart": {"role": "assistant"}}),
///     json!({"contentBlockDelta": {"delta": {"text": "billing"}, "contentBlockIndex": 0}}),
///     json!({"messageStop": {"stopReason": "end_turn"}}),
///     json!({"metadata": {"usage": {"inputTokens": 10, "outputTokens": 3, "totalTokens": 13}}}),
/// ] {
///     assert!(stream.take(&event).is_some());
/// }
/// let reply = stream.reply().expect("events were known");
/// assert_eq!((reply.text.as_deref(), reply.output_tokens), (Some("billing"), Some(3)));
/// ```
#[derive(Debug, Default)]
pub struct ReplyStream {
    provider: Option<Provider>,
    gathered: Gathered,
}

/// What an event of a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent {
    /// A part of what the model says, thinks or calls tools with.
    Token,
    /// Anything else.
    Other,
}

/// Whose events they are.
#[derive(Debug, Clone, Copy)]
enum Provider {
    OpenAiChat,
    OpenAiResponses,
    Anthropic,
    Bedrock,
}

const PROVIDERS: [Provider; 4] = [Provider::OpenAiChat, Provider::OpenAiResponses, Provider::Anthropic, Provider::Bedrock];

impl Provider {
    fn take(self, event: &Value, so_far: &mut Gathered) -> Option<StreamEvent> {
        match self {
            Self::OpenAiChat => openai_chat::take(event, so_far),
            Self::OpenAiResponses => openai_responses::take(event, so_far),
            Self::Anthropic => anthropic::take(event, so_far),
            Self::Bedrock => bedrock::take(event, so_far),
        }
    }

    fn read(self, gathered: Gathered) -> Option<Reply> {
        match self {
            Self::OpenAiChat => openai_chat::read(&openai_chat::whole(gathered)),
            Self::OpenAiResponses => openai_responses::read(&openai_responses::whole(gathered)),
            Self::Anthropic => anthropic::read(&anthropic::whole(gathered)),
            Self::Bedrock => bedrock::read(&bedrock::whole(gathered)),
        }
    }
}

impl ReplyStream {
    /// Begins a stream of which something is known beside its events: the members that a whole reply would have for it,
    /// as `_request_id`, `ResponseMetadata` or `$metadata`.
    #[must_use]
    pub fn with_head(head: &Value) -> Self {
        let mut stream = Self::default();
        stream.gathered.keep_each(head, &["_request_id", "ResponseMetadata", "$metadata"]);
        stream
    }

    /// Takes the next event. Returns nothing when it is of no known form.
    pub fn take(&mut self, event: &Value) -> Option<StreamEvent> {
        if let Some(provider) = self.provider {
            return provider.take(event, &mut self.gathered);
        }
        let taken = |provider: &Provider| Some((*provider, provider.take(event, &mut self.gathered)?));
        let (provider, event) = PROVIDERS.iter().find_map(taken)?;
        self.provider = Some(provider);
        Some(event)
    }

    /// Returns the reply as far as it came; nothing when no event was known.
    ///
    /// A reply without `finish_reason` did not come to its end.
    #[must_use]
    pub fn reply(self) -> Option<Reply> {
        let failure = self.gathered.failure.clone();
        let mut reply = self.provider?.read(self.gathered)?;
        reply.failure = reply.failure.or(failure);
        Some(reply)
    }
}

/// What the events of a stream said so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// All text parts, joined; absent while there is none.
    pub(super) text: Option<String>,
    /// Members of the whole reply.
    pub(super) members: Map<String, Value>,
    pub(super) usage: Map<String, Value>,
    /// The whole reply, where the last event holds it.
    pub(super) whole: Option<Value>,
    failure: Option<String>,
}

impl Gathered {
    pub(super) fn add_text(&mut self, text: &str) {
        self.text.get_or_insert_default().push_str(text);
    }

    /// Keeps a member. Of several the last counts that says anything.
    pub(super) fn keep(&mut self, name: &str, value: &Value) {
        if !value.is_null() && value.as_str() != Some("") {
            self.members.insert(name.to_owned(), value.clone());
        }
    }

    pub(super) fn keep_each(&mut self, from: &Value, names: &[&str]) {
        for name in names {
            if let Some(value) = from.get(name) {
                self.keep(name, value);
            }
        }
    }

    /// Keeps counts. Those of a later event are of all until then.
    pub(super) fn keep_usage(&mut self, usage: Option<&Value>) {
        let members = usage.and_then(Value::as_object).into_iter().flatten();
        for (name, count) in members.filter(|(_, count)| !count.is_null()) {
            self.usage.insert(name.clone(), count.clone());
        }
    }

    pub(super) fn fail(&mut self, code: &str) {
        self.failure = Some(error_type(code));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_no_known_form_are_passed_over() {
        let mut stream = ReplyStream::default();
        for event in [json!(null), json!({}), json!({"type": "text", "text": "x"}), json!({"choices": [{"message": {}}]})] {
            assert_eq!(stream.take(&event), None, "{event}");
        }
        assert_eq!(stream.reply(), None);
    }

    #[test]
    fn a_stream_belongs_to_the_provider_of_its_first_event() {
        let mut stream = ReplyStream::default();
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": "a"}}]});
        assert_eq!(stream.take(&chunk), Some(StreamEvent::Token));
        assert_eq!(stream.take(&json!({"contentBlockDelta": {"delta": {"text": "b"}}})), None);
        assert_eq!(stream.reply().unwrap().text.as_deref(), Some("a"));
    }

    #[test]
    fn a_failure_inside_of_a_stream_has_the_name_of_the_exception() {
        for (event, expected) in [
            (json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}), "overloaded"),
            (json!({"type": "error", "code": "rate_limit_exceeded", "message": "m", "param": null}), "rate_limit"),
            (json!({"throttlingException": {"message": "m"}}), "rate_limit"),
            (json!({"modelStreamErrorException": {"message": "m"}}), "server_error"),
        ] {
            let mut stream = ReplyStream::default();
            assert_eq!(stream.take(&event), Some(StreamEvent::Other), "{event}");
            assert_eq!(stream.reply().unwrap().failure.as_deref(), Some(expected));
        }
    }
}

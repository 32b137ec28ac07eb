//! Providers of promptfoo, as the model and the parameters of a prompt. Where a model is asked is said by `promptops.toml`.

use serde_json::{Map, Value, json};

use super::reader::{At, Place, Reader, is_code};

/// One provider.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    /// As the configuration writes it, `openai:gpt-4o`.
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) model: String,
    pub(super) parameters: Map<String, Value>,
    pub(super) tools: Option<Value>,
    /// The only prompts that it is given.
    pub(super) prompts: Option<Vec<String>>,
}

/// Parameters of a call that are passed on as they are.
const PARAMETERS: [&str; 16] = [
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "stop_sequences",
    "seed",
    "response_format",
    "tool_choice",
    "reasoning_effort",
    "reasoning",
    "verbosity",
    "logit_bias",
];

/// Settings of where and how a provider is asked, which `promptops.toml` has.
const CONNECTION: [&str; 15] = [
    "apiKey",
    "apiKeyRequired",
    "apiKeyEnvar",
    "apiBaseUrl",
    "apiHost",
    "baseUrl",
    "organization",
    "headers",
    "cost",
    "inputCost",
    "outputCost",
    "maxRetries",
    "timeout",
    "region",
    "showThinking",
];

/// Providers that run a program or a script, or ask something that is no model.
const NO_MODEL: [&str; 13] =
    ["exec", "python", "javascript", "golang", "ruby", "package", "http", "https", "webhook", "websocket", "ws", "wss", "mcp"];

/// Endings of `openai:` and its like that do not answer in chat.
const NO_CHAT: [&str; 11] = [
    "completion",
    "embedding",
    "embeddings",
    "image",
    "realtime",
    "assistant",
    "moderation",
    "transcription",
    "agents",
    "video",
    "codex-sdk",
];

/// Reads the list of providers.
pub(super) fn read(list: At<'_>, reader: &mut Reader<'_>) -> Vec<Provider> {
    match list.items() {
        Some(items) => items.into_iter().filter_map(|item| provider(item, reader)).collect(),
        None => provider(list, reader).into_iter().collect(),
    }
}

/// Reads the provider of a judge: as any other, or by what it gives, `{text: …}`.
pub(super) fn judging(at: At<'_>, reader: &mut Reader<'_>) -> Option<Provider> {
    match at.get("text") {
        Some(text) if at.get("id").is_none() => provider(text, reader),
        _ => provider(at, reader),
    }
}

fn provider(at: At<'_>, reader: &mut Reader<'_>) -> Option<Provider> {
    if let Some(id) = at.text() {
        return from_id(id, &at.place(), None, reader);
    }
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("a provider is a text or a mapping, not {}", at.node.type_name()));
        return None;
    };
    if let Some(id) = at.get("id") {
        let id_text = reader.text("the `id` of a provider", id)?;
        return from_id(id_text, &id.place(), Some(at), reader);
    }
    // `openai:gpt-4o: {config: …}`
    match pairs.as_slice() {
        [(id, place, settings)] if id.contains(':') => from_id(id, place, Some(*settings), reader),
        _ => {
            reader.error(&at.place(), "the provider lacks `id`");
            None
        }
    }
}

/// Returns the model that an id names, or why it names none that is asked in chat.
pub(super) fn model_of(id: &str) -> Result<String, &'static str> {
    let parts: Vec<&str> = id.split(':').collect();
    match parts.as_slice() {
        [one] if !one.is_empty() => Ok((*one).to_owned()),
        [family, ..] if NO_MODEL.contains(family) => Err("no model is asked there"),
        [_, kind, ..] if NO_CHAT.contains(kind) => Err("it is not asked in chat"),
        [_, "chat" | "responses" | "messages" | "converse", model @ ..] if !model.is_empty() => Ok(model.join(":")),
        [_, model @ ..] if !model.is_empty() && !model[0].is_empty() => Ok(model.join(":")),
        _ => Err("it names no model"),
    }
}

/// Returns the provider that promptfoo asks to judge where the configuration names none, and it finds a key of OpenAI.
pub(super) fn judging_by_default() -> Provider {
    let (id, parameters) = ("openai:chat:gpt-5.6-sol", json!({"response_format": {"type": "json_object"}}));
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    let model = model_of(id).unwrap_or_default();
    Provider { id: id.to_owned(), label: None, model, parameters, tools: None, prompts: None }
}

fn from_id(id: &str, place: &Place, settings: Option<At<'_>>, reader: &mut Reader<'_>) -> Option<Provider> {
    if is_code(id) || ["python:", "exec:", "javascript:", "golang:", "ruby:", "package:"].iter().any(|kind| id.starts_with(kind))
    {
        reader.code(place, &format!("the provider `{id}`"));
        return None;
    }
    if id.starts_with("file://") {
        let hint = "write the provider into the configuration itself";
        reader.error_with_hint(place, format!("the provider file `{id}` is not read"), hint);
        return None;
    }
    let model = match model_of(id) {
        Ok(model) => model,
        Err(reason) => {
            let hint = "name a model, as `openai:chat:gpt-4o`; `promptops.toml` says where it is asked";
            reader.error_with_hint(place, format!("the provider `{id}` is not taken over: {reason}"), hint);
            return None;
        }
    };
    let mut provider =
        Provider { parameters: defaults(id, &model), id: id.to_owned(), label: None, model, tools: None, prompts: None };
    for (key, place, value) in settings.and_then(At::pairs).unwrap_or_default() {
        match key {
            "id" => {}
            "label" => provider.label = reader.text("`label`", value).map(str::to_owned),
            "config" => config(value, &mut provider, reader),
            "prompts" => provider.prompts = Some(reader.texts("an item of `prompts`", value)),
            "delay" | "env" | "description" => {
                reader.note(&place, format!("`{key}` of a provider has no effect: `promptops.toml` says how a model is asked"));
            }
            "transform" | "postprocess" => reader.code(&place, &format!("`{key}`")),
            other => reader.error(&place, format!("`{other}` of a provider is not taken over")),
        }
    }
    Some(provider)
}

/// What promptfoo asks for when the configuration does not say.
fn defaults(id: &str, model: &str) -> Map<String, Value> {
    let reasons = ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|family| model.starts_with(family));
    let defaults = match id.split(':').next() {
        Some("openai" | "anthropic") if id.contains(':') && !reasons => json!({"temperature": 0, "max_tokens": 1024}),
        _ => json!({}),
    };
    defaults.as_object().cloned().unwrap_or_default()
}

fn config(at: At<'_>, provider: &mut Provider, reader: &mut Reader<'_>) {
    let Some(pairs) = at.pairs() else {
        reader.error(&at.place(), format!("`config` is a mapping, not {}", at.node.type_name()));
        return;
    };
    for (key, place, value) in pairs {
        match key {
            "tools" => provider.tools = loaded(value, reader),
            "omitDefaults" => {
                if reader.flag("`omitDefaults`", value) {
                    let written: Vec<&str> = at.pairs().into_iter().flatten().map(|(key, ..)| key).collect();
                    provider.parameters.retain(|name, _| written.contains(&name.as_str()));
                }
            }
            // What promptfoo puts into the request as it stands.
            "passthrough" => match value.pairs() {
                Some(pairs) => {
                    for (name, _, value) in pairs {
                        provider.parameters.insert(name.to_owned(), reader.value(value));
                    }
                }
                None => reader.error(&place, format!("`passthrough` is a mapping, not {}", value.node.type_name())),
            },
            name if PARAMETERS.contains(&name) => {
                if let Some(value) = loaded(value, reader) {
                    provider.parameters.insert(name.to_owned(), value);
                }
            }
            name if CONNECTION.contains(&name) => {
                reader.note(&place, format!("`{name}` has no effect: `promptops.toml` says where and how a model is asked"));
            }
            name => reader.error(&place, format!("`{name}` of a provider's `config` is not taken over")),
        }
    }
}

/// Returns a value that may stand in a file of its own.
fn loaded(at: At<'_>, reader: &mut Reader<'_>) -> Option<Value> {
    match at.text() {
        Some(reference) if reference.starts_with("file://") => {
            let document = reader.document(reference, &at.place())?;
            Some(reader.value(document.root()))
        }
        _ => Some(reader.value(at)),
    }
}

/// Tells whether a reference in `providers` of a test means a provider.
pub(super) fn is_meant(reference: &str, provider: &Provider) -> bool {
    // promptfoo knows `openai:chat:gpt-4o` as `openai:gpt-4o`, too.
    let family = provider.id.split(':').next().unwrap_or_default();
    let short = format!("{family}:{}", provider.model);
    let names = [Some(provider.id.as_str()), Some(short.as_str()), provider.label.as_deref()];
    names.into_iter().flatten().any(|name| {
        name == reference
            || reference.strip_suffix('*').is_some_and(|start| name.starts_with(start))
            || name.strip_prefix(reference).is_some_and(|rest| rest.starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_model() {
        for (id, model) in [
            ("openai:gpt-4o", "gpt-4o"),
            ("openai:chat:gpt-4o-mini", "gpt-4o-mini"),
            ("openai:responses:gpt-5", "gpt-5"),
            ("openai:chat:ft:gpt-4o:acme", "ft:gpt-4o:acme"),
            ("anthropic:messages:claude-sonnet-4", "claude-sonnet-4"),
            ("bedrock:converse:anthropic.claude-v2:1", "anthropic.claude-v2:1"),
            ("ollama:chat:llama3:8b", "llama3:8b"),
            ("echo", "echo"),
        ] {
            assert_eq!(model_of(id).as_deref(), Ok(model), "{id}");
        }
        assert_eq!(model_of("https://example.test/api"), Err("no model is asked there"));
        assert_eq!(model_of("openai:embedding:x"), Err("it is not asked in chat"));
        assert_eq!(model_of("openai:"), Err("it names no model"));
    }
}

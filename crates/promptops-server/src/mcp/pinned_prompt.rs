//! A pinned prompt: verified, with everything it includes, compiled when it is first rendered.

use std::sync::OnceLock;

use promptops_prompt::digest::canonical_json;
use promptops_prompt::{Closure, Content, PromptId, PromptRef, Rendered, Renderer};
use promptops_registry::VersionRecord;
use promptops_telemetry::content_hash;
use rmcp::model::{MetaObject, PromptArgument};
use serde_json::{Map, Value, json};

use super::arguments::Argument;
use super::names;

/// One version of a prompt. It never changes.
pub(crate) struct PinnedPrompt {
    record: VersionRecord,
    closure: Closure,
    arguments: Vec<Argument>,
    renderer: OnceLock<Result<Renderer, String>>,
}

impl PinnedPrompt {
    pub(crate) fn new(record: VersionRecord, closure: Closure) -> Self {
        let arguments = closure.root.inputs.iter().map(|(name, schema)| Argument::new(name, schema)).collect();
        Self { record, closure, arguments, renderer: OnceLock::new() }
    }

    pub(crate) fn id(&self) -> &PromptId {
        &self.record.id
    }

    pub(crate) fn reference(&self) -> PromptRef {
        self.record.reference()
    }

    pub(crate) fn record(&self) -> &VersionRecord {
        &self.record
    }

    pub(crate) fn content(&self) -> &Content {
        &self.closure.root
    }

    /// Returns everything the version includes, directly or not.
    pub(crate) fn closure(&self) -> &Closure {
        &self.closure
    }

    /// Returns the declared variables, by name.
    pub(crate) fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Returns the text before rendering, of all messages.
    pub(crate) fn text(&self) -> String {
        self.content().body.templates().collect::<Vec<_>>().join("\n")
    }

    /// Renders with values that fit their schemas.
    ///
    /// # Errors
    /// What is wrong with the values or the templates, in words.
    pub(crate) fn render(&self, values: &Map<String, Value>) -> Result<Rendered, String> {
        match self.renderer.get_or_init(|| Renderer::new(&self.closure).map_err(|error| error.to_string())) {
            Ok(renderer) => renderer.render(values).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Returns the hash of the parameters and of the tools that an invocation records.
    pub(crate) fn hashes(&self) -> (Option<String>, Option<String>) {
        let hash = |value: &Value| content_hash(&String::from_utf8_lossy(&canonical_json(value)));
        let content = self.content();
        let parameters = (!content.parameters.is_empty()).then(|| hash(&Value::Object(content.parameters.clone())));
        (parameters, content.tools.as_ref().map(hash))
    }

    /// Returns the prompt as a list shows it.
    pub(crate) fn listed(&self) -> rmcp::model::Prompt {
        let arguments: Vec<PromptArgument> = self.arguments.iter().map(Argument::listed).collect();
        let arguments = (!arguments.is_empty()).then_some(arguments);
        let metadata = &self.record.metadata;
        let mut meta = MetaObject::new();
        meta.0.insert(names::VERSION.to_owned(), self.record.version.number().into());
        meta.0.insert(names::OWNER.to_owned(), metadata.owner.as_str().into());
        if !metadata.tags.is_empty() {
            meta.0.insert(names::TAGS.to_owned(), json!(metadata.tags));
        }
        rmcp::model::Prompt::new(self.id().as_str(), metadata.purpose.clone(), arguments).with_meta(meta)
    }

    /// Returns what a model is called with besides the messages, and what the version is.
    pub(crate) fn described(&self) -> Value {
        let content = self.content();
        let mut described = json!({
            "id": self.id(),
            "version": self.record.version,
            "digest": self.record.digest,
            "owner": self.record.metadata.owner,
            "model": content.model,
            "parameters": content.parameters,
        });
        for (name, value) in [("output", &content.output), ("tools", &content.tools)] {
            if let Some(value) = value {
                described[name] = value.clone();
            }
        }
        described
    }
}
